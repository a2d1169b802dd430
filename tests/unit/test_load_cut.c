/* test_load_cut.c - the load that is kept, and where heat is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/scale/load.h"

static struct shard_load
at(uint32_t id, int64_t ms, double statements)
{
    struct shard_load m;

    shard_load_init(&m, id, "s");
    m.at_ms            = ms;
    m.seconds          = 10;
    m.statements_per_s = statements;
    return m;
}

static void
test_nothing_is_nan(void **state)
{
    struct load      *l = load_new();
    struct shard_load m = at(7, 1000, 5), out;

    (void)state;
    assert_false(load_latest_of(l, 7, &out));
    assert_int_equal(load_put(l, &m, NULL, NULL), 0);
    assert_true(load_latest_of(l, 7, &out));
    assert_true(out.statements_per_s == 5 && out.seconds == 10 && out.id == 7);
    assert_true(isnan(out.cpu) && isnan(out.lag_s) && isnan(shard_load_disk(&out)));
    assert_int_equal(load_latest(l, &out, 1), 1);
    load_keep(l, (const uint32_t[]){ 8 }, 1);
    assert_int_equal(load_latest(l, &out, 1), 0);
    load_free(l);
}

/* They have histories like shards, and are forgotten like them; nobody takes one for a shard. */
static void
test_replicas_are_no_shards(void **state)
{
    const uint32_t    replica = ROUTES_REPLICA_ID + 1;
    struct load      *l = load_new();
    struct shard_load a = at(7, 1000, 5), b = at(replica, 1000, 6), out[3];

    (void)state;
    load_put(l, &b, NULL, NULL);
    load_put(l, &a, NULL, NULL);
    assert_int_equal(load_latest(l, out, countof(out)), 1);
    assert_int_equal(out[0].id, 7);
    assert_true(load_latest_of(l, replica, out) && out[0].statements_per_s == 6);
    assert_int_equal(load_history(l, replica, LOAD_RAW, 0, out, countof(out)), 1);
    load_keep(l, (const uint32_t[]){ 7, replica }, 2);
    assert_true(load_latest_of(l, replica, out));
    load_keep(l, (const uint32_t[]){ 7 }, 1);
    assert_false(load_latest_of(l, replica, out));
    load_free(l);
}

static void
test_minutes_and_hours(void **state)
{
    struct load      *l = load_new();
    struct shard_load minute, hour, out[400];
    int               minutes = 0, hours = 0;

    (void)state;
    for (int64_t s = 10; s <= 3 * 3600 + 60; s += 10) {
        struct shard_load m = at(1, s * 1000, (double)(s % 60 == 0 ? 60 : s % 60));
        m.threads_running   = (double)(s % 60);
        m.rows              = (double)s;
        if (s > 3600)
            m.cpu = 0.5; /* not measured before */
        unsigned full = load_put(l, &m, &minute, &hour);
        if (full & 1u << LOAD_MINUTE) {
            minutes++;
            assert_true(minute.at_ms % 60000 == 0 && fabs(minute.seconds - 60) < 1e-6);
            assert_true(fabs(minute.statements_per_s - 35) < 1e-3);
            assert_true(minute.threads_running == 50);
            assert_true(minute.rows == (double)(minute.at_ms / 1000));
            assert_true(minute.at_ms <= 3600000 ? isnan(minute.cpu) : minute.cpu == 0.5);
        }
        hours += (full & 1u << LOAD_HOUR) != 0;
    }
    assert_int_equal(minutes, 180);
    assert_int_equal(hours, 2);
    assert_true(hour.at_ms == 7200000 && fabs(hour.statements_per_s - 35) < 1e-3);
    assert_int_equal(load_history(l, 1, LOAD_RAW, 0, out, 400), LOAD_RAW_MAX);
    assert_true(out[LOAD_RAW_MAX - 1].at_ms == (3 * 3600 + 60) * 1000);
    assert_true(out[0].at_ms == out[1].at_ms - 10000);
    assert_int_equal(load_history(l, 1, LOAD_MINUTE, 0, out, 400), 180);
    assert_int_equal(load_history(l, 1, LOAD_MINUTE, 9000001, out, 400), 30);
    assert_true(out[0].at_ms == 9060000);
    assert_int_equal(load_history(l, 1, LOAD_MINUTE, 0, out, 5), 5);
    assert_true(out[4].at_ms == 10800000);
    assert_int_equal(load_history(l, 1, LOAD_HOUR, 0, out, 400), 2);
    assert_int_equal(load_history(l, 2, LOAD_HOUR, 0, out, 400), 0);
    load_free(l);
}

