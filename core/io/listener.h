/* listener.h - accepts connections into direct descriptors.
 *
 *   listener_open --> on_accept(file) ... --> listener_close --> on_closed
 *                     ^            |
 *                     +-- resume --+-- pause (connection limit)
 *
 * Two ways. Plain: one multishot accept, cheapest, the peer is unknown. With
 * `want_peer`: several single accepts kept armed, because only those report
 * the peer's address and a direct descriptor has no getpeername().
 *
 * Keep the number of connections below ring_config.n_files: at -ENFILE the
 * kernel has already dropped the connection. Errors back off for 100 ms.
 */
#ifndef CORE_IO_LISTENER_H
#define CORE_IO_LISTENER_H

#include "core/io/ring.h"
#include "core/io/sock.h"

struct listener;

/* `file` is owned by the receiver: stream_open() it, or ring_close_file() it.
 * `peer` is NULL without want_peer; valid during the call. May still come a few
 * times after listener_pause(), not after listener_close(). */
typedef void listener_accepted(struct listener *listener, struct ring_file file,
                               const struct sock_addr *peer);
typedef void listener_closed(struct listener *listener);

enum { LISTENER_BATCH = 16 };

struct listener_accept {
    struct op        op;
    struct listener *listener;
    struct sock_addr peer;
};

/* Embedded by its owner, who keeps it until on_closed(). */
struct listener {
    struct ring           *ring;
    listener_accepted     *on_accept;
    listener_closed       *on_closed;
    int                    fd; /* not owned */
    bool                   want_peer, paused, closing;
    int                    last_error; /* -errno of the last failed accept, for logs */
    struct timer           backoff;
    struct task            finish;
    struct listener_accept accepts[LISTENER_BATCH];
};

/* `fd` is a listening socket, not O_NONBLOCK, kept open by the caller until
 * on_closed(). on_closed may be NULL. */
void listener_open(struct listener *listener, struct ring *ring, int fd, bool want_peer,
                   listener_accepted *on_accept, listener_closed *on_closed);

/* Connections wait in the kernel's queue meanwhile. Both may be repeated. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* on_closed comes in a later turn. The fd stays open (a successor may use it). */
void listener_close(struct listener *listener);

#endif
