/* worker.h - the process that serves clients: one ring, one loop.
 *
 *   SIGTERM --> leaving: nobody is accepted, idle clients go, the others finish
 *               (drain_s), exit 0
 *   SIGQUIT --> exit 0 at once           SIGHUP --> read the settings again
 *
 * A worker whose master is dead is an orphan and goes on as if nothing had
 * happened, until a new master's epoch appears: from then on it accepts nobody
 * and ends with its last client.
 */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

#include <sys/types.h>

#include "core/conf/conf.h"
#include "shm/slots.h"
#include "workers/backend/secure.h"

/* What a worker inherits; all of it outlives the process. */
struct worker_start {
    const struct conf *conf;    /* `workers` is their true number */
    const char        *path;    /* of the settings, NULL: none */
    const struct secure *secure; /* the worker takes it over */
    struct slots      *slots;   /* of slots_create(), in the parent */
    const int         *pokes;   /* eventfds, [slots->n_workers] */
    uint32_t           row;     /* our slot; the worker's number */
    uint32_t           epoch;   /* never the same twice for a row */
    pid_t              master;
    uint64_t           master_epoch; /* slots_epoch() when it forked us */
    unsigned           n_files; /* direct descriptors of the ring */
    int                listen_fd, local_fd, http_fd; /* the latter two may be -1 */
    int                cpu;     /* to run on; -1: any */
};

/* Runs in the forked child, with the signals above blocked; ends the process:
 * status 0 when it was told to leave, 1 when it cannot work (which is logged). */
_Noreturn void worker_main(const struct worker_start *start);

/* Descriptors beyond one per client: servers, HTTP, clients being refused. */
enum { WORKER_FILES_SPARE = 4096 };

#endif