static void
test_old_ones_go(void **state)
{
    struct load      *l = load_new();
    struct shard_load out[LOAD_RAW_MAX + 10], old = at(1, 5, 1);

    (void)state;
    for (int64_t i = 1; i <= 1000; i++) {
        struct shard_load m = at(1, i * 10, (double)i);
        load_put(l, &m, NULL, NULL);
        size_t n = load_history(l, 1, LOAD_RAW, 0, out, LOAD_RAW_MAX + 10);
        assert_int_equal(n, i < LOAD_RAW_MAX ? i : LOAD_RAW_MAX);
        for (size_t k = 0; k < n; k++)
            assert_true(out[k].at_ms == (i - (int64_t)n + 1 + (int64_t)k) * 10);
    }
    load_put(l, &old, NULL, NULL); /* a clock that was set back */
    assert_true(load_latest_of(l, 1, out) && out[0].at_ms == 10000);
    load_free(l);
}

/* --- cuts --------------------------------------------------------------------- */

#define FULL UINT64_MAX
#define PART(n) ((uint64_t)(n) << 48)

static const struct route_range whole[]  = { { .start = 0, .shard = 0 } };
static const struct route_range halves[] = { { .start = 0, .shard = 0 },
                                             { .start = PART(32768), .shard = 1 } };
static const struct route_range turns[]  = { { .start = 0, .shard = 0 },
                                             { .start = PART(100), .shard = 1 },
                                             { .start = PART(200), .shard = 0 },
                                             { .start = PART(300), .shard = 1 } };
static const struct route_range narrow[] = { { .start = 0, .shard = 1 },
                                             { .start = PART(5) + 1000, .shard = 0 },
                                             { .start = PART(5) + 3000, .shard = 1 } };

struct heap {
    uint32_t from, to; /* parts [from, to) */
    float    each;
};

static const struct cut_case {
    const char               *name;
    const struct route_range *ranges;
    uint32_t                  n, shard;
    struct heap               heap[2];
    struct load_key           hot;
    double                    share;
    bool                      can;
    uint64_t                  at;
    double                    got;
} cuts[] = {
    { "even", whole, 1, 0, { { 0, LOAD_PARTS, 1 } }, { 0 }, 0.5, true, PART(32768), 0.5 },
    { "a quarter", whole, 1, 0, { { 0, LOAD_PARTS, 1 } }, { 0 }, 0.25, true, PART(16384), 0.25 },
    { "all in one place", whole, 1, 0, { { 100, 110, 8 } }, { 0 }, 0.5, true, PART(105), 0.5 },
    { "two places", whole, 1, 0, { { 0, 10, 1 }, { 60000, 60010, 3 } }, { 0 }, 0.25, true,
      PART(10), 0.25 },
    { "the second shard", halves, 2, 1, { { 0, LOAD_PARTS, 1 } }, { 0 }, 0.5, true, PART(49152),
      0.5 },
    { "several ranges", turns, 4, 0, { { 0, 1000, 1 } }, { 0 }, 0.75, true, PART(250), 0.75 },
    { "between ranges", turns, 4, 0, { { 0, 1000, 1 } }, { 0 }, 0.5, true, PART(100), 0.5 },
    { "inside of a part", narrow, 3, 0, { { 5, 6, 9 } }, { 0 }, 0.5, true, PART(5) + 2000, 0.5 },
    { "nothing", whole, 1, 0, { { 0, 0, 0 } }, { 0 }, 0.5, false, 0, 0 },
    { "no such shard", whole, 1, 3, { { 0, LOAD_PARTS, 1 } }, { 0 }, 0.5, false, 0, 0 },
    { "one hot key", whole, 1, 0, { { 7, 8, 100 } }, { .hash = PART(7) + 77, .per_s = 100 }, 0.5,
      true, PART(7) + 77, 0 },
    { "a hot key and others", whole, 1, 0, { { 0, LOAD_PARTS, 1 } },
      { .hash = PART(7) + 77, .per_s = 1 }, 0.5, true, PART(32768), 0.5 },
    { "hotter than its part", whole, 1, 0, { { 7, 9, 100 } },
      { .hash = PART(7) + 77, .per_s = 500 }, 0.5, true, PART(7) + 78, 0.5 },
};

