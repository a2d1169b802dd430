/* verify_table.c - the rows of one table, on the source and on all its targets, side by side.
 *
 *   source  --rows that leave-->  by target  --+
 *                                              |  same order on both sides: hash against hash
 *   target  --rows that came from it-----------+
 *
 * Both sides are asked the routing code row by row, and both come in the order of the primary
 * key. As long as hashes are equal nothing is kept. After a difference rows of both sides are
 * kept, up to WINDOW of each, until one is found whose primary key is on both: what was before
 * it is missing or extra.
 */
#include <stdio.h>
#include <stdlib.h>

#define XXH_STATIC_LINKING_ONLY /* a state on the stack */
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/move/verify_step.h"

enum { WINDOW = 1000, COUNT_EVERY = 1024, UTF8MB4_GENERAL_CI = 45 };

/* A row: all of it as a hash, and its key. */
struct seen {
    XXH128_hash_t all, primary;
    struct buf    key; /* owned; cells with their lengths */
};

/* Rows of one side that wait for their like. */
struct waiting {
    struct seen row[WINDOW];
    unsigned    n;
};

/* One target: its rows, and what is not matched of both sides. */
struct lane {
    struct table_check *check;
    uint32_t            id;
    struct server      *server;
    MYSQL_RES          *result;
    bool                over;
    struct seen         row; /* the last one that was read */
    struct waiting     *source, *target; /* owned; NULL: nothing waits */
};

struct table_check {
    struct verify           *v;
    const struct move_table *t;
    struct buf               sql;
    struct lane             *lane;
    struct seen              row; /* of the source */
    uint32_t                 want;  /* in going(): the target asked for */
    bool                     found;
    uint64_t                 uncounted;
};

/* --- rows ----------------------------------------------------------------- */

/* What is compared: bytes as stored. A FLOAT's text would be rounded. */
static void
add_column(struct buf *sql, const struct route_column *c)
{
    char name[300];

    snprintf(name, sizeof(name), "%.*s", (int)c->name.len, c->name.ptr);
    buf_printf(sql, c->type == COLUMN_FLOAT ? "CAST(%s AS DOUBLE)" : "%s", server_name(name));
}

static void
write_query(struct table_check *c)
{
    const struct move_table *t = c->t;

    buf_append_text(&c->sql, "SELECT ");
    for (uint32_t i = 0; i < t->before->n_columns; i++) {
        buf_append_text(&c->sql, i ? ", " : "");
        add_column(&c->sql, &t->before->columns[i]);
    }
    buf_printf(&c->sql, " FROM %s.%s FORCE INDEX (PRIMARY)", server_name(t->database),
               server_name(t->name));
    for (unsigned i = 0; t->primary_plain && i < t->n_primary; i++) {
        const struct route_column *column = &t->before->columns[t->primary[i]];
        char                       name[300];

        snprintf(name, sizeof(name), "%.*s", (int)column->name.len, column->name.ptr);
        buf_printf(&c->sql, "%s%s", i ? ", " : " ORDER BY ", server_name(name));
    }
}

/* The hash of the row's key by these routes; any number where there is no key. */
static bool
hash_of(const struct route_table *t, MYSQL_ROW row, const unsigned long *lengths, uint64_t *hash)
{
    const struct route_column *column;
    struct span                text;

    *hash = keyhash_null();
    if (t->kind != TABLE_SHARDED || !row[t->key])
        return true;
    column = &t->columns[t->key];
    text   = (struct span){ (const uint8_t *)row[t->key], lengths[t->key] };
    return keyhash_row(column, text,
                       column->type == COLUMN_CHAR || column->type == COLUMN_VARCHAR
                           ? column->collation : UTF8MB4_GENERAL_CI, hash);
}

static void
add_cell(XXH3_state_t *state, const char *cell, unsigned long len)
{
    uint64_t header = cell ? len : UINT64_MAX;

    XXH3_128bits_update(state, &header, sizeof(header));
    if (cell)
        XXH3_128bits_update(state, cell, len);
}

static void
see(const struct move_table *t, MYSQL_ROW row, const unsigned long *lengths, struct seen *out)
{
    XXH3_state_t state;

    XXH3_128bits_reset(&state);
    for (uint32_t i = 0; i < t->before->n_columns; i++)
        add_cell(&state, row[i], lengths[i]);
    out->all = XXH3_128bits_digest(&state);
    XXH3_128bits_reset(&state);
    buf_clear(&out->key);
    for (unsigned i = 0; i < t->n_primary; i++) {
        uint32_t column = t->primary[i], len = (uint32_t)lengths[column];

        add_cell(&state, row[column], len);
        buf_append(&out->key, &len, sizeof(len));
        buf_append(&out->key, row[column], len);
    }
    out->primary = XXH3_128bits_digest(&state);
}

