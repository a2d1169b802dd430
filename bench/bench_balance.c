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
        s[i] = (struct pick_server){ { 100 + i, 1000 }, i % 3, 1 + i % 2, 0 };
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

static void
compare(FILE *out)
{
    for (size_t k = 0; k < countof(sim_stories); k++)
        for (int p = 0; p < SIM_POLICIES; p++) {
            struct sim_result r = sim_run(&sim_stories[k], (enum sim_policy)p, 7);
            printf("%-32s %-18s p50 %6.0f us, p99 %7.0f us, p99.9 %8.0f us, %u of %u failed\n",
                   sim_stories[k].name, sim_policy_names[p], r.p50_us, r.p99_us, r.p999_us,
                   r.errors, r.n);
            if (out != NULL)
                fprintf(out, "\"%s\" \"%s\" %.0f %.0f %.0f %u %u\n", sim_stories[k].name,
                        sim_policy_names[p], r.p50_us, r.p99_us, r.p999_us, r.errors, r.n);
        }
}

int
main(int argc, char **argv)
{
    FILE *out = argc > 1 ? fopen(argv[1], "w") : NULL;

    for (uint32_t n = 1; n <= 16; n *= 2)
        measure(n);
    compare(out);
    if (out != NULL)
        fclose(out);
    return 0;
}
