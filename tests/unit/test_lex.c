/* test_lex.c - tokens, splitting, blanking. Every row was compared with a MariaDB 10.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/buf.h"
#include "core/sql/lex.h"
#include "core/sql/literal.h"

static const char *const kinds[] = {
    "end", "BAD", "id", "quoted", "kw", "op", "param", "var", "intro", "int", "dec", "float", "str",
    "nstr", "hex", "xstr", "bit",
};

static void
dump(struct buf *out, struct span text, struct lex_options options)
{
    struct lex   l;
    struct token t;

    lex_init(&l, text, options);
    for (t = lex_next(&l); t.kind != TOK_END; t = lex_next(&l)) {
        if (buf_len(out) != 0)
            buf_append_byte(out, ' ');
        buf_append_text(out, kinds[t.kind]);
        if (t.kind == TOK_BAD)
            return;
        buf_append_byte(out, ':');
        buf_append_span(out, token_text(&l, t));
    }
    assert_int_equal(t.start, text.len);
    assert_int_equal(lex_next(&l).kind, TOK_END);
}

static const struct {
    const char        *sql, *tokens;
    struct lex_options options;
} rows[] = {
    { "", "", { 0 } },
    { "SELECT a", "kw:SELECT id:a", { 0 } },
    { "1a", "id:1a", { 0 } },
    { "1e5", "float:1e5", { 0 } },
    { "1E-5", "float:1E-5", { 0 } },
    { "1e", "id:1e", { 0 } },
    { "1e+", "id:1e op:+", { 0 } },
    { "1e5a", "float:1e5 id:a", { 0 } },
    { "1.e5", "float:1.e5", { 0 } },
    { "1.e", "BAD", { 0 } },
    { "1.a", "dec:1. id:a", { 0 } },
    { ".5", "dec:.5", { 0 } },
    { "1.5.5", "dec:1.5 dec:.5", { 0 } },
    { "0xF 0x 0xg 0XF", "hex:0xF id:0x id:0xg id:0XF", { 0 } },
    { "0b01 0b2 0B1 0b12", "bit:0b01 id:0b2 id:0B1 id:0b12", { 0 } },
    { "x'12' X'' b'10' B''", "xstr:x'12' xstr:X'' bit:b'10' bit:B''", { 0 } },
    { "x'1'", "BAD", { 0 } },
    { "x'zz'", "BAD", { 0 } },
    { "b'2'", "BAD", { 0 } },
    { "x '12'", "id:x str:'12'", { 0 } },
    { "N'a' n'b'", "nstr:N'a' nstr:n'b'", { 0 } },
    { "1--1", "int:1 op:- op:- int:1", { 0 } },
    { "1-- 1", "int:1", { 0 } },
    { "1--\t1\n2", "int:1 int:2", { 0 } },
    { "1--", "int:1", { 0 } },
    { "1 --\x01 2", "int:1", { 0 } },
    { "1#2\n3", "int:1 int:3", { 0 } },
    { "1 # a\r2", "int:1", { 0 } },
    { "1/*2*/3", "int:1 int:3", { 0 } },
    { "1 /* /* */ 2", "int:1 int:2", { 0 } },
    { "1 /* /* */ */", "int:1 op:* op:/", { 0 } },
    { "1 /*", "int:1 BAD", { 0 } },
    { "1 /*! 2 */ 3", "int:1 int:2 int:3", { 0 } },
    { "1 /*! 2", "int:1 int:2 BAD", { 0 } },
    { "1 /*!50001 2 */", "int:1 int:2", { 0 } },
    { "1 /*!500012 */", "int:1", { 0 } },
    { "1 /*!50701 2 */", "int:1", { 0 } },
    { "1 /*!99999 2 */", "int:1", { 0 } },
    { "1 /*!100000 2 */", "int:1 int:2", { 0 } },
    { "1 /*!101100 2 */", "int:1 int:2", { 0 } },
    { "1 /*!101119 2 */", "int:1 BAD", { 0 } },
    { "1 /*!101119 2 */", "int:1 int:2", { .server_version = 101119 } },
    { "1 /*!101120 2 */", "int:1", { .server_version = 101119 } },
    { "1 /*!120000 2 */", "int:1", { 0 } },
    { "1 /*M!50701 2 */", "int:1 int:2", { 0 } },
    { "1 /*m!100000 2 */", "int:1", { 0 } },
    { "1 /*!5000 2 */", "int:1 int:5000 int:2", { 0 } },
    { "1 /*!999999 /* x */ 2 */ 3", "int:1 int:3", { 0 } },
    { "1 /*!999999 /* x /* */ */ 2 */", "int:1 int:2 op:* op:/", { 0 } },
    { "1 /*! /* x */ 2 */ 3", "int:1 int:2 int:3", { 0 } },
    { "1 /*! /*! 2 */ */", "int:1 int:2 op:* op:/", { 0 } },
    { "'a''b' \"a\"\"b\"", "str:'a''b' str:\"a\"\"b\"", { 0 } },
    { "'a\\'b' 'c'", "str:'a\\'b' str:'c'", { 0 } },
    { "'a\\' 'c'", "str:'a\\' str:'c'", { .no_backslash_escapes = true } },
    { "\"a\"\"b\"", "quoted:\"a\"\"b\"", { .ansi_quotes = true } },
    { "'a", "BAD", { 0 } },
    { "'a\\", "BAD", { 0 } },
    { "'a\\'", "BAD", { 0 } },
    { "`a``b` `a\\` ``", "quoted:`a``b` quoted:`a\\` quoted:``", { 0 } },
    { "`a", "BAD", { 0 } },
    { "_utf8mb4'a' _UTF8 'b' _nope'c'",
      "intro:_utf8mb4 str:'a' intro:_UTF8 str:'b' id:_nope str:'c'", { 0 } },
    { "\\N", "kw:\\N", { 0 } },
    { "\\n", "BAD", { 0 } },
    { "@a @'a b' @`c` @\"d\" @a.b @a$b @1", "var:@a var:@'a b' var:@`c` var:@\"d\" var:@a.b "
      "var:@a$b var:@1", { 0 } },
    { "@ a", "op:@ id:a", { 0 } },
    { "@\xc3\xa4", "var:@\xc3\xa4", { 0 } },
    { "@@sql_mode @@session.x @@global .x @@`y`",
      "op:@@ id:sql_mode op:@@ kw:session op:. id:x op:@@ kw:global op:. id:x op:@@ quoted:`y`",
      { 0 } },
    { "t.select t. select t .select", "id:t op:. id:select id:t op:. kw:select id:t op:. id:select",
      { 0 } },
    { "`t`.select select.a select.`a` select.*",
      "quoted:`t` op:. id:select id:select op:. id:a kw:select op:. quoted:`a` kw:select op:. op:*",
      { 0 } },
    { "t.1 t.1a t.1e5 `t`.1 t .5", "id:t op:. id:1 id:t op:. id:1a id:t op:. id:1e5 "
      "quoted:`t` dec:.1 id:t dec:.5", { 0 } },
    { "<=> <> != <= >= << >> && || := -> ->> < > ! & | : -",
      "op:<=> op:<> op:!= op:<= op:>= op:<< op:>> op:&& op:|| op::= op:-> op:->> op:< op:> op:! "
      "op:& op:| op:: op:-", { 0 } },
    { "1<!2 1<-1 @a:=1", "int:1 op:< op:! int:2 int:1 op:< op:- int:1 var:@a op::= int:1", { 0 } },
    { "?,{a}%", "param:? op:, op:{ id:a op:} op:%", { 0 } },
    { "a ; b", "id:a op:; id:b", { 0 } },
    { "a\x7f", "id:a BAD", { 0 } },
    { "\xc3\xa4 $a a$1", "id:\xc3\xa4 id:$a id:a$1", { 0 } },
    { "a\xa0\x62", "id:a\xa0\x62", { .charset = LEX_UTF8 } },
    { "a\xa0\x62", "id:a id:b", { .charset = LEX_LATIN1 } },
    { "1\xa0 t.\xa0", "int:1 id:t op:.", { .charset = LEX_LATIN1 } },
    { "1 --\xa0 2", "int:1", { .charset = LEX_LATIN1 } },
    { "gr\xf6\xdf\x65", "id:gr\xf6\xdf\x65", { .charset = LEX_LATIN1 } },
    { "a\xa0\x62", "BAD", { .charset = LEX_BYTES } },
    { "'\xa0'", "str:'\xa0'", { .charset = LEX_BYTES } },
    { "'\xa0'", "BAD", { .charset = LEX_UNSAFE } },
    { "'a' ~ 1", "str:'a' BAD", { .charset = LEX_UNSAFE } },
};