static bool
unhashable(struct table_check *c)
{
    struct sql_error error;

    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: a key of table %s.%s cannot be hashed; run "
                  "'shardctl fsck'", c->t->database, c->t->name);
    verify_fail(c->v, &error);
    return false;
}

static void
is_wanted(void *context, uint32_t target)
{
    struct table_check *c = context;

    c->found = c->found || c->want == target;
}

/* --- differences ---------------------------------------------------------- */

/* Cells of a primary key as text, in hexadecimal when they are not. */
static json_t *
key_of(const struct seen *row)
{
    struct span left = buf_unread(&row->key);
    json_t     *key  = json_array();

    while (left.len > 0) {
        uint32_t len;
        json_t  *cell;

        memcpy(&len, left.ptr, sizeof(len));
        cell = json_stringn((const char *)left.ptr + sizeof(len), len);
        if (!cell) {
            struct buf hex = { 0 };

            buf_append_text(&hex, "0x");
            for (uint32_t i = 0; i < len; i++)
                buf_printf(&hex, "%02X", left.ptr[sizeof(len) + i]);
            cell = json_string(buf_cstr(&hex));
            buf_fini(&hex);
        }
        json_array_append_new(key, cell);
        left = span_from(left, sizeof(len) + len);
    }
    return key;
}

static void
tell(struct lane *l, const struct seen *row, const char *what)
{
    verify_found(l->check->v, l->check->t, what, key_of(row));
}

/* The first n of those that wait will find nobody. */
static void
give_up(struct lane *l, struct waiting *w, unsigned n, const char *what)
{
    struct seen *kept = mem_alloc((n + 1) * sizeof(*kept));

    for (unsigned i = 0; i < n; i++)
        tell(l, &w->row[i], what);
    /* Their buffers are used again. */
    memcpy(kept, w->row, n * sizeof(*kept));
    memmove(w->row, w->row + n, (w->n - n) * sizeof(*kept));
    memcpy(w->row + (w->n - n), kept, n * sizeof(*kept));
    w->n -= n;
    free(kept);
}

static void
keep(struct lane *l, struct waiting *w, const struct seen *row, const char *what)
{
    struct seen *to;

    if (w->n == WINDOW)
        give_up(l, w, 1, what);
    to          = &w->row[w->n++];
    to->all     = row->all;
    to->primary = row->primary;
    buf_clear(&to->key);
    buf_append_span(&to->key, buf_unread(&row->key));
}

static unsigned
find(const struct waiting *w, const struct seen *row)
{
    for (unsigned i = 0; i < w->n; i++)
        if (XXH128_isEqual(w->row[i].primary, row->primary))
            return i;
    return WINDOW;
}

/* A row of one side: perhaps its like waits on the other. */
static bool
match(struct lane *l, const struct seen *row, bool of_source)
{
    struct waiting *mine = of_source ? l->source : l->target;
    struct waiting *theirs = of_source ? l->target : l->source;
    unsigned        at = find(theirs, row);

    if (at == WINDOW)
        return false;
    if (!XXH128_isEqual(theirs->row[at].all, row->all))
        tell(l, row, "different");
    give_up(l, theirs, at, of_source ? "extra" : "missing");
    give_up(l, mine, mine->n, of_source ? "missing" : "extra");
    /* The match itself leaves without a word. */
    struct seen out = theirs->row[0];
    memmove(theirs->row, theirs->row + 1, (theirs->n - 1) * sizeof(out));
    theirs->row[--theirs->n] = out;
    return true;
}

/* --- side by side --------------------------------------------------------- */

static bool
fetch_failed(struct verify *v, struct server *s)
{
    struct sql_error error;

    if (mysql_errno(s->mysql) == 0)
        return false;
    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: shard %s: %.300s", s->name,
                  mysql_error(s->mysql));
    verify_fail(v, &error);
    return true;
}

/* The target's next row that came from the source, into l->row; l->over when there is none. */
static bool
next_of(struct lane *l)
{
    struct table_check *c = l->check;
    MYSQL_ROW           row;

    while (!l->over && !c->v->ended) {
        unsigned long *lengths;
        uint64_t       before, after;

        row = mysql_fetch_row(l->result);
        if (!row) {
            l->over = true;
            return !fetch_failed(c->v, l->server);
        }
        lengths = mysql_fetch_lengths(l->result);
        if (!hash_of(c->t->before, row, lengths, &before) ||
            !hash_of(c->t->after, row, lengths, &after))
            return unhashable(c);
        c->want  = l->id;
        c->found = false;
        move_targets(c->v->m, c->t, c->v->source, before, after, is_wanted, c);
        if (!c->found)
            continue;
        see(c->t, row, lengths, &l->row);
        return true;
    }
    return !c->v->ended;
}

static bool
empty(const struct lane *l)
{
    return !l->source || (l->source->n == 0 && l->target->n == 0);
}

static void
begin_waiting(struct lane *l)
{
    if (l->source)
        return;
    l->source = mem_alloc(sizeof(*l->source));
    l->target = mem_alloc(sizeof(*l->target));
}

