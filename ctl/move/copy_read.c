/* copy_read.c - a lane's reader: rows from the snapshot, each to where it goes, as lines. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/memory.h"
#include "ctl/move/cleanup.h"
#include "ctl/move/copy_part.h"

enum {
    CHUNK_FIRST  = 2048,   /* rows of one SELECT */
    CHUNK_MOST   = 262144,
    CHUNK_LEAST  = 64,
    CHUNK_MS     = 500,    /* that one should take */
    PACE_ROWS    = 256,    /* between two looks at the clock */
    PACE_BYTES   = 1 << 18,
    UTF8MB4      = 45,     /* the collation of UUIDs' and addresses' texts: ASCII */
};

struct reader {
    struct copy_lane  *lane;
    struct copy       *copy;
    struct copy_table *table;
    struct copy_step  *step;    /* being filled */
    struct buf         last;    /* the last row's key, of what was read */
    struct buf         key;     /* one row's, for targets that are further than others */
    bool              *ahead;   /* by target: has this row perhaps */
    bool               any_ahead;
    uint64_t           limit;   /* of this SELECT; 0: none */
    uint64_t           read, sent; /* rows and bytes since copy_pace() was asked */
    /* of the row at hand: */
    MYSQL_ROW            row;
    const unsigned long *lengths;
    struct copy_part    *written; /* has the row already */
    size_t               line_len;
    uint32_t             odd; /* a column whose value no image can have; ROUTES_NONE */
    struct span         *cells; /* for an image; owned */
    bool                 out;     /* its key is in the source's set */
};

/* --- lines --- */

/* The bytes that LOAD DATA does not take for themselves. */
static const bool special[256] = { ['\0'] = true, ['\t'] = true, ['\n'] = true, ['\\'] = true };

/* Room for twice the length, and 3 more, is there. Returns where it ends. */
static uint8_t *
put_field(uint8_t *out, const char *text, size_t len, bool plain)
{
    if (!text) {
        memcpy(out, "\\N", 2);
        return out + 2;
    }
    if (plain) {
        memcpy(out, text, len);
        return out + len;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (special[byte]) {
            *out++ = '\\';
            byte   = byte ? byte : '0';
        }
        *out++ = byte;
    }
    return out;
}

static void
put_line(struct reader *r, struct buf *out)
{
    const struct copy_table *t    = r->table;
    size_t                   room = 1;
    uint8_t                 *begin, *at;

    for (uint32_t i = 0; i < t->n_fields; i++)
        room += 2 * r->lengths[i] + 3;
    begin = at = buf_reserve(out, room);
    for (uint32_t i = 0; i < t->n_fields; i++) {
        if (!t->sent[i])
            continue;
        at    = put_field(at, r->row[i], r->lengths[i], t->plain[i]);
        *at++ = '\t';
    }
    if (at > begin)
        at--; /* the last tab */
    *at++ = '\n';
    r->line_len = (size_t)(at - begin);
    buf_commit(out, r->line_len);
}

static void
put_image(struct reader *r, struct buf *out)
{
    const struct copy_table *t     = r->table;
    size_t                   start = buf_len(out);

    for (uint32_t k = 0; k < t->image->n; k++) {
        uint32_t field = t->cells[k];

        r->cells[k] = (struct span){ (const uint8_t *)r->row[field], r->lengths[field] };
    }
    (void)!image_row(t->image, r->cells, out, &r->odd);
    r->line_len = buf_len(out) - start;
}

/* The key goes into the set, unless it is the one before. */
static void
put_key(struct reader *r, uint32_t field, struct copy_part *part)
{
    size_t   len   = r->lengths[field];
    uint8_t *begin = buf_reserve(&part->keys, 2 * len + 4);
    uint8_t *end   = put_field(begin, r->row[field], len, r->table->plain[field]);
    size_t   before = buf_len(&part->keys) - part->key_at;

    *end++ = '\n';
    if (before == (size_t)(end - begin) && memcmp(begin - before, begin, before) == 0)
        return;
    part->key_at = buf_len(&part->keys);
    buf_commit(&part->keys, (size_t)(end - begin));
}

