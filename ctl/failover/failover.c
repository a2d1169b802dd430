/* failover.c - the planned change of a shard's primary; see failover.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_step.h"
#include "ctl/job/replica_step.h"
#include "ctl/move/run.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/failpoint.h"
#include "ctl/provision/patience.h"

enum {
    ANSWER_S    = 10,
    LOCK_S      = 2,
    CATCH_UP_S  = 60, /* before anybody waits */
    FINISH_S    = 3,  /* while statements wait */
    CONNECT_MS  = 10000, /* for a replica to be with its primary */
    LOOK_MS     = 200,
    DRAIN_MS    = 5000,
    MOVES_MS    = 15000, /* for a move to stop: what it asks of a server that hangs breaks off, or
                            times out */
};

/* --- whom ----------------------------------------------------------------------- */

static bool
may_be_primary(const json_t *replica)
{
    return !model_text(replica, "suspect")[0] &&
           strcmp(model_text(replica, "state"), "disabled") != 0;
}

static bool
explain_no_replica(const struct failover *f, const char *to)
{
    const char *shard = model_text(f->shard, "name");

    if (to[0])
        return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %s has no replica %s that "
                             "could become its primary; see 'shardctl replica list'", shard, to);
    return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %s has no replica that could "
                         "become its primary; make one with 'shardctl replica add %s'", shard,
                         shard);
}

/* In the words of `why`, which is the last one's. */
static bool
explain_not_now(const struct failover *f, const struct sql_error *why)
{
    return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: no replica of shard %s replicates: "
                         "%.300s; see 'shardctl replica list'", model_text(f->shard, "name"),
                         why->message);
}

static bool
replicates(struct failover *f, const json_t *one, struct sql_error *why)
{
    struct replication_status status;

    f->chosen = (struct server){ .answer_s = ANSWER_S };
    if (!server_open(&f->chosen, one, why) || !claim_possible(&f->chosen, f->c, why) ||
        !replication_status(&f->chosen, &status, why))
        return false;
    f->behind_s = status.behind_s;
    if (status.io && status.sql)
        return true;
    return sql_error_set(why, SQL_UNKNOWN_ERROR, "%s %s", model_text(one, "name"),
                         status.problem[0] ? status.problem :
                         status.sql ? "is not connected to its primary" : "applies nothing");
}

/* The first that replicates; `asked`: how many could do so. */
static bool
choose_now(struct failover *f, const char *to, size_t *asked, struct sql_error *why)
{
    json_t *all = cluster_replicas(f->c, model_number(f->shard, "id")), *one;
    size_t  i;

    *asked = 0;
    json_array_foreach(all, i, one) {
        if (f->replica || !may_be_primary(one) ||
            (to[0] && strcmp(model_text(one, "name"), to) != 0))
            continue;
        (*asked)++;
        if (replicates(f, one, why))
            f->replica = json_incref(one);
        else
            server_close(&f->chosen);
    }
    json_decref(all);
    return f->replica != NULL;
}

/* The one that is named, or any. One that was just started is about to connect to its primary, or
 * still has to be told to: nobody else sees to that meanwhile, the roles are ours. */
static bool
choose(struct failover *f, const char *to)
{
    struct patience  wait = patience_of(f->c, CONNECT_MS, LOOK_MS);
    struct sql_error why, ignored;
    size_t           asked;

    while (!choose_now(f, to, &asked, &why)) {
        if (asked == 0)
            return explain_no_replica(f, to);
        if (!roles_keep(f->c, f->shard, &ignored))
            log_debug("shard %s: %s", model_text(f->shard, "name"), ignored.message);
        if (!patience_wait(&wait))
            return explain_not_now(f, &why);
    }
    return true;
}

/* --- the fence --------------------------------------------------------------------- */

static json_t *
ranges_of(struct cluster *c, int64_t shard)
{
    json_t *map  = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL), *pair;
    json_t *list = json_array();
    size_t  i;

    json_array_foreach(json_object_get(map, "ranges"), i, pair)
        if (json_integer_value(json_array_get(pair, 1)) == shard)
            json_array_append(list, json_array_get(pair, 0));
    json_decref(map);
    return list;
}

/* Reference tables are written on all shards, global ones on their home. */
static json_t *
tables_of(struct cluster *c, int64_t shard)
{
    json_t     *tables = catalog_all(c->catalog, CATALOG_TABLE), *table;
    json_t     *homes  = catalog_all(c->catalog, CATALOG_DATABASE), *list = json_array();
    const char *name;

    json_object_foreach(tables, name, table) {
        enum table_kind kind = model_kind(model_text(table, "kind"), TABLE_GLOBAL);
        json_t         *home = json_object_get(homes, model_text(table, "database"));

        if (kind == TABLE_REFERENCE ||
            (kind == TABLE_GLOBAL && model_number(home, "home") == shard))
            json_array_append_new(list, json_string_nocheck(name));
    }
    json_decref(tables);
    json_decref(homes);
    return list;
}

