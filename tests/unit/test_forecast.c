/* test_forecast.c - forecasts of loads of every shape, judged by what came. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/scale/forecast.h"
#include "tests/unit/recorded.h"

enum { HORIZON = 6, DAY = 96, WEEK = 7 * DAY };

static uint64_t seed;

/* Even in [0, 1), the same in each run. */
static double
dice(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* About normal, of deviation 1. */
static double
noise(void)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += dice();
    return sum;
}

static double
day(int t)
{
    return 1000 - 800 * cos(6.283185307 * (t % DAY) / DAY);
}

static double constant(int t)    { (void)t; return 5000; }
static double zeros(int t)       { (void)t; return 0; }
static double step_up(int t)     { return t < 200 ? 100 : 900; }
static double step_down(int t)   { return t < 200 ? 900 : 100; }
static double ramp(int t)        { return 10.0 * t; }
static double ramp_noisy(int t)  { return 1000 + 10.0 * t + 20 * noise(); }
static double noisy(int t)       { (void)t; return 1000 + 100 * noise(); }
static double daily(int t)       { return day(t) + 30 * noise(); }
static double daily_growing(int t) { return day(t) + 2.0 * t + 20 * noise(); }
static double daily_gaps(int t)  { return t % 11 == 0 || (t > 500 && t < 520) ? NAN : day(t); }
static double weekly(int t)
{
    return t / DAY % 7 < 5 ? day(t) + 20 * noise() : 200 + 10 * noise();
}
static double spike(int t)       { return t == 150 ? 50000 : 1000 + 10 * noise(); }
static double rubbish(int t)     { return t % 3 == 0 ? INFINITY : t % 3 == 1 ? -5 : 10; }

static const struct series {
    const char *name;
    double (*value)(int t);
    int      steps;
    double   error_max;  /* mean error a horizon ahead, at the end */
    double   within_min; /* of the values that lie in the interval */
    unsigned period;     /* that it must have found; 0: no matter */
} all_series[] = {
    { "constant", constant, 100, 0.0001, 0.99, 0 },
    { "zeros", zeros, 100, 0, 0.99, 0 },
    { "a step up, long ago", step_up, 400, 0.05, 0.9, 0 },
    { "a step down, long ago", step_down, 400, 0.20, 0.9, 0 },
    { "a ramp", ramp, 300, 0.01, 0.8, 0 },
    { "a ramp with noise", ramp_noisy, 400, 0.02, 0.7, 0 },
    { "noise", noisy, 400, 0.12, 0.8, 0 },
    { "days", daily, 5 * DAY, 0.10, 0.75, DAY },
    { "days that grow", daily_growing, 6 * DAY, 0.10, 0.7, DAY },
    { "days with gaps", daily_gaps, 7 * DAY, 0.10, 0.75, DAY },
    { "weeks", weekly, 4 * WEEK, 0.15, 0.7, WEEK },
    { "a spike", spike, 400, 0.05, 0.8, 0 },
    { "rubbish", rubbish, 300, 2, 0.5, 0 },
};

static struct forecast *
made(void)
{
    static const unsigned periods[] = { DAY, WEEK };

    seed = 42;
    return forecast_new(HORIZON, periods, 2);
}

static void
test_series(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(all_series); i++) {
        const struct series *s = &all_series[i];
        struct forecast     *f = made();
        struct forecast_view v;

        for (int t = 0; t < s->steps; t++)
            forecast_add(f, s->value(t));
        forecast_view(f, &v);
        if (!v.ready || v.error > s->error_max || v.within < s->within_min ||
            (s->period && v.period != s->period))
            fail_msg("%s: ready %d error %g within %g period %u", s->name, v.ready, v.error,
                     v.within, v.period);
        assert_true(isfinite(v.peak.value) && v.peak.low <= v.peak.value &&
                    v.peak.value <= v.peak.high && v.peak.low >= 0);
        assert_true(v.peak_in >= 1 && v.peak_in <= HORIZON);
        forecast_free(f);
    }
}

/* What a ramp or a morning comes to is known before it is there. */
static void
test_ahead(void **state)
{
    struct forecast      *f = made();
    struct forecast_point p;

    (void)state;
    for (int t = 0; t < 300; t++)
        forecast_add(f, ramp(t));
    assert_true(forecast_at(f, HORIZON, &p));
    assert_true(fabs(p.value - ramp(299 + HORIZON)) < 10);
    assert_false(forecast_at(f, HORIZON + 1, &p));
    assert_false(forecast_at(f, 0, &p));
    assert_int_equal(forecast_reach(f, ramp(299) + 500, 1000) / 5, 10);
    assert_int_equal(forecast_reach(f, ramp(299) + 500, 20), 0);
    assert_int_equal(forecast_reach(f, ramp(100), 1000), 0);
    forecast_free(f);

    f = made();
    for (int t = 0; t < 4 * DAY + DAY / 4; t++) /* in the middle of the fifth morning */
        forecast_add(f, day(t));
    assert_true(forecast_at(f, HORIZON, &p));
    assert_true(fabs(p.value / day(DAY / 4 + HORIZON - 1) - 1) < 0.05);
    assert_true(p.value > 1.2 * day(DAY / 4 - 1));
    forecast_free(f);
}

