/* care.c - see care.h. */
#include "workers/backend/care.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/command.h"

enum {
    CHECK_MS = 1000, /* who does not answer a ping by then is dead */
};

static struct timers *
timers_of(const struct backend *b)
{
    return ring_timers(b->pool->ctx->ring);
}

/* --- age ------------------------------------------------------------------ */

/* Those that were opened together do not end together. */
uint64_t
care_old_ms(const struct context *ctx)
{
    uint64_t age  = (uint64_t)ctx->conf.pool_max_age_s * 1000;
    uint64_t dice = (ring_now_us(ctx->ring) ^ (uint64_t)(uint32_t)random() << 20) *
                    UINT64_C(0x9e3779b97f4a7c15) >> 32;

    if (age == 0)
        return UINT64_MAX;
    return ring_now_ms(ctx->ring) + age - (age / 5 * dice >> 32);
}

bool
care_is_old(const struct backend *b)
{
    return ring_now_ms(b->pool->ctx->ring) >= b->old_ms;
}

/* --- idling --------------------------------------------------------------- */

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Somebody of this kind has been here within a backend's life. */
static bool
is_wanted(const struct pool *pool)
{
    const struct conf *conf = &pool->ctx->conf;
    uint64_t           age  = (uint64_t)conf->pool_max_age_s * 1000;

    return conf->pool_min_idle > 0 &&
           (age == 0 || ring_now_ms(pool->ctx->ring) < pool->used_ms + age);
}

static void
replace(struct backend *b)
{
    struct pool *pool = b->pool;

    slot_count(pool->ctx->slot, COUNTER_BACKENDS_AGED);
    backend_close(b, NULL);
    if (is_wanted(pool))
        care_warm(pool, (struct span){ 0 });
}

static void
look(struct timer *timer)
{
    struct backend    *b    = container_of(timer, struct backend, timer);
    const struct pool *pool = b->pool;
    uint64_t           now  = ring_now_ms(pool->ctx->ring);
    uint64_t           idle = (uint64_t)pool->ctx->conf.pool_idle_s * 1000;

    if (care_is_old(b)) {
        replace(b);
    } else if (now < b->idle_ms + idle) {
        timer_start(timers_of(b), timer, least(b->idle_ms + idle, b->old_ms) - now, look);
    } else if (pool->n_idle > pool->ctx->conf.pool_min_idle || !is_wanted(pool)) {
        slot_count(pool->ctx->slot, COUNTER_BACKENDS_IDLE_CLOSED);
        backend_close(b, NULL);
    } else
        timer_start(timers_of(b), timer, least(idle, b->old_ms - now), look);
}

void
care_idle(struct backend *b)
{
    const struct context *ctx = b->pool->ctx;

    b->idle_ms = ring_now_ms(ctx->ring);
    timer_start(timers_of(b), &b->timer,
                least((uint64_t)ctx->conf.pool_idle_s * 1000,
                      care_is_old(b) ? 0 : b->old_ms - b->idle_ms), look);
}

void
care_warm(struct pool *pool, struct span schema)
{
    const struct context *ctx = pool->ctx;

    if (ctx->leaving || ring_now_ms(ctx->ring) < pool->failed_until_ms)
        return;
    while (pool->n_open < ctx->conf.pool_min_idle && pool_may_open(pool)) {
        slot_count(ctx->slot, COUNTER_BACKENDS_WARMED);
        pool_open(pool, schema);
    }
}

/* --- checks --------------------------------------------------------------- */

struct check {
    struct exchange x;
    struct pool    *pool;
};

bool
care_must_check(const struct backend *b)
{
    const struct context *ctx = b->pool->ctx;

    return ring_now_ms(ctx->ring) >= b->idle_ms + (uint64_t)ctx->conf.pool_check_s * 1000 &&
           (ctx->conf.pool_check_s != 0 || ring_now_ms(ctx->ring) != b->checked_ms);
}

static void
too_slow(struct timer *timer)
{
    backend_close(container_of(timer, struct backend, timer), NULL);
}

static void
on_answer(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)bytes;
    if (!last)
        return;
    bool good = x->reader.error == 0;
    free(container_of(x, struct check, x));
    timer_stop(timers_of(b), &b->timer);
    slot_count(b->pool->ctx->slot, good ? COUNTER_BACKEND_CHECKS : COUNTER_BACKEND_CHECKS_FAILED);
    b->checked_ms = ring_now_ms(b->pool->ctx->ring);
    b->pool->n_opening--;
    if (good)
        pool_checked(b);
    else
        backend_close(b, NULL);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct check *check = container_of(x, struct check, x);
    struct pool  *pool  = check->pool;

    (void)b, (void)why;
    slot_count(pool->ctx->slot, COUNTER_BACKEND_CHECKS_FAILED);
    free(check);
    pool->n_opening--;
    pool_serve_or_open(pool);
}

void
care_check(struct backend *b)
{
    static const struct exchange_ops ops   = { .on_bytes = on_answer, .on_lost = on_lost };
    struct check                    *check = mem_alloc(sizeof(*check));

    check->pool = b->pool;
    b->pool->n_opening++;
    timer_start(timers_of(b), &b->timer, CHECK_MS, too_slow);
    command_encode(backend_out(b), COM_PING);
    backend_expect(b, &check->x, &ops, RESULT_SIMPLE);
    backend_flush(b);
}
