/* pool.h - the backends of one kind, shared by the clients of a worker.
 *
 *   pools of a context, one per (shard, user, negotiated capabilities, ...)
 *
 *   idle ---pool_acquire()---> busy ---pool_release()---> idle
 *                  \                          |
 *                   waiting (FIFO, with a deadline) <--+
 *
 * The limit is one for all pools of a user on a shard: those with idle backends, and
 * those that have most, give way. A waiter is served in order of arrival. When
 * nothing is idle and the limit allows, a backend is opened for it. When a server
 * cannot be reached, all who wait hear so at once, and newcomers for a short time
 * after that. A server that only has too many connections is waited for, as long as
 * some of them are here.
 */
#ifndef WORKERS_BACKEND_POOL_H
#define WORKERS_BACKEND_POOL_H

#include "core/base/list.h"
#include "core/io/timer.h"
#include "workers/backend/context.h"

struct pool_waiter;
struct backend;
struct statement_key;

/* Everything in which two backends may not differ. */
struct pool_key {
    uint32_t shard_id;     /* or an engine's id */
    bool     has_schema;   /* a session without one cannot use a backend that has one */
    bool     service;      /* shardd's own account instead of `user` */
    uint16_t collation;    /* of the handshake: a reset goes back to it */
    uint64_t capabilities; /* answers pass as they are, so both sides agreed on the same */
    char     user[97];     /* 32 characters of up to 3 bytes */
};

/* Called once for each pool_acquire() that was not answered at once: `b`, or
 * NULL and `why`. */
typedef void pool_ready(struct pool_waiter *w, struct backend *b, const struct sql_error *why);

struct pool_waiter {
    struct list  node;
    pool_ready  *ready;
    struct timer deadline;
    struct pool *pool;
    uint64_t     since_us;  /* waiting */
    uint64_t     vars_hash; /* what the waiter's session looks like: the best match wins */
    struct span  schema;
    bool         may_share; /* in: a shared backend is welcome; see share.h */
    bool         shared;    /* out: it is one */
    const struct statement_key *prepared; /* may_share: what must be prepared there; or NULL */
    bool         sees_user; /* it sees user variables: those of `user_owner`, or none */
    uint64_t     user_owner;
};

struct pool {
    struct list      node; /* in context.pools */
    struct context  *ctx;
    struct pool_key  key;
    struct slot_shard *counters;
    struct list      idle, busy, opening; /* backends */
    struct list      shared;              /* busy ones: see share.h */
    struct list      waiters;
    uint32_t         n_open, n_idle, n_opening, n_waiting, n_shared;
    uint64_t         failed_until_ms; /* fail fast until then */
    uint64_t         used_ms;         /* when somebody last wanted one */
    uint64_t         alive_ms;        /* when a backend last came back from its work */
    bool             starved;         /* pools of other kinds have all that the user may have */
    bool             full;            /* no more can be opened: those that are open must do */
    struct sql_error failure;
    bool             failed_login; /* it came after the connection was made */
    uint64_t         epoch;           /* of the shard's primary: backends of others go */
    bool             lost;            /* those at once */
};

/* The pool for `key`, made when there is none. Owned by the context. */
struct pool *pool_get(struct context *ctx, const struct pool_key *key);

/* The pool of shardd's own account on a shard or an engine. */
struct pool *pool_service(struct context *ctx, uint32_t shard_id);

/* A backend, BUSY and the caller's, or NULL: then w->ready comes later. The
 * caller sets ready, vars_hash and schema. */
struct backend *pool_acquire(struct pool *pool, struct pool_waiter *w) must_check;

/* The waiter no longer waits; ready() will not be called. Harmless when it does not. */
void pool_cancel(struct pool_waiter *w);

/* Give a backend back. A dirty one is closed. */
void pool_release(struct backend *b);

/* For share.c: the backend that is idle or shared is a shared one; the newest idle one
 * that `w` could join as it is, NULL: none; may one more be opened; somebody waits and a
 * shared backend has room. */
void            pool_shared(struct backend *b);
struct backend *pool_idle_for(struct pool *pool, const struct pool_waiter *w);
bool            pool_may_open(const struct pool *pool);
void            pool_serve(struct pool *pool);
bool            pool_fits(const struct backend *b, const struct pool_waiter *w);

/* Backends that have something to do; at least 1. */
static inline uint32_t
pool_n_busy(const struct pool *pool)
{
    uint32_t rest = pool->n_idle + pool->n_opening;

    return pool->n_open > rest + 1 ? pool->n_open - rest : 1;
}

/* A pool of another kind needs a backend of this one. */
bool pool_must_yield(const struct pool *pool);

/* From care.c: one more backend is opened, for nobody yet; an idle one works; a backend that
 * somebody waits for is lost. */
void pool_open(struct pool *pool, struct span schema);
void pool_checked(struct backend *b);
void pool_serve_or_open(struct pool *pool);

/* From backend.c: the login succeeded; a backend is gone (`opening`: it never
 * became usable, and why). */
void pool_connected(struct backend *b);
void pool_lost(struct backend *b, bool opening, const struct sql_error *why);

/* There are new routes: where another server is a shard's primary now, backends to the one before
 * are not used again. Idle ones are closed, others when they come back, and all at once when that
 * server is lost: nobody waits for what it does not answer. */
void pool_follow(struct context *ctx);

/* For pool.c: the pool is one for the primary of now. True: it was for another one. */
bool pool_enter_epoch(struct pool *pool);

/* Close all idle backends: the worker is leaving. */
void pool_drain(struct context *ctx);

/* Users or their rights have changed: a server remembers what a session may, so idle
 * backends of users are closed, and the others when they come back. */
void pool_renew(struct context *ctx);

#endif
