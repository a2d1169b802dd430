/* test_routine_reads.c - see core/route/routine_reads.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/buf.h"
#include "core/route/routine_reads.h"

static const struct {
    bool        reads;
    const char *text; /* behind CREATE */
} rows[] = {
    { true, "PROCEDURE p() SELECT 1" },
    { true, "OR REPLACE DEFINER = `a`@`%` PROCEDURE IF NOT EXISTS db.p(IN a INT, OUT b INT, INOUT c"
            " DECIMAL(9,2)) READS SQL DATA SQL SECURITY INVOKER COMMENT 'x' SELECT n INTO b FROM t"
            " WHERE id = a" },
    { true, "PROCEDURE p(a INT) BEGIN DECLARE x, y INT DEFAULT 0; SET x = a, y := MOD(a, 3),"
            " @z = 1, @w := x; IF (x > y) THEN SET a = (SELECT MAX(b), 1 FROM t); END IF; END" },
    { true, "PROCEDURE p() BEGIN DECLARE done INT DEFAULT 0; DECLARE c CURSOR FOR SELECT a FROM t"
            " ORDER BY a DESC; DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE '02000',"
            " SQLSTATE VALUE '45001' SET done = 1; OPEN c; FETCH c INTO @x; CLOSE c; END" },
    { true, "PROCEDURE p() SELECT REPLACE(a, 'x', 'y'), INSERT(a, 1, 2, 'z'), user, t.update FROM t"
            " ORDER BY a DESC LIMIT 3" },
    { true, "PROCEDURE p() SELECT SUM(a) OVER (PARTITION BY b ORDER BY c DESC) FROM t" },
    { true, "PROCEDURE p() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no', MYSQL_ERRNO = 3" },
    { true, "PROCEDURE p(a VARCHAR(9) CHARACTER SET latin1, b SET('x','y')) SELECT a, b" },
    { true, "PROCEDURE p() BEGIN DECLARE r ROW(a INT, b INT); SET r.a = 1; CALL q(r.a, @b); END" },
    { true, "FUNCTION f(x INT) RETURNS INT RETURN (SELECT COUNT(*) FROM t WHERE a > x)" },
    { true, "FUNCTION f(x INT) RETURNS INT RETURN g(x) + @a" },

    { false, "PROCEDURE p() INSERT INTO t VALUES (1)" },
    { false, "PROCEDURE p() REPLACE t VALUES (1)" },
    { false, "PROCEDURE p() UPDATE t SET a = 1" },
    { false, "PROCEDURE p() DELETE FROM t" },
    { false, "PROCEDURE p() SELECT a FROM t FOR UPDATE" },
    { false, "PROCEDURE p() SELECT a FROM t LOCK IN SHARE MODE" },
    { false, "PROCEDURE p() SELECT a INTO OUTFILE 'x' FROM t" },
    { false, "PROCEDURE p() SELECT a INTO DUMPFILE 'x' FROM t" },
    { false, "PROCEDURE p() SELECT NEXTVAL(s)" },
    { false, "PROCEDURE p() SELECT NEXT VALUE FOR s" },
    { false, "PROCEDURE p() SELECT PREVIOUS VALUE FOR s" },
    { false, "PROCEDURE p() SELECT SETVAL(s, 1)" },
    { false, "PROCEDURE p() CREATE TEMPORARY TABLE x (a INT)" },
    { false, "PROCEDURE p() BINLOG 'x'" },
    { false, "PROCEDURE p() STOP ALL SLAVES" },
    { false, "PROCEDURE p() BEGIN SELECT 1; /*!50000 DELETE FROM t; */ END" },
    { false, "PROCEDURE p() SET sql_mode = ''" },
    { false, "PROCEDURE p(a INT) SET a = 1, sql_mode = ''" },
    { false, "PROCEDURE p(a INT) SET a = 1, SESSION sql_mode = ''" },
    { false, "PROCEDURE p(session INT) SET session sql_mode = ''" },
    { false, "PROCEDURE p() SET @@sql_mode = ''" },
    { false, "PROCEDURE p() SET NAMES latin1" },
    { false, "PROCEDURE p() SET CHARACTER SET latin1" },
    { false, "PROCEDURE p() SET TRANSACTION READ ONLY" },
    { false, "PROCEDURE p(statement INT) SET STATEMENT sql_mode = '' FOR SELECT 1" },
    { false, "PROCEDURE p() IF (SELECT t.signal FROM t) THEN SET sql_mode = ''; END IF" },
    { false, "PROCEDURE p() SELECT @@port" },
    { false, "PROCEDURE p() SELECT LAST_INSERT_ID()" },
    { false, "PROCEDURE p() SELECT FOUND_ROWS (  )" },
    { false, "PROCEDURE p() SELECT CURRENT_USER" },
    { false, "PROCEDURE p() SELECT USER()" },
    { false, "PROCEDURE p() GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT" },
    { false, "PROCEDURE p() DESCRIBE t" },
    { false, "PROCEDURE p() DESC t" },
    { false, "PROCEDURE p() DESC SELECT 1" },
    { false, "PROCEDURE p() EXPLAIN SELECT 1" },
    { false, "PROCEDURE p() SELECT a FROM t FORCE INDEX (x)" },
    { false, "PROCEDURE p() SELECT a FROM t USE KEY (x)" },
    { false, "PROCEDURE p() SELECT a FROM t PARTITION (p0)" },
    { false, "PROCEDURE p() SELECT a FROM t FOR SYSTEM_TIME ALL" },
    { false, "PROCEDURE p() SELECT a FROM t WHERE MATCH (a) AGAINST ('x')" },
    { false, "PROCEDURE p() SELECT DEFAULT(a) FROM t" },
    { false, "PROCEDURE p() SELECT SQL_CALC_FOUND_ROWS a FROM t" },
    { false, "PROCEDURE p(x TYPE OF t.a) SELECT x" },
    { false, "PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SELECT 0; SELECT 1; END" },
    { false, "PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR NOT FOUND, 1146 SELECT 0; END" },
    { false, "PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '42S02' SELECT 0; END" },
    { false, "PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLWARNING SELECT 0; END" },
    { false, "PROCEDURE p() SELECT ?" },
    { false, "PROCEDURE p() SELECT 'open" },
    { false, "PROCEDURE p" },
    { false, "AGGREGATE FUNCTION f(x INT) RETURNS INT RETURN 1" },
    { false, "FUNCTION f RETURNS INT SONAME 'f.so'" },
    { false, "TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a = (1)" },
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct buf text = { 0 };
        uint32_t   tail = 0;

        buf_printf(&text, "CREATE %s", rows[i].text);
        struct span whole = buf_unread(&text);
        if (routine_reads(whole, (struct lex_options){ 0 }, &tail) != rows[i].reads)
            fail_msg("%s", rows[i].text);
        if (rows[i].reads)
            assert_int_equal(whole.ptr[tail], '(');
        for (size_t len = 0; len < whole.len; len++)
            (void)!routine_reads((struct span){ whole.ptr, len }, (struct lex_options){ 0 }, &tail);
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
