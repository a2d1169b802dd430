/* stream.c - see stream.h: opening, receiving, closing. The sending half is in
 * stream_send.c.
 *
 * Three ops: recv (multishot), send, control (install, connect, shutdown). The
 * stream is CLOSED by finish() alone, from the deliver task, when none is
 * armed. A callback may do anything, so after each one the state is looked at
 * again; the struct itself is safe, because finish() never runs inside one.
 */
#include "core/io/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/stream_filter.h"
#include "core/io/stream_send.h"

enum {
    LOW_BYTES         = 64 * 1024,
    HIGH_BYTES        = 256 * 1024,
    DEFAULT_LINGER_MS = 5000,
};

struct stream_connecting {
    struct sock_addr peer;
    int              fd;    /* ordinary; -1 when closed or taken over */
    int              index; /* in: fd, out: direct descriptor */
    int              error; /* found before any op was armed */
    bool             timed_out;
};

static const struct ring_file no_file = { .fd = -1 };

/* --- the end --- */

static bool
any_armed(const struct stream *s)
{
    return s->recv.armed || s->send.armed || s->control.armed;
}

static void
drop_connecting(struct stream *s)
{
    if (s->connecting == NULL)
        return;
    if (s->connecting->fd >= 0)
        ring_close_file(s->ring, (struct ring_file){ s->connecting->fd, false });
    free(s->connecting);
    s->connecting = NULL;
}

/* The other end hears of it behind all that was handed over. */
static void
leave_pair(struct stream *s)
{
    struct stream *other = s->other;

    if (other == NULL)
        return;
    s->other     = NULL;
    other->other = NULL;
    other->ended = true;
    ring_post(s->ring, &other->deliver);
    stream_post_send(other); /* a waiting send must fail */
}

static void
finish(struct stream *s)
{
    drop_connecting(s);
    if (s->file.fd >= 0)
        ring_close_file(s->ring, s->file);
    s->file = no_file;
    task_drop(&s->flush);
    spare_give_back(ring_spares(s->ring), &s->in);
    spare_give_back(ring_spares(s->ring), &s->out);
    spare_give_back(ring_spares(s->ring), &s->sending);
    stream_filter_free(s);
    s->state = STREAM_CLOSED;
    leave_pair(s);
    if (s->ops->on_closed != NULL)
        s->ops->on_closed(s);
}

void
stream_quiet(struct stream *s)
{
    if (!any_armed(s))
        ring_post(s->ring, &s->deliver);
}

static void
close_now(struct stream *s)
{
    s->state = STREAM_CLOSING;
    timer_stop(ring_timers(s->ring), &s->deadline);
    ring_cancel(s->ring, &s->recv);
    ring_cancel(s->ring, &s->send);
    ring_cancel(s->ring, &s->control);
    stream_quiet(s);
}

static void
linger_over(struct timer *timer)
{
    close_now(container_of(timer, struct stream, deadline));
}

static void
shut(struct op *op, int result, uint32_t flags)
{
    struct stream *s = container_of(op, struct stream, control);

    (void)flags;
    if (s->state == STREAM_CLOSING)
        stream_quiet(s);
    else if (result < 0)
        close_now(s);
}

void
stream_flushed(struct stream *s)
{
    if (s->ended || s->broken || s->local) {
        close_now(s);
        return;
    }
    s->state        = STREAM_LINGERING;
    s->control.done = shut;
    ring_shutdown(s->ring, &s->control, s->file);
}

static void
close_flushing(struct stream *s, uint32_t linger_ms)
{
    s->state = STREAM_FLUSHING;
    s->view  = (struct span){ 0 };
    timer_start(ring_timers(s->ring), &s->deadline, linger_ms ? linger_ms : DEFAULT_LINGER_MS,
                linger_over);
    if (!s->recv.armed && !s->ended && !s->local)
        ring_recv(s->ring, &s->recv, s->file);
    if (s->filter != NULL)
        stream_filter_finish(s);
    if (stream_pending(s) == 0)
        stream_flushed(s);
    else
        stream_post_send(s);
}

void
stream_close(struct stream *s, enum stream_close_how how, uint32_t linger_ms)
{
    bool closing = s->state == STREAM_FLUSHING || s->state == STREAM_LINGERING;

    if (s->state == STREAM_CLOSED || s->state == STREAM_CLOSING)
        return;
    if (how == STREAM_CLOSE_NOW || s->state == STREAM_CONNECTING || s->broken)
        close_now(s);
    else if (!closing)
        close_flushing(s, linger_ms);
}

/* --- receiving --- */

static void
rearm(struct stream *s)
{
    if (s->recv.armed || s->ended || s->paused)
        return;
    if (!s->local)
        ring_recv(s->ring, &s->recv, s->file);
    else if (s->other != NULL)
        stream_post_send(s->other);
}

