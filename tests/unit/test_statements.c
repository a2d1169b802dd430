/* test_statements.c - what a backend has prepared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "workers/backend/statements.h"

static struct statement_key
key_of(char text[32], uint32_t n)
{
    snprintf(text, 32, "SELECT %u", n);
    return (struct statement_key){ span_of(text), SPAN("app"), 7 };
}

static void
the_oldest_makes_room(void **state)
{
    (void)state;
    struct statements    s = { 0 };
    struct statement_key key;
    char                 text[32];
    uint32_t             id, evicted = 0;

    for (uint32_t i = 0; i < STATEMENTS_MAX; i++) {
        key = key_of(text, i);
        assert_false(statements_add(&s, &key, i, &evicted));
    }
    key = key_of(text, 0);
    assert_true(statements_find(&s, &key, &id)); /* used again: not the oldest */
    assert_int_equal(id, 0);
    key = key_of(text, 9999);
    assert_true(statements_add(&s, &key, 9999, &evicted));
    assert_int_equal(evicted, 1);
    assert_true(statements_find(&s, &key, &id));
    assert_int_equal(id, 9999);
    key = key_of(text, 1);
    assert_false(statements_find(&s, &key, &id));

    statements_clear(&s);
    statements_clear(&s);
    assert_false(statements_find(&s, &key, &id));
}

static void
schema_and_variables_tell_statements_apart(void **state)
{
    (void)state;
    struct statements    s   = { 0 };
    struct statement_key key = { SPAN("SELECT * FROM t"), SPAN("a"), 1 };
    uint32_t             id, evicted;

    assert_false(statements_add(&s, &key, 5, &evicted));
    key.schema = SPAN("b");
    assert_false(statements_find(&s, &key, &id));
    key.schema    = SPAN("a");
    key.vars_hash = 2;
    assert_false(statements_find(&s, &key, &id));
    key.vars_hash = 1;
    assert_true(statements_find(&s, &key, &id));
    assert_int_equal(id, 5);
    statements_clear(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(schema_and_variables_tell_statements_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
