/* test_routine_body.c - see core/route/routine_body.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/route/routine_body.h"

/* Behind CREATE PROCEDURE; `told`: the parameters' values that stay ('k'), change ('c'), or are
 * given back ('-'), and the statements, with {n} for a parameter and {} for other variables. NULL:
 * not understood. */
static const struct {
    const char *text, *told;
} rows[] = {
    { "p() SELECT 1", " | SELECT 1" },
    { "p(u INT) SELECT a FROM t WHERE id = u", "k | SELECT a FROM t WHERE id = {0}" },
    { "p(IN a INT, OUT b DECIMAL(9,2), INOUT c ENUM('x)','y'), d INT) SELECT a, b, c, D",
      "k--k | SELECT {0}, {1}, {2}, {3}" },
    { "p(u INT) COMMENT 'SELECT 1' LANGUAGE SQL NOT DETERMINISTIC MODIFIES SQL DATA SQL SECURITY"
      " INVOKER DELETE FROM t WHERE id = u;", "k | DELETE FROM t WHERE id = {0}" },
    { "p(u INT) SELECT u.u, t . u, u(1), `u`, 'u', x.y.u FROM u",
      "k | SELECT u.u, t . u, u(1), {0}, 'u', x.y.u FROM {0}" },
    { "p(u INT) SELECT a /* shardd: shard=x */ , b -- c\n FROM t", "k | SELECT a , b FROM t" },
    { "p(u INT, n INT) BEGIN DECLARE x, y INT DEFAULT u + 1; DECLARE u2 INT; SET x = (SELECT"
      " MAX(a) FROM t WHERE id = u), n := 3, @v = x, y = CASE WHEN x THEN 1 ELSE 2 END; END",
      "kc | SELECT {0} + 1 | SELECT (SELECT MAX(a) FROM t WHERE id = {0}) | SELECT 3 | SELECT {}"
      " | SELECT CASE WHEN {} THEN 1 ELSE 2 END" },
    { "p(u INT, n INT) BEGIN SELECT a, b INTO n, @x FROM t WHERE id = u FOR UPDATE; SELECT 1 FROM t"
      " INTO u; END", "cc | SELECT a, b  FROM t WHERE id = {0} FOR UPDATE | SELECT 1 FROM t " },
    { "p(u INT) BEGIN BEGIN DECLARE u INT; END; END", "c" },
    { "p(u INT) l: BEGIN IF u > 1 THEN SELECT 1; ELSEIF (SELECT 2) THEN SELECT 3; SELECT 4; ELSE"
      " LEAVE l; END IF; END l", "k | SELECT {0} > 1 | SELECT 1 | SELECT (SELECT 2) | SELECT 3"
      " | SELECT 4" },
    { "p(u INT) BEGIN CASE u WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; CASE WHEN u THEN DO 1,"
      " (2); END CASE; END", "k | SELECT {0} | SELECT 1 | SELECT 1 | SELECT {0} | SELECT 1, (2)" },
    { "p(u INT) BEGIN a: WHILE u < 3 DO ITERATE a; END WHILE a; REPEAT DELETE FROM t; UNTIL CASE u"
      " WHEN 1 THEN 2 END END REPEAT; l: LOOP LEAVE l; END LOOP l; END",
      "k | SELECT {0} < 3 | DELETE FROM t | SELECT CASE {0} WHEN 1 THEN 2 END" },
    { "p(u INT) BEGIN DECLARE d INT; DECLARE k CONDITION FOR SQLSTATE '45000'; DECLARE c CURSOR FOR"
      " SELECT a FROM t WHERE id = u; DECLARE CONTINUE HANDLER FOR NOT FOUND, k, 1062, SQLSTATE"
      " VALUE '23000', SQLEXCEPTION SET d = 1; DECLARE EXIT HANDLER FOR SQLWARNING BEGIN ROLLBACK;"
      " RESIGNAL; END; OPEN c; FETCH NEXT FROM c INTO d; FETCH c INTO u; CLOSE c; SIGNAL k SET"
      " MESSAGE_TEXT = d; END", "c | SELECT a FROM t WHERE id = {0} | SELECT 1 | ROLLBACK" },
    { "p(u INT) BEGIN START TRANSACTION READ WRITE; SAVEPOINT s; COMMIT; END",
      "k | START TRANSACTION READ WRITE | SAVEPOINT s | COMMIT" },
    { "p(u INT) BEGIN (SELECT 1) UNION (SELECT u); WITH c AS (SELECT 1) SELECT * FROM c; VALUES"
      " (1); REPLACE INTO t VALUES (u); UPDATE t SET a = u; END",
      "k | (SELECT 1) UNION (SELECT {0}) | WITH c AS (SELECT 1) SELECT * FROM c | VALUES (1)"
      " | REPLACE INTO t VALUES ({0}) | UPDATE t SET a = {0}" },

    { "p(u INT, OUT x INT) CALL d.q(u, (x), @v)", "k- | CALL d.q({0}, ({1}), @v)" },
    { "p() FOR i IN 1..2 DO CALL q(); END FOR", NULL }, { "p() EXECUTE IMMEDIATE 'x'", NULL },
    { "p() TRUNCATE t", NULL },
    { "p() CREATE TEMPORARY TABLE x (a INT)", NULL }, { "p() SET sql_mode = ''", NULL },
    { "p() SET @@sql_mode = ''", NULL }, { "p(a INT) SET a = 1, NAMES utf8", NULL },
    { "p() SELECT 1 INTO OUTFILE 'x'", NULL }, { "p() GET DIAGNOSTICS @a = ROW_COUNT", NULL },
    { "p() FOR i IN 1..2 DO SELECT i; END FOR", NULL }, { "p() SELECT ?", NULL },
    { "p() BEGIN DECLARE c CURSOR (a INT) FOR SELECT a; END", NULL },
    { "p() BEGIN SELECT 1", NULL },
    { "p() BEGIN SELECT 1; END; SELECT 2", NULL }, { "p() SELECT 1; SELECT 2", NULL },
    { "p() BEGIN /*!50000 SELECT 1; */ END", NULL }, { "p() SELECT (1", NULL },
    { "p() BEGIN IF 1 THEN SELECT 1; END; END", NULL }, { "p(a INT", NULL }, { "p", NULL },
    { "p() SELECT '\5'", NULL }, { "p() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = (SELECT 1)",
                                   NULL },
    { "p() LOAD DATA INFILE 'x' INTO TABLE t", NULL }, { "p() RETURN 1", NULL }, { "p() ", NULL },
};

