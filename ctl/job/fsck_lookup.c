/* fsck_lookup.c - lookups have exactly the values that their tables' rows have.
 *
 * Both are read in the order of values, some at a time, and each pair of value and key is looked
 * for on the other side. What differs is asked again a little later: a transaction may have come
 * in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/route/keyhash.h"
#include "core/route/lookup_text.h"
#include "ctl/catalog/model.h"
#include "ctl/job/fsck_step.h"

enum { ROWS = 500, SHOWN_MAX = 5, TRIES = 3, PAUSE_US = 150000, UTF8MB4_GENERAL_CI = 45,
       REPAIRS_MAX = 10000 };

/* A table that has values, and keys. */
struct side {
    char name[300];        /* in backquotes */
    char v[80], k[80];     /* likewise, columns */
    const struct route_column *by; /* what decides on the shard */
    bool by_value;
};

struct check {
    struct fsck *f;
    const char  *name;     /* "db.table" for people */
    const char  *column;
    enum column_type v, k;
    struct side  table, lookup;
    json_t      *suspects; /* owned */
    uint64_t     n;        /* that are wrong */
    char         shown[300];
};

/* --- one pair ---------------------------------------------------------------------- */

static bool
put_pair(const struct check *c, const json_t *row, struct buf *out)
{
    bool ok;

    buf_append_byte(out, '(');
    ok = lookup_literal(c->v, span_of(server_cell(row, 0)), out);
    buf_append_byte(out, ',');
    ok = ok && lookup_literal(c->k, span_of(server_cell(row, 1)), out);
    buf_append_byte(out, ')');
    return ok;
}

static bool
owner_of(const struct check *c, const struct side *s, const json_t *row, uint32_t *owner)
{
    const char *hex   = server_cell(row, s->by_value ? 0 : 1);
    size_t      n     = strlen(hex) / 2;
    uint8_t    *bytes = mem_alloc(n + 1);
    uint64_t    hash;
    bool        ok;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    ok = keyhash_row(s->by, (struct span){ bytes, n }, UTF8MB4_GENERAL_CI, &hash);
    if (ok)
        *owner = routes_owner(c->f->routes, hash);
    free(bytes);
    return ok && c->f->server[*owner].mysql;
}

/* Has the side one of the pairs for each of them? */
static bool
has_all(const struct check *c, const struct side *s, uint32_t shard, const char *pairs, size_t n)
{
    char             found[24];
    struct sql_error error;

    return server_value(&c->f->server[shard], found, sizeof(found), &error,
                        "SELECT COUNT(*) FROM (SELECT DISTINCT %s, %s FROM %s WHERE (%s, %s) IN"
                        " (%s)) x", s->v, s->k, s->name, s->v, s->k, pairs) &&
           strtoull(found, NULL, 10) == n;
}

static void
plan_repair(struct check *c, const struct side *missing, uint32_t from, uint32_t to,
            const char *pair)
{
    struct buf  sql  = { 0 };
    bool        add  = missing == &c->lookup;
    uint32_t    at   = add ? to : from;

    if (json_array_size(c->f->repairs) >= REPAIRS_MAX)
        return;
    if (add)
        buf_printf(&sql, "INSERT INTO %s (%s, %s) VALUES %s", c->lookup.name, c->lookup.v,
                   c->lookup.k, pair);
    else
        buf_printf(&sql, "DELETE FROM %s WHERE (%s, %s) = %s", c->lookup.name, c->lookup.v,
                   c->lookup.k, pair);
    json_array_append_new(c->f->repairs, json_pack("{s:s, s:s, s:s}", "shard",
                          c->f->server[at].name, "what", buf_cstr(&sql), "sql", buf_cstr(&sql)));
    buf_fini(&sql);
}

/* The pair is on `from`, in `side`, and not in `other`. */
static bool
is_wrong(const struct check *c, const struct side *side, const struct side *other, uint32_t from,
         uint32_t to, const char *pair)
{
    return !has_all(c, other, to, pair, 1) && has_all(c, side, from, pair, 1);
}

/* Those that still are, after a while; [[pair, to], ...]. */
static void
look_again(struct check *c, const struct side *side, const struct side *other, uint32_t from)
{
    json_t *one;
    size_t  i;

    for (int round = 0; round < TRIES && json_array_size(c->suspects) > 0; round++) {
        usleep(PAUSE_US);
        for (i = 0; i < json_array_size(c->suspects); i++) {
            one = json_array_get(c->suspects, i);
            if (!is_wrong(c, side, other, from,
                          (uint32_t)json_integer_value(json_array_get(one, 1)),
                          json_string_value(json_array_get(one, 0))))
                json_array_remove(c->suspects, i--);
        }
    }
    json_array_foreach(c->suspects, i, one) {
        const char *pair = json_string_value(json_array_get(one, 0));
        size_t      n    = strlen(c->shown);

        if (c->n++ < SHOWN_MAX)
            snprintf(c->shown + n, sizeof(c->shown) - n, "%s%.40s", n ? ", " : "", pair);
        plan_repair(c, other, from, (uint32_t)json_integer_value(json_array_get(one, 1)), pair);
    }
    json_array_clear(c->suspects);
}

/* --- one side ------------------------------------------------------------------------ */

