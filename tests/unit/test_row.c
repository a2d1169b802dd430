/* test_row.c - rows, and values between their binary and text forms.
 *
 * The texts are what MariaDB 10.11 prints of these values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/packet.h"
#include "core/mysql/row.h"

#define P(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct {
    const char   *name;
    struct column column;
    struct span   binary;
    const char   *text;
    bool          one_way; /* binary to text only */
} values[] = {
#define C(t, f, l, d) { .type = MYSQL_TYPE_##t, .flags = f, .length = l, .decimals = d }
    { "tiny",     C(TINY, 0, 4, 0), P("\x80"), "-128", 0 },
    { "unsigned", C(SHORT, UNSIGNED_FLAG, 5, 0), P("\xff\xff"), "65535", 0 },
    { "medium",   C(INT24, 0, 9, 0), P("\0\0\x80\xff"), "-8388608", 0 },
    { "zerofill", C(LONG, UNSIGNED_FLAG | ZEROFILL_FLAG, 10, 0), P("\52\0\0\0"), "0000000042", 0 },
    { "least",    C(LONGLONG, 0, 20, 0), P("\0\0\0\0\0\0\0\x80"), "-9223372036854775808", 0 },
    { "most",     C(LONGLONG, UNSIGNED_FLAG, 20, 0), P("\xff\xff\xff\xff\xff\xff\xff\xff"),
      "18446744073709551615", 0 },
    { "year",     C(YEAR, UNSIGNED_FLAG | ZEROFILL_FLAG, 4, 0), P("\xe8\7"), "2024", 0 },
    { "year 0",   C(YEAR, UNSIGNED_FLAG | ZEROFILL_FLAG, 4, 0), P("\0\0"), "0000", 0 },
    { "decimal",  C(NEWDECIMAL, 0, 22, 2), P("-1.50"), "-1.50", 0 },
    { "text",     C(VAR_STRING, 0, 80, 0), P("a'b"), "a'b", 0 },
    { "bits",     C(BIT, UNSIGNED_FLAG, 12, 0), P("\x0a\xaa"), "\x0a\xaa", 0 },
    { "date",     C(DATE, 0, 10, 0), P("\xe8\7\2\x1d"), "2024-02-29", 0 },
    { "zero date", C(DATE, 0, 10, 0), P(""), "0000-00-00", 0 },
    { "datetime", C(DATETIME, 0, 26, 6), P("\xe8\7\1\2\3\4\5\6\0\0\0"),
      "2024-01-02 03:04:05.000006", 0 },
    { "midnight", C(DATETIME, 0, 19, 0), P("\xe8\7\1\2"), "2024-01-02 00:00:00", 0 },
    { "stamp",    C(TIMESTAMP, 0, 22, 2), P("\xe8\7\1\2\3\4\5\x90\xd0\3\0"),
      "2024-01-02 03:04:05.25", 0 },
    { "stamp .00", C(TIMESTAMP, 0, 22, 2), P("\xe8\7\1\2\3\4\5"), "2024-01-02 03:04:05.00", 0 },
    { "time",     C(TIME, 0, 14, 3), P("\1\x22\0\0\0\x16\x3b\x3b\x78\xe0\1\0"), "-838:59:59.123",
      0 },
    { "no time",  C(TIME, 0, 10, 0), P(""), "00:00:00", 0 },
    { "any fraction", C(TIME, 0, 17, NOT_FIXED_DEC), P("\0\0\0\0\0\0\0\3\x90\xd0\3\0"),
      "00:00:03.250000", 0 },
    { "1.1",      C(DOUBLE, 0, 22, NOT_FIXED_DEC), P("\x9a\x99\x99\x99\x99\x99\xf1\x3f"), "1.1",
      0 },
    { "fixed",    C(DOUBLE, 0, 20, 2), P("\0\0\0\0\0\0\xf8\x3f"), "1.50", 0 },
    { "float 1.1", C(FLOAT, 0, 12, NOT_FIXED_DEC), P("\xcd\xcc\x8c\x3f"), "1.1", 0 },
    { "float loses", C(FLOAT, 0, 12, NOT_FIXED_DEC), P("\0\0\x80\x4b"), "16777200", 1 },
    { "float fixed", C(FLOAT, 0, 8, 3), P("\xd0\x0f\x49\x40"), "3.142", 1 },
};

