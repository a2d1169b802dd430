/* roles.c - servers are made to be what the catalog says they are. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/failover/failover.h"
#include "ctl/failover/relax.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/replication.h"

enum { ANSWER_S = 3, CATCH_UP_S = 60 };

bool
roles_wait(struct cluster *c, const json_t *shard)
{
    json_t *all = cluster_replicas(c, model_number(shard, "id")), *one;
    bool    any = false;
    size_t  i;

    json_array_foreach(all, i, one)
        any = any || !model_text(one, "suspect")[0];
    json_decref(all);
    return any && model_flag(shard, "semi_sync");
}

bool
roles_open(struct cluster *c, struct server *s, bool waits, struct sql_error *error)
{
    return replication_stop(s, error) && replication_semi_sync(s, true, false, error) &&
           claim_primary(s, c, error) && replication_semi_sync(s, true, waits, error) &&
           replication_promote(s, error);
}

/* A primary that was closed: whoever was there before is to know that we have opened it. Commits
 * may wait for replicas that do not follow it yet, so it is not logged: the resolver says it once
 * more. */
static bool
claim_alone(struct cluster *c, struct server *s, struct sql_error *error)
{
    struct claim_holder row;

    return claim_read(s, c, &row, error) &&
           (!row.is || (server_run(s, error, "SET SESSION sql_log_bin = 0") &&
                        claim_primary(s, c, error) &&
                        server_run(s, error, "SET SESSION sql_log_bin = 1")));
}

static bool
keep_primary(struct cluster *c, struct server *s, const json_t *shard, struct sql_error *error)
{
    struct replication_status status;
    struct replication_facts  facts;
    bool                      waits = roles_wait(c, shard);
    char                      is[8];

    if (!replication_status(s, &status, error) || !replication_facts(s, &facts, error) ||
        !server_value(s, is, sizeof(is), error, "SELECT @@rpl_semi_sync_master_enabled"))
        return false;
    if (status.configured)
        return roles_open(c, s, waits, error);
    if (waits != (strcmp(is, "1") == 0) && !replication_semi_sync(s, true, waits, error))
        return false;
    return !facts.read_only ||
           (claim_alone(c, s, error) && replication_promote(s, error));
}

static bool
follows(const struct replication_status *status, const json_t *shard)
{
    return status->configured && status->port == (int)model_number(shard, "port") &&
           strcmp(status->host, model_text(shard, "host")) == 0;
}

/* Its applier would wait for replicas of its own: settings that are a primary's may say so. */
static bool
wait_no_more(struct server *s, struct sql_error *error)
{
    char is[8];

    return server_value(s, is, sizeof(is), error, "SELECT @@rpl_semi_sync_master_enabled") &&
           (strcmp(is, "0") == 0 || replication_semi_sync(s, true, false, error));
}

static bool
keep_replica(struct server *s, const json_t *shard, const char *secret, struct sql_error *error)
{
    struct replication_status status;
    struct gtid_set           all;
    char                      position[GTID_TEXT_MAX];

    if (!replication_status(s, &status, error) || !wait_no_more(s, error))
        return false;
    if (follows(&status, shard))
        return !status.io_stopped || server_run(s, error, "START SLAVE IO_THREAD");
    if (!replication_freeze(s, error) || !replication_semi_sync(s, false, true, error) ||
        (!status.configured && !replication_all(s, &all, error))) /* it was a primary until now */
        return false;
    if (!status.configured)
        gtid_print(&all, position);
    return replication_follow(s, shard, secret, status.configured ? NULL : position, error);
}

static bool
keep_one(struct cluster *c, const json_t *server, const json_t *shard, const char *secret,
         struct sql_error *error)
{
    struct server s  = { .answer_s = ANSWER_S };
    bool          ok = server_open(&s, server, error) && claim_possible(&s, c, error) &&
              (secret ? keep_replica(&s, shard, secret, error)
                      : keep_primary(c, &s, shard, error));

    server_close(&s);
    return ok;
}

/* One that does not answer keeps none of the others from what it needs. */
static bool
keep_replicas(struct cluster *c, const json_t *shard, const char *secret, struct sql_error *error)
{
    json_t          *all = cluster_replicas(c, model_number(shard, "id")), *one;
    struct sql_error later;
    bool             ok = true;
    size_t           i;

    json_array_foreach(all, i, one)
        if (!model_text(one, "suspect")[0] &&
            !keep_one(c, one, shard, secret, ok ? error : &later))
            ok = false;
    json_decref(all);
    return ok;
}

/* The primary first: a replica cannot follow one that is still a replica of its own. */
bool
roles_keep(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    char       secret[USER_SECRET_LEN + 1];
    struct err err;

    return (replica_secret(c, secret, sizeof(secret), &err) || job_fail(error, &err)) &&
           keep_one(c, shard, shard, NULL, error) && keep_replicas(c, shard, secret, error);
}

/* --- commits that wait -------------------------------------------------------------- */

/* From now on they wait, and all that was committed before has arrived. */
bool
roles_begin_to_wait(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    json_t       *all = cluster_replicas(c, model_number(shard, "id")), *one;
    struct server s   = { .answer_s = ANSWER_S };
    char          now[GTID_TEXT_MAX];
    bool          ok = server_open(&s, shard, error) &&
              replication_semi_sync(&s, true, true, error) &&
              server_value(&s, now, sizeof(now), error, "SELECT @@gtid_binlog_pos");
    size_t        i;

    server_close(&s);
    json_array_foreach(all, i, one) {
        s = (struct server){ .mysql = NULL };
        ok = ok && (model_text(one, "suspect")[0] ||
                    (server_open(&s, one, error) && replica_catch_up(&s, now, CATCH_UP_S, error)));
        server_close(&s);
    }
    json_decref(all);
    return ok;
}

