/* test_function_class.c - see core/route/function_class.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/route/function_class.h"

#define F(tail) "CREATE FUNCTION f" tail

static const struct {
    const char         *text;
    enum function_class class;
} rows[] = {
    { F("() RETURNS INT RETURN 1"), FUNCTION_PLAIN },
    { F("(a INT) RETURNS INT DETERMINISTIC NO SQL SQL SECURITY INVOKER COMMENT 'x' RETURN a * 2"),
      FUNCTION_PLAIN },
    { "CREATE OR REPLACE DEFINER = `a`@`%` FUNCTION IF NOT EXISTS db.f(IN a INT) RETURNS INT"
      " RETURN a", FUNCTION_PLAIN },
    { F("(a VARCHAR(20) CHARACTER SET latin1, b DECIMAL(9,2)) RETURNS ENUM('a','b')"
        " RETURN IF(b > 1.5, LEFT(a, 1), REPLACE(a, 'x', 'y'))"), FUNCTION_PLAIN },
    { F("(a INT) RETURNS INT BEGIN DECLARE b, c INT DEFAULT (1 + 2); SET b = a, c = MOD(a, 3);"
        " IF (b > c) THEN SET b := GREATEST(1, 2), c = 3; ELSEIF (1) THEN RETURN 2; END IF;"
        " WHILE (b < 9) DO SET b = b + 1; END WHILE; RETURN b; END"), FUNCTION_PLAIN },
    { F("(start INT, open INT) RETURNS INT RETURN start + open"), FUNCTION_PLAIN },
    { F("(a INT) RETURNS INT BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN 0;"
        " IF a THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no', MYSQL_ERRNO = 3; END IF;"
        " RETURN CAST(a AS DATETIME(3)); END"), FUNCTION_PLAIN },
    { F("(a BIT(3)) RETURNS BIT(3) RETURN a"), FUNCTION_PLAIN },
    { F("(a INT) RETURNS INT RETURN DATE_ADD(a, INTERVAL 1 DAY)"), FUNCTION_PLAIN },
    { F("(a TEXT) RETURNS TEXT RETURN TRIM(LEADING 'x' FROM a)"), FUNCTION_PLAIN },

    { "CREATE AGGREGATE FUNCTION f(a INT) RETURNS INT RETURN 1", FUNCTION_UNKNOWN },
    { "CREATE FUNCTION f RETURNS INT SONAME 'f.so'", FUNCTION_UNKNOWN },
    { F("(OUT a INT) RETURNS INT RETURN 1"), FUNCTION_UNKNOWN },
    { F("(a INT) RETURNS INT RETURN ?"), FUNCTION_UNKNOWN },
    { F("(a INT) RETURNS INT RETURN 'open"), FUNCTION_UNKNOWN },
    { "CREATE PROCEDURE f(a INT) RETURN 1", FUNCTION_UNKNOWN },
    { "", FUNCTION_UNKNOWN },

    { F("() RETURNS INT RETURN (SELECT 1)"), FUNCTION_READS },
    { F("() RETURNS INT BEGIN /*!50000 DELETE FROM t; */ RETURN 1; END"), FUNCTION_READS },
    { F("() RETURNS INT BEGIN DECLARE c CURSOR FOR SELECT 1; RETURN 1; END"), FUNCTION_READS },
    { F("() RETURNS INT BEGIN CALL p(); RETURN 1; END"), FUNCTION_READS },
    { F("() RETURNS INT RETURN g(1)"), FUNCTION_READS },
    { F("() RETURNS INT RETURN `g`(1)"), FUNCTION_READS },
    { F("() RETURNS INT RETURN db.abs(1)"), FUNCTION_READS },
    { F("(a INT) RETURNS INT RETURN a + text(1)"), FUNCTION_READS },
    { F("(a INT) RETURNS INT RETURN bit(a)"), FUNCTION_READS },
    { F("(a INT) RETURNS INT RETURN a(1)"), FUNCTION_READS },
    { F("() RETURNS INT RETURN NEXT VALUE FOR s"), FUNCTION_READS },
    { F("() RETURNS INT RETURN NEXTVAL(s)"), FUNCTION_READS },
    { F("() RETURNS INT BEGIN REPLACE t VALUES (1); RETURN 1; END"), FUNCTION_READS },
    { F("() RETURNS INT BEGIN INSERT t SET a = 1; RETURN 1; END"), FUNCTION_READS },
    { F("(a TYPE OF t.b) RETURNS INT RETURN a"), FUNCTION_READS },
    { F("() RETURNS TEXT RETURN LOAD_FILE('x')"), FUNCTION_READS },

    { F("() RETURNS DOUBLE RETURN rand()"), FUNCTION_VARIES },
    { F("() RETURNS INT BEGIN DECLARE n INT; GET DIAGNOSTICS n = NUMBER; RETURN n; END"),
      FUNCTION_VARIES },
    { F("() RETURNS DATETIME RETURN NOW()"), FUNCTION_VARIES },
    { F("() RETURNS DATETIME RETURN current_timestamp"), FUNCTION_VARIES },
    { F("(a TIME(3)) RETURNS INT RETURN 1"), FUNCTION_VARIES },
    { F("(a INT) RETURNS DATETIME RETURN CAST(a AS TIME)"), FUNCTION_VARIES },
    { F("() RETURNS TEXT RETURN CONCAT(USER(), 'x')"), FUNCTION_VARIES },
    { F("() RETURNS TEXT RETURN current_user"), FUNCTION_VARIES },

    { F("() RETURNS INT RETURN @a"), FUNCTION_VARIABLES },
    { F("() RETURNS INT RETURN (@a := 1)"), FUNCTION_VARIABLES },
    { F("() RETURNS INT RETURN @@sql_mode"), FUNCTION_VARIABLES },
    { F("() RETURNS INT BEGIN SET sql_mode = ''; RETURN 1; END"), FUNCTION_VARIABLES },
    { F("(a INT) RETURNS INT BEGIN SET a = LEAST(1, 2), sql_mode = ''; RETURN 1; END"),
      FUNCTION_VARIABLES },
    { F("() RETURNS INT BEGIN SET SESSION sql_mode = ''; RETURN 1; END"), FUNCTION_VARIABLES },
    { F("() RETURNS INT BEGIN SET STATEMENT sql_mode = '' FOR DO 1; RETURN 1; END"),
      FUNCTION_VARIABLES },
    { F("() RETURNS INT BEGIN SET NAMES latin1; RETURN 1; END"), FUNCTION_VARIABLES },
};