static void
tell_end(struct stream *s)
{
    bool held = s->paused || s->offer;

    if (s->state != STREAM_OPEN || !s->ended || s->end_told || (held && !s->broken))
        return;
    s->end_told = true;
    s->ops->on_end(s, s->end_error);
}

/* New bytes that lie in the ring's buffer, or in the other end's. */
void
stream_take(struct stream *s, struct span bytes)
{
    if (s->filter != NULL) {
        stream_filter_received(s, bytes);
        return;
    }
    if (s->paused || buf_len(&s->in) > 0) {
        spare_lend(ring_spares(s->ring), &s->in);
        buf_append_span(&s->in, bytes);
    } else {
        s->view = bytes;
    }
    if (s->paused)
        return;

    s->offer = false;
    s->ops->on_data(s);
    if (s->view.len > 0 && s->state == STREAM_OPEN) {
        spare_lend(ring_spares(s->ring), &s->in);
        buf_append_span(&s->in, s->view);
    }
    s->view = (struct span){ 0 };
    if (buf_len(&s->in) == 0)
        spare_give_back(ring_spares(s->ring), &s->in);
}

static void
note_end(struct stream *s, int result)
{
    if (result > 0 || result == -ECANCELED || s->ended)
        return;
    if (result == -ENOBUFS) {
        ring_stats(s->ring)->recv_starved++;
        return;
    }
    s->ended = true;
    if (!s->broken)
        s->end_error = result;
}

/* While closing only the end is of interest. */
static void
discarded(struct stream *s)
{
    if (s->state == STREAM_CLOSING)
        stream_quiet(s);
    else if (s->ended && (s->state == STREAM_LINGERING || s->end_error != 0))
        close_now(s);
    else
        rearm(s);
}

static void
received(struct op *op, int result, uint32_t flags)
{
    struct stream *s = container_of(op, struct stream, recv);

    if (result > 0) {
        if (s->state == STREAM_OPEN && !s->ended) {
            ring_stats(s->ring)->recv_bytes += (uint64_t)result;
            stream_take(s, ring_received(s->ring, result, flags));
        }
        ring_recycle(s->ring, flags);
    }
    if (!op->armed)
        s->cancelling = false;
    note_end(s, result);

    if (s->state != STREAM_OPEN) {
        s->paused = false;
        discarded(s);
        return;
    }
    /* Pausing is lazy: only when something arrives meanwhile is it worth a
     * cancel. */
    if (s->paused && op->armed && !s->cancelling) {
        s->cancelling = true;
        ring_cancel(s->ring, op);
    }
    rearm(s);
    tell_end(s);
}

void
stream_consume(struct stream *s, size_t len)
{
    if (s->view.len > 0) {
        assert(len <= s->view.len);
        s->view = span_from(s->view, len);
        return;
    }
    buf_consume(&s->in, len);
    if (buf_len(&s->in) == 0 && s->in.bytes != NULL)
        ring_post(s->ring, &s->deliver); /* gives the memory back: spans live until then */
}

void
stream_pause_read(struct stream *s)
{
    s->paused = true;
}

void
stream_resume_read(struct stream *s)
{
    s->paused = false;
    if (s->state != STREAM_OPEN)
        return;
    rearm(s);
    /* Of an offer from before a pause there may be nothing left: it must not hold an end back. */
    s->offer = stream_unread(s).len != 0 || s->ended || stream_filter_waits(s);
    if (s->offer)
        ring_post(s->ring, &s->deliver);
}

/* --- the task: what is told outside of a completion --- */

static void
deliver_open(struct stream *s)
{
    if (s->offer && !s->paused) {
        s->offer = false;
        if (buf_len(&s->in) > 0 && !s->end_told)
            s->ops->on_data(s);
        if (s->filter != NULL)
            stream_filter_pump(s);
    }
    if (buf_len(&s->in) == 0)
        spare_give_back(ring_spares(s->ring), &s->in);
    if (s->filter != NULL)
        stream_filter_give_back(s);
    tell_end(s);
}

static void
deliver(struct task *task)
{
    struct stream *s = container_of(task, struct stream, deliver);

    switch (s->state) {
    case STREAM_OPEN:
        deliver_open(s);
        return;
    case STREAM_CONNECTING:
        if (s->connecting != NULL && s->connecting->error != 0)
            s->ops->on_connect(s, s->connecting->error);
        return;
    case STREAM_CLOSING:
        if (!any_armed(s))
            finish(s);
        return;
    case STREAM_CLOSED:
    case STREAM_FLUSHING:
    case STREAM_LINGERING:
        return;
    }
}

