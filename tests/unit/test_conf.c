/* test_conf.c - settings: good files, every kind of mistake, reload, and the docs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf/conf_table.h"

static char path[] = "/tmp/test_conf.XXXXXX";

static int
make_path(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    return close(fd);
}

static int
remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

/* Loads `text` as a file; the mistakes with the file's name taken out. */
static bool
load(const char *text, struct conf *conf, struct buf *mistakes)
{
    struct conf_mistakes m    = { 0 };
    FILE                *file = fopen(path, "w");
    bool                 ok;

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    ok = conf_load(path, conf, &m);
    assert_int_equal(ok, m.n == 0);
    for (const char *line = buf_cstr(&m.lines); *line != 0; line = strchr(line, '\n') + 1) {
        assert_int_equal(strncmp(line, path, strlen(path)), 0);
        assert_int_equal(line[strlen(path)], ':');
        buf_append(mistakes, line + strlen(path) + 1,
                   strcspn(line, "\n") - strlen(path));
    }
    buf_fini(&m.lines);
    return ok;
}

static void
the_defaults_are_a_file(void **state)
{
    (void)state;
    struct conf          a, b;
    struct buf           example = { 0 }, mistakes = { 0 };
    struct conf_mistakes m = { 0 };

    conf_defaults(&a);
    assert_string_equal(a.listen, "127.0.0.1:7306");
    assert_int_equal(a.max_packet_bytes, 64 << 20);
    assert_int_equal(a.commit, COMMIT_ATOMIC);
    assert_int_equal(a.log_level, LOG_LEVEL_INFO);
    assert_true(a.pin_cpus);

    memset(&b, 0xff, sizeof(b));
    assert_true(conf_load(NULL, &b, &m));
    assert_memory_equal(&a, &b, sizeof(a));

    /* The example with its settings uncommented means the defaults. */
    conf_example(&example);
    buf_cstr(&example);
    for (char *p = (char *)example.bytes; (p = strstr(p, "\n#")) != NULL; p++)
        if (p[2] >= 'a' && p[2] <= 'z')
            p[1] = ' ';
    assert_true(load(buf_cstr(&example), &b, &mistakes));
    assert_memory_equal(&a, &b, sizeof(a));
    buf_fini(&example);
    buf_fini(&mistakes);
}

static void
values_are_read(void **state)
{
    (void)state;
    struct conf c;
    struct buf  mistakes = { 0 };

    assert_true(load("instance = \"b-2\"; listen = \"[::1]:3306\"\nhttp = \"\";"
                     "workers = 4; pin_cpus = false; steer = \"random\"; scheduling = \"normal\";"
                     "max_packet_bytes = 1048576; merge_memory_bytes = \"5g\";"
                     "zerocopy_bytes = 0; commit = \"single\"; log_level = \"debug\";"
                     "client_out_high_water_bytes = 65536L; // a comment 99999999999999\n"
                     "/* 5000000000 \n */ # 5000000000\n",
                     &c, &mistakes));
    assert_string_equal(c.instance, "b-2");
    assert_string_equal(c.listen, "[::1]:3306");
    assert_string_equal(c.http, "");
    assert_int_equal(c.workers, 4);
    assert_false(c.pin_cpus);
    assert_int_equal(c.steer, STEER_RANDOM);
    assert_int_equal(c.scheduling, CLASS_NORMAL);
    assert_int_equal(c.max_packet_bytes, 1 << 20);
    assert_int_equal(c.merge_memory_bytes, 5ULL << 30);
    assert_int_equal(c.zerocopy_bytes, 0);
    assert_int_equal(c.commit, COMMIT_SINGLE);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c.client_out_high_water_bytes, 65536);
    assert_int_equal(c.pool_max, 64); /* not mentioned: the default */
    buf_fini(&mistakes);
}

