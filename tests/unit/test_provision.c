/* test_provision.c - wishes and names of servers, cgroups, and what is said to Docker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/docker.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision.h"

static void
test_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t     bytes, milli; /* 0: refused */
    } cases[] = {
        { "512M", 512LL << 20, 0 },
        { "2G", 2LL << 30, 0 },
        { "1.5G", 3LL << 29, 0 },
        { "1T", 1LL << 40, 0 },
        { "4K", 4096, 0 },
        { "1.5", 1, 1500 },
        { "0.25", 0, 250 },
        { "3", 3, 3000 },
        { "0", 0, 0 },
        { "", 0, 0 },
        { "-1", 0, 0 },
        { "1 G", 0, 0 },
        { "1GB", 0, 0 },
        { "G", 0, 0 },
        { "nan", 0, 0 },
        { "1e30", 0, 0 },
        { "99999999G", 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        if (provision_size(cases[i].text) != cases[i].bytes ||
            provision_milli(cases[i].text) != cases[i].milli)
            fail_msg("%s", cases[i].text);
    }
}

static struct cluster *
cluster(void)
{
    static struct cluster c = { .uuid = "0123456789abcdef", .instance = "here" };

    return &c;
}

static void
test_names(void **state)
{
    static const struct {
        const char *name;
        int64_t     number;
    } cases[] = {
        { "shardd-01234567-shard-1", 1 },     { "shardd-01234567-shard-907", 907 },
        { "shardd-01234567-shard-", -1 },     { "shardd-01234567-shard-0", -1 },
        { "shardd-01234567-shard-1x", -1 },   { "shardd-01234568-shard-1", -1 },
        { "shardd-01234567-engine-1", -1 },   { "01234567-shard-1", -1 },
        { "shardd-01234567-shard--1", -1 },   { "", -1 },
    };
    json_t *shard = json_pack("{s:i}", "id", 907);
    char    name[64];

    (void)state;
    provision_name(cluster(), shard, name, sizeof(name));
    assert_string_equal(name, "01234567-shard-907");
    for (size_t i = 0; i < countof(cases); i++)
        assert_int_equal(provision_number(cluster(), cases[i].name, "shardd-"), cases[i].number);
    json_decref(shard);
}

static void
test_plans(void **state)
{
    static const struct {
        struct provision_wish wish;
        const char           *says; /* NULL: it works */
    } cases[] = {
        { { "docker", "", "" }, NULL },
        { { "docker", "0.5", "512M" }, NULL },
        { { "systemd", "2", "1G" }, NULL },
        { { "docker", "none", "" }, "--cpus none: it is a number from 0.01" },
        { { "docker", "", "255M" }, "--memory 255M: it is a size from 256M" },
        { { "", "", "1G" }, "local has no limits" },
        { { "static", "", "" }, "--static HOST:PORT" },
        { { "magic", "", "" }, "no provisioner magic" },
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        json_t    *shard = json_pack("{s:i, s:s}", "id", 3, "name", "x"), *trace;
        struct err err   = { "" };
        bool       ok    = provision_plan(cluster(), &cases[i].wish, shard, &err);

        assert_int_equal(ok, !cases[i].says);
        if (cases[i].says && !strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
        if (ok) {
            trace = provision_trace(shard);
            assert_string_equal(model_text(trace, cases[i].wish.provisioner[0] == 'd'
                                                      ? "container" : "unit"),
                                cases[i].wish.provisioner[0] == 'd'
                                    ? "shardd-01234567-shard-3"
                                    : "shardd-mariadb@01234567-shard-3.service");
            assert_string_equal(model_text(trace, "provisioner"), cases[i].wish.provisioner);
            json_decref(trace);
        }
        json_decref(shard);
    }
}

static void
test_cgroups(void **state)
{
    static const struct {
        const char *lines, *controller, *path;
    } cases[] = {
        { "0::/system.slice/x.service\n", "cpu", "/sys/fs/cgroup/system.slice/x.service" },
        { "0::/a\n", "memory", "/sys/fs/cgroup/a" },
        { "0::/\n", "cpu", "" },
        { "4:memory:/m/x\n2:cpuacct:/\n1:cpu:/docker/x\n0::/\n", "cpu",
          "/sys/fs/cgroup/cpu/docker/x" },
        { "4:memory:/m/x\n1:cpu:/docker/x\n0::/\n", "memory", "/sys/fs/cgroup/memory/m/x" },
        { "3:cpu,cpuacct:/both\n", "cpu", "/sys/fs/cgroup/cpu/both" },
        { "3:cpuset:/set\n2:cpuacct:/acct\n", "cpu", "" },
        { "3:name=systemd:/x\n0::/y", "memory", "/sys/fs/cgroup/y" },
        { "nonsense\n\n:\n::\n", "cpu", "" },
        { "", "cpu", "" },
    };
    char path[512];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        provision_cgroup(cases[i].lines, cases[i].controller, path, sizeof(path));
        assert_string_equal(path, cases[i].path);
    }
}

