/* test_audit.c - the chain of the audit log, its files, and what was done to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/audit_log.h"

enum { LINES = 12, SMALL = 600 /* bytes: two or three lines a file */ };

static char home[64], dir[80], db[80];

static int
setup(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "/tmp/shardd-audit-XXXXXX");
    if (!mkdtemp(home))
        return -1;
    snprintf(dir, sizeof(dir), "%s/audit", home);
    snprintf(db, sizeof(db), "%s/catalog.db", home);
    return 0;
}

static int
teardown(void **state)
{
    char command[160];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", home);
    return system(command);
}

static struct catalog *
open_db(void)
{
    struct err      err;
    struct catalog *c = catalog_open(db, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static struct audit_log *
open_log(struct catalog *c, size_t bytes, unsigned files)
{
    struct err        err;
    struct audit_log *log = audit_log_open(c, dir, bytes, files, &err);

    if (!log)
        fail_msg("%s", err.text);
    return log;
}

static void
change(struct catalog *c, int i)
{
    struct catalog_change *change = catalog_begin(c, "tester");
    json_t                *object = json_pack("{s:i, s:s}", "n", i, "verifier", "hush");
    struct err             err;

    catalog_put(change, CATALOG_DATABASE, "one", object, CATALOG_ANY);
    json_decref(object);
    assert_int_equal(catalog_commit(change, &err), 0);
}

/* "": whole; else all that was found. */
static void
verify(struct audit_log *log, const char *expect, char out[2048])
{
    json_t *report = audit_log_verify(log, expect), *problem;
    size_t  i;

    out[0] = '\0';
    json_array_foreach(json_object_get(report, "problems"), i, problem)
        snprintf(out + strlen(out), 2048 - strlen(out), "%s\n", json_string_value(problem));
    assert_int_equal(json_is_true(json_object_get(report, "ok")), out[0] == '\0');
    json_decref(report);
}

static void
assert_whole(struct audit_log *log)
{
    char found[2048];

    verify(log, NULL, found);
    assert_string_equal(found, "");
}

/* --- lines ----------------------------------------------------------------------------- */

static void
a_line_says_what_it_is(void **state)
{
    struct audit_link  head = audit_none, link;
    struct audit_event e = { .time = 1.5, .who = "me", .action = "ask", .kind = "request",
                             .name = "POST \"x\"\n", .result = "200", .request = "r1" };
    char              *one = audit_line_make(&e, &head), prev[AUDIT_HASH + 1], *two;
    char               first[AUDIT_HASH + 1];

    (void)state;
    memcpy(first, head.hash, sizeof(first));
    assert_int_equal(audit_line_read(span_of(one), &link, prev), AUDIT_GOOD);
    assert_int_equal(link.seq, 1);
    assert_string_equal(prev, audit_none.hash);
    assert_string_equal(link.hash, first);
    assert_null(strchr(one, '\n'));
    two = audit_line_make(&e, &head);
    assert_int_equal(audit_line_read(span_of(two), &link, prev), AUDIT_GOOD);
    assert_int_equal(link.seq, 2);
    assert_string_equal(prev, first);
    /* Every byte counts. */
    for (size_t i = 0; two[i]; i++) {
        two[i] ^= 1;
        assert_int_not_equal(audit_line_read(span_of(two), &link, prev), AUDIT_GOOD);
        two[i] ^= 1;
    }
    for (size_t n = 0; n < strlen(two); n++)
        assert_int_not_equal(audit_line_read((struct span){ (uint8_t *)two, n }, &link, prev),
                             AUDIT_GOOD);
    free(one);
    free(two);
}

static void
differences(void **state)
{
    static const struct {
        const char *old, *new, *before, *after;
    } rows[] = {
        { "null", "{\"a\":1}", "null", "{\"a\":1}" },
        { "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}", "{\"b\":2}", "{\"b\":3}" },
        { "{\"a\":1}", "null", "{\"a\":1}", "null" },
        { "{\"secret\":\"x\",\"a\":1}", "{\"secret\":\"y\",\"a\":1}", "{\"hidden\":[\"secret\"]}",
          "{\"hidden\":[\"secret\"]}" },
        { "{\"secret\":\"x\",\"a\":1}", "{\"secret\":\"x\",\"a\":2}", "{\"a\":1}", "{\"a\":2}" },
        { "{\"a\":1}", "{\"a\":1}", "{}", "{}" },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        json_t *old = json_loads(rows[i].old, JSON_DECODE_ANY, NULL);
        json_t *new = json_loads(rows[i].new, JSON_DECODE_ANY, NULL), *before, *after;
        char   *b, *a;

        audit_differences(json_is_null(old) ? NULL : old, json_is_null(new) ? NULL : new,
                          &before, &after);
        b = before ? json_dumps(before, JSON_COMPACT) : mem_strdup("null");
        a = after ? json_dumps(after, JSON_COMPACT) : mem_strdup("null");
        assert_string_equal(b, rows[i].before);
        assert_string_equal(a, rows[i].after);
        free(a);
        free(b);
        json_decref(old);
        json_decref(new);
        json_decref(before);
        json_decref(after);
    }
}

static void
what_is_long_is_told_by_its_hash(void **state)
{
    char   *long_text = mem_alloc(10001);
    json_t *before, *after, *object;

    (void)state;
    memset(long_text, 'x', 10000);
    object = json_pack("{s:s, s:s}", "long", long_text, "short", "y");
    audit_differences(NULL, object, &before, &after);
    assert_null(before);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(after, "long"), "bytes")),
                     10002);
    assert_string_equal(json_string_value(json_object_get(after, "short")), "y");
    json_decref(after);
    json_decref(object);
    free(long_text);
}

