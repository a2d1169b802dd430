/* test_origin.c - which requests a browser may send over the controller's socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/api/origin.h"

static const struct {
    const char *host, *origin;
    bool        ours;
} cases[] = {
    { NULL, NULL, true }, /* no browser */
    { "localhost", NULL, true },
    { "localhost:8080", NULL, true },
    { "controller", NULL, true },
    { "127.0.0.1:8080", NULL, true },
    { "127.9.9.9", NULL, true },
    { "[::1]:8080", NULL, true },
    { "[::1]", "http://[::1]", true },
    { "localhost:8080", "http://localhost:8080", true },
    { "LocalHost:8080", "HTTP://localhost:8080", true },
    { "localhost:8080", "https://localhost:8080", true },
    /* a page of somebody else that posts to us */
    { "localhost:8080", "http://evil.example", false },
    { "localhost:8080", "http://localhost:9090", false },
    { "localhost:8080", "http://localhost:8080.evil.example", false },
    { "localhost:8080", "null", false },
    { "localhost:8080", "", false },
    { "localhost:8080", "file://localhost:8080", false },
    { NULL, "http://localhost", false },
    /* a name that was made to mean localhost */
    { "evil.example:8080", NULL, false },
    { "evil.example:8080", "http://evil.example:8080", false },
    { "localhost.evil.example", NULL, false },
    { "128.0.0.1", NULL, false },
    { "10.0.0.1:8080", NULL, false },
    { "[fe80::1]:8080", NULL, false },
    { "::1", NULL, false },
    { "[::1", NULL, false },
    { "", NULL, false },
    { ":8080", NULL, false },
    { "127.0.0.1.evil.example", NULL, false },
    { "0000000000000000000000000000000000000000000000000000000000000000.1", NULL, false },
};

static void
test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        bool got = origin_is_ours(cases[i].host, cases[i].origin);

        if (got != cases[i].ours)
            print_error("host %s, origin %s\n", cases[i].host ? cases[i].host : "-",
                        cases[i].origin ? cases[i].origin : "-");
        assert_int_equal(got, cases[i].ours);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
