/* test_digest.c - normalised text, literals, flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <xxhash.h>

#include "core/base/buf.h"
#include "core/sql/digest.h"

static const struct {
    const char *sql, *text, *literals;
} rows[] = {
    { "SELECT c  FROM sbtest1\n WHERE id=4242 -- x", "SELECT c FROM sbtest1 WHERE id=:i", "4242" },
    { "  select 1;", "select :i", "1" },
    { "SELECT 1, 1.5, 1e5, 'a', N'b', 0x1f, x'1f', b'1'", "SELECT :i, :d, :f, :s, :n, :x, :h, :b",
      "1|1.5|1e5|'a'|N'b'|0x1f|x'1f'|b'1'" },
    { "SELECT -5, NULL, TRUE, _utf8mb4'a', ?", "SELECT -:i, NULL, TRUE, _utf8mb4:s, ?", "5|'a'" },
    { "SELECT/**/1/*c*/+/**/2", "SELECT :i + :i", "1|2" },
    { "SELECT 1 /*!50001 +2 */", "SELECT :i +:i", "1|2" },
    { "SELECT 1 /*!99999 +2 */", "SELECT :i", "1" },
    { "SELECT a FROM t WHERE b IN (1,2 , 3)", "SELECT a FROM t WHERE b IN (:i,:i , :i)", "1|2|3" },
    { "SELECT a+1 FROM t WHERE b=2 GROUP BY a+1 HAVING c>3 ORDER BY 1, d+4 LIMIT 5, 6",
      "SELECT a+:i FROM t WHERE b=:i GROUP BY a+1 HAVING c>:i ORDER BY 1, d+4 LIMIT 5, 6",
      "1|2|3" },
    { "SELECT 1 LIMIT 2 UNION SELECT 3", "SELECT :i LIMIT 2 UNION SELECT :i", "1|3" },
    { "(SELECT 1 ORDER BY 2) UNION SELECT 3", "(SELECT :i ORDER BY 2) UNION SELECT :i", "1|3" },
    { "SELECT f((SELECT a ORDER BY f(1)), 2)", "SELECT f((SELECT a ORDER BY f(1)), :i)", "2" },
    { "SELECT GROUP_CONCAT(a ORDER BY 1 SEPARATOR ','), 2",
      "SELECT GROUP_CONCAT(a ORDER BY 1 SEPARATOR ','), :i", "2" },
    { "SELECT a 'x', f(1) \"y\", b AS 'z' FROM t WHERE c = 'd'",
      "SELECT a 'x', f(:i) \"y\", b AS 'z' FROM t WHERE c = :s", "1|'d'" },
    { "INSERT INTO t VALUES (1,'a'),(2,'b') ON DUPLICATE KEY UPDATE c=3",
      "INSERT INTO t VALUES (:i,:s),(:i,:s) ON DUPLICATE KEY UPDATE c=:i", "1|'a'|2|'b'|3" },
    { "INSERT INTO t SELECT 1 LIMIT 2 ON DUPLICATE KEY UPDATE c=3",
      "INSERT INTO t SELECT :i LIMIT 2 ON DUPLICATE KEY UPDATE c=:i", "1|3" },
    { "UPDATE t SET a=1 WHERE b=2 LIMIT 3", "UPDATE t SET a=:i WHERE b=:i LIMIT 3", "1|2" },
    { "EXPLAIN FORMAT=JSON SELECT 1", "EXPLAIN FORMAT=JSON SELECT :i", "1" },
    { "((SELECT 1))", "((SELECT :i))", "1" },
    { "SET a = 1", "SET a = 1", "" },
    { "CREATE TABLE t (a INT DEFAULT 1)", "CREATE TABLE t (a INT DEFAULT 1)", "" },
    { "CREATE TABLE t SELECT 1", "CREATE TABLE t SELECT 1", "" },
    { "SHOW TABLES LIKE 'a'", "SHOW TABLES LIKE 'a'", "" },
    { "KILL 5", "KILL 5", "" },
    { "CALL p(1)", "CALL p(:i)", "1" },
    { "/* shardd: eventual */ SELECT 1 /* gone */", "/* eventual */ SELECT :i", "1" },
    { "SELECT /*x*/ 1 /* shardd:a*/", "SELECT :i/*a*/", "1" },
    { "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
      "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", "" },
};

static void
literals_are_taken_out(void **state)
{
    (void)state;
    struct digest d = { 0 };

    for (size_t i = 0; i < countof(rows); i++) {
        struct span text = span_of(rows[i].sql);
        struct buf  got  = { 0 }, literals = { 0 };

        assert_int_equal(digest_make(&d, text, (struct lex_options){ 0 }, 1000), DIGEST_OK);
        buf_append_span(&got, d.text);
        assert_string_equal(buf_cstr(&got), rows[i].text);
        assert_true(d.hash == XXH3_64bits(d.text.ptr, d.text.len));
        for (uint32_t n = 0; n < d.n_literals; n++) {
            if (n != 0)
                buf_append_byte(&literals, '|');
            buf_append(&literals, text.ptr + d.literals[n].start,
                       d.literals[n].end - d.literals[n].start);
        }
        assert_string_equal(buf_cstr(&literals), rows[i].literals);
        buf_fini(&got);
        buf_fini(&literals);
    }
    digest_fini(&d);
}