static const struct {
    const char *name, *file, *mistakes;
} wrong[] = {
    { "typo", "worker = 1;", "1: worker: there is no such setting; did you mean workers?" },
    { "unknown", "\n\nxyzzyplugh = 1;", "3: xyzzyplugh: there is no such setting" },
    { "too small", "pool_max = 0;",
      "1: pool_max: '0' is not an integer from 1 to 100000 (connections)" },
    { "too large", "workers = 257;", "1: workers: '257' is not an integer from 0 to 256" },
    { "negative", "workers = -1;", "1: workers: '-1' is not an integer from 0 to 256" },
    { "size", "max_packet_bytes = \"2G\";",
      "1: max_packet_bytes: '2G' is not an integer from 16K to 1G (bytes)" },
    { "size overflows", "merge_memory_bytes = \"18014398509481985K\";",
      "1: merge_memory_bytes: '18014398509481985K' is not an integer from 1M to 64G (bytes)" },
    { "suffix of a count", "workers = \"2K\";",
      "1: workers: \"2K\" is not an integer from 0 to 256" },
    { "clipped", "a = 1; merge_memory_bytes =\n 5000000000;",
      "2: 5000000000 is too large for a number; write it in quotes\n"
      "1: a: there is no such setting\n" },
    { "kind", "pin_cpus = 1;", "1: pin_cpus: 1 is not true or false" },
    { "kind of a text", "listen = 7306;", "1: listen: 7306 is not an address like" },
    { "float", "workers = 1.5;", "1: workers: 1.5 is not an integer from 0 to 256" },
    { "group", "workers = { a = 1; };",
      "1: workers: (a group or list) is not an integer from 0 to 256" },
    { "enum", "log_level = \"loud\";",
      "1: log_level: 'loud' is not \"error\", \"warn\", \"info\" or \"debug\"" },
    { "name", "instance = \"A b\";",
      "1: instance: 'A b' is not a name of letters a-z, digits, _ and - of at most 31 bytes" },
    { "empty", "listen = \"\";", "1: listen: '' is not an address like" },
    { "path", "controller = \"run\";",
      "1: controller: 'run' is not an absolute path of at most 107 bytes, or \"\"" },
    { "port", "http = \"127.0.0.1:65536\";", "1: http: '127.0.0.1:65536' is not an address" },
    { "host", "listen = \"localhost:3306\";", "1: listen: 'localhost:3306' is not an address" },
    { "power", "\nring_entries = 1000;", "2: ring_entries: 1000 is not a power of two" },
    { "together", "pool_max = 4;\npool_min_idle = 5;",
      "2: pool_min_idle: 5 is more than pool_max, which is 4" },
    { "taken", "listen = \"127.0.0.1:7380\";",
      "1: http: \"127.0.0.1:7380\" is what listen is already" },
    { "syntax", "workers = 1\nlisten == 2;", "2: syntax error: listen == 2;" },
    { "twice", "workers = 1;\nworkers = 2;", "2: duplicate setting name: workers = 2;" },
    { "open string", "workers = 1;\n\"", "2: a string is never closed" },
    { "open comment", "workers = 1;\n/* listen = 2;\n/", "2: a comment is never closed" },
    { "open tail", "workers = 1; /*/", "1: a comment is never closed" },
    { "all of them", "workers = 1000;\nlistn = 1;\nlog_format = \"x\";",
      "1: workers: '1000' is not an integer from 0 to 256\n"
      "2: listn: there is no such setting; did you mean listen?\n"
      "3: log_format: 'x' is not" },
};

static void
every_mistake_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(wrong); i++) {
        struct conf c;
        struct buf  mistakes = { 0 };

        memset(&c, 0xab, sizeof(c));
        assert_false(load(wrong[i].file, &c, &mistakes));
        if (strncmp(buf_cstr(&mistakes), wrong[i].mistakes, strlen(wrong[i].mistakes)) != 0)
            fail_msg("%s: %s", wrong[i].name, buf_cstr(&mistakes));
        for (size_t at = 0; at < sizeof(c); at++) /* untouched */
            assert_int_equal(((uint8_t *)&c)[at], 0xab);
        buf_fini(&mistakes);
    }
}

static void
what_is_no_file_is_an_error(void **state)
{
    (void)state;
    const struct {
        const char *path, *mistake;
    } rows[] = {
        { "/nonexistent/f", "/nonexistent/f: No such file or directory\n" },
        { "/tmp", "/tmp: Is a directory\n" },
        { "/dev/zero", "/dev/zero: File too large\n" },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        struct conf          c;
        struct conf_mistakes m = { 0 };
        assert_false(conf_load(rows[i].path, &c, &m));
        assert_string_equal(buf_cstr(&m.lines), rows[i].mistake);
        buf_fini(&m.lines);
    }
}

