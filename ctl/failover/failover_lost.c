/* failover_lost.c - a primary that does not answer is replaced; see failover.h.
 *
 * Only where commits wait for a replica (semi_sync): then all that an application was told is done
 * is on one of them, prepared branches included, and the one with most has it. Elsewhere nobody
 * knows what would be lost, and the server is waited for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_step.h"
#include "ctl/job/moving.h"
#include "ctl/job/replica_step.h"
#include "ctl/move/gtid.h"
#include "ctl/provision/failpoint.h"

enum {
    ANSWER_S  = 5,
    FREEZE_S  = 1,
    APPLY_S   = 60,
};

/* One of those that could take the place. */
struct candidate {
    json_t         *replica; /* borrowed */
    struct server   s;
    struct gtid_set has; /* applied, or got */
    char            position[MOVE_POSITION_MAX];
};

/* --- workers let go ------------------------------------------------------------------ */

/* Nobody sends anything there any more, and nobody waits for what was sent. */
static bool
let_go(struct failover *f)
{
    struct catalog_change *change;
    struct fence           fence;
    struct err             err;
    char                   id[24];
    bool                   all = false, ok;

    snprintf(id, sizeof(id), "%lld", (long long)model_number(f->shard, "id"));
    json_object_set_new(f->shard, "epoch", json_integer(model_number(f->shard, "epoch") + 1));
    json_object_set_new(f->shard, "lost", json_true());
    failover_fence(f->c, f->shard, &fence);
    fence.cut = true;
    change    = catalog_begin(f->c->catalog, "controller");
    fence_put(change, &fence);
    failover_fence_fini(&fence);
    catalog_put(change, CATALOG_SHARD, id, f->shard, CATALOG_ANY);
    cluster_bump(f->c, change, "generation");
    if (!job_commit(change, f->error))
        return false;
    ok = publish_now(f->c->publisher, PUBLISH_WAIT_MS, &all, &err);
    if (!ok)
        return job_fail(f->error, &err);
    return all || sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: not every worker has let go "
                                "of the server of shard %s", model_text(f->shard, "name"));
}

/* It may be alive, and only we cannot hear it. One of ours is killed before this. */
static void
freeze_if_it_answers(struct failover *f)
{
    struct sql_error ignored;

    f->old = (struct server){ .answer_s = FREEZE_S };
    if (server_open(&f->old, f->shard, &ignored) && replication_freeze(&f->old, &ignored))
        log_warn("shard %s: its server answers again, and is read_only now",
                 model_text(f->shard, "name"));
    server_close(&f->old);
}

/* --- who has most --------------------------------------------------------------------- */

/* Nothing more comes to it: what it has got is all that it is going to apply. */
static bool
look(struct candidate *k, struct sql_error *error)
{
    struct gtid_set got;
    char            applied[REPLICATION_POSITION_MAX], io[REPLICATION_POSITION_MAX];

    k->s = (struct server){ .answer_s = ANSWER_S };
    if (!server_open(&k->s, k->replica, error) ||
        !server_run(&k->s, error, "STOP SLAVE IO_THREAD") ||
        !server_value(&k->s, applied, sizeof(applied), error, "SELECT @@gtid_slave_pos") ||
        !replication_got(&k->s, io, sizeof(io), error))
        return false;
    if (!gtid_parse(&k->has, applied) || !gtid_parse(&got, io))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the position of %s cannot be read",
                             k->s.name);
    gtid_join(&k->has, &got);
    gtid_print(&k->has, k->position);
    return true;
}

/* Each of them may be the only one that has confirmed a commit: all have to be asked. */
static bool
look_at_all(struct failover *f, json_t *all, struct candidate *list, size_t *n)
{
    json_t *one;
    size_t  i;

    json_array_foreach(all, i, one) {
        if (model_text(one, "suspect")[0])
            continue;
        list[*n] = (struct candidate){ .replica = one };
        if (!look(&list[(*n)++], f->error))
            return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %.64s has no primary, "
                                 "and replica %.64s, which may be the only one with the last "
                                 "commits, does not answer; start it again",
                                 model_text(f->shard, "name"), model_text(one, "name"));
    }
    return *n > 0 || sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %s has no replica "
                                   "that could become its primary", model_text(f->shard, "name"));
}

/* They have parts of one history, so one of them has all that any has. */
static bool
pick(struct failover *f, struct candidate *list, size_t n, const char *to)
{
    struct candidate *best = NULL;

    for (size_t i = 0; i < n; i++) {
        bool most = true, named = strcmp(model_text(list[i].replica, "name"), to) == 0;

        for (size_t k = 0; k < n; k++)
            most = most && gtid_has_all(&list[i].has, &list[k].has);
        if (most && (!best || named))
            best = &list[i];
    }
    if (!best)
        return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: the replicas of shard %s have "
                             "different histories, none has all: look at their gtid_slave_pos",
                             model_text(f->shard, "name"));
    f->replica = json_incref(best->replica);
    f->chosen  = best->s;
    best->s    = (struct server){ .mysql = NULL };
    f->chosen.name = model_text(f->replica, "name");
    memcpy(f->position, best->position, sizeof(best->position));
    return true;
}

