/* test_information.c - rows of information_schema from several shards; who may SET GLOBAL what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/route/information.h"
#include "ctl/job/ddl_servers.h"
#include "ctl/job/globals.h"

#define S(text) { (const uint8_t *)(text), sizeof(text) - 1 }

/* A sharded table, a global one at home on shard 1. */
static struct route_database databases[] = { { .name = S("db"), .home = 1 } };
static struct route_table    tables[] = {
    { .database = 0, .name = S("g"), .kind = TABLE_GLOBAL },
    { .database = 0, .name = S("t"), .kind = TABLE_SHARDED },
};
static struct routes routes = { .n_databases = 1, .databases = databases, .n_tables = 2,
                                .tables = tables, .n_shards = 2 };

/* TABLE_ID, NAME, ..., NUM_ROWS, CLUST, OTHER, MODIFIED, AUTOINC, REF_COUNT */
static void
stats(struct information *i, uint32_t shard, const char *name, const char *rows, const char *next)
{
    struct span cells[9] = { S("7"), span_of(name), S("Initialized"), span_of(rows), S("1"),
                             S("2"), S("3"), span_of(next), S("1") };

    information_row(i, shard, cells);
}

/* The JSON inside of JSON_TABLE(_utf8mb4 x'...'. */
static void
said(struct information *i, char out[2048])
{
    struct buf  text = { 0 };
    const char *hex, *end;
    size_t      n = 0;

    information_say(i, &text);
    hex = strchr(buf_cstr(&text), '\'') + 1;
    end = strchr(hex, '\'');
    for (; hex < end; hex += 2) {
        char digits[3] = { hex[0], hex[1], 0 };
        assert_true(n < 2047);
        out[n++] = (char)strtoul(digits, NULL, 16);
    }
    out[n] = 0;
    assert_non_null(strstr(end, "COLUMNS (`"));
    buf_fini(&text);
}

static void
test_tables(void **state)
{
    struct arena        arena = { 0 };
    struct information *i = information_new(&arena, &routes, INFORMATION_TABLESTATS, 0);
    char                text[2048];

    (void)state;
    stats(i, 0, "db/t", "10", "5");
    stats(i, 0, "db/g", "1", "0");
    stats(i, 0, "mysql/user", "3", "0");
    stats(i, 1, "mysql/user", "99", "0");
    stats(i, 1, "db/t", "32", "41");
    stats(i, 1, "db/g", "77", "8");
    said(i, text);
    assert_string_equal(text,
        "[[\"7\",\"db/t\",\"Initialized\",\"42\",\"2\",\"4\",\"6\",\"41\",\"1\"],"
        "[\"7\",\"mysql/user\",\"Initialized\",\"3\",\"1\",\"2\",\"3\",\"0\",\"1\"],"
        "[\"7\",\"db/g\",\"Initialized\",\"77\",\"1\",\"2\",\"3\",\"8\",\"1\"]]");
    arena_fini(&arena);
}

static void
test_status(void **state)
{
    static const struct {
        const char *name, *first, *second, *sum;
    } rows[] = {
        { "Com_select", "3", "4", "9" }, /* our own */
        { "innodb_page_size", "16384", "16384", "16384" },
        { "Max_used_connections", "3", "12", "12" },
        { "Ssl_version", "TLSv1.3", "", "TLSv1.3" },
        { "Handler_commit", "1000000000000", "1", "1000000000001" },
        { "Big", "99999999999999999999", "1", "99999999999999999999" },
    };
    struct arena        arena = { 0 };
    struct information *i = information_new(&arena, &routes, INFORMATION_GLOBAL_STATUS, 0);
    char                text[2048], expected[2048] = "[";

    (void)state;
    for (size_t k = 0; k < countof(rows); k++) {
        struct span a[] = { span_of(rows[k].name), span_of(rows[k].first) };
        struct span b[] = { span_of(rows[k].name), span_of(rows[k].second) };
        information_row(i, 0, a);
        information_row(i, 1, b);
        snprintf(expected + strlen(expected), 100, "[\"%s\",\"%s\"],", rows[k].name,
                 rows[k].sum);
    }
    information_own(i, "Questions", "5");
    information_own(i, "com_SELECT", "9");
    snprintf(expected + strlen(expected), 100, "[\"Questions\",\"5\"]]");
    said(i, text);
    assert_string_equal(text, expected);
    arena_fini(&arena);
}

static void
test_names(void **state)
{
    static const struct {
        const char            *name;
        enum information_table table;
        bool                   servers;
    } rows[] = {
        { "tables", INFORMATION_TABLES, false },
        { "STATISTICS", INFORMATION_STATISTICS, false },
        { "innodb_sys_tablestats", INFORMATION_TABLESTATS, false },
        { "INNODB_TRX", INFORMATION_N, true },
        { "XTRADB_RSEG", INFORMATION_N, true },
        { "COLUMNS", INFORMATION_N, false },
        { "SCHEMA_PRIVILEGES", INFORMATION_SCHEMA_PRIVILEGES, false },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        assert_int_equal(information_find(span_of(rows[i].name)), rows[i].table);
        assert_int_equal(information_is_servers(span_of(rows[i].name)), rows[i].servers);
    }
    assert_true(information_is_sum(INFORMATION_TABLES, SPAN("table_rows")));
    assert_false(information_is_sum(INFORMATION_TABLES, SPAN("TABLE_NAME")));
    assert_true(information_is_sum(INFORMATION_STATISTICS, SPAN("CARDINALITY")));
}

static void
test_globals(void **state)
{
    static const struct {
        const char *name;
        bool        refused;
    } rows[] = {
        { "sql_mode", true },        { "SQL_MODE", true },       { "character_set_server", true },
        { "wait_timeout", true },    { "wsrep_on", true },       { "sync_binlog", true },
        { "max_connections", false }, { "long_query_time", false }, { "debug_dbug", true },
        { "event_scheduler", false }, { "sql_modes", false },    { "character_sets", false },
        { "local_infile", true },    { "innodb_lock_wait_timeout", false },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        assert_int_equal(globals_obstacle(span_of(rows[i].name)) != NULL, rows[i].refused);
}

static void
test_ranks(void **state)
{
    (void)state;
    assert_int_equal(ddl_servers_rank("status", "OK"), 0);
    assert_int_equal(ddl_servers_rank("note", "anything"), 0);
    assert_int_equal(ddl_servers_rank("Warning", "x"), 1);
    assert_int_equal(ddl_servers_rank("error", "x"), 2);
    assert_int_equal(ddl_servers_rank("status", "Operation failed"), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables), cmocka_unit_test(test_status), cmocka_unit_test(test_names),
        cmocka_unit_test(test_globals), cmocka_unit_test(test_ranks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