/* A row of the source that should be on this target. */
static bool
compare(struct lane *l, const struct seen *row)
{
    if (empty(l)) {
        if (!next_of(l))
            return false;
        if (l->over) {
            tell(l, row, "missing");
            return true;
        }
        if (XXH128_isEqual(l->row.all, row->all))
            return true;
        begin_waiting(l);
        keep(l, l->target, &l->row, "extra");
    }
    if (match(l, row, true))
        return true;
    keep(l, l->source, row, "missing");
    if (!next_of(l))
        return false;
    if (!l->over && !match(l, &l->row, false))
        keep(l, l->target, &l->row, "extra");
    return true;
}

/* The source is at its end. */
static bool
finish(struct lane *l)
{
    for (;;) {
        if (!next_of(l))
            return false;
        if (l->over)
            break;
        if (empty(l) || !match(l, &l->row, false))
            tell(l, &l->row, "extra");
    }
    if (!empty(l)) {
        give_up(l, l->source, l->source->n, "missing");
        give_up(l, l->target, l->target->n, "extra");
    }
    return true;
}

struct route {
    struct table_check *c;
    bool                ok;
};

static void
to_target(void *context, uint32_t target)
{
    struct route       *r = context;
    struct table_check *c = r->c;

    for (size_t i = 0; r->ok && i < c->v->n_targets; i++)
        if (c->v->target[i] == target)
            r->ok = compare(&c->lane[i], &c->row);
}

static bool
one_row(struct table_check *c, MYSQL_ROW row, const unsigned long *lengths)
{
    struct route route = { c, true };
    uint64_t     before, after;

    if (!hash_of(c->t->before, row, lengths, &before) ||
        !hash_of(c->t->after, row, lengths, &after))
        return unhashable(c);
    if (++c->uncounted == COUNT_EVERY) {
        verify_count(c->v, c->uncounted);
        c->uncounted = 0;
    }
    see(c->t, row, lengths, &c->row);
    move_targets(c->v->m, c->t, c->v->source, before, after, to_target, &route);
    return route.ok;
}

static bool
walk(struct table_check *c, struct server *source, MYSQL_RES *result)
{
    MYSQL_ROW row;

    while (!c->v->ended && (row = mysql_fetch_row(result)))
        if (!one_row(c, row, mysql_fetch_lengths(result)))
            return false;
    if (c->v->ended || fetch_failed(c->v, source))
        return false;
    for (size_t i = 0; i < c->v->n_targets; i++)
        if (!finish(&c->lane[i]))
            return false;
    verify_count(c->v, c->uncounted);
    return true;
}

static MYSQL_RES *
begin(struct table_check *c, struct server *s)
{
    MYSQL_RES *result = NULL;

    if (mysql_real_query(s->mysql, (const char *)buf_unread(&c->sql).ptr, buf_len(&c->sql)) == 0)
        result = mysql_use_result(s->mysql);
    if (!result)
        fetch_failed(c->v, s);
    return result;
}

static void
waiting_free(struct waiting *w)
{
    for (unsigned i = 0; w && i < WINDOW; i++)
        buf_fini(&w->row[i].key);
    free(w);
}

static void
check_fini(struct table_check *c)
{
    for (size_t i = 0; i < c->v->n_targets; i++) {
        mysql_free_result(c->lane[i].result);
        waiting_free(c->lane[i].source);
        waiting_free(c->lane[i].target);
        buf_fini(&c->lane[i].row.key);
    }
    buf_fini(&c->row.key);
    buf_fini(&c->sql);
    free(c->lane);
}

/* A target that no row of this table goes to may lack the table: there is nothing to read. */
static bool
begin_lane(struct table_check *c, struct lane *l, struct server *server)
{
    uint32_t ids[ROUTES_SHARDS_MAX];
    size_t   n = move_targets_of_table(c->v->m, c->t, c->v->source, ids);

    l->over = true;
    for (size_t i = 0; i < n; i++)
        l->over = l->over && ids[i] != l->id;
    l->result = l->over ? NULL : begin(c, server);
    return l->over || l->result;
}

bool
verify_table(struct verify *v, const struct move_table *t, struct server *source,
             struct server *target)
{
    struct table_check c  = { .v = v, .t = t };
    bool               ok = true;
    MYSQL_RES         *result;

    c.lane = mem_alloc((v->n_targets + 1) * sizeof(*c.lane));
    write_query(&c);
    for (size_t i = 0; ok && i < v->n_targets; i++) {
        c.lane[i] = (struct lane){ .check = &c, .id = v->target[i], .server = &target[i] };
        ok        = begin_lane(&c, &c.lane[i], &target[i]);
    }
    result = ok ? begin(&c, source) : NULL;
    ok     = result && walk(&c, source, result);
    mysql_free_result(result);
    check_fini(&c);
    return ok;
}
