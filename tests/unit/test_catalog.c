/* test_catalog.c - versions, atomic changes, audit rows, one owner, durability. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/catalog/catalog.h"

static char path[64];

static int
setup(void **state)
{
    struct err err;
    int        fd;

    snprintf(path, sizeof(path), "/tmp/shardd-catalog-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    *state = catalog_open(path, &err);
    return *state ? 0 : -1;
}

static int
teardown(void **state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    catalog_close(*state);
    for (size_t i = 0; i < countof(suffixes); i++) {
        char name[80];

        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return 0;
}

static int
put(struct catalog *c, const char *name, const char *color, int64_t expected)
{
    struct catalog_change *change = catalog_begin(c, "test");
    json_t                *object = json_pack("{s:s, s:s}", "color", color, "secret", "x");
    struct err             err;

    catalog_put(change, CATALOG_DATABASE, name, object, expected);
    json_decref(object);
    return catalog_commit(change, &err);
}

static void
assert_color(struct catalog *c, const char *name, const char *color, int64_t version)
{
    int64_t found  = 0;
    json_t *object = catalog_get(c, CATALOG_DATABASE, name, &found);

    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "color")), color);
    assert_int_equal(found, version);
    json_decref(object);
}

static void
a_version_is_written_once(void **state)
{
    struct catalog *c = *state;

    assert_int_equal(put(c, "a", "red", CATALOG_NEW), 0);
    assert_int_equal(put(c, "a", "blue", CATALOG_NEW), -EAGAIN);
    assert_color(c, "a", "red", 1);
    assert_int_equal(put(c, "a", "blue", 1), 0);
    assert_int_equal(put(c, "a", "green", 1), -EAGAIN);
    assert_int_equal(put(c, "a", "green", CATALOG_ANY), 0);
    assert_color(c, "a", "green", 3);
}

static void
a_change_is_whole_or_not_at_all(void **state)
{
    struct catalog        *c = *state;
    struct catalog_change *change;
    json_t                *object = json_pack("{s:s}", "color", "red");
    struct err             err;

    assert_int_equal(put(c, "b", "red", CATALOG_NEW), 0);
    change = catalog_begin(c, "test");
    catalog_put(change, CATALOG_DATABASE, "a", object, CATALOG_NEW);
    catalog_remove(change, CATALOG_DATABASE, "b", 7);
    catalog_put(change, CATALOG_DATABASE, "c", object, CATALOG_NEW);
    assert_int_equal(catalog_commit(change, &err), -EAGAIN);
    assert_non_null(strstr(err.text, "database 'b'"));
    assert_null(catalog_get(c, CATALOG_DATABASE, "a", NULL));
    assert_color(c, "b", "red", 1);

    change = catalog_begin(c, "test");
    catalog_put(change, CATALOG_DATABASE, "a", object, CATALOG_NEW);
    catalog_cancel(change);
    assert_null(catalog_get(c, CATALOG_DATABASE, "a", NULL));
    json_decref(object);
}

static void
objects_come_sorted_and_by_kind(void **state)
{
    struct catalog *c = *state;
    json_t         *all, *none, *value;
    const char     *name;
    char            order[16] = "";

    assert_int_equal(put(c, "b", "red", CATALOG_NEW), 0);
    assert_int_equal(put(c, "B", "red", CATALOG_NEW), 0);
    assert_int_equal(put(c, "a", "red", CATALOG_NEW), 0);
    all = catalog_all(c, CATALOG_DATABASE);
    json_object_foreach(all, name, value)
        strcat(order, name);
    assert_string_equal(order, "Bab");
    json_decref(all);
    none = catalog_all(c, CATALOG_USER);
    assert_int_equal(json_object_size(none), 0);
    json_decref(none);
}

static void
every_change_has_an_audit_row_without_secrets(void **state)
{
    struct catalog        *c = *state;
    struct catalog_change *change;
    struct err             err;
    json_t                *rows;
    char                  *text;

    assert_int_equal(put(c, "a", "red", CATALOG_NEW), 0);
    assert_int_equal(put(c, "a", "blue", 1), 0);
    assert_int_equal(put(c, "a", "never", 1), -EAGAIN);
    change = catalog_begin(c, "shardctl");
    catalog_remove(change, CATALOG_DATABASE, "a", 2);
    assert_int_equal(catalog_commit(change, &err), 0);

    rows = catalog_outbox(c, 0, 10, NULL);
    assert_int_equal(json_array_size(rows), 3);
    text = json_dumps(json_array_get(rows, 2), JSON_ENCODE_ANY);
    assert_non_null(strstr(text, "remove"));
    assert_non_null(strstr(text, "shardctl"));
    free(text);
    text = json_dumps(rows, 0);
    assert_null(strstr(text, "\\\"secret\\\":"));
    assert_non_null(strstr(text, "blue"));
    free(text);
    json_decref(rows);
}

static void
a_second_process_is_refused(void **state)
{
    pid_t pid = fork();
    int   status;

    (void)state;
    if (pid == 0) {
        struct err err;

        _exit(catalog_open(path, &err) ? 1 : strstr(err.text, "another controller") ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void
what_was_committed_is_there_after_a_crash(void **state)
{
    struct catalog *c = *state;
    struct err      err;
    pid_t           pid;
    int             status;

    catalog_close(c);
    pid = fork();
    if (pid == 0) {
        c = catalog_open(path, &err);
        _exit(c && put(c, "a", "red", CATALOG_NEW) == 0 ? 0 : 1); /* no close */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    *state = catalog_open(path, &err);
    assert_non_null(*state);
    assert_color(*state, "a", "red", 1);
}

static const struct {
    const char *database, *table, *name;
} names[] = {
    { "a", "b", "a.b" },
    { "a.b", "c", "a%2Eb.c" },
    { "a", "b.c", "a.b%2Ec" },
    { "50%", "x/y", "50%25.x%2Fy" },
};

static void
table_names_are_unambiguous(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(names); i++) {
        char *name = catalog_table_name(names[i].database, names[i].table);

        assert_string_equal(name, names[i].name);
        free(name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_version_is_written_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_whole_or_not_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_come_sorted_and_by_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(every_change_has_an_audit_row_without_secrets, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_committed_is_there_after_a_crash, setup,
                                        teardown),
        cmocka_unit_test(table_names_are_unambiguous),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
