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
#include "ctl/failover/branches.h"
#include "ctl/failover/failover_step.h"
#include "ctl/failover/mend.h"
#include "ctl/failover/relax.h"
#include "ctl/job/replica_step.h"
#include "ctl/move/run.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/failpoint.h"

enum {
    ANSWER_S  = 5,
    FREEZE_S  = 1,
    APPLY_S   = 60,
    STEP_S    = 1,
};

/* One of those that could take the place. */
struct candidate {
    json_t         *replica; /* borrowed */
    struct server   s;
    struct gtid_set has; /* applied, or got */
    struct gtid_set applied;
    char            position[GTID_TEXT_MAX];
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
    fence_put_over(change, &fence);
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
look(struct cluster *c, struct candidate *k, struct sql_error *error)
{
    struct gtid_set got;
    char            applied[GTID_TEXT_MAX], io[GTID_TEXT_MAX];

    k->s = (struct server){ .answer_s = ANSWER_S };
    if (!server_open(&k->s, k->replica, error) || !claim_possible(&k->s, c, error) ||
        !server_run(&k->s, error, "STOP SLAVE IO_THREAD") ||
        !server_value(&k->s, applied, sizeof(applied), error, "SELECT @@gtid_slave_pos") ||
        !replication_got(&k->s, io, sizeof(io), error))
        return false;
    if (!gtid_parse(&k->applied, applied) || !gtid_parse(&k->has, applied) ||
        !gtid_parse(&got, io) || !gtid_join(&k->has, &got))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the position of %s cannot be read",
                             k->s.name);
    gtid_print(&k->has, k->position);
    return true;
}

/* It may have what the others have not, and cannot follow one of them then. */
static void
leave_out(struct failover *f, json_t *replica)
{
    char why[200];

    snprintf(why, sizeof(why), "it did not answer when %s had another server take its primary's "
             "place", f->who);
    log_warn("shard %s: replica %s does not answer, and is left out", model_text(f->shard, "name"),
             model_text(replica, "name"));
    model_set(replica, "suspect", why);
    if (!f->left_out)
        f->left_out = json_array();
    json_array_append(f->left_out, replica);
    f->may_be_lost = true;
}

/* Each of them may be the only one that has confirmed a commit: all have to be asked. */
static bool
look_at_all(struct failover *f, json_t *all, bool force, struct candidate *list, size_t *n)
{
    json_t *one;
    size_t  i;

    json_array_foreach(all, i, one) {
        if (model_text(one, "suspect")[0])
            continue;
        list[*n] = (struct candidate){ .replica = one };
        if (look(f->c, &list[*n], f->error)) {
            (*n)++;
            continue;
        }
        server_close(&list[*n].s);
        if (!force)
            return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %.64s has no primary, "
                                 "and replica %.64s, which may be the only one with the last "
                                 "commits, does not answer; start it again, or have it left out "
                                 "with 'shardctl failover --force'",
                                 model_text(f->shard, "name"), model_text(one, "name"));
        leave_out(f, one);
    }
    return *n > 0 || sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %s has no replica "
                                   "that could become its primary", model_text(f->shard, "name"));
}

/* Of two that have all, statements wait for less with the one that has applied more. */
static bool
is_better(const struct candidate *one, const struct candidate *than)
{
    return !than || (gtid_has_all(&one->applied, &than->applied) &&
                     !gtid_has_all(&than->applied, &one->applied));
}

