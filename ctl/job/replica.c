/* replica.c - see replica.h. */
#include "ctl/job/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/failpoint.h"
#include "ctl/provision/replication.h"

enum { READY_MS = 60000, CATCH_UP_S = 600, ARRIVE_S = 30, LOOK_S = 2 };

static const char *const states[] = { "serving", "draining", "disabled" };

/* --- who it is ------------------------------------------------------------------- */

static bool
is_name_free(struct cluster *c, const char *name, struct sql_error *error)
{
    json_t *replica = cluster_replica(c, name);
    bool    is      = !replica;

    json_decref(replica);
    return is || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is a replica named %s "
                               "already; choose another name", name);
}

static bool
has_room(struct cluster *c, int64_t shard, struct sql_error *error)
{
    json_t *all = cluster_replicas(c, shard);
    size_t  n   = json_array_size(all);

    json_decref(all);
    return n < ROUTES_SHARD_REPLICAS_MAX ||
           sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: a shard has %d replicas at most",
                         ROUTES_SHARD_REPLICAS_MAX);
}

static bool
check_wish(const struct replica_wish *wish, struct sql_error *error)
{
    if (wish->weight < 0 || wish->weight > ROUTES_WEIGHT_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a weight is 1 to %d",
                             ROUTES_WEIGHT_MAX);
    if (wish->zone && strlen(wish->zone) > ROUTES_ZONE_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a zone has %d bytes at most",
                             ROUTES_ZONE_MAX);
    return true;
}

static void
set_wish(json_t *replica, const struct replica_wish *wish)
{
    if (wish->weight > 0)
        json_object_set_new(replica, "weight", json_integer(wish->weight));
    if (wish->zone)
        model_set(replica, "zone", wish->zone);
}

/* Its object, with names and without a server. */
static json_t *
new_replica(struct cluster *c, const json_t *shard, const struct replica_wish *wish,
            struct sql_error *error)
{
    int64_t number = cluster_number(c, "next_replica");
    char    name[32];
    json_t *replica;

    if (number == 0) /* a catalog of before there were any */
        number = cluster_number(c, "next_replica");
    snprintf(name, sizeof(name), "replica-%lld", (long long)number);
    replica = json_pack("{s:I, s:O, s:s, s:s, s:i, s:s}", "id",
                        (json_int_t)(ROUTES_REPLICA_ID + number), "shard",
                        json_object_get(shard, "id"), "name", wish->name[0] ? wish->name : name,
                        "state", states[0], "weight", 1, "zone", "");
    set_wish(replica, wish);
    if (has_room(c, model_number(shard, "id"), error) &&
        is_name_free(c, model_text(replica, "name"), error))
        return replica;
    json_decref(replica);
    return NULL;
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

/* --- add: a server of ours ------------------------------------------------------------- */

/* The account is made on the primary first: the copy has it then. */
static bool
prepare_primary(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    char          secret[USER_SECRET_LEN + 1];
    struct err    err;
    bool          ok;

    if (!replica_secret(c, secret, sizeof(secret), &err))
        return job_fail(error, &err);
    ok = server_open(&s, shard, error) && replication_account(&s, secret, error);
    server_close(&s);
    return ok;
}

/* From the copy's position on; what it had of a binary log is another server's history. */
static bool
follow(struct cluster *c, const json_t *shard, const json_t *replica, const char *position,
       struct sql_error *error)
{
    struct server s = { .mysql = NULL }, primary = { .mysql = NULL };
    char          secret[USER_SECRET_LEN + 1], now[REPLICATION_POSITION_MAX];
    struct err    err;
    bool          ok;

