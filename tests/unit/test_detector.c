/* test_detector.c - when a shard is hot, when it is cold, and when it is neither. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/scale/detector.h"

static const struct detector_rules rules = {
    .limit = { [METRIC_STATEMENTS] = 100, [METRIC_CPU] = 0.8, [METRIC_MEMORY] = 0.8,
               [METRIC_LATENCY] = 0.1 },
    .clear = 0.8, .cold = 0.25, .hot_n = 3, .hot_of = 5, .cold_n = 4, .cold_of = 6,
};

static void
add(struct detector *d, double statements)
{
    double value[METRICS_N];

    for (int m = 0; m < METRICS_N; m++)
        value[m] = NAN;
    value[METRIC_STATEMENTS] = statements;
    detector_add(d, &rules, value);
}

/* A letter a measurement, in digits of 10 statements/s ('-': not measured, '*': 150 a second);
 * below it whether it is hot then (h), cold (c) or neither. */
static const struct {
    const char *name, *load, *state;
} cases[] = {
    { "too short",             "5**555**5",         "........." },
    { "three of five",         "5*5**",             "....h" },
    { "at once",               "***",               "..h" },
    { "neither above nor low", "***9999999999",     "..hhhhhhhhhhh" },
    { "not clear yet",         "***77***77777",     "..hhhhhhhh..." },
    { "clear",                 "***55*5",           "..hhhh." },
    { "hot again",             "***555***",         "..hhh...h" },
    { "not measured",          "***-------",        "..hhhhhhhh" },
    { "gaps count as no",      "*-*--*",            "......" },
    { "cold",                  "0000000",           ".....cc" },
    { "cold with a peak",      "001000100000",      ".....ccccccc" },
    { "cold, but not measured","000---000000",      ".........ccc" },
    { "not so cold",           "0303030",           "......." },
    { "hot shards are not cold", "***000000",       "..hhh.ccc" },
};

static void
test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct detector d = { 0 };

        for (size_t k = 0; cases[i].load[k]; k++) {
            char c = cases[i].load[k], is;

            add(&d, c == '-' ? (double)NAN : c == '*' ? 150 : 10.0 * (c - '0'));
            is = detector_is_hot(&d, METRIC_STATEMENTS) ? 'h'
                 : detector_is_cold(&d, &rules) ? 'c' : '.';
            if (is != cases[i].state[k])
                fail_msg("%s: measurement %zu is %c", cases[i].name, k, is);
        }
    }
}

static void
test_metrics(void **state)
{
    double          value[METRICS_N] = { 120, 0.95, 0.5, 1.0, 1e9, NAN };
    struct detector d = { 0 };

    (void)state;
    assert_int_equal(detector_worst(&d, &rules), METRICS_N);
    for (int i = 0; i < 5; i++)
        detector_add(&d, &rules, value);
    assert_true(detector_is_hot(&d, METRIC_STATEMENTS) && detector_is_hot(&d, METRIC_CPU));
    assert_false(detector_is_hot(&d, METRIC_MEMORY));
    assert_false(detector_is_hot(&d, METRIC_STORAGE)); /* there is no limit for it */
    assert_false(detector_is_hot(&d, METRIC_CONNECTIONS));
    assert_false(detector_is_hot(&d, METRIC_LATENCY));
    assert_int_equal(detector_worst(&d, &rules), METRIC_STATEMENTS);
    assert_int_equal(detector_above(&d, &rules, METRIC_CPU), 5);
    value[METRIC_STATEMENTS] = 0;
    for (int i = 0; i < 5; i++)
        detector_add(&d, &rules, value);
    assert_int_equal(detector_worst(&d, &rules), METRIC_CPU);
    assert_false(detector_is_cold(&d, &rules));
    assert_true(fabs(d.mean[METRIC_CPU] - 0.95) < 1e-9 && isnan(d.mean[METRIC_LATENCY]));
    detector_reset(&d);
    assert_int_equal(detector_worst(&d, &rules), METRICS_N);
}

/* What is stored and held in memory keeps no shard from being cold. */
static void
test_cold_is_about_work(void **state)
{
    double          value[METRICS_N] = { 1, 0.01, 0.95, 0.9, NAN, 0.09 };
    struct detector d = { 0 };

    (void)state;
    for (int m = 0; m < 6; m++) {
        value[METRIC_MEMORY] = 0.7;
        detector_add(&d, &rules, value);
    }
    assert_true(detector_is_cold(&d, &rules));
    d                        = (struct detector){ 0 };
    value[METRIC_STATEMENTS] = NAN; /* an idle CPU is not enough */
    for (int m = 0; m < 10; m++)
        detector_add(&d, &rules, value);
    assert_false(detector_is_cold(&d, &rules));
    d = (struct detector){ 0 };
    for (int m = 0; m < METRICS_N; m++)
        value[m] = NAN;
    for (int m = 0; m < 10; m++)
        detector_add(&d, &rules, value);
    assert_false(detector_is_cold(&d, &rules));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_cold_is_about_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