/* --- files ----------------------------------------------------------------------------- */

static void
lines_get_to_files_and_leave_the_outbox(void **state)
{
    struct catalog   *c   = open_db();
    struct audit_log *log = open_log(c, SMALL, 0);
    json_t           *rows, *line;
    int64_t           first = 0;

    (void)state;
    for (int i = 0; i < LINES; i++)
        change(c, i);
    rows = audit_log_read(log, 0, 5);
    assert_int_equal(json_array_size(rows), 5);
    for (size_t i = 0; i < 5; i++) {
        line = json_array_get(rows, i);
        assert_int_equal(json_integer_value(json_object_get(line, "seq")), LINES - (int)i);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "after"), "n")),
                         LINES - 1 - (int)i);
    }
    json_decref(rows);
    rows = audit_log_after(log, 3, 4);
    assert_int_equal(json_array_size(rows), 4);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "seq")), 4);
    json_decref(rows);
    assert_null(audit_log_after(log, 99, 4));
    assert_whole(log);
    audit_log_close(log);
    rows = catalog_outbox(c, 0, 100, &first);
    assert_int_equal(json_array_size(rows), 0);
    assert_int_equal(first, 0);
    json_decref(rows);
    catalog_close(c);

    /* Read again, from the files. */
    c   = open_db();
    log = open_log(c, SMALL, 0);
    rows = audit_log_read(log, 8, 100);
    assert_int_equal(json_array_size(rows), 7);
    json_decref(rows);
    assert_whole(log);
    audit_log_close(log);
    catalog_close(c);
}

