/* test_http_json.c - answers as documents: values, several results, errors at any place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "core/mysql/row.h"
#include "workers/http_json.h"

static struct buf            wire, document;
static struct json_answer    answer;
static struct result_reader  reader;
static uint8_t               seq;
static const uint64_t        caps = CLIENT_PROTOCOL_41 | CLIENT_DEPRECATE_EOF;

static void
begin(void)
{
    buf_clear(&wire);
    buf_clear(&document);
    seq = 1;
    result_init(&reader, RESULT_QUERY, caps);
    json_answer_begin(&answer, caps, false);
}

/* What the server said becomes the document. False: some of it was refused. */
static bool
add_all(void)
{
    struct result_message m;
    struct buf            joined = { 0 };
    bool                  ok     = true;

    while (ok && buf_len(&wire) > 0) {
        assert_int_equal(result_next(&reader, buf_unread(&wire), SIZE_MAX, &joined, &m),
                         PACKET_OK);
        ok = json_answer_add(&answer, &document, &reader, &m);
        buf_consume(&wire, m.message.used);
    }
    buf_fini(&joined);
    return ok;
}

static void
say_columns(const struct column *columns, size_t n)
{
    reply_column_count_encode(&wire, &seq, caps, n);
    for (size_t i = 0; i < n; i++)
        reply_column_encode(&wire, &seq, caps, &columns[i]);
}

static void
say_end(bool more)
{
    struct ok ok = { .status = more ? SERVER_MORE_RESULTS_EXISTS : 0, .warnings = 3 };

    reply_end_encode(&wire, &seq, caps, &ok);
}

static void
is_document(const struct sql_error *error, const char *text)
{
    json_answer_end(&answer, &document, error);
    assert_string_equal(buf_cstr(&document), text);
}

static const struct {
    struct column column;
    const char   *text, *type, *json;
} values[] = {
    { { .type = MYSQL_TYPE_LONG }, "-5", "\"INT\"", "-5" },
    { { .type = MYSQL_TYPE_LONG, .flags = UNSIGNED_FLAG | ZEROFILL_FLAG }, "0000000007",
      "\"INT\",\"unsigned\":true", "7" },
    { { .type = MYSQL_TYPE_LONGLONG }, "9007199254740992", "\"BIGINT\"", "9007199254740992" },
    { { .type = MYSQL_TYPE_LONGLONG }, "9007199254740993", "\"BIGINT\"", "\"9007199254740993\"" },
    { { .type = MYSQL_TYPE_LONGLONG }, "-9007199254740993", "\"BIGINT\"",
      "\"-9007199254740993\"" },
    { { .type = MYSQL_TYPE_DOUBLE }, "-1.5e-7", "\"DOUBLE\"", "-1.5e-7" },
    { { .type = MYSQL_TYPE_FLOAT }, "0001.50", "\"FLOAT\"", "1.50" },
    { { .type = MYSQL_TYPE_DOUBLE }, "nan", "\"DOUBLE\"", "\"nan\"" },
    { { .type = MYSQL_TYPE_NEWDECIMAL }, "1.50", "\"DECIMAL\"", "\"1.50\"" },
    { { .type = MYSQL_TYPE_VAR_STRING, .charset = 45 }, "a\"\\\n\x01\xc3\xa4", "\"VARCHAR\"",
      "\"a\\\"\\\\\\n\\u0001\xc3\xa4\"" },
    { { .type = MYSQL_TYPE_VAR_STRING, .charset = 45 }, "\xff\xed\xa0\x80x", "\"VARCHAR\"",
      "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"" },
    { { .type = MYSQL_TYPE_BLOB, .charset = 63 }, "\xff\x01", "\"BLOB\",\"encoding\":\"base64\"",
      "\"/wE=\"" },
    { { .type = MYSQL_TYPE_STRING, .charset = 45, .flags = ENUM_FLAG }, "one", "\"ENUM\"",
      "\"one\"" },
    { { .type = MYSQL_TYPE_BIT, .charset = 63 }, "\x01\x02", "\"BIT\"", "258" },
    { { .type = MYSQL_TYPE_YEAR, .flags = ZEROFILL_FLAG | UNSIGNED_FLAG }, "2024",
      "\"YEAR\",\"unsigned\":true", "2024" },
    { { .type = MYSQL_TYPE_LONG }, NULL, "\"INT\"", "null" },
};

static void
values_keep_what_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(values); i++) {
        struct column column = values[i].column;
        struct cell   cell   = { span_of(values[i].text), values[i].text == NULL };
        char          text[400];

        begin();
        column.name = SPAN("v");
        say_columns(&column, 1);
        row_text_encode(&wire, &seq, &cell, 1);
        say_end(false);
        assert_true(add_all());
        snprintf(text, sizeof(text), "{\"columns\":[{\"name\":\"v\",\"type\":%s}],\"rows\":[[%s]],"
                 "\"warnings\":3}\n", values[i].type, values[i].json);
        is_document(NULL, text);
    }
}

