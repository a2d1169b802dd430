/* test_sock.c - addresses, and listening sockets that work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/sock.h"

static void
addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *host; /* name NULL: refused */
        bool        loopback;
    } rows[] = {
        { "127.0.0.1:3306",      "127.0.0.1:3306",      "127.0.0.1",   true },
        { "10.1.2.3",            "10.1.2.3:77",         "10.1.2.3",    false },
        { "[::1]:3306",          "[::1]:3306",          "::1",         true },
        { "::1",                 "[::1]:77",            "::1",         true },
        { "[fe80::1]",           "[fe80::1]:77",        "fe80::1",     false },
        { "::ffff:1.2.3.4",      "1.2.3.4:77",          "1.2.3.4",     false },
        { "*:3307",              "[::]:3307",           "::",          false },
        { ":3307",               "[::]:3307",           "::",          false },
        { "/run/a.sock",         "/run/a.sock",         "localhost",   true },
        { "unix:/run/a.sock",    "/run/a.sock",         "localhost",   true },
        { "127.0.0.1:65535",     "127.0.0.1:65535",     "127.0.0.1",   true },
        { "127.0.0.1:65536",     NULL, NULL, false },
        { "127.0.0.1:",          NULL, NULL, false },
        { "127.0.0.1:-1",        NULL, NULL, false },
        { "127.0.0.1:33x",       NULL, NULL, false },
        { "",                    NULL, NULL, false },
        { "localhost:3306",      NULL, NULL, false },
        { "[::1",                NULL, NULL, false },
        { "[::1]3306",           NULL, NULL, false },
        { "unix:",               NULL, NULL, false },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        struct sock_addr addr;
        struct err       err = { 0 };
        char             text[SOCK_NAME_BYTES];
        bool             ok = sock_parse(&addr, rows[i].text, 77, &err);
        if (ok != (rows[i].name != NULL))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (!ok) {
            assert_true(err.text[0] != 0);
            continue;
        }
        assert_string_equal(sock_name(&addr, text), rows[i].name);
        assert_string_equal(sock_host(&addr, text), rows[i].host);
        assert_int_equal(sock_is_loopback(&addr), rows[i].loopback);
    }
}

static void
an_unknown_address_has_a_name(void **state)
{
    (void)state;
    struct sock_addr nobody = { 0 };
    char             text[SOCK_NAME_BYTES], path[300];
    struct err       err;

    assert_string_equal(sock_name(&nobody, text), "-");
    assert_string_equal(sock_host(&nobody, text), "-");
    memset(path, 'x', sizeof(path));
    path[0]                = '/';
    path[sizeof(path) - 1] = 0;
    assert_false(sock_parse(&nobody, path, 0, &err));
    assert_true(sock_resolve(&nobody, "localhost:3306", 0, &err));
    assert_true(sock_is_loopback(&nobody));
}

static void
options_are_inherited(void **state)
{
    (void)state;
    struct sock_addr addr;
    struct err       err;

    assert_true(sock_parse(&addr, "127.0.0.1:0", 0, &err));
    int fd = sock_listen(&addr, &(struct sock_listen_options){ .silent_s = 7 }, &err);
    assert_true(fd >= 0);
    assert_int_equal(sock_local(fd, &addr), 0);
    assert_true(sock_port(&addr) != 0);
    int out = sock_open(&addr);
    sock_limit_silence(out, 9);
    assert_int_equal(connect(out, (struct sockaddr *)&addr.addr, addr.len), 0);
    int       in    = accept(fd, NULL, NULL);
    int       value = 0;
    socklen_t len   = sizeof(value);
    assert_int_equal(getsockopt(in, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_equal(value, 1);
    assert_int_equal(getsockopt(out, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_equal(value, 1);
    assert_int_equal(getsockopt(in, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    assert_int_equal(value, 7000);
    assert_int_equal(getsockopt(out, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    assert_int_equal(value, 9000);

    assert_int_equal(sock_listen(&addr, &(struct sock_listen_options){ 0 }, &err), -1);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    close(in);
    close(out);
    close(fd);
}

static void
a_group_shares_a_port_and_is_steered(void **state)
{
    (void)state;
    const struct sock_listen_options group = { .reuseport = true };
    struct sock_addr addr;
    struct err       err;
    int              fds[4], got[4] = { 0 }, clients[64];

    assert_true(sock_parse(&addr, "127.0.0.1:0", 0, &err));
    for (int i = 0; i < 4; i++) {
        fds[i] = sock_listen(&addr, &group, &err);
        assert_true(fds[i] >= 0);
        assert_int_equal(sock_local(fds[i], &addr), 0);
    }
    assert_int_equal(sock_steer(fds[0], SOCK_STEER_HASH, 4), 0);
    assert_int_equal(sock_steer(fds[0], SOCK_STEER_RANDOM, 4), 0);
    assert_int_equal(sock_steer(fds[0], SOCK_STEER_CPU, 1), 0);
    for (int i = 0; i < 64; i++) {
        clients[i] = sock_open(&addr);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&addr.addr, addr.len), 0);
    }
    /* Any CPU modulo 1 is member 0, the first that listened. */
    for (int i = 0; i < 64; i++, got[0]++)
        close(accept(fds[0], NULL, NULL));
    assert_int_equal(got[0], 64);
    for (int i = 0; i < 64; i++)
        close(clients[i]);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void
a_stale_unix_socket_is_replaced_a_live_one_not(void **state)
{
    (void)state;
    const struct sock_listen_options mode = { .unix_mode = 0700 };
    char             dir[] = "/tmp/test_sock.XXXXXX", path[64];
    struct sock_addr addr;
    struct err       err;
    struct stat      st;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    assert_true(sock_parse(&addr, path, 0, &err));
    int fd = sock_listen(&addr, &mode, &err);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(sock_listen(&addr, &mode, &err), -1);
    close(fd);
    fd = sock_listen(&addr, &mode, &err);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(an_unknown_address_has_a_name),
        cmocka_unit_test(options_are_inherited),
        cmocka_unit_test(a_group_shares_a_port_and_is_steered),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_a_live_one_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
