/* bench_heat.c - nanoseconds that a statement's key costs: counted by its position always,
 * looked at for one in HEAT_SAMPLE. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "shm/heat.h"

enum { HASHES = 1 << 20, ROUNDS = 8 };

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void
measure(const char *what, const uint64_t *hashes)
{
    struct slot_heat  *heat   = mem_alloc(sizeof(*heat));
    struct heat_sketch sketch;
    double             start;

    heat_begin(&sketch, heat, 1);
    start = now_ns();
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < HASHES; i++) {
            uint32_t row;

            heat_count(heat, hashes[i]);
            if (i % HEAT_SAMPLE == 0 && heat_add(&sketch, heat, hashes[i], 1, &row))
                heat_name(&sketch, heat, row, span_of("app"), span_of("orders"),
                          span_of("1234567"));
        }
    printf("a key counted, %s: %.1f ns\n", what, (now_ns() - start) / ROUNDS / HASHES);
    free(heat);
}

int
main(void)
{
    uint64_t *hashes = mem_alloc(HASHES * sizeof(*hashes));

    for (uint64_t i = 0; i < HASHES; i++)
        hashes[i] = XXH3_64bits(&i, sizeof(i));
    measure("all different", hashes);
    for (uint64_t i = 0, key; i < HASHES; i++) {
        key       = i % 32;
        hashes[i] = XXH3_64bits(&key, sizeof(key));
    }
    measure("32 keys", hashes);
    free(hashes);
    return 0;
}
