/* flow_follow.c - following the log, and being held at a position of it. */
#include <stdio.h>

#include "core/base/clock.h"
#include "ctl/move/flow_internal.h"

enum {
    EVENT_MS    = 5,     /* how long a request waits for us at the most */
    STOP_MS     = 100,   /* ... and who asks, when it is to stop */
    IDLE_MS     = 1000,  /* until a position without rows is written */
    OURS_MS     = 60000, /* the same when only we have written: not faster, or two flows would
                            wake each other for ever */
};

bool
flow_drain(struct flow *f, struct sql_error *error)
{
    bool failed = false, idle = false;

    pthread_mutex_lock(&f->lock);
    while (!f->stop && !(idle = flow_is_idle(f, &failed)) && !failed)
        flow_wait(f, 100);
    pthread_mutex_unlock(&f->lock);
    return idle ? !f->stop : flow_failed(f, error);
}

/* --- being held --- */

static void
answer(struct flow *f, unsigned number, const struct sql_error *error)
{
    pthread_mutex_lock(&f->lock);
    if (f->hold.number == number && f->hold.answered != number) {
        f->hold.answered = number;
        f->hold.good     = error == NULL;
        f->hold.wanted   = error == NULL;
        if (error)
            f->hold.error = *error;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
}

/* A new request, or none any more. */
static void
take_request(struct flow *f, const struct flow_hold *h)
{
    struct sql_error error;
    char             is[GTID_TEXT_MAX], wanted[GTID_TEXT_MAX];

    if (!h->wanted) {
        follow_limit(f->follow, NULL, NULL);
        return;
    }
    const struct gtid_set *at = h->here ? follow_position(f->follow) : &h->position;
    if (gtid_has_all(at, follow_effect(f->follow))) {
        follow_limit(f->follow, at, NULL);
        return;
    }
    gtid_print(follow_effect(f->follow), is);
    gtid_print(at, wanted);
    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: rows of shard %u are moved up to %.150s, "
                  "which is past %.150s", f->source, is, wanted);
    answer(f, h->number, &error);
}

/* At the limit: until all is applied, then until something else is wanted. */
static bool
stay(struct flow *f, const struct flow_hold *h, struct sql_error *error)
{
    bool failed;

    pthread_mutex_lock(&f->lock);
    bool idle = flow_is_idle(f, &failed);
    if (!idle && !failed && !f->stop)
        flow_wait(f, EVENT_MS);
    pthread_mutex_unlock(&f->lock);
    if (failed)
        return flow_failed(f, error);
    if (!idle)
        return true;
    flow_enter(f, FLOW_HELD);
    answer(f, h->number, NULL);
    pthread_mutex_lock(&f->lock);
    while (!f->stop && f->hold.wanted && f->hold.number == h->number)
        flow_wait(f, 1000);
    pthread_mutex_unlock(&f->lock);
    return true;
}

static void
not_a_position(struct flow *f, const struct flow_hold *h)
{
    struct sql_error error;
    char             wanted[GTID_TEXT_MAX];

    gtid_print(&h->position, wanted);
    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: %.200s is no position in the binary log of "
                  "shard %u", wanted, f->source);
    answer(f, h->number, &error);
}

/* --- following --- */

struct idle {
    uint64_t told_us, ours_us;
};

/* From time to time the position goes on without rows, or the log would be purged behind us. */
static bool
advance(struct flow *f, struct idle *i)
{
    uint64_t now = clock_us();
    bool     all = now - i->ours_us > OURS_MS * 1000ull;

    if (now - i->told_us < IDLE_MS * 1000ull)
        return true;
    i->told_us = now;
    if (all)
        i->ours_us = now;
    return follow_advance(f->follow, all);
}

static bool
step(struct flow *f, struct flow_hold *h, struct idle *i, struct sql_error *error)
{
    switch (follow_next(f->follow, EVENT_MS, error)) {
    case FOLLOW_ON:
        break;
    case FOLLOW_QUIET:
        if (!flow_note(f, error))
            return false;
        break;
    case FOLLOW_LIMIT:
        if (h->wanted && !follow_at_limit(f->follow))
            not_a_position(f, h);
        break;
    case FOLLOW_ENDED:
        flow_failed(f, error);
        return false;
    }
    return advance(f, i) || flow_failed(f, error);
}

