/* test_ranges.c - plans: who owns what afterwards, and how little moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "core/route/ranges.h"

static struct route_range from_room[RANGES_MAX], to_room[RANGES_MAX], third[RANGES_MAX];
static struct ranges      from = { .range = from_room }, to = { .range = to_room };
static double             weights[RANGES_MAX];

static uint64_t
number(uint64_t i)
{
    return XXH3_64bits(&i, sizeof(i));
}

static void
cut(uint32_t shards, uint32_t per_shard)
{
    routes_cut(shards, per_shard, from_room);
    from.n = shards * per_shard;
}

static uint32_t
owner(const struct ranges *r, uint64_t key)
{
    uint32_t i = 0;

    while (i + 1 < r->n && r->range[i + 1].start <= key)
        i++;
    return r->range[i].shard;
}

/* Sorted, from 0 on, no neighbours of one owner. */
static void
check_map(const struct ranges *r, uint32_t n_shards)
{
    assert_true(r->n > 0);
    assert_int_equal(r->range[0].start, 0);
    for (uint32_t i = 0; i < r->n; i++) {
        assert_true(r->range[i].shard < n_shards);
        if (i > 0) {
            assert_true(r->range[i].start > r->range[i - 1].start);
            assert_int_not_equal(r->range[i].shard, r->range[i - 1].shard);
        }
    }
}

/* The share of everything whose owner is another; weights as of `from`. */
static double
moved(const double *weight)
{
    static struct route_range a_room[RANGES_MAX], b_room[RANGES_MAX];
    struct ranges             a = { .range = a_room }, b = { .range = b_room };
    double                    sum = 0, total = 0;
    uint32_t                  k = 0;

    assert_true(ranges_cut_like(&from, &to, &a) && ranges_cut_like(&to, &from, &b));
    assert_int_equal(a.n, b.n);
    for (uint32_t i = 0; i < a.n; i++) {
        while (k + 1 < from.n && from_room[k + 1].start <= a_room[i].start)
            k++;
        double wide = (double)ranges_width(&a, i), part;

        part = weight ? weight[k] * wide / (double)ranges_width(&from, k) : wide;
        total += part;
        sum += a_room[i].shard != b_room[i].shard ? part : 0;
    }
    return sum / total;
}

static double
weight_share(const double *weight, uint32_t shard, uint32_t n_shards)
{
    static struct route_range b_room[RANGES_MAX];
    static double             finer[RANGES_MAX];
    struct ranges             b = { .range = b_room };
    double                    share[ROUTES_SHARDS_MAX];
    uint32_t                  k = 0;

    assert_true(ranges_cut_like(&to, &from, &b));
    for (uint32_t i = 0; i < b.n; i++) {
        while (k + 1 < from.n && from_room[k + 1].start <= b_room[i].start)
            k++;
        finer[i] = weight ? weight[k] * (double)ranges_width(&b, i) /
                                (double)ranges_width(&from, k)
                          : (double)ranges_width(&b, i);
    }
    ranges_shares(&b, finer, n_shards, share);
    return share[shard];
}

static void
rebalance_moves_what_a_new_shard_needs(void **state)
{
    static const uint32_t shapes[][2] = { { 1, 1 }, { 1, 16 }, { 2, 16 }, { 3, 16 },
                                          { 7, 5 }, { 50, 16 } };
    double                want[ROUTES_SHARDS_MAX];
    (void)state;

    for (size_t s = 0; s < countof(shapes); s++) {
        uint32_t n = shapes[s][0];

        cut(n, shapes[s][1]);
        for (uint32_t i = 0; i <= n; i++)
            want[i] = 1.0 / (n + 1);
        assert_true(ranges_rebalance(&from, NULL, n + 1, want, &to));
        check_map(&to, n + 1);
        assert_true(moved(NULL) <= 1.05 / (n + 1));
        for (uint32_t i = 0; i <= n; i++)
            assert_true(fabs(weight_share(NULL, i, n + 1) - want[i]) < 0.001);
    }
}

static void
rebalance_by_weight(void **state)
{
    double want[8];
    (void)state;

    for (uint64_t round = 0; round < 100; round++) {
        uint32_t n = 2 + (uint32_t)(number(round) % 7);
        double   share[8], surplus = 0;

        cut(n, 1 + (uint32_t)(number(round + 1000) % 20));
        for (uint32_t i = 0; i < from.n; i++)
            weights[i] = (double)(number(round * 100 + i) % 1000);
        ranges_shares(&from, weights, n, share);
        for (uint32_t i = 0; i < n; i++) {
            want[i] = 1.0 / n;
            surplus += share[i] > want[i] ? share[i] - want[i] : 0;
        }
        assert_true(ranges_rebalance(&from, weights, n, want, &to));
        check_map(&to, n);
        assert_true(moved(weights) <= surplus + 1e-6);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabs(weight_share(weights, i, n) - want[i]) < 1e-6);
    }
}

static void
nothing_moves_where_all_is_even(void **state)
{
    double want[4] = { 0.25, 0.25, 0.25, 0.25 };
    (void)state;

    cut(4, 16);
    assert_true(ranges_rebalance(&from, NULL, 4, want, &to));
    assert_true(moved(NULL) < 1e-9);
    assert_int_equal(to.n, 64);
}

static void
drained_shards_own_nothing(void **state)
{
    (void)state;

    for (uint32_t n = 2; n < 9; n++) {
        bool leave[9] = { false }, take[9] = { false };

        cut(n, 16);
        for (uint32_t i = 0; i < n; i++)
            take[i] = !(leave[i] = i == n / 2);
        assert_true(ranges_empty(&from, NULL, n, leave, take, &to));
        check_map(&to, n);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabs(weight_share(NULL, i, n) - (leave[i] ? 0 : 1.0 / (n - 1))) < 1e-6);
        assert_true(fabs(moved(NULL) - 1.0 / n) < 1e-6);
    }
}

