/* test_ctl_decide.c - where rows of a table go: comments, keys, families of foreign keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/catalog/model.h"
#include "ctl/job/decide.h"
#include "ctl/job/facts.h"
#include "ctl/job/resolver.h"

static const struct {
    const char     *comment;
    bool            ok, given;
    enum table_kind kind;
    const char     *key;
} comments[] = {
    { "",                             true,  false, TABLE_GLOBAL,    "" },
    { "just words about shardd",      true,  false, TABLE_GLOBAL,    "" },
    { "shardd: key(id)",              true,  true,  TABLE_SHARDED,   "id" },
    { "a note; shardd:key ( `a b` )", true,  true,  TABLE_SHARDED,   "a b" },
    { "shardd: reference",            true,  true,  TABLE_REFERENCE, "" },
    { "shardd: global. And more",     true,  true,  TABLE_GLOBAL,    "" },
    { "shardd: lookup(e)",            true,  false, TABLE_GLOBAL,    "" },
    { "shardd: key(id), lookup(`e`)", true,  true,  TABLE_SHARDED,   "id" },
    { "shardd: lookup(e) key(id) x",  true,  true,  TABLE_SHARDED,   "id" },
    { "shardd: lookup",               false, false, TABLE_GLOBAL,    "" },
    { "shardd: key(id) lookup()",     false, true,  TABLE_SHARDED,   "" },
    { "shardd: references",           false, true,  TABLE_GLOBAL,    "" },
    { "shardd: key()",                false, true,  TABLE_GLOBAL,    "" },
    { "shardd: key(id",               false, true,  TABLE_GLOBAL,    "" },
    { "shardd: ",                     false, true,  TABLE_GLOBAL,    "" },
};

static const struct {
    const char *preset;
    bool        varies;
} presets[] = {
    { "", false }, { "NULL", false }, { "'uuid()'", false }, { "5", false }, { "(1 + 2)", false },
    { "current_timestamp(6)", false }, { "concat('user', `user`)", false },
    { "json_array()", false },
    { "uuid()", true }, { "(UUID())", true }, { "concat('a', rand() * 5)", true },
    { "nextval(`app`.`s`)", true }, { "current_user()", true }, { "@@server_id", true },
    { "sys_guid()", true }, { "connection_id()", true },
};

static void
defaults_that_vary(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(presets); i++)
        if (facts_varies(presets[i].preset) != presets[i].varies)
            fail_msg("%s", presets[i].preset);
}

static void
comments_follow_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(comments); i++) {
        struct wish      wish;
        struct sql_error error;

        print_message("  '%s'\n", comments[i].comment);
        assert_int_equal(decide_comment(comments[i].comment, &wish, &error), comments[i].ok);
        assert_int_equal(wish.given, comments[i].given);
        if (!comments[i].ok)
            continue;
        assert_int_equal(wish.kind, comments[i].kind);
        assert_string_equal(wish.key, comments[i].key);
    }
}

/* Columns a, b: INT, the first one the primary key. `more` is appended to the keys. */
static json_t *
facts(const char *keys, const char *foreign)
{
    char    text[2048];
    json_t *object;

    snprintf(text, sizeof(text),
             "{\"columns\": [{\"name\": \"a\", \"type\": \"int\"},"
             " {\"name\": \"b\", \"type\": \"int\", \"nullable\": true},"
             " {\"name\": \"f\", \"type\": \"float\"},"
             " {\"name\": \"c\", \"type\": \"int\", \"generated\": true}],"
             " \"keys\": [%s], \"foreign\": [%s]}", keys, foreign);
    object = json_loads(text, 0, NULL);
    assert_non_null(object);
    return object;
}

#define PRIMARY "{\"name\": \"PRIMARY\", \"unique\": true, \"columns\": [\"a\"], \"whole\": [true]}"
#define KEY(unique, column, whole) \
    PRIMARY ", {\"name\": \"k\", \"unique\": " unique ", \"columns\": [\"b\", \"" column \
    "\"], \"whole\": [true, " whole "]}"

