/* test_tally.c - statements by their time: windows, room for the dearest, the written form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "shm/tally.h"

struct seen {
    unsigned         n;
    struct tally_sum sum; /* of the statement that is looked for */
    uint64_t         hash;
    char             text[TALLY_TEXT_MAX + 1];
};

static void
see(void *context, const struct tally_name *name, const struct tally_sum *sum)
{
    struct seen *s = context;

    s->n++;
    if (name->hash != s->hash)
        return;
    s->sum = *sum;
    snprintf(s->text, sizeof(s->text), "%.*s", (int)name->text.len, (const char *)name->text.ptr);
}

static struct seen
look(struct tally *t, uint64_t hash)
{
    struct seen s    = { .hash = hash };
    struct buf  text = { 0 };

    if (tally_write(t, &text))
        assert_true(tally_each(buf_unread(&text), see, &s));
    buf_fini(&text);
    return s;
}

static void
note(struct tally *t, uint64_t hash, uint16_t *place, uint64_t us, uint64_t now_s)
{
    struct tally_name name = { hash, 3, SPAN("app"), SPAN("SELECT ?") };

    tally_note(t, &name, place, us, us % 2 == 1, now_s);
}

static void
counts(void **state)
{
    struct tally *t = tally_new();
    uint16_t      place = 0, other = 0;
    struct seen   s;

    (void)state;
    note(t, 7, &place, 10, 1);
    note(t, 8, &other, 5, 1);
    note(t, 7, &place, 31, 2);
    s = look(t, 7);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.sum.calls, 2);
    assert_int_equal(s.sum.us, 41);
    assert_int_equal(s.sum.max_us, 31);
    assert_int_equal(s.sum.errors, 1);
    assert_string_equal(s.text, "SELECT ?");
    assert_int_equal(look(t, 7).n, 0); /* nothing is new */
    tally_free(t);
}

static void
windows(void **state)
{
    struct tally *t = tally_new();
    uint16_t      place = 0;

    (void)state;
    note(t, 7, &place, 10, 100);
    tally_turn(t, 100 + TALLY_WINDOW_S - 1);
    assert_int_equal(look(t, 7).sum.calls, 1);
    tally_turn(t, 100 + TALLY_WINDOW_S);
    note(t, 7, &place, 20, 101 + TALLY_WINDOW_S);
    assert_int_equal(look(t, 7).sum.us, 30); /* both windows */
    tally_turn(t, 100 + 2 * TALLY_WINDOW_S);
    assert_int_equal(look(t, 7).sum.us, 20);
    tally_turn(t, 100 + 5 * TALLY_WINDOW_S); /* nobody came for long */
    assert_int_equal(look(t, 7).n, 0);
    note(t, 9, &place, 4, 101 + 5 * TALLY_WINDOW_S);
    assert_int_equal(look(t, 9).sum.us, 4);
    tally_free(t);
}

/* Ten that take most of the time are there whatever else comes. */
static void
the_dearest_stay(void **state)
{
    struct tally *t = tally_new();
    uint16_t      place[10] = { 0 }, once;

    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        note(t, 1 + i % 10, &place[i % 10], 1000, 1);
        once = (uint16_t)i;
        note(t, 1000 + i, &once, 100, 1);
    }
    for (uint64_t hash = 1; hash <= 10; hash++) {
        note(t, hash, &place[hash - 1], 0, 1);
        assert_int_equal(look(t, hash).sum.calls, 2001);
        note(t, hash, &place[hash - 1], 0, 1);
    }
    assert_int_equal(look(t, 1).n, TALLY_ROWS);
    tally_free(t);
}

static void
long_texts_are_cut_at_a_character(void **state)
{
    struct tally     *t = tally_new();
    uint8_t           text[TALLY_TEXT_MAX + 10];
    uint16_t          place = 0;
    struct tally_name name  = { 5, 1, { NULL, 0 }, { text, sizeof(text) } };
    struct seen       s;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + TALLY_TEXT_MAX - 1, "\xc3\xbc", 2);
    tally_note(t, &name, &place, 1, false, 1);
    s = look(t, 5);
    assert_int_equal(strlen(s.text), TALLY_TEXT_MAX - 1);
    tally_free(t);
}

static void
what_is_damaged_is_refused(void **state)
{
    struct tally *t = tally_new();
    struct buf    text = { 0 };
    uint16_t      place = 0;
    struct seen   s = { .hash = 1 };

    (void)state;
    note(t, 7, &place, 10, 1);
    assert_true(tally_write(t, &text));
    for (size_t n = 1; n < buf_len(&text); n++)
        assert_false(tally_each((struct span){ text.bytes, n }, see, &s));
    memset(text.bytes + 40, 0xff, 8); /* lengths */
    assert_false(tally_each(buf_unread(&text), see, &s));
    buf_fini(&text);
    tally_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(windows),
        cmocka_unit_test(the_dearest_stay),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(what_is_damaged_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
