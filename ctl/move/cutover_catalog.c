/* cutover_catalog.c - a switch as the catalog sees it: cut, fenced, changed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/move/cutover_step.h"
#include "ctl/move/sets.h"

static const char all_ranges[] = "map";

static json_t *
start_text(uint64_t start)
{
    char text[24];

    snprintf(text, sizeof(text), "%016" PRIx64, start);
    return json_string(text);
}

static uint64_t
start_of(const json_t *pair)
{
    const char *text = json_string_value(json_array_get(pair, 0));

    return strtoull(text ? text : "", NULL, 16);
}

static uint32_t
owner_id(const struct routes *r, uint64_t hash)
{
    return r->shards[routes_owner(r, hash)].id;
}

/* --- the fence ------------------------------------------------------------ */

/* A table that is switched whole: more than its ranges changes. */
static bool
whole(const struct move *m, const struct move_table *t)
{
    const struct route_table *a = t->before, *b = t->after;

    (void)m;
    return a->kind != b->kind || a->kind != TABLE_SHARDED || a->key != b->key;
}

static json_t *
name_of(const char *database, const char *table)
{
    char   *text = catalog_table_name(database, table);
    json_t *name = json_string_nocheck(text);

    free(text);
    return name;
}

/* Writes to reference tables begin at home, which gives the numbers: one home at a time. */
static void
fence_references(const struct move *m, json_t *tables)
{
    const struct routes *a = m->before;

    for (uint32_t i = 0; i < a->n_tables; i++) {
        const struct route_table *t = &a->tables[i];
        char                      database[300], name[300];

        if (t->kind != TABLE_REFERENCE || !move_home_changes(m, t->database))
            continue;
        snprintf(database, sizeof(database), "%.*s", (int)a->databases[t->database].name.len,
                 a->databases[t->database].name.ptr);
        snprintf(name, sizeof(name), "%.*s", (int)t->name.len, t->name.ptr);
        json_array_append_new(tables, name_of(database, name));
    }
}

static void
add_shard(json_t *shards, uint32_t id)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", id);
    json_object_set_new(shards, text, json_integer(id));
}

/* SEQUENCEs are there, also where no row moves. */
static void
fence_homes(const struct move *m, json_t *shards)
{
    for (uint32_t i = 0; i < m->before->n_databases; i++)
        if (move_home_changes(m, i)) {
            add_shard(shards, move_home(m->before, i));
            add_shard(shards, move_home(m->after, i));
        }
}

void
cutover_fence(const struct move *m, const json_t *map, struct fence *out)
{
    json_t  *ranges = json_array(), *shards = json_object(), *tables = json_array();
    json_t  *pair, *ids = json_array(), *id;
    uint32_t source[ROUTES_SHARDS_MAX], target[ROUTES_SHARDS_MAX];
    size_t   n = move_sources(m, source), i;
    const char *name;

    json_array_foreach(json_object_get(map, "ranges"), i, pair)
        if (owner_id(m->before, start_of(pair)) != owner_id(m->after, start_of(pair)))
            json_array_append(ranges, json_array_get(pair, 0));
    for (i = 0; i < n; i++) {
        size_t n_to = move_targets_of(m, source[i], target);

        add_shard(shards, source[i]);
        for (size_t k = 0; k < n_to; k++)
            add_shard(shards, target[k]);
    }
    fence_homes(m, shards);
    json_object_foreach(shards, name, id)
        json_array_append(ids, id);
    for (unsigned k = 0; k < m->n_tables; k++)
        if (whole(m, &m->tables[k]))
            json_array_append_new(tables, name_of(m->tables[k].database, m->tables[k].name));
    fence_references(m, tables);
    json_decref(shards);
    *out = (struct fence){ .ranges = ranges, .shards = ids, .tables = tables };
}

void
cutover_fence_fini(struct fence *f)
{
    json_decref((json_t *)(uintptr_t)f->ranges);
    json_decref((json_t *)(uintptr_t)f->shards);
    json_decref((json_t *)(uintptr_t)f->tables);
}

/* --- the map -------------------------------------------------------------- */

/* Both maps' cuts in order, with the owners of `r`. */
static json_t *
merged(const json_t *map, const struct routes *after, const struct routes *r)
{
    json_t  *out  = json_array(), *list = json_object_get(map, "ranges");
    size_t   i    = 0, n = json_array_size(list);
    uint32_t k    = 0;

    while (i < n || k < after->n_ranges) {
        uint64_t a = i < n ? start_of(json_array_get(list, i)) : UINT64_MAX;
        uint64_t b = k < after->n_ranges ? after->ranges[k].start : UINT64_MAX;
        uint64_t start = (i < n && a <= b) || k >= after->n_ranges ? a : b;

        i += i < n && a == start;
        k += k < after->n_ranges && b == start;
        json_array_append_new(out, json_pack("[o, I]", start_text(start),
                                             (json_int_t)owner_id(r, start)));
    }
    return json_pack("{s:o}", "ranges", out);
}

