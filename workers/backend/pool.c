/* pool.c - see pool.h. */
#include "workers/backend/pool.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/protocol.h"
#include "workers/backend/backend.h"
#include "workers/backend/care.h"

enum {
    FAIL_FAST_MS    = 500, /* after a server kept silent nobody waits for it again */
    SLOW_FAILURE_MS = 200,
    LOOK_AT_IDLE = 8,   /* how far to look for a backend that fits exactly */
};

static bool
same_key(const struct pool_key *a, const struct pool_key *b)
{
    return a->shard_id == b->shard_id && a->has_schema == b->has_schema &&
           a->service == b->service && a->collation == b->collation &&
           a->capabilities == b->capabilities && strcmp(a->user, b->user) == 0;
}

static void
set_starved(struct pool *pool, bool starved)
{
    if (pool->starved == starved)
        return;
    pool->starved = starved;
    if (starved)
        pool->ctx->n_starved++;
    else
        pool->ctx->n_starved--;
}

/* Clients choose most of a key: what nobody uses any more must not pile up. */
static void
drop_unused(struct context *ctx)
{
    uint64_t now = ring_now_ms(ctx->ring);

    LIST_EACH_SAFE(at, &ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        if (pool->n_open != 0 || pool->n_waiting != 0 || now < pool->failed_until_ms)
            continue;
        set_starved(pool, false);
        list_remove(&pool->node);
        free(pool);
    }
}

struct pool *
pool_get(struct context *ctx, const struct pool_key *key)
{
    LIST_EACH(at, &ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        if (same_key(&pool->key, key))
            return pool;
    }
    drop_unused(ctx);
    struct pool *pool = mem_alloc(sizeof(*pool));

    pool->ctx      = ctx;
    pool->key      = *key;
    pool->counters = slot_shard(ctx->slot, key->shard_id);
    list_init(&pool->idle);
    list_init(&pool->busy);
    list_init(&pool->opening);
    list_init(&pool->shared);
    list_init(&pool->waiters);
    list_append(&ctx->pools, &pool->node);
    pool->used_ms = ring_now_ms(ctx->ring);
    pool_enter_epoch(pool);
    return pool;
}

struct pool *
pool_service(struct context *ctx, uint32_t shard_id)
{
    struct pool_key key = {
        .shard_id     = shard_id,
        .service      = true,
        .collation    = CHARSET_UTF8MB4_GENERAL_CI,
        .capabilities = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH |
                        CLIENT_TRANSACTIONS | CLIENT_LONG_FLAG,
    };

    return pool_get(ctx, &key);
}

static void
leave_shared(struct backend *b)
{
    b->pool->n_shared -= b->share.on;
    b->share.on = false;
}

static void
count_busy(struct pool *pool, uint64_t n)
{
    slot_add(pool->ctx->slot, COUNTER_BACKENDS_BUSY, n);
    slot_shard_add(pool->counters, SHARD_COUNTER_BUSY, n);
}

static void
leave_state(struct backend *b)
{
    if (b->state == BACKEND_IDLE)
        b->pool->n_idle--;
    if (b->state == BACKEND_BUSY)
        count_busy(b->pool, (uint64_t)-1);
    leave_shared(b);
}

static void
move(struct backend *b, enum backend_state state, struct list *to)
{
    struct pool *pool = b->pool;

    leave_state(b);
    if (state == BACKEND_IDLE)
        pool->n_idle++;
    if (state == BACKEND_BUSY)
        count_busy(pool, 1);
    b->state = state;
    list_remove(&b->node);
    list_prepend(to, &b->node);
}

static struct backend *
hand_out(struct backend *b)
{
    timer_stop(ring_timers(b->pool->ctx->ring), &b->timer);
    move(b, BACKEND_BUSY, &b->pool->busy);
    return b;
}

void
pool_shared(struct backend *b)
{
    if (b->share.on)
        return;
    (void)hand_out(b);
    list_remove(&b->node);
    list_prepend(&b->pool->shared, &b->node);
    b->share.on = true;
    b->pool->n_shared++;
}

bool
pool_fits(const struct backend *b, const struct pool_waiter *w)
{
    return !b->dirty && b->vars_hash == w->vars_hash &&
           (!w->sees_user || b->user_owner == 0 || b->user_owner == w->user_owner) &&
           span_equal(span_of(b->schema), w->schema);
}

