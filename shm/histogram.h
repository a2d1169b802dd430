/* histogram.h - latencies in log-linear buckets, one writer, any reader.
 *
 *   0 1 2 ... 31 | 32 33 ... 63 | 64 66 68 ... 126 | 128 132 ... | ... 137 s
 *   exact          32 buckets per power of two, so a bucket is at most 1/32
 *                  (3.1 %) wide; larger values count in the last one
 *
 * Recording is a plain increment of two words: only the owner of the slot
 * writes, readers may see a count without its share of the sum. Source of the
 * bucketing: HdrHistogram, G. Tene.
 */
#ifndef SHM_HISTOGRAM_H
#define SHM_HISTOGRAM_H

#include <stdatomic.h>

#include "core/base/base.h"

enum {
    HISTOGRAM_SUB_BITS = 5,
    HISTOGRAM_TOP_BIT  = 37, /* values < 2^37 ns = 137 s */
    HISTOGRAM_BUCKETS  = (HISTOGRAM_TOP_BIT - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Several histograms added up, in private memory. */
struct histogram_sum {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline uint32_t
histogram_bucket(uint64_t ns)
{
    if (ns >> HISTOGRAM_TOP_BIT != 0)
        return HISTOGRAM_BUCKETS - 1;
    if (ns < 1u << HISTOGRAM_SUB_BITS)
        return (uint32_t)ns;

    uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (uint32_t)(ns >> shift);
}

/* Only the one writer may call this. */
static inline void
histogram_record(struct histogram *h, uint64_t ns)
{
    _Atomic uint64_t *bucket = &h->bucket[histogram_bucket(ns)];

    atomic_store_explicit(bucket,
        atomic_load_explicit(bucket, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&h->sum_ns,
        atomic_load_explicit(&h->sum_ns, memory_order_relaxed) + ns, memory_order_relaxed);
}

/* The smallest and the largest value a bucket counts. */
uint64_t histogram_lowest(uint32_t bucket);
uint64_t histogram_highest(uint32_t bucket);

void histogram_add(struct histogram_sum *sum, const struct histogram *h);

/* The value below or at which the share `q` in [0, 1] of all lies, as the
 * middle of its bucket in ns; 0 when nothing was recorded. */
uint64_t histogram_quantile(const struct histogram_sum *sum, double q);

/* How many were at most `ns` (rounded to whole buckets): what a Prometheus
 * bucket with that `le` shows. */
uint64_t histogram_at_most(const struct histogram_sum *sum, uint64_t ns);

#endif