bool
flow_follow(struct flow *f, struct sql_error *error)
{
    struct flow_hold h    = { .number = 0 };
    struct idle      idle = { clock_us(), clock_us() };
    uint64_t         noted = 0;

    for (bool first = true; !f->stop; first = false) {
        pthread_mutex_lock(&f->lock);
        f->follows  = true;
        bool is_new = first || f->hold.number != h.number || f->hold.wanted != h.wanted;
        h           = f->hold;
        pthread_mutex_unlock(&f->lock);
        if (is_new)
            take_request(f, &h);
        if (h.wanted && follow_at_limit(f->follow)) {
            if (!stay(f, &h, error))
                return false;
            continue;
        }
        if (is_new)
            flow_enter(f, FLOW_FOLLOWING);
        if (!step(f, &h, &idle, error))
            return false;
        if (clock_us() - noted > 100000) {
            noted = clock_us();
            if (!flow_note(f, error))
                return false;
        }
    }
    return true;
}

/* --- from other threads --- */

static bool
wait_answer(struct flow *f, unsigned number, unsigned wait_ms, const atomic_bool *stop,
            struct sql_error *error)
{
    uint64_t until = clock_us() + wait_ms * 1000ull, now;

    while (f->hold.number == number && f->hold.answered != number && f->state != FLOW_FAILED &&
           !f->stop && !(stop && atomic_load(stop)) && (now = clock_us()) < until) {
        unsigned left_ms = (unsigned)((until - now) / 1000 + 1);

        flow_wait(f, left_ms < STOP_MS ? left_ms : STOP_MS);
    }
    if (f->hold.number == number && f->hold.answered == number && f->hold.good)
        return true;
    if (f->state == FLOW_FAILED)
        *error = f->error;
    else if (f->hold.number == number && f->hold.answered == number)
        *error = f->hold.error;
    else
        sql_error_set(error, 1205, "shardd: the rows of shard %u were not moved up to the position "
                      "in %u ms%s%.200s", f->source, wait_ms, f->retries ? ": " : "",
                      f->retries ? f->error.message : "");
    if (f->hold.number == number)
        f->hold.wanted = false;
    pthread_cond_broadcast(&f->changed);
    return false;
}

bool
flow_hold(struct flow *f, const char *position, unsigned wait_ms, const atomic_bool *stop,
          struct sql_error *error)
{
    struct gtid_set at = { 0 };
    bool            ok;

    if (position && !gtid_parse(&at, position))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: '%.100s' is no position of a "
                             "binary log", position);
    pthread_mutex_lock(&f->lock);
    if (f->state == FLOW_COPYING) {
        ok = sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the rows of shard %u are still being "
                           "copied", f->source);
    } else {
        f->hold.wanted   = true;
        f->hold.here     = position == NULL;
        f->hold.position = at;
        f->hold.number++;
        pthread_cond_broadcast(&f->changed);
        if (f->follows)
            follow_nudge(f->follow);
        ok = wait_answer(f, f->hold.number, wait_ms, stop, error);
    }
    pthread_mutex_unlock(&f->lock);
    return ok;
}

void
flow_release(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    f->hold.wanted = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

bool
flow_forget_lost(struct flow *f, unsigned wait_ms, struct sql_error *error)
{
    uint64_t until = clock_us() + wait_ms * 1000ull;
    bool     failed, idle = false, ok;

    pthread_mutex_lock(&f->lock);
    ok = f->state == FLOW_HELD;
    for (unsigned i = 0; ok && i < f->n_targets; i++)
        ok = f->applies[i] && apply_lost(f->applies[i]);
    while (ok && !(idle = flow_is_idle(f, &failed)) && !failed && clock_us() < until &&
           f->state == FLOW_HELD)
        flow_wait(f, EVENT_MS);
    pthread_mutex_unlock(&f->lock);
    return (ok && idle) ||
           sql_error_set(error, 1205, "shardd: branches that shard %u has lost were not forgotten "
                         "in %u ms", f->source, wait_ms);
}
