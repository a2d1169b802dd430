/* test_pace.c - limits as words, windows, and how fast a copy may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/base.h"
#include "ctl/move/pace_rule.h"
#include "ctl/move/window.h"

/* --- words ---------------------------------------------------------------------------- */

static const struct { const char *text, *printed; } words[] = {
    { "", "auto,running=4,slower=125,floor=29" },
    { "auto", "auto,running=4,slower=125,floor=29" },
    { "off", "off" },
    { "25000", "auto,running=4,slower=125,floor=29,rows=25000" },
    { "0", "auto,running=4,slower=125,floor=29" },
    { "rows=10,running=9", "auto,running=9,slower=125,floor=29,rows=10" },
    { "slower=200,floor=100", "auto,running=4,slower=200,floor=100" },
    { "off,rows=5K", "off,rows=5000" },
    { "rows=5,off", "off" },
    { "bytes=50MB/s", "auto,running=4,slower=125,floor=29,bytes=50000000" },
    { ",bytes=1.5g", "auto,running=4,slower=125,floor=29,bytes=1500000000" },
    { "slower=100", NULL },
    { "floor=101", NULL },
    { "running=0", NULL },
    { "fast", NULL },
    { "rows=", NULL },
    { "rows=-1", NULL },
    { "bytes=5X", NULL },
    { "walking=4", NULL },
    { "bytes=1e300", NULL },
};

static void
test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(words); i++) {
        struct throttle  t, again;
        struct sql_error error;
        char             text[THROTTLE_TEXT_MAX];

        if (!words[i].printed) {
            assert_false(throttle_parse(words[i].text, &t, &error));
            continue;
        }
        assert_true(throttle_parse(words[i].text, &t, &error));
        assert_string_equal(throttle_print(&t, text), words[i].printed);
        assert_true(throttle_parse(text, &again, &error));
        assert_memory_equal(&t.rows_per_s, &again.rows_per_s, 2 * sizeof(uint64_t));
        assert_int_equal(t.automatic, again.automatic);
    }
}

/* --- windows -------------------------------------------------------------------------- */

enum { H = 3600 };

static const struct { const char *one, *two; unsigned at_s, wait; } windows[] = {
    { "01:00-05:00", NULL, 0, 1 * H },
    { "01:00-05:00", NULL, 1 * H - 1, 1 },
    { "01:00-05:00", NULL, 1 * H, 0 },
    { "01:00-05:00", NULL, 5 * H - 1, 0 },
    { "01:00-05:00", NULL, 5 * H, 20 * H },
    { "22:30-04:00", NULL, 23 * H, 0 },
    { "22:30-04:00", NULL, 3 * H, 0 },
    { "22:30-04:00", NULL, 4 * H, 18 * H + H / 2 },
    { "01:00-02:00", "03:00-04:00", 2 * H, 1 * H },
    { "01:00-02:00", "03:00-04:00", 3 * H + 5, 0 },
    { "00:00-24:00", NULL, 12345, 0 },
    { "01:00-05:00 local", NULL, 1 * H, 1 * H }, /* TZ is an hour behind */
    { "01:00-05:00 local", NULL, 2 * H, 0 },
    { NULL, NULL, 77, 0 },
};

static void
test_windows(void **state)
{
    static const char *const bad[] = { "", "1-5", "25:00-01:00", "01:60-02:00", "01:00-05:00 CET",
                                       "01:00-05:00 UTC x", "01:00", "24:01-03:00" };
    struct window    w;
    struct sql_error error;

    (void)state;
    setenv("TZ", "XXX+1", 1);
    tzset();
    for (size_t i = 0; i < countof(windows); i++) {
        json_t *list = json_array();

        if (windows[i].one)
            json_array_append_new(list, json_string(windows[i].one));
        if (windows[i].two)
            json_array_append_new(list, json_string(windows[i].two));
        assert_int_equal(windows_wait(list, 86400 * 20000 + windows[i].at_s), windows[i].wait);
        json_decref(list);
    }
    for (size_t i = 0; i < countof(bad); i++)
        assert_false(window_parse(bad[i], &w, &error));
}

/* --- how fast ------------------------------------------------------------------------- */

/* One source and one target; what happens between two looks. */
struct moment {
    unsigned ms;        /* since the last look */
    unsigned rows;      /* copied */
    unsigned n, us;     /* statements on the source, and what each took */
    unsigned n_target, us_target;
    unsigned running;   /* on the target */
    bool     hold;      /* what follows */
    unsigned allowed;
};

#define MEASURE(n, us)                                \
    { 0, 0, 0, 0, 0, 0, 0, true, 0 },                 \
    { 100, 0, n, us, n, us, 0, true, 0 },             \
    { 300, 0, n, us, n, us, 0, false, 0 }
#define FULL                                                                           \
    { 500, 9000, 0, 0, 0, 0, 0, false, 0 }, /* into buffers */                         \
    { 500, 5000, 0, 0, 0, 0, 0, false, 0 }

