/* replica.c - see replica.h. */
#include "ctl/job/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/replica_step.h"
#include "ctl/job/shard.h"
#include "ctl/provision/replication.h"

enum { LOOK_S = 2 };

static const char *const states[] = { "serving", "draining", "disabled" };

bool
replica_check_wish(const struct replica_wish *wish, struct sql_error *error)
{
    if (wish->weight < 0 || wish->weight > ROUTES_WEIGHT_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a weight is 1 to %d",
                             ROUTES_WEIGHT_MAX);
    if (wish->zone && strlen(wish->zone) > ROUTES_ZONE_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a zone has %d bytes at most",
                             ROUTES_ZONE_MAX);
    return !wish->agent || shard_is_agent(wish->agent, error);
}

void
replica_set_wish(json_t *replica, const struct replica_wish *wish)
{
    if (wish->weight > 0)
        json_object_set_new(replica, "weight", json_integer(wish->weight));
    if (wish->zone)
        model_set(replica, "zone", wish->zone);
    if (wish->agent)
        model_set(replica, "agent", wish->agent);
}

bool
replica_secret(struct cluster *c, char *out, size_t room, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    char                   fresh[USER_SECRET_LEN + 1];
    bool                   have = model_text(meta, "replica_secret")[0] != 0;

    if (!have) {
        user_secret(fresh);
        model_set(meta, "replica_secret", fresh);
        catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    }
    snprintf(out, room, "%s", model_text(meta, "replica_secret"));
    json_decref(meta);
    if (!have)
        return catalog_commit(change, err) == 0;
    catalog_cancel(change);
    return true;
}

/* --- the catalog ------------------------------------------------------------------- */

bool
replica_put(struct cluster *c, const char *who, json_t *replica, int64_t expected,
            struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);
    struct err             err;
    char                   id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(replica, "id"));
    catalog_put(change, CATALOG_REPLICA, id, replica, expected);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return false;
    return cluster_publish(c, &err) || job_fail(error, &err);
}

/* --- the end, and changes ------------------------------------------------------------ */

static bool
no_replica(const char *name, struct sql_error *error)
{
    return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is no replica %s; see 'shardctl "
                         "replica list'", name);
}

static enum job_state
take_out(struct job *job, const char *who, const json_t *replica, struct sql_error *error)
{
    struct cluster        *c = job->cluster;
    struct catalog_change *change;
    struct err             err;
    char                   id[24];

    json_object_set_new(job->record, "undo",
                        json_pack("{s:O, s:o}", "id", json_object_get(replica, "id"), "made",
                                  provision_trace(replica)));
    if (!job_write(job, error))
        return JOB_FAILED;
    snprintf(id, sizeof(id), "%lld", (long long)model_number(replica, "id"));
    change = catalog_begin(c->catalog, who);
    catalog_remove(change, CATALOG_REPLICA, id, CATALOG_ANY);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return JOB_FAILED;
    if (!cluster_publish(c, &err)) {
        job_fail(error, &err);
        return JOB_STUCK;
    }
    publish_drained(c->publisher, PUBLISH_WAIT_MS);
    if (cluster_remove_server(c, replica, false, &err))
        return JOB_DONE;
    job_fail(error, &err);
    return JOB_STUCK;
}

bool
replica_remove(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job     job;
    json_t        *replica;
    enum job_state end = JOB_FAILED;

    if (!job_begin(&job, c, "replica", who, REPLICA_REMOVE, "", "", error))
        return false;
    replica = cluster_replica(c, name);
    if (replica)
        end = take_out(&job, who, replica, error);
    else
        no_replica(name, error);
    json_decref(replica);
    job_end(&job, end, error);
    return end == JOB_DONE;
}

static bool
is_state(const char *state, struct sql_error *error)
{
    for (size_t i = 0; state && i < countof(states); i++)
        if (strcmp(states[i], state) == 0)
            return true;
    return !state || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a replica is serving, "
                                   "draining or disabled");
}

