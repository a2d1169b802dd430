/* pace.h - how quick the executions of one plan have been, for choosing what may stand
 * before others in a queue.
 *
 * `us` follows the quickest executions: down at once, up slowly. What takes longer does so
 * because the machine is busy, which sharing a connection does not make worse; and what
 * is slow by itself now and then is found out when others wait for it (pace_slow()).
 */
#ifndef CORE_ROUTE_PACE_H
#define CORE_ROUTE_PACE_H

#include "core/base/base.h"

enum {
    PACE_KNOWN       = 4,    /* executions before anything is said */
    PACE_PENALTY     = 64,   /* ... after it has held others up */
    PACE_QUICK_US    = 2000,
    PACE_FLOOR_US    = 20,
    PACE_SMALL_BYTES = 16 << 10,
};

/* All zeroes: nothing is known. */
struct pace {
    uint32_t us;
    int16_t  seen; /* small answers in a row, up to PACE_KNOWN */
};

static inline void
pace_note(struct pace *p, uint64_t us, uint64_t bytes)
{
    uint32_t now = us < PACE_FLOOR_US ? PACE_FLOOR_US : us > 1u << 30 ? 1u << 30 : (uint32_t)us;

    if (p->us == 0 || now < p->us)
        p->us = now;
    else if (p->us + p->us / 64 + 1 < now)
        p->us += p->us / 64 + 1;
    else
        p->us = now;
    if (bytes > PACE_SMALL_BYTES && p->seen > 0)
        p->seen = 0;
    else if (bytes <= PACE_SMALL_BYTES && p->seen < PACE_KNOWN)
        p->seen++;
}

/* Others had to be taken away from behind it, or its answer could not be used. */
static inline void
pace_slow(struct pace *p)
{
    p->seen = -PACE_PENALTY;
}

static inline bool
pace_is_quick(const struct pace *p)
{
    return p->seen >= PACE_KNOWN && p->us <= PACE_QUICK_US;
}

#endif
