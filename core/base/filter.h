/* filter.h - what lies between a stream's two byte queues and its socket.
 *
 *   stream_unread <-- [decode: compression] <-- [decode: TLS] <-- kernel
 *   stream_out    --> [encode: compression] --> [encode: TLS] --> kernel
 *        filter ----------^    below ------------^
 *
 * A plain stream has none and pays one pointer for it. A filter keeps what it
 * cannot decode yet in `raw` and what is ready for the one below (or for the
 * kernel) in `ready`; both are lent memory, so that an idle one keeps nothing
 * but its own state. Filters do no I/O: a test drives them from strings.
 */
#ifndef CORE_BASE_FILTER_H
#define CORE_BASE_FILTER_H

#include "core/base/buf.h"

struct filter;

struct filter_ops {
    /* Take from `raw` and append to `to`, until `to` has grown by about `want`
     * bytes or nothing whole is left. May append to `ready` what the peer must
     * hear (a handshake). 0; -ESHUTDOWN: the peer said goodbye; other -errno:
     * nothing after this can be trusted. What was appended is good in any case. */
    int (*decode)(struct filter *filter, struct buf *to, size_t want);

    /* Take from `from` and append to `ready`. Takes nothing as long as it may
     * not speak yet, and may leave some bytes for the next call. */
    void (*encode)(struct filter *filter, struct buf *from);

    /* Nothing will be encoded any more: last words to `ready`. May be NULL. */
    void (*finish)(struct filter *filter);

    /* Frees the filter's own state; `raw` and `ready` are the stream's to free. */
    void (*free)(struct filter *filter);
};

/* Embedded by its kind, first member or not. */
struct filter {
    const struct filter_ops *ops;
    struct filter           *below; /* nearer to the socket; NULL: the last */
    struct buf               raw;   /* received, not decoded */
    struct buf               ready; /* encoded, not sent */
};

#endif
