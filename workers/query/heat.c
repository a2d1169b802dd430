/* heat.c - see heat.h. Every key is counted by its position. Which key it is, is looked at for
 * one in HEAT_SAMPLE, at random: in a loop of applications every eighth may always be the same. */
#include "workers/query/heat.h"

#include "core/base/memory.h"
#include "core/io/ring.h"

struct heat {
    struct key_watch     watch;
    struct context      *ctx;
    const struct routes *routes; /* those of the statement */
    uint64_t             random;
    uint32_t             skip;   /* so many until the next sample */
    struct heat_sketch   sketch;
};

/* xorshift64*: Marsaglia, "Xorshift RNGs"; Vigna. From 1 to 2 * HEAT_SAMPLE - 1. */
static uint32_t
next_skip(struct heat *h)
{
    h->random ^= h->random >> 12;
    h->random ^= h->random << 25;
    h->random ^= h->random >> 27;
    uint32_t top = (uint32_t)(h->random * UINT64_C(0x2545f4914f6cdd1d) >> 32);
    return 1 + (uint32_t)((uint64_t)top * (2 * HEAT_SAMPLE - 1) >> 32);
}

static void
sample(struct heat *h, uint32_t table, uint64_t hash, const struct key_value *value)
{
    struct slot_heat *slot = &h->ctx->slot->heat;
    uint32_t          row;

    if (!heat_add(&h->sketch, slot, hash, ring_now_ms(h->ctx->ring), &row))
        return;
    const struct route_table *t = &h->routes->tables[table];
    heat_name(&h->sketch, slot, row, h->routes->databases[t->database].name, t->name,
              value->bytes);
}

static void
met(struct key_watch *watch, uint32_t table, uint64_t hash, const struct key_value *value)
{
    struct heat *h = container_of(watch, struct heat, watch);

    heat_count(&h->ctx->slot->heat, hash);
    if (--h->skip != 0)
        return;
    h->skip = next_skip(h);
    sample(h, table, hash, value);
}

static struct heat *
make(struct context *ctx)
{
    struct heat *h = mem_alloc(sizeof(*h));

    h->watch.met = met;
    h->ctx       = ctx;
    h->random    = ring_now_us(ctx->ring) * 2 + 1; /* never 0 */
    h->skip      = next_skip(h);
    heat_begin(&h->sketch, &ctx->slot->heat, ring_now_ms(ctx->ring));
    return h;
}

struct key_watch *
heat_watch(const struct query_run *q)
{
    struct context *ctx = q->ctx;

    if (ctx->heat == NULL)
        ctx->heat = make(ctx);
    ctx->heat->routes = q->routes->routes;
    return &ctx->heat->watch;
}
