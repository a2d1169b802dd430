/* test_stmt.c - the prepared statements of a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "workers/client/stmt.h"

static void
test_many(void **state)
{
    struct stmts s = { 0 };

    (void)state;
    assert_null(stmts_find(&s, 1));
    for (uint32_t i = 1; i <= 5000; i++)
        assert_int_equal(stmts_add(&s, SPAN("SELECT ?"), i % 7)->id, i);
    for (uint32_t i = 2; i <= 5000; i += 2)
        stmts_remove(&s, i);
    for (uint32_t i = 1; i <= 5000; i++) {
        struct prepared *p = stmts_find(&s, i);
        assert_int_equal(p != NULL, i % 2);
        assert_true(p == NULL || (p->id == i && p->n_params == i % 7));
    }
    assert_int_equal(s.n, 2500);
    stmts_clear(&s);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.bytes, 0);
    assert_null(stmts_find(&s, 1));
}

/* Prepared and closed for ever: nothing grows, and numbers in use are not given again. */
static void
test_numbers_come_round(void **state)
{
    struct stmts s = { 0 };

    (void)state;
    uint32_t kept = stmts_add(&s, SPAN("DO 1"), 0)->id;
    for (int i = 0; i < 100000; i++)
        stmts_remove(&s, stmts_add(&s, SPAN("SELECT 1"), 0)->id);
    assert_int_equal(s.n_buckets, 8);
    s.last_id = EXECUTE_LAST_PREPARED - 1;
    assert_int_equal(stmts_add(&s, SPAN("DO 2"), 0)->id, kept + 1);
    assert_int_equal(s.n, 2);
    stmts_clear(&s);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_numbers_come_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
