/* test_sql_mode.c - the words of sql_mode, and which of them say how a text reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/sql/reading.h"
#include "core/sql/sql_mode.h"

static void
words_are_whole(void **state)
{
    (void)state;
    struct span list = SPAN("ansi_quotes,STRICT_ALL_TABLES");

    assert_true(sql_mode_has(list, "ANSI_QUOTES"));
    assert_true(sql_mode_has(list, "STRICT_ALL_TABLES"));
    assert_false(sql_mode_has(list, "ANSI"));
    assert_false(sql_mode_has(list, "TABLES"));
    assert_false(sql_mode_has(SPAN(""), "ANSI"));
    assert_false(sql_mode_has((struct span){ 0 }, "ANSI"));
}

static const struct {
    const char           *wanted, *reads;
    enum sql_mode_reading how;
    const char           *merged; /* NULL: not asked for */
} rows[] = {
    { "", "", SQL_MODE_ALIKE, "" },
    { "STRICT_ALL_TABLES", "", SQL_MODE_ALIKE, "STRICT_ALL_TABLES" },
    { "ANSI_QUOTES", "NO_ZERO_DATE,ANSI_QUOTES", SQL_MODE_ALIKE, "ANSI_QUOTES" },
    { "ANSI_QUOTES,NO_ZERO_DATE", "", SQL_MODE_OTHER, "NO_ZERO_DATE" },
    { "", "ANSI_QUOTES,NO_ZERO_DATE", SQL_MODE_OTHER, "ANSI_QUOTES" },
    { "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI", "STRICT_ALL_TABLES",
      SQL_MODE_OTHER, "" },
    { "NO_ZERO_DATE", "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI",
      SQL_MODE_OTHER,
      "NO_ZERO_DATE,REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI" },
    { "NO_BACKSLASH_ESCAPES", "EMPTY_STRING_IS_NULL", SQL_MODE_OTHER, "EMPTY_STRING_IS_NULL" },
    { "PIPES_AS_CONCAT,ORACLE", "", SQL_MODE_DIALECT, NULL },
    { "", "MSSQL", SQL_MODE_DIALECT, NULL },
    { "ORACLE,NO_ZERO_DATE", "ORACLE", SQL_MODE_ALIKE, NULL },
};

static void
reading_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct span wanted = span_of(rows[i].wanted), reads = span_of(rows[i].reads);
        struct buf  out    = { 0 };

        assert_int_equal(sql_mode_compare(wanted, reads), rows[i].how);
        assert_int_equal(sql_mode_compare(reads, wanted), rows[i].how);
        if (rows[i].merged == NULL)
            continue;
        sql_mode_merge(wanted, reads, &out);
        assert_string_equal(buf_cstr(&out), rows[i].merged);
        buf_fini(&out);
    }
}

static void
bits_are_words(void **state)
{
    (void)state;
    struct buf out = { 0 };

    assert_int_equal(sql_mode_reading(SPAN("")), 0);
    assert_int_equal(sql_mode_reading(SPAN("ansi_quotes,STRICT_ALL_TABLES,IGNORE_SPACE")),
                     SQL_MODE_ANSI_QUOTES | SQL_MODE_IGNORE_SPACE);
    assert_int_equal(sql_mode_reading(SPAN("PIPES_AS_CONCAT,ORACLE")),
                     SQL_MODE_PIPES_AS_CONCAT | SQL_MODE_ANY_DIALECT | SQL_MODE_ORACLE);
    assert_int_equal(sql_mode_reading(SPAN("MSSQL")), SQL_MODE_ANY_DIALECT);
    sql_mode_read_as(SPAN("STRICT_ALL_TABLES,ANSI_QUOTES"),
                     SQL_MODE_PIPES_AS_CONCAT | SQL_MODE_EMPTY_STRING_IS_NULL, &out);
    assert_string_equal(buf_cstr(&out), "STRICT_ALL_TABLES,PIPES_AS_CONCAT,EMPTY_STRING_IS_NULL");
    buf_clear(&out);
    sql_mode_read_as(SPAN("ANSI_QUOTES"), 0, &out);
    assert_int_equal(buf_len(&out), 0);
    buf_fini(&out);
}

/* Each text, and all the words that it hears. */
static const struct {
    const char *text;
    unsigned    words;
} texts[] = {
    { "SELECT 1", 0 },
    { "SELECT 'a', `b`, 5 FROM t WHERE x = 'y' AND COUNT(*) > -1 -- \" \\ ||", 0 },
    { "SELECT \"a\"", SQL_MODE_ANSI_QUOTES },
    { "SET sql_mode = 'ANSI'", 0 },
    { "SET sql_mode = \"ANSI\"", SQL_MODE_ANSI_QUOTES },
    { "SELECT @\"a\"", SQL_MODE_ANSI_QUOTES },
    { "SELECT N'\"'", SQL_MODE_ANSI_QUOTES },
    { "SELECT 'a\\b'", SQL_MODE_NO_BACKSLASH_ESCAPES },
    { "SELECT x LIKE 'a'", SQL_MODE_NO_BACKSLASH_ESCAPES },
    { "SELECT a || b", SQL_MODE_PIPES_AS_CONCAT },
    { "SELECT NOT a", SQL_MODE_HIGH_NOT_PRECEDENCE },
    { "SELECT COUNT (*)", SQL_MODE_IGNORE_SPACE },
    { "SELECT ''", SQL_MODE_EMPTY_STRING_IS_NULL },
    { "SELECT N''", SQL_MODE_EMPTY_STRING_IS_NULL },
    { "SELECT CAST(1 AS REAL)", SQL_MODE_REAL_AS_FLOAT },
    { "SELECT 'open", 0xff },
};

static void
what_hears_a_word(void **state)
{
    (void)state;
    struct lex_options options = { .charset = LEX_UTF8 };

    for (size_t i = 0; i < countof(texts); i++) {
        struct span text = span_of(texts[i].text);
        for (unsigned word = 1; word < SQL_MODE_ANSI; word <<= 1) {
            bool heard = (texts[i].words & word) != 0;
            assert_int_equal(reading_matters(text, options, (uint16_t)word, 0), heard);
            assert_int_equal(reading_matters(text, options, 0, (uint16_t)word), heard);
        }
        bool sets = memcmp(text.ptr, "SET", 3) == 0;
        assert_int_equal(reading_matters(text, options, SQL_MODE_ANSI, 0), !sets);
        assert_true(reading_matters(text, options, SQL_MODE_ANY_DIALECT, 0));
        assert_false(reading_matters(text, options, 0x7f, 0x7f));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_whole),
        cmocka_unit_test(reading_stays),
        cmocka_unit_test(bits_are_words),
        cmocka_unit_test(what_hears_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
