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

bool
stream_flush(struct stream *s)
{
    if (!takes_output(s))
        return true;
    if (!s->send.armed && s->state == STREAM_OPEN)
        ring_post_flush(s->ring, &s->flush);
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
}

void
stream_send_task(struct task *task)
{
    struct stream *s = container_of(task, struct stream, flush);

    if (s->send.armed || s->broken || (s->state != STREAM_OPEN && s->state != STREAM_FLUSHING))
        return;
    if (buf_len(&s->sending) == 0) {
        struct buf filled = s->out;
        s->out     = s->sending;
        s->sending = filled;
    }
    if (buf_len(&s->sending) > 0)
        arm(s);
    else
        give_back_idle(s);
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

static void
tell_drained(struct stream *s)
{
    if (!s->full || s->state != STREAM_OPEN || stream_pending(s) > s->low_bytes)
        return;
    s->full = false;
    if (s->ops->on_drained != NULL)
        s->ops->on_drained(s);
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

    if (stream_pending(s) == 0)
        give_back_idle(s);
    else
        ring_post_flush(s->ring, &s->flush); /* at the end: what is written until then joins */
    if (s->state == STREAM_FLUSHING && stream_pending(s) == 0)
        stream_flushed(s);
    tell_drained(s);
}
