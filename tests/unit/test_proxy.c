/* test_proxy.c - PROXY headers of both versions, whole, byte by byte, and broken; and whom
 * they are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/conf/conf.h"
#include "core/io/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR(text) text text text text
#define UNIX_PATH "/tmp/a.sock" FOUR(FOUR("\0\0\0\0\0\0")) "\0"

/* `client` is what sock_name() says; "-": unknown. */
static const struct {
    const char       *name;
    struct span       in;
    enum proxy_result result;
    const char       *client;
    size_t            more; /* bytes behind the header */
} cases[] = {
#define ROW(name, text, result, client, more) { name, { (const uint8_t *)(text), \
                                                sizeof(text) - 1 }, result, client, more }
    ROW("v1 tcp4", "PROXY TCP4 10.0.0.7 10.0.0.1 4711 3306\r\n", PROXY_OK, "10.0.0.7:4711", 0),
    ROW("v1 and a packet", "PROXY TCP4 10.0.0.7 10.0.0.1 4711 3306\r\n\1\0\0\1x", PROXY_OK,
        "10.0.0.7:4711", 5),
    ROW("v1 tcp6", "PROXY TCP6 fd00::7 ::1 65535 0\r\n", PROXY_OK, "[fd00::7]:65535", 0),
    ROW("v1 unknown", "PROXY UNKNOWN\r\n", PROXY_OK, "-", 0),
    ROW("v1 unknown, with more", "PROXY UNKNOWN ffff:: ffff:: 1 1\r\n", PROXY_OK, "-", 0),
    ROW("v1 without end", "PROXY TCP4 10.0.0.7 10.0.0.1 4711 3306", PROXY_PARTIAL, "", 0),
    ROW("v1 half", "PRO", PROXY_PARTIAL, "", 0),
    ROW("v1 nothing in it", "PROXY \r\n", PROXY_BAD, "", 0),
    ROW("v1 newline alone", "PROXY UNKNOWN\n", PROXY_BAD, "", 0),
    ROW("v1 newline at once", "PROXY \n", PROXY_BAD, "", 0),
    ROW("v1 udp", "PROXY UDP4 10.0.0.7 10.0.0.1 4711 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 two spaces", "PROXY TCP4  10.0.0.7 10.0.0.1 4711 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 port too large", "PROXY TCP4 10.0.0.7 10.0.0.1 65536 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 port with zero", "PROXY TCP4 10.0.0.7 10.0.0.1 080 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 signed port", "PROXY TCP4 10.0.0.7 10.0.0.1 -1 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 no port", "PROXY TCP4 10.0.0.7 10.0.0.1 4711\r\n", PROXY_BAD, "", 0),
    ROW("v1 too much", "PROXY TCP4 10.0.0.7 10.0.0.1 4711 3306 1\r\n", PROXY_BAD, "", 0),
    ROW("v1 name", "PROXY TCP4 localhost 10.0.0.1 4711 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 wrong family", "PROXY TCP4 ::1 ::1 4711 3306\r\n", PROXY_BAD, "", 0),
    ROW("v1 NUL", "PROXY TCP4 10.0.0.7\0 10.0.0.1 1 1\r\n", PROXY_BAD, "", 0),
    ROW("v1 too long", "PROXY UNKNOWN " FOUR(FOUR("xxxxxx")), PROXY_BAD, "", 0),
    ROW("v2 tcp4", SIGNATURE "\x21\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\x12\x67\x0c\xea", PROXY_OK,
        "10.0.0.7:4711", 0),
    ROW("v2 tcp4 and fields", SIGNATURE "\x21\x11\0\x10\x0a\0\0\x07\x0a\0\0\x01\x12\x67\x0c\xea"
        "\x04\0\x01\0rest", PROXY_OK, "10.0.0.7:4711", 4),
    ROW("v2 tcp6", SIGNATURE "\x21\x21\0\x24\xfd" FOUR("\0\0\0") "\0\0\x07" FOUR("\0\0\0\0")
        "\x12\x67\0\x01", PROXY_OK, "[fd00::7]:4711", 0),
    ROW("v2 unix", SIGNATURE "\x21\x31\0\xd8" UNIX_PATH UNIX_PATH, PROXY_OK, "/tmp/a.sock", 0),
    ROW("v2 local", SIGNATURE "\x20\0\0\0rest", PROXY_OK, "-", 4),
    ROW("v2 local with addresses", SIGNATURE "\x20\x11\0\x0c" FOUR("\0\0\0"), PROXY_OK, "-", 0),
    ROW("v2 unspecified", SIGNATURE "\x21\0\0\0", PROXY_OK, "-", 0),
    ROW("v2 udp", SIGNATURE "\x21\x12\0\x0c" FOUR("\0\0\0"), PROXY_OK, "-", 0),
    ROW("v2 half of the signature", "\r\n\r\n\0", PROXY_PARTIAL, "", 0),
    ROW("v2 half of the addresses", SIGNATURE "\x21\x11\0\x0c\x0a\0\0\x07", PROXY_PARTIAL, "", 0),
    ROW("v2 too few addresses", SIGNATURE "\x21\x11\0\x0b" "xxxxxxxxxxx", PROXY_BAD, "", 0),
    ROW("v2 too few for tcp6", SIGNATURE "\x21\x21\0\x0c" FOUR("\0\0\0"), PROXY_BAD, "", 0),
    ROW("v3", SIGNATURE "\x31\x11\0\x0c" FOUR("\0\0\0"), PROXY_BAD, "", 0),
    ROW("v2 other command", SIGNATURE "\x22\x11\0\x0c" FOUR("\0\0\0"), PROXY_BAD, "", 0),
    ROW("a login", "\x0d\0\0\1\x85", PROXY_NONE, "", 0),
    ROW("a login of \\r\\n bytes", "\r\n\0\1", PROXY_NONE, "", 0),
    ROW("small letters", "proxy TCP4 ", PROXY_NONE, "", 0),
    ROW("nothing", "", PROXY_PARTIAL, "", 0),