static void
tell(struct span statements, const enum routine_use *uses, uint32_t n, struct buf *told)
{
    struct buf text = { 0 }, variables = { 0 };

    for (uint32_t i = 0; i < n; i++)
        buf_append_byte(told, (uint8_t)"?kc-"[uses[i]]);
    while (routine_statement(&statements, &text, &variables)) {
        const uint8_t *which = buf_unread(&variables).ptr;

        buf_append_text(told, " | ");
        for (size_t i = 0; i < buf_len(&text); i++) {
            uint8_t byte = buf_unread(&text).ptr[i];

            if (byte != '?')
                buf_append_byte(told, byte);
            else if (*which++ == ROUTINE_OTHER)
                buf_append_text(told, "{}");
            else
                buf_printf(told, "{%u}", which[-1]);
        }
        assert_ptr_equal(which, buf_unread(&variables).ptr + buf_len(&variables));
        buf_clear(&text);
        buf_clear(&variables);
    }
    assert_int_equal(statements.len, 0);
    buf_fini(&text);
    buf_fini(&variables);
}

static void
test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct buf text = { 0 }, statements = { 0 }, told = { 0 };
        enum routine_use uses[ROUTINE_PARAMETERS_MAX];
        uint32_t         n;

        buf_printf(&text, "CREATE OR REPLACE DEFINER = a@b PROCEDURE s.%s", rows[i].text);
        bool good = routine_body(buf_unread(&text), (struct lex_options){ 0 }, uses, &n,
                                 &statements);
        if (good)
            tell(buf_unread(&statements), uses, n, &told);
        if (good != (rows[i].told != NULL))
            fail_msg("%s: %s", rows[i].text, good ? buf_cstr(&told) : "not understood");
        if (good)
            assert_string_equal(buf_cstr(&told), rows[i].told);
        for (size_t len = 0; len < buf_len(&text); len++) { /* cut off anywhere */
            buf_clear(&statements);
            (void)!routine_body((struct span){ buf_unread(&text).ptr, len },
                                (struct lex_options){ 0 }, uses, &n, &statements);
        }
        buf_fini(&text);
        buf_fini(&statements);
        buf_fini(&told);
    }
}

