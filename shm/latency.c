/* latency.c - see latency.h. */
#include "shm/latency.h"

#include <math.h>

/* The smallest value of a bucket, in us. */
static double
lowest(uint32_t bucket)
{
    uint32_t sub   = 1u << LATENCY_SUB_BITS;
    uint32_t shift = bucket < sub ? 0 : (bucket >> LATENCY_SUB_BITS) - 1;
    uint64_t units = bucket < sub ? bucket : (uint64_t)(sub + bucket % sub) << shift;

    return (double)units * 1.024;
}

double
latency_quantile(const uint32_t count[LATENCY_BUCKETS], double q)
{
    double total = 0, seen = 0;

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
        total += count[i];
    if (!(total > 0))
        return NAN;
    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (count[i] != 0 && seen + count[i] >= q * total) {
            double in = (q * total - seen) / count[i];
            return lowest(i) + (lowest(i + 1) - lowest(i)) * (in > 0 ? in : 0);
        }
        seen += count[i];
    }
    return lowest(LATENCY_BUCKETS - 1);
}
