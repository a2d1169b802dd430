/* move.c - which rows go where: the routes before and after, and the question asked of both. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/move/move.h"
#include "shm/routes.h"

/* --- from the job's record to two sets of routes --- */

/* The catalog's parts as they are before (`after` 0) or after (1) the move. */
static void
override_parts(struct model_parts *parts, const json_t *spec, size_t after)
{
    json_t     *ranges = json_object_get(spec, after ? "ranges" : "ranges_before");
    json_t     *homes = json_object_get(spec, "homes"), *home, *one;
    const char *name;
    size_t      i;

    if (!ranges)
        ranges = json_object_get(spec, "ranges_before");
    if (ranges) {
        json_decref(parts->map);
        parts->map = json_incref(ranges);
    }
    json_object_foreach(homes, name, home)
        json_object_set(json_object_get(parts->databases, name), "home",
                        json_array_get(home, after));
    json_array_foreach(json_object_get(spec, "tables"), i, one) {
        json_t *object = json_object_get(one, after ? "object" : "before");

        object = object ? object : json_object_get(one, "before");
        if (object)
            json_object_set(parts->tables, model_text(one, "name"), object);
    }
}

static struct routes *
build_routes(struct cluster *c, const json_t *spec, size_t after, struct sql_error *error)
{
    struct model_parts parts;
    struct arena       arena  = { 0 };
    struct buf         blob   = { 0 };
    struct routes      flat, *routes = NULL;
    struct err         err;

    model_parts_read(c->catalog, &parts);
    override_parts(&parts, spec, after);
    if (!model_routes_of(&parts, &arena, &flat, &err) || !routes_encode(&flat, &blob, &err) ||
        !routes_decode(buf_unread(&blob), &routes, &err)) {
        job_fail(error, &err);
        routes = NULL;
    }
    model_parts_fini(&parts);
    arena_fini(&arena);
    buf_fini(&blob);
    return routes;
}

static const struct route_table *
find_table(const struct routes *r, const json_t *object)
{
    uint32_t database = routes_database(r, span_of(model_text(object, "database")));
    uint32_t table    = database == ROUTES_NONE
                            ? ROUTES_NONE
                            : routes_table(r, database, span_of(model_text(object, "name")));

    return table == ROUTES_NONE ? NULL : &r->tables[table];
}

static bool
take_tables(struct move *m, struct sql_error *error)
{
    json_t *list = json_object_get(m->spec, "tables"), *one;
    size_t  i;

    m->n_tables = (unsigned)json_array_size(list);
    m->tables   = arena_alloc(&m->arena, (m->n_tables + 1) * sizeof(*m->tables));
    if (m->n_tables > MOVE_TABLES_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a job moves at most %d tables",
                             MOVE_TABLES_MAX);
    json_array_foreach(list, i, one) {
        json_t            *before = json_object_get(one, "before");
        json_t            *after  = json_object_get(one, "object");
        struct move_table *t      = &m->tables[i];

        t->number = (unsigned)i;
        t->database = arena_cstr(&m->arena, span_of(model_text(before, "database")));
        t->name     = arena_cstr(&m->arena, span_of(model_text(before, "name")));
        t->before   = find_table(m->before, before);
        t->after    = find_table(m->after, after ? after : before);
        if (!t->before || !t->after)
            return sql_error_set(error, SQL_UNKNOWN_ERROR,
                                 "shardd: job %lld moves table %s, which the catalog does not have",
                                 (long long)m->job, model_text(one, "name"));
    }
    return true;
}

static void
take_shards(struct move *m)
{
    json_t     *all = catalog_all(m->c->catalog, CATALOG_SHARD), *shard;
    const char *name;
    char        id[24];

    m->shards = json_object();
    json_object_foreach(all, name, shard) {
        snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
        json_object_set(m->shards, id, shard);
    }
    json_decref(all);
}

/* One column of a primary key: [name, prefix or null, A or D]. */
static bool
take_primary_column(struct move_table *t, const json_t *row)
{
    uint32_t column = routes_column(t->before, span_of(server_cell(row, 0)));

    if (column == ROUTES_NONE || t->n_primary == MOVE_PRIMARY_MAX)
        return false;
    t->primary[t->n_primary++] = column;
    if (server_cell(row, 1)[0] != 0 || strcmp(server_cell(row, 2), "D") == 0)
        t->primary_plain = false;
    return true;
}