static size_t
count_files(void)
{
    DIR          *d = opendir(dir);
    size_t        n = 0;
    struct dirent *e;

    while ((e = readdir(d)))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void
old_files_go_and_the_chain_holds(void **state)
{
    struct catalog   *c   = open_db();
    struct audit_log *log = open_log(c, SMALL, 3);
    struct audit_ends ends;

    (void)state;
    for (int i = 0; i < 60; i++) {
        change(c, i);
        json_decref(audit_log_read(log, 0, 1)); /* one at a time */
    }
    assert_whole(log);
    catalog_audit_ends(c, &ends);
    assert_true(ends.before.seq > 20);
    assert_int_equal(ends.head.seq, 60);
    assert_null(audit_log_after(log, 1, 4));
    audit_log_close(log);
    assert_true(count_files() <= 3);
    catalog_close(c);
}

/* --- what somebody does to them ----------------------------------------------------------- */

static char *
slurp(const char *path)
{
    FILE      *f = fopen(path, "r");
    struct buf b = { 0 };
    char       room[4096], *out;
    size_t     n;

    assert_non_null(f);
    while ((n = fread(room, 1, sizeof(room), f)) > 0)
        buf_append(&b, room, n);
    fclose(f);
    out = mem_strdup(buf_cstr(&b));
    buf_fini(&b);
    return out;
}

static void
spill(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

/* The n-th line, from 0, with its line feed. */
static char *
line_at(char *text, int n, size_t *len)
{
    char *end;

    while (n-- > 0)
        text = strchr(text, '\n') + 1;
    end  = strchr(text, '\n');
    *len = (size_t)(end - text) + 1;
    return text;
}

static void
do_change(char *text)
{
    char *at = strstr(text, "\"n\":5");

    at[4] = '7';
}

static void
do_remove(char *text)
{
    size_t len;
    char  *at = line_at(text, 4, &len);

    memmove(at, at + len, strlen(at + len) + 1);
}

static void
do_swap(char *text)
{
    size_t a_len, b_len;
    char  *a = line_at(text, 3, &a_len), *b = line_at(text, 4, &b_len), *copy;

    copy = mem_strndup(a, a_len);
    memmove(a, b, b_len);
    memcpy(a + b_len, copy, a_len);
    free(copy);
}

static void
do_cut_end(char *text)
{
    size_t len;

    *line_at(text, LINES - 3, &len) = '\0';
}

static void
do_cut_begin(char *text)
{
    size_t len;
    char  *at = line_at(text, 2, &len);

    memmove(text, at, strlen(at) + 1);
}

static void
do_half_line(char *text)
{
    text[strlen(text) - 30] = '\0';
}

static void
do_insert(char *text)
{
    size_t len;
    char  *at = line_at(text, 4, &len), *rest = mem_strdup(at);

    memcpy(at + len, rest, strlen(rest) + 1);
    free(rest);
}

static void
do_empty(char *text)
{
    text[0] = '\0';
}

static void
tampering_is_found(void **state)
{
    static const struct {
        const char *name;
        void      (*act)(char *text);
        const char *found;
    } rows[] = {
        { "a changed line", do_change, "line 6 was changed" },
        { "a removed line", do_remove, "lines 5 to 5 are missing" },
        { "two swapped", do_swap, "comes behind line" },
        { "the last ones cut off", do_cut_end, "lines 10 to 12 are missing at the end" },
        { "the first ones cut off", do_cut_begin, "lines 1 to 2 are missing" },
        { "half of the last line", do_half_line, "no line of an audit log" },
        { "a line twice", do_insert, "line 5 comes behind line 5" },
        { "nothing left", do_empty, "lines 1 to 12 are missing at the end" },
    };
    struct catalog   *c   = open_db();
    struct audit_log *log = open_log(c, 0, 0);
    char              path[120], found[2048], *good;

    (void)state;
    for (int i = 0; i < LINES; i++)
        change(c, i);
    assert_whole(log);
    snprintf(path, sizeof(path), "%s/0000000000000001.jsonl", dir);
    good = slurp(path);
    for (size_t i = 0; i < countof(rows); i++) {
        char *bad = mem_alloc(2 * strlen(good) + 1);

        memcpy(bad, good, strlen(good));
        rows[i].act(bad);
        spill(path, bad);
        verify(log, NULL, found);
        if (!strstr(found, rows[i].found))
            fail_msg("%s: %s", rows[i].name, found);
        free(bad);
    }
    spill(path, good);
    assert_whole(log);
    free(good);
    audit_log_close(log);
    catalog_close(c);
}

/* Whoever can write may make a whole new chain; a head that was noted elsewhere tells. */
static void
another_chain_is_found_by_a_noted_head(void **state)
{
    struct catalog   *c   = open_db();
    struct audit_log *log = open_log(c, 0, 0);
    struct audit_ends ends;
    char              expect[AUDIT_HASH + 32], found[2048];

    (void)state;
    for (int i = 0; i < 5; i++)
        change(c, i);
    catalog_audit_ends(c, &ends);
    snprintf(expect, sizeof(expect), "%lld:%s", (long long)ends.head.seq, ends.head.hash);
    change(c, 6);
    verify(log, expect, found);
    assert_string_equal(found, "");
    expect[strlen(expect) - 1] ^= 1;
    verify(log, expect, found);
    assert_non_null(strstr(found, "is not among them"));
    audit_log_close(log);
    catalog_close(c);
}

/* --- crashes ------------------------------------------------------------------------------ */

/* What may be in the file behind the last line that left the outbox: `whole` lines of it, and
 * then this. */
static void
what_a_crash_left_is_mended(void **state)
{
    static const struct {
        int         whole;
        const char *then;
    } rows[] = {
        { 0, "" }, { 1, "" }, { 3, "" }, { 5, "" }, { 0, "{\"seq\":5,\"ti" }, { 2, "{" },
        { 4, "\n" }, { 1, "garbage\nmore" }, { 5, "{\"seq\":9" },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct catalog   *c   = open_db();
        struct audit_log *log = open_log(c, 0, 0);
        json_t           *lines;
        char              path[120];
        FILE             *f;
        struct audit_ends ends;

        for (int k = 0; k < 4; k++)
            change(c, k);
        audit_log_close(log);
        for (int k = 0; k < 5; k++)
            change(c, k); /* nobody takes them out of the outbox */
        catalog_audit_ends(c, &ends);
        lines = catalog_outbox(c, 0, 100, NULL);
        assert_int_equal(json_array_size(lines), 5);
        snprintf(path, sizeof(path), "%s/0000000000000001.jsonl", dir);
        f = fopen(path, "a");
        for (int k = 0; k < rows[i].whole; k++)
            fprintf(f, "%s\n", json_string_value(json_array_get(lines, (size_t)k)));
        fputs(rows[i].then, f);
        fclose(f);
        json_decref(lines);
        catalog_close(c);

        c   = open_db();
        log = open_log(c, 0, 0);
        assert_whole(log);
        lines = audit_log_read(log, 0, 1000);
        assert_int_equal(json_array_size(lines), ends.head.seq);
        json_decref(lines);
        audit_log_close(log);
        catalog_close(c);
    }
}

/* Small files, so that it is killed amid turning to the next one as well. */
static _Noreturn void
write_until_killed(void)
{
    struct catalog *c = open_db();

    open_log(c, SMALL, 4);
    for (int i = 0;; i++) {
        change(c, i);
        if (i % 7 == 0)
            usleep(1000);
    }
}

static void
killed_at_any_moment_nothing_is_lost(void **state)
{
    int64_t last = 0;

    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        struct catalog   *c;
        struct audit_log *log;
        struct audit_ends ends;
        pid_t             pid = fork();

        if (pid == 0)
            write_until_killed();
        usleep(20000 + round * 7919 % 60000);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        c   = open_db();
        log = open_log(c, SMALL, 4);
        assert_whole(log);
        catalog_audit_ends(c, &ends);
        assert_true(ends.head.seq >= last);
        last = ends.head.seq;
        audit_log_close(log);
        catalog_close(c);
    }
    assert_true(last > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_what_it_is),
        cmocka_unit_test(differences),
        cmocka_unit_test(what_is_long_is_told_by_its_hash),
        cmocka_unit_test_setup_teardown(lines_get_to_files_and_leave_the_outbox, setup, teardown),
        cmocka_unit_test_setup_teardown(old_files_go_and_the_chain_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(tampering_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(another_chain_is_found_by_a_noted_head, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_crash_left_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_moment_nothing_is_lost, setup, teardown),
    };

    log_init("test", LOG_LEVEL_ERROR, LOG_HUMAN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
