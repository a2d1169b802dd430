/* test_change_case.c - rows with values of their own in one UPDATE, and those that may not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/route/change_case.h"

struct group {
    const char *tuples, *a, *b;
    uint32_t    n;
};

static const struct {
    const char       *name;
    enum column_type  a, b;
    struct group      groups[4];
    uint32_t          taken; /* of the groups */
    const char       *set;
} cases[] = {
    { "numbers", COLUMN_INT, COLUMN_INT, { { "1", "5", "7", 1 }, { "2,3", "-6", "7", 2 } }, 2,
      " SET `a`=CASE WHEN `id` IN (1) THEN 5 WHEN `id` IN (2,3) THEN -6 END,`b`=7" },
    { "NULL goes with all", COLUMN_VARCHAR, COLUMN_DATE,
      { { "1", "NULL", "'2020-01-01'", 1 }, { "2", "'x'", "NULL", 1 }, { "3", "'y'", "NULL", 1 } },
      3,
      " SET `a`=CASE WHEN `id` IN (1) THEN NULL WHEN `id` IN (2) THEN 'x' WHEN `id` IN (3) THEN "
      "'y' END,`b`=CASE WHEN `id` IN (1) THEN '2020-01-01' WHEN `id` IN (2) THEN NULL WHEN `id` "
      "IN (3) THEN NULL END" },
    { "text of two kinds", COLUMN_VARCHAR, COLUMN_INT,
      { { "1", "'x'", "1", 1 }, { "2", "_utf8mb4 x'c3bc'", "1", 1 } }, 1,
      " SET `a`='x',`b`=1" },
    { "exact and not", COLUMN_DOUBLE, COLUMN_INT,
      { { "1", "1e0", "1", 1 }, { "2", "2.5", "1", 1 } }, 1, " SET `a`=1e0,`b`=1" },
    { "ENUM is not mixed", COLUMN_ENUM, COLUMN_INT,
      { { "1", "'x'", "1", 1 }, { "2", "'x'", "2", 1 }, { "3", "'y'", "3", 1 } }, 2,
      " SET `a`='x',`b`=CASE WHEN `id` IN (1) THEN 1 WHEN `id` IN (2) THEN 2 END" },
    { "a moment is not mixed", COLUMN_TIMESTAMP, COLUMN_INT,
      { { "1", "FROM_UNIXTIME(5)", "1", 1 }, { "2", "FROM_UNIXTIME(6)", "1", 1 } }, 1,
      " SET `a`=FROM_UNIXTIME(5),`b`=1" },
    { "bytes", COLUMN_BLOB, COLUMN_DECIMAL,
      { { "1", "x'00'", "1.50", 1 }, { "2", "x''", "-2.00", 1 } }, 2,
      " SET `a`=CASE WHEN `id` IN (1) THEN x'00' WHEN `id` IN (2) THEN x'' END,`b`=CASE WHEN `id` "
      "IN (1) THEN 1.50 WHEN `id` IN (2) THEN -2.00 END" },
};

static void
test_cases(void **state)
{
    (void)state;
    struct change_cases c = { 0 };
    for (size_t i = 0; i < countof(cases); i++) {
        struct case_value values[2] = { { .type = cases[i].a, .name = SPAN("`a`") },
                                        { .type = cases[i].b, .name = SPAN("`b`") } };
        struct buf        out   = { 0 };
        uint32_t          taken = 0, rows = 0;
        change_cases_clear(&c);
        for (; taken < 4 && cases[i].groups[taken].tuples != NULL; taken++) {
            const struct group *g = &cases[i].groups[taken];
            values[0].literal     = span_of(g->a);
            values[1].literal     = span_of(g->b);
            if (!change_cases_add(&c, values, 2, SPAN("`id`"), (struct span){ 0 },
                                  span_of(g->tuples), g->n))
                break;
            rows += g->n;
        }
        change_cases_set(&c, values, &out);
        if (taken != cases[i].taken || strcmp(buf_cstr(&out), cases[i].set) != 0)
            fail_msg("%s: %u taken, %s", cases[i].name, taken, buf_cstr(&out));
        assert_int_equal(c.n_rows, rows);
        buf_fini(&out);
    }
    change_cases_fini(&c);
}

static void
test_keys(void **state)
{
    (void)state;
    struct change_cases c     = { 0 };
    struct case_value   value = { COLUMN_INT, SPAN("`v`"), SPAN("1") };
    assert_true(change_cases_add(&c, &value, 1, SPAN("(`g`,`l`)"), SPAN("1,2"),
                                 SPAN("(1,1),(2,1)"), 2));
    value.literal = SPAN("2");
    assert_true(change_cases_add(&c, &value, 1, SPAN("(`g`,`l`)"), SPAN("3"), SPAN("(3,1)"), 1));
    assert_string_equal(buf_cstr(&c.keys), "1,2,3");
    assert_string_equal(buf_cstr(&c.tuples), "(1,1),(2,1),(3,1)");
    assert_int_equal(c.n_rows, 3);
    change_cases_fini(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
