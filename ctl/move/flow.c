/* flow.c - see the picture in flow.h: the thread, from its first look at the targets to its end.
 *
 * One life of the thread goes on until something breaks; then all is closed, and when the error is
 * one that passes the next life begins with what the targets' tables say.
 */
#include "ctl/move/flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/move/flow_internal.h"
#include "ctl/move/lost.h"

enum {
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 3000,
    END_S        = 1, /* so long it counts that there was nothing more to read */
};

/* --- waiting, under the lock --- */

void
flow_wait(struct flow *f, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);

    pthread_cond_timedwait(&f->changed, &f->lock, &until);
}

static void
wake(void *context)
{
    struct flow *f = context;

    pthread_mutex_lock(&f->lock);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* --- appliers --- */

/* The end of a life: nobody else may look at what goes. */
static void
close_all(struct flow *f)
{
    struct apply  *applies[ROUTES_SHARDS_MAX];
    struct follow *follow;
    struct copy   *copy;

    pthread_mutex_lock(&f->lock);
    memcpy(applies, f->applies, f->n_targets * sizeof(struct apply *));
    memset(f->applies, 0, f->n_targets * sizeof(struct apply *));
    follow     = f->follow;
    f->follow  = NULL;
    f->follows = false;
    f->seen    = (struct follow_seen){ .any = false };
    copy      = f->copy;
    f->copy   = NULL;
    if (copy)
        copy_status(copy, &f->copied);
    for (unsigned i = 0; i < f->n_targets; i++)
        if (applies[i]) {
            struct apply_status s;
            apply_status(applies[i], &s);
            f->before_rows += s.rows;
            f->before_transactions += s.transactions;
        }
    pthread_mutex_unlock(&f->lock);
    pace_copy(&f->pace, NULL);
    for (unsigned i = 0; i < f->n_targets; i++)
        apply_stop(applies[i]);
    follow_free(follow);
    copy_close(copy);
}

/* Whether something of the move's copy is on the target. */
static bool
is_fresh(struct flow *f, uint32_t target, bool *fresh, struct sql_error *error)
{
    struct server s = { .answer_s = 30 };
    char          n[32];
    bool          ok;

    if (!move_session(&s, f->move, target, 5, error))
        return false;
    ok = server_value(&s, n, sizeof(n), error, "SELECT COUNT(*) FROM %s.copied WHERE job = %lld "
                      "AND source = %u AND target = %u", ROUTES_MOVE_SCHEMA,
                      (long long)f->move->job, f->source, target);
    server_close(&s);
    *fresh = ok && strcmp(n, "0") == 0;
    return ok;
}

static bool
start_one(struct flow *f, unsigned i, const char *start, struct follow_target *out,
          struct sql_error *error)
{
    struct apply_status s;
    struct apply_spec   spec = { .move = f->move, .source = f->source, .target = f->targets[i],
                                 .spools = f->n_targets > 1, .copy = f->copy, .wake = wake,
                                 .context = f };
    bool fresh = false;

    if (start && !is_fresh(f, f->targets[i], &fresh, error))
        return false;
    struct apply *a = apply_start(&spec, fresh ? start : NULL, error);
    if (!a)
        return false;
    pthread_mutex_lock(&f->lock);
    f->applies[i] = a;
    if (f->stop)
        apply_interrupt(a);
    pthread_mutex_unlock(&f->lock);
    apply_status(a, &s);
    *out = (struct follow_target){ .shard = f->targets[i], .apply = a, .start = s.committed,
                                   .unknown_is_fine = fresh };
    return true;
}

bool
flow_open(struct flow *f, const char *start, struct sql_error *error)
{
    struct follow_target *targets = mem_alloc((f->n_targets + 1) * sizeof(*targets));
    bool                  ok      = true;

    for (unsigned i = 0; ok && !f->stop && i < f->n_targets; i++)
        ok = start_one(f, i, start, &targets[i], error);
    if (ok && !f->stop) {
        struct follow *follow = follow_new(f->move, f->source, targets, f->n_targets);
        pthread_mutex_lock(&f->lock);
        f->follow = follow;
        pthread_mutex_unlock(&f->lock);
        ok = follow_open(follow, &f->stop, error) || flow_failed(f, error);
    }
    free(targets);
    return ok && !f->stop;
}

/* An applier's failure is told in its place. Returns false. */
bool
flow_failed(struct flow *f, struct sql_error *error)
{
    for (unsigned i = 0; i < f->n_targets; i++) {
        struct apply_status s;
        if (!f->applies[i])
            continue;
        apply_status(f->applies[i], &s);
        if (s.failed)
            *error = s.error;
    }
    return false;
}

bool
flow_is_idle(struct flow *f, bool *failed)
{
    bool idle = true;

    *failed = false;
    for (unsigned i = 0; i < f->n_targets; i++) {
        struct apply_status s;
        apply_status(f->applies[i], &s);
        idle    = idle && s.idle;
        *failed = *failed || s.failed;
    }
    return idle;
}

/* --- status --- */

void
flow_enter(struct flow *f, enum flow_state state)
{
    pthread_mutex_lock(&f->lock);
    f->state   = state;
    f->retries = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

bool
flow_note(struct flow *f, struct sql_error *error)
{
    bool failed;

    (void)!flow_is_idle(f, &failed);
    pthread_mutex_lock(&f->lock);
    f->seen = *follow_seen(f->follow);
    pthread_mutex_unlock(&f->lock);
    return !failed || flow_failed(f, error);
}

static double
real_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* For how long; 0 for what never was. */
static double
age_s(uint64_t us, uint64_t now)
{
    return us != 0 && now > us ? (double)(now - us) / 1e6 : 0;
}

/* How old what is read now is at the least: a timestamp has lost up to a second. */
static double
reading_behind(const struct flow *f, uint64_t now)
{
    double behind = f->seen.timestamp ? real_s() + f->clock_ahead - f->seen.timestamp - 1 : 0;
    bool   at_end = f->seen.end_us != 0 && age_s(f->seen.end_us, now) < END_S;

    return f->state == FLOW_HELD || at_end || behind < 0 ? 0 : behind;
}

static void
status_lag(const struct flow *f, uint64_t oldest_us, struct flow_status *out)
{
    uint64_t now     = clock_us();
    double   applied = age_s(oldest_us, now), read = reading_behind(f, now),
             pause   = f->state == FLOW_HELD ? 0 : age_s(f->seen.pause_us, now);

    out->heard   = f->seen.any || f->state == FLOW_HELD;
    out->lag_s   = applied > read ? applied : read;
    out->pause_s = applied > pause ? applied : pause;
    if (f->seen.pause_us == 0 && f->state != FLOW_HELD)
        out->pause_s = out->lag_s;
}

static void
status_position(struct flow *f, char out[GTID_TEXT_MAX])
{
    struct gtid_set all   = { 0 };
    bool            first = true;

    for (unsigned i = 0; i < f->n_targets; i++) {
        struct apply_status s;
        if (!f->applies[i])
            return;
        apply_status(f->applies[i], &s);
        if (first)
            all = s.committed;
        else
            gtid_meet(&all, &s.committed);
        first = false;
    }
    gtid_print(&all, out);
}

void
flow_status(struct flow *f, struct flow_status *out)
{
    uint64_t oldest_us = 0;

    *out = (struct flow_status){ .state = FLOW_COPYING };
    pthread_mutex_lock(&f->lock);
    out->state        = f->state;
    out->error        = f->error;
    out->retries      = f->retries;
    out->rows         = f->before_rows;
    out->transactions = f->before_transactions;
    out->copy         = f->copied;
    pace_reason(&f->pace, out->slowed);
    if (f->copy)
        copy_status(f->copy, &out->copy);
    status_position(f, f->position);
    snprintf(out->position, sizeof(out->position), "%s", f->position);
    for (unsigned i = 0; i < f->n_targets; i++) {
        struct apply_status s;
        if (!f->applies[i])
            continue;
        apply_status(f->applies[i], &s);
        out->rows         += s.rows;
        out->transactions += s.transactions;
        out->stashed      += s.stashed;
        if (s.oldest_us != 0 && (oldest_us == 0 || s.oldest_us < oldest_us))
            oldest_us = s.oldest_us;
        if (s.retries && !out->retries && out->state != FLOW_FAILED) {
            out->retries = true;
            out->error   = s.error;
        }
    }
    status_lag(f, oldest_us, out);
    pthread_mutex_unlock(&f->lock);
}

/* --- the thread --- */

static bool
read_clock(struct flow *f, struct sql_error *error)
{
    struct server s = { .answer_s = 30 };
    char          at[32];

    if (!move_session(&s, f->move, f->source, 5, error))
        return false;
    double before = real_s();
    bool   ok     = server_value(&s, at, sizeof(at), error, "SELECT UNIX_TIMESTAMP(NOW(6))");
    server_close(&s);
    pthread_mutex_lock(&f->lock);
    f->clock_ahead = strtod(at, NULL) - (before + real_s()) / 2;
    pthread_mutex_unlock(&f->lock);
    return ok;
}

static bool
life(struct flow *f, struct sql_error *error)
{
    if (!read_clock(f, error))
        return false;
    if (f->copies && !flow_copy(f, error))
        return false;
    if (!f->follow && !f->stop && !flow_open(f, NULL, error))
        return false;
    return f->stop || flow_follow(f, error);
}

static void
end_of_life(struct flow *f, const struct sql_error *error, bool *failed)
{
    bool passing = lost_is_passing(error);

    pthread_mutex_lock(&f->lock);
    f->error   = *error;
    f->retries = passing;
    if (!passing)
        f->state = FLOW_FAILED;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    *failed = !passing;
    if (!passing)
        log_error("job %lld, from shard %s: %s", (long long)f->move->job,
                  model_text(move_shard(f->move, f->source), "name"), error->message);
}

static void *
run(void *arg)
{
    struct flow *f      = arg;
    bool         failed = false;
    unsigned     wait   = RETRY_MIN_MS;

    while (!f->stop && !failed) {
        struct sql_error error = { 0 };
        uint64_t         began = clock_us();
        bool             ok    = life(f, &error);

        close_all(f);
        if (ok || f->stop)
            continue;
        if (error.code == 0)
            sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: moving rows was interrupted");
        end_of_life(f, &error, &failed);
        wait = clock_us() - began > 10000000 ? RETRY_MIN_MS : wait;
        pthread_mutex_lock(&f->lock);
        if (!f->stop && !failed)
            flow_wait(f, wait);
        pthread_mutex_unlock(&f->lock);
        wait = wait * 2 < RETRY_MAX_MS ? wait * 2 : RETRY_MAX_MS;
    }
    return NULL;
}

/* --- from other threads --- */

struct flow *
flow_start(const struct move *m, uint32_t source, bool copy, struct sql_error *error)
{
    struct flow       *f = mem_alloc(sizeof(*f));
    uint32_t           targets[ROUTES_SHARDS_MAX];

    f->move      = m;
    f->source    = source;
    f->copies    = copy;
    f->n_targets = (unsigned)move_targets_of(m, source, targets);
    f->targets   = mem_alloc((f->n_targets + 1) * sizeof(*f->targets));
    f->applies   = mem_alloc((f->n_targets + 1) * sizeof(struct apply *));
    memcpy(f->targets, targets, f->n_targets * sizeof(*f->targets));
    f->state = copy ? FLOW_COPYING : FLOW_FOLLOWING;
    pthread_mutex_init(&f->lock, NULL);
    wake_init(&f->changed);
    if (f->n_targets == 0)
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no rows leave shard %u", source);
    else if (!pace_start(&f->pace, m, source))
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread for moving rows: raise the "
                      "limit of tasks");
    else if (pthread_create(&f->thread, NULL, run, f) == 0)
        return f;
    else
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread for moving rows: raise the "
                      "limit of tasks");
    f->threadless = true;
    flow_stop(f);
    return NULL;
}

void
flow_stop(struct flow *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    for (unsigned i = 0; i < f->n_targets; i++)
        if (f->applies[i])
            apply_interrupt(f->applies[i]);
    if (f->follow)
        follow_interrupt(f->follow);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (!f->threadless)
        pthread_join(f->thread, NULL);
    pace_stop(&f->pace);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f->targets);
    free(f->applies);
    free(f);
}

void
flow_throttle(struct flow *f, const struct throttle *how, bool paused)
{
    pthread_mutex_lock(&f->lock);
    f->paused = paused;
    pace_throttle(&f->pace, how, paused);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}