/* They have parts of one history, so one of them has all that any has. */
static bool
pick(struct failover *f, struct candidate *list, size_t n, const char *to)
{
    struct candidate *best = NULL, *wanted = NULL;
    bool              there = !to[0];

    for (size_t i = 0; i < n; i++) {
        bool most = true, named = strcmp(model_text(list[i].replica, "name"), to) == 0;

        for (size_t k = 0; k < n; k++)
            most = most && gtid_has_all(&list[i].has, &list[k].has);
        if (most && is_better(&list[i], best))
            best = &list[i];
        if (most && named)
            wanted = &list[i];
        there = there || named;
    }
    best = wanted ? wanted : best;
    if (!there)
        return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %.64s has no replica "
                             "%.64s that could become its primary; see 'shardctl replica list'",
                             model_text(f->shard, "name"), to);
    if (best && to[0] && strcmp(model_text(best->replica, "name"), to) != 0)
        return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: replica %.64s lacks what %.64s "
                             "has; take that one, or say none", to,
                             model_text(best->replica, "name"));
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
choose(struct failover *f, const struct failover_wish *wish)
{
    json_t           *all = cluster_replicas(f->c, model_number(f->shard, "id"));
    struct candidate  list[ROUTES_SHARD_REPLICAS_MAX + 1];
    size_t            n  = 0;
    bool              ok = look_at_all(f, all, wish->force, list, &n) &&
              pick(f, list, n, wish->to);
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

/* All that it got. A branch that only the replica has may be in the way. */
static bool
apply_all(struct failover *f)
{
    struct replication_status status;
    uint64_t                  until = clock_us() + APPLY_S * 1000000ull;

    while (!replication_wait(&f->chosen, f->position, STEP_S, f->error)) {
        if (f->error->code != SQL_UNKNOWN_ERROR || clock_us() > until ||
            !replication_status(&f->chosen, &status, f->error))
            return false;
        if (status.sql)
            branches_unblock(f->c, &f->chosen);
        else if (!mend_applier(f->c, &f->chosen, &status))
            return sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: replica %.64s, which has "
                                 "most, does not apply it: %.255s", f->chosen.name, status.problem);
    }
    return true;
}

/* Where it has much to apply it may hurry; one that keeps less of what it does than ours do is left
 * as it is. */
static bool
apply(struct failover *f)
{
    struct sql_error later;
    char             as[16];
    bool             hurries, ok;

    if (replication_wait(&f->chosen, f->position, STEP_S, f->error))
        return true;
    hurries = server_value(&f->chosen, as, sizeof(as), f->error,
                           "SELECT @@sync_binlog * 10 + @@innodb_flush_log_at_trx_commit") &&
              strcmp(as, "11") == 0 && relax_begin(f->c, &f->chosen, RELAX_DISK, f->error);
    ok = apply_all(f);
    return (!hurries || relax_end(f->c, &f->chosen, RELAX_DISK, ok ? f->error : &later)) && ok;
}

static bool
take_over(struct failover *f)
{
    struct err err;
    char       suspect[256], when[64];
    time_t     now = time(NULL);
    struct tm  utc;

    if (!apply(f))
        return false;
    failpoint("failover-applied");
    gmtime_r(&now, &utc);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &utc);
    snprintf(suspect, sizeof(suspect), "it was replaced at %s: %.150s", when, f->why);
    if (!failover_record(f, suspect, f->error))
        return false;
    failpoint("failover-taken");
    if (!failover_open(f, f->error))
        log_error("shard %s: its new primary is not open yet: %s", model_text(f->shard, "name"),
                  f->error->message);
    failpoint("failover-taken-open");
    if (!publish_now(f->c->publisher, PUBLISH_WAIT_MS, NULL, &err))
        log_error("%s", err.text);
    failpoint("failover-taken-published");
    return true;
}

/* As it was: the server is waited for. */
static void
give_up(struct failover *f)
{
    struct err err;

    if (!fence_back(f->c, PUBLISH_WAIT_MS, &err))
        log_error("%s", err.text);
}

static bool
run(struct failover *f, const struct failover_wish *wish)
{
    bool ok = let_go(f);

    failpoint("failover-let-go");
    if (ok)
        freeze_if_it_answers(f);
    ok = ok && choose(f, wish);
    if (ok)
        failpoint("failover-chosen");
    ok = ok && take_over(f);
    if (!ok)
        give_up(f);
    server_close(&f->chosen);
    return ok;
}

