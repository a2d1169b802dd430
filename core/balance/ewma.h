/* ewma.h - how long a server's answers take, as one number that reacts to trouble.
 *
 *   us |      ,--.            up: a quarter of the way with each slower answer
 *      |  ---'    `---.__     down: half of it each second, also when nobody asks
 *
 * Up quickly, because each statement that is sent to a server in trouble is late; not at once,
 * because statements differ and one slow one says little. That it falls while nobody asks is
 * what brings statements back to a server that was avoided: one that was 200 times as slow is
 * tried after eight seconds, and one that is ten times as slow costs each worker one slow read in
 * two seconds. Twice as long a half-life halves the second and doubles the first; what falls more
 * slowly than e^-x keeps a server out for minutes after one stall.
 *
 * Tried in the simulator (tests/unit/balance_sim.h), statements over 5 ms in seven stories: up
 * by a half, a quarter, an eighth, a sixteenth: 2786, 2722, 3000, 3433; half-lives of 2^17 to
 * 2^22 us: 2808, 2718, 2723, 2722, 2824, 2784. So neither is a matter of luck.
 */
#ifndef CORE_BALANCE_EWMA_H
#define CORE_BALANCE_EWMA_H

#include <string.h>

#include "core/base/base.h"

enum { EWMA_HALF_SHIFT = 20, /* 2^20 us: about a second */
       EWMA_HALVES = 60, EWMA_RISE = 4,
       EWMA_FRESH_US = 1 << 14 /* what is so young is taken as it is: quicker */ };

/* All zeroes: nothing is known. */
struct ewma {
    double   us;
    uint64_t at_us; /* of the last answer */
};

/* 2 to the power of -n, n up to EWMA_HALVES, by the exponent of a double: dividing takes longer
 * than all else here. */
static inline double
ewma_halved(uint64_t n)
{
    uint64_t bits = (UINT64_C(1023) - n) << 52;
    double   d;

    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* What is left of something `elapsed_us` later: halved each second, and straight in between. */
static inline double
ewma_left(uint64_t elapsed_us)
{
    uint64_t halves = elapsed_us >> EWMA_HALF_SHIFT;
    uint64_t part   = elapsed_us & ((UINT64_C(1) << EWMA_HALF_SHIFT) - 1);

    if (halves > EWMA_HALVES)
        return 0;
    return (1 - (double)part / (2 << EWMA_HALF_SHIFT)) * ewma_halved(halves);
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
