/* provision_local.h - servers of our own: private mariadbd processes on this host.
 *
 *   HOME/template/              a fresh datadir, made once
 *   HOME/shard-1/my.cnf         settings, written anew at each start
 *   HOME/shard-1/data/          a copy of the template
 *   HOME/shard-1/error.log
 *   HOME/shard-1/mariadbd.pid
 *   HOME/replica-1/...          a replica: the same, and read_only
 *   HOME/engine-1/...           an engine: with settings of its own
 *
 *   STOPPED --start--> STARTING --answers--> RUNNING --dies--> BACKOFF --> STARTING
 *                          +---------------------^
 *
 * A server outlives a controller that is killed; the next one finds it by its
 * command line and takes it over. One thread (the supervisor's) calls these.
 */
#ifndef CTL_PROVISION_PROVISION_LOCAL_H
#define CTL_PROVISION_PROVISION_LOCAL_H

#include <jansson.h>
#include <sys/types.h>

#include "core/base/err.h"

struct local_server;

/* Makes HOME/template when there is none. A second or two. */
bool local_template(const char *home, struct err *err) must_check;

/* Fills in directory, socket, port (a free one; an engine has none), user and secret of
 * the shard's or engine's object, whose id and name are set, and makes its datadir from
 * the template. */
bool local_create(const char *home, const char *run_dir, json_t *shard,
                  struct err *err) must_check;

/* Removes the directory of a stopped server, data and all. */
bool local_destroy(const json_t *shard, struct err *err) must_check;

/* A handle on the server of this shard object (copied): running, when it
 * lives already, else stopped. */
struct local_server *local_open(const json_t *shard);
void                 local_close(struct local_server *s); /* does not stop it */

/* Starts it; an engine that was killed gets a new datadir. False when it cannot be forked,
 * or its port is taken by somebody else. */
bool local_start(struct local_server *s, struct err *err) must_check;

/* It is killed, and not started again as long as it is held: somebody else may have its place. */
void local_hold(struct local_server *s, bool hold);

/* Asks it to stop; local_tick() sees it end. */
void local_stop(struct local_server *s);

/* Sees ends, restarts what died (with backoff), kills what does not stop. Call
 * it a few times a second; returns whether the process lives. */
bool local_tick(struct local_server *s, int64_t now_ms);

/* Waits until it answers SQL, at most `wait_ms`. */
bool local_wait_ready(struct local_server *s, int wait_ms, struct err *err) must_check;

pid_t   local_pid(const struct local_server *s); /* 0: none */
int64_t local_shard(const struct local_server *s); /* its model_server_id() */

/* Its object is another one: a replica has become a primary, or the other way round. */
void local_renew_object(struct local_server *s, const json_t *object);

/* Kills the server with this directory, when one runs, and removes it, data and all. */
bool local_remove_left(const char *directory, struct err *err) must_check;

/* The paths of every HOME/KIND-N that no object of `known`, a catalog_all(), has; to be owned. */
json_t *local_strangers(const char *home, const char *kind, const json_t *known);

/* local_remove_left() for each of them. Only where such a server can have no data that anybody
 * wants. */
void local_sweep(const char *home, const char *kind, const json_t *known);

/* The process in `pid_file` when it lives and `needle` is in its command line,
 * else 0: a number alone could be anybody's by now. */
pid_t local_find(const char *pid_file, const char *needle);

/* Whether the process lives and has `needle` in its command line. A pid file may be gone
 * before its process is. */
bool local_is(pid_t pid, const char *needle);

/* The mariadbd that runs with the settings in `directory`, and a pidfd of it that the
 * caller closes; else 0 and -1. Its pid file is not asked: a server has none yet while it
 * starts, and none any more while it stops. */
pid_t local_find_server(const char *directory, int *pidfd);

/* Is it a zombie or gone? Only then are its files and ports free: the command line of
 * a process vanishes before. */
bool local_ended(int pidfd);

#endif
