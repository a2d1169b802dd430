/* test_routine_look.c - see core/route/routine_look.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/buf.h"
#include "core/route/function_class.h"
#include "core/route/routine_look.h"

static const struct {
    const char         *body;
    enum function_class class;
    const char         *told; /* T(able) F(unction) P(rocedure); NULL: whatever */
} rows[] = {
    { "SELECT a, t.b FROM s.t", FUNCTION_HOME,
      "T:SELECT T:a T:t T:t.b T:FROM T:s T:s.t " },
    { "SELECT s . `t` . c", FUNCTION_HOME, "T:SELECT T:s T:s.t " },
    { "SELECT t.*", FUNCTION_HOME, "T:SELECT T:t " },
    { "CALL p(1)", FUNCTION_HOME, "T:CALL T:p P:p " },
    { "CALL s.p", FUNCTION_HOME, "T:CALL T:s T:s.p P:s.p " },
    { "DO f(1) + s.g (2) + abs(3) + `abs`(4) + s.abs(5)", FUNCTION_HOME,
      "T:DO T:f F:f T:s T:s.g F:s.g T:abs T:abs F:abs T:s T:s.abs F:s.abs " },
    { "INSERT INTO t (a) VALUES (1)", FUNCTION_HOME, "T:INSERT T:INTO T:t T:a T:VALUES " },
    { "REPEAT DO 1; UNTIL f(1) END REPEAT", FUNCTION_HOME,
      "T:REPEAT T:DO T:UNTIL T:f F:f T:END T:REPEAT " },
    { "REPEAT DO 1; UNTIL bit(1) END REPEAT", FUNCTION_HOME,
      "T:REPEAT T:DO T:UNTIL T:bit F:bit T:END T:REPEAT " },
    { "DECLARE x DATETIME(6)", FUNCTION_HOME, "T:DECLARE T:x T:DATETIME " },
    { "EXECUTE IMMEDIATE 'x'", FUNCTION_TEXT, NULL },
    { "BEGIN PREPARE x FROM y; END", FUNCTION_TEXT, NULL },
    { "START TRANSACTION", FUNCTION_ENDS, NULL }, { "COMMIT", FUNCTION_ENDS, NULL },
    { "ROLLBACK", FUNCTION_ENDS, NULL },          { "SET @@autocommit = 0", FUNCTION_ENDS, NULL },
    { "SET @@session.autocommit = 0", FUNCTION_ENDS, NULL },
    { "SET a = 1, SESSION `autocommit` = 0", FUNCTION_ENDS, NULL },
    { "RELEASE SAVEPOINT x", FUNCTION_ENDS, NULL }, { "XA BEGIN 'x'", FUNCTION_ENDS, NULL },
    { "CREATE TABLE x (a INT)", FUNCTION_DEFINES, NULL },
    { "DROP TABLE x", FUNCTION_DEFINES, NULL },   { "LOCK TABLES x READ", FUNCTION_DEFINES, NULL },
    { "TRUNCATE x", FUNCTION_DEFINES, NULL },     { "SET ROLE x", FUNCTION_DEFINES, NULL },
    { "HANDLER x OPEN", FUNCTION_DEFINES, NULL }, { "SHOW TABLES", FUNCTION_DEFINES, NULL },
    { "SELECT 1 FROM mysql . user", FUNCTION_DEFINES, NULL },
    { "SELECT 1 FROM `information_schema`.tables", FUNCTION_DEFINES, NULL },
    { "SELECT 1 FROM shardd_move.x", FUNCTION_DEFINES, NULL },
    { "KILL 3", FUNCTION_DEFINES, NULL },         { "SET GLOBAL x = 1", FUNCTION_DEFINES, NULL },
    { "SELECT RELEASE_LOCK('a')", FUNCTION_LOCKS, NULL },
    { "SELECT role, password FROM t LOCK IN SHARE MODE", FUNCTION_HOME, NULL },
    { "CREATE TEMPORARY TABLE x (a INT)", FUNCTION_HOME, NULL },
    { "DECLARE EXIT HANDLER FOR NOT FOUND DO TRUNCATE(1, 2)", FUNCTION_HOME, NULL },
    { "SELECT 1 FROM `a``b`", FUNCTION_UNKNOWN, NULL },
    { "SELECT 1 FROM `a.b`", FUNCTION_UNKNOWN, NULL },
    { "SELECT 1 FROM \xc3\xa4", FUNCTION_UNKNOWN, NULL },
    { "SELECT 'open", FUNCTION_UNKNOWN, NULL },   { "SELECT ?", FUNCTION_UNKNOWN, NULL },
    { "/*!50000 SELECT 1 */", FUNCTION_UNKNOWN, NULL },
    { "SELECT a.b.c(1)", FUNCTION_UNKNOWN, NULL },
};

static void
note(void *context, enum routine_name what, struct span schema, struct span name)
{
    buf_printf(context, "%c:%.*s%s%.*s ", "TFP"[what], (int)schema.len, (const char *)schema.ptr,
               schema.len > 0 ? "." : "", (int)name.len, (const char *)name.ptr);
}

static void
test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct buf           told  = { 0 }, text = { 0 };
        struct routine_names names = { .found = note, .context = &told };

        buf_printf(&text, "CREATE DEFINER = a@b PROCEDURE s.r () %s", rows[i].body);
        assert_string_equal(function_class_name(routine_look(buf_unread(&text),
                                                             (struct lex_options){ 0 }, &names)),
                            function_class_name(rows[i].class));
        if (rows[i].told != NULL)
            assert_string_equal(buf_cstr(&told), rows[i].told);
        buf_fini(&told);
        buf_fini(&text);
    }
}

static void
test_parameters(void **state)
{
    struct buf           told  = { 0 };
    struct routine_names names = { .found = note, .context = &told };

    (void)state;
    assert_int_equal(routine_look(SPAN("CREATE FUNCTION r(x TYPE OF t.a) RETURNS BIT(3) RETURN 1"),
                                  (struct lex_options){ 0 }, &names), FUNCTION_HOME);
    assert_non_null(strstr(buf_cstr(&told), "T:t T:t.a "));
    assert_null(strstr(buf_cstr(&told), "F:"));
    assert_int_equal(routine_look(SPAN("CREATE PROCEDURE r"), (struct lex_options){ 0 }, &names),
                     FUNCTION_UNKNOWN);
    buf_fini(&told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies), cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