void
failover_fence(struct cluster *c, const json_t *shard, struct fence *out)
{
    int64_t id = model_number(shard, "id");

    *out = (struct fence){ .ranges = ranges_of(c, id), .tables = tables_of(c, id),
                           .shards = json_pack("[I]", (json_int_t)id) };
}

void
failover_fence_fini(struct fence *f)
{
    json_decref((json_t *)(uintptr_t)f->ranges);
    json_decref((json_t *)(uintptr_t)f->tables);
    json_decref((json_t *)(uintptr_t)f->shards);
}

/* --- steps -------------------------------------------------------------------------- */

/* Commits are held back, those of whoever may write in spite of read_only too. */
static bool
freeze(struct failover *f)
{
    f->frozen = true;
    return server_run(&f->old, f->error, "SET SESSION lock_wait_timeout = %d", LOCK_S) &&
           replication_freeze(&f->old, f->error) &&
           server_run(&f->old, f->error, "BACKUP STAGE START") &&
           server_run(&f->old, f->error, "BACKUP STAGE BLOCK_COMMIT") &&
           server_value(&f->old, f->position, sizeof(f->position), f->error,
                        "SELECT @@gtid_binlog_pos");
}

static void
thaw(struct failover *f)
{
    struct sql_error ignored;

    if (!f->frozen)
        return;
    server_close(&f->old); /* the locks go with the session */
    f->old = (struct server){ .answer_s = ANSWER_S };
    if (!server_open(&f->old, f->shard, &ignored) ||
        !server_run(&f->old, &ignored, "SET GLOBAL read_only = OFF"))
        log_error("shard %s: its server may still be read_only: %s", model_text(f->shard, "name"),
                  ignored.message);
}

static void
put_replica(struct catalog_change *change, json_t *replica)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(replica, "id"));
    catalog_put(change, CATALOG_REPLICA, id, replica, CATALOG_ANY);
}

static void
note(struct failover *f)
{
    failover_log_add(f->shard, &(struct failover_event){
        .from = model_text(f->replica, "name"), .to = model_text(f->shard, "server_name"),
        .kind = f->kind, .why = f->why, .who = f->who, .may_be_lost = f->may_be_lost });
}

bool
failover_record(struct failover *f, const char *suspect, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(f->c->catalog, "controller");
    char                   before[24], shard[24];
    json_t                *one;
    size_t                 i;

    snprintf(before, sizeof(before), "%lld", (long long)model_number(f->replica, "id"));
    snprintf(shard, sizeof(shard), "%lld", (long long)model_number(f->shard, "id"));
    model_swap_servers(f->shard, f->replica);
    json_object_set_new(f->shard, "epoch", json_integer(model_number(f->shard, "epoch") + 1));
    json_object_set_new(f->shard, "lost", json_boolean(suspect != NULL));
    note(f);
    if (suspect)
        model_set(f->replica, "suspect", suspect);
    catalog_put(change, CATALOG_SHARD, shard, f->shard, CATALOG_ANY);
    catalog_remove(change, CATALOG_REPLICA, before, CATALOG_ANY);
    put_replica(change, f->replica);
    json_array_foreach(f->left_out, i, one)
        put_replica(change, one);
    fence_put_back(change);
    cluster_bump(f->c, change, "generation");
    return job_commit(change, error);
}

bool
failover_open(struct failover *f, struct sql_error *error)
{
    cluster_renew(f->c, f->shard);
    cluster_renew(f->c, f->replica);
    return roles_open(f->c, &f->chosen, roles_wait(f->c, f->shard), error);
}

/* For how long statements waited; where it cannot be written it is not known later. */
void
failover_note_pause(struct failover *f, double pause_ms)
{
    struct catalog_change *change = catalog_begin(f->c->catalog, "controller");
    struct err             err;
    char                   id[24];

    failover_log_pause(f->shard, pause_ms);
    snprintf(id, sizeof(id), "%lld", (long long)model_number(f->shard, "id"));
    catalog_put(change, CATALOG_SHARD, id, f->shard, CATALOG_ANY);
    if (catalog_commit(change, &err) != 0)
        log_warn("%s", err.text);
}

/* From here on there is no way back: what fails is tried again by roles_keep(). */
static void
finish(struct failover *f)
{
    struct sql_error error;
    struct err       err;

    if (!failover_open(f, &error))
        log_error("shard %s: its new primary is not open yet: %s", model_text(f->shard, "name"),
                  error.message);
    failpoint("failover-opened");
    if (!publish_now(f->c->publisher, PUBLISH_WAIT_MS, NULL, &err))
        log_error("%s", err.text);
    failpoint("failover-published");
}

static void
clean_up(struct failover *f)
{
    struct sql_error error;

    if (!publish_drained(f->c->publisher, DRAIN_MS))
        log_warn("shard %s: statements are still under way on its server of before",
                 model_text(f->shard, "name"));
    replication_cut_off(&f->old, model_text(f->replica, "user"));
    server_close(&f->old);
    failpoint("failover-cut-off");
    if (!roles_keep(f->c, f->shard, &error))
        log_warn("shard %s: %s", model_text(f->shard, "name"), error.message);
}