#undef ROW
};

/* In memory of its own, so that a sanitizer sees a read behind the end. */
static enum proxy_result
parse(struct span in, struct proxy_header *out)
{
    uint8_t *copy = malloc(in.len + (in.len == 0));

    memcpy(copy, in.ptr, in.len);
    enum proxy_result result = proxy_parse((struct span){ copy, in.len }, out);
    free(copy);
    return result;
}

static void
headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct proxy_header h = { .used = 12345 };
        char                text[SOCK_NAME_BYTES];

        if (parse(cases[i].in, &h) != cases[i].result)
            fail_msg("%s", cases[i].name);
        if (cases[i].result != PROXY_OK) {
            assert_int_equal(h.used, 12345);
            continue;
        }
        if (h.used + cases[i].more != cases[i].in.len ||
            strcmp(sock_name(&h.client, text), cases[i].client) != 0)
            fail_msg("%s: %zu bytes, %s", cases[i].name, h.used, text);
        for (size_t n = 0; n < h.used; n++)
            if (parse((struct span){ cases[i].in.ptr, n }, &h) != PROXY_PARTIAL)
                fail_msg("%s: the first %zu bytes", cases[i].name, n);
    }
}

static const struct {
    const char *list, *address;
    bool        has;
} networks[] = {
    { "10.0.0.0/8", "10.255.0.1:1", true },
    { "10.0.0.0/8", "11.0.0.1:1", false },
    { "10.0.0.0/9", "10.128.0.1:1", false },
    { "192.0.2.7", "192.0.2.7:1", true },
    { "192.0.2.7", "192.0.2.6:1", false },
    { "10.0.0.0/8, 192.0.2.6/31", "192.0.2.7:1", true },
    { "fd00::/8", "[fd12::1]:1", true },
    { "fd00::/8", "[fe12::1]:1", false },
    { "::1", "[::1]:1", true },
    { "10.0.0.0/8", "[::ffff:10.0.0.1]:1", true },
    { "0.0.0.0/0", "[::1]:1", false },
    { "*", "[::1]:1", true },
    { "*", "unix:/a", true },
    { "localhost", "unix:/a", true },
    { "localhost", "127.0.0.1:1", false },
    { "127.0.0.1", "unix:/a", false },
    { "", "127.0.0.1:1", false },
};

static void
lists_of_networks(void **state)
{
    static const char *const good[] = { "", " ", "*", "::/0", "1.2.3.4/0 ,, ::1" };
    static const char *const bad[]  = { "x", "1.2.3", "1.2.3.4/33", "::1/129", "1.2.3.4/", "/8",
                                        "1.2.3.4/8x", "localhost/8", "1.2.3.4/00008" };
    struct sock_addr addr;
    struct err       err;

    (void)state;
    for (size_t i = 0; i < countof(networks); i++) {
        assert_true(sock_parse(&addr, networks[i].address, 0, &err));
        if (conf_networks_have(networks[i].list, &addr.addr) != networks[i].has)
            fail_msg("%s in %s", networks[i].address, networks[i].list);
    }
    for (size_t i = 0; i < countof(good); i++)
        assert_true(conf_networks_ok(good[i]));
    for (size_t i = 0; i < countof(bad); i++)
        if (conf_networks_ok(bad[i]))
            fail_msg("%s is a list of networks", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(lists_of_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
