/* cutover.c - the order of a switch, and the way back from each step of it.
 *
 * A step that fails before the journal is undone by cleaning up in reverse order: locks,
 * fence, flows. Connections are opened before the pause begins, and a watchdog shuts them when
 * it is over: no answer of a server that hangs is waited for. From the journal on there is
 * only forward, and no watchdog.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/move/cutover_step.h"
#include "ctl/move/sequences.h"
#include "ctl/provision/failpoint.h"

enum {
    CHANGE_WAIT_S = 5,   /* for a change of the schema that is under way */
    JOURNAL_MS    = 1000, /* what the deciding server gets to answer, pause or not */
    FOLLOW_MS     = 1000, /* what workers get to take over the new routes before the unlock */
    UNKNOWN_TRIES = 5,
    LOCK_TIMEOUT  = 1205,
};

/* --- time ----------------------------------------------------------------- */

unsigned
cutover_left_ms(const struct cutover_run *r)
{
    uint64_t now = clock_us();

    return now < r->until_us ? (unsigned)((r->until_us - now) / 1000) : 0;
}

/* How long each step of the pause took, for the log. */
static void
enter(struct cutover_run *r, const char *name)
{
    uint64_t now = clock_us();

    if (r->began_us != 0)
        buf_printf(&r->times, "%s%s %.1f", buf_len(&r->times) ? ", " : "", r->how->step,
                   (double)(now - r->step_us) / 1000);
    r->step_us = now;
    snprintf(r->how->step, sizeof(r->how->step), "%s", name);
}

bool
cutover_step(struct cutover_run *r, const char *name)
{
    enter(r, name);
    return r->began_us == 0 || cutover_left_ms(r) > 0 ||
           sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: the time was over");
}

static void
shut(struct server *s)
{
    if (s->mysql)
        shutdown(mysql_get_socket(s->mysql), SHUT_RDWR);
}

/* The connections stay what they are while it watches: only their sockets are shut. */
static void *
watch(void *arg)
{
    struct cutover_run *r  = arg;
    struct timespec     at = wake_at_us(r->until_us);

    pthread_mutex_lock(&r->lock);
    while (!r->done && !r->late)
        r->late = pthread_cond_timedwait(&r->wake, &r->lock, &at) == ETIMEDOUT && !r->done;
    if (r->late && r->deciding)
        shut(&r->server[0].work);
    for (size_t i = 0; r->late && !r->deciding && i < r->n_servers; i++) {
        shut(&r->server[i].lock);
        shut(&r->server[i].work);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void
watchdog_start(struct cutover_run *r)
{
    pthread_mutex_init(&r->lock, NULL);
    wake_init(&r->wake);
    r->watching = pthread_create(&r->watchdog, NULL, watch, r) == 0;
}

static void
watchdog_stop(struct cutover_run *r)
{
    if (!r->watching)
        return;
    pthread_mutex_lock(&r->lock);
    r->done = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->watchdog, NULL);
    r->watching = false;
}

/* --- the steps of the pause ----------------------------------------------- */

static bool
raise_fence(struct cutover_run *r)
{
    json_t            *map = catalog_get(r->m->c->catalog, CATALOG_RANGES, "map", NULL);
    struct fence       fence;
    struct fence_times times = { 0 };
    struct err         err   = { .text = "" };
    enum fence_end     end;

    cutover_fence(r->m, map, &fence);
    json_decref(map);
    fence.cut   = r->how->cut_transactions;
    r->began_us = clock_us();
    end         = fence_raise(r->m->c, &fence, r->how->max_pause_ms, &times, &err);
    cutover_fence_fini(&fence);
    r->began_us = times.written_us != 0 ? times.written_us : r->began_us;
    r->until_us = r->began_us + (uint64_t)r->how->max_pause_ms * 1000;
    r->fenced   = end != FENCE_LATE;
    return end == FENCE_UP || job_fail(r->error, &err);
}

/* Is all of `want` in `have`? */
static bool
covers(const char *have, const char *want)
{
    struct gtid_set all, part;

    return gtid_parse(&all, have) && gtid_parse(&part, want) && gtid_has_all(&all, &part);
}

/* A flow that is past F has applied it, and is as good: nothing of ours follows F. `last`: F was
 * read under our lock, which no transaction of ours outlives, when no branch was prepared. */
static bool
hold_one(struct cutover_run *r, struct flow *flow, const char *position, bool last)
{
    struct flow_status status;

    if (!flow_hold(flow, position, cutover_left_ms(r), NULL, r->error)) {
        flow_status(flow, &status);
        if (status.state == FLOW_FAILED || !covers(status.position, position))
            return false;
    }
    flow_status(flow, &status);
    if (status.stashed == 0)
        return true;
    if (last && status.state == FLOW_HELD)
        return flow_forget_lost(flow, cutover_left_ms(r), r->error);
    return sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: %u prepared branches are open in "
                         "the stream", status.stashed);
}