static void
test_cuts(void **state)
{
    float *heat = calloc(LOAD_PARTS, sizeof(*heat));

    (void)state;
    for (size_t i = 0; i < countof(cuts); i++) {
        const struct cut_case *c = &cuts[i];
        uint64_t               where = 0;
        double                 got = 0;

        memset(heat, 0, LOAD_PARTS * sizeof(*heat));
        for (size_t h = 0; h < countof(c->heap); h++)
            for (uint32_t part = c->heap[h].from; part < c->heap[h].to; part++)
                heat[part] += c->heap[h].each;
        bool can = load_cut(heat, &c->hot, c->hot.per_s > 0, c->ranges, c->n, c->shard, c->share,
                            &where, &got);
        uint64_t off = where > c->at ? where - c->at : c->at - where;
        uint64_t near = c->hot.per_s > 1 ? 1 : 1 << 20; /* a double has 52 bits */
        if (can != c->can || (can && (off > near || fabs(got - c->got) > 1e-6)))
            fail_msg("%s: %d %016llx %g", c->name, can, (unsigned long long)where, got);
    }
    free(heat);
}

/* However the heat lies, the cut is as good as the hottest part allows. */
static void
test_random_cuts(void **state)
{
    float *heat = calloc(LOAD_PARTS, sizeof(*heat));

    (void)state;
    srandom(4711);
    for (int round = 0; round < 20; round++) {
        struct route_range ranges[64];
        double             total = 0, most = 0, got;
        uint64_t           where;

        for (uint32_t i = 0; i < countof(ranges); i++)
            ranges[i] = (struct route_range){ .start = i * (FULL / 64), .shard = i % 4 };
        for (uint32_t p = 0; p < LOAD_PARTS; p++) {
            heat[p] = (float)(random() % 1000) / (float)(1 + random() % 1000);
            if (ranges[p * 64 / LOAD_PARTS].shard == 2) {
                total += (double)heat[p];
                most = fmax(most, (double)heat[p]);
            }
        }
        assert_true(load_cut(heat, NULL, 0, ranges, 64, 2, 0.5, &where, &got));
        assert_true(fabs(got - 0.5) <= most / total + 0.01);
    }
    free(heat);
}

static void
test_heat_of(void **state)
{
    float                *heat = calloc(LOAD_PARTS, sizeof(*heat));
    const struct load_key hot  = { .hash = PART(3) + 10, .per_s = 4 };

    (void)state;
    heat[3] = 10;
    heat[4] = 2;
    assert_true(fabs(load_heat_of(heat, NULL, 0, 0, FULL) - 12) < 1e-9);
    assert_true(fabs(load_heat_of(heat, &hot, 1, PART(3), PART(4) - 1) - 10) < 1e-9);
    assert_true(fabs(load_heat_of(heat, NULL, 0, PART(3), PART(3) + PART(1) / 2 - 1) - 5) < 1e-9);
    assert_true(fabs(load_heat_of(heat, &hot, 1, PART(3), PART(3) + PART(1) / 2 - 1) - 7) < 1e-9);
    assert_true(fabs(load_heat_of(heat, &hot, 1, PART(3) + 10, PART(3) + 10) - 4) < 1e-9);
    free(heat);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_nan),
        cmocka_unit_test(test_replicas_are_no_shards),
        cmocka_unit_test(test_minutes_and_hours),
        cmocka_unit_test(test_old_ones_go),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_random_cuts),
        cmocka_unit_test(test_heat_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
