/* test_reply.c - OK, ERR, EOF, PREPARE_OK and columns, and result sets of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/packet.h"
#include "core/mysql/reply.h"
#include "core/mysql/result.h"
#include "core/mysql/result_writer.h"
#include "core/mysql/row.h"

#define P(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define TRACK (CLIENT_PROTOCOL_41 | CLIENT_SESSION_TRACK)

static const struct {
    const char *name;
    struct span payload;
    uint64_t    capabilities;
    bool        good;
    struct ok   ok;
} oks[] = {
    { "smallest", P("\0\0\0\2\0\0\0"), 0, true, { 0, 0, 2, 0, P(""), P("") } },
    { "wide numbers", P("\0\xfc\1\1\xfd\1\0\1\2\0\3\0"), 0, true, { 257, 65537, 2, 3, P(""),
      P("") } },
    { "info with a length", P("\0\1\0\2\0\0\0\4info"), 0, true, { 1, 0, 2, 0, P("info"), P("") } },
    { "info without", P("\0\1\0\2\0\0\0info"), 0, true, { 1, 0, 2, 0, P("info"), P("") } },
    { "info, tracking", P("\0\1\0\2\0\0\0\4info"), TRACK, true, { 1, 0, 2, 0, P("info"), P("") } },
    { "track", P("\0\0\0\2\x40\0\0\0\4\1\2\1d"), TRACK, true,
      { 0, 0, 0x4002, 0, P(""), P("\1\2\1d") } },
    { "end of rows", P("\xfe\0\0\2\0\0\0"), 0, true, { 0, 0, 2, 0, P(""), P("") } },
    { "cut", P("\0\0\0\2\0\0"), 0, false, { 0 } },
    { "info cut", P("\0\0\0\2\0\0\0\5info"), TRACK, false, { 0 } },
    { "track missing", P("\0\0\0\2\x40\0\0\0"), TRACK, false, { 0 } },
    { "an error", P("\xff\0\0\2\0\0\0"), 0, false, { 0 } },
    { "nothing", P(""), 0, false, { 0 } },
};

static void
ok_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(oks); i++) {
        struct ok got;

        print_message("  %s\n", oks[i].name);
        assert_int_equal(reply_ok_decode(oks[i].payload, oks[i].capabilities, &got), oks[i].good);
        if (!oks[i].good)
            continue;
        assert_int_equal(got.affected_rows, oks[i].ok.affected_rows);
        assert_int_equal(got.insert_id, oks[i].ok.insert_id);
        assert_int_equal(got.status, oks[i].ok.status);
        assert_int_equal(got.warnings, oks[i].ok.warnings);
        assert_true(span_equal(got.info, oks[i].ok.info));
        assert_true(span_equal(got.track, oks[i].ok.track));
    }
}

static struct span
payload_of(const struct buf *out)
{
    return span_from(buf_unread(out), PACKET_HEADER_BYTES);
}

static void
ok_packets_survive(void **state)
{
    (void)state;
    static const uint64_t caps[] = { CLIENT_PROTOCOL_41, TRACK };
    struct ok in = { 7, UINT64_MAX, SERVER_STATUS_AUTOCOMMIT, 9, SPAN("x"), SPAN("\1\2\1d") }, got;

    for (size_t i = 0; i < countof(caps); i++) {
        struct buf  out = { 0 };
        uint8_t     seq = 1, kind;
        struct span data;

        reply_ok_encode(&out, &seq, caps[i], &in);
        assert_true(reply_ok_decode(payload_of(&out), caps[i], &got));
        assert_true(got.insert_id == UINT64_MAX && got.affected_rows == 7);
        assert_true(span_equal(got.info, SPAN("x")));
        assert_int_equal(got.status, caps[i] == TRACK ? 0x4002 : 2);
        assert_int_equal(track_next(&got.track, &kind, &data), caps[i] == TRACK);
        if (caps[i] == TRACK) {
            assert_int_equal(kind, SESSION_TRACK_SCHEMA);
            assert_true(span_equal(data, SPAN("\1d")));
            assert_false(track_next(&got.track, &kind, &data));
        }
        buf_fini(&out);
    }
}

static void
err_packets(void **state)
{
    (void)state;
    static const struct {
        struct span payload;
        bool        good;
        uint16_t    code;
        const char *sqlstate, *message;
    } cases[] = {
        { P("\xff\x7a\4#42S02No such table"), true, 1146, "42S02", "No such table" },
        { P("\xff\x10\4Too many connections"), true, 1040, "08004", "Too many connections" },
        { P("\xff\x10\4#0800"), true, 1040, "08004", "#0800" },
        { P("\xff\x10\4#08004"), true, 1040, "08004", "" },
        { P("\xff\x10\4"), true, 1040, "08004", "" },
        { P("\xff\x10"), false, 0, "", "" },
        { P("\0\x10\4"), false, 0, "", "" },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct sql_error got = { 0 };
        struct buf       out = { 0 };
        uint8_t          seq = 3;

        assert_int_equal(reply_err_decode(cases[i].payload, &got), cases[i].good);
        assert_int_equal(got.code, cases[i].code);
        assert_string_equal(got.sqlstate, cases[i].sqlstate);
        assert_string_equal(got.message, cases[i].message);
        if (i == 0) {
            reply_err_encode(&out, &seq, CLIENT_PROTOCOL_41, &got);
            assert_true(span_equal(payload_of(&out), cases[i].payload));
            buf_clear(&out);
            reply_err_encode(&out, &seq, 0, &got);
            assert_true(span_equal(payload_of(&out), SPAN("\xff\x7a\4No such table")));
        }
        buf_fini(&out);
    }
}

/* Connector/C ends the connection when a server sends a code of the client's library. */
static void
codes_of_libraries_are_not_sent(void **state)
{
    (void)state;
    static const uint16_t codes[][2] = {
        { 1999, 1999 }, { 2000, 1105 }, { 2013, 1105 }, { 2999, 1105 }, { 3000, 3000 },
        { 4999, 4999 }, { 5000, 1105 }, { 5999, 1105 }, { 6000, 6000 },
    };
    for (size_t i = 0; i < countof(codes); i++) {
        struct sql_error error = { .code = codes[i][0], .sqlstate = "HY000" };
        struct buf       out   = { 0 };
        uint8_t          seq   = 0;

        reply_err_encode(&out, &seq, CLIENT_PROTOCOL_41, &error);
        assert_true(reply_err_decode(payload_of(&out), &error));
        assert_int_equal(error.code, codes[i][1]);
        buf_fini(&out);
    }
}