static void
values_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(values); i++) {
        struct buf  out  = { 0 };
        struct cell cell = { values[i].binary, false };

        print_message("  %s\n", values[i].name);
        assert_true(cell_to_text(&out, &values[i].column, cell));
        assert_string_equal(buf_cstr(&out), values[i].text);
        buf_clear(&out);
        cell.bytes = span_of(values[i].text);
        assert_true(cell_to_binary(&out, &values[i].column, cell));
        assert_true(values[i].one_way || span_equal(buf_unread(&out), values[i].binary));
        buf_fini(&out);
    }
}

static const struct {
    double      value;
    unsigned    decimals;
    const char *text;
} doubles[] = {
    { 0, 31, "0" }, { -0.0, 31, "0" }, { -0.001, 2, "0.00" }, { -0.0, 2, "0.00" },
    { 1e14, 31, "100000000000000" }, { 1e15, 31, "1e15" },
    { 1e-14, 31, "0.00000000000001" }, { 1e-15, 31, "0.000000000000001" }, { 1e-16, 31, "1e-16" },
    { 0.1 + 0.2, 31, "0.30000000000000004" }, { 123456789012345678.0, 31, "1.2345678901234568e17" },
    { 5e-324, 31, "5e-324" }, { 1.7976931348623157e308, 31, "1.7976931348623157e308" },
    { -1.5e-300, 31, "-1.5e-300" }, { 100, 31, "100" }, { 4503599627370495.5, 31,
      "4503599627370495.5" },
    { 1234567890123456, 31, "1.234567890123456e15" },
    { 12345.678, 2, "12345.68" }, { 1e22, 2, "10000000000000000000000.00" }, { 0, 3, "0.000" },
    { 123456789012345678901.0, 1, "123456789012345680000.0" }, { 0.001, 2, "0.00" }, { 7, 0, "7" },
    { -2.5, 3, "-2.500" }, { 0.05, 4, "0.0500" },
};

static void
doubles_as_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(doubles); i++) {
        struct buf out = { 0 };
        double_to_text(&out, doubles[i].value, doubles[i].decimals);
        assert_string_equal(buf_cstr(&out), doubles[i].text);
        buf_fini(&out);
    }
}

static void
what_is_no_value(void **state)
{
    (void)state;
    static const struct {
        struct column column;
        const char   *text;
    } texts[] = {
        { C(TINY, 0, 4, 0), "128" },        { C(TINY, 0, 4, 0), "-129" },
        { C(TINY, 0, 4, 0), "" },           { C(TINY, 0, 4, 0), "-" },
        { C(TINY, 0, 4, 0), "1 " },         { C(LONG, UNSIGNED_FLAG, 10, 0), "-1" },
        { C(LONGLONG, UNSIGNED_FLAG, 20, 0), "18446744073709551616" },
        { C(LONGLONG, 0, 20, 0), "9223372036854775808" },
        { C(DOUBLE, 0, 22, 31), "nan" },    { C(DOUBLE, 0, 22, 31), "1e999" },
        { C(DOUBLE, 0, 22, 31), "0x10" },   { C(DOUBLE, 0, 22, 31), "1.5x" },
        { C(DATE, 0, 10, 0), "2024-13-01" }, { C(DATE, 0, 10, 0), "2024-01-01 00:00:00" },
        { C(TIME, 0, 10, 0), "839:00:00" }, { C(TIME, 0, 10, 0), "00:60:00" },
        { C(DATETIME, 0, 19, 0), "2024-01-01 24:00:00" },
    };
    static const struct {
        struct column column;
        struct span   binary;
    } binaries[] = {
        { C(LONG, 0, 11, 0), P("\1\2\3") },
        { C(DATE, 0, 10, 0), P("\1\2\3") },
        { C(TIME, 0, 10, 0), P("\0\x23\0\0\0\0\0\0") },
        { C(DOUBLE, 0, 22, 31), P("\0\0\0\0\0\0\xf8\x7f") },
        { C(TIME2, 0, 10, 0), P("abc") },
    };
    struct buf out = { 0 };

    for (size_t i = 0; i < countof(texts); i++) {
        struct cell cell = { span_of(texts[i].text), false };
        assert_false(cell_to_binary(&out, &texts[i].column, cell));
    }
    for (size_t i = 0; i < countof(binaries); i++) {
        struct cell cell = { binaries[i].binary, false };
        assert_false(cell_to_text(&out, &binaries[i].column, cell));
    }
    assert_int_equal(buf_len(&out), 0);
    buf_fini(&out);
}

