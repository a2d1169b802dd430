/* apply_branch.c - branches of XA: see the picture in apply.h.
 *
 * In `stash`: the rows of one that is STASHED or DEFERRED in pieces 0, 1, ...; under the number
 * MARK "deferred", or "done 17" where 17 is its age.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/move/apply_internal.h"

enum {
    MARK          = 1000000000,
    PIECE         = 256 << 10,
    IN_MEMORY     = 64 << 10, /* larger ones are read back from `stash` */
    NAMES_AT_ONCE = 1000,     /* in one DELETE */
};

static unsigned
bucket_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % BRANCH_BUCKETS;
}

struct branch *
branch_find(struct apply *a, const char *name)
{
    struct list *bucket = &a->branch[bucket_of(name)];

    LIST_EACH(at, bucket) {
        struct branch *b = container_of(at, struct branch, bucket);
        if (strcmp(b->name, name) == 0)
            return b;
    }
    return NULL;
}

static struct branch *
branch_get(struct apply *a, const char *name)
{
    struct branch *b = branch_find(a, name);

    if (b)
        return b;
    b = mem_alloc(sizeof(*b));
    snprintf(b->name, sizeof(b->name), "%s", name);
    list_init(&b->touched);
    list_append(&a->branch[bucket_of(name)], &b->bucket);
    return b;
}

static void
drop_rows(struct branch *b)
{
    if (b->rows)
        parcel_fini(b->rows);
    free(b->rows);
    b->rows = NULL;
}

static void
branch_free(struct branch *b)
{
    drop_rows(b);
    list_remove(&b->touched);
    list_remove(&b->bucket);
    free(b);
}

static void
touch(struct apply *a, struct branch *b, enum branch_state next)
{
    b->next = next;
    list_remove(&b->touched);
    list_append(&a->touched, &b->touched);
}

void
branch_forget_all(struct apply *a)
{
    for (unsigned i = 0; i < BRANCH_BUCKETS; i++)
        LIST_EACH_SAFE(at, &a->branch[i])
            branch_free(container_of(at, struct branch, bucket));
    a->n_done = 0;
}

unsigned
branch_count(struct apply *a)
{
    unsigned n = 0;

    for (unsigned i = 0; i < BRANCH_BUCKETS; i++)
        LIST_EACH(at, &a->branch[i]) {
            enum branch_state s = container_of(at, struct branch, bucket)->state;
            n += s == BRANCH_STASHED || s == BRANCH_DEFERRED;
        }
    return n;
}

/* --- reading `stash` ------------------------------------------------------------------------- */

static void
loaded(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct apply     *a    = context;
    struct branch    *b    = branch_get(a, row[0]);
    bool              done = lengths[1] > 5 && strncmp(row[1], "done ", 5) == 0;
    enum branch_state s    = done ? BRANCH_DONE : lengths[1] > 0 ? BRANCH_DEFERRED : BRANCH_STASHED;

    if (s <= b->state)
        return;
    b->state = b->next = s;
    if (!done)
        return;
    b->order = strtoull(row[1] + 5, NULL, 10);
    a->order = b->order > a->order ? b->order : a->order;
    a->n_done++;
}

bool
branch_load(struct apply *a, struct sql_error *error)
{
    branch_forget_all(a);
    return server_each(&a->server, loaded, a, error,
        "SELECT xid, IF(seq = %d, events, '') FROM %s.stash WHERE job = %lld AND source = %u "
        "AND target = %u AND (seq = 0 OR seq = %d)", MARK, ROUTES_MOVE_SCHEMA,
        (long long)a->move->job, a->source, a->target, MARK);
}

struct filling {
    struct parcel *rows;
    int            error;
};

static void
fill(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct filling *f = context;

    if (f->error == 0 && row[0])
        f->error = parcel_put_bytes(f->rows, (struct span){ (uint8_t *)row[0], lengths[0] });
}

static bool
need_rows(struct apply *a, struct branch *b, struct sql_error *error)
{
    if (b->rows)
        return true;
    b->rows         = mem_alloc(sizeof(*b->rows));
    b->rows->folder = a->move->c->path.home;
    struct filling f = { .rows = b->rows };
    bool ok = server_each(&a->server, fill, &f, error,
        "SELECT events FROM %s.stash WHERE job = %lld AND source = %u AND target = %u "
        "AND xid = '%s' AND seq < %d ORDER BY seq", ROUTES_MOVE_SCHEMA, (long long)a->move->job,
        a->source, a->target, b->name, MARK);
    if (ok && f.error != 0)
        ok = apply_file_error(a, f.error, error);
    if (!ok)
        drop_rows(b);
    return ok;
}

/* --- what items do --- */

static bool
finish(struct apply *a, struct branch *b, branch_step step, struct sql_error *error)
{
    if (!b->item && !need_rows(a, b, error))
        return false;
    touch(a, b, BRANCH_DONE);
    return step(a, b->item ? &b->item->parcel : b->rows, error);
}

