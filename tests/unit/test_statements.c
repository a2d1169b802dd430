/* test_statements.c - what a backend has prepared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "workers/backend/statements.h"

static struct span
text_of(char text[32], uint32_t n)
{
    snprintf(text, 32, "SELECT %u", n);
    return span_of(text);
}

static void
the_oldest_makes_room(void **state)
{
    (void)state;
    struct statements s = { 0 };
    char              text[32];
    uint32_t          id, evicted = 0;

    /* One hash for all: texts are compared. */
    for (uint32_t i = 0; i < STATEMENTS_MAX; i++)
        assert_false(statements_add(&s, 7, text_of(text, i), i, &evicted));
    assert_true(statements_find(&s, 7, text_of(text, 0), &id)); /* used again: not the oldest */
    assert_int_equal(id, 0);
    assert_true(statements_add(&s, 7, text_of(text, 9999), 9999, &evicted));
    assert_int_equal(evicted, 1);
    assert_false(statements_find(&s, 7, text_of(text, 1), &id));
    assert_true(statements_find(&s, 7, text_of(text, 0), &id));
    assert_true(statements_find(&s, 7, text_of(text, 9999), &id));
    assert_false(statements_find(&s, 8, text_of(text, 9999), &id)); /* another hash */

    statements_clear(&s);
    statements_clear(&s);
    assert_false(statements_find(&s, 7, text_of(text, 0), &id));
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_oldest_makes_room) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
