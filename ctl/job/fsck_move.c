/* fsck_move.c - what moves have left behind: sets, bookkeeping, fences.
 *
 * A job that is recorded as ended has no use for any of it, so that may go. What a job without
 * a record left is only told: who knows whether its rows are where they should be.
 */

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/fsck_step.h"
#include "ctl/provision/fence.h"

#define SCHEMA ROUTES_MOVE_SCHEMA

enum job_life { LIFE_ON, LIFE_ENDED, LIFE_UNKNOWN };

static json_t *
record_of(struct fsck *f, int64_t number)
{
    char name[24];

    snprintf(name, sizeof(name), "%010lld", (long long)number);
    return catalog_get(f->c->catalog, CATALOG_JOB, name, NULL);
}

static enum job_life
life_of(struct fsck *f, int64_t number, char state[32])
{
    static const char *const on[] = { "running", "paused", "stuck" };
    json_t                  *record = record_of(f, number);
    enum job_life            life = record ? LIFE_ENDED : LIFE_UNKNOWN;

    snprintf(state, 32, "%.31s", record ? model_text(record, "state") : "not recorded");
    for (size_t i = 0; i < countof(on); i++)
        if (strcmp(state, on[i]) == 0)
            life = LIFE_ON;
    json_decref(record);
    return life;
}

/* The number of the job that the routes follow; 0: none. */
static int64_t
published_job(struct fsck *f)
{
    json_t *move = catalog_get(f->c->catalog, CATALOG_META, "move", NULL);
    int64_t job  = model_number(move, "job");

    json_decref(move);
    return job;
}

void
fsck_moving(struct fsck *f)
{
    json_t *record = record_of(f, published_job(f)), *one;
    size_t  i;
    char    state[32];

    if (record && life_of(f, model_number(record, "number"), state) == LIFE_ON)
        json_array_foreach(json_object_get(json_object_get(record, "move"), "tables"), i, one)
            json_object_set_new_nocheck(f->moving, model_text(one, "name"), json_true());
    json_decref(record);
}

/* --- what is there -------------------------------------------------------- */

/* Something of a job that does not run. `sql` removes it. */
static void
left(struct fsck *f, const struct server *s, int64_t job, const char *what, const char *sql)
{
    char          state[32];
    enum job_life life = life_of(f, job, state);

    if (life == LIFE_ON)
        return;
    fsck_problem(f, "", s->name, "%s of job %lld (%s) is left over", what, (long long)job, state);
    if (life == LIFE_ENDED && job != published_job(f))
        json_array_append_new(f->repairs, json_pack("{s:s, s:s, s:s}", "shard", s->name, "what",
                              sql, "sql", sql));
}

static void
look_at_sets(struct fsck *f, struct server *s)
{
    struct sql_error error;
    json_t          *rows, *row;
    size_t           i;

    rows = server_rows(s, &error, "SELECT TABLE_NAME FROM information_schema.TABLES"
                       " WHERE TABLE_SCHEMA = '" SCHEMA "'");
    json_array_foreach(rows, i, row) {
        const char *name = server_cell(row, 0);
        long long   job  = 0;
        char        sql[200], what[100];

        if (sscanf(name, "in_%lld_", &job) != 1 && sscanf(name, "out_%lld_", &job) != 1)
            continue;
        snprintf(sql, sizeof(sql), "DROP TABLE " SCHEMA ".%.80s", server_name(name));
        snprintf(what, sizeof(what), "the set %.64s", name);
        left(f, s, job, what, sql);
    }
    if (!rows)
        fsck_problem(f, "", s->name, "%s", error.message);
    json_decref(rows);
}

static void
look_at_rows(struct fsck *f, struct server *s, const char *table)
{
    struct sql_error error;
    json_t          *rows, *row;
    size_t           i;

    /* A server that no move ever was on has none of these. */
    rows = server_rows(s, &error, "SELECT job, COUNT(*) FROM " SCHEMA ".%s GROUP BY job", table);
    json_array_foreach(rows, i, row) {
        long long job = strtoll(server_cell(row, 0), NULL, 10);
        char      sql[128], what[64];

        snprintf(sql, sizeof(sql), "DELETE FROM " SCHEMA ".%s WHERE job = %lld", table, job);
        snprintf(what, sizeof(what), "the %s (%.20s rows)", table, server_cell(row, 1));
        left(f, s, job, what, sql);
    }
    json_decref(rows);
}

/* Who switches holds the lock that we hold. */
static void
look_at_routes(struct fsck *f)
{
    json_t *move = catalog_get(f->c->catalog, CATALOG_META, "move", NULL);
    int64_t job  = model_number(move, "job");
    char    state[32];

    if (fence_stands(f->c))
        fsck_problem(f, "", "", "statements are held back by a fence although nothing is being "
                     "switched; job %lld is to lower it", (long long)job);
    if (move && job > 0 && life_of(f, job, state) != LIFE_ON)
        fsck_problem(f, "", "", "the routes still hide rows for job %lld (%s)", (long long)job,
                     state);
    json_decref(move);
}

void
fsck_moves(struct fsck *f)
{
    static const char *const kept[] = { "stream", "copied", "stash", "journal" };

    look_at_routes(f);
    for (uint32_t i = 0; i < f->routes->n_shards; i++) {
        struct server *s = &f->server[i];

        if (!s->mysql)
            continue;
        look_at_sets(f, s);
        for (size_t k = 0; k < countof(kept); k++)
            look_at_rows(f, s, kept[k]);
    }
}

/* --- repairs -------------------------------------------------------------- */

static struct server *
server_of(struct fsck *f, const char *name)
{
    for (uint32_t i = 0; i < f->routes->n_shards; i++)
        if (f->server[i].mysql && strcmp(f->server[i].name, name) == 0)
            return &f->server[i];
    return NULL;
}

static bool
repair_one(struct fsck *f, const json_t *one, struct err *err)
{
    struct server   *s = server_of(f, model_text(one, "shard"));
    struct sql_error error;

    if (json_object_get(one, "routine"))
        return fsck_make_routine(f, one, err);
    if (!json_object_get(one, "sql"))
        return fsck_remove_server(f, one, err);
    if (!s)
        return err_set(err, "it does not answer");
    return server_run_text(s, span_of(model_text(one, "sql")), &error) ||
           err_set(err, "%s", error.message);
}

void
fsck_repair(struct fsck *f)
{
    struct err err;

    for (size_t i = 0; i < json_array_size(f->repairs); i++) {
        const json_t *one = json_array_get(f->repairs, i);

        if (repair_one(f, one, &err)) {
            log_info("fsck: %s: %s", model_text(one, "shard"), model_text(one, "what"));
            continue;
        }
        log_warn("fsck: %s: %s: %s", model_text(one, "shard"), model_text(one, "what"), err.text);
        json_array_remove(f->repairs, i--);
    }
}
