/* plan_cases.h - statements and the words of their plans in the world of plan_world.h. */
#ifndef TESTS_UNIT_PLAN_CASES_H
#define TESTS_UNIT_PLAN_CASES_H

#include "tests/unit/plan_world.h"

/* A statement, and what plan_describe() says of its plan. */
struct plan_case {
    const char *sql, *plan;
};

/* All are told that differ. */
static inline void
plans_are(const struct plan_case *cases, size_t n)
{
    size_t wrong = 0;

    for (size_t i = 0; i < n; i++) {
        struct planned c;
        struct buf     words = { 0 };
        planned_make(&c, cases[i].sql, "app", false);
        plan_describe(&c.plan, &world, &words);
        if (strcmp(buf_cstr(&words), cases[i].plan) != 0) {
            print_error("%s\n     is %s\n    not %s\n", cases[i].sql, buf_cstr(&words),
                        cases[i].plan);
            wrong++;
        }
        buf_fini(&words);
        planned_fini(&c);
    }
    assert_int_equal(wrong, 0);
}

#endif
