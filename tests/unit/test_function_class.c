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

#define T(body) "CREATE TRIGGER a BEFORE INSERT ON d.t FOR EACH ROW " body

static const struct {
    const char         *text;
    enum function_class class;
    const char         *set, *named; /* the last one; NULL: none */
} triggers[] = {
    { T("SET NEW.a = 1"), FUNCTION_PLAIN, "a", "a" },
    { T("SET NEW.a = OLD.c, `new`.`B` := NEW.c"), FUNCTION_PLAIN, "B", "c" },
    { "CREATE OR REPLACE DEFINER = trigger@`x` TRIGGER IF NOT EXISTS d.a BEFORE INSERT ON d.t"
      " FOR EACH ROW PRECEDES b SET NEW.a = NOW(6)", FUNCTION_PLAIN, "a", "a" },
    { T("BEGIN DECLARE x INT DEFAULT NEW.time; IF x THEN SET x = f.g(1); END IF; END"),
      FUNCTION_READS, NULL, "time" },
    { T("BEGIN DECLARE x INT; SET x = GREATEST(1, NEW.select), NEW.k = x; END"), FUNCTION_PLAIN,
      "k", "k" },
    { T("IF NEW.a THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"), FUNCTION_PLAIN,
      NULL, "a" },
    { T("BEGIN DECLARE session INT; SET session sql_mode = ''; END"), FUNCTION_VARIABLES, NULL,
      NULL },
    { T("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1213"), FUNCTION_ENDS, NULL, NULL },
    { "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER a BEFORE INSERT ON d.t FOR"
      " EACH ROW BEGIN SET NEW.b = 1; END */", FUNCTION_PLAIN, "b", "b" },
    { T("SET NEW.a = 1 /*!99999 ( */ , NEW.k = 5 /*!99999 ) */"), FUNCTION_UNKNOWN, "k", "k" },
    { T("SET sql_mode = ''"), FUNCTION_VARIABLES, NULL, NULL },
    { T("SET @a = NEW.b"), FUNCTION_VARIABLES, NULL, "b" },
    { T("SET NEW.a = SYSDATE()"), FUNCTION_VARIES, "a", "a" },
    { T("SET NEW.a = UUID()"), FUNCTION_VARIES, "a", "a" },
    { T("BEGIN DECLARE new INT; SET new = 1; END"), FUNCTION_UNKNOWN, NULL, NULL },
    { T("INSERT INTO t VALUES (NEW.a)"), FUNCTION_READS, NULL, "a" },
    { T("SELECT 1 INTO NEW.a"), FUNCTION_READS, NULL, "a" },
    { T("KILL 5"), FUNCTION_DEFINES, NULL, NULL },
    { T("BEGIN /*M!50000 SET NEW.a = 1; */ END"), FUNCTION_UNKNOWN, "a", "a" },
    { T("SET NEW.`a``b` = 1"), FUNCTION_UNKNOWN, "a``b", "a``b" },
    { T("SET NEW.\xc3\xa4 = 1"), FUNCTION_UNKNOWN, "\xc3\xa4", "\xc3\xa4" },
    { "CREATE TRIGGER a", FUNCTION_UNKNOWN, NULL, NULL },
    { "CREATE TRIGGER a BEFORE LOAD ON t FOR EACH ROW SET NEW.a = 1", FUNCTION_UNKNOWN, NULL,
      NULL },
    { "DROP TABLE t", FUNCTION_UNKNOWN, NULL, NULL },
};

static void
check_last(const struct trigger_columns *list, const char *name, const char *text)
{
    if (name == NULL ? list->n != 0
                     : list->n == 0 || !span_equal(list->name[list->n - 1], span_of(name)))
        fail_msg("%s: %u columns, not %s", text, list->n, name ? name : "none");
}