static void
a_long_message_is_cut(void **state)
{
    (void)state;
    struct sql_error got;
    uint8_t          payload[1000];

    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "\xff\1\1#HY000", 9);
    assert_true(reply_err_decode((struct span){ payload, sizeof(payload) }, &got));
    assert_int_equal(strlen(got.message), sizeof(got.message) - 1);
}

static void
eof_and_prepare_ok(void **state)
{
    (void)state;
    struct buf        out = { 0 };
    struct eof        eof = { 3, 0x22 }, eof_got;
    struct prepare_ok ok  = { 0x01020304, 5, 6, 7 }, got;
    uint8_t           seq = 0;

    reply_eof_encode(&out, &seq, &eof);
    assert_true(reply_eof_decode(payload_of(&out), &eof_got));
    assert_int_equal(eof_got.warnings, 3);
    assert_int_equal(eof_got.status, 0x22);
    assert_false(reply_eof_decode(SPAN("\xfe\0\0\2"), &eof_got));
    assert_false(reply_eof_decode(SPAN("\xfe\0\0\2\0\0"), &eof_got));
    buf_clear(&out);
    reply_prepare_encode(&out, &seq, &ok);
    assert_true(reply_prepare_decode(payload_of(&out), &got));
    assert_int_equal(got.statement_id, 0x01020304);
    assert_int_equal(got.n_columns, 5);
    assert_int_equal(got.n_params, 6);
    assert_int_equal(got.warnings, 7);
    assert_false(reply_prepare_decode((struct span){ payload_of(&out).ptr, 11 }, &got));
    buf_fini(&out);
}

