/* test_command.c - commands, the parameters of executions, and literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/command.h"
#include "core/mysql/packet.h"

#define P(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define EXECUTE "\x17\1\0\0\0\0\1\0\0\0"

static void
small_commands(void **state)
{
    (void)state;
    struct field_list f;
    struct long_data  d;
    uint32_t          id, rows;
    bool              on;

    assert_true(command_id(SPAN("\x19\4\3\2\1"), &id));
    assert_int_equal(id, 0x01020304);
    assert_false(command_id(SPAN("\x19\4\3\2"), &id));
    assert_true(long_data_decode(SPAN("\x18\1\0\0\0\2\0abc"), &d));
    assert_int_equal(d.param, 2);
    assert_true(span_equal(d.bytes, SPAN("abc")));
    assert_true(long_data_decode(SPAN("\x18\1\0\0\0\2\0"), &d));
    assert_int_equal(d.bytes.len, 0);
    assert_false(long_data_decode(SPAN("\x18\1\0\0\0\2"), &d));
    assert_true(field_list_decode(SPAN("\4t\0a%"), &f));
    assert_true(span_equal(f.table, SPAN("t")) && span_equal(f.wildcard, SPAN("a%")));
    assert_true(field_list_decode(SPAN("\4t"), &f));
    assert_int_equal(f.wildcard.len, 0);
    assert_false(field_list_decode(SPAN("\4"), &f));
    assert_true(fetch_decode(SPAN("\x1c\1\0\0\0\x0a\0\0\0"), &id, &rows));
    assert_int_equal(rows, 10);
    assert_true(set_option_decode(SPAN("\x1b\0\0"), &on) && on);
    assert_true(set_option_decode(SPAN("\x1b\1\0"), &on) && !on);
    assert_false(set_option_decode(SPAN("\x1b\2\0"), &on));
    assert_false(set_option_decode(SPAN("\x1b\0"), &on));
    assert_string_equal(command_name(COM_STMT_EXECUTE), "COM_STMT_EXECUTE");
    assert_string_equal(command_name(0x20), "unknown");
    assert_string_equal(type_name(MYSQL_TYPE_GEOMETRY), "MYSQL_TYPE_GEOMETRY");
    assert_string_equal(type_name(100), "unknown");
}

static void
encoders(void **state)
{
    (void)state;
    struct buf out = { 0 };

    command_encode(&out, COM_PING);
    command_text_encode(&out, COM_QUERY, SPAN("DO 1"));
    command_id_encode(&out, COM_STMT_CLOSE, 0x01020304);
    fetch_encode(&out, 1, 2);
    assert_true(span_equal(buf_unread(&out), SPAN("\1\0\0\0\x0e"
                                                  "\5\0\0\0\3" "DO 1"
                                                  "\5\0\0\0\x19\4\3\2\1"
                                                  "\x09\0\0\0\x1c\1\0\0\0\2\0\0\0")));
    buf_fini(&out);
}

/* Two parameters each. */
static const struct {
    const char *name;
    struct span payload;
    bool        good;
    size_t      len[2];
    bool        is_null[2];
} executions[] = {
    { "numbers", P(EXECUTE "\0\1" "\3\0\x08\x80" "\1\0\0\0" "\1\0\0\0\0\0\0\0"), true, { 4, 8 },
      { 0 } },
    { "text", P(EXECUTE "\0\1" "\xfd\0\xfe\0" "\3abc" "\0"), true, { 3, 0 }, { 0 } },
    { "times", P(EXECUTE "\0\1" "\x0c\0\x0b\0" "\7\xe8\7\2\1\1\2\3" "\0"), true, { 7, 0 }, { 0 } },
    { "a NULL", P(EXECUTE "\1\1" "\3\0\1\0" "\1"), true, { 0, 1 }, { 1, 0 } },
    { "NULL type", P(EXECUTE "\0\1" "\6\0\1\0" "\1"), true, { 0, 1 }, { 1, 0 } },
    { "all NULL", P(EXECUTE "\3\1" "\3\0\1\0"), true, { 0, 0 }, { 1, 1 } },
    { "never bound", P(EXECUTE "\0\0" "\1\0\0\0" "\1"), false, { 0 }, { 0 } },
    { "number cut", P(EXECUTE "\0\1" "\3\0\3\0" "\1\0\0\0" "\1\0\0"), false, { 0 }, { 0 } },
    { "text cut", P(EXECUTE "\0\1" "\xfd\0\xfe\0" "\3abc" "\1"), false, { 0 }, { 0 } },
    { "types cut", P(EXECUTE "\0\1" "\3\0\3"), false, { 0 }, { 0 } },
    { "odd time", P(EXECUTE "\0\1" "\x0c\0\1\0" "\5\xe8\7\2\1\1" "\1"), false, { 0 }, { 0 } },
    { "unknown type", P(EXECUTE "\0\1" "\x20\0\1\0" "\1" "\1"), false, { 0 }, { 0 } },
    { "head cut", P("\x17\1\0\0\0\0\1\0\0"), false, { 0 }, { 0 } },
};

