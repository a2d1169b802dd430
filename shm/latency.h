/* latency.h - latencies of one shard in buckets that are 1/8 wide: a histogram (histogram.h)
 * would be too large for a thousand shards in every worker's slot.
 *
 *   0 1 2 ... 7 | 8 9 ... 15 | 16 18 ... 30 | 32 36 ... | ... 137 s     in units of 1.024 us
 *
 * One writer, any reader. Counts wrap at 2^32: who reads takes differences.
 */
#ifndef SHM_LATENCY_H
#define SHM_LATENCY_H

#include <stdatomic.h>

#include "core/base/base.h"

enum {
    LATENCY_SUB_BITS = 3,
    LATENCY_TOP_BIT  = 27, /* values < 2^27 units = 137 s; larger ones are in the last bucket */
    LATENCY_BUCKETS  = (LATENCY_TOP_BIT - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS,
};

static inline uint32_t
latency_bucket(uint64_t us)
{
    uint64_t units = us * 1000 >> 10;

    if (units >> LATENCY_TOP_BIT != 0)
        return LATENCY_BUCKETS - 1;
    if (units < 1u << LATENCY_SUB_BITS)
        return (uint32_t)units;

    uint32_t shift = 63 - (uint32_t)__builtin_clzll(units) - LATENCY_SUB_BITS;
    return (shift << LATENCY_SUB_BITS) + (uint32_t)(units >> shift);
}

/* Only the one writer may call this. */
static inline void
latency_record(_Atomic uint32_t bucket[LATENCY_BUCKETS], uint64_t us)
{
    _Atomic uint32_t *b = &bucket[latency_bucket(us)];

    atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The microseconds below or at which the share `q` in [0, 1] of `count` lies, even inside of a
 * bucket; NAN when nothing was recorded. */
double latency_quantile(const uint32_t count[LATENCY_BUCKETS], double q);

#endif
