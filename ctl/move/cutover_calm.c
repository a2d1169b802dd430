/* cutover_calm.c - the moment in which the fence is raised.
 *
 * A fence stands as long as the transactions that were there before it take to end, and each of
 * them takes the longer the more there are.
 *
 *   many   on busy servers a transaction waits for the others all along: it is as well let wait
 *          before it begins. So few are let in at a time, until few are there
 *   few    how many there are changes from one millisecond to the next: for a while the least of
 *          it is looked for, and then a moment that is as good; the longer none comes, the less
 *          will do
 */
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/move/cutover_step.h"
#include "shm/slots.h"

enum {
    LOOK_US  = 500,
    LEARN_US = 60000,
    EASE_US  = 40000,  /* so often one more will do */
    MOST_US  = 400000,
    MANY     = 16,     /* on one shard: more are made fewer */
    FEWER    = 8,      /* by so many times */
    STILL_US = 100000, /* those that are left do not end: nobody waits for their turn in vain */
    TELL_MS  = 50,
};

/* Connections with a statement or a transaction, of all workers, on the shard that has most. */
static uint64_t
in_use(struct cutover_run *r, const struct fence *fence)
{
    const struct slots *slots = publish_slots(r->m->c->publisher);
    uint64_t            most  = 0;
    json_t             *id;
    size_t              k;

    json_array_foreach(fence->shards, k, id) {
        uint64_t sum[SHARD_COUNTERS_N];

        if (!slots)
            break;
        slots_sum_shard(slots, (uint32_t)json_integer_value(id), sum);
        most = sum[SHARD_COUNTER_BUSY] > most ? sum[SHARD_COUNTER_BUSY] : most;
    }
    publish_slots_done(r->m->c->publisher);
    return most;
}

static uint32_t
n_workers(struct cutover_run *r)
{
    const struct slots *slots = publish_slots(r->m->c->publisher);
    uint32_t            n     = slots ? slots->n_workers : 0;

    publish_slots_done(r->m->c->publisher);
    return n > 0 ? n : 1;
}

/* What does not come of it is no harm: the fence waits for more. */
static uint64_t
make_few(struct cutover_run *r, const struct fence *fence, uint64_t n)
{
    uint64_t   each  = n / FEWER / n_workers(r) + 1, all = each * n_workers(r);
    uint64_t   began = clock_us(), now = began, fell = began, least = n;
    struct err err   = { .text = "" };

    r->eased = true;
    if (!fence_ease(r->m->c, fence, (uint32_t)each, TELL_MS, &err))
        log_warn("move: %s", err.text);
    while (n > all && now - began < MOST_US && now - fell < STILL_US) {
        usleep(LOOK_US);
        n     = in_use(r, fence);
        now   = clock_us();
        fell  = n < least ? now : fell;
        least = n < least ? n : least;
    }
    return n;
}

static uint64_t
await_few(struct cutover_run *r, const struct fence *fence, uint64_t n)
{
    uint64_t began = clock_us(), least = n, past = 0;

    while (n > 0 && n <= MANY && past < MOST_US) {
        usleep(LOOK_US);
        n    = in_use(r, fence);
        past = clock_us() - began;
        if (past >= LEARN_US && n <= least + (past - LEARN_US) / EASE_US)
            break;
        least = n < least && past < LEARN_US ? n : least;
    }
    return n;
}

void
cutover_calm(struct cutover_run *r)
{
    json_t      *map = catalog_get(r->m->c->catalog, CATALOG_RANGES, "map", NULL);
    struct fence fence;

    cutover_fence(r->m, map, &fence);
    r->n_before = await_few(r, &fence, in_use(r, &fence));
    if (r->n_before > MANY)
        r->n_before = make_few(r, &fence, r->n_before);
    cutover_fence_fini(&fence);
    json_decref(map);
}