static void
several_results_are_more(void **state)
{
    (void)state;
    struct column column = { .name = SPAN("v"), .type = MYSQL_TYPE_LONG };
    struct cell   cell   = { SPAN("1"), false };
    struct ok     ok     = { .affected_rows = 2, .insert_id = UINT64_MAX, .info = SPAN("i") };

    begin();
    for (int i = 0; i < 2; i++) {
        say_columns(&column, 1);
        row_text_encode(&wire, &seq, &cell, 1);
        row_text_encode(&wire, &seq, &cell, 1);
        say_end(true);
    }
    reply_ok_encode(&wire, &seq, caps, &ok);
    assert_true(add_all());
#define ROWS "\"columns\":[{\"name\":\"v\",\"type\":\"INT\"}],\"rows\":[[1],[1]],\"warnings\":3"
    is_document(NULL, "{" ROWS ",\"more\":[{" ROWS "},{\"affected_rows\":2,\"insert_id\":"
                "\"18446744073709551615\",\"warnings\":0,\"info\":\"i\"}]}\n");
}

/* Whatever was said before, the document is whole. */
static void
errors_end_a_document(void **state)
{
    (void)state;
    struct column    column = { .name = SPAN("v"), .type = MYSQL_TYPE_LONG };
    struct cell      cell   = { SPAN("1"), false };
    struct sql_error error;

    sql_error_set(&error, 1317, "a \"word\"");
#define ERROR "\"error\":{\"code\":1317,\"sqlstate\":\"70100\",\"message\":\"a \\\"word\\\"\"}}\n"
#define COLUMNS "{\"columns\":[{\"name\":\"v\",\"type\":\"INT\"}],\"rows\":["
    begin();
    is_document(&error, "{" ERROR);
    begin();
    say_columns(&column, 1);
    assert_true(add_all());
    is_document(&error, COLUMNS "]," ERROR);
    begin();
    say_columns(&column, 1);
    row_text_encode(&wire, &seq, &cell, 1);
    assert_true(add_all());
    is_document(&error, COLUMNS "[1]]," ERROR);
    begin();
    say_columns(&column, 1);
    say_end(true);
    assert_true(add_all());
    is_document(&error, COLUMNS "],\"warnings\":3," ERROR);
}

static void
malformed_rows_leave_nothing(void **state)
{
    (void)state;
    struct column column = { .name = SPAN("v"), .type = MYSQL_TYPE_LONG };
    struct cell   two[2] = { { SPAN("1"), false }, { SPAN("2"), false } };

    begin();
    say_columns(&column, 1);
    row_text_encode(&wire, &seq, two, 2);
    assert_false(add_all());
    is_document(NULL, COLUMNS "]}\n");
}

static int
forget(void **state)
{
    (void)state;
    buf_fini(&wire);
    buf_fini(&document);
    json_answer_fini(&answer);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_what_they_are),
        cmocka_unit_test(several_results_are_more),
        cmocka_unit_test(errors_end_a_document),
        cmocka_unit_test(malformed_rows_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
