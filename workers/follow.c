/* follow.c - see follow.h. */
#include "workers/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/route/cache.h"
#include "shm/routes.h"
#include "workers/backend/pool.h"

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

static void
publish_drained(struct follow *f)
{
    if (f->n_old > 0)
        forget_unused(f);
    if (f->ctx->routes == NULL)
        return;
    uint64_t generation = f->n_old > 0 ? f->old[0]->routes->generation
                                       : f->ctx->routes->routes->generation;
    if (generation == f->drained)
        return;
    slot_drained(f->ctx->slot, generation);
    f->drained = generation;
}

/* --- a new edition -------------------------------------------------------- */

static void
keep_shards(struct context *ctx, const struct routes *r)
{
    uint32_t  n   = r->n_shards + r->n_engines;
    uint32_t *ids = mem_alloc((n + 1) * sizeof(*ids));

    for (uint32_t i = 0; i < n; i++)
        ids[i] = i < r->n_shards ? r->shards[i].id : r->engines[i - r->n_shards].id;
    slot_keep_shards(ctx->slot, ids, n);
    free(ids);
}

/* Too many editions at once for long statements: the oldest stay, because they
 * are what holds the drained generation back; the newest of them is let go of
 * without being watched, one generation early at most for its own statements. */
static void
retire(struct follow *f, struct routes_ref *ref)
{
    if (f->n_old == FOLLOW_OLD_MAX)
        forget_unused(f);
    if (f->n_old < FOLLOW_OLD_MAX)
        f->old[f->n_old++] = ref;
    else
        routes_drop(ref);
}

static void
install(struct follow *f, struct routes *routes, uint64_t edition)
{
    struct context    *ctx = f->ctx;
    struct routes_ref *old = ctx->routes, *ref = mem_alloc(sizeof(*ref));
    bool other = old == NULL || old->routes->generation != routes->generation;

    *ref        = (struct routes_ref){ .routes = routes, .refs = 1 };
    ctx->routes = ref;
    if (other)
        cache_clear(ctx->plans);
    if (old != NULL && old->routes->users_generation != routes->users_generation)
        pool_renew(ctx);
    if (old != NULL)
        retire(f, old);
    keep_shards(ctx, routes);
    slot_count(ctx->slot, COUNTER_ROUTES_INSTALLED);
    if (!ctx->leaving)
        slot_enter(ctx->slot, SLOT_READY);
    slot_acknowledge(ctx->slot, edition, routes->generation, routes->users_generation);
    publish_drained(f);
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
