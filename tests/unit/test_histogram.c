/* test_histogram.c - no value is counted further than 1/32 from itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "shm/histogram.h"

static void
buckets_lie_side_by_side(void **state)
{
    (void)state;

    assert_int_equal(histogram_lowest(0), 0);
    for (uint32_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        assert_int_equal(histogram_highest(i) + 1, histogram_lowest(i + 1));
        assert_int_equal(histogram_bucket(histogram_lowest(i)), i);
        assert_int_equal(histogram_bucket(histogram_highest(i)), i);
        assert_true(histogram_highest(i) - histogram_lowest(i) <= histogram_lowest(i) / 32);
    }
    assert_int_equal(histogram_bucket((uint64_t)1 << HISTOGRAM_TOP_BIT), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_true(histogram_lowest(HISTOGRAM_BUCKETS - 1) > UINT64_C(100000000000));
}

static void
quantiles_are_close(void **state)
{
    (void)state;
    struct histogram     *h   = calloc(1, sizeof(*h));
    struct histogram_sum *sum = calloc(1, sizeof(*sum));

    assert_int_equal(histogram_quantile(sum, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_record(h, i * 1000);
    histogram_add(sum, h);
    histogram_add(sum, h);
    assert_int_equal(sum->count, 200000);
    assert_int_equal(sum->sum_ns, UINT64_C(2) * 1000 * 100000 * 100001 / 2);
    static const double qs[] = { 0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0 };
    for (size_t i = 0; i < countof(qs); i++) {
        double got = (double)histogram_quantile(sum, qs[i]), want = qs[i] * 1e8;
        assert_true(got > want * 0.97 && got < want * 1.03);
    }
    assert_true(histogram_at_most(sum, 50000000) > 97000);
    assert_true(histogram_at_most(sum, 50000000) < 103500);
    assert_int_equal(histogram_at_most(sum, UINT64_MAX), 200000);
    assert_int_equal(histogram_at_most(sum, 0), 0);
    free(h);
    free(sum);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_lie_side_by_side),
        cmocka_unit_test(quantiles_are_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
