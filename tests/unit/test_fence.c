/* test_fence.c - which statements wait while rows move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/route/fence.h"
#include "core/route/gather.h"
#include "tests/unit/plan_world.h"

/* User 1 lies in range `at` of s`owner`. */
static uint32_t at, owner;

static uint64_t
hash_of(const char *number)
{
    const struct route_column column = { .name = N("id"), .type = COLUMN_BIGINT };
    struct key_value          value  = { .kind = KEY_VALUE_INT, .bytes = span_of(number) };
    uint64_t                  hash   = 0;

    assert_int_equal(keyhash_compare(&column, &value, &hash), KEY_HASH);
    return hash;
}

/* The first user of another range: on the same shard, or on one that is not fenced. */
static const char *
other_user(bool same_shard, char text[24])
{
    for (unsigned i = 2; i < 1000; i++) {
        snprintf(text, 24, "%u", i);
        uint32_t range = routes_range(&world, hash_of(text));
        bool     same  = world_ranges[range].shard == owner;
        if (range != at && same == same_shard)
            return text;
    }
    fail();
    return NULL;
}

enum { WAITS = 1, PASSES = 0 };

static const struct {
    const char *sql; /* %1: user 1; %2: another one there; %3: one elsewhere */
    int         waits, waits_if_it_stays;
} rows[] = {
    { "SELECT 1",                                              PASSES, WAITS },
    { "SELECT * FROM users WHERE id = %1",                     WAITS,  WAITS },
    { "SELECT * FROM users WHERE id = %2",                     PASSES, WAITS },
    { "SELECT * FROM users WHERE id = %3",                     PASSES, PASSES },
    { "SELECT * FROM users WHERE id IN (%2, %3)",              PASSES, WAITS },
    { "SELECT * FROM users WHERE id IN (%3, %1)",              WAITS,  WAITS },
    { "SELECT * FROM users",                                   WAITS,  WAITS },
    { "SELECT * FROM users WHERE name = 'x'",                  WAITS,  WAITS },
    { "SELECT * FROM users WHERE id = 'x5'",                   WAITS,  WAITS },
    { "SELECT COUNT(*) FROM users u JOIN items i ON i.user_id = u.id WHERE u.id = %1",
                                                               WAITS,  WAITS },
    { "SELECT COUNT(*) FROM users u JOIN items i ON i.user_id = u.id WHERE u.id = %3",
                                                               PASSES, PASSES },
    { "SELECT u.age FROM users u, orders o WHERE u.age = o.amount", WAITS, WAITS },
    { "UPDATE users SET age = 1 WHERE id = %1",                WAITS,  WAITS },
    { "UPDATE users SET age = 1 WHERE id = %2",                PASSES, WAITS },
    { "UPDATE users SET age = 1 WHERE id IN (%2, %3)",         WAITS,  WAITS },
    { "UPDATE users SET age = 1",                              WAITS,  WAITS },
    { "DELETE FROM users WHERE id = %3",                       PASSES, PASSES },
    { "UPDATE countries SET name = 'x' WHERE id = 1",          WAITS,  WAITS },
    { "SELECT * FROM other.things",                            PASSES, PASSES },
};

static struct span
filled(const char *sql, char *out)
{
    char   text[2][24];
    size_t n = 0;

    for (const char *p = sql; *p != '\0'; p++) {
        if (*p != '%') {
            out[n++] = *p;
            continue;
        }
        p++;
        const char *user = *p == '1' ? "1" : other_user(*p == '2', text[*p == '2']);
        for (; *user != '\0'; user++)
            out[n++] = *user;
    }
    return (struct span){ (const uint8_t *)out, n };
}

static bool
meets(struct planned *s, bool stays)
{
    struct plan_values values = planned_values(s, NULL, 0);
    struct shard_set   shards = { 0 };
    struct sql_error   error;
    uint32_t           any    = owner; /* the worst there is */

    if (s->plan.kind == PLAN_REFUSE)
        fail_msg("%s", s->plan.error.message);
    if (!gather_needed(&s->plan, &world, &values))
        assert_true(plan_route(&s->plan, &world, &values, any, &shards, &error));
    return fence_meets(&s->plan, &world, &values, &shards, any, stays);
}

static const struct route_shard engine = { .id = ROUTES_ENGINE_ID, .name = N("e") };