static void
test_depth(void **state)
{
    struct buf text = { 0 }, statements = { 0 };
    enum routine_use uses[ROUTINE_PARAMETERS_MAX];
    uint32_t         n;

    (void)state;
    buf_append_text(&text, "CREATE PROCEDURE p() ");
    for (int i = 0; i < 100000; i++)
        buf_append_text(&text, "IF 1 THEN ");
    assert_false(routine_body(buf_unread(&text), (struct lex_options){ 0 }, uses, &n,
                              &statements));
    buf_clear(&text);
    buf_append_text(&text, "CREATE PROCEDURE p(p0 INT");
    for (int i = 1; i <= ROUTINE_PARAMETERS_MAX; i++)
        buf_printf(&text, ", p%d INT", i);
    buf_append_text(&text, ") SELECT 1");
    assert_false(routine_body(buf_unread(&text), (struct lex_options){ 0 }, uses, &n,
                              &statements));
    buf_fini(&text);
    buf_fini(&statements);
}

static void
test_lists(void **state)
{
    struct route_column      type = { .type = COLUMN_VARCHAR, .collation = 45, .length = 20 };
    struct route_column      other = { .type = COLUMN_BIGINT, .is_unsigned = true };
    struct routine_parameter p;
    struct buf               body = { 0 }, text = { 0 }, variables = { 0 };

    (void)state;
    routine_body_parameter(&body, &type, ROUTINE_KEEPS);
    routine_body_parameter(&body, &other, ROUTINE_CHANGES);
    buf_append_text(&body, "\5SELECT \6 ");
    struct span at = buf_unread(&body);
    assert_true(routine_parameter(&at, &p) && p.use == ROUTINE_KEEPS);
    assert_int_equal(p.type.type, COLUMN_VARCHAR);
    assert_true(p.type.collation == 45 && p.type.length == 20 && !p.type.is_unsigned);
    assert_true(routine_parameter(&at, &p) && p.use == ROUTINE_CHANGES && p.type.is_unsigned);
    assert_false(routine_parameter(&at, &p));
    assert_true(routine_statement(&at, &text, &variables));
    assert_true(span_equal(buf_unread(&text), SPAN("SELECT ?")));
    assert_false(routine_statement(&at, &text, &variables));
    at = SPAN("\4" "99 1\4x\5\6");
    assert_true(routine_parameter(&at, &p) && p.use == ROUTINE_GIVES);
    assert_int_equal(p.type.type, COLUMN_OTHER);
    assert_true(routine_parameter(&at, &p) && p.use == ROUTINE_GIVES);
    assert_true(routine_statement(&at, &text, &variables) && at.len == 0);
    assert_int_equal(routine_body_at(SPAN("name")), 4);
    assert_int_equal(routine_body_at(SPAN("n\1\2a\3b\5x")), 6);
    buf_fini(&body);
    buf_fini(&text);
    buf_fini(&variables);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies), cmocka_unit_test(test_depth), cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