static bool
commit(struct apply *a, const struct item *i, branch_step step, struct sql_error *error)
{
    struct branch *b = branch_find(a, i->branch);

    switch (b ? b->next : BRANCH_NONE) {
    case BRANCH_DONE:
    case BRANCH_DEFERRED:
        return true;
    case BRANCH_STASHED:
        if (!i->defer)
            return finish(a, b, step, error);
        touch(a, b, BRANCH_DEFERRED);
        return true;
    case BRANCH_NONE:
        break;
    }
    if (i->unknown_is_fine) {
        touch(a, branch_get(a, i->branch), BRANCH_DONE);
        return true;
    }
    return sql_error_set(error, APPLY_FATAL, "shardd: shard %u has committed the XA branch %.100s, "
                         "and its binary log did not show the branch being prepared; cancel the "
                         "move and start it again", a->source, i->branch);
}

static bool
rollback(struct apply *a, const struct item *i, struct sql_error *error)
{
    struct branch *b = branch_find(a, i->branch);

    switch (b ? b->next : BRANCH_NONE) {
    case BRANCH_NONE:
        return true;
    case BRANCH_STASHED:
        touch(a, b, BRANCH_NONE);
        return true;
    case BRANCH_DEFERRED:
    case BRANCH_DONE:
        break;
    }
    return sql_error_set(error, APPLY_FATAL, "shardd: the binary log of shard %u has XA COMMIT and "
                         "then XA ROLLBACK for the branch %.100s; cancel the move, and check that "
                         "the server's rows are right", a->source, i->branch);
}

/* "FORMAT.BYTES.HEX": snapshots know branches by the last part. */
static bool
is_prepared(const json_t *prepared, const char *name)
{
    const char *hex = strrchr(name, '.');

    return hex && json_object_get(prepared, hex + 1) != NULL;
}

static bool
resolve(struct apply *a, const struct item *i, branch_step step, struct sql_error *error)
{
    for (unsigned k = 0; k < BRANCH_BUCKETS; k++)
        LIST_EACH(at, &a->branch[k]) {
            struct branch *b = container_of(at, struct branch, bucket);
            if (b->next == BRANCH_DEFERRED && !is_prepared(i->prepared, b->name) &&
                !finish(a, b, step, error))
                return false;
        }
    return true;
}

static bool
has_rows(struct apply *a, const struct branch *b, bool *has, struct sql_error *error)
{
    char n[24];

    if (b->rows) {
        *has = parcel_size(b->rows) > 0;
        return true;
    }
    if (!server_value(&a->server, n, sizeof(n), error, "SELECT LENGTH(events) FROM %s.stash WHERE "
                      "job = %lld AND source = %u AND target = %u AND xid = '%s' AND seq = 0",
                      ROUTES_MOVE_SCHEMA, (long long)a->move->job, a->source, a->target, b->name))
        return false;
    *has = strcmp(n, "0") != 0;
    return true;
}

/* One without rows may be another program's, which goes on with it. */
static bool
forget_one(struct apply *a, struct branch *b, struct sql_error *error)
{
    bool has;

    if (b->next == BRANCH_DEFERRED)
        return sql_error_set(error, APPLY_FATAL, "shardd: the XA branch %.100s of shard %u still "
                             "waits for a snapshot; cancel the move and start it again", b->name,
                             a->source);
    if (b->next != BRANCH_STASHED)
        return true;
    if (!has_rows(a, b, &has, error))
        return false;
    if (has) {
        log_warn("move: shard %u was killed and has lost the XA branch %.100s, which its binary "
                 "log has as prepared: these rows do not move", a->source, b->name);
        touch(a, b, BRANCH_NONE);
    }
    return true;
}

static bool
forget_lost(struct apply *a, struct sql_error *error)
{
    for (unsigned k = 0; k < BRANCH_BUCKETS; k++)
        LIST_EACH(at, &a->branch[k])
            if (!forget_one(a, container_of(at, struct branch, bucket), error))
                return false;
    return true;
}

bool
branch_item(struct apply *a, struct item *i, branch_step step, struct sql_error *error)
{
    struct branch *b;

    switch (i->kind) {
    case ITEM_PREPARE: /* a second one: the first was lost when the server was killed */
        b = branch_get(a, i->branch);
        touch(a, b, BRANCH_STASHED);
        b->item = i;
        return true;
    case ITEM_COMMIT:   return commit(a, i, step, error);
    case ITEM_ROLLBACK: return rollback(a, i, error);
    case ITEM_RESOLVE:  return resolve(a, i, step, error);
    case ITEM_LOST:     return forget_lost(a, error);
    case ITEM_ROWS:     return step(a, &i->parcel, error);
    case ITEM_ADVANCE:
    case ITEM_FORMAT:   break;
    }
    return true;
}

/* --- writing `stash` ------------------------------------------------------------------------- */

/* Marks that are too old to be needed. */
static void
prune(struct apply *a)
{
    if (a->n_done < BRANCHES_DONE)
        return;
    for (unsigned k = 0; k < BRANCH_BUCKETS; k++)
        LIST_EACH(at, &a->branch[k]) {
            struct branch *b = container_of(at, struct branch, bucket);
            if (b->state == BRANCH_DONE && list_empty(&b->touched) &&
                b->order + BRANCHES_DONE / 2 < a->order)
                touch(a, b, BRANCH_NONE);
        }
}

