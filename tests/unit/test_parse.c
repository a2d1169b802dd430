/* test_parse.c - ranges, ordinals, names, options, depth and the visitor. */
#include "tests/unit/parse_check.h"

#include <stdio.h>

static struct arena arena;

static struct stmt *
parse(const char *sql, struct lex_options options, enum parse_result want)
{
    struct stmt *s = NULL;

    assert_int_equal(parse_statement(&arena, span_of(sql), options, NULL, &s), want);
    return s;
}

static struct stmt *
parse_ok(const char *sql)
{
    return parse(sql, (struct lex_options){ 0 }, PARSE_OK);
}

static int
arena_free(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void
assert_range(const char *sql, struct range r, const char *want)
{
    char got[256];

    snprintf(got, sizeof(got), "%.*s", (int)(r.end - r.start), sql + r.start);
    assert_string_equal(got, want);
}

static void
ranges_are_the_text(void **state)
{
    (void)state;
    const char *sql = "SELECT DISTINCT a, b+1 c FROM t  WHERE x=1 GROUP BY a WITH ROLLUP "
                      "HAVING y ORDER BY 1 DESC LIMIT 2,3 FOR UPDATE -- end";
    struct query *q = parse_ok(sql)->query;

    assert_range(sql, q->options, "DISTINCT");
    assert_range(sql, q->items_range, "a, b+1 c");
    assert_range(sql, q->items->next->range, "b+1 c");
    assert_range(sql, q->from_range, "FROM t");
    assert_range(sql, q->where_range, "WHERE x=1");
    assert_range(sql, q->group_range, "GROUP BY a WITH ROLLUP");
    assert_range(sql, q->having_range, "HAVING y");
    assert_range(sql, q->order_range, "ORDER BY 1 DESC");
    assert_range(sql, q->limit->range, "LIMIT 2,3");
    assert_range(sql, q->lock_range, "FOR UPDATE");
}

static void
ranges_of_an_insert(void **state)
{
    (void)state;
    const char *sql = "INSERT INTO s.t (a, b) VALUES ( 1,'x' ),(f(2), DEFAULT) "
                      "ON DUPLICATE KEY UPDATE a=VALUES(a) RETURNING b";
    struct insert *i = parse_ok(sql)->insert;

    assert_range(sql, i->table.range, "s.t");
    assert_range(sql, i->columns_range, "(a, b)");
    assert_range(sql, i->values_range, "( 1,'x' ),(f(2), DEFAULT)");
    assert_range(sql, i->rows->range, "( 1,'x' )");
    assert_int_equal(i->n_rows, 2);
    assert_int_equal(i->rows->next->n_values, 2);
    struct expr *f = i->rows->next->values;
    assert_range(sql, (struct range){ f->start, f->end }, "f(2)");
    assert_range(sql, i->on_duplicate_range, "ON DUPLICATE KEY UPDATE a=VALUES(a)");
    assert_range(sql, i->returning_range, "RETURNING b");
}

static void
names_of_unknown_text(void **state)
{
    (void)state;
    static const char *const want[] = { "a", "b", "c", "x y", NULL };
    struct stmt *s = parse("FROB SELECT a FROM s.b, `c`.d.e `x y` 'no'", (struct lex_options){ 0 },
                           PARSE_UNKNOWN);
    struct path_item *n = s->names;

    assert_int_equal(s->error_at, 0);
    assert_memory_equal(n->path.name.ptr, "FROB", 4);
    n = n->next;
    for (size_t i = 0; want[i] != NULL; i++, n = n->next) {
        struct path *p     = &n->path;
        struct span  found = p->table.ptr != NULL ? p->schema : p->name;
        assert_memory_equal(found.ptr, want[i], strlen(want[i]));
    }
    assert_null(n);
}

static void
sql_modes_change_the_tree(void **state)
{
    (void)state;
    static const struct {
        const char        *sql;
        struct lex_options options;
        const char        *tree;
    } rows[] = {
        { "SELECT a||b OR c", { 0 }, "(select (items (or a b c)))" },
        { "SELECT a||b OR c", { .pipes_as_concat = true }, "(select (items (or (|| a b) c)))" },
        { "SELECT a*b||c", { .pipes_as_concat = true }, "(select (items (* a (|| b c))))" },
        { "SELECT \"a\"", { .ansi_quotes = true }, "(select (items a))" },
        { "SELECT rownum, a.rownum", { .oracle = true }, "(select (items (rownum) a.rownum))" },
        { "SELECT rownum FROM t minus", { 0 }, "(select (items rownum) (from (as t minus)))" },
        { "SELECT a MINUS SELECT b", { .oracle = true },
          "(query (select (items a)) EXCEPT (select (items b)))" },
        { "SELECT s.nextval, x.s.CurrVal, nextval", { .oracle = true },
          "(select (items (NEXTVAL s) (LASTVAL x.s) nextval))" },
        { "SELECT \"a\"", { 0 }, "(select (items \"a\"))" },
        { "SELECT NOT a = b", { 0 }, "(select (items (not (= a b))))" },
        { "SELECT NOT a = b", { .high_not_precedence = true },
          "(select (items (= (not a) b)))" },
        { "SELECT 'a\\' b", { .no_backslash_escapes = true },
          "(select (items (as 'a\\' b)))" },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        struct buf out = { 0 };
        ast_print_stmt(&out, span_of(rows[i].sql), parse(rows[i].sql, rows[i].options, PARSE_OK));
        assert_string_equal(buf_cstr(&out), rows[i].tree);
        buf_fini(&out);
    }
}

/* `middle` n times between two ends. */
static void
parse_repeated(const char *before, const char *middle, const char *after, size_t n,
               enum parse_result want)
{
    struct buf   text = { 0 };
    struct stmt *s;

    buf_append_text(&text, before);
    for (size_t i = 0; i < n; i++)
        buf_append_text(&text, middle);
    for (size_t i = 0; i < n; i++)
        buf_append_text(&text, after);
    enum parse_result got =
        parse_statement(&arena, buf_unread(&text), (struct lex_options){ 0 }, NULL, &s);
    if (got != want)
        fail_msg("%s %s: %d", before, middle, got);
    buf_fini(&text);
    arena_reset(&arena);
}

static void
depth_is_limited(void **state)
{
    (void)state;
    static const struct {
        const char *before, *middle, *after;
    } deep[] = {
        { "SELECT ", "(", "1)" },          { "SELECT ", "-", "" },
        { "SELECT ", "NOT ", "" },         { "SELECT ", "f(", ")" },
        { "SELECT 1", "+1", "" },          { "SELECT 1", " XOR 1", "" },
        { "SELECT ", "(SELECT ", "1)" },   { "SELECT 1 FROM ", "(", "t)" },
        { "SELECT 1 FROM t", " JOIN t", "" }, { "SELECT 1 FROM t", ", t", "" },
        { "SELECT 1 FROM t", " LEFT JOIN t", " ON 1" }, { "SELECT ", "CASE WHEN ", "1 END" },
        { "SELECT a", " COLLATE b", "" },  { "", "EXPLAIN ", "" },
        { "SELECT a", " IN (a", ")" },     { "SELECT a", " LIKE b", "" },
        { "SELECT a", " IS NULL", "" },    { "SELECT ", "@a:=", "1" },
        { "", "(", "SELECT 1)" },          { "SELECT ", "INTERVAL ", "1 DAY" },
        { "", "SET STATEMENT a=1 FOR ", "" },
    };

    for (size_t i = 0; i < countof(deep); i++)
        parse_repeated(deep[i].before, deep[i].middle, deep[i].after, 100000, PARSE_UNKNOWN);
    parse_repeated("SELECT 1", " AND 1", "", 100000, PARSE_OK);
    parse_repeated("SELECT 1", " OR a = 1", "", 100000, PARSE_OK);
    parse_repeated("SELECT 1", ", 1", "", 100000, PARSE_OK);
    parse_repeated("SELECT a IN (1", ", 1", "", 100000, PARSE_UNKNOWN);
    parse_repeated("INSERT INTO t VALUES (1)", ", (1)", "", 100000, PARSE_OK);
    parse_repeated("SELECT ", "(", "", 100, PARSE_UNKNOWN);
    parse_repeated("SELECT 1", " UNION SELECT 1", "", 100000, PARSE_OK);
    parse_repeated("SELECT 'a'", "'b'", "", 100000, PARSE_OK);
    parse_repeated("SELECT 1 FROM t", " JOIN t", "", 60, PARSE_OK);
}

struct counts {
    int queries, tables, exprs, columns;
};

static bool
count_query(struct visitor *v, struct query *q)
{
    (void)q;
    ((struct counts *)v->context)->queries++;
    return true;
}

static bool
count_table(struct visitor *v, struct table_ref *t)
{
    ((struct counts *)v->context)->tables += t->kind == TABLE_REF_TABLE;
    return true;
}

static bool
count_expr(struct visitor *v, struct expr *e)
{
    struct counts *n = v->context;

    n->exprs++;
    n->columns += e->kind == EXPR_COLUMN;
    return true;
}

static void
a_visitor_sees_everything(void **state)
{
    (void)state;
    static const struct {
        const char   *sql;
        struct counts want;
    } rows[] = {
        { "SELECT 1", { 1, 0, 1, 0 } },
        { "SELECT a FROM t WHERE b IN (SELECT c FROM u ORDER BY d LIMIT 1)", { 2, 2, 7, 4 } },
        { "SELECT 1 FROM (SELECT a FROM t) x JOIN u ON v = w", { 2, 2, 5, 3 } },
        { "SELECT 1 UNION SELECT a FROM t", { 3, 1, 2, 1 } },
        { "WITH c AS (SELECT a FROM t) SELECT b FROM c", { 2, 2, 2, 2 } },
        { "SELECT SUM(a) OVER (PARTITION BY b ORDER BY c) FROM t", { 1, 1, 4, 3 } },
        { "INSERT INTO t VALUES (a, (SELECT b FROM u)) ON DUPLICATE KEY UPDATE c = d",
          { 1, 1, 4, 3 } },
        { "UPDATE t SET a = b WHERE c = 1 ORDER BY d", { 0, 1, 5, 3 } },
        { "DELETE FROM t WHERE a = 1", { 0, 1, 3, 1 } },
        { "CREATE TABLE t AS SELECT a FROM u", { 1, 1, 1, 1 } },
        { "EXPLAIN SELECT a FROM t", { 1, 1, 1, 1 } },
        { "DO a, b", { 0, 0, 2, 2 } },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        struct counts  got = { 0 };
        struct visitor v   = { count_query, count_table, count_expr, &got };
        visit_statement(&v, parse_ok(rows[i].sql));
        if (memcmp(&got, &rows[i].want, sizeof(got)) != 0)
            fail_msg("%s: %d queries %d tables %d expressions %d columns", rows[i].sql,
                     got.queries, got.tables, got.exprs, got.columns);
    }
}

static void
flags_tell_what_was_seen(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        uint32_t    flags;
    } rows[] = {
        { "SELECT a FROM t", 0 },
        { "SELECT (SELECT 1)", STMT_HAS_SUBQUERY },
        { "SELECT COUNT(*)", STMT_HAS_AGGREGATE },
        { "SELECT SUM(a) OVER ()", STMT_HAS_WINDOW },
        { "SELECT f(a)", STMT_HAS_FUNCTION },
        { "SELECT 1 UNION SELECT 2", STMT_HAS_UNION },
        { "WITH a AS (SELECT 1) SELECT 2", STMT_HAS_CTE },
        { "SELECT @a := 1", STMT_HAS_USER_VAR | STMT_HAS_ASSIGN },
        { "SELECT 1 FROM (SELECT 2) x", STMT_HAS_DERIVED },
        { "SELECT 1 /*! , 2 */", STMT_HAS_EXEC_COMMENT },
        { "SELECT 1 FROM t FOR UPDATE", STMT_HAS_LOCK },
        { "SELECT 1 INTO @a", STMT_HAS_USER_VAR | STMT_HAS_INTO },
        { "SELECT 1 FROM t FOR SYSTEM_TIME ALL", STMT_HAS_PERIOD },
    };

    for (size_t i = 0; i < countof(rows); i++)
        assert_int_equal(parse_ok(rows[i].sql)->flags, rows[i].flags);
}

static void
an_expression_alone(void **state)
{
    (void)state;
    struct expr *e;

    assert_int_equal(parse_expression(&arena, SPAN("a + 1"), (struct lex_options){ 0 }, &e),
                     PARSE_OK);
    assert_int_equal(e->op, EXPR_OP_PLUS);
    assert_int_equal(parse_expression(&arena, SPAN("a 1"), (struct lex_options){ 0 }, &e),
                     PARSE_UNKNOWN);
    assert_int_equal(parse_expression(&arena, SPAN("'a"), (struct lex_options){ 0 }, &e),
                     PARSE_BAD);
    assert_int_equal(parse_expression(&arena, SPAN(" "), (struct lex_options){ 0 }, &e),
                     PARSE_EMPTY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_the_text),
        cmocka_unit_test(ranges_of_an_insert),
        cmocka_unit_test(names_of_unknown_text),
        cmocka_unit_test(sql_modes_change_the_tree),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(a_visitor_sees_everything),
        cmocka_unit_test(flags_tell_what_was_seen),
        cmocka_unit_test(an_expression_alone),
    };

    return cmocka_run_group_tests(tests, NULL, arena_free);
}