static void
executions_of_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(executions); i++) {
        uint16_t           types[2] = { PARAM_UNBOUND, PARAM_UNBOUND }, again[2];
        struct execute     e;
        struct param_value p[2], q[2];
        struct buf         out = { 0 };

        print_message("  %s\n", executions[i].name);
        bool good = execute_decode(executions[i].payload, 2, types, NULL, &e, p);
        assert_int_equal(good, executions[i].good);
        assert_int_equal(types[0] == PARAM_UNBOUND, !good);
        if (!good)
            continue;
        execute_encode(&out, 99, CURSOR_TYPE_READ_ONLY, p, 2);
        memset(again, 0x7f, sizeof(again));
        struct span payload = span_from(buf_unread(&out), PACKET_HEADER_BYTES);
        assert_true(execute_decode(payload, 2, again, NULL, &e, q));
        assert_int_equal(e.statement_id, 99);
        assert_int_equal(e.flags, CURSOR_TYPE_READ_ONLY);
        assert_int_equal(e.iterations, 1);
        for (size_t n = 0; n < 2; n++) {
            assert_int_equal(p[n].bytes.len, executions[i].len[n]);
            assert_int_equal(p[n].is_null, executions[i].is_null[n]);
            assert_int_equal(types[n], again[n]);
            assert_int_equal(p[n].is_null, q[n].is_null);
            assert_true(p[n].is_null || span_equal(p[n].bytes, q[n].bytes));
        }
        buf_fini(&out);
    }
}

static void
types_and_long_data_are_remembered(void **state)
{
    (void)state;
    uint16_t           types[2] = { PARAM_UNBOUND, PARAM_UNBOUND };
    struct execute     e;
    struct param_value p[2];
    struct buf         out = { 0 };
    struct span        long_data[2] = { { 0 }, SPAN("long") };

    assert_true(execute_decode(SPAN(EXECUTE "\0\1\1\0\xfc\0\7"), 2, types, long_data, &e, p));
    assert_true(e.bound);
    assert_true(span_equal(p[1].bytes, SPAN("long")));
    assert_true(execute_decode(SPAN(EXECUTE "\0\0\x08\1x"), 2, types, NULL, &e, p));
    assert_false(e.bound);
    assert_int_equal(p[0].type, MYSQL_TYPE_TINY);
    assert_int_equal(p[0].bytes.ptr[0], 8);
    assert_true(span_equal(p[1].bytes, SPAN("x")));
    /* Long data for a number is text; it travels as text. */
    long_data[0] = SPAN("12");
    assert_true(execute_decode(SPAN(EXECUTE "\0\0"), 2, types, long_data, &e, p));
    execute_encode(&out, 1, 0, p, 2);
    assert_true(span_equal(span_from(buf_unread(&out), 4),
                           SPAN(EXECUTE "\0\1\xfd\0\xfc\0\2" "12" "\4long")));
    assert_true(execute_decode(SPAN(EXECUTE), 0, NULL, NULL, &e, NULL));
    buf_fini(&out);
}

enum { UTF8 = 45, GBK = 28, SJIS = 13, BIG5_NOPAD = 1025 };

