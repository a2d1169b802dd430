/* plan_cases.h - statements and the words of their plans in the world of plan_world.h. */
#ifndef TESTS_UNIT_PLAN_CASES_H
#define TESTS_UNIT_PLAN_CASES_H

#include "shm/routes.h"
#include "tests/unit/plan_world.h"

/* A statement, and what plan_describe() says of its plan. */
struct plan_case {
    const char *sql, *plan;
};

/* To be freed. */
static inline struct routes *
world_copy(void)
{
    struct buf     blob = { 0 };
    struct routes *copy;
    struct err     err;

    if (!routes_encode(&world, &blob, &err) || !routes_decode(buf_unread(&blob), &copy, &err))
        fail_msg("%s", err.text);
    buf_fini(&blob);
    return copy;
}

/* All are told that differ. The routes that a plan was made with are gone when it is looked at:
 * so it is when only users have changed. */
static inline void
plans_are(const struct plan_case *cases, size_t n)
{
    size_t wrong = 0;

    for (size_t i = 0; i < n; i++) {
        struct planned c;
        struct buf     words = { 0 };
        struct routes *routes = world_copy();
        planned_in(&c, routes, cases[i].sql, "app", false);
        routes_free(routes);
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

struct plan_cases {
    const struct plan_case *cases;
    size_t                  n;
};

static inline void
plans_test(void **state)
{
    const struct plan_cases *all = *state;

    plans_are(all->cases, all->n);
}

/* What main() returns whose only test they are. */
static inline int
plans_main(const struct plan_case *cases, size_t n)
{
    struct plan_cases       all     = { cases, n };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(plans_test, &all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