static const struct {
    const char   *name;
    struct moment moment[12];
} stories[] = {
    { "nobody else is there", {
        { 0, 0, 0, 0, 0, 0, 0, true, 0 }, { 100, 0, 0, 0, 0, 0, 0, false, 0 },
        { 500, 5000, 0, 0, 0, 0, 0, false, 0 } } },
    { "statements stay as fast", {
        MEASURE(100, 1000), FULL, { 500, 5000, 100, 1300, 0, 0, 0, false, 0 } } },
    { "a bit slower on the source, then not any more", {
        MEASURE(100, 1000), FULL, { 500, 5000, 100, 1500, 0, 0, 0, false, 7000 },
        { 500, 3500, 100, 1000, 0, 0, 0, false, 8751 },
        { 500, 4300, 100, 1000, 0, 0, 0, false, 0 } } },
    { "much slower on the target", {
        MEASURE(100, 1000), FULL, { 500, 5000, 0, 0, 100, 9000, 0, false, 2901 },
        { 500, 1500, 0, 0, 100, 9000, 0, false, 2901 } } },
    { "never below the floor", {
        MEASURE(100, 1000), FULL, { 500, 5000, 100, 1500, 0, 0, 0, false, 7000 },
        { 500, 3500, 100, 1500, 0, 0, 0, false, 4900 },
        { 500, 2450, 100, 1500, 0, 0, 0, false, 3430 },
        { 500, 1715, 100, 1500, 0, 0, 0, false, 2901 } } },
    { "too few statements say nothing", {
        MEASURE(100, 1000), FULL, { 500, 5000, 19, 9000, 0, 0, 0, false, 0 } } },
    { "a target that is busy with others", {
        { 0, 0, 0, 0, 0, 0, 0, true, 0 }, { 100, 0, 0, 0, 0, 0, 0, false, 0 },
        FULL, { 500, 5000, 0, 0, 0, 0, 5, false, 2901 },
        { 500, 5000, 0, 0, 0, 0, 4, false, 3627 } } },
    { "on a busy server it first gets as fast as it can", {
        MEASURE(100, 1000), { 500, 0, 100, 1000, 0, 0, 9, false, 0 },
        { 500, 500, 100, 5000, 0, 0, 9, false, 0 }, { 500, 5000, 100, 5000, 0, 0, 9, false, 0 },
        { 500, 5000, 100, 5000, 0, 0, 9, false, 2901 } } },
    { "but not for long", {
        MEASURE(100, 1000), { 500, 500, 0, 0, 0, 0, 9, false, 0 },
        { 500, 1000, 0, 0, 0, 0, 9, false, 0 }, { 500, 2000, 0, 0, 0, 0, 9, false, 0 },
        { 500, 4000, 0, 0, 0, 0, 9, false, 1354 } } },
    { "what is the best rate changes while nothing limits it", {
        MEASURE(100, 1000), FULL, { 500, 5000, 100, 1000, 0, 0, 0, false, 0 },
        { 500, 1000, 100, 1000, 0, 0, 0, false, 0 },
        { 500, 1000, 100, 1000, 0, 0, 9, false, 1886 } } },
    { "it rests from time to time, and learns what is normal now", {
        MEASURE(100, 1000), FULL, { 500, 5000, 100, 1000, 0, 0, 0, false, 0 },
        { 30000, 300000, 100, 1000, 0, 0, 0, true, 0 },
        { 200, 0, 100, 1000, 0, 0, 0, true, 0 }, { 300, 0, 100, 3000, 0, 0, 0, false, 0 },
        { 500, 5000, 100, 3500, 0, 0, 0, false, 0 } } },
};

static void
tell(const char *name, size_t i, const char *what, uint64_t is, uint64_t wanted)
{
    if (is != wanted)
        print_error("%s, look %zu: %s is %llu, not %llu\n", name, i, what,
                    (unsigned long long)is, (unsigned long long)wanted);
    assert_int_equal(is, wanted);
}

static void
run_story(size_t k)
{
    struct pace_seen   seen[2]    = { { 0 } };
    struct pace_server servers[2] = { { .name = "s" }, { .name = "t" } };
    struct pace_state  p          = { .seen = seen };
    struct throttle    how;
    struct sql_error   error;
    uint64_t           now = 1000000, rows = 0;

    assert_true(throttle_parse("", &how, &error));
    for (size_t i = 0; i < countof(stories[k].moment); i++) {
        const struct moment *m = &stories[k].moment[i];

        if (i > 0 && m->ms == 0)
            break;
        now += m->ms * 1000ull;
        rows += m->rows;
        servers[0].statements += m->n;
        servers[0].ns += (uint64_t)m->n * m->us * 1000;
        servers[1].statements += m->n_target;
        servers[1].ns += (uint64_t)m->n_target * m->us_target * 1000;
        servers[1].running = m->running;
        pace_look(&p, &how, servers, 2, rows, now);
        tell(stories[k].name, i, "hold", p.hold, m->hold);
        tell(stories[k].name, i, "allowed", p.allowed, m->allowed);
        assert_int_equal(p.allowed > 0, p.reason[0] != '\0');
    }
}

static void
test_stories(void **state)
{
    (void)state;
    for (size_t k = 0; k < countof(stories); k++)
        run_story(k);
}

static void
test_off(void **state)
{
    struct pace_seen   seen[1] = { { 0 } };
    struct pace_server busy    = { .name = "s", .running = 99 };
    struct pace_state  p       = { .seen = seen };
    struct throttle    how;
    struct sql_error   error;

    (void)state;
    assert_true(throttle_parse("off", &how, &error));
    for (unsigned i = 1; i < 5; i++) {
        pace_look(&p, &how, &busy, 1, i * 1000, i * 500000);
        assert_false(p.hold);
        assert_int_equal(p.allowed, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