static void
test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        uint32_t            tail  = 0;
        enum function_class class = function_classify(span_of(rows[i].text),
                                                      (struct lex_options){ 0 }, &tail);
        if (class != rows[i].class)
            fail_msg("%s: %s", rows[i].text, function_class_name(class));
        if (class == FUNCTION_PLAIN)
            assert_true(rows[i].text[tail] == '(');
    }
}

/* Wherever the text is cut off, it is read to its end. */
static void
test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            struct span text = { (const uint8_t *)rows[i].text, len };
            uint32_t    tail;
            (void)function_classify(text, (struct lex_options){ 0 }, &tail);
        }
}

static void
test_names(void **state)
{
    (void)state;
    for (int class = FUNCTION_UNKNOWN; class <= FUNCTION_LOCKS; class++) {
        const char *name = function_class_name((enum function_class)class);
        assert_int_equal(function_class_named(span_of(name)), class);
    }
    assert_int_equal(function_class_named(SPAN("else")), FUNCTION_UNKNOWN);
}

static void
test_lists(void **state)
{
    struct buf list = { 0 };

    (void)state;
    assert_true(function_list_ok(SPAN("")));
    function_list_add(&list, SPAN("one"), FUNCTION_PLAIN, false);
    function_list_add(&list, SPAN("two"), FUNCTION_READS, true);
    struct span s = buf_unread(&list);
    assert_true(function_list_ok(s));
    assert_int_equal(function_list_find(s, SPAN("ONE")), FUNCTION_PLAIN);
    assert_int_equal(function_list_find(s, SPAN("two")), FUNCTION_READS);
    assert_int_equal(function_list_find(s, SPAN("tw")), FUNCTION_UNKNOWN);
    assert_true(function_list_at_home(s, SPAN("Two")));
    assert_false(function_list_at_home(s, SPAN("one")) || function_list_at_home(s, SPAN("tw")));
    for (size_t len = 1; len < s.len; len++)
        assert_true(function_list_ok((struct span){ s.ptr, len }) == (len == 5));
    assert_false(function_list_ok((struct span){ (const uint8_t *)"zx", 3 }));
    assert_false(function_list_ok((struct span){ (const uint8_t *)"b", 2 }));
    buf_fini(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_names), cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
