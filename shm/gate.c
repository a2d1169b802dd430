/* gate.c - the words of the commit gate in the slots (see slots.h and workers/query/gate.h).
 *
 *   asker                                  every worker
 *   own ask = until  --poke-->             sees it, parks commits, lets its own end,
 *                    <--poke--             own honours[asker] = until
 *   all honour it: opens its snapshots
 *   own ask = 0      --poke-->             lets the parked ones go
 *
 * A worker that starts stores its pid and then looks for asks; an asker stores its ask
 * and then looks who lives: whichever is later sees the other, because both put a full
 * fence in between. A worker that dies takes its ask along: its slot is cleared by
 * the master or its successor, its process is found gone by whoever waits, and its
 * time runs out in any case.
 */

#include "shm/slots.h"

void
gate_ask(struct slot *own, uint64_t until_us)
{
    atomic_store_explicit(&own->gate.ask, until_us, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
}

void
gate_honour(struct slot *own, uint32_t row, uint64_t ask)
{
    atomic_store_explicit(&own->gate.honours[row], ask, memory_order_release);
}

uint64_t
gate_asked(const struct slots *s, uint32_t row, uint64_t now_us, bool look)
{
    const struct slot *slot = slots_at(s, row);
    uint64_t           ask  = atomic_load_explicit(&slot->gate.ask, memory_order_acquire);

    if (ask == 0 || now_us >= ask || (look && !slot_alive(slot, 0, 0)))
        return 0;
    return ask;
}

bool
gate_honoured(const struct slots *s, uint32_t row, uint64_t ask)
{
    for (uint32_t i = 0; i < s->n_workers; i++) {
        const struct slot *slot = slots_at(s, i);
        if (atomic_load_explicit(&slot->gate.honours[row], memory_order_acquire) != ask &&
            slot_alive(slot, 0, 0))
            return false;
    }
    return true;
}

bool
gate_undecided(const struct slots *s, uint32_t row, uint64_t word)
{
    const struct slot *slot = row < s->n_workers ? slots_at(s, row) : NULL;

    for (uint32_t i = 0; slot != NULL && i < GATE_UNDECIDED_MAX; i++)
        if (atomic_load_explicit(&slot->gate.undecided[i], memory_order_acquire) == word)
            return slot_alive(slot, 0, 0);
    return false;
}

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

uint64_t
gate_mark(const struct slots *s)
{
    uint64_t mark = 1;

    for (uint32_t i = 0; i < s->n_workers; i++) {
        const struct slot *slot = slots_at(s, i);
        mark = mix(mark, atomic_load_explicit(&slot->gate.doubts, memory_order_acquire));
        if (!slot_alive(slot, 0, 0))
            continue;
        mark = mix(mark, atomic_load_explicit(&slot->life.pid, memory_order_acquire));
        mark = mix(mark, atomic_load_explicit(&slot->life.started_ms, memory_order_relaxed) << 9 |
                             i);
    }
    return mark;
}