/* The newest idle one that needs no words first, else simply the newest: old
 * ones then age out. */
static struct backend *
pick_idle(struct pool *pool, const struct pool_waiter *w)
{
    int looked = 0;

    if (list_empty(&pool->idle))
        return NULL;
    LIST_EACH(at, &pool->idle) {
        struct backend *b = container_of(at, struct backend, node);
        if (pool_fits(b, w))
            return b;
        if (++looked == LOOK_AT_IDLE)
            break;
    }
    return container_of(pool->idle.next, struct backend, node);
}

struct backend *
pool_idle_for(struct pool *pool, const struct pool_waiter *w)
{
    int looked = 0;

    LIST_EACH(at, &pool->idle) {
        struct backend *b = container_of(at, struct backend, node);
        if (pool_fits(b, w) && !b->fixed_time && share_knows(b, w) && !care_must_check(b))
            return b;
        if (++looked == LOOK_AT_IDLE)
            break;
    }
    return NULL;
}

/* --- the limit, which pools of one user share ----------------------------- */

static bool
share(const struct pool *a, const struct pool *b)
{
    return a->key.shard_id == b->key.shard_id && a->key.service == b->key.service &&
           strcmp(a->key.user, b->key.user) == 0;
}

bool
pool_may_open(const struct pool *pool)
{
    uint32_t n = 0;

    LIST_EACH(at, &pool->ctx->pools) {
        const struct pool *other = container_of(at, struct pool, node);
        if (share(pool, other))
            n += other->n_open;
    }
    return n < pool->ctx->conf.pool_max;
}

/* The oldest idle backend of another kind makes room. */
static bool
close_idle_one(struct pool *pool)
{
    LIST_EACH(at, &pool->ctx->pools) {
        struct pool *other = container_of(at, struct pool, node);
        if (other == pool || !share(pool, other) || list_empty(&other->idle))
            continue;
        backend_close(container_of(other->idle.prev, struct backend, node), NULL);
        return true;
    }
    return false;
}

void
pool_open(struct pool *pool, struct span schema)
{
    struct backend *b = backend_open(pool, schema);

    pool->n_opening++;
    pool->n_open++;
    list_append(&pool->opening, &b->node);
}

static void
open_one(struct pool *pool)
{
    pool_open(pool, container_of(pool->waiters.prev, struct pool_waiter, node)->schema);
}

/* Who waits while there are idle ones waits for their being asked. */
static bool
check_idle_one(struct pool *pool)
{
    struct backend *b = list_empty(&pool->idle)
                            ? NULL : container_of(pool->idle.next, struct backend, node);

    if (b == NULL || !care_must_check(b))
        return false;
    care_check(hand_out(b));
    return true;
}

/* Open as many as there are waiters without one on its way. */
static void
open_more(struct pool *pool)
{
    uint32_t wanted = pool->n_waiting > pool->n_opening ? pool->n_waiting - pool->n_opening : 0;

    set_starved(pool, false);
    for (; wanted > 0; wanted--) {
        if (check_idle_one(pool))
            continue;
        while (!pool_may_open(pool))
            if (!close_idle_one(pool)) {
                set_starved(pool, true);
                return;
            }
        open_one(pool);
    }
}

/* A backend is free or gone: a pool of another kind that has none comes first, one
 * that has some comes behind our own waiters. */
static struct pool *
who_starves(const struct pool *pool)
{
    if (pool->ctx->n_starved == 0)
        return NULL;
    LIST_EACH(at, &pool->ctx->pools) {
        struct pool *other = container_of(at, struct pool, node);
        if (other != pool && other->starved && other->n_waiting > other->n_opening &&
            share(pool, other) && (other->n_open == 0 || pool->n_waiting == 0))
            return other;
    }
    return NULL;
}

bool
pool_must_yield(const struct pool *pool)
{
    return who_starves(pool) != NULL;
}

static void
answer(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    struct context *ctx = w->pool->ctx;

    if (b != NULL)
        histogram_record(&ctx->slot->latency[LATENCY_POOL_WAIT],
                         (ring_now_us(ctx->ring) - w->since_us) * 1000);
    pool_cancel(w);
    w->ready(w, b, why);
}