static void
flags_tell_what_was_seen(void **state)
{
    (void)state;
    static const struct {
        const char  *sql;
        enum keyword first;
        uint32_t     flags;
    } seen[] = {
        { "SELECT 1", KW_SELECT, 0 },
        { "(SELECT 1)", KW_SELECT, 0 },
        { "frob", NO_KEYWORD, 0 },
        { "SELECT 1;;", KW_SELECT, 0 },
        { "SELECT 1; SELECT 2", KW_SELECT, DIGEST_MULTI },
        { "SELECT 1; /* x */", KW_SELECT, 0 },
        { "SELECT 1; @a", KW_SELECT, DIGEST_MULTI },
        { "SELECT 1 /*! */", KW_SELECT, DIGEST_EXEC_COMMENT },
        { "SELECT @a", KW_SELECT, DIGEST_USER_VAR },
        { "SELECT @a := 1", KW_SELECT, DIGEST_USER_VAR | DIGEST_ASSIGN },
        { "SELECT 1 INTO @a", KW_SELECT, DIGEST_USER_VAR | DIGEST_INTO },
        { "SELECT 1 INTO OUTFILE 'x'", KW_SELECT, DIGEST_INTO },
        { "INSERT INTO t VALUES (@a)", KW_INSERT, DIGEST_USER_VAR },
        { "SELECT LAST_INSERT_ID()", KW_SELECT, DIGEST_LAST_INSERT_ID },
        { "SELECT found_rows(), ROW_COUNT()", KW_SELECT, DIGEST_FOUND_ROWS | DIGEST_ROW_COUNT },
        { "DO GET_LOCK('a', 1)", KW_DO, DIGEST_LOCK_FUNCTION },
        { "SELECT SQL_CALC_FOUND_ROWS 1", KW_SELECT, DIGEST_CALC_FOUND_ROWS },
        { "SELECT @@x", KW_SELECT, DIGEST_SYSTEM_VAR },
        { "CREATE TEMPORARY TABLE t (a INT)", KW_CREATE, DIGEST_TEMPORARY },
        { "SELECT NEXT VALUE FOR s", KW_SELECT, DIGEST_SEQUENCE },
        { "SELECT SLEEP(1)", KW_SELECT, DIGEST_NOT_DETERMINED },
        { "SHOW SHARDD SHARDS", KW_SHOW, DIGEST_SHARDD },
        { "/* shardd: a */ SELECT 1", KW_SELECT, DIGEST_HINT },
    };
    struct digest d = { 0 };

    for (size_t i = 0; i < countof(seen); i++) {
        assert_int_equal(digest_make(&d, span_of(seen[i].sql), (struct lex_options){ 0 }, 1000),
                         DIGEST_OK);
        if (d.flags != seen[i].flags || d.first != seen[i].first)
            fail_msg("%s: %x %s", seen[i].sql, d.flags, keyword_text(d.first));
    }
    digest_fini(&d);
}

static void
what_has_no_digest(void **state)
{
    (void)state;
    struct digest d = { 0 };

    assert_int_equal(digest_make(&d, SPAN(" /* a */ ; b"), (struct lex_options){ 0 }, 100),
                     DIGEST_EMPTY);
    assert_int_equal(digest_make(&d, SPAN("SELECT 'a"), (struct lex_options){ 0 }, 100),
                     DIGEST_BAD);
    assert_int_equal(digest_make(&d, SPAN("SELECT aaaaaaaaaaaaaaaaaaaaaaa, b, c, d"),
                                 (struct lex_options){ 0 }, 40),
                     DIGEST_TOO_LONG);
    assert_int_equal(d.first, KW_SELECT);
    digest_fini(&d);
}

static void
the_statement_ends_at_its_semicolon(void **state)
{
    (void)state;
    struct digest d = { 0 };

    assert_int_equal(digest_make(&d, SPAN("SELECT ? , ?; SELECT ?"), (struct lex_options){ 0 }, 99),
                     DIGEST_OK);
    assert_int_equal(d.statement_end, 12);
    assert_int_equal(d.n_params, 2);
    digest_shrink(&d, 0);
    assert_null(d.bytes);
    digest_fini(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_taken_out),
        cmocka_unit_test(flags_tell_what_was_seen),
        cmocka_unit_test(what_has_no_digest),
        cmocka_unit_test(the_statement_ends_at_its_semicolon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
