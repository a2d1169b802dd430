/* test_auth.c - mysql_native_password: against the server's own values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/auth.h"

static const uint8_t nonce[AUTH_NONCE_BYTES + 1] = "abcdefghijklmnopqrst";

/* SELECT PASSWORD('...') on MariaDB 10.11. */
static const struct {
    const char *password, *verifier;
} known[] = {
    { "password",  "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19" },
    { "secret",    "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7" },
    { "a",         "*667F407DE7C6AD07358FA38DAED7828A72014B4E" },
};

static void
verifiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(known); i++) {
        uint8_t verifier[AUTH_HASH_BYTES], parsed[AUTH_HASH_BYTES];
        char    text[42];

        auth_verifier(span_of(known[i].password), verifier);
        auth_verifier_print(verifier, text);
        assert_string_equal(text, known[i].verifier);
        assert_true(auth_verifier_parse(span_of(text), parsed));
        assert_memory_equal(parsed, verifier, AUTH_HASH_BYTES);
    }
}

static void
malformed_verifiers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "*", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
        "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1",
        "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1G", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E191",
    };
    uint8_t verifier[AUTH_HASH_BYTES];

    for (size_t i = 0; i < countof(bad); i++)
        assert_false(auth_verifier_parse(span_of(bad[i]), verifier));
}

static void
scrambles(void **state)
{
    (void)state;
    uint8_t verifier[AUTH_HASH_BYTES], scramble[AUTH_HASH_BYTES], other[AUTH_NONCE_BYTES];

    auth_verifier(SPAN("secret"), verifier);
    assert_int_equal(auth_scramble(SPAN("secret"), nonce, scramble), AUTH_HASH_BYTES);
    struct span answer = { scramble, AUTH_HASH_BYTES };
    assert_true(auth_verify(answer, nonce, verifier));

    memcpy(other, nonce, sizeof(other));
    other[0] ^= 1;
    assert_false(auth_verify(answer, other, verifier));
    answer.len--;
    assert_false(auth_verify(answer, nonce, verifier));
    assert_false(auth_verify((struct span){ 0 }, nonce, verifier));
    answer.len = AUTH_HASH_BYTES;
    for (size_t i = 0; i < AUTH_HASH_BYTES; i++) {
        scramble[i] ^= 0x80;
        assert_false(auth_verify(answer, nonce, verifier));
        scramble[i] ^= 0x80;
    }
    assert_int_equal(auth_scramble(SPAN(""), nonce, scramble), 0);
}

static void
nonces(void **state)
{
    (void)state;
    uint8_t a[AUTH_NONCE_BYTES], b[AUTH_NONCE_BYTES];
    bool    seen[256] = { false };
    size_t  kinds     = 0;

    for (int round = 0; round < 1000; round++) {
        assert_int_equal(auth_nonce(a), 0);
        assert_int_equal(auth_nonce(b), 0);
        assert_memory_not_equal(a, b, sizeof(a));
        for (size_t i = 0; i < sizeof(a); i++)
            seen[a[i]] = true;
    }
    for (size_t i = 0; i < countof(seen); i++)
        kinds += seen[i];
    assert_int_equal(kinds, 126 - 33 + 1 - 1);
    for (size_t i = 0; i < 33; i++)
        assert_false(seen[i]);
    assert_false(seen['$'] || seen[127]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifiers),
        cmocka_unit_test(malformed_verifiers),
        cmocka_unit_test(scrambles),
        cmocka_unit_test(nonces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