static void
tokens_are_the_servers(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(rows); i++) {
        struct buf got = { 0 };
        /* A copy of the exact size: a read behind the end is seen. */
        size_t   len  = strlen(rows[i].sql);
        uint8_t *copy = test_malloc(len + 1);

        memcpy(copy, rows[i].sql, len);
        dump(&got, (struct span){ copy, len }, rows[i].options);
        if (strcmp(buf_cstr(&got), rows[i].tokens) != 0)
            fail_msg("%s\n  got  %s\n  want %s", rows[i].sql, buf_cstr(&got), rows[i].tokens);
        test_free(copy);
        buf_fini(&got);
    }
}

static void
every_keyword_is_found(void **state)
{
    (void)state;

    for (enum keyword k = NO_KEYWORD + 1; k < KW_COUNT_OF_ALL; k++) {
        char   word[32] = { 0 };
        size_t len      = strlen(keyword_text(k));

        memcpy(word, keyword_text(k), len);
        assert_int_equal(keyword_find((uint8_t *)word, len), k);
        for (size_t i = 0; i < len; i += 2)
            if (word[i] != '_' && word[i] > '9')
                word[i] |= 0x20;
        assert_int_equal(keyword_find((uint8_t *)word, len), k);
        word[len] = '1';
        assert_int_not_equal(keyword_find((uint8_t *)word, len + 1), k);
        assert_int_not_equal(keyword_find((uint8_t *)word, len - 1), k);
    }
    assert_true(keyword_reserved(KW_SELECT));
    assert_false(keyword_reserved(KW_DATE));
    assert_int_equal(keyword_find(SPAN("frobnicate").ptr, 10), NO_KEYWORD);
}

