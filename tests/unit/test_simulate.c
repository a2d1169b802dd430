/* test_simulate.c - traces of load, and what the scaler makes of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "ctl/scale/simulate.h"
#include "tests/unit/recorded.h"

static json_t *
run(const char *shape, unsigned shards, double hours, unsigned every_s, double mean,
    const struct scale_settings *s)
{
    struct simulate_options o = { 0 };
    struct trace            t;
    struct err              err;
    json_t                 *out;

    if (!trace_generate(&t, shape, shards, hours, every_s, mean, 7, &err))
        fail_msg("%s", err.text);
    out = simulate_run(&t, s, &o);
    trace_free(&t);
    return out;
}

static int
whole(const json_t *o, const char *key)
{
    return (int)json_integer_value(json_object_get(o, key));
}

static int
shards(const json_t *o, const char *key)
{
    return whole(json_object_get(o, "shards"), key);
}

static double
real(const json_t *o, const char *key)
{
    return json_real_value(json_object_get(o, key));
}

static struct scale_settings
usual(void)
{
    struct scale_settings s;

    settings_default(&s);
    s.hot_n = 3, s.hot_of = 5, s.cold_n = 20, s.cold_of = 24;
    s.max_shards = 64;
    return s;
}

/* Moves with the same shard are at least a cooldown apart. */
static void
check_cooldown(const json_t *out, double cooldown_s)
{
    json_t *all = json_object_get(out, "decisions"), *a, *b;
    size_t  i, k;

    json_array_foreach(all, i, a) {
        const char *names[2] = { json_string_value(json_object_get(a, "shard")),
                                 json_string_value(json_object_get(a, "other")) };

        if (strcmp(json_string_value(json_object_get(a, "held")), "") != 0 ||
            strcmp(json_string_value(json_object_get(a, "action")), "hint") == 0)
            continue;
        for (k = i + 1; k < json_array_size(all); k++) {
            double after;

            b     = json_array_get(all, k);
            after = whole(b, "time") - whole(a, "time");
            if (strcmp(json_string_value(json_object_get(b, "held")), "") != 0 ||
                strcmp(json_string_value(json_object_get(b, "action")), "hint") == 0)
                continue;
            for (int n = 0; n < 2; n++) {
                const char *one = json_string_value(json_object_get(b, n ? "other" : "shard"));

                if (one && after < cooldown_s &&
                    (strcmp(one, names[0]) == 0 || (names[1] && strcmp(one, names[1]) == 0)))
                    fail_msg("%s moves twice within %g s", one, after);
            }
        }
    }
}

static void
test_growth(void **state)
{
    struct scale_settings s   = usual();
    json_t               *out = run("growth", 1, 48, 60, 20000, &s);

    (void)state;
    assert_true(whole(out, "splits") >= 2 && whole(out, "merges") == 0);
    assert_true(shards(out, "last") >= 3 && shards(out, "first") == 1);
    assert_true(real(out, "hot") < 0.5 * real(out, "hot_before"));
    check_cooldown(out, s.cooldown_s);
    json_decref(out);
}

/* Days: it grows and shrinks, and forecasts make it be there before. */
static void
test_daily(void **state)
{
    struct scale_settings s   = usual();
    json_t               *out, *blind;

    (void)state;
    s.forecast_error = 0;
    blind            = run("daily", 2, 24 * 7, 300, 8000, &s);
    s.forecast_error = 20;
    out              = run("daily", 2, 24 * 7, 300, 8000, &s);
    assert_true(whole(out, "splits") >= 2 && whole(out, "merges") >= 1);
    assert_true(real(out, "hot") <= real(blind, "hot"));
    assert_true(real(out, "hot") < 0.5 * real(out, "hot_before"));
    assert_true(real(out, "forecast_error") < 0.2);
    check_cooldown(out, s.cooldown_s);
    json_decref(out);
    json_decref(blind);
}

/* Nothing is done more often than the cooldown allows, however the load jumps. */
static void
test_flapping(void **state)
{
    static const double cooldowns[] = { 600, 1800, 7200 };

    (void)state;
    for (size_t i = 0; i < countof(cooldowns); i++) {
        struct scale_settings s = usual();
        json_t               *out;
        int                   moves;

        s.cooldown_s    = cooldowns[i];
        s.hot_n         = 1;
        s.hot_of        = 1;
        s.cold_n        = 2;
        s.cold_of       = 2;
        s.moves_per_day = 10000;
        out   = run("flapping", 4, 24, 10, 8000, &s);
        moves = whole(out, "splits") + whole(out, "merges");
        check_cooldown(out, s.cooldown_s);
        assert_true(moves <= 24 * 3600 / s.cooldown_s * shards(out, "most"));
        assert_true(moves > 0);
        json_decref(out);
    }
    struct scale_settings s   = usual();
    json_t               *out = run("flapping", 4, 24, 10, 8000, &s);

    s.moves_per_day = 3;
    json_decref(out);
    out = run("flapping", 4, 23, 10, 8000, &s);
    assert_true(whole(out, "splits") + whole(out, "merges") <= 3);
    json_decref(out);
}

/* Many shards with one day and few moves: what is merged at night does not take from what has to be
 * split in the morning, and day by day less is hot. */
static void
test_budget(void **state)
{
    struct scale_settings s = usual();
    json_t               *out;

    (void)state;
    s.max_shards    = 100;
    s.moves_per_day = 24;
    out = run("daily", 50, 72, 60, 8000, &s);
    assert_true(whole(out, "merges") > 0);
    assert_true(whole(out, "splits") > 2 * whole(out, "merges"));
    assert_true(real(out, "hot") < 0.65 * real(out, "hot_before"));
    json_decref(out);
}