/* A season beats the last value, or it would not be worth its memory. */
static void
test_better_than_naive(void **state)
{
    struct forecast     *f = made();
    struct forecast_view v;
    double               naive = 0, size = 0, before[HORIZON] = { 0 };

    (void)state;
    for (int t = 0; t < 8 * DAY; t++) {
        double y = daily(t);

        if (t > 7 * DAY) {
            naive += fabs(y - before[t % HORIZON]);
            size += y;
        }
        before[t % HORIZON] = y;
        forecast_add(f, y);
    }
    forecast_view(f, &v);
    assert_true(v.error < 0.5 * naive / size);
    forecast_free(f);
}

/* A load that was really there, up, level and down: forecasts of every moment are better than to
 * say that it stays, and their intervals hold. */
static void
test_recorded(void **state)
{
    struct forecast      *f = made();
    struct forecast_point before[HORIZON] = { 0 };
    double                error = 0, naive = 0;
    int                   within = 0, judged = 0;

    (void)state;
    for (int t = 0; t < (int)countof(recorded_demo); t++) {
        struct forecast_point *p = &before[t % HORIZON];
        double                 y = recorded_demo[t];

        if (p->high > 0) {
            error += fabs(y - p->value);
            naive += fabs(y - recorded_demo[t - HORIZON]);
            within += y >= p->low && y <= p->high;
            judged++;
        }
        *p = (struct forecast_point){ 0 };
        forecast_add(f, y);
        if (!forecast_at(f, HORIZON, p))
            *p = (struct forecast_point){ 0 };
    }
    if (judged < 100 || error > 0.9 * naive || within < judged * 6 / 10)
        fail_msg("%d judged, error %g of %g, %d within", judged, error, naive, within);
    forecast_free(f);
}

static void
test_too_little(void **state)
{
    struct forecast      *f = made();
    struct forecast_view  v;
    struct forecast_point p;

    (void)state;
    forecast_view(f, &v);
    assert_false(v.ready);
    assert_false(forecast_at(f, 1, &p));
    for (int t = 0; t < HORIZON; t++)
        forecast_add(f, 7);
    assert_false(forecast_at(f, 1, &p));
    for (int t = 0; t < 100; t++)
        forecast_add(f, NAN);
    forecast_view(f, &v);
    assert_false(v.ready);
    assert_int_equal(forecast_reach(f, 100, 100), 0);
    forecast_free(f);
    forecast_free(NULL);
}

/* After a step it is found out soon, and until then it is not sure. */
static void
test_step_is_learnt(void **state)
{
    struct forecast      *f = made();
    struct forecast_point p;

    (void)state;
    for (int t = 0; t < 200; t++)
        forecast_add(f, step_up(t));
    assert_true(forecast_at(f, 1, &p) && fabs(p.value - 100) < 1);
    for (int t = 200; t < 206; t++)
        forecast_add(f, step_up(t));
    assert_true(forecast_at(f, 1, &p) && fabs(p.value - 900) < 90 && p.high - p.low > 100);
    forecast_free(f);
}

/* Half of the load is elsewhere: half of everything is foretold, as surely as before. */
static void
test_parts(void **state)
{
    struct forecast     *f = made(), *half;
    struct forecast_view a, b;

    (void)state;
    for (int t = 0; t < 4 * DAY; t++)
        forecast_add(f, daily(t));
    half = forecast_copy(f);
    forecast_scale(half, 0.5);
    forecast_view(f, &a);
    forecast_view(half, &b);
    assert_true(fabs(b.peak.value - a.peak.value / 2) < 1e-3 * a.peak.value);
    assert_true(fabs(b.error - a.error) < 1e-6 && b.period == a.period);
    for (int t = 4 * DAY; t < 5 * DAY; t++) {
        double y = daily(t);

        forecast_add(f, y);
        forecast_add(half, y / 2);
    }
    forecast_view(f, &a);
    forecast_view(half, &b);
    assert_true(b.period == DAY && b.error < 0.10);
    assert_true(fabs(b.peak.value - a.peak.value / 2) < 0.01 * a.peak.value);
    forecast_free(f);
    forecast_free(half);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_better_than_naive),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_too_little),
        cmocka_unit_test(test_step_is_learnt),
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