    if (!replica_secret(c, secret, sizeof(secret), &err))
        return job_fail(error, &err);
    ok = server_open(&s, replica, error) && server_run(&s, error, "RESET MASTER") &&
         server_run(&s, error, "SET GLOBAL gtid_binlog_state = %s", server_text(position)) &&
         replication_semi_sync(&s, false, true, error) &&
         replication_follow(&s, shard, secret, position, error) &&
         server_open(&primary, shard, error) &&
         server_value(&primary, now, sizeof(now), error, "SELECT @@gtid_binlog_pos") &&
         replica_catch_up(&s, now, CATCH_UP_S, error);
    server_close(&s);
    server_close(&primary);
    return ok;
}

static bool
make_local(struct job *job, const json_t *shard, json_t *replica, struct sql_error *error)
{
    struct cluster    *c = job->cluster;
    struct provisioned p = provision_of(c, replica);
    char               position[REPLICATION_POSITION_MAX];
    struct err         err;

    failpoint("replica-planned");
    if (!p.by->create(&p, &err) ||
        !replica_seed(shard, replica, position, sizeof(position), &err))
        return job_fail(error, &err);
    job_note(job, "copied as of %.150s", position);
    failpoint("replica-copied");
    if (!job_write(job, error))
        return false;
    if (!p.by->start(&p, &err) || !p.by->wait_ready(&p, READY_MS, &err)) {
        if (!p.by->destroy(&p, false, &err))
            log_warn("%s", err.text);
        return job_fail(error, &err);
    }
    job_note(job, "started");
    failpoint("replica-started");
    if (!job_write(job, error) || !follow(c, shard, replica, position, error)) {
        if (!p.by->destroy(&p, false, &err))
            log_warn("%s", err.text);
        return false;
    }
    p.by->keep(&p);
    job_note(job, "caught up");
    failpoint("replica-caught-up");
    return true;
}

static bool
can_be_copied(const json_t *shard, struct sql_error *error)
{
    return strcmp(model_text(shard, "provisioner"), "local") == 0 ||
           sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server of shard %s is not one that "
                         "the provisioner local has made, so its files cannot be copied from here; "
                         "make a replica of it yourself, and name it with --provisioner static "
                         "--address HOST:PORT", model_text(shard, "name"));
}

static bool
plan_local(struct job *job, const json_t *shard, json_t *replica, struct sql_error *error)
{
    static const struct provision_wish plain = { "local", "", "" };
    struct err                         err;

    if (!can_be_copied(shard, error))
        return false;
    if (!provision_plan(job->cluster, &plain, replica, &err))
        return job_fail(error, &err);
    json_object_set_new(job->record, "undo",
                        json_pack("{s:O, s:o}", "id", json_object_get(replica, "id"), "made",
                                  provision_trace(replica)));
    return prepare_primary(job->cluster, shard, error) && job_write(job, error);
}

/* --- the job ------------------------------------------------------------------------- */

/* The lock was given back for the copying: is the shard still what was copied? */
static bool
is_as_before(const json_t *now, const json_t *before, struct sql_error *error)
{
    return (now && model_server_id(now) == model_server_id(before)) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: shard %s has another server now; "
                         "try it again", model_text(before, "name"));
}

/* Where commits wait for a replica they have to before this one counts as one that has them. */
static bool
begin_to_wait(const json_t *shard, const json_t *replica, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    char          now[REPLICATION_POSITION_MAX];
    bool          ok;

    if (!model_flag(shard, "semi_sync"))
        return true;
    ok = server_open(&s, shard, error) && replication_semi_sync(&s, true, true, error) &&
         server_value(&s, now, sizeof(now), error, "SELECT @@gtid_binlog_pos");
    server_close(&s);
    ok = ok && server_open(&s, replica, error) && replica_catch_up(&s, now, ARRIVE_S, error);
    server_close(&s);
    return ok;
}

/* In the catalog, while nobody changes roles. */
static bool
record(struct cluster *c, const char *who, const json_t *before, json_t *replica,
       struct sql_error *error)
{
    json_t *shard = cluster_shard_by_id(c, model_number(before, "id"));
    bool    ok;

