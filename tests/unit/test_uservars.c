/* test_uservars.c - user variables as literals that make them again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "core/mysql/protocol.h"
#include "workers/query/uservars.h"

/* What a server says of a variable, and what makes it again; NULL: nothing does. */
static const struct {
    uint8_t     type;
    uint16_t    flags;
    const char *charset, *collation, *value, *says;
} cases[] = {
    { MYSQL_TYPE_LONGLONG, 0, "binary", "binary", "-7", "SET @`v` = CAST(-7 AS SIGNED)" },
    { MYSQL_TYPE_LONGLONG, UNSIGNED_FLAG, "binary", "binary", "7",
      "SET @`v` = CAST(7 AS UNSIGNED)" },
    { MYSQL_TYPE_LONGLONG, 0, "binary", "binary", NULL, "SET @`v` = CAST(NULL AS SIGNED)" },
    { MYSQL_TYPE_DOUBLE, 0, "binary", "binary", "0.1", "SET @`v` = 0.1e0" },
    { MYSQL_TYPE_DOUBLE, 0, "binary", "binary", "1e300", "SET @`v` = 1e300" },
    { MYSQL_TYPE_DOUBLE, 0, "binary", "binary", NULL, "SET @`v` = CAST(NULL AS DOUBLE)" },
    { MYSQL_TYPE_NEWDECIMAL, 0, "binary", "binary", "1.50",
      "SET @`v` = CAST(1.50 AS DECIMAL(65,2))" },
    { MYSQL_TYPE_NEWDECIMAL, 0, "binary", "binary", "5", "SET @`v` = CAST(5 AS DECIMAL(65,0))" },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf8mb4", "utf8mb4_bin", "\xc3\xa9",
      "SET @`v` = _utf8mb4 x'c3a9' COLLATE utf8mb4_bin" },
    { MYSQL_TYPE_LONG_BLOB, 0, "latin1", "latin1_swedish_ci", "\xe9",
      "SET @`v` = _latin1 x'e9' COLLATE latin1_swedish_ci" },
    { MYSQL_TYPE_LONG_BLOB, 0, "latin1", "latin1_bin", NULL,
      "SET @`v` = CAST(NULL AS CHAR CHARACTER SET latin1) COLLATE latin1_bin" },
    { MYSQL_TYPE_LONG_BLOB, 0, "binary", "binary", "\xff", "SET @`v` = _binary x'ff'" },
    { MYSQL_TYPE_LONG_BLOB, 0, "binary", "binary", NULL, "" }, /* as never set */
    { MYSQL_TYPE_LONG_BLOB, 0, "utf8mb4", "utf8mb4_bin", "\xff", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf8mb4", "utf8mb4_bin", "\xed\xa0", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf8mb3", "utf8mb3_bin", "\xf0\x9f\x98\x80", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "sjis", "sjis_bin", "a", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "ucs2", "ucs2_bin", "a", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "ucs2", "ucs2_bin", "ab",
      "SET @`v` = _ucs2 x'6162' COLLATE ucs2_bin" },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf16", "utf16_bin", "\xd8\x3d\xde\x01",
      "SET @`v` = _utf16 x'd83dde01' COLLATE utf16_bin" },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf16", "utf16_bin", "\xd8\x3d" "ab", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf16le", "utf16le_bin", "\x01\xde", NULL },
    { MYSQL_TYPE_LONG_BLOB, 0, "utf32", "utf32_bin", "ab", NULL },
    { MYSQL_TYPE_NEWDECIMAL, 0, "binary", "binary",
      "123456789012345678901234567890123456789012345678901234567890.0000000001",
      "SET @`v` = 123456789012345678901234567890123456789012345678901234567890.0000000001" },
};

static bool
take(struct uservars *v, const char *name, size_t i)
{
    struct buf    list                     = { 0 };
    struct column columns[USERVAR_COLUMNS] = { { .type = cases[i].type, .flags = cases[i].flags } };
    struct cell   cells[USERVAR_COLUMNS]   = {
        { .is_null = true }, { .bytes = span_of(cases[i].charset) },
        { .bytes = span_of(cases[i].collation) }, { .is_null = cases[i].value == NULL },
    };
    char          text[32];

    if (cases[i].value != NULL)
        cells[3].bytes = span_of(cases[i].value);
    snprintf(text, sizeof(text), "SELECT @%s", name);
    uservars_names(span_of(text), (struct lex_options){ 0 }, &list);
    bool exact = uservars_take(v, buf_unread(&list), columns, cells);
    buf_fini(&list);
    return exact;
}

static void
test_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct uservars v;
        struct buf      said = { 0 };
        uservars_init(&v);
        assert_int_equal(take(&v, "v", i), cases[i].says != NULL);
        uservars_say(&v, 0, &said);
        buf_append_byte(&said, 0);
        assert_string_equal((const char *)buf_unread(&said).ptr,
                            cases[i].says != NULL ? cases[i].says : "");
        buf_fini(&said);
        uservars_clear(&v);
    }
}

static void
test_only_what_is_new(void **state)
{
    struct uservars  v;
    struct buf       said = { 0 };
    struct key_value value;

    (void)state;
    uservars_init(&v);
    assert_true(take(&v, "a", 0) && take(&v, "b", 1));
    uint64_t then = v.version;
    assert_true(take(&v, "A", 0)); /* the same again */
    uservars_say(&v, then, &said);
    assert_int_equal(buf_len(&said), 0);
    assert_true(take(&v, "A", 1)); /* the same name */
    uservars_say(&v, then, &said);
    assert_true(span_equal(buf_unread(&said), SPAN("SET @`A` = CAST(7 AS UNSIGNED)")));
    assert_int_equal(v.n, 2);
    uservars_value(&v, SPAN("a"), &value);
    assert_int_equal(value.kind, KEY_VALUE_INT);
    assert_true(span_equal(value.bytes, SPAN("7")));
    uservars_value(&v, SPAN("c"), &value);
    assert_int_equal(value.kind, KEY_VALUE_NULL);
    buf_fini(&said);
    uservars_clear(&v);
}

static void
test_names(void **state)
{
    struct buf  list = { 0 };
    struct span rest, name;
    size_t      n = 0;

    (void)state;
    uservars_names(SPAN("SELECT @a, @`b c`, '@no', @A, @'d' -- @e"), (struct lex_options){ 0 },
                   &list);
    for (rest = buf_unread(&list); uservars_next(&rest, &name); n++)
        assert_true(span_equal(name, n == 0 ? SPAN("a") : n == 1 ? SPAN("b c") : SPAN("d")));
    assert_int_equal(n, 3);
    buf_fini(&list);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_only_what_is_new),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
