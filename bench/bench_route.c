/* bench_route.c - nanoseconds to find the owner of a random hash, 1,024 shards
 * of 16 ranges each: evenly cut, and grown one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/route/table.h"

enum { SHARDS = 1024, PER_SHARD = 16, HASHES = 1 << 16, ROUNDS = 100, RUNS = 5 };

static uint64_t hashes[HASHES];

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Each lookup waits for the last one, as a statement's would: its result goes
 * into the next hash. */
static double
measure(const struct routes *r)
{
    double   runs[RUNS];
    uint64_t sum = 0;

    for (int run = 0; run < RUNS; run++) {
        double start = now_ns();
        for (int round = 0; round < ROUNDS; round++)
            for (int i = 0; i < HASHES; i++)
                sum += routes_owner(r, hashes[i] ^ (sum & 1));
        runs[run] = (now_ns() - start) / ROUNDS / HASHES;
    }
    if (sum == 42)
        puts("");
    qsort(runs, RUNS, sizeof(runs[0]), ascending);
    return runs[RUNS / 2];
}

static void
report(const char *what, const struct route_range *ranges, uint32_t n)
{
    uint8_t   bits  = routes_index_bits(n);
    uint32_t *index = mem_alloc((((size_t)1 << bits) + 1) * sizeof(*index));

    routes_index(ranges, n, bits, index);
    struct routes r = { .n_ranges = n, .ranges = ranges, .index_bits = bits, .index = index };
    printf("route lookup, %s, %u ranges: %.1f ns\n", what, n, measure(&r));
    free(index);
}

int
main(void)
{
    struct route_range *ranges = mem_alloc(SHARDS * SHARDS * sizeof(*ranges));
    struct route_range *grown  = mem_alloc(SHARDS * SHARDS * sizeof(*ranges));

    for (uint64_t i = 0; i < HASHES; i++)
        hashes[i] = XXH3_64bits(&i, sizeof(i));
    routes_cut(SHARDS, PER_SHARD, ranges);
    report("evenly cut", ranges, SHARDS * PER_SHARD);

    uint32_t n = 2 * PER_SHARD;
    routes_cut(2, PER_SHARD, ranges);
    for (uint32_t shards = 2; shards < 64; shards++) {
        n = routes_grow(ranges, n, shards, shards, grown);
        struct route_range *swap = ranges;
        ranges = grown;
        grown  = swap;
    }
    report("grown from 2 shards to 64", ranges, n);
    free(ranges);
    free(grown);
    return 0;
}
