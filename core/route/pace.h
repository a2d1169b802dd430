/* pace.h - how quick the executions of one plan have been, for choosing what may stand
 * before others in a queue.
 *
 * `us` follows the quickest executions: down at once, up slowly. Of an execution beside
 * others on connections of their own only its part of the time counts: a server that is
 * busy with many quick statements answers each of them late. That is hopeful about
 * statements that are slow by themselves; they are found out when they share a connection.
 */
#ifndef CORE_ROUTE_PACE_H
#define CORE_ROUTE_PACE_H

#include "core/base/base.h"

enum {
    PACE_KNOWN       = 4,    /* executions before anything is said */
    PACE_PENALTY     = 64,   /* ... after its answer was of no use, or late too often */
    PACE_QUICK_US    = 2000,
    PACE_STRIKE      = 8,    /* of an execution that was not quick where others wait, */
    PACE_STRIKES     = 32,   /* ... against 1 for a quick one; then there is a penalty */
    PACE_HOLDS_MAX   = 12,   /* each time that it holds others up the penalty doubles, ... */
    PACE_CALM        = 1024, /* ... and after so many quick ones where others wait it halves */
    PACE_FLOOR_US    = 20,
    PACE_SMALL_BYTES = 16 << 10,
};

/* All zeroes: nothing is known. */
struct pace {
    uint32_t us;
    int32_t  seen; /* small answers in a row, up to PACE_KNOWN; below 0: a penalty */
    uint16_t strikes, calm;
    uint8_t  holds;
};

static inline void
pace_note(struct pace *p, uint64_t us, uint64_t bytes)
{
    uint32_t now = us < PACE_FLOOR_US ? PACE_FLOOR_US : us > 1u << 30 ? 1u << 30 : (uint32_t)us;

    if (p->us == 0 || now < p->us)
        p->us = now;
    else if (p->us + p->us / 16 + 1 < now)
        p->us += p->us / 16 + 1;
    else
        p->us = now;
    if (bytes > PACE_SMALL_BYTES && p->seen > 0)
        p->seen = 0;
    else if (bytes <= PACE_SMALL_BYTES && p->seen < PACE_KNOWN)
        p->seen++;
}

/* Its answer could not be used. */
static inline void
pace_slow(struct pace *p)
{
    p->seen = -PACE_PENALTY;
}

/* Others had to be taken away from behind it. A statement that is slow now and then, for some of
 * its values, soon has connections to itself almost always. */
static inline void
pace_held_up(struct pace *p)
{
    p->seen = -(PACE_PENALTY << p->holds);
    p->calm = 0;
    if (p->holds < PACE_HOLDS_MAX)
        p->holds++;
}

/* Of an execution on a shared connection: since the answer before it. */
static inline void
pace_note_shared(struct pace *p, uint64_t us, uint64_t bytes)
{
    pace_note(p, us, bytes);
    if (us > PACE_QUICK_US)
        p->strikes = (uint16_t)(p->strikes + PACE_STRIKE);
    else if (p->strikes > 0)
        p->strikes--;
    if (us <= PACE_QUICK_US && ++p->calm == PACE_CALM) {
        p->calm = 0;
        p->holds = (uint8_t)(p->holds - (p->holds > 0));
    }
    if (p->strikes < PACE_STRIKES)
        return;
    p->strikes = 0;
    pace_slow(p);
}

static inline bool
pace_is_quick(const struct pace *p)
{
    return p->seen >= PACE_KNOWN && p->us <= PACE_QUICK_US;
}

#endif