/* --- where a row goes --- */

static size_t
target_index(const struct copy *c, uint32_t id)
{
    size_t i = 0;

    while (i < c->n_targets && c->targets[i] != id)
        i++;
    return i;
}

static void
to_target(void *context, uint32_t id)
{
    struct reader     *r     = context;
    size_t             index = target_index(r->copy, id);
    struct copy_part  *part  = &r->step->parts[index];
    struct copy_part  *own   = &r->step->parts[r->lane->n_writers - 1];
    struct copy_table *t     = r->table;

    if (!r->out && t->key_after != ROUTES_NONE) {
        put_key(r, t->key_after, own);
        r->out = true;
    }
    if (r->ahead[index])
        return;
    if (r->written)
        buf_append(&part->rows, r->written->rows.bytes + r->written->rows.end - r->line_len,
                   r->line_len);
    else if (t->image)
        put_image(r, &part->rows);
    else
        put_line(r, &part->rows);
    r->written = part;
    part->n_rows++;
    r->step->n_sent++;
    r->step->n_bytes += r->line_len;
    r->sent += r->line_len;
    if (t->key_before != ROUTES_NONE)
        put_key(r, t->key_before, part);
}

static bool
hash_of(const struct reader *r, const struct route_table *table, uint32_t field, uint64_t *hash)
{
    const struct route_column *column = &table->columns[table->key];
    bool     text = column->type == COLUMN_CHAR || column->type == COLUMN_VARCHAR;

    if (!r->row[field]) {
        *hash = keyhash_null();
        return true;
    }
    return keyhash_row(column, (struct span){ (const uint8_t *)r->row[field], r->lengths[field] },
                       text ? column->collation : UTF8MB4, hash);
}

static bool
hashes_of(const struct reader *r, uint64_t *before, uint64_t *after)
{
    const struct copy_table *t = r->table;

    *before = *after = 0;
    if (t->key_before != ROUTES_NONE && !hash_of(r, t->t->before, t->key_before, before))
        return false;
    if (t->key_after == t->key_before)
        *after = *before;
    else if (t->key_after != ROUTES_NONE)
        return hash_of(r, t->t->after, t->key_after, after);
    return true;
}

static bool
route_row(struct reader *r, struct sql_error *error)
{
    const struct copy_table *t = r->table;
    uint64_t                 before, after;

    r->written = NULL;
    r->out     = false;
    if (!hashes_of(r, &before, &after))
        return sql_error_set(error, COPY_FATAL, "shardd: table %s.%s has a row whose key cannot "
                             "be read as a value of its column: 'shardctl fsck' says where",
                             t->t->database, t->t->name);
    move_targets(r->copy->m, t->t, r->copy->source, before, after, to_target, r);
    return r->odd == ROUTES_NONE ||
           sql_error_set(error, COPY_FATAL, "shardd: table %s.%s has triggers, and a row whose "
                         "column %.*s cannot be moved without firing them; keep their texts (SHOW "
                         "CREATE TRIGGER), drop them for the time of the move, and create them "
                         "again afterwards", t->t->database, t->t->name,
                         (int)t->t->before->columns[r->odd].name.len,
                         t->t->before->columns[r->odd].name.ptr);
}

/* Targets that are behind this row now take it. */
static void
look_ahead(struct reader *r)
{
    r->any_ahead = false;
    copy_table_key(r->table, r->row, r->lengths, &r->key);
    for (size_t i = 0; i < r->copy->n_targets; i++) {
        const struct copy_target *target = &r->table->targets[i];

        if (!r->ahead[i] || target->done)
            continue;
        if (copy_table_order(r->table, buf_unread(&r->key), buf_unread(&target->last)) > 0)
            r->ahead[i] = false;
        else
            r->any_ahead = true;
    }
}

/* --- steps --- */

static bool
begin_step(struct reader *r)
{
    r->step = copy_lane_step(r->lane);
    if (!r->step)
        return false;
    r->step->table = r->table;
    return true;
}