static bool
is_kept(const struct branch *b)
{
    return b->state == BRANCH_STASHED && b->next == BRANCH_DEFERRED && !b->item;
}

static bool
remove_old(struct apply *a, struct sql_error *error)
{
    struct list *at = a->touched.next;
    bool         ok = true;

    while (ok && at != &a->touched) {
        unsigned n = 0;
        buf_clear(&a->sql);
        buf_printf(&a->sql, "DELETE FROM %s.stash WHERE job = %lld AND source = %u AND target = %u "
                   "AND xid IN (", ROUTES_MOVE_SCHEMA, (long long)a->move->job, a->source,
                   a->target);
        for (; at != &a->touched && n < NAMES_AT_ONCE; at = at->next) {
            const struct branch *b = container_of(at, struct branch, touched);
            if (b->state != BRANCH_NONE && !is_kept(b))
                buf_printf(&a->sql, "%s'%s'", n++ > 0 ? "," : "", b->name);
        }
        buf_append_text(&a->sql, ")");
        if (n > 0)
            ok = apply_put(a, error);
        buf_clear(&a->sql);
    }
    return ok;
}

/* One more row for `stash`; sends them when there are many bytes. */
static bool
add_row(struct apply *a, const struct branch *b, unsigned seq, struct span events,
        struct sql_error *error)
{
    if (buf_len(&a->sql) == 0)
        buf_printf(&a->sql, "INSERT INTO %s.stash (job, source, target, xid, seq, events) VALUES ",
                   ROUTES_MOVE_SCHEMA);
    else
        buf_append_text(&a->sql, ",");
    buf_printf(&a->sql, "(%lld,%u,%u,'%s',%u,x'", (long long)a->move->job, a->source, a->target,
               b->name, seq);
    buf_append_hex(&a->sql, events);
    buf_append_text(&a->sql, "')");
    return buf_len(&a->sql) < 2 * PIECE || apply_put(a, error);
}

static bool
add_pieces(struct apply *a, const struct branch *b, struct sql_error *error)
{
    struct parcel_reader r;
    struct span          piece = { 0 };
    unsigned             seq   = 0;
    bool                 ok    = true;
    int                  bad;

    parcel_read(&r, &b->item->parcel);
    do {
        bad = parcel_piece(&r, PIECE, &piece);
        ok  = bad == 0 ? piece.len == 0 && seq > 0 ? true : add_row(a, b, seq++, piece, error)
                       : apply_file_error(a, bad, error);
    } while (ok && piece.len > 0);
    parcel_read_end(&r);
    return ok;
}

static bool
add_mark(struct apply *a, struct branch *b, struct sql_error *error)
{
    char text[32] = "deferred";

    if (b->next == BRANCH_DONE) {
        b->order = ++a->order;
        snprintf(text, sizeof(text), "done %llu", (unsigned long long)b->order);
    }
    return add_row(a, b, MARK, span_of(text), error);
}

bool
branch_write(struct apply *a, struct sql_error *error)
{
    bool ok = true;

    prune(a);
    if (list_empty(&a->touched))
        return true;
    if (!remove_old(a, error))
        return false;
    LIST_EACH(at, &a->touched) {
        struct branch *b = container_of(at, struct branch, touched);
        if (ok && b->item && (b->next == BRANCH_STASHED || b->next == BRANCH_DEFERRED))
            ok = add_pieces(a, b, error);
        if (ok && (b->next == BRANCH_DONE || b->next == BRANCH_DEFERRED))
            ok = add_mark(a, b, error);
    }
    return ok && (buf_len(&a->sql) == 0 || apply_put(a, error));
}

/* --- afterwards --- */

/* Small ones are kept where they will be wanted. */
static void
keep_rows(struct branch *b)
{
    drop_rows(b);
    if (parcel_size(&b->item->parcel) > IN_MEMORY)
        return;
    b->rows  = mem_alloc(sizeof(*b->rows));
    *b->rows = b->item->parcel;
    b->item->parcel = (struct parcel){ 0 };
}

void
branch_committed(struct apply *a)
{
    LIST_EACH_SAFE(at, &a->touched) {
        struct branch *b = container_of(at, struct branch, touched);
        a->n_done += b->next == BRANCH_DONE;
        a->n_done -= b->state == BRANCH_DONE;
        b->state = b->next;
        if (b->state == BRANCH_NONE) {
            branch_free(b);
            continue;
        }
        if (b->state == BRANCH_DONE)
            drop_rows(b);
        else if (b->item)
            keep_rows(b);
        b->item = NULL;
        list_remove(&b->touched);
    }
}

void
branch_undone(struct apply *a)
{
    LIST_EACH_SAFE(at, &a->touched) {
        struct branch *b = container_of(at, struct branch, touched);
        b->next = b->state;
        b->item = NULL;
        list_remove(&b->touched);
        if (b->state == BRANCH_NONE)
            branch_free(b);
    }
}
