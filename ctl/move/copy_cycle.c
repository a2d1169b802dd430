/* copy_cycle.c - one cycle: a lane for each session of the snapshot. */
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "ctl/move/copy_part.h"

enum { ANSWER_S = 60, LOCK_S = 20, LANES_WRITERS_MOST = 128 };

/* On all targets, whether or not they get rows in this cycle. */
static bool
note_position(const struct copy *c, const struct snapshot *snapshot, struct sql_error *error)
{
    for (size_t i = 0; i < c->n_targets; i++) {
        struct server s = { .answer_s = ANSWER_S };
        bool          ok;

        if (!move_session(&s, c->m, c->targets[i], LOCK_S, error))
            return false;
        ok = server_run(&s, error, "INSERT INTO `" ROUTES_MOVE_SCHEMA "`.stream "
                        "(job, source, target, position) VALUES (%lld, %u, %u, '%s') "
                        "ON DUPLICATE KEY UPDATE position = VALUES(position)",
                        (long long)c->m->job, (unsigned)c->source, (unsigned)c->targets[i],
                        snapshot->position);
        server_close(&s);
        if (!ok)
            return false;
    }
    return true;
}

/* Not more than there are tables to copy, nor than servers like to have connections. */
static unsigned
count_lanes(const struct copy *c, const struct snapshot *s)
{
    unsigned left = 0, most = LANES_WRITERS_MOST / (unsigned)(c->n_targets + 1);

    for (unsigned i = 0; i < c->n_tables; i++)
        left += !copy_table_done(c, &c->tables[i]);
    most = most < 1 ? 1 : most;
    most = most < s->n ? most : s->n;
    return left < most ? left : most;
}

static bool
start_lane(struct copy_lane *lane, struct copy *c, struct server *session,
           const atomic_bool *stop, double end_ms, struct sql_error *error)
{
    if (!copy_lane_init(lane, c, session, stop, end_ms, error))
        return false;
    lane->started = pthread_create(&lane->thread, NULL, copy_lane_run, lane) == 0;
    return lane->started ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread can be made for the copy");
}

/* Ends a lane; its error is the cycle's when that has none. */
static bool
end_lane(struct copy_lane *lane, struct sql_error *error)
{
    if (lane->started)
        pthread_join(lane->thread, NULL);
    copy_lane_fini(lane);
    if (lane->failed && error->code == 0)
        *error = lane->error;
    return !lane->failed;
}

/* Until all have ended. When one fails, or all are told to stop, none is left waiting. */
static void
watch(struct copy_lane *lanes, unsigned n, const atomic_bool *stop)
{
    const struct sql_error told  = { .code = 0 };
    struct timespec        pause = { .tv_nsec = 10000000L };
    unsigned        ended = 0;
    bool            cut   = false;

    while (ended < n) {
        bool failed = stop && atomic_load(stop);

        ended = 0;
        for (unsigned i = 0; i < n; i++) {
            ended += !lanes[i].started || atomic_load(&lanes[i].ended);
            failed = failed || copy_lane_stopped(&lanes[i]);
        }
        for (unsigned i = 0; i < n && failed && !cut; i++) {
            copy_lane_fail(&lanes[i], &told);
            copy_lane_cut(&lanes[i]);
        }
        cut = cut || failed;
        if (ended < n)
            nanosleep(&pause, NULL);
    }
}

bool
copy_cycle(struct copy *c, struct snapshot *s, unsigned seconds, const atomic_bool *stop,
           struct sql_error *error)
{
    unsigned          n      = count_lanes(c, s), started = 0;
    struct copy_lane *lanes  = mem_alloc((n + 1) * sizeof(*lanes));
    double            end_ms = copy_now_ms() + seconds * 1e3;
    bool              ok;

    error->code = 0;
    ok = note_position(c, s, error);
    for (unsigned i = 0; i < c->n_tables; i++)
        c->tables[i].taken = false;
    for (; ok && started < n; started++)
        ok = start_lane(&lanes[started], c, &s->session[started], stop, end_ms, error);
    for (unsigned i = 0; !ok && i < started; i++)
        copy_lane_fail(&lanes[i], error);
    watch(lanes, started, stop);
    for (unsigned i = 0; i < started; i++)
        ok = end_lane(&lanes[i], error) && ok;
    free(lanes);
    if (!ok && error->code == 0)
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the copy was told to stop");
    return ok;
}