/* What `make demo` recorded, 20 times as much and a minute for each second: it grows, and it
 * shrinks again. */
static void
test_recorded(void **state)
{
    struct scale_settings   s = usual();
    struct simulate_options o = { 0 };
    struct trace            t;
    struct err              err  = { "" };
    char                   *text = NULL;
    size_t                  size = 0;
    FILE                   *f    = open_memstream(&text, &size);
    json_t                 *out;

    (void)state;
    fprintf(f, "time shard statements\n");
    for (size_t i = 0; i < countof(recorded_demo); i++)
        fprintf(f, "%zu a %d\n", 60 * i, 20 * recorded_demo[i]);
    fclose(f);
    f = fmemopen(text, size, "r");
    if (!trace_read(&t, f, "recorded", &err))
        fail_msg("%s", err.text);
    fclose(f);
    free(text);
    s.cooldown_s = 600;
    s.cold_n = 8, s.cold_of = 10;
    out = simulate_run(&t, &s, &o);
    trace_free(&t);
    assert_int_equal(whole(out, "splits"), shards(out, "most") - 1);
    assert_true(shards(out, "most") >= 2 && shards(out, "most") <= 4);
    assert_int_equal(shards(out, "last"), 1);
    assert_int_equal(whole(out, "merges"), whole(out, "splits"));
    assert_true(real(out, "hot") < 0.6 * real(out, "hot_before"));
    check_cooldown(out, s.cooldown_s);
    json_decref(out);
}

static void
test_calm(void **state)
{
    struct scale_settings s   = usual();
    json_t               *out = run("noise", 4, 24, 60, 3000, &s);

    (void)state;
    assert_int_equal(whole(out, "splits"), 0);
    json_decref(out);
    out = run("key", 2, 6, 60, 8000, &s);
    assert_int_equal(whole(out, "splits"), 0);
    assert_true(whole(out, "hints") >= 2);
    json_decref(out);
    out = run("idle", 5, 24, 60, 3000, &s);
    assert_int_equal(shards(out, "last"), 1);
    json_decref(out);
}

/* A thousand shards for half a day, in seconds. */
static void
test_thousand(void **state)
{
    struct scale_settings s = usual();
    clock_t               began = clock();
    json_t               *out;

    (void)state;
    s.max_shards    = 1024;
    s.moves_per_day = 100;
    s.max_moves     = 4;
    out = run("daily", 1000, 12, 300, 6000, &s);
    assert_int_equal(shards(out, "first"), 1000);
    assert_true(whole(out, "splits") > 0 && shards(out, "most") <= 1024);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 60);
    json_decref(out);
}

static const struct {
    const char *text;
    const char *error; /* NULL: it is fine */
} texts[] = {
    { "time shard statements\n1 a 5\n1 b -\n2 a 6\n", NULL },
    { "# words\n\ntime,shard,statements,other\n1,a,5,x\n", NULL },
    { "time\tshard\r\n1\ta\r\n", NULL },
    { "", "no measurements" },
    { "time shard statements\n", "no measurements" },
    { "shard statements\n", "line 1" },
    { "time shard statements\n1 a\n", "fewer values" },
    { "time shard statements\n1 a 5 6\n", "more values" },
    { "time shard statements\n1 a x\n", "no number" },
    { "time shard statements\n1 a -5\n", "no number" },
    { "time shard statements\n1 a nan\n", "no number" },
    { "time shard statements\nx a 5\n", "no time" },
    { "time shard statements\n2 a 5\n1 a 5\n", "line 3: the time goes back" },
};

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(texts); i++) {
        struct trace t;
        struct err   err = { "" };
        char         copy[200];
        FILE        *in;
        bool         ok;

        snprintf(copy, sizeof(copy), "%s ", texts[i].text);
        in = fmemopen(copy, strlen(copy) - 1 + (texts[i].text[0] == '\0'), "r");
        ok = trace_read(&t, in, "x", &err);
        if (ok != !texts[i].error || (texts[i].error && !strstr(err.text, texts[i].error)))
            fail_msg("%zu: %d %s", i, ok, err.text);
        trace_free(&t);
        fclose(in);
    }
}

/* What is written reads as what it was. */
static void
test_round(void **state)
{
    struct trace a, b;
    struct err   err;
    char        *text = NULL;
    size_t       size = 0;
    FILE        *f    = open_memstream(&text, &size);

    (void)state;
    assert_true(trace_generate(&a, "weekly", 3, 2, 60, 1000, 1, &err));
    trace_write(f, &a);
    fclose(f);
    f = fmemopen(text, size, "r");
    assert_true(trace_read(&b, f, "x", &err));
    fclose(f);
    assert_int_equal(a.n, b.n);
    assert_int_equal(b.n_shards, 3);
    for (size_t i = 0; i < a.n; i++)
        for (int k = 0; k < TRACE_VALUES_N; k++) {
            double x = (double)a.point[i].value[k], y = (double)b.point[i].value[k];

            assert_true((isnan(x) && isnan(y)) || fabs(x - y) <= 1e-5 * x);
        }
    trace_free(&a);
    trace_free(&b);
    free(text);
    assert_false(trace_generate(&a, "square", 3, 2, 60, 1000, 1, &err));
    assert_false(trace_generate(&a, "daily", 1001, 2, 60, 1000, 1, &err));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),   cmocka_unit_test(test_daily),
        cmocka_unit_test(test_flapping), cmocka_unit_test(test_calm),
        cmocka_unit_test(test_thousand), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_round),    cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
