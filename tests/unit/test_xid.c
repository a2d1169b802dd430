/* test_xid.c - gtrids: round trips, limits, and what is not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/route/xid.h"

static const struct {
    const char *name;
    struct xid  xid;
    const char *gtrid; /* NULL: cannot be written */
} encodings[] = {
    { "small",        { "main", 0, 1, 0, 1 },               "shardd-main-0-1-0-1" },
    { "hexadecimal",  { "main", 10, 0xabc, 0xff, 12 },      "shardd-main-10-abc-ff-12" },
    { "dash inside",  { "a-1-2", 3, 4, 5, 6 },              "shardd-a-1-2-3-4-5-6" },
    { "largest",      { "s", UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT32_MAX },
      "shardd-s-4294967295-ffffffff-ffffffffffffffff-4294967295" },
    { "20 letters",   { "abcdefghijklmnopqrst", 1023, UINT32_MAX, 0xffffffffff, 999999999 },
      "shardd-abcdefghijklmnopqrst-1023-ffffffff-ffffffffff-999999999" },
    { "too long",     { "abcdefghijklmnopqrstuvwxyz01234", 1023, UINT32_MAX, UINT64_MAX, 1 },
      NULL },
    { "no instance",  { "", 1, 1, 1, 1 },                   NULL },
};

static void
encode_and_decode_follow_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(encodings); i++) {
        char       out[XID_GTRID_MAX + 1];
        struct xid back = { .worker = 0 };
        size_t     n    = xid_encode(&encodings[i].xid, out);

        print_message("  %s\n", encodings[i].name);
        if (!encodings[i].gtrid) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(n, strlen(encodings[i].gtrid));
        assert_string_equal(out, encodings[i].gtrid);
        assert_true(xid_decode(span_of(out), &back));
        assert_memory_equal(&back, &encodings[i].xid, sizeof(back));
    }
}

static const char *const foreign[] = {
    "", "shardd", "shardd-", "shardd--1-1-1-1", "shardd-main-0-1-0", "shardd-main-0-1-0-",
    "shardd-main-0-1-0-x", "shardd-main-0-1-g-1", "shardd-main-0-FF-1-1", "shardd-main-00-1-0-1",
    "shardd-main-0-100000000-0-1", "shardd-main-4294967296-1-0-1", "Shardd-main-0-1-0-1",
    "other-main-0-1-0-1", "shardd-main-0-1-0-1 ", "shardd-main-0-1-10000000000000000-1",
    "shardd-abcdefghijklmnopqrstuvwxyz0123456789-0-1-0-1",
};

static void
what_is_not_ours_is_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(foreign); i++) {
        struct xid xid = { .worker = 77 };

        print_message("  '%s'\n", foreign[i]);
        assert_false(xid_decode(span_of(foreign[i]), &xid));
        assert_int_equal(xid.worker, 77);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_and_decode_follow_the_table),
        cmocka_unit_test(what_is_not_ours_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
