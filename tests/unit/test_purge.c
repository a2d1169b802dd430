/* test_purge.c - how far a server's purge is, by its own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/base.h"
#include "ctl/move/purge.h"

#define HEAD "\n=====================================\nTRANSACTIONS\n------------\n"

static const struct {
    const char        *text;
    bool               good;
    struct purge_state is;
} cases[] = {
    { HEAD "Trx id counter 4711\nPurge done for trx's n:o < 4690 undo n:o < 0 state: running\n"
      "History list length 12\nLIST OF TRANSACTIONS FOR EACH SESSION:\n",
      true, { .next = 4711, .done = 4690, .left = 12 } },
    { HEAD "Trx id counter 46\nPurge done for trx's n:o < 0 undo n:o < 0 state: running but idle\n"
      "History list length 0", true, { .next = 46 } },
    { HEAD "Trx id counter 46\nHistory list length 0\n", false, { .next = 46 } },
    { "", false, { .next = 0 } },
};

static void
test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct purge_state is = { .next = 0 };

        assert_int_equal(purge_read(span_of(cases[i].text), &is), cases[i].good);
        assert_int_equal(is.next, cases[i].is.next);
        assert_int_equal(is.done, cases[i].is.done);
        assert_int_equal(is.left, cases[i].is.left);
    }
}

/* Statements are told before the numbers, with all their bytes. */
static void
test_bytes_before(void **state)
{
    static const char  text[] = "INSERT INTO t VALUES ('\0')" HEAD "Trx id counter 9\n"
                                "Purge done for trx's n:o < 8 undo\nHistory list length 3\n";
    struct purge_state is;

    (void)state;
    assert_true(purge_read((struct span){ (const uint8_t *)text, sizeof(text) - 1 }, &is));
    assert_int_equal(is.next + is.done + is.left, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_bytes_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