/* While the fence stands. */
static bool
hand_over(struct failover *f)
{
    failpoint("failover-fenced");
    if (!freeze(f) || !replication_wait(&f->chosen, f->position, FINISH_S, f->error))
        return false;
    failpoint("failover-frozen");
    if (!failover_record(f, NULL, f->error))
        return false;
    failpoint("failover-recorded");
    finish(f);
    return true;
}

static bool
run_fenced(struct failover *f, const struct failover_wish *wish)
{
    struct fence   fence;
    struct err     err;
    enum fence_end end;
    bool           ok;

    failover_fence(f->c, f->shard, &fence);
    fence.cut   = wish->cut;
    f->began_us = clock_us();
    end = fence_raise(f->c, &fence, (uint64_t)(wish->wait_ms > 0 ? wish->wait_ms
                                                                  : FAILOVER_WAIT_MS), NULL, &err);
    failover_fence_fini(&fence);
    if (end != FENCE_UP)
        return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: the primary of shard %s stays: "
                             "%.300s; try it again, or with --cut-transactions",
                             model_text(f->shard, "name"), err.text);
    ok = hand_over(f);
    if (ok)
        return true;
    thaw(f);
    if (!fence_lower(f->c, PUBLISH_WAIT_MS, &err))
        log_error("%s", err.text);
    return false;
}

/* Behind by an hour it would hold statements up for an hour. */
static bool
prepare(struct failover *f, const struct failover_wish *wish)
{
    char now[GTID_TEXT_MAX];

    f->old = (struct server){ .answer_s = ANSWER_S };
    return server_open(&f->old, f->shard, f->error) &&
           server_value(&f->old, now, sizeof(now), f->error, "SELECT @@gtid_binlog_pos") &&
           (wish->dry_run || replica_catch_up(&f->chosen, now, CATCH_UP_S, f->error));
}

static json_t *
describe(const struct failover *f, bool done)
{
    const json_t *from = done ? f->replica : f->shard, *to = done ? f->shard : f->replica;
    const char   *name = model_text(f->shard, "server_name");
    char          own[32];

    snprintf(own, sizeof(own), "server-%d", model_server_number(f->shard));
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:f}", "shard", model_text(f->shard, "name"),
                     "from", done ? model_text(from, "name") : name[0] ? name : own, "to",
                     done ? model_text(to, "server_name") : model_text(to, "name"), "done", done,
                     "behind_s", (json_int_t)f->behind_s, "pause_ms",
                     done ? (double)(clock_us() - f->began_us) / 1000 : 0.0);
}

static json_t *
run(struct failover *f, const char *shard, const struct failover_wish *wish)
{
    json_t *answer = NULL;

    f->shard = cluster_need_shard(f->c, shard, f->error);
    if (f->shard && choose(f, wish->to) && prepare(f, wish) &&
        (wish->dry_run || run_fenced(f, wish)))
        answer = describe(f, !wish->dry_run);
    if (answer && !wish->dry_run) {
        failover_note_pause(f, json_real_value(json_object_get(answer, "pause_ms")));
        clean_up(f);
    }
    server_close(&f->old);
    server_close(&f->chosen);
    json_decref(f->shard);
    json_decref(f->replica);
    return answer;
}

/* With the locks that whoever changes roles has. */
static json_t *
change(struct failover *f, const char *shard, const struct failover_wish *wish)
{
    json_t *answer = NULL;

    if (!job_begin(&f->job, f->c, "failover", f->who, wish->dry_run
                       ? "look at a change of the primary" : "change the primary", "", "",
                   f->error))
        return NULL;
    pthread_mutex_lock(&f->c->roles_lock);
    answer = run(f, shard, wish);
    pthread_mutex_unlock(&f->c->roles_lock);
    if (answer)
        job_note(&f->job, "%s: from %s to %s in %.1f ms", shard, model_text(answer, "from"),
                 model_text(answer, "to"), json_real_value(json_object_get(answer, "pause_ms")));
    job_end(&f->job, answer ? JOB_DONE : JOB_FAILED, f->error);
    return answer;
}

bool
failover_hold_moves(struct cluster *c, struct sql_error *error)
{
    return moves_hold(c, MOVES_MS) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the move of rows that is under way "
                         "waits for a server, and has not stopped within %d s: it is to be tried "
                         "again", MOVES_MS / 1000);
}

/* Rows that move wait, and nobody else waits for that. What could not be taken back of a switch of
 * theirs is for the move to end first. */
json_t *
failover_switch(struct cluster *c, const char *who, const char *shard,
                const struct failover_wish *wish, struct sql_error *error)
{
    struct failover f      = { .c = c, .error = error, .kind = "planned", .who = who,
                               .why = "somebody has asked for it" };
    json_t         *answer = NULL;

    if (wish->dry_run)
        return change(&f, shard, wish);
    if (!failover_hold_moves(c, error))
        return NULL;
    if (!fence_stands(c))
        answer = change(&f, shard, wish);
    else
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the rows that move are being switched "
                      "just now; try it again in a moment");
    moves_release(c);
    return answer;
}
