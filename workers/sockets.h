/* sockets.h - the listening sockets: one per worker and address, made before the fork.
 *
 *   address --> SO_REUSEPORT group: socket 0, socket 1, ... one per seat
 *                                     |         |
 *                                   seat 0    seat 1     the worker of the moment
 *
 * The master keeps them all, so what waits in the queue of a dead worker's
 * socket is served by its successor. A Unix socket knows no groups: there all
 * seats have the same one.
 */
#ifndef WORKERS_SOCKETS_H
#define WORKERS_SOCKETS_H

#include "core/base/err.h"
#include "core/io/sock.h"

struct sockets {
    int     *fd; /* [n], owned; all -1 when there is no address */
    unsigned n;
    bool     shared; /* one socket for all */
};

struct sockets_options {
    unsigned backlog;
    unsigned unix_mode; /* permissions of a Unix socket's file */
    unsigned silent_s;  /* see sock_limit_silence() */
    bool     alone;
};

/* Listen on `text` ("" means nowhere). `alone`: nobody else may listen there, so
 * that a second shardd cannot quietly share the port of the first; without it
 * processes of the same user may (the orphans of a dead master do). */
bool sockets_open(struct sockets *s, const char *text, unsigned n,
                  const struct sockets_options *options, struct err *err) must_check;

/* Who gets a new connection; a kernel that cannot do it chooses itself. */
void sockets_steer(const struct sockets *s, enum sock_steer how);

/* Close them, all but that of seat `keep` (which is `n` for none). */
void sockets_close(struct sockets *s, unsigned keep);

#endif
