/* restart.c - see restart.h. */
#include "ctl/failover/restart.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/failpoint.h"
#include "ctl/provision/patience.h"
#include "ctl/provision/replication.h"

enum {
    DRAIN_MS   = 5000,
    IDLE_MS    = 10000, /* for transactions that only read */
    READY_MS   = 120000,
    CATCH_UP_S = 120,
    LOOK_MS    = 20,
    ANSWER_S   = 5,
};

struct restart {
    struct cluster   *c;
    const char       *who;
    struct job        job;
    json_t           *shard; /* owned; as it is now */
    json_t           *steps; /* owned */
    bool              dry_run;
    struct sql_error *error;
};

static void
step(struct restart *r, const char *what, const char *name)
{
    char text[160];

    snprintf(text, sizeof(text), "%s %.100s", what, name);
    json_array_append_new(r->steps, json_string(text));
    if (!r->dry_run)
        job_note(&r->job, "%s", text);
}

static bool
can_be_restarted(struct restart *r, const json_t *server, const char *name)
{
    struct provisioned p = provision_of(r->c, (json_t *)(uintptr_t)server);

    return (provision_is_ours(&p) && p.by->restart) ||
           sql_error_set(r->error, SQL_NOT_SUPPORTED, "shardd: server %s is not one that shardctl "
                         "has made: restart it yourself, with 'shardctl server drain' before and "
                         "'server enable' behind it ('shardctl failover' makes a primary a "
                         "replica)", name);
}

static const char *
primary_name(const json_t *shard, char own[32])
{
    snprintf(own, 32, "server-%d", model_server_number(shard));
    return model_text(shard, "server_name")[0] ? model_text(shard, "server_name") : own;
}

/* --- one replica ------------------------------------------------------------------------ */

/* Transactions that read there end by themselves; those that do not are cut by the restart. */
static void
wait_until_idle(struct restart *r, const json_t *replica)
{
    struct server    s    = { .answer_s = ANSWER_S };
    struct patience  wait = patience_of(NULL, IDLE_MS, LOOK_MS);
    struct sql_error ignored;
    char             n[16] = "1";

    if (!publish_drained(r->c->publisher, DRAIN_MS))
        log_warn("%s: statements are still under way", model_text(replica, "name"));
    if (server_open(&s, replica, &ignored))
        while (server_value(&s, n, sizeof(n), &ignored,
                            "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN"
                            " information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
                            " WHERE p.USER <> 'system user'") && strcmp(n, "0") != 0 &&
               patience_wait(&wait))
            continue;
    server_close(&s);
}

static bool
wait_ready(struct restart *r, const json_t *replica)
{
    struct patience wait = patience_of(r->c, READY_MS, LOOK_MS);

    do {
        struct server s = { .answer_s = ANSWER_S };

        if (server_open(&s, replica, r->error)) {
            server_close(&s);
            return true;
        }
    } while (patience_wait(&wait));
    return false;
}

static bool
catch_up(struct restart *r, const json_t *replica)
{
    struct server primary = { .answer_s = ANSWER_S }, s = { .mysql = NULL };
    char          now[GTID_TEXT_MAX];
    bool          ok = server_open(&primary, r->shard, r->error) &&
              server_value(&primary, now, sizeof(now), r->error, "SELECT @@gtid_binlog_pos") &&
              server_open(&s, replica, r->error) &&
              replica_catch_up(&s, now, CATCH_UP_S, r->error);

    server_close(&primary);
    server_close(&s);
    return ok;
}

static bool
set_state(struct restart *r, const char *name, const char *state, struct sql_error *error)
{
    static const struct replica_wish same = { .name = "" };

    return replica_set(r->c, r->who, name, &same, state, error);
}

