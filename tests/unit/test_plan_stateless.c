/* test_plan_stateless.c - which reads may run beside others on a shared connection, and
 * what their pace says about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/route/pace.h"
#include "tests/unit/plan_world.h"

static const struct {
    const char *sql;
    bool        stateless;
} cases[] = {
    { "SELECT name FROM users WHERE id = 5", true },
    { "SELECT COUNT(*), MAX(age) FROM users", true },
    { "SELECT u.name FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 7", true },
    { "SELECT UPPER(name), NOW() FROM users WHERE id IN (1, 2) ORDER BY age LIMIT 3", true },
    { "SELECT name FROM users WHERE id = 5 AND EXISTS (SELECT 1 FROM orders WHERE user_id = 5)",
      true },
    { "SELECT * FROM config", true },
    { "SELECT * FROM countries", true },
    { "SELECT 1", false },
    { "SELECT * FROM nosuch", false },
    { "SELECT * FROM vg", false },
    { "SELECT * FROM information_schema.tables", false },
    { "SELECT name FROM users WHERE id = 5 FOR UPDATE", false },
    { "SELECT name FROM users WHERE id = 5 LOCK IN SHARE MODE", false },
    { "SELECT name INTO @a FROM users WHERE id = 5", false },
    { "SELECT @a, name FROM users WHERE id = 5", false },
    { "SELECT @a := name FROM users WHERE id = 5", false },
    { "SELECT @@sql_mode, name FROM users WHERE id = 5", false },
    { "SELECT f(name) FROM users WHERE id = 5", false },
    { "SELECT app.f(name) FROM users WHERE id = 5", false },
    { "SELECT name FROM users WHERE id = 5 AND age = (SELECT f(1))", false },
    { "SELECT name FROM users WHERE id = 5 ORDER BY f(age)", false },
    { "SELECT LAST_INSERT_ID(), name FROM users WHERE id = 5", false },
    { "SELECT FOUND_ROWS(), name FROM users WHERE id = 5", false },
    { "SELECT ROW_COUNT(), name FROM users WHERE id = 5", false },
    { "SELECT SQL_CALC_FOUND_ROWS name FROM users WHERE id = 5", false },
    { "SELECT GET_LOCK('a', 1) FROM users WHERE id = 5", false },
    { "SELECT SLEEP(1) FROM users WHERE id = 5", false },
    { "SELECT BENCHMARK(1000, 1) FROM users WHERE id = 5", false },
    { "SELECT CONNECTION_ID() FROM users WHERE id = 5", false },
    { "SELECT MASTER_POS_WAIT('a', 1) FROM users WHERE id = 5", false },
    { "SELECT NEXTVAL(s) FROM users WHERE id = 5", false },
    { "SELECT NEXT VALUE FOR s FROM users WHERE id = 5", false },
    { "SELECT /*!50000 name */ FROM users WHERE id = 5", false },
    { "UPDATE users SET age = 1 WHERE id = 5", false },
    { "INSERT INTO users (id, name) VALUES (5, 'a') RETURNING id", false },
    { "SHOW TABLES", false },
    { "SET STATEMENT max_statement_time = 1 FOR SELECT name FROM users WHERE id = 5", false },
};

static void
only_reads_without_a_trace_are_stateless(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct planned c;
        planned_make(&c, cases[i].sql, "app", false);
        if (c.plan.stateless != cases[i].stateless) {
            print_error("%s\n     is %sstateless\n", cases[i].sql,
                        c.plan.stateless ? "" : "not ");
            wrong++;
        }
        planned_fini(&c);
    }
    assert_int_equal(wrong, 0);
}

/* NULL: a replica may. */
static const struct { const char *sql, *why; } elsewhere[] = {
    { "SELECT name FROM users WHERE id = 5", NULL },
    { "SELECT COUNT(*) FROM users", NULL },
    { "SELECT name FROM users WHERE id = @id", NULL },
    { "SELECT @a, name FROM users", NULL },
    { "SELECT COUNT(*) FROM users u JOIN orders o", NULL },
    { "SELECT u.name FROM users u JOIN orders o ON o.amount = u.age", NULL },
    { "SELECT UPPER(name), NOW() FROM users WHERE id = 5", NULL },
    { "/* shardd: consistency=eventual */ SELECT name FROM users WHERE id = 5", NULL },
    { "SELECT u.name FROM users u JOIN orders o ON o.id = u.age FOR UPDATE", "locks rows" },
    { "SELECT name FROM users WHERE id = 5 FOR UPDATE", "locks rows" },
    { "SELECT name FROM users WHERE id = 5 LOCK IN SHARE MODE", "locks rows" },
    { "SELECT name INTO @a FROM users WHERE id = 5", "assigns" },
    { "SELECT @a := name FROM users WHERE id = 5", "assigns" },
    { "SELECT @@sql_mode, name FROM users WHERE id = 5", "state of its session" },
    { "SELECT f(name) FROM users WHERE id = 5", "stored function" },
    { "SELECT LAST_INSERT_ID(), name FROM users WHERE id = 5", "state of its session" },
    { "SELECT SQL_CALC_FOUND_ROWS name FROM users WHERE id = 5", "state of its session" },
    { "SELECT GET_LOCK('a', 1) FROM users WHERE id = 5", "locks by name" },
    { "SELECT SLEEP(1) FROM users WHERE id = 5", "not determined" },
    { "SELECT MASTER_POS_WAIT('a', 1) FROM users WHERE id = 5", "state of its session" },
    { "SELECT NEXTVAL(s) FROM users WHERE id = 5", "sequences" },
    { "SELECT /*!50000 name */ FROM users WHERE id = 5", "only a server reads" },
    { "SELECT 1", "no table" },
    { "SELECT * FROM nosuch", "no table" },
    { "SELECT * FROM information_schema.tables", "no table" },
    { "UPDATE users SET age = 1 WHERE id = 5", "plain SELECTs" },
    { "SHOW TABLES", "plain SELECTs" },
};

