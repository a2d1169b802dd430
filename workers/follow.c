/* follow.c - see follow.h. */
#include "workers/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/route/cache.h"
#include "shm/routes.h"
#include "workers/backend/pool.h"
#include "workers/backend/servers.h"
#include "workers/client/client.h"
#include "workers/query/park.h"
#include "workers/query/sequence.h"

enum {
    LOOK_MS = 1,
    REST    = 10, /* so many times as long as a look takes */
    EASE_US = 5000000,
};

void
follow_init(struct follow *f, struct context *ctx)
{
    *f = (struct follow){ .ctx = ctx };
}

/* --- what is drained ------------------------------------------------------ */

/* Older routes that only we still hold are in nobody's way. */
static void
forget_unused(struct follow *f)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < f->n_old; i++) {
        if (f->old[i]->refs == 1)
            routes_drop(f->old[i]);
        else
            f->old[kept++] = f->old[i];
    }
    f->n_old = kept;
}

static void look_again(struct timer *timer);

/* Something of before the fence is left; `statements` are. Then sessions need not be asked, but
 * for those that are to be ended. */
static bool
fence_waits(struct follow *f, bool statements)
{
    struct context      *ctx   = f->ctx;
    const struct routes *r     = ctx->routes->routes;
    uint64_t             began = clock_us();

    if (!r->fenced || r->generation == f->drained || (statements && !r->cut))
        return false;
    bool old = client_any_old(ctx) || sequence_asks_fenced(ctx, r) || statements;
    slot_settled(ctx->slot, old ? 0 : r->generation);
    if (!old && !ctx->fence_closed)
        ctx->fence_closed = slots_settled(ctx->slots, r->generation);
    if (!old && ctx->fence_closed)
        return false;
    timer_start(ring_timers(ctx->ring), &f->timer,
                LOOK_MS + (clock_us() - began) * REST / 1000, look_again);
    return true;
}

static void
publish_drained(struct follow *f)
{
    if (f->n_old > 0)
        forget_unused(f);
    if (f->ctx->routes == NULL || timer_running(&f->timer))
        return;
    const struct routes *r          = f->ctx->routes->routes;
    uint64_t             generation = f->n_old > 0 ? f->old[0]->routes->generation
                                                   : r->generation;
    bool                 last       = generation == r->generation;

    if (fence_waits(f, !last) && last)
        generation--;
    if (generation == f->drained)
        return;
    slot_drained(f->ctx->slot, generation);
    f->drained = generation;
}

static void
look_again(struct timer *timer)
{
    publish_drained(container_of(timer, struct follow, timer));
}

/* --- transactions begin a few at a time ----------------------------------- */

static void
ease(struct timer *timer)
{
    struct follow       *f   = container_of(timer, struct follow, ease_timer);
    struct context      *ctx = f->ctx;
    const struct routes *r   = ctx->routes->routes;

    if (r->eases == 0)
        return;
    if (ring_now_us(ctx->ring) >= f->eased_us + EASE_US) {
        park_let(ctx, UINT32_MAX);
        return;
    }
    uint32_t n = client_n_eased(ctx);
    park_let(ctx, n < r->eases ? r->eases - n : 0);
    timer_start(ring_timers(ctx->ring), &f->ease_timer, LOOK_MS, ease);
}

static void
note_ease(struct follow *f, const struct routes *before, const struct routes *now)
{
    if (now->eases == 0)
        return;
    if (before == NULL || before->eases == 0)
        f->eased_us = ring_now_us(f->ctx->ring);
    timer_start(ring_timers(f->ctx->ring), &f->ease_timer, 0, ease);
}

/* --- a new edition -------------------------------------------------------- */

static void
keep_shards(struct context *ctx, const struct routes *r)
{
    uint32_t  n   = 0;
    uint32_t *ids = mem_alloc((r->n_shards + r->n_engines + r->n_replicas + 1) * sizeof(*ids));

    for (uint32_t i = 0; i < r->n_shards; i++)
        ids[n++] = r->shards[i].id;
    for (uint32_t i = 0; i < r->n_engines; i++)
        ids[n++] = r->engines[i].id;
    for (uint32_t i = 0; i < r->n_replicas; i++)
        ids[n++] = r->replicas[i].id;
    slot_keep_shards(ctx->slot, ids, n);
    for (uint32_t i = 0; i < r->n_shards; i++) /* a primary may have been a replica */
        ids[i] = r->shards[i].server;
    slot_keep_servers(ctx->slot, ids, n);
    free(ids);
}