bool
cutover_cut_map(struct move *m, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(m->c->catalog, "controller");
    json_t                *map    = catalog_read(change, CATALOG_RANGES, all_ranges, NULL);
    json_t                *cut    = merged(map, m->after, m->before);

    if (json_array_size(json_object_get(cut, "ranges")) ==
        json_array_size(json_object_get(map, "ranges"))) {
        catalog_cancel(change);
        json_decref(map);
        json_decref(cut);
        return true;
    }
    catalog_put(change, CATALOG_RANGES, all_ranges, cut, CATALOG_ANY);
    cluster_bump(m->c, change, "generation");
    json_decref(map);
    json_decref(cut);
    return job_commit(change, error);
}

static void
put_ranges(const struct move *m, struct catalog_change *change)
{
    json_t *list = json_array(), *map;

    for (uint32_t i = 0; i < m->after->n_ranges; i++)
        json_array_append_new(list, json_pack("[o, I]", start_text(m->after->ranges[i].start),
                              (json_int_t)m->after->shards[m->after->ranges[i].shard].id));
    map = json_pack("{s:o}", "ranges", list);
    catalog_put(change, CATALOG_RANGES, all_ranges, map, CATALOG_ANY);
    json_decref(map);
}

/* --- tables, homes, sets -------------------------------------------------- */

/* Is this catalog object what the routes say? */
static bool
is_like(const json_t *object, const struct route_table *t)
{
    return model_kind(model_text(object, "kind"), TABLE_VIEW) == t->kind &&
           (t->kind != TABLE_SHARDED ||
            span_equal_nocase(span_of(model_text(object, "key")), t->columns[t->key].name));
}

/* The object in the job's record that the table has afterwards, on the way there or back;
 * NULL: the table stays as it is. */
static json_t *
object_after(const struct move *m, const struct move_table *t)
{
    json_t *one   = json_array_get(json_object_get(m->spec, "tables"), t->number);
    json_t *there = json_object_get(one, "object"), *back = json_object_get(one, "before");

    if (!there || (t->before->kind == t->after->kind && t->before->key == t->after->key))
        return NULL;
    return is_like(there, t->after) ? there : back;
}

static void
put_tables(const struct move *m, struct catalog_change *change, json_t *hide)
{
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table *t      = &m->tables[i];
        json_t                  *object = object_after(m, t);
        char                    *name   = catalog_table_name(t->database, t->name);
        char                     set[64];

        if (object)
            catalog_put(change, CATALOG_TABLE, name, object, CATALOG_ANY);
        if (t->after->kind == TABLE_SHARDED) {
            sets_name(m, t, false, set);
            json_object_set_new(hide, name, json_string(set));
        }
        free(name);
    }
}

static void
put_homes(const struct move *m, struct catalog_change *change)
{
    for (uint32_t i = 0; i < m->after->n_databases; i++) {
        const struct route_database *d = &m->after->databases[i];
        char                         name[300];
        json_t                      *object;

        if (!move_home_changes(m, i))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)d->name.len, d->name.ptr);
        object = catalog_read(change, CATALOG_DATABASE, name, NULL);
        if (!object)
            continue; /* it was dropped */
        json_object_set_new(object, "home", json_integer(move_home(m->after, i)));
        catalog_put(change, CATALOG_DATABASE, name, object, CATALOG_ANY);
        json_decref(object);
    }
}

static bool
ranges_change(const struct move *m)
{
    const struct routes *a = m->before, *b = m->after;

    if (a->n_ranges != b->n_ranges)
        return true;
    for (uint32_t i = 0; i < a->n_ranges; i++)
        if (a->ranges[i].start != b->ranges[i].start ||
            a->shards[a->ranges[i].shard].id != b->shards[b->ranges[i].shard].id)
            return true;
    return false;
}

bool
cutover_catalog(struct move *m, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(m->c->catalog, "controller");
    json_t                *hide   = json_object(), *move;

    fence_put(change, NULL);
    if (ranges_change(m))
        put_ranges(m, change);
    put_tables(m, change, hide);
    put_homes(m, change);
    move = catalog_read(change, CATALOG_META, "move", NULL);
    if (!move)
        move = json_object();
    json_object_set_new(move, "job", json_integer(m->job));
    json_object_set_new(move, "hide", hide);
    json_object_set_new(move, "hiding", move_hiding(m, false));
    catalog_put(change, CATALOG_META, "move", move, CATALOG_ANY);
    json_decref(move);
    cluster_bump(m->c, change, "generation");
    return job_commit(change, error);
}
