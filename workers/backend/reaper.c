/* reaper.c - see reaper.h. */
#include "workers/backend/reaper.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/backend/backend.h"

struct kill {
    struct pool_waiter waiter;
    struct exchange    x;
    uint64_t           thread_id;
};

static void
on_answer(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)bytes;
    if (!last)
        return;
    pool_release(b);
    free(container_of(x, struct kill, x));
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b, (void)why;
    free(container_of(x, struct kill, x));
}

static void
got_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    static const struct exchange_ops ops = { .on_bytes = on_answer, .on_lost = on_lost };
    struct kill                     *k   = container_of(w, struct kill, waiter);
    char                             text[48];

    (void)why;
    if (b == NULL) {
        free(k); /* the server is down, and what ran there with it */
        return;
    }
    snprintf(text, sizeof(text), "KILL %llu", (unsigned long long)k->thread_id);
    backend_send(b, COM_QUERY, span_of(text), &k->x, &ops);
}

void
reaper_kill(struct context *ctx, uint32_t shard_id, uint64_t thread_id)
{
    struct kill *k = mem_alloc(sizeof(*k));

    k->thread_id    = thread_id;
    k->waiter.ready = got_backend;
    struct backend *b = pool_acquire(pool_service(ctx, shard_id), &k->waiter);
    if (b != NULL)
        got_backend(&k->waiter, b, NULL);
}
