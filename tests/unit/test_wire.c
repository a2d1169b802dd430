/* test_wire.c - integers and strings, read within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/wire.h"

static const struct {
    uint64_t    value;
    struct span bytes;
} integers[] = {
#define I(v, s) { v, { (const uint8_t *)(s), sizeof(s) - 1 } }
    I(0, "\0"),
    I(250, "\xfa"),
    I(251, "\xfc\xfb\0"),
    I(0xffff, "\xfc\xff\xff"),
    I(0x10000, "\xfd\0\0\1"),
    I(0xffffff, "\xfd\xff\xff\xff"),
    I(0x1000000, "\xfe\0\0\0\1\0\0\0\0"),
    I(UINT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
};

static void
lenenc_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(integers); i++) {
        struct buf out = { 0 };

        wire_put_lenenc(&out, integers[i].value);
        assert_true(span_equal(buf_unread(&out), integers[i].bytes));
        assert_int_equal(wire_lenenc_size(integers[i].value), integers[i].bytes.len);
        struct cursor c = cursor_of(integers[i].bytes);
        assert_true(wire_lenenc(&c) == integers[i].value);
        assert_true(cursor_done(&c));
        for (size_t len = 0; len < integers[i].bytes.len; len++) {
            c = cursor_of((struct span){ integers[i].bytes.ptr, len });
            assert_int_equal(wire_lenenc(&c), 0);
            assert_true(c.bad);
        }
        buf_fini(&out);
    }
}

static void
null_and_error_are_no_integers(void **state)
{
    (void)state;
    struct cursor c = cursor_of(SPAN("\xfb\1\1"));

    assert_int_equal(wire_lenenc(&c), 0);
    assert_true(c.bad);
    assert_int_equal(cursor_left(&c), 0);
    c = cursor_of(SPAN("\xff\1\1"));
    (void)wire_lenenc(&c);
    assert_true(c.bad);

    bool is_null;
    c = cursor_of(SPAN("\xfb\1x\0"));
    (void)wire_nullable_bytes(&c, &is_null);
    assert_true(is_null);
    assert_true(span_equal(wire_nullable_bytes(&c, &is_null), SPAN("x")));
    assert_false(is_null);
    assert_int_equal(wire_nullable_bytes(&c, &is_null).len, 0);
    assert_false(is_null);
    assert_true(cursor_done(&c));
    (void)wire_nullable_bytes(&c, &is_null);
    assert_true(c.bad && !is_null);
}

static void
fixed_integers(void **state)
{
    (void)state;
    struct buf out = { 0 };

    wire_put_u8(&out, 0x81);
    wire_put_u16(&out, 0x8182);
    wire_put_u24(&out, 0x818283);
    wire_put_u32(&out, 0x81828384);
    wire_put_u64(&out, UINT64_C(0x8182838485868788));
    wire_put_zeroes(&out, 3);
    struct cursor c = cursor_of(buf_unread(&out));
    assert_int_equal(wire_u8(&c), 0x81);
    assert_int_equal(wire_u16(&c), 0x8182);
    assert_int_equal(wire_u24(&c), 0x818283);
    assert_int_equal(wire_u32(&c), 0x81828384);
    assert_true(wire_u64(&c) == UINT64_C(0x8182838485868788));
    assert_int_equal(wire_u24(&c), 0);
    assert_true(cursor_done(&c));
    assert_int_equal(wire_u8(&c), 0);
    assert_true(c.bad && !cursor_done(&c));
    buf_fini(&out);
}

static void
strings(void **state)
{
    (void)state;
    struct cursor c = cursor_of(SPAN("one\0\3two\0three"));

    assert_true(span_equal(wire_nul(&c), SPAN("one")));
    assert_true(span_equal(wire_lenenc_bytes(&c), SPAN("two")));
    assert_true(span_equal(wire_nul_or_rest(&c), SPAN("")));
    struct cursor again = c;
    assert_true(span_equal(wire_nul_or_rest(&c), SPAN("three")));
    assert_true(cursor_done(&c));
    assert_int_equal(wire_nul(&again).len, 0);
    assert_true(again.bad);

    c = cursor_of(SPAN("\5four"));
    assert_int_equal(wire_lenenc_bytes(&c).len, 0);
    assert_true(c.bad);
    c = cursor_of(SPAN("\xfe\xff\xff\xff\xff\xff\xff\xff\xffx"));
    assert_int_equal(wire_lenenc_bytes(&c).len, 0);
    assert_true(c.bad);
}

static void
a_bad_cursor_stays_bad(void **state)
{
    (void)state;
    struct cursor c = cursor_of(SPAN("abc"));

    (void)wire_u32(&c);
    assert_true(c.bad);
    assert_int_equal(wire_u8(&c), 0);
    assert_int_equal(wire_rest(&c).len, 0);
    wire_skip(&c, 0);
    assert_true(c.bad && !cursor_done(&c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenenc_integers),
        cmocka_unit_test(null_and_error_are_no_integers),
        cmocka_unit_test(fixed_integers),
        cmocka_unit_test(strings),
        cmocka_unit_test(a_bad_cursor_stays_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
