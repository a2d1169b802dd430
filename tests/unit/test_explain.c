/* test_explain.c - plans as trees: lines for people, JSON for programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/route/explain.h"
#include "tests/unit/plan_world.h"

static const struct {
    const char *sql, *json;
} cases[] = {
    { "SELECT * FROM users WHERE id = 5",
      "{\"step\":\"one\",\"why\":\"the key is given\",\"key\":[\"app.users.id\"],"
      "\"shards\":[\"s0\"]}" },
    { "SELECT * FROM users WHERE id = ?",
      "{\"step\":\"scatter\",\"why\":\"the keys are given\",\"key\":[\"app.users.id\"],"
      "\"shards\":\"the values of ? decide\",\"text\":\"SELECT * FROM users WHERE id = ?\","
      "\"steps\":[{\"step\":\"merge\",\"why\":\"rows are sent as they come\"}]}" },
    { "SELECT name, COUNT(*) FROM users GROUP BY name HAVING COUNT(*) > 1 LIMIT 3",
      "{\"step\":\"scatter\",\"why\":\"no key is given\",\"shards\":[\"s0\",\"s1\",\"s2\"],"
      "\"text\":\"SELECT name, COUNT(*), WEIGHT_STRING(name) FROM users GROUP BY name ORDER "
      "BY NULL\",\"steps\":[{\"step\":\"merge\",\"why\":\"groups span shards: each shard groups "
      "its rows, and the parts are added up\",\"aggregates\":[\"count of 2\"],\"group\":[\"1\"],"
      "\"order\":[\"1\"],\"steps\":[{\"step\":\"having\",\"why\":\"it is about groups, which are "
      "whole here only\"},{\"step\":\"limit\",\"why\":\"of the groups that are whole\"}]}]}" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age WHERE o.user_id = 7",
      "{\"step\":\"gather\",\"why\":\"the sharded table 'orders' is combined with tables that are "
      "not on every shard; make those reference tables, or give the key\",\"steps\":"
      "[{\"step\":\"engine\",\"why\":\"the statement runs on copies of the rows\","
      "\"steps\":[{\"step\":\"fetch\",\"why\":\"conditions on this table alone are "
      "looked at by its shards\",\"table\":\"app.orders\",\"key\":[\"app.orders.user_id\"],"
      "\"shards\":[\"s0\"],\"because\":\"the key is given\",\"columns\":[\"user_id\",\"amount\"],"
      "\"keys\":[\"amount\"],\"text\":\"SELECT ... FROM `app`.`orders` WHERE (`user_id` = 7)\"},"
      "{\"step\":\"fetch\",\"why\":\"rows matter beside those of another table only\","
      "\"table\":\"app.users\",\"shards\":[\"s0\",\"s1\",\"s2\"],\"because\":"
      "\"no key is given\",\"columns\":[\"id\",\"age\"],\"keys\":[\"age\"],\"text\":\"SELECT ... "
      "FROM `app`.`users`\",\"steps\":[{\"step\":\"values\",\"why\":\"rows with other values "
      "meet none of that table: asked when it is here, by a list, unless that is too long\","
      "\"column\":\"age\",\"of\":\"app.orders.amount\"}]}]}]}" },
    { "INSERT INTO items VALUES (1, 1, 1), (2, 1, 1)",
      "{\"step\":\"insert\",\"why\":\"each row goes to the owner of its key\",\"rows\":2,"
      "\"shards\":[\"s1\",\"s2\"]}" },
    { "CREATE SOMETHING users",
      "{\"step\":\"refuse\",\"why\":\"shardd: this statement is not understood near 'SOMETHING "
      "users', and it names the sharded table 'users'\",\"error\":1235}" },
};

static void
explained(const char *sql, struct buf *json)
{
    struct arena        arena   = { 0 };
    struct digest       digest  = { 0 };
    struct plan_context context = { .routes = &world, .schema = SPAN("app"), .collation = 45 };
    struct plan         plan    = { 0 };
    struct plan_values  values;

    assert_true(explain_plan(&arena, &context, span_of(sql), &digest, &plan, &values));
    explain_json(explain_make(&arena, &plan, &world, &values), json);
    digest_fini(&digest);
    arena_fini(&arena);
}

static void
test_json(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct buf json = { 0 };
        explained(cases[i].sql, &json);
        if (strcmp(buf_cstr(&json), cases[i].json) != 0) {
            print_error("%s\n     is %s\n    not %s\n", cases[i].sql, buf_cstr(&json),
                        cases[i].json);
            wrong++;
        }
        buf_fini(&json);
    }
    assert_int_equal(wrong, 0);
}

static void
test_nothing(void **state)
{
    struct arena        arena   = { 0 };
    struct digest       digest  = { 0 };
    struct plan_context context = { .routes = &world, .schema = SPAN("app") };
    struct plan         plan    = { 0 };
    struct plan_values  values;

    (void)state;
    assert_false(explain_plan(&arena, &context, SPAN(" /* nothing */ "), &digest, &plan,
                              &values));
    digest_fini(&digest);
    arena_fini(&arena);
}

static int
set_up(void **state)
{
    (void)state;
    world_init();
    world.n_engines = 1;
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
