/* stream_filter.c - see stream_filter.h and filter.h.
 *
 * Decoding is lazy: a paused stream keeps what was received as it is, and one
 * that reads decodes at most UNIT bytes (and what one record or compressed packet
 * holds beyond) before it looks whether its owner has paused it. So
 * a peer cannot make a small message grow into much memory.
 */
#include "core/io/stream_filter.h"

#include <assert.h>
#include <errno.h>

enum { UNIT = 256 * 1024 };

static struct spares *
spares_of(struct stream *s)
{
    return ring_spares(s->ring);
}

static struct filter *
lowest(struct filter *f)
{
    while (f->below != NULL)
        f = f->below;
    return f;
}

/* --- receiving ------------------------------------------------------------ */

bool
stream_filter_waits(const struct stream *s)
{
    for (const struct filter *f = s->filter; f != NULL; f = f->below)
        if (buf_len(&f->raw) > 0)
            return true;
    return false;
}

/* What is there already first; only when that is no whole unit, more from below. */
static int
decode(struct stream *s, struct filter *f, struct buf *to)
{
    size_t before = buf_len(to);

    spare_lend(spares_of(s), to);
    for (;;) {
        int own = f->ops->decode(f, to, UNIT);
        if (own != 0 || buf_len(to) > before || f->below == NULL)
            return own;
        size_t had   = buf_len(&f->raw);
        int    under = decode(s, f->below, &f->raw);
        if (buf_len(&f->raw) == had)
            return under;
    }
}

static bool
has_ready(const struct stream *s)
{
    for (const struct filter *f = s->filter; f != NULL; f = f->below)
        if (buf_len(&f->ready) > 0)
            return true;
    return buf_len(&s->out) > 0; /* it may have waited for a handshake */
}

void
stream_filter_pump(struct stream *s)
{
    bool more = true;

    while (more && s->state == STREAM_OPEN && !s->paused && !s->filter_over) {
        size_t before = buf_len(&s->in);
        int    result = decode(s, s->filter, &s->in);

        if (result != 0) {
            s->filter_over = s->ended = true;
            s->end_error   = result == -ESHUTDOWN ? 0 : result;
        }
        if (!s->send.armed && has_ready(s))
            ring_post_flush(s->ring, &s->flush);
        more = buf_len(&s->in) > before;
        if (more) {
            s->offer = false;
            s->ops->on_data(s);
        }
    }
    if (s->state != STREAM_CLOSED)
        ring_post(s->ring, &s->deliver); /* to give memory back, and to tell the end */
}

void
stream_filter_received(struct stream *s, struct span bytes)
{
    struct filter *f = lowest(s->filter);

    spare_lend(spares_of(s), &f->raw);
    buf_append_span(&f->raw, bytes);
    stream_filter_pump(s);
}

/* --- sending -------------------------------------------------------------- */

void
stream_filter_encode(struct stream *s)
{
    struct buf *from = &s->out;

    for (struct filter *f = s->filter; f != NULL; f = f->below) {
        if (buf_len(from) > 0) {
            spare_lend(spares_of(s), &f->ready);
            f->ops->encode(f, from);
        }
        from = &f->ready;
    }

    struct buf filled = *from;
    *from      = s->sending;
    s->sending = filled;
}

void
stream_filter_finish(struct stream *s)
{
    struct buf *from = &s->out;

    for (struct filter *f = s->filter; f != NULL; f = f->below) {
        spare_lend(spares_of(s), &f->ready);
        if (buf_len(from) > 0)
            f->ops->encode(f, from);
        if (f->ops->finish != NULL && buf_len(from) == 0)
            f->ops->finish(f);
        from = &f->ready;
    }
}

void
stream_filter_drop(struct stream *s)
{
    for (struct filter *f = s->filter; f != NULL; f = f->below)
        buf_clear(&f->ready);
}

/* --- adding, and the end -------------------------------------------------- */

size_t
stream_filter_pending(const struct stream *s)
{
    size_t n = 0;

    for (const struct filter *f = s->filter; f != NULL; f = f->below)
        n += buf_len(&f->ready);
    return n;
}

void
stream_add_filter(struct stream *s, struct filter *f)
{
    struct span unread = stream_unread(s);

    assert(f->below == NULL);
    if (unread.len > 0) {
        spare_lend(spares_of(s), &f->raw);
        buf_append_span(&f->raw, unread);
    }
    s->view = (struct span){ 0 };
    buf_clear(&s->in);
    if (buf_len(&s->out) > 0) { /* written before: it passes by this filter */
        spare_lend(spares_of(s), &f->ready);
        buf_append_span(&f->ready, buf_unread(&s->out));
        buf_clear(&s->out);
    }
    f->below  = s->filter;
    s->filter = f;
    if (s->state != STREAM_OPEN)
        return;
    spare_lend(spares_of(s), &f->ready);
    f->ops->encode(f, &s->out); /* who speaks first does so now */
    if (!s->send.armed)
        ring_post_flush(s->ring, &s->flush);
    if (unread.len > 0)
        s->offer = true;
    ring_post(s->ring, &s->deliver);
}

static void
give_back(struct stream *s, struct buf *b)
{
    if (b->bytes != NULL && buf_len(b) == 0)
        spare_give_back(spares_of(s), b);
}

void
stream_filter_give_back(struct stream *s)
{
    for (struct filter *f = s->filter; f != NULL; f = f->below) {
        give_back(s, &f->raw);
        give_back(s, &f->ready);
    }
}

void
stream_filter_free(struct stream *s)
{
    while (s->filter != NULL) {
        struct filter *f = s->filter;
        s->filter = f->below;
        spare_give_back(spares_of(s), &f->raw);
        spare_give_back(spares_of(s), &f->ready);
        f->ops->free(f);
    }
}