static void
text_rows(void **state)
{
    (void)state;
    struct cell cells[3];
    struct buf  out = { 0 };
    uint8_t     seq = 5;
    struct span row = SPAN("\3one\xfb\0");

    assert_true(row_text_decode(row, 3, cells));
    assert_true(span_equal(cells[0].bytes, SPAN("one")) && !cells[0].is_null);
    assert_true(cells[1].is_null);
    assert_true(cells[2].bytes.len == 0 && !cells[2].is_null);
    row_text_encode(&out, &seq, cells, 3);
    assert_true(span_equal(span_from(buf_unread(&out), PACKET_HEADER_BYTES), row));
    assert_int_equal(seq, 6);
    assert_false(row_text_decode(row, 2, cells));
    for (size_t len = 0; len < row.len; len++)
        assert_false(row_text_decode((struct span){ row.ptr, len }, 3, cells));
    buf_fini(&out);
}

static void
binary_rows(void **state)
{
    (void)state;
    struct column columns[9] = { 0 };
    struct cell   cells[9];
    struct buf    out = { 0 };
    uint8_t       seq = 0;
    /* Columns 0 and 7 are NULL: bits 2 and 9. */
    struct span   row = SPAN("\0\4\2" "\1" "\1\0" "\1\0\0\0" "\1\0\0\0\0\0\0\0" "\4\xe8\7\1\2"
                             "\3abc" "\0");
    static const uint8_t types[] = {
        MYSQL_TYPE_LONG,     MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT,  MYSQL_TYPE_LONG,
          MYSQL_TYPE_LONGLONG,
        MYSQL_TYPE_DATETIME, MYSQL_TYPE_BLOB, MYSQL_TYPE_STRING, MYSQL_TYPE_TIME,
    };
    for (size_t i = 0; i < countof(types); i++)
        columns[i].type = types[i];
    assert_true(row_binary_decode(row, columns, 9, cells));
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(cells[i].is_null, i == 0 || i == 7);
    assert_int_equal(cells[5].bytes.len, 4);
    assert_true(span_equal(cells[6].bytes, SPAN("abc")));
    assert_int_equal(cells[8].bytes.len, 0);
    row_binary_encode(&out, &seq, columns, cells, 9);
    assert_true(span_equal(span_from(buf_unread(&out), PACKET_HEADER_BYTES), row));
    for (size_t len = 0; len < row.len; len++)
        assert_false(row_binary_decode((struct span){ row.ptr, len }, columns, 9, cells));
    buf_fini(&out);
}

/* No column holds them, but a server may send any bytes. */
static void
reals_without_digits(void **state)
{
    struct buf out = { 0 };

    (void)state;
    float_to_text(&out, __builtin_nanf(""), NOT_FIXED_DEC);
    buf_append_byte(&out, ' ');
    double_to_text(&out, -__builtin_inf(), 2);
    assert_string_equal(buf_cstr(&out), "nan -inf");
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_both_ways),
        cmocka_unit_test(reals_without_digits), cmocka_unit_test(doubles_as_text),
        cmocka_unit_test(what_is_no_value), cmocka_unit_test(text_rows),
        cmocka_unit_test(binary_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
