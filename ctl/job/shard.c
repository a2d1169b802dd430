/* shard.c - add, set. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/moving.h"
#include "ctl/job/shard.h"

/* What a controller after this one completes, or removes; see shard_resume.c. "made" stays in the
 * record when the job has ended, for discover.c. */
static bool
keep_undo(struct job *job, const json_t *shard, struct sql_error *error)
{
    json_object_set_new(job->record, "made", provision_trace(shard));
    json_object_set_new(job->record, "undo",
                        json_pack("{s:I, s:o}", "id", (json_int_t)model_number(shard, "id"),
                                  "made", provision_trace(shard)));
    return job_write(job, error);
}

/* The end it is to have when it fails: once the catalog has the shard, a controller that
 * starts completes it. */
static enum job_state
make(struct job *job, json_t *shard, struct sql_error *error)
{
    struct cluster    *c    = job->cluster;
    struct shard_fill *fill = mem_alloc(sizeof(*fill));
    enum job_state     end  = JOB_FAILED;
    struct err         err;

    if (keep_undo(job, shard, error)) {
        if (!cluster_make_shard(c, shard, shard_fill, fill, &err))
            job_fail(error, &err);
        else
            end = shard_announce(job, error) ? JOB_DONE : JOB_STUCK;
    }
    /* The workers write to the new copies too now. */
    shard_fill_done(fill);
    free(fill);
    return end;
}

static enum job_state
add(struct job *job, const char *name, const struct provision_wish *wish, struct sql_error *error)
{
    struct cluster *c   = job->cluster;
    enum job_state  end = JOB_FAILED;
    struct err      err;
    json_t *shard = cluster_plan_shard(c, cluster_number(c, "next_shard"), name, wish, &err);

    if (shard)
        end = make(job, shard, error);
    else
        job_fail(error, &err);
    json_decref(shard);
    return end;
}

bool
shard_add_as(struct cluster *c, const char *who, const char *name,
             const struct provision_wish *wish, struct sql_error *error)
{
    struct job     job;
    enum job_state end;

    if (!job_begin(&job, c, "shard", who, SHARD_ADD, "", "", error))
        return false;
    end = moving_allows_shards(c, "a shard is added", error) ? add(&job, name, wish, error)
                                                             : JOB_FAILED;
    job_end(&job, end, error);
    return end == JOB_DONE;
}

bool
shard_add(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    static const struct provision_wish plain = { "", "", "" };

    return shard_add_as(c, who, name, &plain, error);
}

bool
shard_owns_nothing(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    json_t     *map  = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    json_t     *list = json_object_get(map, "ranges"), *pair;
    json_t     *all  = catalog_all(c->catalog, CATALOG_DATABASE), *database;
    const char *key, *name = model_text(shard, "name");
    int64_t     id = model_number(shard, "id");
    bool        ok = true;
    size_t      i;

    json_array_foreach(list, i, pair)
        if (ok && json_integer_value(json_array_get(pair, 1)) == id)
            ok = sql_error_set(error, SQL_NOT_SUPPORTED,
                               "shardd: shard %s owns ranges of the key space; rows would be "
                               "lost", name);
    json_object_foreach(all, key, database)
        if (ok && model_number(database, "home") == id)
            ok = sql_error_set(error, SQL_NOT_SUPPORTED,
                               "shardd: shard %s is the home of the database %s; drop that "
                               "first", name, key);
    json_decref(map);
    json_decref(all);
    return ok;
}

static bool
change(struct cluster *c, const char *who, json_t *shard, const char *new_name,
       const char *state, struct sql_error *error)
{
    struct catalog_change *write;
    json_t                *other = new_name ? cluster_shard(c, new_name) : NULL;
    struct err             err;
    char                   id[24];

    json_decref(other);
    if (other)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: there is a shard named %s already", new_name);
    if (new_name)
        model_set(shard, "name", new_name);
    if (state)
        model_set(shard, "state", state);
    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    write = catalog_begin(c->catalog, who);
    catalog_put(write, CATALOG_SHARD, id, shard, CATALOG_ANY);
    cluster_bump(c, write, "generation");
    if (!job_commit(write, error))
        return false;
    return cluster_publish(c, &err) || job_fail(error, &err);
}

bool
shard_set(struct cluster *c, const char *who, const char *name, const char *new_name,
          const char *state, struct sql_error *error)
{
    struct job job;
    json_t    *shard;
    bool       ok;

    if (state && strcmp(state, "up") != 0 && strcmp(state, "draining") != 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: a shard's state is up or draining");
    if (new_name && (!new_name[0] || strlen(new_name) > 64))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a name has 1 to 64 bytes");
    if (!job_begin(&job, c, "shard", who, "change a shard", "", "", error))
        return false;
    shard = cluster_need_shard(c, name, error);
    ok    = shard && change(c, who, shard, new_name, state, error);
    json_decref(shard);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
