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

    enum { MAX = 300 };

    for (uint32_t i = 0; i < MAX; i++) {
        key = key_of(text, i);
        statements_add(&s, &key, i);
        assert_false(statements_evict(&s, MAX, &evicted));
    }
    key = key_of(text, 0);
    assert_true(statements_find(&s, &key, &id)); /* used again: not the oldest */
    assert_int_equal(id, 0);
    key = key_of(text, 9999);
    statements_add(&s, &key, 9999);
    assert_int_equal(statements_count(&s), MAX + 1);
    assert_true(statements_evict(&s, MAX, &evicted));
    assert_int_equal(evicted, 1);
    assert_false(statements_evict(&s, MAX, &evicted));
    assert_true(statements_find(&s, &key, &id));
    assert_int_equal(id, 9999);
    key = key_of(text, 1);
    assert_false(statements_find(&s, &key, &id));

    for (uint32_t i = 2; i < 12; i++) { /* as when the setting becomes smaller */
        assert_true(statements_evict(&s, MAX - 10, &evicted));
        assert_int_equal(evicted, i);
    }
    assert_false(statements_evict(&s, MAX - 10, &evicted));
    statements_clear(&s);
    statements_clear(&s);
    assert_int_equal(statements_count(&s), 0);
    assert_false(statements_find(&s, &key, &id));
}

static void
schema_and_variables_tell_statements_apart(void **state)
{
    (void)state;
    struct statements    s   = { 0 };
    struct statement_key key = { SPAN("SELECT * FROM t"), SPAN("a"), 1 };
    uint32_t             id;

    statements_add(&s, &key, 5);
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
