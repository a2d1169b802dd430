/* fsck.c - the walk over shards and tables, and the report. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/fsck_step.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/patience.h"
#include "shm/routes.h"

enum { PROBLEMS_MAX = 1000, BRANCH_PATIENCE_MS = 15000, LOOK_MS = 100 };

void
fsck_problem(struct fsck *f, const char *table, const char *shard, const char *fmt, ...)
{
    char    text[512];
    json_t *good;
    va_list args;

    if (json_array_size(f->problems) >= PROBLEMS_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    good = json_string(text);
    json_array_append_new(f->problems, json_pack("{s:s, s:s, s:o}", "table", table, "shard",
                          shard, "problem", good ? good : json_string("(not UTF-8)")));
}

/* A shard that does not answer is a problem; its tables are looked at elsewhere. */
static void
open_shards(struct fsck *f)
{
    const char      *id;
    json_t          *shard;
    struct sql_error error;
    uint32_t         i = 0;

    json_object_foreach(f->shards, id, shard) {
        if (!server_open(&f->server[i], shard, &error))
            fsck_problem(f, "", model_text(shard, "name"), "%s", error.message);
        i++;
    }
}

static bool
in_catalog(const struct fsck *f, const char *database, const char *table)
{
    char *name = catalog_table_name(database, table);
    bool  yes  = json_object_get(f->tables, name) != NULL;

    free(name);
    return yes;
}

/* Tables that are on a shard and not in the catalog. */
static void
check_strangers(struct fsck *f, struct server *s, const char *database)
{
    json_t          *all = catalog_all(f->c->catalog, CATALOG_DATABASE), *rows, *row;
    struct sql_error error;
    size_t           i;

    rows = server_rows(s, &error, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES"
                                  " WHERE TABLE_TYPE IN ('BASE TABLE', 'VIEW')");
    json_array_foreach(rows, i, row) {
        const char *schema = server_cell(row, 0), *name = server_cell(row, 1);

        if (!json_object_get(all, schema) || (database && strcmp(database, schema) != 0) ||
            in_catalog(f, schema, name))
            continue;
        fsck_problem(f, schema, s->name, "the table %s.%s is not in the catalog", schema, name);
    }
    json_decref(rows);
    json_decref(all);
}

static json_t *
branches_now(struct fsck *f)
{
    json_t          *set = json_object(), *row;
    struct sql_error error;

    for (uint32_t k = 0; k < f->routes->n_shards; k++) {
        json_t *rows = f->server[k].mysql ? server_rows(&f->server[k], &error, "XA RECOVER")
                                          : NULL;
        size_t  i;

        json_array_foreach(rows, i, row) {
            char name[256];

            if (strncmp(server_cell(row, 3), "shardd-", 7) != 0)
                continue;
            snprintf(name, sizeof(name), "%s %.150s", f->server[k].name, server_cell(row, 3));
            json_object_set_new_nocheck(set, name, json_true());
        }
        json_decref(rows);
    }
    return set;
}

void
fsck_branches(struct fsck *f)
{
    struct patience wait   = patience_of(NULL, BRANCH_PATIENCE_MS, LOOK_MS);
    json_t         *before = branches_now(f), *ignored;
    const char     *name;

    /* Commits on their way end in milliseconds, or are ended by the resolver. */
    while (json_object_size(before) > 0 && patience_wait(&wait)) {
        json_t *now = branches_now(f), *both = json_object();

        json_object_foreach(before, name, ignored)
            if (json_object_get(now, name))
                json_object_set_new_nocheck(both, name, json_true());
        json_decref(now);
        json_decref(before);
        before = both;
    }
    json_object_foreach(before, name, ignored)
        fsck_problem(f, "", "", "in doubt for long: branch %s", name);
    json_decref(before);
}

static void
check_jobs(struct fsck *f)
{
    json_t *list = job_list(f->c, 0, true), *record;
    size_t  i;

    json_array_foreach(list, i, record)
        if (strcmp(model_text(record, "state"), "stuck") == 0)
            fsck_problem(f, model_text(record, "table"), "", "job %lld is stuck: %s",
                         (long long)model_number(record, "number"),
                         model_text(record, "error"));
    json_decref(list);
}

static void
check_all(struct fsck *f, const char *database)
{
    const char *name;
    json_t     *table;

    open_shards(f);
    fsck_moving(f);
    fsck_branches(f);
    json_object_foreach(f->tables, name, table)
        if (!database || strcmp(database, model_text(table, "database")) == 0)
            fsck_table(f, name, table);
    for (uint32_t i = 0; i < f->routes->n_shards; i++) {
        if (f->server[i].mysql)
            check_strangers(f, &f->server[i], database);
    }
    fsck_routines(f, database);
    fsck_moves(f);
    fsck_servers(f);
    fsck_replicas(f);
    check_jobs(f);
}

static json_t *
write_report(const struct fsck *f)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:O, s:O}", "ok", json_array_size(f->problems) == 0,
                     "tables", (json_int_t)f->n_tables, "rows", (json_int_t)f->n_rows, "moving",
                     (json_int_t)f->n_moving, "problems", f->problems, "repairs", f->repairs);
}

json_t *
fsck_run(struct cluster *c, const char *database, bool repair, struct sql_error *error)
{
    struct fsck *f;
    json_t      *report = NULL;

    if (repair && !claim_on_duty(c, error))
        return NULL;
    f    = mem_alloc(sizeof(*f));
    f->c = c;
    /* A schema in the middle of a change would look wrong. */
    pthread_mutex_lock(&c->change_lock);
    f->routes = job_routes(c, error);
    f->shards = catalog_all(c->catalog, CATALOG_SHARD);
    f->tables = catalog_all(c->catalog, CATALOG_TABLE);
    f->problems = json_array();
    f->repairs  = json_array();
    f->moving   = json_object();
    if (f->routes) {
        check_all(f, database);
        report = write_report(f);
        if (repair) {
            fsck_repair(f);
            json_object_set_new(report, "repaired",
                                json_integer((json_int_t)json_array_size(f->repairs)));
        }
        for (uint32_t i = 0; i < f->routes->n_shards; i++)
            server_close(&f->server[i]);
    }
    pthread_mutex_unlock(&c->change_lock);
    routes_free(f->routes);
    json_decref(f->shards);
    json_decref(f->tables);
    json_decref(f->problems);
    json_decref(f->repairs);
    json_decref(f->moving);
    free(f);
    return report;
}