static void
too_late(struct timer *timer)
{
    struct pool_waiter *w    = container_of(timer, struct pool_waiter, deadline);
    struct pool        *pool = w->pool;
    struct sql_error    why;

    slot_count(pool->ctx->slot, COUNTER_POOL_TIMEOUTS);
    sql_error_set(&why, 1040, "shardd: no backend of %s became free within %u ms; "
                  "all %u are busy: raise pool_max or pool_wait_ms",
                  backend_name(pool->ctx, pool->key.shard_id), pool->ctx->conf.pool_wait_ms,
                  pool->n_open);
    answer(w, NULL, &why);
}

static void
fail_fast(struct timer *timer)
{
    struct pool_waiter *w   = container_of(timer, struct pool_waiter, deadline);
    struct sql_error    why = w->pool->failure;

    answer(w, NULL, &why);
}

/* Shared, when that will do, or for the waiter alone. One that must be asked first whether
 * it works is asked, and comes back. */
static struct backend *
take(struct pool *pool, struct pool_waiter *w)
{
    struct backend *b = w->may_share ? share_pick(pool, w) : NULL;

    w->shared = b != NULL;
    if (b != NULL || (b = pick_idle(pool, w)) == NULL)
        return b;
    bool check = care_must_check(b);
    (void)hand_out(b);
    if (!check)
        return b;
    care_check(b);
    return NULL;
}

struct backend *
pool_acquire(struct pool *pool, struct pool_waiter *w)
{
    struct context *ctx = pool->ctx;

    w->pool = pool;
    list_init(&w->node);
    w->shared     = false;
    pool->used_ms = ring_now_ms(ctx->ring);
    if (list_empty(&pool->waiters)) { /* else it is their turn */
        struct backend *b = take(pool, w);
        if (b != NULL) {
            w->pool = NULL;
            return b;
        }
    }
    slot_count(ctx->slot, COUNTER_POOL_WAITS);
    list_append(&pool->waiters, &w->node);
    pool->n_waiting++;
    w->since_us = ring_now_us(ctx->ring);
    slot_count(ctx->slot, COUNTER_POOL_WAITING);
    slot_shard_add(pool->counters, SHARD_COUNTER_WAITING, 1);
    timer_start(ring_timers(ctx->ring), &w->deadline, ctx->conf.pool_wait_ms, too_late);
    if (ring_now_ms(ctx->ring) >= pool->failed_until_ms || pool->n_open == 0)
        pool->full = false;
    if (ring_now_ms(ctx->ring) >= pool->failed_until_ms)
        open_more(pool);
    else if (!pool->full)
        /* The timer answers from the loop, never from inside this call. */
        timer_start(ring_timers(ctx->ring), &w->deadline, 0, fail_fast);
    return NULL;
}

void
pool_cancel(struct pool_waiter *w)
{
    if (w->pool == NULL)
        return;
    list_remove(&w->node);
    timer_stop(ring_timers(w->pool->ctx->ring), &w->deadline);
    w->pool->n_waiting--;
    slot_sub(w->pool->ctx->slot, COUNTER_POOL_WAITING, 1);
    slot_shard_add(w->pool->counters, SHARD_COUNTER_WAITING, (uint64_t)-1);
    w->pool = NULL;
}

/* Hand an idle backend, or room on a shared one, to whoever waits longest. */
void
pool_serve(struct pool *pool)
{
    while (!list_empty(&pool->waiters)) {
        struct pool_waiter *w = container_of(pool->waiters.next, struct pool_waiter, node);
        struct backend     *b = take(pool, w);
        if (b == NULL)
            return;
        answer(w, b, NULL);
    }
}

static void
make_idle(struct backend *b)
{
    move(b, BACKEND_IDLE, &b->pool->idle);
    care_idle(b);
    pool_serve(b->pool);
}

static bool
give_way(struct backend *b)
{
    struct pool *starves = who_starves(b->pool);

    if (starves == NULL)
        return false;
    open_one(starves); /* before our own waiters can take its place */
    backend_close(b, NULL);
    return true;
}

void
pool_connected(struct backend *b)
{
    b->pool->failed_until_ms = 0;
    b->pool->alive_ms        = ring_now_ms(b->pool->ctx->ring);
    b->pool->full            = false;
    b->pool->n_opening--;
    histogram_record(&b->pool->ctx->slot->latency[LATENCY_CONNECT],
                     (ring_now_ms(b->pool->ctx->ring) - b->opened_ms) * 1000000);
    if (b->epoch == b->pool->epoch) {
        make_idle(b);
        return;
    }
    move(b, BACKEND_IDLE, &b->pool->idle); /* the server is not the shard's any more */
    backend_close(b, NULL);
}

