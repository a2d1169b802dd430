/* test_copy_limit.c - a limit in rows or bytes per second is kept, and reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/base.h"
#include "ctl/move/copy_part.h"

/* As a reader asks: after a few rows each time. */
static const struct { unsigned calls; uint64_t rows, bytes, rows_per_s, bytes_per_s; } limits[] = {
    { 200, 256, 1 << 14, 100000, 0 },
    { 200, 256, 1 << 14, 0, 6400000 },
    { 200, 256, 1 << 14, 100000, 64000000 },
    { 5, 256, 1 << 14, 2560, 0 },
    { 200, 256, 1 << 14, 0, 0 },
};

/* ms that all of it may take at the least. */
static double
least_ms(size_t k)
{
    double rows  = (double)(limits[k].calls * limits[k].rows);
    double bytes = (double)(limits[k].calls * limits[k].bytes);
    double one   = limits[k].rows_per_s ? rows * 1e3 / (double)limits[k].rows_per_s : 0;
    double two   = limits[k].bytes_per_s ? bytes * 1e3 / (double)limits[k].bytes_per_s : 0;

    return one > two ? one : two;
}

static double
takes_ms(size_t k)
{
    struct copy      copy = { .n_tables = 0 };
    struct copy_lane lane = { .copy = &copy };
    double           begin;

    pthread_mutex_init(&copy.lock, NULL);
    pthread_mutex_init(&lane.lock, NULL);
    copy_throttle(&copy, limits[k].rows_per_s, limits[k].bytes_per_s, false);
    begin = copy_now_ms();
    for (unsigned i = 0; i < limits[k].calls; i++)
        copy_pace(&lane, limits[k].rows, limits[k].bytes);
    pthread_mutex_destroy(&copy.lock);
    pthread_mutex_destroy(&lane.lock);
    return copy_now_ms() - begin;
}

/* A nap for every few rows, each longer than asked for, made 12,800 rows per second of any limit
 * above. A machine that is busy with others gets a second try. */
static void
test_limits(void **state)
{
    (void)state;
    for (size_t k = 0; k < countof(limits); k++) {
        double least = least_ms(k), took = takes_ms(k);

        if (took > 2 * least + 50)
            took = takes_ms(k);
        assert_true(took >= least - 60);
        assert_true(took <= 2 * least + 50);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