static bool
is_safe(struct failover *f, bool force)
{
    if (model_flag(f->shard, "semi_sync"))
        return true;
    f->may_be_lost = true;
    return force ||
           sql_error_set(f->error, SQL_NOT_SUPPORTED, "shardd: the server of shard %s does not "
                         "answer, and its commits did not wait for a replica (see 'shardctl shard "
                         "set --semi-sync on'): those that no replica has got would be lost, so it "
                         "is waited for; 'shardctl failover --force' replaces it all the same",
                         model_text(f->shard, "name"));
}

static json_t *
describe(const struct failover *f)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:f}", "shard", model_text(f->shard, "name"),
                     "from", model_text(f->replica, "name"), "to",
                     model_text(f->shard, "server_name"), "done", true, "may_be_lost",
                     f->may_be_lost, "pause_ms", (double)(clock_us() - f->began_us) / 1000);
}

/* Somebody else may have replaced it while we waited for the locks. */
static bool
is_still(struct failover *f)
{
    json_t *now = cluster_shard_by_id(f->c, model_number(f->shard, "id"));
    bool    is  = now && model_server_id(now) == model_server_id(f->shard);

    if (is) {
        json_decref(f->shard); /* other things of it may have changed */
        f->shard = json_incref(now);
    }
    json_decref(now);
    return is || sql_error_set(f->error, SQL_UNKNOWN_ERROR, "shardd: shard %s has another server "
                               "now", model_text(f->shard, "name"));
}

/* With the locks that whoever changes roles has. */
static json_t *
replace(struct failover *f, const struct failover_wish *wish)
{
    json_t          *answer = NULL;
    struct sql_error later;

    failpoint("failover-held");
    if (is_still(f) && run(f, wish))
        answer = describe(f);
    if (answer)
        failover_note_pause(f, json_real_value(json_object_get(answer, "pause_ms")));
    if (answer && !roles_keep(f->c, f->shard, &later))
        log_warn("shard %s: %s", model_text(f->shard, "name"), later.message);
    return answer;
}

/* Rows that move wait: the move goes on from its record with the server that the shard has then, as
 * after an end of the controller. What its streams have of the one before has to be on that server,
 * see follow_open(). */
static json_t *
hold_and_replace(struct failover *f, const struct failover_wish *wish)
{
    json_t *answer = NULL;

    if (!failover_hold_moves(f->c, f->error))
        return NULL;
    if (job_begin(&f->job, f->c, "failover", f->who, "replace a primary that is lost", "", "",
                  f->error)) {
        pthread_mutex_lock(&f->c->roles_lock);
        answer = replace(f, wish);
        pthread_mutex_unlock(&f->c->roles_lock);
        if (answer)
            job_note(&f->job, "%s: from %s to %s: %s", model_text(answer, "shard"),
                     model_text(answer, "from"), model_text(answer, "to"), f->why);
        job_end(&f->job, answer ? JOB_DONE : JOB_FAILED, f->error);
    }
    moves_release(f->c);
    return answer;
}

json_t *
failover_lost(struct cluster *c, const char *who, const char *shard,
              const struct failover_wish *wish, const char *why, struct sql_error *error)
{
    struct failover f = { .c = c, .error = error, .began_us = clock_us(), .who = who, .why = why };
    json_t         *answer;
    int64_t         old;

    f.shard = cluster_need_shard(c, shard, error);
    if (!f.shard || !is_safe(&f, wish->force)) {
        json_decref(f.shard);
        return NULL;
    }
    f.kind = wish->force ? "forced" : "lost";
    old    = model_server_id(f.shard);
    cluster_hold_local(c, old, true);
    answer = hold_and_replace(&f, wish);
    if (!answer)
        cluster_hold_local(c, old, false);
    json_decref(f.shard);
    json_decref(f.replica);
    json_decref(f.left_out);
    return answer;
}
