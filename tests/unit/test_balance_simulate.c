/* test_balance_simulate.c - fifty servers as recorded, and who is best at choosing one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/balance_sim.h"

/* Each is run once. */
static const struct sim_result *
run(enum sim_story_name story, enum sim_policy policy)
{
    static struct sim_result seen[STORIES][SIM_POLICIES];

    if (seen[story][policy].n == 0)
        seen[story][policy] = sim_run(&sim_stories[story], policy, 7);
    return &seen[story][policy];
}

enum figure { P99, P999, ERRORS, LATE };

static double
figure_of(const struct sim_result *r, enum figure figure)
{
    switch (figure) {
    case P99:    return r->p99_us;
    case P999:   return r->p999_us;
    case ERRORS: return r->errors;
    case LATE:   return r->late;
    }
    abort();
}

/* `better` has at most so much of what `worse` has. */
static const struct order {
    enum sim_story_name story;
    enum sim_policy     better, worse;
    enum figure         figure;
    double              most;
} orders[] = {
    { STORY_WELL, SIM_PICK, SIM_ROUND_ROBIN, P99, 0.8 },
    { STORY_WELL, SIM_PICK, SIM_LEAST, P99, 1.1 },
    { STORY_TROUBLES, SIM_PICK, SIM_ROUND_ROBIN, P99, 0.01 },
    { STORY_TROUBLES, SIM_PICK, SIM_LEAST, P999, 0.7 },
    { STORY_THROTTLED, SIM_PICK, SIM_RANDOM, P99, 0.01 },
    { STORY_THROTTLED, SIM_PICK, SIM_LEAST, LATE, 0.5 },
    { STORY_FAILING, SIM_PICK, SIM_LEAST, ERRORS, 0.05 },
    { STORY_FAILING, SIM_PICK, SIM_ROUND_ROBIN, ERRORS, 0.05 },
    { STORY_PARTLY, SIM_PICK, SIM_ROUND_ROBIN, ERRORS, 0.3 },
    { STORY_CRASH, SIM_PICK, SIM_ROUND_ROBIN, P99, 0.01 },
    { STORY_CRASH, SIM_PICK, SIM_LEAST, ERRORS, 0.05 },
    { STORY_DEPLOY, SIM_PICK, SIM_LEAST, ERRORS, 0.05 },
    { STORY_MANY, SIM_PICK, SIM_ROUND_ROBIN, P99, 0.1 },
    { STORY_MANY, SIM_PICK, SIM_LEAST, LATE, 0.7 },
};

static void
test_orders(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < countof(orders); i++) {
        const struct order      *o      = &orders[i];
        const struct sim_result *better = run(o->story, o->better);
        const struct sim_result *worse  = run(o->story, o->worse);
        if (figure_of(better, o->figure) <= o->most * figure_of(worse, o->figure))
            continue;
        failed++;
        printf("%s: %s has %.0f, %s %.0f\n", sim_stories[o->story].name,
               sim_policy_names[o->better], figure_of(better, o->figure),
               sim_policy_names[o->worse], figure_of(worse, o->figure));
    }
    assert_int_equal(failed, 0);
}

/* Nobody is left out, nobody gets it all. */
static void
test_shares(void **state)
{
    const struct sim_result *picked = run(STORY_WELL, SIM_PICK);

    (void)state;
    for (int i = 0; i < SIM_SERVERS; i++)
        assert_in_range(picked->share[i], picked->n / SIM_SERVERS / 4, picked->n / SIM_SERVERS * 4);
}

/* Nobody runs all together to those that are back. */
static void
test_no_herd(void **state)
{
    const struct sim_result *picked = run(STORY_DEPLOY, SIM_PICK);

    (void)state;
    assert_true(picked->worst_turn < 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_no_herd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