static bool
hold_flows(struct cutover_run *r, bool mixed)
{
    r->held = true;
    for (size_t i = 0; i < r->n_sources; i++)
        if ((!mixed || r->server[i].target) &&
            (!cutover_step(r, "flows held") ||
             !hold_one(r, r->flows[i], r->server[i].position, !mixed)))
            return false;
    return true;
}

/* The rows that a source has got as a target could not come to it under our lock: that is let go
 * and taken again, and what was logged in between is held at as well. The fence stands
 * meanwhile, and late writers are gone. */
static bool
hold_all(struct cutover_run *r)
{
    if (!r->mixed)
        return hold_flows(r, false);
    cutover_unlock_mixed(r);
    return hold_flows(r, false) && cutover_step(r, "locks again") && cutover_lock_mixed(r) &&
           cutover_positions_mixed(r) && hold_flows(r, true);
}

/* --- both at the same time ------------------------------------------------ */

struct back {
    struct cutover_run *r;
    pthread_t           thread;
    bool                started, ok;
    struct sql_error    error;
};

static void *
stage(void *arg)
{
    struct back *b = arg;

    b->ok = cutover_back(b->r, &b->error);
    return NULL;
}

/* The last rows come to the targets while all is written that needs no more than the positions.
 * Not where a source is a target: its stream has one row for both directions. */
static bool
hold_and_stage(struct cutover_run *r)
{
    struct back b = { .r = r };
    bool        ok;

    b.started = !r->mixed && pthread_create(&b.thread, NULL, stage, &b) == 0;
    ok        = hold_all(r);
    if (b.started)
        pthread_join(b.thread, NULL);
    if (!ok)
        return false;
    failpoint("cutover-held");
    if (!cutover_step(r, "way back"))
        return false;
    if (!b.started)
        stage(&b);
    if (!b.ok)
        *r->error = b.error;
    return b.ok;
}

/* All that has to hold before it is decided. */
static bool
pause_all(struct cutover_run *r)
{
    cutover_calm(r);
    failpoint("cutover-eased");
    if (!cutover_step(r, "fence") || !raise_fence(r))
        return false;
    watchdog_start(r);
    failpoint("cutover-fenced");
    if (!cutover_step(r, "locks") || !cutover_lock(r))
        return false;
    failpoint("cutover-locked");
    if (!cutover_step(r, "positions") || !cutover_positions(r) ||
        !cutover_step(r, "late writers") || !cutover_late_writers(r))
        return false;
    failpoint("cutover-position");
    if (!hold_and_stage(r))
        return false;
    failpoint("cutover-reverse");
    return cutover_step(r, "journal");
}

/* --- after the journal ---------------------------------------------------- */

static bool
publish(struct move *m, struct sql_error *error)
{
    struct err err = { .text = "" };
    bool       all = false;

    if (!publish_now(m->c->publisher, FOLLOW_MS, &all, &err))
        return job_fail(error, &err);
    if (!all)
        log_warn("move: not every worker took over the switched routes within %d ms", FOLLOW_MS);
    return true;
}

