/* job.c - the records of jobs in the catalog. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/job.h"
#include "ctl/provision/claim.h"
#include "shm/routes.h"

enum { JOBS_KEPT = 1000 };

struct routes *
job_routes(struct cluster *c, struct sql_error *error)
{
    struct arena   arena = { 0 };
    struct buf     blob  = { 0 };
    struct routes  flat, *routes = NULL;
    struct err     err;

    if (!model_routes(c->catalog, &arena, &flat, &err) || !routes_encode(&flat, &blob, &err) ||
        !routes_decode(buf_unread(&blob), &routes, &err)) {
        job_fail(error, &err);
        routes = NULL;
    }
    arena_fini(&arena);
    buf_fini(&blob);
    return routes;
}

static const char *const states[] = {
    [JOB_RUNNING] = "running", [JOB_DONE] = "done", [JOB_FAILED] = "failed",
    [JOB_STUCK] = "stuck", [JOB_PAUSED] = "paused", [JOB_CANCELLED] = "cancelled",
};

static const char resolved[] = "resolved";

bool
job_fail(struct sql_error *error, const struct err *err)
{
    return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %.480s", err->text);
}

bool
job_commit(struct catalog_change *change, struct sql_error *error)
{
    struct err err;

    return catalog_commit(change, &err) == 0 || job_fail(error, &err);
}

static void
name_of(int64_t number, char out[24])
{
    snprintf(out, 24, "%010lld", (long long)number);
}

const char *
job_state_name(enum job_state state)
{
    return states[state];
}

bool
job_is_open(const json_t *record)
{
    const char *state = model_text(record, "state");

    return strcmp(state, states[JOB_RUNNING]) == 0 || strcmp(state, states[JOB_PAUSED]) == 0 ||
           strcmp(state, states[JOB_STUCK]) == 0;
}

json_t *
job_find(struct cluster *c, int64_t number)
{
    char name[24];

    name_of(number, name);
    return catalog_get(c->catalog, CATALOG_JOB, name, NULL);
}

/* Old records go; not that of a job that is still at it. */
static void
forget(struct catalog_change *change, int64_t number)
{
    char    name[24];
    json_t *record;

    name_of(number, name);
    record = catalog_read(change, CATALOG_JOB, name, NULL);
    if (!record || !job_is_open(record))
        catalog_remove(change, CATALOG_JOB, name, CATALOG_ANY);
    json_decref(record);
}

/* What it says is text for people and may hold any bytes a client sent. */
static json_t *
text_of(const char *text)
{
    json_t *good = json_string(text);

    return good ? good : json_string("(not UTF-8)");
}

/* What this thread logs is about it. */
static void
say_job(int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    log_about(LOG_JOB, text);
}

bool
job_begin(struct job *job, struct cluster *c, const char *kind, const char *who,
          const char *what, const char *database, const char *table, struct sql_error *error)
{
    return job_begin_in(job, c, kind, who, what, database, table, NULL, error);
}

bool
job_begin_in(struct job *job, struct cluster *c, const char *kind, const char *who,
             const char *what, const char *database, const char *table, json_t *session,
             struct sql_error *error)
{
    struct catalog_change *change;
    json_t                *meta;
    int64_t                number;
    char                   name[24];

    if (!claim_on_duty(c, error))
        return false;
    pthread_mutex_lock(&c->change_lock);
    change = catalog_begin(c->catalog, who);
    meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    number = model_take_number(meta, "next_job");
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);

    job->cluster = c;
    job->record  = json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:s, s:[], s:f}", "number",
              (json_int_t)number, "kind", kind, "who", text_of(who), "what", text_of(what),
              "database", text_of(database), "table", text_of(table), "state",
              states[JOB_RUNNING], "steps", "started", clock_wall_s());
    if (session)
        json_object_set(job->record, "session", session);
    name_of(number, name);
    catalog_put(change, CATALOG_JOB, name, job->record, CATALOG_NEW);
    if (number > JOBS_KEPT)
        forget(change, number - JOBS_KEPT);
    if (job_commit(change, error)) {
        say_job(number);
        return true;
    }
    json_decref(job->record);
    pthread_mutex_unlock(&c->change_lock);
    return false;
}

bool
job_write(struct job *job, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(job->cluster->catalog, "controller");
    char                   name[24];

    name_of(model_number(job->record, "number"), name);
    catalog_put(change, CATALOG_JOB, name, job->record, CATALOG_ANY);
    return job_commit(change, error);
}

void
job_note(struct job *job, const char *fmt, ...)
{
    char    text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_array_append_new(json_object_get(job->record, "steps"), text_of(text));
}

/* What was stuck on the table is history once a later job on it has worked. */
static void
resolve_older(struct job *job, struct catalog_change *change, json_t *all)
{
    const char *database = model_text(job->record, "database");
    const char *table    = model_text(job->record, "table"), *name;
    json_t     *record;

    json_object_foreach(all, name, record)
        if (strcmp(model_text(record, "state"), states[JOB_STUCK]) == 0 &&
            strcmp(model_text(record, "database"), database) == 0 &&
            strcmp(model_text(record, "table"), table) == 0) {
            model_set(record, "state", resolved);
            catalog_put(change, CATALOG_JOB, name, record, CATALOG_ANY);
        }
}

void
job_release(struct job *job)
{
    log_about(LOG_JOB, NULL); /* it is another thread's from here on */
    pthread_mutex_unlock(&job->cluster->change_lock);
}

void
job_end(struct job *job, enum job_state state, const struct sql_error *error)
{
    struct cluster *c = job->cluster;

    job_close(job, state, error);
    pthread_mutex_unlock(&c->change_lock);
}

void
job_close(struct job *job, enum job_state state, const struct sql_error *error)
{
    json_t                *all    = state == JOB_DONE
                                        ? catalog_all(job->cluster->catalog, CATALOG_JOB) : NULL;
    struct catalog_change *change = catalog_begin(job->cluster->catalog, "controller");
    struct err             err;
    char                   name[24];

    if (all)
        resolve_older(job, change, all);
    json_decref(all);
    model_set(job->record, "state", states[state]);
    if (state != JOB_STUCK) {
        json_object_del(job->record, "undo");
        json_object_del(job->record, "definitions");
    }
    json_object_set_new(job->record, "ended", json_real(clock_wall_s()));
    if (error && state != JOB_DONE)
        json_object_set_new(job->record, "error", text_of(error->message));
    name_of(model_number(job->record, "number"), name);
    catalog_put(change, CATALOG_JOB, name, job->record, CATALOG_ANY);
    if (catalog_commit(change, &err) != 0)
        log_error("job %lld: its end could not be written: %s",
                  (long long)model_number(job->record, "number"), err.text);
    if (state == JOB_STUCK)
        log_error("job %lld is stuck: %s", (long long)model_number(job->record, "number"),
                  error ? error->message : "");
    log_about(LOG_JOB, NULL);
    json_decref(job->record);
    job->record = NULL;
}

json_t *
job_list(struct cluster *c, size_t limit, bool unfinished)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_JOB), *record;
    json_t     *out = json_array();
    const char *name;

    json_object_foreach(all, name, record)
        if (!unfinished || job_is_open(record))
            json_array_insert(out, 0, record);
    while (limit > 0 && json_array_size(out) > limit)
        json_array_remove(out, json_array_size(out) - 1);
    json_decref(all);
    return out;
}
