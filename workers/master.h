/* master.h - the process that owns the listening sockets and the workers.
 *
 *            fork, pidfd                 'R' from the controller
 *   workers <----------- master <------- control socket (datagrams)
 *      ^                   |
 *      +---- eventfd poke -+
 *
 * The master never touches a client's bytes, so there is nothing in it that a
 * client could break. It opens one listening socket per worker before the
 * first fork and keeps them: a worker's death loses no waiting connection.
 */
#ifndef WORKERS_MASTER_H
#define WORKERS_MASTER_H

#include "core/conf/conf.h"

/* Run until told to stop. `path` is read again on SIGHUP (NULL: no file).
 * False when it could not start; the reason has been logged. */
bool master_run(const struct conf *conf, const char *path);

#endif
