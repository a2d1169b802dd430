/* flow_copy.c - the copy in cycles, and catching up with the log between them.
 *
 *   snapshot at G --> follow to G, applying what is covered --> copy for some seconds --> again
 *
 * What the log has up to G of rows that are not covered yet is in the snapshot. But for branches
 * of XA that are prepared there: their rows wait in `stash`, all of them, and whether they are
 * covered is asked when they are committed. A branch whose XA COMMIT is in front of G while the
 * snapshot has it as prepared is DEFERRED (apply.h) until the copy is past G.
 */
#include "core/base/log.h"
#include "ctl/move/flow_internal.h"

enum {
    SESSIONS  = 4,
    HOLD_MS   = 1000, /* for commits on the source */
    CYCLE_S   = 20,
    QUIET_MS  = 20,
    PAUSED_MS = 100,
};

/* Reads on until the limit (true), or without one for a moment. */
static bool
follow_to(struct flow *f, const struct gtid_set *limit, const json_t *prepared,
          struct sql_error *error)
{
    follow_limit(f->follow, limit, prepared);
    while (!f->stop && !follow_at_limit(f->follow)) {
        switch (follow_next(f->follow, QUIET_MS, error)) {
        case FOLLOW_ON:
        case FOLLOW_QUIET:
            break;
        case FOLLOW_LIMIT:
            if (follow_at_limit(f->follow))
                break;
            return sql_error_set(error, 1593, "shardd: the binary log of shard %u went past the "
                                 "position of a snapshot; cancel the move and start it again",
                                 f->source);
        case FOLLOW_ENDED:
            flow_failed(f, error);
            return false;
        }
        if (!flow_note(f, error))
            return false;
    }
    return !f->stop;
}

/* Follows without a limit while copying has to wait. */
static bool
idle_on(struct flow *f, struct sql_error *error)
{
    bool paused;

    pthread_mutex_lock(&f->lock);
    if (f->paused && !f->follow)
        flow_wait(f, PAUSED_MS);
    paused = f->paused;
    pthread_mutex_unlock(&f->lock);
    if (!paused || !f->follow)
        return true;
    follow_limit(f->follow, NULL, NULL);
    for (int i = 0; i < 64; i++) {
        enum follow_step step = follow_next(f->follow, PAUSED_MS, error);
        if (step == FOLLOW_ENDED) {
            flow_failed(f, error);
            return false;
        }
        if (step == FOLLOW_QUIET)
            break;
    }
    return flow_note(f, error) && (follow_advance(f->follow, false) || flow_failed(f, error));
}

static bool
is_paused(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    bool paused = f->paused && !f->stop;
    pthread_mutex_unlock(&f->lock);
    return paused;
}

/* All up to the snapshot is on the targets, and nothing behind it. */
static bool
catch_up(struct flow *f, const struct snapshot *s, struct sql_error *error)
{
    struct gtid_set at;

    if (!gtid_parse(&at, s->position))
        return sql_error_set(error, 1593, "shardd: shard %u is at '%.64s', which is no position; "
                             "cancel the move", f->source, s->position);
    if (!f->follow && !flow_open(f, s->from, error))
        return false;
    if (!follow_resolve(f->follow, s->prepared))
        return flow_failed(f, error);
    if (!follow_to(f, &at, s->prepared, error))
        return false;
    if (!follow_advance(f->follow, true))
        return flow_failed(f, error);
    return flow_drain(f, error);
}

static void
reload(struct flow *f, const struct copy *copy)
{
    for (unsigned i = 0; i < f->n_targets; i++)
        apply_reload(f->applies[i], copy);
}

static bool
cycle(struct flow *f, struct sql_error *error)
{
    struct snapshot s = { 0 };

    if (!move_snapshot_open(&s, f->move, f->source, SESSIONS, HOLD_MS, &f->stop, error))
        return false;
    bool ok = catch_up(f, &s, error);
    if (ok) {
        follow_known(f->follow);
        flow_enter(f, FLOW_COPYING);
        ok = copy_cycle(f->copy, &s, CYCLE_S, &f->stop, error);
        reload(f, f->copy);
    }
    move_snapshot_close(&s);
    return ok;
}

/* Opens it where everybody sees it. */
static bool
open_copy(struct flow *f, struct sql_error *error)
{
    struct copy *c = copy_open(f->move, f->source, error);

    if (!c)
        return false;
    pthread_mutex_lock(&f->lock);
    f->copy = c;
    pace_copy(&f->pace, c);
    pthread_mutex_unlock(&f->lock);
    return true;
}

/* The last branches that were deferred are all covered now. */
static bool
finish(struct flow *f, struct sql_error *error)
{
    struct copy *c = f->copy;

    if (!f->follow)
        if (!flow_open(f, NULL, error))
            return false;
    follow_limit(f->follow, NULL, NULL);
    if (!follow_resolve(f->follow, NULL) || !flow_drain(f, error))
        return flow_failed(f, error);
    reload(f, NULL);
    pthread_mutex_lock(&f->lock);
    pace_copy(&f->pace, NULL);
    copy_status(c, &f->copied);
    f->copy = NULL;
    pthread_mutex_unlock(&f->lock);
    copy_close(c);
    return true;
}

bool
flow_copy(struct flow *f, struct sql_error *error)
{
    if (!open_copy(f, error))
        return false;
    while (!f->stop && !copy_is_done(f->copy)) {
        if (is_paused(f) ? !idle_on(f, error) : !cycle(f, error))
            return false;
    }
    return f->stop || finish(f, error);
}