/* A send failed. A peer that is gone may have sent last words, which recv will
 * find before it ends by itself; after other failures nothing more is sure. */
void
stream_broke(struct stream *s, int error)
{
    bool peer_gone = error == -EPIPE || error == -ECONNRESET;

    s->broken = true;
    buf_clear(&s->out);
    buf_clear(&s->sending);
    stream_filter_drop(s);
    if (s->state == STREAM_FLUSHING) {
        close_now(s);
        return;
    }
    if (s->end_error == 0)
        s->end_error = error;
    if (!peer_gone || s->paused)
        s->ended = true;
    if (s->ended)
        ring_post(s->ring, &s->deliver);
}

/* --- the beginning --- */

static void
init(struct stream *s, struct ring *ring, const struct stream_ops *ops)
{
    assert(s->state == STREAM_CLOSED);
    *s = (struct stream){ .ops        = ops,
                          .ring       = ring,
                          .recv       = { .done = received },
                          .send       = { .done = stream_sent },
                          .file       = no_file,
                          .high_bytes = HIGH_BYTES,
                          .low_bytes  = LOW_BYTES };
    task_init(&s->deliver, deliver);
    task_init(&s->flush, stream_send_task);
}

void
stream_open(struct stream *s, struct ring *ring, struct ring_file file,
            const struct stream_ops *ops)
{
    init(s, ring, ops);
    s->file  = file;
    s->state = STREAM_OPEN;
    ring_recv(ring, &s->recv, file);
}

void
stream_open_pair(struct stream *a, const struct stream_ops *a_ops, struct stream *b,
                 const struct stream_ops *b_ops, struct ring *ring)
{
    init(a, ring, a_ops);
    init(b, ring, b_ops);
    a->local = b->local = true;
    a->state = b->state = STREAM_OPEN;
    a->other = b;
    b->other = a;
}

static void
connected(struct op *op, int result, uint32_t flags)
{
    struct stream *s = container_of(op, struct stream, control);

    (void)flags;
    if (s->state == STREAM_CLOSING) {
        stream_quiet(s);
        return;
    }
    timer_stop(ring_timers(s->ring), &s->deadline);
    if (result < 0 && s->connecting->timed_out)
        result = -ETIMEDOUT;
    drop_connecting(s);
    if (result == 0) {
        s->state = STREAM_OPEN;
        rearm(s);
        if (stream_pending(s) > 0)
            stream_post_send(s);
    }
    s->ops->on_connect(s, result);
}

/* A full table is no reason to fail: an ordinary descriptor does as well. */
static void
installed(struct op *op, int result, uint32_t flags)
{
    struct stream            *s = container_of(op, struct stream, control);
    struct stream_connecting *c = s->connecting;

    (void)flags;
    if (result == 1) {
        s->file = (struct ring_file){ c->index, true };
        ring_close_file(s->ring, (struct ring_file){ c->fd, false });
    } else {
        s->file = (struct ring_file){ c->fd, false };
    }
    c->fd = -1;
    if (s->state == STREAM_CLOSING) {
        stream_quiet(s);
        return;
    }
    op->done = connected;
    if (c->timed_out)
        connected(op, -ETIMEDOUT, 0);
    else
        ring_connect(s->ring, op, s->file, &c->peer);
}

static void
connect_late(struct timer *timer)
{
    struct stream *s = container_of(timer, struct stream, deadline);

    s->connecting->timed_out = true;
    ring_cancel(s->ring, &s->control);
}

void
stream_connect(struct stream *s, struct ring *ring, const struct sock_addr *peer,
               uint32_t timeout_ms, const struct stream_ops *ops)
{
    init(s, ring, ops);
    s->state = STREAM_CONNECTING;

    struct stream_connecting *c = mem_alloc(sizeof(*c));
    s->connecting = c;
    c->peer       = *peer;
    c->fd         = sock_open(peer);
    c->index      = c->fd;
    if (c->fd < 0) {
        c->error = c->fd;
        ring_post(ring, &s->deliver);
        return;
    }
    sock_limit_silence(c->fd, ring_config_of(ring)->silent_s);
    s->control.done = installed;
    ring_install(ring, &s->control, &c->index);
    timer_start(ring_timers(ring), &s->deadline, timeout_ms, connect_late);
}

const char *
stream_state_name(const struct stream *s)
{
    static const char *const names[] = {
        [STREAM_CLOSED] = "closed",     [STREAM_CONNECTING] = "connecting",
        [STREAM_OPEN] = "open",         [STREAM_FLUSHING] = "flushing",
        [STREAM_LINGERING] = "lingering", [STREAM_CLOSING] = "closing",
    };
    return names[s->state];
}