void
pool_serve_or_open(struct pool *pool)
{
    pool_serve(pool);
    if (ring_now_ms(pool->ctx->ring) >= pool->failed_until_ms || pool->n_open == 0)
        open_more(pool);
}

/* Its user has changed, or it is old, which is counted. */
static bool
is_outdated(const struct backend *b)
{
    bool old = care_is_old(b);

    if (old)
        slot_count(b->pool->ctx->slot, COUNTER_BACKENDS_AGED);
    return old || b->epoch != b->pool->epoch ||
           (!b->pool->key.service && b->opened_ms <= b->pool->ctx->users_since_ms);
}

void
pool_checked(struct backend *b)
{
    if (b->pool->ctx->leaving || is_outdated(b))
        backend_close(b, NULL);
    else
        make_idle(b);
}

void
pool_release(struct backend *b)
{
    if (b->state == BACKEND_CLOSING)
        return;
    b->pool->alive_ms = ring_now_ms(b->pool->ctx->ring);
    if (b->pool->ctx->leaving || b->dirty || !list_empty(&b->fifo) || is_outdated(b)) {
        /* Locks and temporary tables end with the session that has them; an answer
         * that nobody waits for may never end. */
        backend_close(b, NULL);
        return;
    }
    if (b->unclean || b->next_is_set)
        b->vars_hash = 1; /* of no session */
    b->unclean = b->next_is_set = false;
    if (!give_way(b))
        make_idle(b);
}

static void
fail_waiters(struct pool *pool, const struct sql_error *why)
{
    struct list failed;

    /* A waiter's callback may queue it again: take the present ones first. */
    list_init(&failed);
    while (!list_empty(&pool->waiters)) {
        struct list *at = pool->waiters.next;
        list_remove(at);
        list_append(&failed, at);
    }
    while (!list_empty(&failed))
        answer(container_of(failed.next, struct pool_waiter, node), NULL, why);
}

static bool
says_full(const struct sql_error *why)
{
    return why->code == 1040 || why->code == 1203 || why->code == 1226;
}

/* Whether those that are open go on: the server takes no more, or it is so busy that it
 * answers them and has no time for a new one. */
static bool
others_go_on(const struct pool *pool, const struct backend *b, const struct sql_error *why)
{
    return pool->n_open > pool->n_opening && (says_full(why) || pool->alive_ms > b->opened_ms);
}

void
pool_lost(struct backend *b, bool opening, const struct sql_error *why)
{
    struct pool *pool = b->pool;

    bool         login = b->state == BACKEND_LOGIN;

    leave_state(b);
    b->state = BACKEND_CLOSING;
    list_remove(&b->node);
    list_append(&pool->ctx->closing, &b->node);
    pool->n_open--;
    pool->n_opening -= opening;
    if (opening && why != NULL) {
        pool->failed_login = login;
        slot_count(pool->ctx->slot, COUNTER_BACKENDS_FAILED);
        pool->failure = *why;
        pool->full    = others_go_on(pool, b, why);
        /* A refusal is quick: the next one may ask again. Silence is not, and a
         * server that is full wants to be left alone. */
        if (says_full(why) || ring_now_ms(pool->ctx->ring) - b->opened_ms > SLOW_FAILURE_MS)
            pool->failed_until_ms = ring_now_ms(pool->ctx->ring) + FAIL_FAST_MS;
        if (!pool->full)
            fail_waiters(pool, why);
        return;
    }
    struct pool *starves = who_starves(pool);
    if (starves != NULL)
        open_more(starves);
    if (ring_now_ms(pool->ctx->ring) >= pool->failed_until_ms || pool->n_open == 0)
        open_more(pool);
}

void
pool_renew(struct context *ctx)
{
    ctx->users_since_ms = ring_now_ms(ctx->ring);
    LIST_EACH(at, &ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        LIST_EACH_SAFE(b, &pool->idle)
            if (!pool->key.service)
                backend_close(container_of(b, struct backend, node), NULL);
    }
}

void
pool_drain(struct context *ctx)
{
    LIST_EACH(at, &ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        LIST_EACH_SAFE(b, &pool->idle)
            backend_close(container_of(b, struct backend, node), NULL);
    }
}
