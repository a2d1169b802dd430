/* quantile.h - the value that 95 of a hundred do not pass, of numbers that come one by one.
 *
 * Each number above it moves it up by nineteen small steps, each other one down by one: it rests
 * where nineteen of twenty are below. A step is a part of the value itself, so that it finds
 * microseconds as well as seconds; and it goes on following what changes.
 */
#ifndef CORE_ROUTE_QUANTILE_H
#define CORE_ROUTE_QUANTILE_H

#include "core/base/base.h"

enum { QUANTILE_KNOWN = 20, /* numbers before anything is said */
       QUANTILE_STEPS = 1000 /* a step is such a part of the value, at least one */ };

/* All zeroes: nothing is known. */
struct quantile {
    float    value;
    uint32_t n;
};

static inline void
quantile_note(struct quantile *q, uint64_t number)
{
    float x = (float)number, step = q->value / QUANTILE_STEPS;

    step = step < 1 ? 1 : step;
    if (q->n < QUANTILE_KNOWN && x > q->value)
        q->value = x;
    else if (x > q->value)
        q->value += 19 * step;
    else
        q->value -= step;
    q->n += q->n < UINT32_MAX;
}

/* 0: not known yet. */
static inline uint64_t
quantile_value(const struct quantile *q)
{
    return q->n < QUANTILE_KNOWN || q->value < 0 ? 0 : (uint64_t)q->value;
}

#endif