static void
columns_survive(void **state)
{
    (void)state;
    static const uint64_t caps[] = { 0, MARIADB_CLIENT_EXTENDED_METADATA };
    struct column in = {
        .schema = SPAN("db"), .table = SPAN("t"), .org_table = SPAN("table"), .name = SPAN("c"),
        .org_name = SPAN("col"), .extended = SPAN("\1\4json"), .charset = 45, .length = 1020,
        .type = MYSQL_TYPE_BLOB, .flags = NOT_NULL_FLAG | BLOB_FLAG, .decimals = 6,
    }, got;

    for (size_t i = 0; i < countof(caps); i++) {
        struct buf out = { 0 };
        uint8_t    seq = 0;

        reply_column_encode(&out, &seq, caps[i], &in);
        struct span payload = payload_of(&out);
        assert_true(reply_column_decode(payload, caps[i], &got));
        assert_true(span_equal(got.catalog, SPAN("def")) && span_equal(got.schema, in.schema));
        assert_true(span_equal(got.table, in.table) && span_equal(got.org_table, in.org_table));
        assert_true(span_equal(got.name, in.name) && span_equal(got.org_name, in.org_name));
        assert_int_equal(got.charset, 45);
        assert_int_equal(got.length, 1020);
        assert_int_equal(got.type, MYSQL_TYPE_BLOB);
        assert_int_equal(got.flags, in.flags);
        assert_int_equal(got.decimals, 6);
        assert_false(got.has_default);
        assert_true(span_equal(column_format(&got), caps[i] ? SPAN("json") : SPAN("")));
        for (size_t len = 0; len + 2 < payload.len; len++)
            assert_false(reply_column_decode((struct span){ payload.ptr, len }, caps[i], &got));
        buf_append_text(&out, "\3abc");
        assert_true(reply_column_decode(payload_of(&out), caps[i], &got));
        assert_true(got.has_default && span_equal(got.default_value, SPAN("abc")));
        buf_fini(&out);
    }
}

static void
a_result_set_of_our_own(void **state)
{
    (void)state;
    static const struct result_column columns[] = {
        { "name", MYSQL_TYPE_VAR_STRING, 0 }, { "n", MYSQL_TYPE_LONGLONG, 0 },
    };
    static const uint64_t caps[] = {
        0, CLIENT_DEPRECATE_EOF, MARIADB_CLIENT_CACHE_METADATA | MARIADB_CLIENT_EXTENDED_METADATA,
    };
    for (size_t i = 0; i < countof(caps); i++) {
        struct buf            out = { 0 };
        uint8_t               seq = 1;
        struct result_writer  w;
        struct result_reader  r;
        size_t                used;

        result_writer_begin(&w, &out, &seq, caps[i], columns, countof(columns));
        result_writer_text(&w, SPAN("one"));
        result_writer_number(&w, -1);
        result_writer_null(&w);
        result_writer_number(&w, INT64_MIN);
        result_writer_end(&w, SERVER_STATUS_AUTOCOMMIT, 4);
        result_init(&r, RESULT_QUERY, caps[i]);
        assert_int_equal(result_feed(&r, buf_unread(&out), &used), RESULT_DONE);
        assert_int_equal(used, buf_len(&out));
        assert_int_equal(r.n_rows, 2);
        assert_int_equal(r.n_columns, 2);
        assert_int_equal(r.warnings, 4);
        assert_int_equal(r.next_seq, seq);
        buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_packets),            cmocka_unit_test(ok_packets_survive),
        cmocka_unit_test(err_packets),           cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(codes_of_libraries_are_not_sent),
        cmocka_unit_test(eof_and_prepare_ok),    cmocka_unit_test(columns_survive),
        cmocka_unit_test(a_result_set_of_our_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
