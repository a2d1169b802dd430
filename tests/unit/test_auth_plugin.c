/* test_auth_plugin.c - caching_sha2_password and client_ed25519, against known values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/mysql/auth_ed25519.h"
#include "core/mysql/auth_plugin.h"
#include "core/mysql/auth_sha2.h"

static const uint8_t nonce[33] = "abcdefghijklmnopqrst0123456789AB";

static void
assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    char text[200] = "";

    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

/* What crypt(3) makes of "$5$salt", without its base64. */
static void
test_sha_crypt(void **state)
{
    static const struct {
        const char *password, *salt, *hash;
    } rows[] = {
        { "Hello world!", "saltstring",
          "ece9807faae7f7203489a324e617df4c8b649a234792134358d845655d4d107a" },
        { "app", "0123456789abcdef",
          "09791d1c366e6f1b397bf15b4d3b1fcbb3d6bcaecf43819ab70ea9bf3028b01f" },
        { "a very much longer text to encrypt.  This one even stretches over morethan one line.",
          "anotherlong", "b60f0c89e53cebc7df084e56c07c601eba64360afca9f65014a32b91ec08e12e" },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        uint8_t hash[SHA2_BYTES];
        sha2_crypt(span_of(rows[i].password), span_of(rows[i].salt), hash);
        assert_hex(hash, sizeof(hash), rows[i].hash);
    }
}

static void
test_verifiers(void **state)
{
    (void)state;
    for (enum auth_plugin plugin = 0; plugin < AUTH_PLUGINS; plugin++) {
        uint8_t          a[AUTH_VERIFIER_MAX], b[AUTH_VERIFIER_MAX];
        enum auth_plugin found;
        assert_true(auth_plugin_find(span_of(auth_plugin_name(plugin)), &found));
        assert_int_equal(found, plugin);
        assert_true(auth_plugin_bytes(plugin) <= sizeof(a));
        assert_int_equal(auth_plugin_verifier(plugin, SPAN("secret"), a), 0);
        assert_int_equal(auth_plugin_verifier(plugin, SPAN("secret"), b), 0);
        bool same = memcmp(a, b, auth_plugin_bytes(plugin)) == 0;
        assert_int_equal(same, plugin != AUTH_SHA2); /* which is salted */
    }
    enum auth_plugin found;
    assert_false(auth_plugin_find(SPAN("sha256_password"), &found));
    assert_false(auth_plugin_find(SPAN(""), &found));
}

static void
test_a_salted_hash(void **state)
{
    uint8_t verifier[SHA2_VERIFIER_BYTES];
    char    longest[SHA2_PASSWORD_MAX + 2];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    struct span most = { (const uint8_t *)longest, SHA2_PASSWORD_MAX };
    assert_int_equal(sha2_verifier(SPAN("secret"), verifier), 0);
    assert_true(sha2_check(SPAN("secret"), verifier));
    assert_false(sha2_check(SPAN("Secret"), verifier));
    assert_false(sha2_check(SPAN(""), verifier));
    assert_int_equal(sha2_verifier(most, verifier), 0);
    assert_true(sha2_check(most, verifier));
    most.len++;
    assert_false(sha2_check(most, verifier));
}

static void
test_the_quick_proof(void **state)
{
    uint8_t quick[SHA2_BYTES], other[SHA2_BYTES], scramble[SHA2_BYTES];

    (void)state;
    sha2_quick(SPAN("secret"), quick);
    sha2_quick(SPAN("other"), other);
    assert_int_equal(sha2_scramble(SPAN("secret"), nonce, scramble), SHA2_BYTES);
    struct span answer = { scramble, SHA2_BYTES };
    assert_true(sha2_verify(answer, nonce, quick));
    assert_false(sha2_verify(answer, nonce, other));
    assert_false(sha2_verify(answer, nonce + 1, quick));
    for (size_t len = 0; len < SHA2_BYTES; len++)
        assert_false(sha2_verify((struct span){ scramble, len }, nonce, quick));
    scramble[7] ^= 1;
    assert_false(sha2_verify(answer, nonce, quick));
    assert_int_equal(sha2_scramble(SPAN(""), nonce, scramble), 0);
}

static void
test_rsa(void **state)
{
    char             path[] = "/tmp/test_auth.XXXXXX", command[200];
    int              fd     = mkstemp(path);
    struct err       err;
    struct buf       cipher = { 0 }, password = { 0 };
    struct sha2_key *key;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_null(sha2_key_load(path, &err)); /* empty */
    snprintf(command, sizeof(command), "openssl genrsa -out %s 2048 2>/dev/null", path);
    assert_int_equal(system(command), 0);
    key = sha2_key_load(path, &err);
    assert_non_null(key);
    assert_true(sha2_encrypt(sha2_key_public(key), SPAN("secret"), nonce, &cipher));
    assert_int_equal(buf_len(&cipher), 256);
    assert_true(sha2_decrypt(key, buf_unread(&cipher), nonce, &password));
    assert_true(span_equal(buf_unread(&password), SPAN("secret")));

    buf_clear(&password);
    assert_false(sha2_decrypt(key, buf_unread(&cipher), nonce + 1, &password));
    assert_false(sha2_decrypt(key, SPAN("nonsense"), nonce, &password));
    assert_int_equal(buf_len(&password), 0);
    assert_false(sha2_encrypt(SPAN("no key"), SPAN("secret"), nonce, &cipher));
    sha2_key_free(key);
    unlink(path);
    assert_null(sha2_key_load(path, &err));
    buf_fini(&cipher);
    buf_fini(&password);
}

/* CREATE USER ... IDENTIFIED VIA ed25519 USING PASSWORD('...') on MariaDB 10.11. */
static void
test_ed25519(void **state)
{
    static const struct {
        const char *password, *key;
    } rows[] = {
        { "secret", "648814444520e4f56043a2ec9215e63be7992d2d270bc6dee873e36164786096" },
        { "a", "1af4668bdba78058c90fdb0a8daabf4f708bd4b98ed822e9cf9238da09c1ec48" },
        { "a password of more than thirty-two bytes, which is a seed's length",
          "10769df9f929b0667213058374c3dc683a98eef0ac53f0b32acda1e65472f2d9" },
    };
    uint8_t key[ED25519_KEY_BYTES], answer[ED25519_ANSWER_BYTES];

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        ed25519_verifier(span_of(rows[i].password), key);
        assert_hex(key, sizeof(key), rows[i].key);
        ed25519_sign(span_of(rows[i].password), nonce, answer);
        struct span said = { answer, sizeof(answer) };
        assert_true(ed25519_verify(said, nonce, key));
        assert_false(ed25519_verify((struct span){ answer, 63 }, nonce, key));
        answer[i] ^= 1;
        assert_false(ed25519_verify(said, nonce, key));
        ed25519_sign(SPAN("other"), nonce, answer);
        assert_false(ed25519_verify(said, nonce, key));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha_crypt),       cmocka_unit_test(test_verifiers),
        cmocka_unit_test(test_a_salted_hash),   cmocka_unit_test(test_the_quick_proof),
        cmocka_unit_test(test_rsa),             cmocka_unit_test(test_ed25519),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