static void
statements_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        size_t      len, rest;
    } split[] = {
        { "", 0, 0 },
        { "a", 1, 1 },
        { "a;b", 1, 2 },
        { ";b", 0, 1 },
        { "';' ;", 4, 5 },
        { "/*;*/ a", 7, 7 },
        { "a; 'open", 1, 2 },
        { "'open; b", 8, 8 },
        { "CREATE PROCEDURE p() BEGIN a; b; END", 36, 36 },
        { "CREATE OR REPLACE DEFINER=x@y TRIGGER t a; b", 44, 44 },
        { "CREATE TABLE event (a int); b", 26, 27 },
        { "BEGIN NOT ATOMIC a; END", 23, 23 },
        { "BEGIN; a", 5, 6 },
        { "DROP PROCEDURE p; a", 16, 17 },
    };

    for (size_t i = 0; i < countof(split); i++) {
        size_t rest;
        size_t len = lex_split(span_of(split[i].sql), (struct lex_options){ 0 }, &rest);
        if (len != split[i].len || rest != split[i].rest)
            fail_msg("%s: %zu %zu", split[i].sql, len, rest);
    }
}

/* The first statement ends at the '#', which stands for a ';'. */
/* Declarations with a ';' stand before BEGIN there: the text is one. */
static void
blocks_of_oracle_are_one(void **state)
{
    static const char *const texts[] = { "BEGIN SELECT 1; END; SELECT 2",
                                         "DECLARE a INT; BEGIN SELECT a; END",
                                         "CREATE PROCEDURE p AS a INT; BEGIN NULL; END" };
    struct lex_options oracle = { .oracle = true };
    size_t             rest;

    (void)state;
    for (size_t i = 0; i < countof(texts); i++) {
        struct span text = span_of(texts[i]);
        assert_int_equal(lex_split(text, oracle, &rest), text.len);
        assert_int_equal(lex_split_programs(text, oracle, &rest), text.len);
        assert_int_equal(rest, text.len);
    }
    assert_int_equal(lex_split(SPAN("SELECT 1; BEGIN NULL; END"), oracle, &rest), 8);
}

