/* test_timer.c - the wheel of timers, driven by a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/timer.h"

struct probe {
    struct timer timer;
    uint64_t     fired_at;
    int          fired;
    uint64_t     again_ms; /* start again with this from inside fire() */
    struct probe *stops;
};

static struct timers wheel;
static uint64_t      last_due;

static void
note(struct timer *timer)
{
    struct probe *p = container_of(timer, struct probe, timer);

    assert_false(timer_running(timer));
    assert_true(timer->due_ms <= wheel.now_ms);
    assert_true(timer->due_ms >= last_due);
    last_due    = timer->due_ms;
    p->fired_at = wheel.now_ms;
    p->fired++;
    if (p->stops != NULL)
        timer_stop(&wheel, &p->stops->timer);
    if (p->again_ms > 0)
        timer_start(&wheel, timer, p->again_ms - 1, note);
}

static void
begin(uint64_t now_ms)
{
    timers_init(&wheel, now_ms);
    last_due = 0;
}

/* Sleeps as told until nothing runs; every timer must fire exactly when due. */
static void
run_out(void)
{
    uint64_t now = wheel.now_ms, sleep;

    while ((sleep = timers_sleep_ms(&wheel, now)) != UINT64_MAX) {
        now += sleep;
        timers_expire(&wheel, now);
    }
    assert_int_equal(wheel.count, 0);
}

static void
each_fires_at_its_time(void **state)
{
    (void)state;
    static const uint64_t starts[] = { 0, 1, 63, 64, 4095, 123456789, (1ULL << 36) - 5 };
    static const uint64_t waits[]  = { 0, 1, 2, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097,
                                       30000, 262143, 262144, 3600000, 86400000,
                                       (1ULL << 36) + 17 };

    for (size_t s = 0; s < countof(starts); s++) {
        struct probe probes[countof(waits)] = { 0 };
        begin(starts[s]);
        for (size_t i = countof(waits); i-- > 0;)
            timer_start(&wheel, &probes[i].timer, waits[i], note);
        run_out();
        for (size_t i = 0; i < countof(waits); i++) {
            assert_int_equal(probes[i].fired, 1);
            assert_int_equal(probes[i].fired_at, starts[s] + waits[i]);
        }
    }
}

static void
many_random_timers_fire_in_order(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct probe *probes = mem_alloc(N * sizeof(*probes));

    srandom(1);
    begin(999);
    for (int i = 0; i < N; i++)
        timer_start(&wheel, &probes[i].timer, (uint64_t)random() % 100000, note);
    for (int i = 0; i < N; i += 3)
        timer_stop(&wheel, &probes[i].timer);
    for (uint64_t now = 999; wheel.count > 0; now += (uint64_t)random() % 500)
        timers_expire(&wheel, now);
    for (int i = 0; i < N; i++)
        assert_int_equal(probes[i].fired, i % 3 == 0 ? 0 : 1);
    free(probes);
}

static void
stopping_empties_the_wheel(void **state)
{
    (void)state;
    struct probe a = { 0 }, b = { 0 };

    begin(5);
    timer_stop(&wheel, &a.timer);
    timer_start(&wheel, &a.timer, 100, note);
    timer_start(&wheel, &b.timer, 0, note);
    assert_int_equal(timers_sleep_ms(&wheel, 5), 0);
    timer_stop(&wheel, &b.timer);
    timer_start(&wheel, &a.timer, 70000, note); /* moved, not doubled */
    assert_int_equal(wheel.count, 1);
    timer_stop(&wheel, &a.timer);
    timer_stop(&wheel, &a.timer);
    assert_int_equal(timers_sleep_ms(&wheel, 5), UINT64_MAX);
    timers_expire(&wheel, 1000000);
    assert_int_equal(a.fired + b.fired, 0);
}

static void
fire_may_start_and_stop(void **state)
{
    (void)state;
    struct probe repeating = { .again_ms = 1 }, victim = { 0 }, killer = { .stops = &victim };

    begin(0);
    timer_start(&wheel, &repeating.timer, 0, note); /* again with 0 ms: once per call */
    timer_start(&wheel, &killer.timer, 10, note);
    timer_start(&wheel, &victim.timer, 10, note);
    for (uint64_t now = 0; now < 20; now++)
        timers_expire(&wheel, now);
    assert_int_equal(repeating.fired, 20);
    assert_int_equal(killer.fired, 1);
    assert_int_equal(victim.fired, 0);
}

static void
a_late_call_fires_all_in_order(void **state)
{
    (void)state;
    struct probe probes[100] = { 0 };

    begin(50);
    for (int i = 99; i >= 0; i--)
        timer_start(&wheel, &probes[i].timer, (uint64_t)i * 37, note);
    timers_expire(&wheel, 1000000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(probes[i].fired, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fires_at_its_time),
        cmocka_unit_test(many_random_timers_fire_in_order),
        cmocka_unit_test(stopping_empties_the_wheel),
        cmocka_unit_test(fire_may_start_and_stop),
        cmocka_unit_test(a_late_call_fires_all_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