/* Two go into one of those that remain; the others keep what they have. */
static void
merged_into_one(void **state)
{
    bool leave[5] = { true, false, true, false, false };
    bool take[5]  = { false, false, false, true, false };
    (void)state;

    cut(5, 16);
    assert_true(ranges_empty(&from, NULL, 5, leave, take, &to));
    check_map(&to, 5);
    assert_true(fabs(weight_share(NULL, 3, 5) - 0.6) < 1e-6);
    assert_true(fabs(weight_share(NULL, 1, 5) - 0.2) < 1e-6);
    assert_true(fabs(moved(NULL) - 0.4) < 1e-6);
}

static void
empty_where_ranges_have_no_weight(void **state)
{
    bool leave[2] = { true, false }, take[2] = { false, true };
    (void)state;

    cut(2, 4);
    memset(weights, 0, sizeof(weights));
    assert_true(ranges_empty(&from, weights, 2, leave, take, &to));
    assert_int_equal(to.n, 1);
    assert_int_equal(to_room[0].shard, 1);
}

static void
split_into_equal_parts(void **state)
{
    static const uint32_t targets[] = { 3, 4, 5, 6 };
    (void)state;

    for (uint32_t n_to = 1; n_to <= countof(targets); n_to++)
        for (uint32_t per = 1; per < 20; per++) {
            cut(3, per);
            assert_true(ranges_split(&from, NULL, 1, targets, n_to, &to));
            check_map(&to, 7);
            double part = 1.0 / 3 / (n_to + 1);
            assert_true(fabs(weight_share(NULL, 1, 7) - part) < 1e-6);
            for (uint32_t i = 0; i < n_to; i++)
                assert_true(fabs(weight_share(NULL, targets[i], 7) - part) < 1e-6);
            assert_true(fabs(weight_share(NULL, 0, 7) - 1.0 / 3) < 1e-6);
            assert_true(fabs(moved(NULL) - part * n_to) < 1e-6);
        }
}

static void
split_at_keys(void **state)
{
    static const uint64_t at[]      = { 0x4000000000000000, 0xc000000000000000 };
    static const uint32_t targets[] = { 2, 3 };
    (void)state;

    cut(2, 8);
    assert_true(ranges_split_at(&from, 0, at, targets, 2, &to));
    check_map(&to, 4);
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t key  = number(i);
        uint32_t want = owner(&from, key) == 1 ? 1 : key < at[0] ? 0 : key < at[1] ? 2 : 3;

        assert_int_equal(owner(&to, key), want);
    }
    assert_int_equal(owner(&to, at[0]), owner(&from, at[0]) == 1 ? 1u : 2u);
}

static void
ranges_are_given(void **state)
{
    static const uint64_t pieces[][2] = {
        { 0, 0 }, { 0, UINT64_MAX }, { 5, 5 }, { UINT64_MAX, UINT64_MAX },
        { 0x4000000000000000, 0x7fffffffffffffff }, { 0x1234, 0xfedcba9876543210 },
    };
    (void)state;

    for (size_t i = 0; i < countof(pieces); i++) {
        uint64_t first = pieces[i][0], last = pieces[i][1];

        cut(2, 8);
        assert_true(ranges_give(&from, first, last, 2, &to));
        check_map(&to, 3);
        assert_int_equal(owner(&to, first), 2);
        assert_int_equal(owner(&to, last), 2);
        if (first > 0)
            assert_int_equal(owner(&to, first - 1), owner(&from, first - 1));
        if (last < UINT64_MAX)
            assert_int_equal(owner(&to, last + 1), owner(&from, last + 1));
    }
}

static void
too_many_ranges_are_refused(void **state)
{
    struct ranges all = { .n = RANGES_MAX, .range = third };
    (void)state;

    for (uint32_t i = 0; i < RANGES_MAX; i++)
        third[i] = (struct route_range){ .start = (uint64_t)i << 40, .shard = i % 2 };
    assert_false(ranges_give(&all, 7, 8, 2, &to));
    assert_true(ranges_give(&all, 0, (UINT64_C(1) << 40) - 1, 2, &to));
    assert_int_equal(to.n, RANGES_MAX);
}

static void
the_largest_catalog_is_planned_in_a_second(void **state)
{
    static const uint32_t target[] = { 1023 };
    static double         want[ROUTES_SHARDS_MAX];
    static bool           leave[ROUTES_SHARDS_MAX], take[ROUTES_SHARDS_MAX];
    (void)state;
    clock_t begin = clock();

    cut(1023, 16);
    assert_true(ranges_split(&from, NULL, 7, target, 1, &to));
    for (uint32_t i = 0; i < 1024; i++) {
        want[i] = 1.0 / 1024;
        take[i] = !(leave[i] = i == 5);
    }
    assert_true(ranges_rebalance(&from, NULL, 1024, want, &to));
    assert_true(moved(NULL) <= 1.05 / 1024);
    assert_true(ranges_empty(&from, NULL, 1024, leave, take, &to));
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1.0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebalance_moves_what_a_new_shard_needs),
        cmocka_unit_test(rebalance_by_weight),
        cmocka_unit_test(nothing_moves_where_all_is_even),
        cmocka_unit_test(drained_shards_own_nothing),
        cmocka_unit_test(merged_into_one),
        cmocka_unit_test(empty_where_ranges_have_no_weight),
        cmocka_unit_test(split_into_equal_parts),
        cmocka_unit_test(split_at_keys),
        cmocka_unit_test(ranges_are_given),
        cmocka_unit_test(too_many_ranges_are_refused),
        cmocka_unit_test(the_largest_catalog_is_planned_in_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