static void
programs_are_split(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "a# b", "a", "CREATE TABLE event (a int)# b",
        "CREATE PROCEDURE p() SELECT 1# SELECT 2",
        "CREATE PROCEDURE p(a INT, b DECIMAL(5,2)) BEGIN a; b; END# SELECT 2; SELECT 3",
        "CREATE OR REPLACE DEFINER=x@y TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1# b",
        "CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW FOLLOWS u IF 1 THEN a; ELSE b; END IF# c",
        "CREATE TRIGGER t AFTER DELETE ON a FOR EACH ROW BEGIN IF x THEN a; END IF; END# c",
        "BEGIN NOT ATOMIC a; END# b", "BEGIN NOT ATOMIC IF 1 THEN a; END IF; END# b",
        "IF a THEN b; ELSEIF c THEN d; ELSE e; END IF# f",
        "CASE a WHEN 1 THEN b; ELSE IF c THEN d; END IF; END CASE# e",
        "LOOP a; LEAVE x; END LOOP# b", "WHILE IF(a, b, c) DO d; END WHILE# e",
        "FOR i IN 1..2 DO SELECT i; END FOR# a", "REPEAT a; UNTIL REPEAT('x', 2) END REPEAT# b",
        "CREATE FUNCTION f() RETURNS INT RETURN IF(1, CASE WHEN 1 THEN 2 END, 3)# a",
        "CREATE FUNCTION f() RETURNS CHAR(5) CHARACTER SET latin1 DETERMINISTIC RETURN 'x;'# a",
        "CREATE FUNCTION f() RETURNS SET('a', 'b') NO SQL BEGIN RETURN 'a'; END# a",
        "CREATE PROCEDURE IF NOT EXISTS p() COMMENT 'x' NO SQL IF 1 THEN a; END IF# b",
        "CREATE PROCEDURE p() x: LOOP a; LEAVE x; END LOOP x# b",
        "CREATE PROCEDURE p() x: BEGIN y: WHILE 1 DO LEAVE x; END WHILE y; END x# b",
        "CREATE PROCEDURE p() BEGIN DECLARE c CURSOR FOR SELECT 1 FOR UPDATE; DECLARE EXIT HANDLER "
        "FOR SQLEXCEPTION, SQLSTATE VALUE '42000', 1062 BEGIN a; END; OPEN c; END# b",
        "CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET x = IF(1, 2, 3); "
        "DECLARE CONTINUE HANDLER FOR SQLWARNING IF 1 THEN a; END IF; b; END# c",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a THEN IF(1, 2, 3) ELSE REPEAT('x', 2) END; "
        "DO IF(1, 2, 3); DROP TABLE IF EXISTS t; SELECT CASE a WHEN 1 THEN 2 END CASE; END# b",
        "CREATE PROCEDURE p() BEGIN DECLARE i INT DEFAULT CASE WHEN 1 THEN 2 END; CASE WHEN 1 THEN "
        "BEGIN a; END; ELSE CASE i WHEN 1 THEN b; END CASE; END CASE; END# c",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN a; END# b",
        "CREATE EVENT e ON SCHEDULE AT NOW() ON COMPLETION PRESERVE DO DO IF(1, 2, 3)# b",
        "ALTER EVENT e RENAME TO f# b", "ALTER PROCEDURE p SQL SECURITY INVOKER# b",
        "CREATE PACKAGE p AS PROCEDURE q(); END; SELECT 1", "CREATE PROCEDURE p() BEGIN a; b",
        "CREATE PROCEDURE p() SELECT 'open; b",
    };

    for (size_t i = 0; i < countof(programs); i++) {
        char   text[400];
        strcpy(text, programs[i]);
        char  *mark = strchr(text, '#');
        size_t want = mark != NULL ? (size_t)(mark - text) : strlen(text), rest;
        if (mark != NULL)
            *mark = ';';
        size_t len = lex_split_programs(span_of(text), (struct lex_options){ 0 }, &rest);
        if (len != want || rest != want + (mark != NULL))
            fail_msg("%s: %zu %zu", programs[i], len, rest);
    }
}

