/* listen.h - sockets that the API is reached by. */
#ifndef CTL_API_LISTEN_H
#define CTL_API_LISTEN_H

#include <sys/types.h>

#include "core/base/err.h"

/* A Unix socket of mode 0600; with a `group` ((gid_t)-1: none) 0660 and that group's, and then
 * its members may pass through the folder. A stale socket of a dead controller is replaced, a
 * live one refused. Returns the descriptor, -1 with `err`. */
int listen_unix(const char *path, gid_t group, struct err *err);

/* "HOST:PORT", numeric; [::1]:PORT for IPv6. `loopback` says whether it is reached from this
 * machine only. */
int listen_tcp(const char *address, bool *loopback, struct err *err);

#endif