/* A target that is ahead keeps its own place, unless the table is at its end. */
static void
put_step(struct reader *r, bool done)
{
    struct copy_step *step = r->step;
    struct copy      *c    = r->copy;

    for (size_t i = 0; i < c->n_targets; i++)
        step->parts[i].active = r->table->targets[i].takes && !r->table->targets[i].done &&
                                (done || !r->ahead[i]);
    step->done   = done;
    step->commit = done || r->table->ordered || r->table->torn_fine;
    if (r->table->ordered)
        buf_append_span(&step->last, buf_unread(&r->last));
    atomic_fetch_add(&c->sent, step->n_sent);
    atomic_fetch_add(&c->bytes, step->n_bytes);
    r->step = NULL;
    copy_lane_put(r->lane);
}

static bool
is_full(const struct copy_step *step)
{
    return step->n_sent >= COPY_STEP_ROWS || step->n_bytes >= COPY_STEP_BYTES ||
           step->n_read >= COPY_STEP_READ;
}

static void
flush_count(struct reader *r)
{
    atomic_fetch_add(&r->copy->rows, r->read);
    copy_pace(r->lane, r->read, r->sent);
    r->read = r->sent = 0;
}

/* False with `error`; with code 0: told to stop, or the lane knows why. */
static bool
take_row(struct reader *r, struct sql_error *error)
{
    if (r->any_ahead)
        look_ahead(r);
    if (!route_row(r, error))
        return false;
    r->step->n_read++;
    if (++r->read == PACE_ROWS || r->sent >= PACE_BYTES) {
        flush_count(r);
        if (copy_lane_stopped(r->lane))
            return false;
    }
    if (!is_full(r->step))
        return true;
    copy_table_key(r->table, r->row, r->lengths, &r->last);
    put_step(r, false);
    return begin_step(r);
}

/* --- chunks --- */

/* The rest of a result that nobody wants: the session ends with it. */
static void
abandon(struct server *s, MYSQL_RES *result)
{
    shutdown((int)mysql_get_socket(s->mysql), SHUT_RDWR);
    mysql_free_result(result);
}

/* Reads what the session was asked for, *n rows. */
static bool
read_rows(struct reader *r, uint64_t *n, struct sql_error *error)
{
    struct server *s      = r->lane->session;
    MYSQL_RES     *result = mysql_use_result(s->mysql);

    if (!result)
        return server_failed(s, error);
    for (*n = 0; (r->row = mysql_fetch_row(result)); ++*n) {
        r->lengths = mysql_fetch_lengths(result);
        if (!take_row(r, error)) {
            abandon(s, result);
            return false;
        }
        if (*n + 1 == r->limit)
            copy_table_key(r->table, r->row, r->lengths, &r->last);
    }
    mysql_free_result(result);
    flush_count(r);
    return mysql_errno(s->mysql) == 0 || server_failed(s, error);
}

static bool
read_chunk(struct reader *r, uint64_t *n, struct sql_error *error)
{
    struct buf sql = { 0 };
    bool       ok  = copy_table_select(r->table, buf_unread(&r->last), r->limit, &sql);

    if (!ok)
        sql_error_set(error, COPY_FATAL, "shardd: table %s.%s: the key up to which it is copied "
                      "makes no sense any more; start the move again", r->table->t->database,
                      r->table->t->name);
    else if (mysql_real_query(r->lane->session->mysql, (const char *)buf_unread(&sql).ptr,
                              buf_len(&sql)) != 0)
        ok = server_failed(r->lane->session, error);
    buf_fini(&sql);
    return ok && read_rows(r, n, error);
}

/* So many rows that a SELECT takes about CHUNK_MS: between two of them a cycle can end. */
static void
adapt(struct reader *r, uint64_t n, double ms)
{
    double wanted = (double)n * CHUNK_MS / (ms > 1 ? ms : 1);

    r->limit = wanted > CHUNK_MOST ? CHUNK_MOST : wanted < CHUNK_LEAST ? CHUNK_LEAST
                                                                       : (uint64_t)wanted;
}