static const struct {
    const char        *name;
    struct param_value param;
    const char        *literal; /* NULL: refused */
    struct literal_mode mode;
} literals[] = {
#define L(type, is_unsigned, s) { MYSQL_TYPE_##type, is_unsigned, false, P(s) }
    { "NULL", { MYSQL_TYPE_LONG, false, true, { NULL, 0 } }, "NULL", { UTF8, 0 } },
    { "negative", L(TINY, 0, "\xfb"), "-5", { UTF8, 0 } },
    { "unsigned", L(TINY, 1, "\xfb"), "251", { UTF8, 0 } },
    { "short", L(SHORT, 0, "\0\x80"), "-32768", { UTF8, 0 } },
    { "long", L(LONG, 0, "\xff\xff\xff\xff"), "-1", { UTF8, 0 } },
    { "least", L(LONGLONG, 0, "\0\0\0\0\0\0\0\x80"), "-9223372036854775808", { UTF8, 0 } },
    { "most", L(LONGLONG, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615", { UTF8,
      0 } },
    { "number cut", L(LONG, 0, "\1"), NULL, { UTF8, 0 } },
    { "double", L(DOUBLE, 0, "\x9a\x99\x99\x99\x99\x99\xb9\x3f"), "1.0000000000000001e-01", { UTF8,
      0 } },
    { "float", L(FLOAT, 0, "\0\0\0\x3f"), "5.0000000000000000e-01", { UTF8, 0 } },
    { "NaN", L(DOUBLE, 0, "\0\0\0\0\0\0\xf8\x7f"), NULL, { UTF8, 0 } },
    { "infinity", L(FLOAT, 0, "\0\0\x80\x7f"), NULL, { UTF8, 0 } },
    { "decimal", L(NEWDECIMAL, 0, "-123.4500"), "-123.4500", { UTF8, 0 } },
    { "whole decimal", L(NEWDECIMAL, 0, "7"), "7.", { UTF8, 0 } },
    { "fraction", L(NEWDECIMAL, 0, ".5"), ".5", { UTF8, 0 } },
    { "decimal with exponent", L(NEWDECIMAL, 0, "1e5"), NULL, { UTF8, 0 } },
    { "decimal injection", L(NEWDECIMAL, 0, "1 OR 1"), NULL, { UTF8, 0 } },
    { "only a point", L(NEWDECIMAL, 0, "."), NULL, { UTF8, 0 } },
    { "only a sign", L(NEWDECIMAL, 0, "-"), NULL, { UTF8, 0 } },
    { "date", L(DATE, 0, "\xe8\7\2\x1d"), "DATE'2024-02-29'", { UTF8, 0 } },
    { "zero date", L(DATE, 0, ""), "DATE'0000-00-00'", { UTF8, 0 } },
    { "month 13", L(DATE, 0, "\xe8\7\x0d\1"), NULL, { UTF8, 0 } },
    { "datetime", L(DATETIME, 0, "\xe8\7\2\x1d\1\2\3"), "TIMESTAMP'2024-02-29 01:02:03'", { UTF8,
      0 } },
    { "micros", L(DATETIME, 0, "\xe8\7\2\x1d\1\2\3\7\0\0\0"),
      "TIMESTAMP'2024-02-29 01:02:03.000007'",
      { UTF8, 0 } },
    { "time", L(TIME, 0, "\1\2\0\0\0\3\4\5"), "TIME'-51:04:05'", { UTF8, 0 } },
    { "long time", L(TIME, 0, "\0\x23\0\0\0\0\0\0"), NULL, { UTF8, 0 } },
    { "text", L(VAR_STRING, 0, "it's \\ \"q\""), "'it''s \\\\ \"q\"'", { UTF8, 0 } },
    { "text, no escapes", L(VAR_STRING, 0, "it's \\"), "'it''s \\'", { UTF8, 1 } },
    { "empty", L(STRING, 0, ""), "''", { UTF8, 0 } },
    { "blob", L(BLOB, 0, "\\'"), "_binary'\\\\'''", { UTF8, 0 } },
    { "two bytes of GBK", L(STRING, 0, "\xd5\x5c'"), "'\xd5\x5c'''", { GBK, 0 } },
    { "same in UTF-8", L(STRING, 0, "\xd5\x5c'"), "'\xd5\x5c\x5c'''", { UTF8, 0 } },
    { "lead and quote in GBK", L(STRING, 0, "\xd5'"), "'\xd5'''", { GBK, 0 } },
    { "lead at the end", L(STRING, 0, "\xd5"), "'\xd5'", { GBK, 0 } },
    { "two bytes of SJIS", L(STRING, 0, "\x83\x5c"), "'\x83\x5c'", { SJIS, 0 } },
    { "half width in SJIS", L(STRING, 0, "\xb1\x5c"), "'\xb1\x5c\x5c'", { SJIS, 0 } },
    { "two bytes of BIG5", L(STRING, 0, "\xa5\x5c"), "'\xa5\x5c'", { BIG5_NOPAD, 0 } },
    { "bit", L(BIT, 0, "\1"), NULL, { UTF8, 0 } },
};

static void
literals_of_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(literals); i++) {
        struct buf out = { 0 };

        print_message("  %s\n", literals[i].name);
        buf_append_text(&out, "=");
        bool said = param_literal(&out, &literals[i].param, &literals[i].mode);
        assert_int_equal(said, literals[i].literal != NULL);
        assert_string_equal(buf_cstr(&out) + 1, said ? literals[i].literal : "");
        buf_fini(&out);
    }
}

static void
identifiers_and_integers(void **state)
{
    (void)state;
    struct buf           out = { 0 };
    struct param_integer n;
    struct param_value   p = { MYSQL_TYPE_LONGLONG, false, false, P("\0\0\0\0\0\0\0\x80") };

    literal_identifier(&out, SPAN("a`b"));
    assert_string_equal(buf_cstr(&out), "`a``b`");
    buf_clear(&out);
    /* An escaped NUL would give the unfinished GBK character a second byte. */
    literal_quote(&out, SPAN("\xd5\0'"), &(struct literal_mode){ .charset = GBK });
    assert_true(span_equal(buf_unread(&out), SPAN("'\xd5\0'''")));
    buf_fini(&out);
    assert_true(param_integer(&p, &n));
    assert_true(n.negative && n.magnitude == UINT64_C(1) << 63);
    p.is_unsigned = true;
    assert_true(param_integer(&p, &n));
    assert_true(!n.negative && n.magnitude == UINT64_C(1) << 63);
    p.is_null = true;
    assert_false(param_integer(&p, &n));
    p = (struct param_value){ MYSQL_TYPE_STRING, false, false, P("12345678") };
    assert_false(param_integer(&p, &n));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_commands),
        cmocka_unit_test(encoders),
        cmocka_unit_test(executions_of_clients),
        cmocka_unit_test(types_and_long_data_are_remembered),
        cmocka_unit_test(literals_of_parameters),
        cmocka_unit_test(identifiers_and_integers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
