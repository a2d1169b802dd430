/* cutover_calm.c - the moment in which the fence is raised.
 *
 * A fence stands as long as the transactions that were there before it take to end, and each of
 * them takes the longer the more there are. How many there are changes from one millisecond to
 * the next: for a while the least of it is looked for, and then a moment that is as good; the
 * longer none comes, the less will do.
 */
#include <unistd.h>

#include "ctl/move/cutover_step.h"
#include "shm/slots.h"

enum {
    LOOK_US  = 500,
    LEARN_US = 60000,
    EASE_US  = 40000,  /* so often one more will do */
    MOST_US  = 400000,
};

/* Connections to shards with a statement or a transaction, of all workers. */
static uint64_t
in_use(struct cutover_run *r)
{
    const struct slots *slots = publish_slots(r->m->c->publisher);
    uint64_t            n     = 0;

    for (uint32_t i = 0; slots && i < slots->n_workers; i++)
        n += atomic_load_explicit(&slots_at(slots, i)->counter[COUNTER_BACKENDS_BUSY],
                                  memory_order_relaxed);
    publish_slots_done(r->m->c->publisher);
    return n;
}

void
cutover_calm(struct cutover_run *r)
{
    uint64_t began = clock_us(), least = in_use(r), n = least, past = 0;

    while (n > 0 && past < MOST_US) {
        usleep(LOOK_US);
        n    = in_use(r);
        past = clock_us() - began;
        if (past >= LEARN_US && n <= least + (past - LEARN_US) / EASE_US)
            break;
        least = n < least && past < LEARN_US ? n : least;
    }
    r->n_before = n;
}