static const struct {
    const char *name, *keys, *key, *reason; /* reason NULL: fine */
} keys[] = {
    { "primary",             PRIMARY,                        "a", NULL },
    { "none",                "",                             "a", "no primary key" },
    { "not unique",          KEY("false", "b", "true"),      "a", NULL },
    { "unique with it",      KEY("true", "a", "true"),       "a", NULL },
    { "case does not count", KEY("true", "A", "true"),       "a", NULL },
    { "unique without",      KEY("true", "f", "true"),       "a", "UNIQUE key k lacks" },
    { "unique prefix",       KEY("true", "a", "false"),      "a", "UNIQUE key k lacks" },
    { "no such column",      PRIMARY,                        "z", "no column z" },
    { "generated",           PRIMARY,                        "c", "computes" },
    { "not the primary's",   PRIMARY,                        "b", "UNIQUE key PRIMARY lacks" },
};

static void
keys_follow_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(keys); i++) {
        json_t *f = facts(keys[i].keys, "");
        char    reason[400] = "", remedy[400] = "";
        bool    ok = decide_key_ok(f, keys[i].key, reason, remedy, sizeof(reason));

        print_message("  %s\n", keys[i].name);
        assert_int_equal(ok, keys[i].reason == NULL);
        if (keys[i].reason) {
            assert_non_null(strstr(reason, keys[i].reason));
            assert_true(remedy[0] != '\0');
        }
        json_decref(f);
    }
}

/* Tables p (sharded by a), g (global), r (reference), and kid (sharded by a, child of p). */
static json_t *
world(void)
{
    static const char *const rows[][3] = {
        { "p", "sharded", "" }, { "g", "global", "" }, { "r", "reference", "" },
        { "kid", "sharded", "p" },
    };
    json_t *tables = json_object();

    for (size_t i = 0; i < countof(rows); i++) {
        json_t *table = facts(PRIMARY, "");
        char   *name  = catalog_table_name("d", rows[i][0]);

        model_set(table, "database", "d");
        model_set(table, "name", rows[i][0]);
        model_set(table, "kind", rows[i][1]);
        model_set(table, "key", "a");
        if (rows[i][2][0])
            json_array_append_new(json_object_get(table, "foreign"),
                json_pack("{s:s, s:s, s:s, s:[s], s:[s]}", "name", "fk", "database", "d",
                          "table", rows[i][2], "columns", "a", "references", "a"));
        json_object_set_new(tables, name, table);
        free(name);
    }
    return tables;
}

#define WISH(what, column) { .given = true, .kind = what, .key = column }
#define NO_WISH { .kind = TABLE_GLOBAL }

#define FOREIGN(table, column, referred) \
    "{\"name\": \"fk\", \"database\": \"d\", \"table\": \"" table "\", \"columns\": [\"" column \
    "\"], \"references\": [\"" referred "\"]}"

