/* pool_follow.c - pools when another server has become a shard's primary; see pool.h. */
#include "workers/backend/backend.h"
#include "workers/backend/pool.h"

bool
pool_enter_epoch(struct pool *pool)
{
    const struct routes_ref  *ref   = pool->ctx->routes;
    const struct route_shard *shard = ref != NULL
                                          ? routes_server(ref->routes, pool->key.shard_id) : NULL;

    if (shard == NULL || shard->epoch == pool->epoch)
        return false;
    pool->epoch = shard->epoch;
    pool->lost  = shard->lost;
    return true;
}

static struct backend *
stale_in(struct list *list, uint64_t epoch)
{
    LIST_EACH(at, list) {
        struct backend *b = container_of(at, struct backend, node);
        if (b->epoch != epoch)
            return b;
    }
    return NULL;
}

static struct backend *
stale_of(struct pool *pool)
{
    struct list *lists[] = { &pool->idle, &pool->opening, &pool->shared, &pool->busy };

    for (size_t i = 0; i < (pool->lost ? countof(lists) : 1); i++) {
        struct backend *b = stale_in(lists[i], pool->epoch);
        if (b != NULL)
            return b;
    }
    return NULL;
}

static struct backend *
stale_any(struct context *ctx)
{
    LIST_EACH(at, &ctx->pools) {
        struct backend *b = stale_of(container_of(at, struct pool, node));
        if (b != NULL)
            return b;
    }
    return NULL;
}

/* Whoever hears that a backend is closed may want another one: pools and backends come and go
 * meanwhile, and what comes is of the new epoch. */
void
pool_follow(struct context *ctx)
{
    struct backend *b;
    bool            any = false;

    LIST_EACH(at, &ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        if (!pool_enter_epoch(pool))
            continue;
        pool->failed_until_ms = 0;
        pool->full            = false;
        any                   = true;
    }
    while (any && (b = stale_any(ctx)) != NULL)
        backend_close(b, NULL);
}