static bool
take_primary(struct server *s, struct move_table *t, struct sql_error *error)
{
    json_t *row, *rows = server_rows(s, error,
        "SELECT COLUMN_NAME, SUB_PART, COLLATION FROM information_schema.STATISTICS "
        "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY' "
        "ORDER BY SEQ_IN_INDEX", server_text(t->database), server_text(t->name));
    size_t  i;

    if (!rows)
        return false;
    t->primary_plain = true;
    json_array_foreach(rows, i, row)
        if (!take_primary_column(t, row)) {
            json_decref(rows);
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the columns of table %s.%s "
                                 "are not those in the catalog; run 'shardctl fsck'",
                                 t->database, t->name);
        }
    json_decref(rows);
    return true;
}

/* A shard that rows come from has all the tables. */
static bool
ask_primaries(struct move *m, struct sql_error *error)
{
    uint32_t      sources[ROUTES_SHARDS_MAX];
    uint32_t      id = move_sources(m, sources) > 0 ? sources[0] : m->before->shards[0].id;
    struct server s  = { .answer_s = 30 };
    bool          ok;

    if (m->n_tables == 0)
        return true;
    ok = server_open(&s, move_shard(m, id), error);
    for (unsigned i = 0; ok && i < m->n_tables; i++)
        ok = take_primary(&s, &m->tables[i], error);
    server_close(&s);
    return ok;
}

bool
move_load(struct move *m, struct cluster *c, const json_t *record, struct sql_error *error)
{
    *m = (struct move){ .c = c, .job = model_number(record, "number") };
    m->compress = model_flag(json_object_get(record, "options"), "compress");
    m->spec = json_incref(json_object_get(record, "move"));
    m->before = build_routes(c, m->spec, 0, error);
    m->after  = m->before ? build_routes(c, m->spec, 1, error) : NULL;
    if (m->after) {
        take_shards(m);
        if (take_tables(m, error) && ask_primaries(m, error))
            return true;
    }
    move_fini(m);
    return false;
}

void
move_fini(struct move *m)
{
    json_decref(m->spec);
    json_decref(m->shards);
    if (!m->borrowed) {
        routes_free(m->before);
        routes_free(m->after);
    }
    arena_fini(&m->arena);
    *m = (struct move){ .job = 0 };
}

const json_t *
move_shard(const struct move *m, uint32_t id)
{
    char name[24];

    snprintf(name, sizeof(name), "%u", (unsigned)id);
    return json_object_get(m->shards, name);
}

/* --- a row --- */

uint32_t
move_owner(const struct routes *r, const struct route_table *t, uint64_t hash)
{
    switch (t->kind) {
    case TABLE_SHARDED: return r->shards[routes_owner(r, hash)].id;
    case TABLE_GLOBAL:  return move_home(r, t->database);
    case TABLE_REFERENCE:
    case TABLE_VIEW:    break;
    }
    return MOVE_EVERYWHERE;
}

uint32_t
move_home(const struct routes *r, uint32_t database)
{
    return r->shards[r->databases[database].home].id;
}

bool
move_home_changes(const struct move *m, uint32_t database)
{
    return move_home(m->before, database) != move_home(m->after, database);
}

void
move_targets(const struct move *m, const struct move_table *t, uint32_t source, uint64_t before,
             uint64_t after, move_to_fn to, void *context)
{
    if (move_owner(m->before, t->before, before) != source)
        return;

    uint32_t target = move_owner(m->after, t->after, after);
    if (target == MOVE_EVERYWHERE) {
        for (uint32_t i = 0; i < m->after->n_shards; i++)
            if (m->after->shards[i].id != source)
                to(context, m->after->shards[i].id);
    } else if (target != source) {
        to(context, target);
    }
}

/* --- which shards --- */

/* Indexes of shards: those that rows of a table are on, by one of the two routes. */
struct places {
    bool on[ROUTES_SHARDS_MAX];
};

/* Of a sharded table's: all that own a range, whether or not there is such a row. */
static void
places_of(const struct routes *r, const struct route_table *t, struct places *out)
{
    *out = (struct places){ .on = { false } };
    if (t->kind == TABLE_GLOBAL)
        out->on[r->databases[t->database].home] = true;
    for (uint32_t i = 0; t->kind == TABLE_SHARDED && i < r->n_ranges; i++)
        out->on[r->ranges[i].shard] = true;
    for (uint32_t i = 0; t->kind == TABLE_REFERENCE && i < r->n_shards; i++)
        out->on[i] = true;
}

