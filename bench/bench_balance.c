/* bench_balance.c - what choosing a server costs, and how ways of choosing compare on fifty
 * servers that are numbers only. With a file's name: the comparison as columns for gnuplot. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/balance_sim.h"

enum { ROUNDS = 20000000 };

static double
cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void
measure(uint32_t n)
{
    struct pick_server s[PICK_MAX] = { 0 };
    uint64_t           random = 1, sum = 0;

    for (uint32_t i = 0; i < n; i++)
        s[i] = (struct pick_server){ .latency = { 100 + i, 1000 }, .silent_us = 19900 + i,
                                     .outstanding = i % 3, .weight = 1 + i % 2 };
    double start = cpu_ns();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct pick_list list;
        list.n     = 0;
        list.local = false;
        for (uint32_t m = 0; m < n; m++)
            pick_add(&list, &s[m], false);
        const struct pick_server *got = pick(&list, 20000 + (i >> 12), 10000, &random);
        s[got - s].outstanding ^= 1;
        sum += (uint64_t)(got - s);
    }
    printf("one of %2u servers: %.1f ns (%llu)\n", n, (cpu_ns() - start) / ROUNDS,
           (unsigned long long)sum % 10);
}

/* One line of columns a story: its name, and of each policy p99 and errors in per cent. */
static void
compare_one(const struct sim_story *story, FILE *out)
{
    fprintf(out, "\"%s\"", story->name);
    for (int p = 0; p < SIM_POLICIES; p++) {
        if (p >= SIM_FORECAST && story->period_us == 0)
            continue; /* nothing in it can be foretold */
        struct sim_result r = sim_run(story, (enum sim_policy)p, 7);
        printf("%-29s %-18s p50 %4.0f us, p99 %7.0f us, p99.9 %7.0f us, mean %6.0f us, "
               "over %d ms %6u, failed %6u of %u\n", story->name, sim_policy_names[p], r.p50_us,
               r.p99_us, r.p999_us, r.mean_us, SIM_LATE_US / 1000, r.late, r.errors, r.n);
        fflush(stdout);
        fprintf(out, " %.0f %.4f", r.p99_us, 100.0 * r.errors / r.n);
    }
    fputc('\n', out);
}

int
main(int argc, char **argv)
{
    FILE *out = fopen(argc > 1 ? argv[1] : "/dev/null", "w");

    for (uint32_t n = 1; n <= 16; n *= 2)
        measure(n);
    for (size_t k = 0; k < STORIES && out != NULL; k++)
        compare_one(&sim_stories[k], out);
    return out == NULL || fclose(out) != 0;
}
