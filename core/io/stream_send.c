/* stream_send.c - the sending half of stream.h.
 *
 *   stream_out --> out --swap at the end of the turn--> sending --> kernel
 *
 * `sending` does not change while the send op is armed; with zero copy that is
 * until the kernel's notification, which comes behind the result. It may say
 * that the bytes were copied nevertheless (the peer is on this machine, or the
 * card cannot), which costs more than copying at once: not again, then.
 */
#include "core/io/stream_send.h"

#include <errno.h>

#include "core/io/stream_filter.h"

static bool
takes_output(const struct stream *s)
{
    return !s->broken && (s->state == STREAM_OPEN || s->state == STREAM_CONNECTING);
}

void
stream_set_marks(struct stream *s, uint32_t low_bytes, uint32_t high_bytes)
{
    s->low_bytes  = low_bytes;
    s->high_bytes = high_bytes;
}

struct buf *
stream_out(struct stream *s)
{
    if (!takes_output(s))
        return spare_scrap(ring_spares(s->ring));
    spare_lend(ring_spares(s->ring), &s->out);
    return &s->out;
}

/* Sends are armed behind all tasks; what goes to the other end calls back, so it is a
 * task itself. */
void
stream_post_send(struct stream *s)
{
    if (s->local)
        ring_post(s->ring, &s->flush);
    else
        ring_post_flush(s->ring, &s->flush);
}

bool
stream_flush(struct stream *s)
{
    if (!takes_output(s))
        return true;
    if (!s->send.armed && s->state == STREAM_OPEN)
        stream_post_send(s);
    if (stream_pending(s) < s->high_bytes)
        return true;
    s->full = true;
    return false;
}

bool
stream_write(struct stream *s, struct span bytes)
{
    buf_append_span(stream_out(s), bytes);
    return stream_flush(s);
}

static void
arm(struct stream *s)
{
    const struct ring_config *config = ring_config_of(s->ring);
    struct span               bytes  = buf_unread(&s->sending);
    struct ring_stats        *stats  = ring_stats(s->ring);

    if (config->zerocopy_bytes > 0 && bytes.len >= config->zerocopy_bytes && !s->no_zerocopy &&
        ring_features(s->ring)->zerocopy) {
        stats->zerocopy_sends++;
        ring_send_zerocopy(s->ring, &s->send, s->file, bytes);
    } else {
        stats->sends++;
        ring_send(s->ring, &s->send, s->file, bytes);
    }
}

static void
give_back_idle(struct stream *s)
{
    if (buf_len(&s->out) == 0)
        spare_give_back(ring_spares(s->ring), &s->out);
    if (buf_len(&s->sending) == 0)
        spare_give_back(ring_spares(s->ring), &s->sending);
    if (s->filter != NULL)
        stream_filter_give_back(s);
}

static void
tell_drained(struct stream *s)
{
    if (!s->full || s->state != STREAM_OPEN || stream_pending(s) > s->low_bytes)
        return;
    s->full = false;
    if (s->ops->on_drained != NULL)
        s->ops->on_drained(s);
}

/* What a send has left or has let come. */
static void
go_on(struct stream *s)
{
    if (stream_pending(s) == 0)
        give_back_idle(s);
    else
        stream_post_send(s); /* at the end: what is written until then joins */
    if (s->state == STREAM_FLUSHING && stream_pending(s) == 0)
        stream_flushed(s);
    tell_drained(s);
}

/* To the other end of a local pair. It may do anything meanwhile, also close us. */
static void
hand_over(struct stream *s)
{
    struct stream *other = s->other;
    size_t         len   = buf_len(&s->sending);

    if (other == NULL) {
        stream_broke(s, -EPIPE);
        return;
    }
    if (other->paused && other->state == STREAM_OPEN)
        return; /* its stream_resume_read() comes back to us */
    if (other->state == STREAM_OPEN)
        stream_take(other, buf_unread(&s->sending));
    buf_consume(&s->sending, len);
    if (s->state != STREAM_CLOSING)
        go_on(s);
}

void
stream_send_task(struct task *task)
{
    struct stream *s = container_of(task, struct stream, flush);

    if (s->send.armed || s->broken || (s->state != STREAM_OPEN && s->state != STREAM_FLUSHING))
        return;
    if (buf_len(&s->sending) == 0 && s->filter != NULL)
        stream_filter_encode(s);
    else if (buf_len(&s->sending) == 0) {
        struct buf filled = s->out;
        s->out     = s->sending;
        s->sending = filled;
    }
    if (buf_len(&s->sending) == 0)
        give_back_idle(s);
    else if (s->local)
        hand_over(s);
    else
        arm(s);
}

/* True when the send is over and `*result` says how. */
static bool
is_result(struct stream *s, int *result, uint32_t flags)
{
    if ((flags & RING_NOTIFIED) != 0) {
        s->no_zerocopy = s->no_zerocopy || (*result == RING_COPIED && s->zerocopy_result >= 0);
        *result        = s->zerocopy_result;
        return true;
    }
    s->zerocopy_result = *result;
    return !s->send.armed;
}

static void
take_result(struct stream *s, int result)
{
    if (result >= 0) {
        ring_stats(s->ring)->send_bytes += (uint64_t)result;
        buf_consume(&s->sending, (size_t)result);
    } else if (result == -EOPNOTSUPP && !s->no_zerocopy) {
        s->no_zerocopy = true; /* Unix sockets: again, by copying */
    } else if (result != -EINTR) {
        stream_broke(s, result);
    }
}

void
stream_sent(struct op *op, int result, uint32_t flags)
{
    struct stream *s = container_of(op, struct stream, send);

    if (!is_result(s, &result, flags))
        return;
    if (s->state != STREAM_CLOSING)
        take_result(s, result);
    if (s->state == STREAM_CLOSING) {
        stream_quiet(s);
        return;
    }

    go_on(s);
}