/* Whether a row has one hash, before as after. */
static bool
same_key(const struct move_table *t)
{
    return t->before->kind == TABLE_SHARDED && t->after->kind == TABLE_SHARDED &&
           t->before->key == t->after->key;
}

typedef void (*pair_fn)(void *context, uint32_t from, uint32_t to);

/* Each interval of the key space that has one owner before and one after. */
static void
each_range_pair(const struct move *m, pair_fn fn, void *context)
{
    const struct routes *a = m->before, *b = m->after;
    uint32_t             i = 0, k = 0;

    while (i < a->n_ranges && k < b->n_ranges) {
        uint64_t end_a = i + 1 < a->n_ranges ? a->ranges[i + 1].start - 1 : UINT64_MAX;
        uint64_t end_b = k + 1 < b->n_ranges ? b->ranges[k + 1].start - 1 : UINT64_MAX;

        if (a->ranges[i].shard != b->ranges[k].shard)
            fn(context, a->ranges[i].shard, b->ranges[k].shard);
        i += end_a <= end_b;
        k += end_b <= end_a;
    }
}

static void
each_place_pair(const struct move *m, const struct move_table *t, pair_fn fn, void *context)
{
    struct places from, to;

    if (t->before->kind == TABLE_REFERENCE)
        return;
    places_of(m->before, t->before, &from);
    places_of(m->after, t->after, &to);
    for (uint32_t i = 0; i < m->before->n_shards; i++)
        for (uint32_t k = 0; from.on[i] && k < m->after->n_shards; k++)
            if (i != k && to.on[k])
                fn(context, i, k);
}

/* All that can be. Indexes mean the same in both routes, for both have the catalog's shards. */
static void
each_pair(const struct move *m, pair_fn fn, void *context)
{
    bool ranges_done = false;

    for (unsigned i = 0; i < m->n_tables; i++) {
        if (!same_key(&m->tables[i]))
            each_place_pair(m, &m->tables[i], fn, context);
        else if (!ranges_done)
            each_range_pair(m, fn, context);
        ranges_done = ranges_done || same_key(&m->tables[i]);
    }
}

struct pair_search {
    uint32_t      from; /* ROUTES_NONE: any */
    struct places found;
};

static void
note_source(void *context, uint32_t from, uint32_t to)
{
    struct pair_search *s = context;

    (void)to;
    s->found.on[from] = true;
}

static void
note_target(void *context, uint32_t from, uint32_t to)
{
    struct pair_search *s = context;

    if (from == s->from)
        s->found.on[to] = true;
}

static size_t
found_ids(const struct move *m, const struct places *found, uint32_t *out)
{
    size_t n = 0;

    for (uint32_t i = 0; i < m->before->n_shards; i++)
        if (found->on[i])
            out[n++] = m->before->shards[i].id;
    return n;
}

size_t
move_sources(const struct move *m, uint32_t *out)
{
    struct pair_search s = { .from = ROUTES_NONE };

    each_pair(m, note_source, &s);
    return found_ids(m, &s.found, out);
}

size_t
move_targets_of(const struct move *m, uint32_t source, uint32_t *out)
{
    struct pair_search s = { .from = ROUTES_NONE };

    for (uint32_t i = 0; i < m->before->n_shards; i++)
        if (m->before->shards[i].id == source)
            s.from = i;
    each_pair(m, note_target, &s);
    return found_ids(m, &s.found, out);
}

size_t
move_targets_of_table(const struct move *m, const struct move_table *t, uint32_t source,
                      uint32_t *out)
{
    struct move one = *m;

    one.tables   = (struct move_table *)(uintptr_t)t; /* only read */
    one.n_tables = 1;
    return move_targets_of(&one, source, out);
}

void
move_reverse(const struct move *m, struct move *out)
{
    *out = (struct move){
        .c = m->c, .job = m->job, .spec = json_incref(m->spec),
        .before = m->after, .after = m->before, .shards = json_incref(m->shards),
        .n_tables = m->n_tables, .borrowed = true, .compress = m->compress,
    };
    out->tables = arena_alloc(&out->arena, (m->n_tables + 1) * sizeof(*out->tables));
    for (unsigned i = 0; i < m->n_tables; i++) {
        out->tables[i]        = m->tables[i];
        out->tables[i].before = m->tables[i].after;
        out->tables[i].after  = m->tables[i].before;
    }
}