/* What a controller that starts puts back is in the record before anything is changed. */
static bool
restart_replica(struct restart *r, const json_t *replica)
{
    struct provisioned p      = provision_of(r->c, (json_t *)(uintptr_t)replica);
    const char        *name   = model_text(replica, "name"), *state = model_text(replica, "state");
    bool               drains = strcmp(state, "serving") == 0;
    struct sql_error   later;
    struct err         err;
    bool               ok;

    step(r, "restart", name);
    if (r->dry_run)
        return true;
    json_object_set_new(r->job.record, "undo",
                        json_pack("{s:O, s:s}", "id", json_object_get(replica, "id"), "state",
                                  state));
    if (!job_write(&r->job, r->error) || (drains && !set_state(r, name, "draining", r->error)))
        return false;
    wait_until_idle(r, replica);
    failpoint("restart-drained");
    ok = p.by->restart(&p, &err) || job_fail(r->error, &err);
    ok = ok && wait_ready(r, replica) && catch_up(r, replica);
    failpoint("restart-restarted");
    if (drains && !set_state(r, name, state, ok ? r->error : &later))
        return false;
    return ok; /* when both failed the first one is what is told */
}

/* --- all -------------------------------------------------------------------------------- */

static bool
check(struct restart *r, const json_t *replicas)
{
    json_t *one;
    char    own[32];
    size_t  i, n = 0;

    json_array_foreach((json_t *)(uintptr_t)replicas, i, one) {
        if (model_text(one, "suspect")[0])
            continue;
        if (!can_be_restarted(r, one, model_text(one, "name")))
            return false;
        n += strcmp(model_text(one, "state"), "disabled") != 0;
    }
    return can_be_restarted(r, r->shard, primary_name(r->shard, own)) &&
           (n > 0 || sql_error_set(r->error, SQL_NOT_SUPPORTED, "shardd: shard %s has no replica "
                                   "that could take its server's place meanwhile; make one with "
                                   "'shardctl replica add'", model_text(r->shard, "name")));
}

static bool
restart_replicas(struct restart *r, const json_t *replicas)
{
    json_t *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)replicas, i, one)
        if (!model_text(one, "suspect")[0] && !restart_replica(r, one))
            return false;
    return true;
}

/* Its server is a replica then, with the id that it has as a server. */
static bool
restart_primary(struct restart *r)
{
    static const struct failover_wish any = { .to = "" };
    int64_t id = model_server_id(r->shard), shard = model_number(r->shard, "id");
    char    own[32];
    json_t *answer, *replica;
    bool    ok;

    if (r->dry_run) {
        step(r, "switch from", primary_name(r->shard, own));
        step(r, "restart", primary_name(r->shard, own));
        return true;
    }
    answer = failover_switch(r->c, r->who, model_text(r->shard, "name"), &any, r->error);
    if (!answer)
        return false;
    step(r, "switch to", model_text(answer, "to"));
    json_decref(answer);
    failpoint("restart-switched");
    json_decref(r->shard);
    r->shard = cluster_shard_by_id(r->c, shard);
    replica  = cluster_replica_by_id(r->c, id);
    ok       = replica && r->shard
                   ? restart_replica(r, replica)
                   : sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: the server that was the "
                                   "primary has left meanwhile");
    json_decref(replica);
    return ok;
}

static bool
run(struct restart *r, const char *shard)
{
    json_t *replicas;
    bool    ok;

    r->shard = cluster_need_shard(r->c, shard, r->error);
    if (!r->shard)
        return false;
    replicas = cluster_replicas(r->c, model_number(r->shard, "id"));
    ok       = check(r, replicas) && restart_replicas(r, replicas) && restart_primary(r);
    json_decref(replicas);
    return ok;
}

json_t *
restart_shard(struct cluster *c, const char *who, const char *shard, bool dry_run,
              struct sql_error *error)
{
    struct restart r  = { .c = c, .who = who, .dry_run = dry_run, .error = error,
                          .steps = json_array() };
    bool           ok = dry_run || job_begin(&r.job, c, "restart", who,
                                             "restart the servers of a shard", "", "", error);

    if (ok && !dry_run)
        job_release(&r.job);
    if (ok) {
        ok = run(&r, shard);
        if (!dry_run)
            job_close(&r.job, ok ? JOB_DONE : JOB_FAILED, error);
    }
    json_decref(r.shard);
    if (ok)
        return json_pack("{s:s, s:b, s:o}", "shard", shard, "done", !dry_run, "steps", r.steps);
    json_decref(r.steps);
    return NULL;
}
