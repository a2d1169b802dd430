/* run_begin.c - from the wish to the record of a job. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/moving.h"
#include "ctl/job/replica.h"
#include "ctl/job/shard.h"
#include "ctl/move/layout.h"
#include "ctl/move/prepare.h"
#include "ctl/move/run_step.h"

/* One move at a time. */
static bool
none_else(struct cluster *c, int64_t but, struct sql_error *error)
{
    json_t *list = job_list(c, 0, true), *record;
    size_t  i;
    bool    ok = true;

    json_array_foreach(list, i, record)
        if (ok && strcmp(model_text(record, "kind"), "move") == 0 &&
            model_number(record, "number") != but)
            ok = sql_error_set(error, SQL_UNKNOWN_ERROR,
                               "shardd: job %lld (%s) is in its phase %s, and rows move by one "
                               "job at a time; see 'shardctl job show %lld'",
                               (long long)model_number(record, "number"),
                               model_text(record, "what"), model_text(record, "phase"),
                               (long long)model_number(record, "number"));
    json_decref(list);
    return ok;
}

/* Shards that the plan counts on; then the request names them. */
static bool
make_shards(struct cluster *c, const char *who, json_t *request, int64_t n,
            struct sql_error *error)
{
    const char *from = json_string_value(json_array_get(json_object_get(request, "shards"), 0));
    json_t     *to   = json_object_get(request, "to");

    if (!to) {
        to = json_array();
        json_object_set_new(request, "to", to);
    }
    for (int64_t i = 0; i < n; i++) {
        json_t *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
        char    name[32];

        snprintf(name, sizeof(name), "shard-%lld", (long long)model_number(meta, "next_shard"));
        json_decref(meta);
        if (!shard_add(c, who, name, error) ||
            (from && !replica_like(c, who, name, from, error)))
            return false;
        json_array_append_new(to, json_string(name));
    }
    return true;
}

/* Under the change lock: what was planned is what there is. */
static bool
record(struct job *job, const json_t *request, json_t *options, json_t **spec,
       struct sql_error *error)
{
    *spec = none_else(job->cluster, model_number(job->record, "number"), error)
                ? layout_make(job->cluster, request, error) : NULL;
    if (!*spec)
        return false;
    if (model_number(*spec, "new_shards") > 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: the shards have changed meanwhile; try again");
    if (!prepare_check(job->cluster, *spec, error))
        return false;
    json_object_set(job->record, "move", *spec);
    if (model_flag(*spec, "one_way"))
        json_object_set_new(options, "reverse", json_false());
    json_object_set(job->record, "options", options);
    json_object_set_new(job->record, "asked", json_object());
    model_set(job->record, "phase", "prepare");
    return job_write(job, error);
}

static void
wake(struct moves *s)
{
    pthread_mutex_lock(&s->lock);
    s->again = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static json_t *
begin(struct cluster *c, const char *who, const json_t *request, json_t *options,
      struct sql_error *error)
{
    struct job job;
    json_t    *spec = NULL, *answer = NULL;

    if (!job_begin(&job, c, "move", who, layout_title(request), "", "", error))
        return NULL;
    if (record(&job, request, options, &spec, error)) {
        answer = json_pack("{s:I, s:O}", "job", (json_int_t)model_number(job.record, "number"),
                           "move", spec);
        json_decref(job.record);
        job_release(&job);
        wake(c->moves);
    } else {
        json_object_del(job.record, "phase");
        job_end(&job, JOB_FAILED, error);
    }
    json_decref(spec);
    return answer;
}

json_t *
moves_begin(struct cluster *c, const char *who, json_t *request, struct sql_error *error)
{
    json_t *options = run_options(request, error), *spec, *answer = NULL;
    int64_t n_new;
    bool    ok;

    if (!options)
        return NULL;
    if (!c->moves) {
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: this controller moves no rows");
        json_decref(options);
        return NULL;
    }
    spec = layout_make(c, request, error);
    ok   = spec && (model_flag(request, "dry_run") || none_else(c, 0, error)) &&
           prepare_check(c, spec, error);
    n_new = model_number(spec, "new_shards");
    if (ok && model_flag(request, "dry_run"))
        answer = json_pack("{s:i, s:O}", "job", 0, "move", spec);
    else if (ok && make_shards(c, who, request, n_new, error))
        answer = begin(c, who, request, options, error);
    json_decref(spec);
    json_decref(options);
    return answer;
}
