/* collect.h - what can be asked about a server of a shard, and the threads that ask it.
 *
 *   collectors[]           pool                            monitor
 *   { server, 10 s, run }  8 threads: whichever is due --> collect_take(): what is fresh
 *
 * A collector fills in the fields of a struct shard_load that it knows, and leaves the others.
 * A new one is a file with a run() function, and its row below. It may block up to
 * COLLECT_DEADLINE_S: it has a thread for so long, and others go on. One that fails is asked
 * less and less often, at most every COLLECT_REST_MAX_MS, until it succeeds.
 */
#ifndef CTL_SCALE_COLLECT_H
#define CTL_SCALE_COLLECT_H

#include "ctl/provision/cluster.h"
#include "ctl/scale/load.h"

enum { COLLECT_DEADLINE_S = 3, COLLECT_REST_MAX_MS = 60000 };

/* What a collector is asked for. */
struct collect_about {
    struct cluster *cluster;
    const json_t   *shard; /* the catalog's object, with "replicas": [those of its replicas];
                            * or that of a replica */
    struct load    *load;  /* for what is no number of a struct shard_load */
};

struct collector {
    const char *name;
    int         pace_ms;  /* 0: as often as the monitor measures */
    bool        replicas; /* replicas are asked too, not primaries only */

    /* Returns false with `err` filled when it failed. `*state` is this collector's own for this
     * server, NULL at first; run() of one state is never called twice at once. */
    bool (*run)(const struct collect_about *about, void **state, struct shard_load *out,
                struct err *err);
    void (*end)(void *state);
};

/* X(name): each is `collect_<name>`. */
#define COLLECTORS(X) \
    X(server)         \
    X(sizes)          \
    X(process)        \
    X(agent)          \
    X(replicas)

#define COLLECTOR_DECLARE(name) extern const struct collector collect_##name;
COLLECTORS(COLLECTOR_DECLARE)
#undef COLLECTOR_DECLARE

struct collect;

/* NULL: there are no threads. */
struct collect *collect_start(struct cluster *c, struct load *l);
void            collect_stop(struct collect *p); /* waits for those that are asking */

/* By what the measurements of a server are known, primary or replica (load.h). The catalog's id of
 * a replica that was a primary once is a shard's. */
uint32_t collect_id(const json_t *server);

/* The shards and replicas there are: {collect_id(): object, as in collect_about}; new ones are
 * asked at once. `pace_ms`: as often as the monitor measures. */
void collect_sync(struct collect *p, const json_t *servers, int pace_ms);

/* Adds what is known of this shard or replica and still fresh. */
void collect_take(struct collect *p, uint32_t id, struct shard_load *m);

/* [{"collector", "problem", "age_s"} ...] of one, for people; owned by the caller. */
json_t *collect_show(struct collect *p, uint32_t id);

#endif
