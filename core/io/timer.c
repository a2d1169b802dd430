/* timer.c - see timer.h.
 *
 * A timer lies in the level of the highest bit in which its due time differs
 * from done_ms, so within a level every occupied slot lies ahead of the hand
 * and nothing wraps; the lowest occupied level holds what comes next.
 */
#include "core/io/timer.h"

enum { BITS = 6 };

/* Longer ones are cut: 34 years, so that no due time overflows the levels. */
#define LONGEST_MS (UINT64_C(1) << 40)

void
timers_init(struct timers *timers, uint64_t now_ms)
{
    *timers = (struct timers){ .now_ms = now_ms, .done_ms = now_ms };
    list_init(&timers->overdue);
    for (int level = 0; level < TIMER_LEVELS; level++)
        for (int i = 0; i < TIMER_SLOTS; i++)
            list_init(&timers->slot[level][i]);
}

static unsigned
index_at(uint64_t ms, unsigned level)
{
    return (unsigned)(ms >> (BITS * level)) & (TIMER_SLOTS - 1);
}

static void
place(struct timers *timers, struct timer *timer)
{
    if (timer->due_ms <= timers->done_ms) {
        list_append(&timers->overdue, &timer->node);
        return;
    }

    uint64_t differs = timer->due_ms ^ timers->done_ms;
    unsigned level   = (63U - (unsigned)__builtin_clzll(differs)) / BITS;
    unsigned i       = index_at(timer->due_ms, level);
    timers->occupied[level] |= UINT64_C(1) << i;
    list_append(&timers->slot[level][i], &timer->node);
}

/* After the last node of a list went: if it was a slot, it is free now. */
static void
note_empty(struct timers *timers, const struct list *head)
{
    const struct list *first = &timers->slot[0][0];

    if (!list_empty(head) || (uintptr_t)head < (uintptr_t)first ||
        (uintptr_t)head >= (uintptr_t)(first + TIMER_LEVELS * TIMER_SLOTS))
        return;

    size_t at = (size_t)(head - first);
    timers->occupied[at / TIMER_SLOTS] &= ~(UINT64_C(1) << at % TIMER_SLOTS);
}

void
timer_stop(struct timers *timers, struct timer *timer)
{
    if (!timer_running(timer))
        return;
    struct list *neighbour = timer->node.next;
    list_remove(&timer->node);
    timer->node.next = NULL;
    timers->count--;
    note_empty(timers, neighbour);
}

void
timer_start(struct timers *timers, struct timer *timer, uint64_t ms, timer_fire *fire)
{
    timer_stop(timers, timer);
    timer->due_ms = timers->now_ms + (ms < LONGEST_MS ? ms : LONGEST_MS);
    timer->fire   = fire;
    timers->count++;
    place(timers, timer);
}

/* When the next occupied slot begins, UINT64_MAX when there is none. */
static uint64_t
next_slot_ms(const struct timers *timers)
{
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        if (timers->occupied[level] == 0)
            continue;
        unsigned i     = (unsigned)__builtin_ctzll(timers->occupied[level]);
        unsigned shift = BITS * level;
        uint64_t round = timers->done_ms >> shift >> BITS << BITS;
        return (round | i) << shift;
    }
    return UINT64_MAX;
}

uint64_t
timers_sleep_ms(const struct timers *timers, uint64_t now_ms)
{
    if (!list_empty(&timers->overdue))
        return 0;
    uint64_t next = next_slot_ms(timers);
    if (next == UINT64_MAX)
        return UINT64_MAX;
    return next > now_ms ? next - now_ms : 0;
}

/* The hand enters `ms`: the slots that begin here are spread downwards, highest
 * first; what is due becomes overdue. */
static void
enter(struct timers *timers, uint64_t ms)
{
    timers->done_ms = ms;
    for (unsigned level = TIMER_LEVELS; level-- > 0;) {
        if ((ms & ((UINT64_C(1) << BITS * level) - 1)) != 0)
            continue;
        unsigned     i    = index_at(ms, level);
        struct list *slot = &timers->slot[level][i];
        timers->occupied[level] &= ~(UINT64_C(1) << i);
        while (!list_empty(slot)) {
            struct timer *timer = container_of(slot->next, struct timer, node);
            list_remove(&timer->node);
            place(timers, timer);
        }
    }
}

void
timers_expire(struct timers *timers, uint64_t now_ms)
{
    timers->now_ms = now_ms;
    for (uint64_t ms; (ms = next_slot_ms(timers)) <= now_ms;)
        enter(timers, ms);
    if (timers->done_ms < now_ms)
        timers->done_ms = now_ms;
    if (list_empty(&timers->overdue))
        return;

    /* What fire() starts with 0 ms waits on `overdue` for the next call. */
    struct list firing;
    list_init(&firing);
    list_append(&timers->overdue, &firing);
    list_remove(&timers->overdue);
    while (!list_empty(&firing)) {
        struct timer *timer = container_of(firing.next, struct timer, node);
        timer_stop(timers, timer);
        timer->fire(timer);
    }
}
