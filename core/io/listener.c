/* listener.c - see listener.h.
 *
 * An accept slot that is not armed is idle because the listener is paused,
 * closing, or backing off; resume and the timer arm all idle slots.
 */
#include "core/io/listener.h"

#include <errno.h>

enum { BACKOFF_MS = 100 };

static void accepted(struct op *op, int result, uint32_t flags);

static void
arm_idle(struct listener *l)
{
    if (l->paused || l->closing || timer_running(&l->backoff))
        return;
    if (!l->want_peer) {
        if (!l->accepts[0].op.armed)
            ring_accept(l->ring, &l->accepts[0].op, l->fd);
        return;
    }
    for (int i = 0; i < LISTENER_BATCH; i++)
        if (!l->accepts[i].op.armed)
            ring_accept_peer(l->ring, &l->accepts[i].op, l->fd, &l->accepts[i].peer);
}

static void
cancel_armed(struct listener *l)
{
    for (int i = 0; i < LISTENER_BATCH; i++)
        ring_cancel(l->ring, &l->accepts[i].op);
}

static bool
any_armed(const struct listener *l)
{
    for (int i = 0; i < LISTENER_BATCH; i++)
        if (l->accepts[i].op.armed)
            return true;
    return false;
}

static void
finish(struct task *task)
{
    struct listener *l = container_of(task, struct listener, finish);

    if (!any_armed(l) && l->on_closed != NULL)
        l->on_closed(l);
}

static void
backed_off(struct timer *timer)
{
    arm_idle(container_of(timer, struct listener, backoff));
}

/* A connection that died in the queue is the peer's affair; the rest (out of
 * slots, of memory) would only fail again at once. */
static void
failed(struct listener *l, int error)
{
    if (error == -ECANCELED || error == -ECONNABORTED || error == -EINTR || error == -EPROTO)
        return;
    l->last_error = error;
    ring_stats(l->ring)->accept_failed++;
    if (!timer_running(&l->backoff))
        timer_start(ring_timers(l->ring), &l->backoff, BACKOFF_MS, backed_off);
}

static void
accepted(struct op *op, int result, uint32_t flags)
{
    struct listener_accept *slot = container_of(op, struct listener_accept, op);
    struct listener        *l    = slot->listener;

    (void)flags;
    if (l->closing) {
        if (result >= 0)
            ring_close_file(l->ring, (struct ring_file){ result, true });
        if (!any_armed(l))
            ring_post(l->ring, &l->finish);
        return;
    }
    if (result < 0)
        failed(l, result);
    else
        l->on_accept(l, (struct ring_file){ result, true }, l->want_peer ? &slot->peer : NULL);
    arm_idle(l);
}

void
listener_open(struct listener *l, struct ring *ring, int fd, bool want_peer,
              listener_accepted *on_accept, listener_closed *on_closed)
{
    *l = (struct listener){ .ring      = ring,
                            .on_accept = on_accept,
                            .on_closed = on_closed,
                            .fd        = fd,
                            .want_peer = want_peer };
    task_init(&l->finish, finish);
    for (int i = 0; i < LISTENER_BATCH; i++) {
        l->accepts[i].op.done  = accepted;
        l->accepts[i].listener = l;
    }
    arm_idle(l);
}

void
listener_pause(struct listener *l)
{
    if (l->paused)
        return;
    l->paused = true;
    cancel_armed(l);
}

/* A cancel may still be on its way: its completion arms the slot again. */
void
listener_resume(struct listener *l)
{
    l->paused = false;
    arm_idle(l);
}

void
listener_close(struct listener *l)
{
    if (l->closing)
        return;
    l->closing = true;
    timer_stop(ring_timers(l->ring), &l->backoff);
    cancel_armed(l);
    if (!any_armed(l))
        ring_post(l->ring, &l->finish);
}