static void
setup(struct route_shard *shards)
{
    world_init();
    at    = routes_range(&world, hash_of("1"));
    owner = world_ranges[at].shard;
    memcpy(shards, world_shards, sizeof(world_shards));
    shards[owner].fenced    = true;
    world_ranges[at].fenced = true;
    world.shards            = shards;
    world.fenced            = true;
    world.engines           = &engine;
    world.n_engines         = 1;
}

static void
statements_wait_as_the_table_says(void **state)
{
    struct route_shard shards[3];

    (void)state;
    setup(shards);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char           text[400];
        struct planned s;
        struct span    sql = filled(rows[i].sql, text);
        text[sql.len]      = '\0';
        /* What is global in `other` is on s1. */
        bool elsewhere = owner != 1 || strstr(text, "things") == NULL;
        planned_make(&s, text, "app", false);
        if (elsewhere && (meets(&s, false) != rows[i].waits ||
                          meets(&s, true) != rows[i].waits_if_it_stays))
            fail_msg("%s: waits %d, when it stays %d", text, meets(&s, false), meets(&s, true));
        planned_fini(&s);
    }
}

static void
tables_that_are_fenced_wait_whatever_the_key(void **state)
{
    static const struct {
        const char *sql;
        bool        waits;
    } table_rows[] = {
        { "SELECT * FROM config", true }, { "UPDATE config SET name = 'x'", true },
        { "SELECT * FROM log", false },
        { "SELECT * FROM vg", true }, /* which may reach it */
        { "SELECT * FROM users WHERE id = 5", false },
        { "SELECT (SELECT MAX(id) FROM config)", true },
        { "SELECT * FROM countries", false },
    };
    struct route_table tables[sizeof(world_tables) / sizeof(world_tables[0])];
    struct route_shard shards[3];

    (void)state;
    setup(shards);
    world_ranges[at].fenced = false;
    shards[owner].fenced    = false;
    memcpy(tables, world_tables, sizeof(tables));
    tables[0].fenced = true;
    world.tables     = tables;
    for (size_t i = 0; i < sizeof(table_rows) / sizeof(table_rows[0]); i++) {
        struct planned s;
        planned_make(&s, table_rows[i].sql, "app", false);
        if (meets(&s, false) != table_rows[i].waits)
            fail_msg("%s: %d", table_rows[i].sql, meets(&s, false));
        planned_fini(&s);
    }
    world.tables = world_tables;
}

static void
rows_of_an_insert_wait_by_their_keys(void **state)
{
    struct route_shard shards[3];
    struct planned     s;
    char               text[24];
    uint64_t           here = hash_of("1");
    struct shard_set   one = { 0 }, two = { 0 };

    (void)state;
    setup(shards);
    uint64_t there = hash_of(other_user(false, text));
    uint64_t both[] = { there, here };
    planned_make(&s, "INSERT INTO items (user_id, line) VALUES (1, 2)", "app", false);
    shard_set_add(&one, routes_owner(&world, there));
    shard_set_add(&two, routes_owner(&world, there));
    shard_set_add(&two, owner);
    assert_true(fence_meets_rows(&s.plan, &world, &here, 1, &two, false));
    assert_true(fence_meets_rows(&s.plan, &world, both, 2, &two, false));
    assert_false(fence_meets_rows(&s.plan, &world, &there, 1, &one, true));
    assert_true(fence_meets_rows(&s.plan, &world, &there, 1, &two, true));
    planned_fini(&s);
}

static void
sentences_name_what_moves(void **state)
{
    struct route_table tables[sizeof(world_tables) / sizeof(world_tables[0])];
    struct route_shard shards[3];
    char               text[64];

    (void)state;
    setup(shards);
    for (int i = 0; i < 3; i++)
        shards[i].fenced = i < 2;
    fence_describe(&world, text, sizeof(text));
    assert_string_equal(text, "rows of s0 and s1");
    shards[2].fenced = true;
    fence_describe(&world, text, sizeof(text));
    assert_string_equal(text, "rows of s0 and s1 and others");
    fence_describe(&world, text, 12);
    assert_string_equal(text, "rows of s0 ");
    memcpy(tables, world_tables, sizeof(tables));
    tables[3].fenced = true;
    world.tables     = tables;
    fence_describe(&world, text, sizeof(text));
    assert_string_equal(text, "table app.log");
    world.tables = world_tables;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_wait_as_the_table_says),
        cmocka_unit_test(tables_that_are_fenced_wait_whatever_the_key),
        cmocka_unit_test(rows_of_an_insert_wait_by_their_keys),
        cmocka_unit_test(sentences_name_what_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
