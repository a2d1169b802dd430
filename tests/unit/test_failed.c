/* test_failed.c - failed logins: who is counted together, who has to wait, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "ctl/api/login.h"

static void
who_is_counted_together(void **state)
{
    static const struct {
        const char *address, *key;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "127.0.0.1", "127.0.0.1" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
        { "2001:db8:1:2::1", "2001:db8:1:2::/64" },
        { "2001:db8:1:3::1", "2001:db8:1:3::/64" },
        { "fe80::1", "fe80::/64" },
        { "::1", "::1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "fe80::1%eth0", "fe80::1%eth0" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64" },
        { "?", "?" },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        char key[48];

        failed_key(rows[i].address, key);
        assert_string_equal(key, rows[i].key);
    }
}

static void
ten_in_a_minute(void **state)
{
    static struct failed f;

    (void)state;
    failed_init(&f);
    for (int i = 0; i < FAILED_MAX; i++) {
        assert_int_equal(failed_wait_s(&f, "a", 1000), 0);
        assert_int_equal(failed_note(&f, "a", 1000), i == FAILED_MAX - 1);
    }
    assert_int_equal(failed_wait_s(&f, "a", 1000), FAILED_WINDOW_S);
    assert_int_equal(failed_wait_s(&f, "a", 31000), FAILED_WINDOW_S - 30);
    assert_int_equal(failed_wait_s(&f, "b", 1000), 0);
    assert_int_equal(failed_wait_s(&f, "a", 1000 + FAILED_WINDOW_S * 1000), 0);
    failed_fini(&f);
}

/* Whoever has many addresses can neither fill the table for good nor the audit. */
static void
many_addresses(void **state)
{
    static struct failed f;
    unsigned             told = 0;

    (void)state;
    failed_init(&f);
    for (int i = 0; i < 3 * FAILED_ADDRESSES; i++) {
        char key[48];

        snprintf(key, sizeof(key), "host %d", i);
        for (int k = 0; k < FAILED_MAX; k++)
            told += failed_note(&f, key, 1000 + (uint64_t)i);
        assert_int_not_equal(failed_wait_s(&f, key, 1000 + (uint64_t)i), 0);
    }
    assert_int_equal(told, FAILED_NOTED);
    failed_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_counted_together),
        cmocka_unit_test(ten_in_a_minute),
        cmocka_unit_test(many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