static bool
change(struct cluster *c, const char *who, json_t *replica, const struct replica_wish *wish,
       const char *state, struct sql_error *error)
{
    if (state && strcmp(state, states[0]) == 0 && model_text(replica, "suspect")[0])
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: replica %s may have what its "
                             "primary has not (%.200s): remove it, and add another one",
                             model_text(replica, "name"), model_text(replica, "suspect"));
    replica_set_wish(replica, wish);
    if (state)
        model_set(replica, "state", state);
    return replica_put(c, who, replica, CATALOG_ANY, error);
}

bool
replica_set(struct cluster *c, const char *who, const char *name,
            const struct replica_wish *wish, const char *state, struct sql_error *error)
{
    struct job job;
    json_t    *replica;
    bool       ok;

    if (!replica_check_wish(wish, error) || !is_state(state, error) ||
        !job_begin(&job, c, "replica", who, "change a replica", "", "", error))
        return false;
    replica = cluster_replica(c, name);
    ok      = replica ? change(c, who, replica, wish, state, error) : no_replica(name, error);
    json_decref(replica);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* One that another one takes the place of goes when the catalog has the other one. */
static bool
finish(struct cluster *c, const json_t *undo, struct err *err)
{
    const json_t *instead = json_object_get(undo, "instead");
    json_t       *known = instead ? cluster_replica_by_id(c, model_number(instead, "id")) : NULL;
    bool          ok    = !instead || known || cluster_remove_server(c, instead, false, err);

    json_decref(known);
    return ok;
}

enum job_state
replica_resume(struct cluster *c, json_t *record, struct sql_error *error)
{
    const json_t *undo   = json_object_get(record, "undo"), *made = json_object_get(undo, "made");
    bool          remove = strcmp(model_text(record, "what"), REPLICA_REMOVE) == 0;
    json_t       *known  = undo ? cluster_replica_by_id(c, model_number(undo, "id")) : NULL;
    struct err    err;
    bool          there = known != NULL, ok;

    json_decref(known);
    if (!undo || (there && remove))
        return JOB_FAILED;
    ok = there ? finish(c, undo, &err)
               : replica_seed_clean(c, made, &err) && cluster_remove_server(c, made, false, &err);
    if (ok)
        return remove || there ? JOB_DONE : JOB_FAILED;
    job_fail(error, &err);
    return JOB_STUCK;
}

enum job_state
replica_restart_resume(struct cluster *c, const json_t *record, struct sql_error *error)
{
    const json_t          *undo    = json_object_get(record, "undo");
    json_t                *replica = cluster_replica_by_id(c, model_number(undo, "id"));
    struct catalog_change *change;
    char                   id[24];
    bool                   ok;

    if (!replica || strcmp(model_text(replica, "state"), states[1]) != 0) {
        json_decref(replica);
        return JOB_FAILED;
    }
    snprintf(id, sizeof(id), "%lld", (long long)model_number(undo, "id"));
    model_set(replica, "state", model_text(undo, "state"));
    change = catalog_begin(c->catalog, "controller");
    catalog_put(change, CATALOG_REPLICA, id, replica, CATALOG_ANY);
    cluster_bump(c, change, "generation");
    ok = job_commit(change, error);
    json_decref(replica);
    return ok ? JOB_FAILED : JOB_STUCK;
}

/* --- for people ------------------------------------------------------------------------- */

void
replica_look(const json_t *replica, json_t *out)
{
    struct server             s = { .answer_s = LOOK_S };
    struct replication_status status;
    struct sql_error          error;
    const char               *suspect = model_text(replica, "suspect");
    bool ok = !suspect[0] && server_open(&s, replica, &error) &&
              replication_status(&s, &status, &error);

    server_close(&s);
    json_object_set_new(out, "answers", json_boolean(ok));
    if (!ok) {
        model_set(out, "problem", suspect[0] ? suspect : error.message);
        return;
    }
    json_object_set_new(out, "replicates", json_boolean(status.io && status.sql));
    json_object_set_new(out, "lag_s", status.behind_s >= 0 ? json_integer(status.behind_s)
                                                           : json_null());
    if (!status.configured)
        model_set(out, "problem", "it does not replicate");
    else if (status.problem[0])
        model_set(out, "problem", status.problem);
}