/* Until the table's end, or the cycle's. */
static bool
read_table(struct reader *r, struct sql_error *error)
{
    r->limit = r->table->ordered ? CHUNK_FIRST : 0;
    for (;;) {
        double   begin = copy_now_ms();
        uint64_t n     = 0;

        if (copy_lane_stopped(r->lane) || !read_chunk(r, &n, error))
            return false;
        if (r->limit == 0 || n < r->limit) {
            put_step(r, true);
            return true;
        }
        if (copy_now_ms() > r->lane->end_ms) {
            put_step(r, false);
            return true;
        }
        adapt(r, n, copy_now_ms() - begin);
    }
}

/* --- tables --- */

/* From where the last of the targets is; those that are further skip what they have. */
static void
find_start(struct reader *r)
{
    const struct copy_table  *t     = r->table;
    const struct copy_target *least = NULL;

    for (size_t i = 0; i < r->copy->n_targets; i++) {
        const struct copy_target *target = &t->targets[i];

        if (target->takes && !target->done &&
            (!least || buf_len(&target->last) == 0 ||
             (buf_len(&least->last) > 0 &&
              copy_table_order(t, buf_unread(&target->last), buf_unread(&least->last)) < 0)))
            least = target;
    }
    if (least)
        buf_append_span(&r->last, buf_unread(&least->last));
    for (size_t i = 0; i < r->copy->n_targets; i++) {
        const struct copy_target *target = &t->targets[i];

        r->ahead[i] = target->done || (t->ordered && buf_len(&target->last) > 0 &&
                                       copy_table_order(t, buf_unread(&target->last),
                                                        buf_unread(&r->last)) > 0);
        if (buf_len(&r->last) == 0 && buf_len(&target->last) > 0)
            r->ahead[i] = true;
        r->any_ahead = r->any_ahead || (r->ahead[i] && !target->done);
    }
}

/* What an earlier controller left of a table that cannot be gone on with. */
static bool
remove_torn(struct copy_lane *lane, struct copy_table *t, struct sql_error *error)
{
    struct copy *c  = lane->copy;
    bool         ok = true;

    for (size_t i = 0; ok && i < c->n_targets; i++) {
        if (!t->targets[i].torn)
            continue;
        ok = cleanup_copied(c->m, t->t, c->source, c->targets[i], lane->stop, error);
        t->targets[i].torn = !ok;
    }
    return ok;
}

static bool
copy_one(struct copy_lane *lane, struct copy_table *t, struct sql_error *error)
{
    struct reader r  = { .lane = lane, .copy = lane->copy, .table = t, .odd = ROUTES_NONE };
    bool          ok;

    if (!remove_torn(lane, t, error))
        return false;
    r.ahead = mem_alloc((r.copy->n_targets + 1) * sizeof(*r.ahead));
    r.cells = mem_alloc((t->image ? t->image->n + 1 : 1) * sizeof(*r.cells));
    find_start(&r);
    ok = begin_step(&r) && read_table(&r, error) && copy_lane_settle(lane);
    buf_fini(&r.last);
    buf_fini(&r.key);
    free(r.ahead);
    free(r.cells);
    return ok;
}

void *
copy_lane_run(void *context)
{
    struct copy_lane  *lane = context;
    struct copy_table *t;
    struct sql_error   error = { .code = 0 };

    mysql_thread_init();
    /* However little time there is, something gets done. */
    for (bool first = true; !copy_lane_stopped(lane) && (first || copy_now_ms() < lane->end_ms) &&
                            (t = copy_take(lane->copy)); first = false) {
        if (!copy_one(lane, t, &error)) {
            copy_lane_fail(lane, &error); /* keeps an earlier one */
            break;
        }
        if (copy_table_done(lane->copy, t))
            atomic_fetch_add(&lane->copy->n_done, 1);
    }
    mysql_thread_end();
    atomic_store(&lane->ended, true);
    return NULL;
}
