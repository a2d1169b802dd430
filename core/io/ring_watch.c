/* ring_watch.c - a descriptor that is watched for as long as one likes.
 *
 * A multishot poll may end by itself (the completion queue was full); then it
 * is armed again, so that the owner need not know.
 */
#include <poll.h>

#include "core/io/ring.h"

static void
watch(struct ring_watch *w)
{
    ring_poll_multishot(w->ring, &w->op, w->fd, POLLIN);
}

static void
watch_done(struct op *op, int result, uint32_t flags)
{
    struct ring_watch *w = container_of(op, struct ring_watch, op);

    (void)flags;
    if (w->stopped)
        return;
    if (!op->armed && result > 0)
        watch(w);
    w->fired(w);
}

void
ring_watch_fd(struct ring *ring, struct ring_watch *w, int fd, ring_watch_fired *fired)
{
    *w = (struct ring_watch){
        .op = { .done = watch_done }, .ring = ring, .fired = fired, .fd = fd
    };
    watch(w);
}

void
ring_unwatch(struct ring_watch *w)
{
    w->stopped = true;
    ring_cancel(w->ring, &w->op);
}
