/* dataplane.h - shardd as a child of `shardctl up`.
 *
 *   ABSENT --start--> STARTING --READY=1--> READY --dies--> BACKOFF --> STARTING
 *
 * It is found and taken over when it survived the controller before this one.
 */
#ifndef CTL_DATAPLANE_H
#define CTL_DATAPLANE_H

#include "ctl/provision/cluster.h"

struct dataplane;

struct dataplane_options {
    int            port, http_port, workers; /* workers 0: one per CPU */
    const json_t  *settings;                 /* ["name = value", ...] of shardd.conf(5) */
};

/* Writes shardd.conf, checks it and the ports, and takes over a running shardd
 * whose settings are the same. Does not start it. */
struct dataplane *dataplane_open(struct cluster *c, const struct dataplane_options *o,
                                 struct err *err);
bool              dataplane_start(struct dataplane *d, struct err *err) must_check;

/* Sees READY, ends, restarts. Call it a few times a second. */
void dataplane_tick(struct dataplane *d);
bool dataplane_ready(const struct dataplane *d);

/* It ended before it was ever ready. */
bool dataplane_failed(const struct dataplane *d);

/* What it logged as the reason, and where to read more. Returns false. */
bool dataplane_last_words(const struct dataplane *d, struct err *err);

/* Orderly: clients end their transactions, for a few seconds. `hurry` is asked
 * all the time and cuts that short. */
void dataplane_stop(struct dataplane *d, bool (*hurry)(void));
void dataplane_close(struct dataplane *d);

#endif
