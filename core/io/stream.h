/* stream.h - a connected socket as two byte queues.
 *
 *   stream_connect --> CONNECTING --on_connect(0)--> OPEN <-- stream_open(file)
 *                          | on_connect(error)        |
 *                          |                          | stream_close
 *                          v                          v
 *              CLOSED <-- CLOSING <-- LINGERING <-- FLUSHING
 *               on_closed
 *
 *   kernel --> on_data: stream_unread / stream_consume
 *   stream_out (append) + stream_flush --> one send at the end of the turn
 *
 * In: on_data sees the bytes in the ring's own buffer when nothing was left
 * over before; only what it leaves is copied. Out: one buffer fills while the
 * other is in flight. An idle stream owns no memory besides this struct.
 *
 * All callbacks come from ring_turn(), never from inside a call made here, so
 * a callback may call anything on any stream, also close itself or others.
 * After stream_close() no callback comes but on_closed.
 */
#ifndef CORE_IO_STREAM_H
#define CORE_IO_STREAM_H

#include "core/base/filter.h"
#include "core/io/ring.h"
#include "core/io/sock.h"

struct stream;

struct stream_ops {
    /* New bytes: look with stream_unread(), take with stream_consume(). What
     * is left is shown again when more arrives or after stream_resume_read().
     * Spans into unread bytes die when the callback returns. */
    void (*on_data)(struct stream *stream);

    /* stream_flush() had said "full" and the output has fallen to the low
     * mark. May be NULL. */
    void (*on_drained)(struct stream *stream);

    /* Outgoing streams: 0, or -errno (-ETIMEDOUT by the deadline); after an
     * error only stream_close() makes sense. NULL for accepted streams. */
    void (*on_connect)(struct stream *stream, int error);

    /* Nothing more will be received: the peer closed its side (0, what we
     * write may still arrive), or the connection broke (-errno). Comes once,
     * after all data received before it, and is the last of on_data, on_end.
     * stream_close() is still needed. */
    void (*on_end)(struct stream *stream, int error);

    /* No op is armed any more: the memory may be freed. May be NULL. */
    void (*on_closed)(struct stream *stream);
};

enum stream_state {
    STREAM_CLOSED,     /* all zeroes */
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_FLUSHING,   /* closing: output first */
    STREAM_LINGERING,  /* closing: our FIN is sent, waiting for the peer's */
    STREAM_CLOSING,    /* closing: waiting for cancelled ops */
};

struct stream_connecting;

/* Embedded by its owner, who keeps it until on_closed(). */
struct stream {
    const struct stream_ops  *ops;
    struct ring              *ring;
    struct buf                in;      /* received, not consumed */
    struct span               view;    /* the same, in the ring's buffer, during on_data */
    struct buf                out;     /* filling */
    struct buf                sending; /* the kernel's while send.armed */
    struct op                 recv, send, control;
    struct task               deliver, flush;
    struct timer              deadline;
    struct stream_connecting *connecting; /* owned, only while connecting */
    struct stream            *other;      /* of a local pair; NULL when it is closed */
    struct filter            *filter;     /* owned, see stream_add_filter(); NULL: none */
    struct ring_file          file;
    uint32_t                  high_bytes, low_bytes;
    int                       zerocopy_result;
    int                       end_error;
    enum stream_state         state;
    bool paused, cancelling; /* reading */
    bool ended, end_told;    /* nothing more will be received; on_end was called */
    bool offer;              /* resumed: show what is left in `in` */
    bool full;               /* on_drained is due */
    bool broken;             /* sending failed: output is thrown away */
    bool no_zerocopy;
    bool local; /* no socket: see stream_open_pair() */
    bool filter_over; /* nothing after this is decoded */
};

/* Takes over `file` (from listener_accepted, or an ordinary connected fd that
 * is not O_NONBLOCK: {fd, false}) and begins to receive. `stream` must be all
 * zeroes or closed. */
void stream_open(struct stream *stream, struct ring *ring, struct ring_file file,
                 const struct stream_ops *ops);

/* Connects in the background; `peer` is copied. on_connect comes in any case.
 * Output written before that is sent when connected. */
void stream_connect(struct stream *stream, struct ring *ring, const struct sock_addr *peer,
                    uint32_t timeout_ms, const struct stream_ops *ops);

/* A connection within the process: what one end writes the other receives, in a later
 * task of the ring, without a system call. Everything else is as with sockets: a paused
 * end fills the other's output, a closed end is the other's on_end(0). Both must be all
 * zeroes or closed. */
void stream_open_pair(struct stream *a, const struct stream_ops *a_ops, struct stream *b,
                      const struct stream_ops *b_ops, struct ring *ring);

/* Output high mark ("full") and low mark (on_drained); 256 and 64 KiB. */
void stream_set_marks(struct stream *stream, uint32_t low_bytes, uint32_t high_bytes);

/* --- input --- */

/* Inside on_data also outside of it (then: what earlier callbacks left). */
static inline struct span
stream_unread(const struct stream *stream)
{
    return stream->view.len ? stream->view : buf_unread(&stream->in);
}

/* Takes the first `len` unread bytes (asserts that there are so many). */
void stream_consume(struct stream *stream, size_t len);

/* No on_data and no on_end (but that of a failed send) until resumed; soon the
 * kernel's window closes and the peer must wait. A little more may be received
 * and is kept (bounded by the ring's receive buffers). Cheap; both may be repeated. */
void stream_pause_read(struct stream *stream);

/* Also asks for one more on_data (in the next turn) when unread bytes are left,
 * paused or not. */
void stream_resume_read(struct stream *stream);

/* --- output --- */

/* Append to it, then stream_flush(). Never consume from it. After the stream
 * broke or was closed the bytes go nowhere. */
struct buf *stream_out(struct stream *stream);

/* What was appended is sent at the end of this turn. Returns false when the
 * stream is full: bytes are accepted nevertheless, but the writer should wait
 * for on_drained. */
bool stream_flush(struct stream *stream);

/* stream_out + append + stream_flush. */
bool stream_write(struct stream *stream, struct span bytes);

/* Of these, what has been encoded and not sent. */
size_t stream_filter_pending(const struct stream *stream);

/* Bytes written and not yet taken by the kernel. */
static inline size_t
stream_pending(const struct stream *stream)
{
    size_t n = buf_len(&stream->out) + buf_len(&stream->sending);

    return stream->filter == NULL ? n : n + stream_filter_pending(stream);
}

/* --- filters --- */

/* From here on the stream's bytes pass `filter` (all zeroes but for its ops), which
 * it owns then: what is unread now and what is received later is the filter's to
 * decode, what is written later its to encode; what was written before goes out as
 * it is. The last one added is the farthest from the socket. Spans into unread bytes
 * die. Its failure is the on_end of the stream. */
void stream_add_filter(struct stream *stream, struct filter *filter);

/* --- the end --- */

enum stream_close_how {
    STREAM_CLOSE_NOW,   /* output not yet taken by the kernel is thrown away */
    STREAM_CLOSE_FLUSH, /* output first, then FIN, then wait for the peer's FIN (so that the
                           peer reads our last words), all within `linger_ms`; 0: 5 s */
};

/* The one way to end a stream, in any state; may be repeated (NOW overrides
 * FLUSH). The owner's pointers stay valid until on_closed. */
void stream_close(struct stream *stream, enum stream_close_how how, uint32_t linger_ms);

static inline bool
stream_is_open(const struct stream *stream)
{
    return stream->state == STREAM_OPEN;
}

/* Tells the process list and tests. */
const char *stream_state_name(const struct stream *stream);

#endif
