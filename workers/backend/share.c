/* share.c - see share.h. */
#include "workers/backend/share.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/backend/backend.h"
#include "workers/backend/reaper.h"

enum {
    FEW     = 2,    /* so many of a primary are shared before any gets a second statement; */
    FEW_OF_REPLICA = 1, /* a shard's reads are spread over several of these already */
    NEAR_US = 1500, /* expected work that is joined although another backend could be had */
    FAR_US  = 5000, /* ... although it means to wait */
};

struct orphan {
    struct exchange x;
};

static struct ring *
ring_of(const struct backend *b)
{
    return b->pool->ctx->ring;
}

/* --- choosing ------------------------------------------------------------- */

bool
share_knows(struct backend *b, const struct pool_waiter *w)
{
    uint32_t id;

    return w->prepared == NULL || statements_find(&b->statements, w->prepared, &id);
}

static bool
has_room(const struct backend *b)
{
    return !b->share.stalled && b->share.n < b->pool->ctx->conf.pipeline;
}

static uint32_t
few(const struct pool *pool)
{
    return pool->key.shard_id < ROUTES_REPLICA_ID ? FEW : FEW_OF_REPLICA;
}

static struct backend *
least_busy(struct pool *pool, const struct pool_waiter *w)
{
    struct backend *best = NULL;

    LIST_EACH(at, &pool->shared) {
        struct backend *b = container_of(at, struct backend, node);
        if ((best == NULL || b->share.cost_us < best->share.cost_us) && has_room(b) &&
            pool_fits(b, w) && share_knows(b, w))
            best = b;
    }
    return best;
}

struct backend *
share_pick(struct pool *pool, const struct pool_waiter *w)
{
    struct backend *best = least_busy(pool, w);

    if (best != NULL && pool_must_yield(pool))
        return NULL;
    if (best != NULL && pool->n_shared >= few(pool) && best->share.cost_us <= NEAR_US)
        return best;
    struct backend *idle = pool_idle_for(pool, w);
    if (idle != NULL) {
        pool_shared(idle);
        return idle;
    }
    bool none = pool->n_idle == 0 && !pool_may_open(pool);
    return none && best != NULL && best->share.cost_us <= FAR_US ? best : NULL;
}

/* --- taking too long ------------------------------------------------------ */

static struct exchange *
at_front(const struct backend *b)
{
    return container_of(b->fifo.next, struct exchange, node);
}

/* The one that has waited longest for its turn, or NULL. */
static struct exchange *
first_waiting(const struct backend *b)
{
    LIST_EACH(at, &b->fifo) {
        struct exchange *x = container_of(at, struct exchange, node);
        if (x != at_front(b) && x->ops->on_moved != NULL)
            return x;
    }
    return NULL;
}

static void
orphan_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)bytes;
    if (!last)
        return;
    (void)share_answered(b, x);
    free(container_of(x, struct orphan, x));
}

static void
orphan_infile(struct exchange *x, struct backend *b)
{
    (void)x;
    backend_close(b, NULL);
}

static void
orphan_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b, (void)why;
    free(container_of(x, struct orphan, x));
}

static const struct exchange_ops orphan_ops = {
    .on_bytes  = orphan_bytes,
    .on_infile = orphan_infile,
    .on_lost   = orphan_lost,
};

static void
leave_orphan(struct backend *b, struct exchange *x)
{
    struct orphan *o = mem_alloc(sizeof(*o));

    o->x     = *x;
    o->x.ops = &orphan_ops;
    list_insert_before(&x->node, &o->x.node);
    list_remove(&x->node);
    x->armed = false;
    b->share.n_live--;
}

static void
give_up(struct backend *b)
{
    reaper_kill(b->pool->ctx, b->pool->key.shard_id, b->login.thread_id);
    backend_close(b, NULL);
}

static void look(struct timer *timer);

static void
look_later(struct backend *b)
{
    if (!timer_running(&b->timer))
        timer_start(ring_timers(ring_of(b)), &b->timer, b->pool->ctx->conf.pipeline_wait_ms,
                    look);
}

static void
look(struct timer *timer)
{
    struct backend  *b       = container_of(timer, struct backend, timer);
    uint64_t         now     = ring_now_us(ring_of(b));
    uint64_t         wait_us = (uint64_t)b->pool->ctx->conf.pipeline_wait_ms * 1000;
    struct exchange *x       = first_waiting(b);

    if (x != NULL && now - x->sent_us < wait_us) {
        timer_start(ring_timers(ring_of(b)), timer, (x->sent_us + wait_us - now) / 1000 + 1, look);
        return;
    }
    if (x == NULL && b->share.n_live != 0)
        return;
    b->share.stalled = true;
    if (x != NULL && at_front(b)->ops->on_holds != NULL)
        at_front(b)->ops->on_holds(at_front(b), b);
    while (b->state == BACKEND_BUSY && (x = first_waiting(b)) != NULL) {
        leave_orphan(b, x);
        slot_count(b->pool->ctx->slot, COUNTER_PIPELINE_MOVED);
        x->ops->on_moved(x, b);
    }
    if (b->state == BACKEND_BUSY && b->share.n_live == 0)
        give_up(b);
}

/* --- coming and going ----------------------------------------------------- */

void
share_joined(struct backend *b, struct exchange *x, uint32_t cost_us)
{
    struct sharing *s = &b->share;

    x->cost_us = cost_us;
    x->sent_us = ring_now_us(ring_of(b));
    if (s->n == 0)
        *s = (struct sharing){ .on = true };
    else
        slot_count(b->pool->ctx->slot, COUNTER_PIPELINED);
    s->n++;
    s->n_live++;
    s->cost_us += cost_us;
    if (s->n > 1)
        look_later(b);
}

/* Answers of one turn came together: each is taken for one of so many as came last time. */
static uint32_t
time_taken(struct backend *b, const struct exchange *x)
{
    struct sharing *s    = &b->share;
    uint64_t        now  = ring_now_us(ring_of(b));
    uint64_t        from = x->sent_us > s->answered_us ? x->sent_us : s->answered_us;
    uint64_t        took = now - from;

    if (s->answered_us == now) {
        s->in_turn++;
        return 0;
    }
    took /= s->in_turn > 0 ? s->in_turn : 1;
    s->in_turn     = 1;
    s->answered_us = now;
    return took == 0 ? 1 : took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

uint32_t
share_answered(struct backend *b, struct exchange *x)
{
    struct sharing *s    = &b->share;
    struct pool    *pool = b->pool;
    uint32_t        took = time_taken(b, x);

    s->n--;
    s->n_live -= x->ops != &orphan_ops;
    s->cost_us -= x->cost_us;
    if (s->n == 0) {
        s->stalled = false;
        pool_release(b);
        return took;
    }
    if (s->n_live == 0)
        look_later(b);
    if (pool->n_waiting != 0)
        pool_serve(pool);
    return took;
}

void
share_leave(struct backend *b, struct exchange *x)
{
    leave_orphan(b, x);
    if (b->share.n_live == 0)
        look_later(b);
}