static bool
forward(struct move *m, struct sql_error *error)
{
    if (!cutover_sequences(m, error))
        return false;
    if (!sequences_carry(m, error))
        return false;
    failpoint("cutover-sequences");
    if (!cutover_catalog(m, error))
        return false;
    failpoint("cutover-catalog");
    if (!publish(m, error))
        return false;
    failpoint("cutover-published");
    return true;
}

/* A server that is away does without: its row is for people. */
static void
tell_all(struct move *m)
{
    const char *id;
    json_t     *shard;

    json_object_foreach(m->shards, id, shard) {
        struct server    s = { .answer_s = 2 };
        struct sql_error error;

        if (!move_session(&s, m, (uint32_t)model_number(shard, "id"), 1, &error) ||
            !journal_tell(&s, m, &error))
            log_warn("move: the journal of job %lld is missing on shard %s: %s",
                     (long long)m->job, model_text(shard, "name"), error.message);
        server_close(&s);
    }
    failpoint("cutover-told");
}

/* --- deciding ------------------------------------------------------------- */

/* The deciding server was lost while it answered: others are asked for it, for some seconds. */
static bool
find_out(struct cutover_run *r, bool *decided)
{
    struct sql_error error;

    for (int i = 0; i < UNKNOWN_TRIES; i++) {
        if (journal_settle(r->m, decided, &error))
            return true;
        usleep(200000);
    }
    return false;
}

/* Gives the deciding server some time of its own: it is cut off before the answer only when it
 * hangs. */
static bool
decide(struct cutover_run *r, bool *decided)
{
    watchdog_stop(r);
    if (r->late)
        return sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: the time was over");
    r->until_us = clock_us() + JOURNAL_MS * 1000;
    r->done     = false;
    r->deciding = true;
    watchdog_start(r);
    *decided = server_run(&r->server[0].work, r->error, "COMMIT");
    watchdog_stop(r);
    if (*decided)
        return true;
    r->how->unknown = !find_out(r, decided);
    return *decided;
}

/* What was to decide is taken back, or the next try would wait for its locks. */
static void
unstage(struct cutover_run *r)
{
    struct sql_error ignored;

    if (r->staged && r->server[0].work.mysql &&
        !server_run(&r->server[0].work, &ignored, "ROLLBACK"))
        server_close(&r->server[0].work);
}

static void
undo(struct cutover_run *r)
{
    struct sql_error ignored;
    struct err       err = { .text = "" };

    cutover_unlock(r);
    unstage(r);
    if ((r->eased || r->fenced) && !fence_lower(r->m->c, 0, &err)) {
        sql_error_set(&ignored, SQL_UNKNOWN_ERROR, "shardd: %.480s", err.text);
        log_error("move: %s", ignored.message);
        r->how->unknown = true; /* it still stands, and cutover_undo() has to try again */
    }
    for (size_t i = 0; r->held && !r->how->stale && i < r->n_sources; i++)
        flow_release(r->flows[i]);
}

/* "which step, why, how long". */
static void
explain(struct cutover_run *r)
{
    struct sql_error why = *r->error;
    double           ms  = r->began_us ? (double)(clock_us() - r->began_us) / 1000 : 0;
    const char      *text = why.message;

    if (strncmp(text, "shardd: ", 8) == 0)
        text += 8;
    sql_error_set(r->error, why.code ? why.code : SQL_UNKNOWN_ERROR,
                  "shardd: the switch of job %lld did not take place, at the step '%s' after "
                  "%.1f ms: %.300s", (long long)r->m->job, r->how->step, ms, text);
    log_warn("move: %s", r->error->message);
}

/* --- the whole ------------------------------------------------------------ */

/* Left by a controller or an attempt before: decided, or undone now. */
static bool
resolve_earlier(struct cutover_run *r, bool *decided)
{
    struct err err = { .text = "" };

    if (!journal_settle(r->m, decided, r->error))
        return false;
    if (*decided)
        return sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: it is decided already");
    return fence_lower(r->m->c, 0, &err) || job_fail(r->error, &err);
}

