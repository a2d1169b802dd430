/* coalesce.h - whether to wait for several completions at once.
 *
 * Where many clients are busy, completions come all the time, and a worker that shares its CPUs
 * with clients and servers would sleep and be woken for each of them. It is cheaper to sleep
 * until some have come: nobody is answered much later, for everybody waits for all the others
 * anyway. Waited is for up to `us`, and for so many as come within that time, as far as is known,
 * but for no more than one of SHARE clients. When fewer than MIN came, there is little to do or
 * what is under way is slow, and the next 1, 3, 7 ... 1023 sleeps are ordinary ones. Network
 * cards do the same with their interrupts (ethtool(8), --coalesce).
 */
#ifndef CORE_IO_COALESCE_H
#define CORE_IO_COALESCE_H

#include "core/base/base.h"

enum { COALESCE_SHARE = 8, COALESCE_MIN = 4, COALESCE_MAX = 32, COALESCE_MISSED_MAX = 10 };

struct coalesce {
    uint32_t us;      /* 0: never */
    uint32_t clients; /* busy ones */
    uint32_t wanted;  /* so many may come in time; 0: not known yet */
    uint32_t missed, rest;
};

/* How many to wait for; > 1: then say coalesce_ended(). */
static inline uint32_t
coalesce_for(struct coalesce *c)
{
    uint32_t most = c->clients / COALESCE_SHARE;

    if (c->us == 0 || most < COALESCE_MIN)
        return 1;
    if (c->rest > 0) {
        c->rest--;
        return 1;
    }
    if (c->wanted == 0)
        c->wanted = COALESCE_MIN;
    return c->wanted < most ? c->wanted : most;
}

/* So many have come, of those that were waited for. */
static inline void
coalesce_ended(struct coalesce *c, uint32_t waited_for, uint32_t came)
{
    uint32_t next = came >= waited_for ? waited_for + 1 : came - came / 4;

    c->wanted = next < COALESCE_MIN ? COALESCE_MIN : next < COALESCE_MAX ? next : COALESCE_MAX;
    if (came >= COALESCE_MIN)
        c->missed = 0;
    else if (c->missed < COALESCE_MISSED_MAX)
        c->missed++;
    c->rest = (1U << c->missed) - 1;
}

#endif
