/* test_balance_simulate.c - fifty servers, and who is best at choosing one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/balance_sim.h"

static struct sim_result
run(size_t story, enum sim_policy policy)
{
    return sim_run(&sim_stories[story], policy, 7);
}

static void
test_well(void **state)
{
    struct sim_result turns = run(0, SIM_ROUND_ROBIN), picked = run(0, SIM_PICK);

    (void)state;
    assert_true(picked.p99_us <= turns.p99_us * 1.1);
    for (int i = 0; i < SIM_SERVERS; i++) /* nobody is left out, nobody gets it all */
        assert_in_range(picked.share[i], picked.n / SIM_SERVERS / 4, picked.n / SIM_SERVERS * 4);
}

static void
test_slow(void **state)
{
    struct sim_result turns = run(1, SIM_ROUND_ROBIN), chance = run(1, SIM_RANDOM),
                      picked = run(1, SIM_PICK);

    (void)state;
    assert_true(picked.p99_us <= turns.p99_us / 2);
    assert_true(picked.p99_us <= chance.p99_us / 2);
}

/* Who fails at once always has the least to do: without a breaker it gets everything. */
static void
test_failing(void **state)
{
    struct sim_result least = run(2, SIM_LEAST), picked = run(2, SIM_PICK);

    (void)state;
    assert_true(least.errors > 1000);
    assert_true(picked.errors < least.errors / 20);
}

static void
test_back(void **state)
{
    struct sim_result turns = run(3, SIM_ROUND_ROBIN), picked = run(3, SIM_PICK);

    (void)state;
    assert_true(picked.p999_us <= turns.p999_us / 2);
    assert_true(picked.worst_turn < 20); /* nobody runs all together to the one that is back */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