static void
a_reload_changes_what_it_may(void **state)
{
    (void)state;
    struct conf running, loaded;
    struct buf  changed = { 0 }, restart = { 0 };

    conf_defaults(&running);
    loaded = running;
    conf_reload(&running, &loaded, &changed, &restart);
    assert_int_equal(buf_len(&changed) + buf_len(&restart), 0);

    loaded.pool_max         = 7;
    loaded.workers          = 3;
    loaded.max_packet_bytes = 1 << 20;
    loaded.log_level        = LOG_LEVEL_DEBUG;
    strcpy(loaded.http, "127.0.0.1:1");
    conf_reload(&running, &loaded, &changed, &restart);
    assert_string_equal(buf_cstr(&changed),
                        "max_packet_bytes 64M -> 1M, pool_max 64 -> 7, log_level info -> debug");
    assert_string_equal(buf_cstr(&restart), "http, workers");
    assert_int_equal(running.pool_max, 7);
    assert_int_equal(running.max_packet_bytes, 1 << 20);
    assert_int_equal(running.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(running.workers, 0);
    assert_string_equal(running.http, "127.0.0.1:7380");
    buf_fini(&changed);
    buf_fini(&restart);
}

static void
addresses_convert(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int         family; /* 0: refused */
    } rows[] = {
        { "127.0.0.1:7306", AF_INET }, { "0.0.0.0:1", AF_INET },   { "[::]:65535", AF_INET6 },
        { "[fe80::1]:80", AF_INET6 },  { "/run/x.sock", AF_UNIX }, { "", 0 },
        { ":", 0 },                    { ":80", 0 },               { "127.0.0.1", 0 },
        { "127.0.0.1:", 0 },           { "127.0.0.1:0", 0 },       { "127.0.0.1:1x", 0 },
        { "127.0.0.1:-1", 0 },         { "[::1]", 0 },             { "::1:80", 0 },
        { "[]:80", 0 },                { "[:80", 0 },              { "]:80", 0 },
        { "1.2.3:80", 0 },             { "host:80", 0 },           { "127.0.0.1: 80", 0 },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        struct sockaddr_storage addr;
        socklen_t               len;
        bool                    ok = conf_sockaddr(rows[i].text, &addr, &len);
        if (ok != (rows[i].family != 0) || (ok && addr.ss_family != rows[i].family))
            fail_msg("'%s'", rows[i].text);
    }
}

static void
every_field_is_a_setting(void **state)
{
    (void)state;
    size_t end = 0;

    for (size_t i = 0; i < conf_n_settings; i++) {
        const struct conf_setting *s = &conf_settings[i];
        assert_true(s->offset >= end && s->offset - end < 8); /* only padding in between */
        end = s->offset + s->size;
        assert_int_equal(s->help[strlen(s->help) - 1], '.');
        assert_true(s->type != CONF_ENUM || s->size == 4);
        assert_true(s->type != CONF_INT || s->size == 4 || s->size == 8);
        assert_true(s->type != CONF_INT || s->size == 8 || s->max <= UINT32_MAX);
    }
    assert_true(sizeof(struct conf) - end < 8);
}

static void
help_fits_a_terminal(void **state)
{
    (void)state;
    struct buf help = { 0 };

    conf_help(&help);
    for (const char *line = buf_cstr(&help); *line != 0; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    for (size_t i = 0; i < conf_n_settings; i++)
        assert_non_null(strstr(buf_cstr(&help), conf_settings[i].name));
    buf_fini(&help);
}

/* The list in the man page is the one made from the table. What is expected is left in
 * a file, to be taken over. */
static void
the_man_page_tells_the_same(void **state)
{
    (void)state;
    struct buf  list = { 0 };
    static char page[1 << 16];
    FILE       *file = fopen("systemd/man/shardd.conf.5", "r");

    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = 0;
    fclose(file);
    conf_man(&list);
    if (strstr(page, buf_cstr(&list)) == NULL) {
        file = fopen("build/shardd.conf.5.list", "w");
        assert_non_null(file);
        fputs(buf_cstr(&list), file);
        fclose(file);
        fail_msg("systemd/man/shardd.conf.5 differs from build/shardd.conf.5.list");
    }
    buf_fini(&list);
}

static void
the_example_file_is_made_from_the_table(void **state)
{
    (void)state;
    struct buf  example = { 0 };
    static char text[1 << 16];
    FILE       *file = fopen("systemd/shardd.conf", "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    conf_example(&example);
    if (strcmp(text, buf_cstr(&example)) != 0) {
        file = fopen("build/shardd.conf", "w");
        assert_non_null(file);
        fputs(buf_cstr(&example), file);
        fclose(file);
        fail_msg("systemd/shardd.conf differs from build/shardd.conf");
    }
    buf_fini(&example);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_a_file),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(every_mistake_is_named),
        cmocka_unit_test(what_is_no_file_is_an_error),
        cmocka_unit_test(a_reload_changes_what_it_may),
        cmocka_unit_test(addresses_convert),
        cmocka_unit_test(every_field_is_a_setting),
        cmocka_unit_test(help_fits_a_terminal),
        cmocka_unit_test(the_man_page_tells_the_same),
        cmocka_unit_test(the_example_file_is_made_from_the_table),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