static void
test_triggers(void **state)
{
    const struct lex_options utf8 = { .charset = LEX_UTF8 };

    (void)state;
    for (size_t i = 0; i < countof(triggers); i++) {
        struct trigger_look out;
        enum function_class class = trigger_classify(span_of(triggers[i].text), utf8, &out);

        if (class != triggers[i].class)
            fail_msg("%s: %s", triggers[i].text, function_class_name(class));
        check_last(&out.set, triggers[i].set, triggers[i].text);
        check_last(&out.named, triggers[i].named, triggers[i].text);
        if (class == FUNCTION_PLAIN)
            assert_true(out.before && out.insert && span_equal(out.schema, SPAN("d")) &&
                        span_equal(out.table, SPAN("t")));
        for (size_t len = 0; len < strlen(triggers[i].text); len++)
            (void)trigger_classify((struct span){ (const uint8_t *)triggers[i].text, len }, utf8,
                                   &out);
    }
}

static void
test_lists(void **state)
{
    struct buf list = { 0 };

    (void)state;
    assert_true(function_list_ok(SPAN("")));
    function_list_add(&list, SPAN("one"), FUNCTION_PLAIN, false, (struct span){ 0 },
                      (struct span){ 0 });
    function_list_add(&list, SPAN("two"), FUNCTION_READS, true, (struct span){ 0 },
                      (struct span){ 0 });
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

static void
test_tables(void **state)
{
    struct buf  list = { 0 }, tables = { 0 };
    struct span database, name, left = { 0 };

    (void)state;
    function_table_add(&tables, SPAN("a"), SPAN("t"));
    function_table_add(&tables, SPAN("bb"), SPAN("uu"));
    function_list_add(&list, SPAN("none"), FUNCTION_HOME, true, SPAN(""), (struct span){ 0 });
    function_list_add(&list, SPAN("reads"), FUNCTION_SPREAD, false, buf_unread(&tables),
                      SPAN("\4p\5s"));
    function_list_add(&list, SPAN("else"), FUNCTION_SPREAD, false, (struct span){ 0 },
                      SPAN("\5SELECT 1"));
    struct span s = buf_unread(&list);
    assert_true(function_list_ok(s));
    assert_false(function_list_reads(s, SPAN("else"), &left));
    assert_true(span_equal(function_list_body(s, SPAN("else")), SPAN("\5SELECT 1")));
    assert_true(span_equal(function_list_body(s, SPAN("reads")), SPAN("\4p\5s")));
    assert_int_equal(function_list_body(s, SPAN("none")).len, 0);
    assert_false(function_list_reads(s, SPAN("read"), &left));
    assert_null(left.ptr);
    assert_true(function_list_reads(s, SPAN("none"), &left));
    assert_non_null(left.ptr);
    assert_false(function_table_next(&left, &database, &name));
    assert_true(function_list_at_home(s, SPAN("none")));
    assert_true(function_list_reads(s, SPAN("Reads"), &left));
    assert_int_equal(function_list_find(s, SPAN("reads")), FUNCTION_SPREAD);
    assert_true(function_table_next(&left, &database, &name));
    assert_true(span_equal(database, SPAN("a")) && span_equal(name, SPAN("t")));
    assert_true(function_table_next(&left, &database, &name));
    assert_true(span_equal(database, SPAN("bb")) && span_equal(name, SPAN("uu")));
    assert_false(function_table_next(&left, &database, &name));
    assert_true(function_list_any_reads(s));
    assert_false(function_list_any_reads(SPAN("")) || function_list_any_reads(SPAN("bone\0")));
    assert_false(function_table_sayable(SPAN("a\2b")) || function_table_sayable(SPAN("")));
    assert_true(function_table_sayable(SPAN("a b")));
    for (size_t at = 1; at + 1 < s.len; at++) { /* damaged */
        uint8_t copy[128];
        memcpy(copy, s.ptr, s.len);
        copy[at] ^= 2;
        (void)function_list_ok((struct span){ copy, s.len });
    }
    assert_false(function_list_ok((struct span){ (const uint8_t *)"bx\1\2a", 6 }));
    assert_false(function_list_ok((struct span){ (const uint8_t *)"bx\1\2a\3", 7 }));
    assert_false(function_list_ok((struct span){ (const uint8_t *)"bx\1y\3z", 7 }));
    assert_false(function_list_ok((struct span){ (const uint8_t *)"b\1\2a\3z", 7 }));
    buf_fini(&list);
    buf_fini(&tables);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_names), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_triggers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