static void
look_for(struct check *c, const struct side *side, const struct side *other, uint32_t from,
         uint32_t to, json_t *rows, const uint32_t *owners)
{
    struct buf pairs = { 0 };
    json_t    *row;
    size_t     i, n = 0;

    json_array_foreach(rows, i, row)
        if (owners[i] == to && (i == 0 || !json_equal(row, json_array_get(rows, i - 1)))) {
            buf_append_text(&pairs, n++ > 0 ? "," : "");
            (void)!put_pair(c, row, &pairs);
        }
    if (n > 0 && !has_all(c, other, to, buf_cstr(&pairs), n))
        json_array_foreach(rows, i, row) {
            buf_clear(&pairs);
            if (owners[i] == to && put_pair(c, row, &pairs) &&
                is_wrong(c, side, other, from, to, buf_cstr(&pairs)))
                json_array_append_new(c->suspects, json_pack("[s, I]", buf_cstr(&pairs),
                                                             (json_int_t)to));
        }
    buf_fini(&pairs);
}

static void
look_for_rows(struct check *c, const struct side *side, const struct side *other, uint32_t from,
              json_t *rows)
{
    uint32_t *owners = mem_alloc((json_array_size(rows) + 1) * sizeof(*owners));
    json_t   *row;
    size_t    i;

    json_array_foreach(rows, i, row)
        if (!owner_of(c, other, row, &owners[i]))
            owners[i] = ROUTES_NONE;
    for (uint32_t to = 0; to < c->f->routes->n_shards; to++)
        look_for(c, side, other, from, to, rows, owners);
    free(owners);
}

static json_t *
next_rows(struct check *c, const struct side *side, uint32_t from, const struct buf *last)
{
    struct sql_error error;
    struct buf       v = { 0 }, k = { 0 };
    json_t          *rows;

    lookup_hex_text(c->v, side->v, &v);
    lookup_hex_text(c->k, side->k, &k);
    rows = server_rows(&c->f->server[from], &error, "SELECT %s, %s FROM %s WHERE %s IS NOT NULL"
                       "%s%s%s%.*s ORDER BY %s LIMIT %d", buf_cstr(&v), buf_cstr(&k), side->name,
                       side->v, buf_len(last) ? " AND " : "", buf_len(last) ? side->v : "",
                       buf_len(last) ? " > " : "", (int)buf_len(last),
                       (const char *)buf_unread(last).ptr, side->v, ROWS);
    if (!rows)
        fsck_problem(c->f, c->name, c->f->server[from].name, "%s", error.message);
    buf_fini(&v);
    buf_fini(&k);
    return rows;
}

static void
check_side(struct check *c, const struct side *side, const struct side *other, uint32_t from)
{
    struct buf last = { 0 };
    size_t     n    = ROWS;

    while (n == ROWS) {
        json_t *rows = next_rows(c, side, from, &last);

        n = json_array_size(rows);
        look_for_rows(c, side, other, from, rows);
        buf_clear(&last);
        if (n > 0 && !lookup_literal(c->v, span_of(server_cell(json_array_get(rows, n - 1), 0)),
                                     &last))
            n = 0;
        json_decref(rows);
    }
    buf_fini(&last);
}

static void
check_shard(struct check *c, const struct side *side, const struct side *other, uint32_t shard,
            const char *what)
{
    c->n        = 0;
    c->shown[0] = '\0';
    check_side(c, side, other, shard);
    look_again(c, side, other, shard);
    if (c->n > 0)
        fsck_problem(c->f, c->name, c->f->server[shard].name, "%llu %s: %s",
                     (unsigned long long)c->n, what, c->shown);
}

/* --- one lookup ----------------------------------------------------------------------- */

static void
set_side(struct side *s, const char *database, const char *table, const char *v, const char *k,
         const struct route_column *by, bool by_value)
{
    *s = (struct side){ .by = by, .by_value = by_value };
    snprintf(s->name, sizeof(s->name), "%s.%s", server_name(database), server_name(table));
    snprintf(s->v, sizeof(s->v), "%s", server_name(v));
    snprintf(s->k, sizeof(s->k), "%s", server_name(k));
}

static void
check_lookup(struct fsck *f, const char *name, const json_t *object, const json_t *lookup,
             const struct route_table *t)
{
    const struct routes *r        = f->routes;
    uint32_t             database = routes_database(r, SPAN(ROUTES_LOOKUP_SCHEMA));
    uint32_t             at = database == ROUTES_NONE ? ROUTES_NONE
                              : routes_table(r, database, span_of(model_text(lookup, "table")));
    struct check         c  = { .f = f, .name = name, .column = model_text(lookup, "column") };

    if (at == ROUTES_NONE || r->tables[at].n_columns < 2) {
        fsck_problem(f, name, "", "the lookup on %s has no table", c.column);
        return;
    }
    if (model_flag(lookup, "filling")) {
        fsck_problem(f, name, "", "the lookup on %s lacks rows that were there before it: "
                     "'shardctl table lookup add %s %s'", c.column, name, c.column);
        return;
    }
    c.suspects = json_array();
    c.v = r->tables[at].columns[0].type;
    c.k = r->tables[at].columns[1].type;
    set_side(&c.table, model_text(object, "database"), model_text(object, "name"), c.column,
             model_text(lookup, "key"), &t->columns[t->key], false);
    set_side(&c.lookup, ROUTES_LOOKUP_SCHEMA, model_text(lookup, "table"), "v", "k",
             &r->tables[at].columns[0], true);
    for (uint32_t i = 0; i < r->n_shards; i++)
        if (f->server[i].mysql)
            check_shard(&c, &c.lookup, &c.table, i, "values are in the lookup and in no row");
    for (uint32_t i = 0; i < r->n_shards; i++)
        if (f->server[i].mysql)
            check_shard(&c, &c.table, &c.lookup, i, "values of rows are not in the lookup");
    json_decref(c.suspects);
}

void
fsck_lookups(struct fsck *f, const char *name, const json_t *object, const struct route_table *t)
{
    json_t *list = json_object_get(object, "lookups"), *one;
    size_t  i;

    json_array_foreach(list, i, one)
        check_lookup(f, name, object, one, t);
}