static const struct {
    const char     *name, *keys, *foreign;
    struct wish     wish;
    bool            policy_global, ok;
    enum table_kind kind;
    const char     *reason;
    size_t          also; /* tables that must become global with it */
} decisions[] = {
    { "by its primary key",   PRIMARY, "", NO_WISH, false, true, TABLE_SHARDED, "", 0 },
    { "the policy",           PRIMARY, "", NO_WISH, true,  true, TABLE_GLOBAL, "policy", 0 },
    { "no primary key",       "", "", NO_WISH, false, true, TABLE_GLOBAL, "no primary key", 0 },
    { "co-located",           PRIMARY, FOREIGN("p", "a", "a"), NO_WISH, false, true,
      TABLE_SHARDED, "", 0 },
    { "not by its key",       PRIMARY, FOREIGN("p", "b", "a"), NO_WISH, false, true,
      TABLE_GLOBAL, "does not join", 2 },
    { "not to the key",       PRIMARY, FOREIGN("p", "a", "b"), NO_WISH, false, true,
      TABLE_GLOBAL, "does not join", 2 },
    { "of another type",      PRIMARY, FOREIGN("p", "a", "f"), NO_WISH, false, true,
      TABLE_GLOBAL, "does not join", 2 },
    { "to a global table",    PRIMARY, FOREIGN("g", "a", "a"), NO_WISH, false, true,
      TABLE_GLOBAL, "global table", 0 },
    { "to a reference table", PRIMARY, FOREIGN("r", "b", "a"), NO_WISH, false, true,
      TABLE_SHARDED, "", 0 },
    { "to itself",            PRIMARY, FOREIGN("t", "b", "a"), NO_WISH, false, true,
      TABLE_GLOBAL, "same table", 0 },
    { "to nothing yet",       PRIMARY, FOREIGN("nope", "b", "a"), NO_WISH, false, true,
      TABLE_SHARDED, "", 0 },
    { "wish global",          PRIMARY, "", WISH(TABLE_GLOBAL, ""), false, true,
      TABLE_GLOBAL, "", 0 },
    { "wish global, child",   PRIMARY, FOREIGN("p", "a", "a"), WISH(TABLE_GLOBAL, ""),
      false, true, TABLE_GLOBAL, "", 2 },
    { "wish key",             PRIMARY, "", WISH(TABLE_SHARDED, "a"), true, true,
      TABLE_SHARDED, "", 0 },
    { "wish wrong key",       PRIMARY, "", WISH(TABLE_SHARDED, "b"), false, false,
      TABLE_GLOBAL, "", 0 },
    { "wish key, family",     PRIMARY, FOREIGN("g", "a", "a"), WISH(TABLE_SHARDED, "a"),
      false, false, TABLE_GLOBAL, "", 0 },
    { "wish reference",       PRIMARY, FOREIGN("r", "b", "a"), WISH(TABLE_REFERENCE, ""),
      false, true, TABLE_REFERENCE, "", 0 },
    { "wish reference, child", PRIMARY, FOREIGN("p", "a", "a"), WISH(TABLE_REFERENCE, ""),
      false, false, TABLE_GLOBAL, "", 0 },
    { "wish reference, keyless", "", "", WISH(TABLE_REFERENCE, ""), false, false,
      TABLE_GLOBAL, "", 0 },
};

static void
decisions_follow_the_table(void **state)
{
    json_t *tables = world();

    (void)state;
    for (size_t i = 0; i < countof(decisions); i++) {
        json_t          *f = facts(decisions[i].keys, decisions[i].foreign);
        struct decision  how;
        struct sql_error error = { 0 };
        bool ok = decide("d", "t", f, &decisions[i].wish, decisions[i].policy_global, tables,
                         &how, &error);

        print_message("  %s\n", decisions[i].name);
        assert_int_equal(ok, decisions[i].ok);
        if (ok) {
            assert_int_equal(how.kind, decisions[i].kind);
            assert_non_null(strstr(how.reason, decisions[i].reason));
            assert_int_equal(json_object_size(how.also_global), decisions[i].also);
            decision_fini(&how);
        } else {
            assert_int_equal(error.code, SQL_NOT_SUPPORTED);
            assert_non_null(strstr(error.message, "shardd: t cannot be"));
        }
        json_decref(f);
    }
    json_decref(tables);
}

static const struct {
    unsigned              code;
    const char           *state;
    enum resolver_verdict verdict;
} verdicts[] = {
    { 0,    "",       RESOLVER_ROLLBACK },
    { 1062, "commit", RESOLVER_COMMIT },
    { 1062, "abort",  RESOLVER_ROLLBACK },
    { 1062, "",       RESOLVER_WAIT },
    { 1205, "",       RESOLVER_WAIT },
    { 1213, "",       RESOLVER_WAIT },
    { 1430, "",       RESOLVER_WAIT }, /* it may have been inserted */
    { 1205, "commit", RESOLVER_WAIT },
};

static void
verdicts_follow_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(verdicts); i++)
        assert_int_equal(resolver_verdict(verdicts[i].code, verdicts[i].state),
                         verdicts[i].verdict);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_that_vary),
        cmocka_unit_test(comments_follow_the_table),
        cmocka_unit_test(keys_follow_the_table),
        cmocka_unit_test(decisions_follow_the_table),
        cmocka_unit_test(verdicts_follow_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