static void
comments_are_blanked(void **state)
{
    (void)state;
    static const char *const blanks[][2] = {
        { "a /* b */ c -- d", "a         c     " },
        { "a/*!50001 b*/c", "a         b  c" },
        { "a /*!99999 b */ '/* c */'", "a               '/* c */'" },
        { "a 'b", "a 'b" },
        { "1--/*! 2*/", "1--#\n  2  " },
        { "1--/* x */2", "1--#\n     2" },
        { "/*!1--*/2", "   1--#\n2" },
    };

    for (size_t i = 0; i < countof(blanks); i++) {
        uint8_t     out[64];
        struct span text = span_of(blanks[i][0]);
        lex_blank_comments(text, (struct lex_options){ 0 }, out);
        assert_memory_equal(out, blanks[i][1], text.len);
    }
}

static void
literals_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char        *text;
        enum token_kind    kind;
        struct lex_options options;
        const char        *value;
        size_t             len;
    } values[] = {
        { "42", TOK_INT, { 0 }, "42", 2 },
        { "'it''s'", TOK_STRING, { 0 }, "it's", 4 },
        { "\"a\"\"b\"", TOK_STRING, { 0 }, "a\"b", 3 },
        { "'\\0\\b\\n\\r\\t\\Z\\\\\\'\\\"\\x'", TOK_STRING, { 0 }, "\0\b\n\r\t\x1a\\'\"x", 10 },
        { "'a\\%b\\_'", TOK_STRING, { 0 }, "a\\%b\\_", 6 },
        { "'a\\n'", TOK_STRING, { .no_backslash_escapes = true }, "a\\n", 3 },
        { "N'a''b'", TOK_NSTRING, { 0 }, "a'b", 3 },
        { "0x1fA", TOK_HEX, { 0 }, "\x01\xfa", 2 },
        { "x'41fF'", TOK_HEX_STRING, { 0 }, "A\xff", 2 },
        { "x''", TOK_HEX_STRING, { 0 }, "", 0 },
        { "b'101000001'", TOK_BIT, { 0 }, "\x01\x41", 2 },
        { "0b1", TOK_BIT, { 0 }, "\x01", 1 },
        { "b''", TOK_BIT, { 0 }, "", 0 },
    };
    struct buf out = { 0 };
    uint64_t   n;

    for (size_t i = 0; i < countof(values); i++) {
        buf_clear(&out);
        assert_true(literal_decode(span_of(values[i].text), values[i].kind, values[i].options,
                                   &out));
        assert_int_equal(buf_len(&out), values[i].len);
        assert_memory_equal(buf_unread(&out).ptr, values[i].value, values[i].len);
    }
    buf_clear(&out);
    literal_name(SPAN("`a``b`"), (struct lex_options){ 0 }, &out);
    literal_name(SPAN("@'c''d'"), (struct lex_options){ 0 }, &out);
    literal_name(SPAN("@e"), (struct lex_options){ 0 }, &out);
    assert_string_equal(buf_cstr(&out), "a`bc'de");
    assert_false(literal_decode(SPAN("a"), TOK_IDENT, (struct lex_options){ 0 }, &out));
    assert_true(literal_u64(SPAN("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(literal_u64(SPAN("18446744073709551616"), &n));
    buf_fini(&out);
}

static void
character_sets_are_known(void **state)
{
    (void)state;

    assert_int_equal(lex_charset_of(SPAN("utf8mb4")), LEX_UTF8);
    assert_int_equal(lex_charset_of(SPAN("LATIN1")), LEX_LATIN1);
    assert_int_equal(lex_charset_of(SPAN("cp1251")), LEX_BYTES);
    assert_int_equal(lex_charset_of(SPAN("gbk")), LEX_UNSAFE);
    assert_int_equal(lex_charset_of(SPAN("nonesuch")), LEX_UNSAFE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_servers),
        cmocka_unit_test(every_keyword_is_found),
        cmocka_unit_test(statements_are_split),
        cmocka_unit_test(blocks_of_oracle_are_one),
        cmocka_unit_test(programs_are_split),
        cmocka_unit_test(comments_are_blanked),
        cmocka_unit_test(literals_are_decoded),
        cmocka_unit_test(character_sets_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
