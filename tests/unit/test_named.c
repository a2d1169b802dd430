/* test_named.c - the statements a client has prepared by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "workers/client/named.h"

static void
add(struct named_list *l, const char *name, const char *text)
{
    struct named new = { .name = span_of(name), .text = span_of(text), .schema = SPAN("s") };

    assert_null(named_find(l, new.name));
    named_add(l, &new);
}

static void
test_names(void **state)
{
    struct named_list l = { 0 };

    (void)state;
    assert_null(named_find(&l, SPAN("a")));
    assert_false(named_remove(&l, SPAN("a")));
    add(&l, "a", "SELECT 1");
    add(&l, "B b", "SELECT ?");
    add(&l, "", "");
    assert_int_equal(l.n, 3);
    assert_int_equal(l.bytes, 16);
    assert_true(span_equal(named_find(&l, SPAN("b B"))->text, SPAN("SELECT ?")));
    assert_true(span_equal(named_find(&l, SPAN("A"))->schema, SPAN("s")));
    assert_null(named_find(&l, SPAN("ab")));
    assert_true(named_remove(&l, SPAN("A")));
    assert_null(named_find(&l, SPAN("a")));
    assert_int_equal(named_find(&l, SPAN(""))->text.len, 0);
    assert_int_equal(l.bytes, 8);
    named_clear(&l);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.bytes, 0);
    assert_null(l.first);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
