/* test_vars.c - session variables that are replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "workers/query/vars.h"

static void
join(void *ctx, struct span name, struct span text)
{
    struct buf *out = ctx;

    buf_append_span(out, name);
    buf_append_text(out, "=");
    buf_append_span(out, text);
    buf_append_text(out, ";");
}

/* Assignments "name=text;..." and what is left to replay, in order. */
static const struct {
    const char *name;
    const char *set[4][2];
    const char *replay;
} cases[] = {
    { "none",        { { 0 } }, "" },
    { "one",         { { "a", "SET a=1" } }, "a=SET a=1;" },
    { "in order",    { { "b", "1" }, { "a", "2" } }, "b=1;a=2;" },
    { "replaced, goes last", { { "a", "1" }, { "b", "2" }, { "a", "3" } }, "b=2;a=3;" },
    { "case of names", { { "Sql_Mode", "1" }, { "SQL_MODE", "2" } }, "SQL_MODE=2;" },
    { "the last again", { { "a", "1" }, { "a", "2" }, { "b", "3" } }, "a=2;b=3;" },
};

static void
fill(struct vars *v, size_t i)
{
    vars_init(v);
    for (size_t k = 0; k < 4 && cases[i].set[k][0] != NULL; k++)
        vars_set(v, span_of(cases[i].set[k][0]), span_of(cases[i].set[k][1]));
}

static void
they_replay_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct vars v;
        struct buf  out = { 0 };

        print_message("  %s\n", cases[i].name);
        fill(&v, i);
        vars_each(&v, join, &out);
        assert_string_equal(buf_cstr(&out), cases[i].replay);
        buf_fini(&out);
        vars_fini(&v);
    }
}

static void
equal_state_has_one_hash(void **state)
{
    (void)state;
    struct vars a, b, moved;

    fill(&a, 3);
    vars_init(&b);
    assert_int_equal(b.hash, 0);
    vars_set(&b, SPAN("b"), SPAN("2"));
    assert_true(a.hash != b.hash && b.hash != 0);
    vars_set(&b, SPAN("a"), SPAN("3"));
    assert_true(a.hash == b.hash);

    vars_move(&moved, &b);
    assert_true(moved.hash == a.hash && b.hash == 0 && b.first == NULL);
    vars_set(&b, SPAN("x"), SPAN("1")); /* usable again */
    vars_clear(&a);
    assert_int_equal(a.hash, 0);
    vars_fini(&a);
    vars_fini(&b);
    vars_fini(&moved);
}

static void
what_was_said_is_known_by_its_hash(void **state)
{
    (void)state;
    struct vars v;
    uint64_t    one, two;

    vars_init(&v);
    assert_int_equal(vars_prefix(&v, 0), 0);
    vars_set(&v, SPAN("a"), SPAN("1"));
    one = v.hash;
    vars_set(&v, SPAN("b"), SPAN("2"));
    two = v.hash;
    vars_set(&v, SPAN("c"), SPAN("3"));
    assert_int_equal(vars_prefix(&v, one), 1);
    assert_int_equal(vars_prefix(&v, two), 2);
    assert_int_equal(vars_prefix(&v, v.hash), 3);
    assert_int_equal(vars_prefix(&v, 0), 0);
    assert_int_equal(vars_prefix(&v, 1), 0);
    vars_set(&v, SPAN("a"), SPAN("4")); /* b c a: nobody heard just that */
    assert_int_equal(vars_prefix(&v, one), 0);
    assert_int_equal(vars_prefix(&v, two), 0);
    vars_fini(&v);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_replay_in_order),
        cmocka_unit_test(equal_state_has_one_hash),
        cmocka_unit_test(what_was_said_is_known_by_its_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