static void
retire(struct follow *f, struct routes_ref *ref)
{
    if (f->n_old == f->old_cap)
        forget_unused(f);
    if (f->n_old == f->old_cap) {
        f->old_cap = f->old_cap == 0 ? 16 : f->old_cap * 2;
        f->old     = mem_resize(f->old, f->old_cap * sizeof(f->old[0]));
    }
    f->old[f->n_old++] = ref;
}

/* Whoever starts while a fence stands has nothing of before; a fence that takes the place of
 * another one is as closed as that was. */
static void
note_fence(struct context *ctx, const struct routes *before, const struct routes *now)
{
    if (!now->fenced) {
        ctx->fence_since  = 0;
        ctx->fence_closed = false;
    } else if (before == NULL || !before->fenced) {
        ctx->fence_since  = now->generation;
        ctx->fence_closed = before == NULL;
    }
}

static void
install(struct follow *f, struct routes *routes, uint64_t edition)
{
    struct context    *ctx = f->ctx;
    struct routes_ref *old = ctx->routes, *ref = mem_alloc(sizeof(*ref));
    bool other = old == NULL || old->routes->generation != routes->generation;

    *ref        = (struct routes_ref){ .routes = routes, .refs = 1 };
    ctx->routes = ref;
    note_fence(ctx, old != NULL ? old->routes : NULL, routes);
    note_ease(f, old != NULL ? old->routes : NULL, routes);
    if (other)
        cache_clear(ctx->plans);
    if (old != NULL && old->routes->users_generation != routes->users_generation)
        pool_renew(ctx);
    if (old != NULL) {
        retire(f, old);
        pool_follow(ctx);
    }
    keep_shards(ctx, routes);
    servers_install(ctx, routes, other);
    slot_count(ctx->slot, COUNTER_ROUTES_INSTALLED);
    if (!ctx->leaving)
        slot_enter(ctx->slot, SLOT_READY);
    slot_acknowledge(ctx->slot, edition, routes->generation, routes->users_generation);
    timer_stop(ring_timers(ctx->ring), &f->timer);
    publish_drained(f);
    if (other)
        park_wake(ctx);
    if (old == NULL)
        log_info("serving: %u shards, %u tables, generation %llu", routes->n_shards,
                 routes->n_tables, (unsigned long long)routes->generation);
    else
        log_debug("routes: edition %llu, generation %llu, users %llu",
                  (unsigned long long)edition, (unsigned long long)routes->generation,
                  (unsigned long long)routes->users_generation);
}

/* Logged once: this edition is not looked at again. */
static void
refuse(struct follow *f, const struct err *err)
{
    slot_count(f->ctx->slot, COUNTER_ROUTES_BAD);
    log_error("new routes are damaged, %s: %s",
              f->ctx->routes != NULL ? "the last ones stay" : "and there are no others", err->text);
}

static void
take(struct follow *f)
{
    struct routes *routes;
    struct err     err;
    uint64_t       edition = routes_segment_edition(&f->segment);

    switch (routes_segment_read(&f->segment, &f->blob, &edition, &err)) {
    case ROUTES_READ_NONE:
    case ROUTES_READ_BUSY:
        return;
    case ROUTES_READ_BAD:
        f->edition = edition;
        refuse(f, &err);
        break;
    case ROUTES_READ_OK:
        f->edition = edition;
        if (routes_decode(buf_unread(&f->blob), &routes, &err))
            install(f, routes, edition);
        else
            refuse(f, &err);
        break;
    }
    buf_fini(&f->blob);
}

void
follow_look(struct follow *f)
{
    if (f->open && routes_segment_edition(&f->segment) != f->edition)
        take(f);
    if (f->n_old > 0)
        publish_drained(f);
}

/* --- the segment ---------------------------------------------------------- */

/* Somebody removed the segment and a controller made a new one. */
static bool
is_replaced(const struct follow *f)
{
    char        path[128];
    struct stat named, mine;

    snprintf(path, sizeof(path), "/dev/shm/shardd-%s-routes", f->ctx->conf.instance);
    return stat(path, &named) == 0 && fstat(f->segment.seg.fd, &mine) == 0 &&
           (named.st_ino != mine.st_ino || named.st_dev != mine.st_dev);
}

void
follow_tick(struct follow *f)
{
    struct err err;

    if (f->open && is_replaced(f)) {
        log_warn("the routes segment has been replaced");
        routes_segment_close(&f->segment);
        f->open    = false;
        f->edition = 0;
    }
    if (!f->open)
        f->open = routes_segment_open(&f->segment, f->ctx->conf.instance, &err);
    follow_look(f);
    publish_drained(f);
}