    pthread_mutex_lock(&c->roles_lock);
    ok = is_as_before(shard, before, error) && begin_to_wait(shard, replica, error) &&
         replica_put(c, who, replica, CATALOG_NEW, error);
    pthread_mutex_unlock(&c->roles_lock);
    json_decref(shard);
    return ok;
}

static bool
add_local(struct job *job, const char *who, const json_t *shard, json_t *replica,
          struct sql_error *error)
{
    struct cluster *c = job->cluster;
    struct err      err;
    bool            ok = plan_local(job, shard, replica, error);

    job_release(job);
    if (!ok)
        return false;
    ok = make_local(job, shard, replica, error);
    pthread_mutex_lock(&c->change_lock);
    ok = ok && record(c, who, shard, replica, error);
    pthread_mutex_unlock(&c->change_lock);
    if (ok)
        return true;
    if (!cluster_remove_server(c, replica, false, &err))
        log_warn("replica %s, which could not be made: %s", model_text(replica, "name"),
                 err.text);
    return false;
}

static bool
add_static(struct job *job, const char *who, const json_t *shard, json_t *replica,
           const struct replica_wish *wish, struct sql_error *error)
{
    bool ok = prepare_primary(job->cluster, shard, error) &&
              replica_adopt(job->cluster, shard, replica, wish, error);

    ok = ok && record(job->cluster, who, shard, replica, error);
    job_release(job);
    return ok;
}

static bool
add(struct job *job, const char *who, const char *name, const struct replica_wish *wish,
    struct sql_error *error)
{
    struct cluster *c       = job->cluster;
    json_t         *shard   = cluster_shard(c, name);
    json_t         *replica = shard ? new_replica(c, shard, wish, error) : NULL;
    bool            exists  = strcmp(wish->provisioner, "static") == 0;
    bool            ok      = replica != NULL;

    if (!shard)
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is no shard %s; see 'shardctl shard "
                      "list'", name);
    if (!ok)
        job_release(job);
    else
        ok = exists ? add_static(job, who, shard, replica, wish, error)
                    : add_local(job, who, shard, replica, error);
    json_decref(shard);
    json_decref(replica);
    return ok;
}

bool
replica_add(struct cluster *c, const char *who, const char *shard,
            const struct replica_wish *wish, struct sql_error *error)
{
    struct job  job;
    const char *by = wish->provisioner;
    bool        ok;

    if (by[0] && strcmp(by, "local") != 0 && strcmp(by, "static") != 0)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: replicas are made by the "
                             "provisioner local, or are there already (static); make a %.20s one "
                             "yourself, and name it with --provisioner static", by);
    if (!check_wish(wish, error) || !job_begin(&job, c, "replica", who, REPLICA_ADD, "", "", error))
        return false;
    ok = add(&job, who, shard, wish, error);
    job_close(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
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
    set_wish(replica, wish);
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

    if (!check_wish(wish, error) || !is_state(state, error) ||
        !job_begin(&job, c, "replica", who, "change a replica", "", "", error))
        return false;
    replica = cluster_replica(c, name);
    ok      = replica ? change(c, who, replica, wish, state, error) : no_replica(name, error);
    json_decref(replica);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

enum job_state
replica_resume(struct cluster *c, json_t *record, struct sql_error *error)
{
    const json_t *undo   = json_object_get(record, "undo");
    bool          remove = strcmp(model_text(record, "what"), REPLICA_REMOVE) == 0;
    json_t       *known  = undo ? cluster_replica_by_id(c, model_number(undo, "id")) : NULL;
    struct err    err;
    bool          there = known != NULL;

    json_decref(known);
    if (!undo || there)
        return there && !remove ? JOB_DONE : JOB_FAILED;
    if (cluster_remove_server(c, json_object_get(undo, "made"), false, &err))
        return remove ? JOB_DONE : JOB_FAILED;
    job_fail(error, &err);
    return JOB_STUCK;
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
