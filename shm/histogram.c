/* histogram.c - see histogram.h. */
#include "shm/histogram.h"

#include <math.h>

uint64_t
histogram_lowest(uint32_t bucket)
{
    uint32_t sub = 1u << HISTOGRAM_SUB_BITS;

    if (bucket < sub)
        return bucket;

    uint32_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    return (uint64_t)(sub + bucket % sub) << shift;
}

uint64_t
histogram_highest(uint32_t bucket)
{
    if (bucket + 1 >= HISTOGRAM_BUCKETS)
        return UINT64_MAX;
    return histogram_lowest(bucket + 1) - 1;
}

void
histogram_add(struct histogram_sum *sum, const struct histogram *h)
{
    sum->sum_ns += atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        sum->bucket[i] += n;
        sum->count += n;
    }
}

uint64_t
histogram_quantile(const struct histogram_sum *sum, double q)
{
    double   share = ceil(q * (double)sum->count);
    uint64_t want  = share < 1 ? 1 : (uint64_t)share;
    uint64_t seen  = 0;

    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += sum->bucket[i];
        if (seen >= want && i + 1 == HISTOGRAM_BUCKETS)
            return histogram_lowest(i);
        if (seen >= want)
            return (histogram_lowest(i) + histogram_highest(i)) / 2;
    }
    return 0;
}

uint64_t
histogram_at_most(const struct histogram_sum *sum, uint64_t ns)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram_lowest(i) <= ns; i++)
        n += sum->bucket[i];
    return n;
}
