/* context.c - see context.h. */
#include "workers/backend/context.h"

#include <stdlib.h>

#include "shm/routes.h"

struct routes_ref *
routes_hold(struct context *ctx)
{
    ctx->routes->refs++;
    return ctx->routes;
}

void
routes_drop(struct routes_ref *ref)
{
    if (ref == NULL || --ref->refs > 0)
        return;
    struct routes_ref *base = ref->base;
    if (base == NULL)
        routes_free(ref->routes);
    arena_fini(&ref->arena);
    free(ref);
    routes_drop(base);
}

bool
context_take_row(struct context *ctx, uint32_t *row)
{
    if (ctx->n_free_rows == 0)
        return false;
    *row = ctx->free_rows[--ctx->n_free_rows];
    return true;
}

void
context_release_row(struct context *ctx, uint32_t row)
{
    ctx->free_rows[ctx->n_free_rows++] = row;
}

/* The worker's number lies in the lowest bits: whoever reads an id knows whom
 * to ask. The greeting has room for 32 bits. */
uint64_t
context_next_id(struct context *ctx)
{
    ctx->next_client = (ctx->next_client + 1) & 0xffffff;
    if (ctx->next_client == 0)
        ctx->next_client = 1;
    return ctx->next_client << 8 | (ctx->number & 0xff);
}