static void
what_replicas_may_answer(void **state)
{
    size_t wrong = 0;

    (void)state;
    world.n_engines = 1; /* what is gathered is refused without one */
    for (size_t i = 0; i < countof(elsewhere); i++) {
        struct planned c;
        planned_make(&c, elsewhere[i].sql, "app", false);
        const char *why = c.plan.primary_why;
        if ((why == NULL) != (elsewhere[i].why == NULL) ||
            (why != NULL && strstr(why, elsewhere[i].why) == NULL)) {
            print_error("%s\n     %s\n", elsewhere[i].sql, why != NULL ? why : "(a replica)");
            wrong++;
        }
        planned_fini(&c);
    }
    world.n_engines = 0;
    assert_int_equal(wrong, 0);
}

static void
a_pace_is_known_after_some_small_answers(void **state)
{
    struct pace p = { 0 };

    (void)state;
    for (int i = 0; i < PACE_KNOWN; i++) {
        assert_false(pace_is_quick(&p));
        pace_note(&p, 100, 1000);
    }
    assert_true(pace_is_quick(&p));
    pace_note(&p, 100, PACE_SMALL_BYTES + 1);
    assert_false(pace_is_quick(&p));
}

static void
a_pace_falls_at_once_and_rises_slowly(void **state)
{
    struct pace p = { 0 };

    (void)state;
    pace_note(&p, 5000, 1);
    pace_note(&p, 100, 1);
    assert_int_equal(p.us, 100);
    pace_note(&p, 1000000, 1);
    assert_in_range(p.us, 101, 110);
    for (int i = 0; i < 1000; i++)
        pace_note(&p, 3000, 1);
    assert_int_equal(p.us, 3000);
    assert_false(pace_is_quick(&p));
    pace_note(&p, 0, 1);
    assert_int_equal(p.us, PACE_FLOOR_US);
}

static void
a_few_late_answers_are_forgiven_and_many_are_not(void **state)
{
    struct pace p = { 0 };

    (void)state;
    for (int i = 0; i < 10000; i++) {
        pace_note_shared(&p, i % 20 == 0 ? 30000 : 50, 1);
        if (i >= PACE_KNOWN)
            assert_true(pace_is_quick(&p));
    }
    for (int i = 0; i < PACE_STRIKES / PACE_STRIKE; i++)
        pace_note_shared(&p, 10000, 1);
    for (int i = 0; i < PACE_PENALTY; i++) {
        assert_false(pace_is_quick(&p));
        pace_note(&p, 50, 1);
    }
}

static void
who_held_others_up_has_to_earn_it_again(void **state)
{
    struct pace p = { 0 };

    (void)state;
    for (int i = 0; i < PACE_KNOWN; i++)
        pace_note(&p, 100, 1);
    pace_slow(&p);
    for (int i = 0; i < PACE_PENALTY + PACE_KNOWN; i++) {
        assert_false(pace_is_quick(&p));
        pace_note(&p, 100, 1);
    }
    assert_true(pace_is_quick(&p));
}

static void
hold(struct pace *p)
{
    while (!pace_is_quick(p))
        pace_note(p, 50, 1);
    pace_held_up(p);
}

static int
penalty(struct pace *p)
{
    int n = 0;

    for (; !pace_is_quick(p); n++)
        pace_note(p, 50, 1);
    return n - PACE_KNOWN;
}

static void
who_holds_others_up_again_and_again_shares_ever_less(void **state)
{
    struct pace p = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        hold(&p);
        assert_int_equal(penalty(&p), PACE_PENALTY << i);
    }
    for (int i = 0; i < 20; i++)
        hold(&p);
    assert_int_equal(penalty(&p), PACE_PENALTY << PACE_HOLDS_MAX);
    for (int i = 0; i < PACE_CALM * (PACE_HOLDS_MAX - 1); i++)
        pace_note_shared(&p, 50, 1);
    hold(&p);
    assert_int_equal(penalty(&p), PACE_PENALTY << 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_reads_without_a_trace_are_stateless),
        cmocka_unit_test(what_replicas_may_answer),
        cmocka_unit_test(a_pace_is_known_after_some_small_answers),
        cmocka_unit_test(a_pace_falls_at_once_and_rises_slowly),
        cmocka_unit_test(a_few_late_answers_are_forgiven_and_many_are_not),
        cmocka_unit_test(who_held_others_up_has_to_earn_it_again),
        cmocka_unit_test(who_holds_others_up_again_and_again_shares_ever_less),
    };

    world_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
