/* cutover_check.c - is the cluster still the one that the move was made for? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/move/cutover_step.h"
#include "shm/routes.h"

enum { ANSWER_S = 30, LOCK_S = 5 };

/* --- what the tables look like -------------------------------------------- */

/* Where the table is by the routes before. */
static uint32_t
lies_on(const struct move *m, const struct move_table *t)
{
    return t->before->kind == TABLE_GLOBAL ? move_home(m->before, t->before->database)
                                           : journal_shard(m);
}

/* {catalog name: hash of the definition}; NULL with the error. */
static json_t *
definitions(const struct move *m, struct sql_error *error)
{
    json_t       *out = json_object();
    struct server s   = { .answer_s = ANSWER_S };
    uint32_t      on  = ROUTES_NONE;

    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table *t    = &m->tables[i];
        struct buf               text = { 0 };
        char                     hash[24], *name;

        if (on != lies_on(m, t)) {
            server_close(&s);
            on = lies_on(m, t);
            if (!move_session(&s, m, on, LOCK_S, error))
                goto fail;
        }
        if (!facts_definition(&s, t->database, t->name, &text, error)) {
            buf_fini(&text);
            goto fail;
        }
        snprintf(hash, sizeof(hash), "%016llx",
                 (unsigned long long)XXH3_64bits(text.bytes + text.start, buf_len(&text)));
        name = catalog_table_name(t->database, t->name);
        json_object_set_new(out, name, json_string(hash));
        free(name);
        buf_fini(&text);
    }
    server_close(&s);
    return out;

fail:
    server_close(&s);
    json_decref(out);
    return NULL;
}

bool
cutover_note(struct move *m, struct sql_error *error)
{
    json_t *now = definitions(m, error);

    if (!now)
        return false;
    json_object_set_new(m->spec, "definitions", now);
    return true;
}

static bool
same_definitions(const struct move *m, struct sql_error *error)
{
    const json_t *then = json_object_get(m->spec, "definitions"), *hash;
    json_t       *now  = definitions(m, error);
    const char   *name, *changed = NULL;
    bool          ok = now != NULL;

    json_object_foreach(now, name, hash)
        if (!changed && !json_equal(hash, json_object_get(then, name)))
            changed = name;
    if (changed)
        ok = sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the definition of table %.150s has "
                           "changed since the move began; cancel job %lld and start the move "
                           "again", changed, (long long)m->job);
    json_decref(now);
    return ok;
}

/* --- what there is -------------------------------------------------------- */

/* The table by its names in other routes; NULL: there is none. */
static const struct route_table *
same_table(const struct routes *r, const struct routes *of, const struct route_table *t)
{
    uint32_t database = routes_database(r, of->databases[t->database].name);
    uint32_t index    = database == ROUTES_NONE ? ROUTES_NONE
                                                : routes_table(r, database, t->name);

    return index == ROUTES_NONE ? NULL : &r->tables[index];
}

static bool
moves(const struct move *m, struct span database, struct span name)
{
    for (unsigned i = 0; i < m->n_tables; i++)
        if (span_equal(span_of(m->tables[i].database), database) &&
            span_equal(span_of(m->tables[i].name), name))
            return true;
    return false;
}

/* Does any key have other owners in these? */
static bool
owners_differ(const struct routes *a, const struct routes *b)
{
    const struct routes *both[] = { a, b };

    for (size_t k = 0; k < countof(both); k++)
        for (uint32_t i = 0; i < both[k]->n_ranges; i++) {
            uint64_t start = both[k]->ranges[i].start;

            if (a->shards[routes_owner(a, start)].id != b->shards[routes_owner(b, start)].id)
                return true;
        }
    return false;
}

/* A table that came since has rows that nobody has copied. */
static bool
none_is_new(const struct move *m, const struct routes *now, struct sql_error *error)
{
    bool ranges = owners_differ(m->before, m->after);

    for (uint32_t i = 0; i < now->n_tables; i++) {
        const struct route_table *t        = &now->tables[i];
        struct span               database = now->databases[t->database].name;
        uint32_t                  before   = routes_database(m->before, database);
        bool                      home     = before != ROUTES_NONE &&
                    move_home_changes(m, before);

        if (((t->kind == TABLE_SHARDED && ranges) || (t->kind == TABLE_GLOBAL && home)) &&
            !moves(m, database, t->name))
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: table %.*s.%.*s was created "
                                 "after the move began, and its rows do not move with the "
                                 "others; cancel job %lld and start the move again, or drop the "
                                 "table", (int)database.len, database.ptr, (int)t->name.len,
                                 t->name.ptr, (long long)m->job);
    }
    return true;
}

static bool
all_are_there(const struct move *m, const struct routes *now, struct sql_error *error)
{
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table  *t  = &m->tables[i];
        const struct route_table *is = same_table(now, m->before, t->before);

        if (!is || is->kind != t->before->kind || is->key != t->before->key ||
            is->n_columns != t->before->n_columns)
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: table %s.%s was %s after the "
                                 "move began; cancel job %lld and start the move again",
                                 t->database, t->name, is ? "changed" : "dropped",
                                 (long long)m->job);
    }
    return true;
}

bool
cutover_check(struct move *m, struct sql_error *error)
{
    struct routes *now = job_routes(m->c, error);
    bool           ok;

    if (!now)
        return false;
    if (owners_differ(now, m->before))
        ok = sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the ranges are not those that the "
                           "move began with; cancel job %lld and start the move again",
                           (long long)m->job);
    else
        ok = none_is_new(m, now, error) && all_are_there(m, now, error);
    routes_free(now);
    return ok && same_definitions(m, error);
}