/* When a server is started again its first commits would not wait, unless its own settings say so,
 * or that it is read_only: then it is opened when they wait. */
static bool
starts_waiting(struct cluster *c, const json_t *server, struct sql_error *error)
{
    struct provisioned p    = provision_of(c, (json_t *)(uintptr_t)server);
    struct server      s    = { .answer_s = ANSWER_S };
    char               n[8] = "";
    bool               ok;

    if (provision_is_ours(&p) && p.by->renew)
        return true;
    ok = server_open(&s, server, error) &&
         server_value(&s, n, sizeof(n), error,
                      "SELECT SUM(CASE VARIABLE_NAME"
                      " WHEN 'READ_ONLY' THEN 3 * (GLOBAL_VALUE = 'ON')"
                      " WHEN 'RPL_SEMI_SYNC_MASTER_ENABLED' THEN GLOBAL_VALUE = 'ON'"
                      " WHEN 'RPL_SEMI_SYNC_MASTER_WAIT_POINT' THEN GLOBAL_VALUE = 'AFTER_SYNC'"
                      " WHEN 'RPL_SEMI_SYNC_MASTER_TIMEOUT' THEN"
                      "  CAST(GLOBAL_VALUE AS UNSIGNED) >= 86400000 ELSE 0 END)"
                      " FROM information_schema.SYSTEM_VARIABLES"
                      " WHERE GLOBAL_VALUE_ORIGIN IN ('CONFIG', 'COMMAND-LINE')");
    server_close(&s);
    if (ok && atoi(n) < 3)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: started again, the server %s would "
                             "answer its first commits without waiting for a replica: put "
                             "rpl_semi_sync_master_enabled=ON, "
                             "rpl_semi_sync_master_wait_point=AFTER_SYNC and "
                             "rpl_semi_sync_master_timeout=604800000 (a replica: read_only=ON) "
                             "into its settings, and restart it", model_text(server, "name"));
    return ok;
}

/* Whoever may be the primary one day. */
static bool
all_start_waiting(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    json_t *all = cluster_replicas(c, model_number(shard, "id")), *one;
    bool    ok  = starts_waiting(c, shard, error);
    size_t  i;

    json_array_foreach(all, i, one)
        ok = ok && (model_text(one, "suspect")[0] || starts_waiting(c, one, error));
    json_decref(all);
    return ok;
}

static bool
set_semi_sync(struct cluster *c, const char *who, json_t *shard, bool on, struct sql_error *error)
{
    struct catalog_change *change;
    struct sql_error       ignored;
    char                   id[24];

    if (on && !all_start_waiting(c, shard, error))
        return false;
    json_object_set_new(shard, "semi_sync", json_boolean(on));
    if (on && roles_wait(c, shard) && !roles_begin_to_wait(c, shard, error)) {
        json_object_set_new(shard, "semi_sync", json_false());
        if (!roles_keep(c, shard, &ignored))
            log_warn("shard %s: %s", model_text(shard, "name"), ignored.message);
        return false;
    }
    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    change = catalog_begin(c->catalog, who);
    catalog_put(change, CATALOG_SHARD, id, shard, CATALOG_ANY);
    if (!job_commit(change, error))
        return false;
    cluster_renew(c, shard);
    return roles_keep(c, shard, error);
}

bool
roles_set_semi_sync(struct cluster *c, const char *who, const char *name, bool on,
                    struct sql_error *error)
{
    struct job job;
    json_t    *shard;
    bool       ok;

    if (!job_begin(&job, c, "shard", who, on ? "have commits wait for a replica"
                                             : "do not have commits wait", "", "", error))
        return false;
    shard = cluster_need_shard(c, name, error);
    pthread_mutex_lock(&c->roles_lock);
    ok = shard && set_semi_sync(c, who, shard, on, error);
    pthread_mutex_unlock(&c->roles_lock);
    json_decref(shard);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

bool
roles_set(struct cluster *c, const char *who, const char *name, const char *key, const char *how,
          struct sql_error *error)
{
    struct catalog_change *change;
    struct job             job;
    json_t                *shard;
    char                   id[24];
    bool                   ok;

    if (!job_begin(&job, c, "shard", who, "say how a primary is replaced", "", "", error))
        return false;
    shard = cluster_need_shard(c, name, error);
    ok    = shard != NULL;
    if (ok) {
        model_set(shard, key, how);
        snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
        change = catalog_begin(c->catalog, who);
        catalog_put(change, CATALOG_SHARD, id, shard, CATALOG_ANY);
        ok = job_commit(change, error);
    }
    json_decref(shard);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

static bool
has_replicas(struct cluster *c, const json_t *shard)
{
    json_t *all = cluster_replicas(c, model_number(shard, "id"));
    bool    has = json_array_size(all) > 0 || model_number(shard, "epoch") > 0;

    json_decref(all);
    return has;
}

bool
roles_keep_all(struct cluster *c, bool first, bool loud)
{
    json_t          *all = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char      *id;
    struct sql_error error;
    bool             ok = true, kept;

    relax_end_all(c);
    /* At the start a change may have been interrupted that the catalog says nothing of. */
    json_object_foreach(all, id, shard) {
        if (!(first ? has_replicas(c, shard) : model_number(shard, "epoch") > 0 ||
                                               model_flag(shard, "semi_sync")))
            continue;
        kept = roles_keep(c, shard, &error);
        if (!kept && loud)
            log_warn("shard %s: its servers are not all as they should be: %s",
                     model_text(shard, "name"), error.message);
        ok = ok && kept;
    }
    json_decref(all);
    return ok;
}
