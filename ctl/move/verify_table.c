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
 *
 * A large table is compared in parts, where its keys can be written down: the source says which
 * key ends a part, and both sides are asked for the rows up to it.
 */
#include <stdio.h>
#include <stdlib.h>

#define XXH_STATIC_LINKING_ONLY /* a state on the stack */
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/move/copy_key.h"
#include "ctl/move/verify_step.h"

enum { WINDOW = 1000, COUNT_EVERY = 1024, UTF8MB4_GENERAL_CI = 45, PART_ROWS = 1000000,
       PART_S = 2, PART_LEAST = 1000 };

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
    struct buf               last, upto; /* the part's rows are behind this key, and not behind
                                            that; empty: from the beginning, to the end */
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

/* Can a part be told from the others? */
static bool
has_parts(const struct move_table *t)
{
    bool known = t->primary_plain;

    for (unsigned i = 0; known && i < t->n_primary; i++)
        known = copy_order_known(&t->before->columns[t->primary[i]]);
    return known;
}

static bool
bad_key(struct table_check *c)
{
    struct sql_error error;

    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: a key of table %s.%s cannot be written "
                  "down; compare with --no-verify and 'shardctl fsck'", c->t->database, c->t->name);
    verify_fail(c->v, &error);
    return false;
}

static bool
add_condition(struct table_check *c)
{
    bool ok = true;

    if (buf_len(&c->last) + buf_len(&c->upto) > 0)
        buf_append_text(&c->sql, " WHERE ");
    if (buf_len(&c->last) > 0)
        ok = copy_key_behind(c->t, buf_unread(&c->last), &c->sql);
    if (ok && buf_len(&c->upto) > 0) {
        buf_append_text(&c->sql, buf_len(&c->last) > 0 ? " AND NOT (" : "NOT (");
        ok = copy_key_behind(c->t, buf_unread(&c->upto), &c->sql);
        buf_append_text(&c->sql, ")");
    }
    return ok || bad_key(c);
}

static void
add_order(struct table_check *c)
{
    if (!c->t->primary_plain)
        return;
    buf_append_text(&c->sql, " ORDER BY ");
    copy_key_columns(c->t, &c->sql);
}

static bool
write_query(struct table_check *c)
{
    const struct move_table *t = c->t;

    buf_clear(&c->sql);
    buf_append_text(&c->sql, "SELECT ");
    for (uint32_t i = 0; i < t->before->n_columns; i++) {
        buf_append_text(&c->sql, i ? ", " : "");
        add_column(&c->sql, &t->before->columns[i]);
    }
    buf_printf(&c->sql, " FROM %s.%s FORCE INDEX (PRIMARY)", server_name(t->database),
               server_name(t->name));
    if (!add_condition(c))
        return false;
    add_order(c);
    return true;
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
            buf_append_hex(&hex, (struct span){ left.ptr + sizeof(len), len });
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
    c->uncounted = 0;
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
    buf_fini(&c->last);
    buf_fini(&c->upto);
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

/* --- parts ---------------------------------------------------------------- */

/* Who is to be slow does so in small parts: a snapshot must not get old. */
static uint64_t
part_rows(const struct verify *v)
{
    uint64_t rows = v->how->rows_per_s * PART_S;

    if (rows == 0 || rows > PART_ROWS)
        return PART_ROWS;
    return rows < PART_LEAST ? PART_LEAST : rows;
}

/* The key that ends the part, into c->upto; none: the table's end does. */
static bool
find_end(struct table_check *c, struct server *source)
{
    MYSQL_RES *result;
    MYSQL_ROW  row;

    buf_clear(&c->upto);
    if (!has_parts(c->t))
        return true;
    buf_clear(&c->sql);
    buf_append_text(&c->sql, "SELECT ");
    copy_key_columns(c->t, &c->sql);
    buf_printf(&c->sql, " FROM %s.%s FORCE INDEX (PRIMARY)", server_name(c->t->database),
               server_name(c->t->name));
    if (!add_condition(c))
        return false;
    add_order(c);
    buf_printf(&c->sql, " LIMIT 1 OFFSET %llu", (unsigned long long)part_rows(c->v) - 1);
    if (!(result = begin(c, source)))
        return false;
    while ((row = mysql_fetch_row(result))) {
        unsigned long *lengths = mysql_fetch_lengths(result);

        for (unsigned i = 0; i < c->t->n_primary; i++)
            copy_key_append(&c->upto, (struct span){ (const uint8_t *)row[i], lengths[i] });
    }
    mysql_free_result(result);
    return !fetch_failed(c->v, source);
}

static bool
compare_part(struct table_check *c, struct server *source, struct server *target)
{
    MYSQL_RES *result = NULL;
    bool       ok     = find_end(c, source) && write_query(c);

    for (size_t i = 0; ok && i < c->v->n_targets; i++)
        ok = begin_lane(c, &c->lane[i], &target[i]);
    if (ok)
        result = begin(c, source);
    ok = result && walk(c, source, result);
    mysql_free_result(result);
    for (size_t i = 0; i < c->v->n_targets; i++) {
        mysql_free_result(c->lane[i].result);
        c->lane[i].result = NULL;
    }
    return ok;
}

bool
verify_table(struct verify *v, const struct move_table *t, struct server *source,
             struct server *target)
{
    struct table_check c    = { .v = v, .t = t };
    bool               ok   = true, more = true;

    c.lane = mem_alloc((v->n_targets + 1) * sizeof(*c.lane));
    for (size_t i = 0; i < v->n_targets; i++)
        c.lane[i] = (struct lane){ .check = &c, .id = v->target[i], .server = &target[i] };
    verify_begin(v, t, &c.last);
    while (more && (ok = compare_part(&c, source, target))) {
        buf_clear(&c.last);
        buf_append_span(&c.last, buf_unread(&c.upto));
        more = verify_end(v, t, buf_unread(&c.last)) && buf_len(&c.last) > 0;
    }
    check_fini(&c);
    return ok;
}