static bool
prepare(struct cutover_run *r, bool *decided)
{
    if (!cutover_step(r, "earlier") || !resolve_earlier(r, decided) ||
        !cutover_step(r, "checks") || !cutover_check(r->m, r->error))
        return false;
    failpoint("cutover-checked");
    if (!cutover_step(r, "sessions") || !cutover_open(r) ||
        !cutover_step(r, "ready") ||
        !journal_ready(&r->server[0].work, r->m, r->ready, r->error) ||
        !cutover_step(r, "map") || !cutover_cut_map(r->m, r->error) ||
        !cutover_step(r, "workers") || !cutover_quiet_workers(r))
        return false;
    failpoint("cutover-ready");
    return true;
}

static bool
run_locked(struct cutover_run *r, bool *decided)
{
    bool ok = prepare(r, decided) && pause_all(r) && decide(r, decided);

    watchdog_stop(r);
    if (!ok && !r->how->unknown && !*decided)
        undo(r);
    if (!ok && r->written)
        cutover_end_work(r);
    if (!ok && !*decided)
        explain(r);
    if (!ok)
        return false;
    failpoint("cutover-journal");
    if (r->mixed) /* a counter is set on a table that we have locked */
        cutover_unlock(r);
    enter(r, "catalog");
    ok = forward(r->m, r->error);
    enter(r, "unlock");
    r->how->parked_ms = (double)(clock_us() - r->began_us) / 1000;
    cutover_unlock(r);
    if (!ok)
        explain(r);
    else
        log_info("move: job %lld switched, in %.1f ms, with %llu connections in use before: %s",
                 (long long)r->m->job, r->how->parked_ms, (unsigned long long)r->n_before,
                 buf_cstr(&r->times));
    return ok;
}

static bool
take_lock(struct cluster *c, struct sql_error *error)
{
    struct timespec until = wake_after_ms(CHANGE_WAIT_S * 1000);

    return pthread_mutex_clocklock(&c->change_lock, CLOCK_MONOTONIC, &until) == 0 ||
           sql_error_set(error, LOCK_TIMEOUT, "shardd: another change of the schema or of "
                         "shards is under way; the switch is tried again later");
}

bool
cutover_run(struct move *m, struct flow **flows, struct cutover *how, bool *decided,
            struct sql_error *error)
{
    struct cutover_run r = { .m = m, .flows = flows, .how = how, .error = error };
    bool               ok;

    *decided       = false;
    how->unknown   = false;
    how->stale     = false;
    how->parked_ms = 0;
    snprintf(how->step, sizeof(how->step), "change lock");
    if (!take_lock(m->c, error))
        return false;
    ok = run_locked(&r, decided);
    pthread_mutex_unlock(&m->c->change_lock);
    cutover_close(&r);
    buf_fini(&r.times);
    if (ok)
        tell_all(m);
    return ok;
}

bool
cutover_decided(struct move *m, bool *decided, struct sql_error *error)
{
    return journal_ask(m, decided, error);
}

bool
cutover_finish(struct move *m, struct sql_error *error)
{
    bool ok;

    if (!take_lock(m->c, error))
        return false;
    ok = forward(m, error);
    pthread_mutex_unlock(&m->c->change_lock);
    if (ok)
        tell_all(m);
    return ok;
}

bool
cutover_undo(struct move *m, struct sql_error *error)
{
    struct err err = { .text = "" };
    bool       decided, ok;

    if (!take_lock(m->c, error))
        return false;
    ok = journal_settle(m, &decided, error);
    if (ok && decided)
        ok = sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the switch of job %lld is decided "
                           "and cannot be undone; it goes on", (long long)m->job);
    ok = ok && (fence_lower(m->c, 0, &err) || job_fail(error, &err));
    pthread_mutex_unlock(&m->c->change_lock);
    return ok;
}
