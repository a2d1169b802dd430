/* spin.h - whether to look for completions again and again before sleeping.
 *
 * A sleep and a wake-up cost more than a short answer takes. So the ring may look for up
 * to `us` first. When that was in vain it sleeps at once the next 1, 3, 7 ... 1023 times:
 * who waits for nobody spins little.
 */
#ifndef CORE_IO_SPIN_H
#define CORE_IO_SPIN_H

#include "core/base/base.h"

enum { SPIN_MISSED_MAX = 10 };

struct spin {
    uint32_t us; /* 0: never */
    uint32_t missed, rest;
};

/* Look now? Then say spin_ended(), which returns `found`. */
static inline bool
spin_wanted(struct spin *s)
{
    if (s->us == 0)
        return false;
    if (s->rest == 0)
        return true;
    s->rest--;
    return false;
}

static inline bool
spin_ended(struct spin *s, bool found)
{
    if (found)
        s->missed = 0;
    else if (s->missed < SPIN_MISSED_MAX)
        s->missed++;
    s->rest = (1U << s->missed) - 1;
    return found;
}

#endif