static void
test_images(void **state)
{
    static const struct {
        const char *image, *name, *tag;
    } cases[] = {
        { "mariadb", "mariadb", "latest" },
        { "mariadb:10.11", "mariadb", "10.11" },
        { "here:5000/x/mariadb", "here:5000/x/mariadb", "latest" },
        { "here:5000/mariadb:11", "here:5000/mariadb", "11" },
        { "mariadb@sha256:ab", "mariadb", "sha256:ab" },
    };
    char name[256], tag[128];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        docker_image(cases[i].image, name, tag);
        assert_string_equal(name, cases[i].name);
        assert_string_equal(tag, cases[i].tag);
    }
}

static void
test_logs(void **state)
{
    static const char framed[] = "\1\0\0\0\0\0\0\5" "one\n\n" "\2\0\0\0\0\0\0\14" "[ERROR] two\n"
                                 "\1\0\0\0\0\0\0\6" "three\n";
    struct buf  out = { 0 };
    char        line[64];

    (void)state;
    docker_logs((struct span){ (const uint8_t *)framed, sizeof(framed) - 1 }, &out);
    assert_string_equal(buf_cstr(&out), "one\n\n[ERROR] two\nthree\n");
    provision_telling(buf_unread(&out), line, sizeof(line));
    assert_string_equal(line, "[ERROR] two");
    /* However much of it is there, it is read to its end and not beyond. */
    for (size_t n = 0; n < sizeof(framed); n++) {
        buf_clear(&out);
        docker_logs((struct span){ (const uint8_t *)framed, n }, &out);
        assert_true(buf_len(&out) <= n);
        provision_telling(buf_unread(&out), line, sizeof(line));
    }
    buf_clear(&out);
    docker_logs(span_of("plain\nlast\n\n"), &out);
    provision_telling(buf_unread(&out), line, 3);
    assert_string_equal(line, "la");
    provision_telling((struct span){ NULL, 0 }, line, sizeof(line));
    assert_string_equal(line, "");
    buf_fini(&out);
}

static bool
has(json_t *list, const char *text)
{
    json_t *one;
    size_t  i;

    json_array_foreach(list, i, one)
        if (strcmp(json_string_value(one), text) == 0)
            return true;
    return false;
}

static void
test_a_container(void **state)
{
    json_t *shard = json_pack("{s:i, s:s, s:s, s:s, s:i, s:i, s:I}", "id", 3, "name", "x",
                              "container", "c", "secret", "secret", "port", 4711, "milli_cpus",
                              1500, "memory_bytes", (json_int_t)(1 << 30));
    json_t *body, *host;

    (void)state;
    body = docker_container(shard, "uuid", "here", "a=1\nb\n", "image", "host");
    assert_true(has(json_object_get(body, "Cmd"), "--a=1"));
    assert_true(has(json_object_get(body, "Cmd"), "--b"));
    /* SELECT PASSWORD('secret') */
    assert_true(has(json_object_get(body, "Env"), "MARIADB_ROOT_PASSWORD_HASH="
                                                  "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"));
    assert_true(has(json_object_get(json_object_get(body, "Healthcheck"), "Test"),
                    "--port=4711"));
    assert_string_equal(model_text(json_object_get(body, "Labels"), DOCKER_SHARD), "3");
    host = json_object_get(body, "HostConfig");
    assert_int_equal(model_number(host, "NanoCpus"), 1500000000);
    assert_int_equal(model_number(host, "Memory"), 1 << 30);
    assert_null(json_object_get(host, "PortBindings"));
    json_decref(body);

    body = docker_container(shard, "uuid", "here", "", "image", "bridge");
    host = json_object_get(json_object_get(body, "HostConfig"), "PortBindings");
    host = json_array_get(json_object_get(host, "3306/tcp"), 0);
    assert_string_equal(model_text(host, "HostIp"), "127.0.0.1");
    assert_string_equal(model_text(host, "HostPort"), "4711");
    assert_true(has(json_object_get(json_object_get(body, "Healthcheck"), "Test"),
                    "--port=3306"));
    json_decref(body);
    json_decref(shard);
}

static void
test_settings(void **state)
{
    static const struct {
        int64_t     memory;
        const char *says, *not;
    } cases[] = {
        { 0, "innodb_buffer_pool_size=64M\n", "innodb_log_file_size=16M\ninnodb_log" },
        { 256LL << 20, "innodb_buffer_pool_size=128M\ninnodb_log_file_size=32M\n", "=64M" },
        { 64LL << 30, "innodb_buffer_pool_size=32768M\ninnodb_log_file_size=4096M\n", "=64M" },
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        json_t    *shard = json_pack("{s:i, s:s, s:i, s:I}", "id", 3, "host", "127.0.0.1", "port",
                                     1, "memory_bytes", (json_int_t)cases[i].memory);
        struct buf out   = { 0 };

        local_shard_settings(shard, &out);
        assert_non_null(strstr(buf_cstr(&out), cases[i].says));
        assert_null(strstr(buf_cstr(&out), cases[i].not));
        assert_non_null(strstr(buf_cstr(&out), "server_id=3\n"));
        buf_fini(&out);
        json_decref(shard);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_plans),   cmocka_unit_test(test_cgroups),
        cmocka_unit_test(test_images),  cmocka_unit_test(test_logs),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_a_container),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