static bool
choose(struct failover *f, const char *to)
{
    json_t           *all = cluster_replicas(f->c, model_number(f->shard, "id"));
    struct candidate  list[ROUTES_SHARD_REPLICAS_MAX + 1];
    size_t            n  = 0;
    bool              ok = look_at_all(f, all, list, &n) && pick(f, list, n, to);
    struct sql_error  ignored;

    for (size_t i = 0; i < n; i++) {
        if (!ok && list[i].s.mysql && !server_run(&list[i].s, &ignored, "START SLAVE IO_THREAD"))
            log_warn("%s: %s", list[i].s.name, ignored.message);
        server_close(&list[i].s);
    }
    json_decref(all);
    return ok;
}

/* --- the change ------------------------------------------------------------------------- */

static bool
take_over(struct failover *f, const char *why)
{
    struct err err;
    char       suspect[256], when[64];
    time_t     now = time(NULL);
    struct tm  utc;

    f->chosen.answer_s = APPLY_S;
    if (!replication_wait(&f->chosen, f->position, APPLY_S, f->error))
        return false;
    failpoint("failover-applied");
    gmtime_r(&now, &utc);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &utc);
    snprintf(suspect, sizeof(suspect), "it was replaced at %s: %.150s", when, why);
    if (!failover_record(f, suspect, f->error))
        return false;
    failpoint("failover-taken");
    if (!failover_open(f, f->error))
        log_error("shard %s: its new primary is not open yet: %s", model_text(f->shard, "name"),
                  f->error->message);
    if (!publish_now(f->c->publisher, PUBLISH_WAIT_MS, NULL, &err))
        log_error("%s", err.text);
    return true;
}

/* As it was: the server is waited for. */
static void
give_up(struct failover *f)
{
    struct err err;

    if (!fence_lower(f->c, PUBLISH_WAIT_MS, &err))
        log_error("%s", err.text);
}

static bool
run(struct failover *f, const char *to, const char *why)
{
    bool ok = let_go(f);

    failpoint("failover-let-go");
    if (ok)
        freeze_if_it_answers(f);
    ok = ok && choose(f, to) && take_over(f, why);
    if (!ok)
        give_up(f);
    server_close(&f->chosen);
    return ok;
}

static bool
is_safe(const struct failover *f)
{
    return model_flag(f->shard, "semi_sync") ||
           sql_error_set(f->error, SQL_NOT_SUPPORTED, "shardd: the server of shard %s does not "
                         "answer, and its commits did not wait for a replica (see 'shardctl shard "
                         "set --semi-sync on'): some might be lost, so it is waited for",
                         model_text(f->shard, "name"));
}

json_t *
failover_lost(struct cluster *c, const char *who, const char *shard, const char *to,
              const char *why, struct sql_error *error)
{
    struct failover  f = { .c = c, .error = error, .began_us = clock_us() };
    json_t          *answer = NULL;
    struct sql_error later;

    f.shard = cluster_shard(c, shard);
    if (!f.shard || !is_safe(&f)) {
        if (!f.shard)
            sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is no shard %s", shard);
        json_decref(f.shard);
        return NULL;
    }
    cluster_hold_local(c, model_server_id(f.shard), true);
    if (!job_begin(&f.job, c, "failover", who, "replace a primary that is lost", "", "", error)) {
        cluster_hold_local(c, model_server_id(f.shard), false);
        json_decref(f.shard);
        return NULL;
    }
    int64_t old = model_server_id(f.shard);
    pthread_mutex_lock(&c->roles_lock);
    if (moving_allows_shards(c, "a shard's primary changes", error) && run(&f, to, why))
        answer = json_pack("{s:s, s:s, s:s, s:b, s:f}", "shard", shard, "from",
                           model_text(f.replica, "name"), "to", model_text(f.shard, "server_name"),
                           "done", true, "pause_ms", (double)(clock_us() - f.began_us) / 1000);
    else
        cluster_hold_local(c, old, false);
    if (answer && !roles_keep(c, f.shard, &later))
        log_warn("shard %s: %s", shard, later.message);
    pthread_mutex_unlock(&c->roles_lock);
    if (answer)
        job_note(&f.job, "%s: from %s to %s: %s", shard, model_text(answer, "from"),
                 model_text(answer, "to"), why);
    job_end(&f.job, answer ? JOB_DONE : JOB_FAILED, error);
    json_decref(f.shard);
    json_decref(f.replica);
    return answer;
}
