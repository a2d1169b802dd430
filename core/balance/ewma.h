/* ewma.h - how long a server's answers take, as one number that reacts to trouble.
 *
 *   us |      ,--.            up: a quarter of the way with each slower answer
 *      |  ---'    `---.__     down: by time (EWMA_TAU_US), also when nobody asks
 *
 * Up quickly, because each statement that is sent to a server in trouble is late; not at once,
 * because statements differ and one slow one says little. That it falls while nobody asks is
 * what brings statements back to a server that was avoided.
 */
#ifndef CORE_BALANCE_EWMA_H
#define CORE_BALANCE_EWMA_H

#include "core/base/base.h"

enum { EWMA_TAU_US = 5000000, EWMA_RISE = 4,
       EWMA_FRESH_US = EWMA_TAU_US / 64 /* what is so young is taken as it is: quicker */ };

/* All zeroes: nothing is known. */
struct ewma {
    double   us;
    uint64_t at_us; /* of the last answer */
};

/* What is left of something `elapsed_us` later: 1 / e^x without its cost, and never less. */
static inline double
ewma_left(uint64_t elapsed_us)
{
    double x = (double)elapsed_us * (1.0 / EWMA_TAU_US);

    return 1 / (1 + x + x * x / 2);
}

static inline double
ewma_value(const struct ewma *e, uint64_t now_us)
{
    return now_us <= e->at_us + EWMA_FRESH_US ? e->us : e->us * ewma_left(now_us - e->at_us);
}

/* An answer took `us`. */
static inline void
ewma_note(struct ewma *e, uint64_t now_us, uint64_t us)
{
    double now = (double)us, before = e->us;

    if (e->at_us == 0)
        e->us = now;
    else if (now > before)
        e->us += (now - before) / EWMA_RISE;
    else
        e->us = now + (before - now) * (now_us > e->at_us ? ewma_left(now_us - e->at_us) : 1);
    e->at_us = now_us;
}

#endif
