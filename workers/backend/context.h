/* context.h - what everything in a worker shares. One per worker process. */
#ifndef WORKERS_BACKEND_CONTEXT_H
#define WORKERS_BACKEND_CONTEXT_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/list.h"
#include "core/conf/conf.h"
#include "core/io/ring.h"
#include "core/io/timer.h"
#include "core/route/table.h"
#include "shm/slots.h"
#include "workers/backend/secure.h"

/* A copy of the routes that statements hold on to while they run. */
struct routes_ref {
    struct routes *routes; /* owned */
    uint32_t       refs;

    /* With tables of one session's own (core/route/own_table.h): */
    struct routes_ref *base;   /* a reference of ours; NULL: without */
    struct arena       arena;  /* `routes` is in it, and: */
    const struct span *own;    /* [routes->n_own): their SHOW CREATE TABLE */
};

struct cache;
struct logins;
struct turns;
struct query_run;
struct sequences;
struct definitions;
struct gate;
struct parking;
struct together;
struct heat;
struct servers;
struct statement_times;

struct context {
    struct ring       *ring;
    struct conf        conf;
    struct secure      secure;
    struct logins     *logins; /* owned, see workers/client/client_auth.c; NULL: not needed yet */
    struct turns      *turns;  /* owned, see workers/client/client_turn.c; NULL: not needed yet */
    struct slots      *slots;  /* everybody's, read-only */
    struct slot       *slot;   /* our own, writable */
    unsigned           number; /* of the worker, from 0 */
    struct routes_ref *routes; /* NULL until the first ones arrive */
    struct cache      *plans;  /* see core/route/cache.h */
    struct list        pools;
    uint64_t           users_since_ms; /* users and rights are as they are since then */
    uint32_t           n_starved; /* pools that may open nothing: their user has its share */
    struct list        closing; /* backends whose operations have not all ended */
    struct list        clients;
    uint32_t           n_clients;
    uint32_t           n_active; /* of them have sent a command since the last tick */
    uint32_t           ticks;
    uint32_t          *free_rows;   /* of the slot's process list; room for all of them */
    uint32_t           n_free_rows;
    const int         *pokes;       /* [conf.workers] eventfds, one per worker */
    uint64_t           next_client; /* connection ids are unique over all workers */
    uint64_t           next_uservars;
    uint64_t           next_xid;
    uint64_t           epoch;       /* of this process: xids are never reused */
    bool               leaving;     /* draining: no new clients, no idle ones */
    struct sequences  *sequences;   /* see workers/query/sequence.h */
    struct definitions *definitions; /* see workers/query/definitions.h; owned */
    struct gate       *gate;        /* see workers/query/gate.h */
    uint64_t           fence_since;  /* the generation with which a fence came; 0: none stands */
    bool               fence_closed; /* it lets nothing through any more: see park.h */
    uint32_t           ease_room;    /* so many transactions may begin on eased shards */
    struct statement_times *times;   /* see workers/query/statement_time.h; owned; NULL: not
                                        needed yet */
    struct heat       *heat;         /* see workers/query/heat.h; owned; NULL: not needed yet */
    struct parking    *parking;     /* see workers/query/park.h; owned; NULL: not needed yet */
    struct servers    *servers;      /* see servers.h; owned; NULL: no shard has replicas */
    struct together   *together;    /* see workers/query/together.h; owned; NULL: not needed yet */
    struct query_run      *spare_query; /* see workers/query/query.h; owned */
    uint32_t           n_spare_queries;

    /* KILL: true when this worker has the client. Set by the client module's owner. */
    bool (*kill)(struct context *ctx, uint64_t id, bool query_only);
};

struct routes_ref *routes_hold(struct context *ctx);
void               routes_drop(struct routes_ref *ref);

/* A row of the process list; false when all are taken. */
bool context_take_row(struct context *ctx, uint32_t *row);
void context_release_row(struct context *ctx, uint32_t row);

/* The id of a new client: its lowest 8 bits are the worker's number. */
uint64_t context_next_id(struct context *ctx);

#endif
