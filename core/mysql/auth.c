/* auth.c - see auth.h. */
#include "core/mysql/auth.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "core/base/hex.h"

int
auth_nonce(uint8_t nonce[AUTH_NONCE_BYTES])
{
    enum { FIRST = 33, KINDS = 126 - 33 }; /* '!' to '~' without '$' */
    uint8_t random[64];
    size_t  n = 0;

    while (n < AUTH_NONCE_BYTES) {
        ssize_t got = getrandom(random, sizeof(random), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        for (size_t i = 0; i < (size_t)got && n < AUTH_NONCE_BYTES; i++) {
            if (random[i] >= 2 * KINDS)
                continue; /* or some bytes would be likelier than others */
            uint8_t byte = (uint8_t)(FIRST + random[i] % KINDS);
            nonce[n++] = byte == '$' ? (uint8_t)'~' : byte;
        }
    }
    return 0;
}

void
auth_verifier(struct span password, uint8_t verifier[AUTH_HASH_BYTES])
{
    uint8_t once[AUTH_HASH_BYTES];

    SHA1(password.ptr, password.len, once);
    SHA1(once, sizeof(once), verifier);
    OPENSSL_cleanse(once, sizeof(once));
}

/* SHA1(nonce + verifier), the mask that hides SHA1(password) on the wire. */
static void
mask_make(const uint8_t nonce[AUTH_NONCE_BYTES], const uint8_t verifier[AUTH_HASH_BYTES],
          uint8_t mask[AUTH_HASH_BYTES])
{
    uint8_t both[AUTH_NONCE_BYTES + AUTH_HASH_BYTES];

    memcpy(both, nonce, AUTH_NONCE_BYTES);
    memcpy(both + AUTH_NONCE_BYTES, verifier, AUTH_HASH_BYTES);
    SHA1(both, sizeof(both), mask);
}

size_t
auth_scramble(struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
              uint8_t scramble[AUTH_HASH_BYTES])
{
    uint8_t once[AUTH_HASH_BYTES], verifier[AUTH_HASH_BYTES], mask[AUTH_HASH_BYTES];

    if (password.len == 0)
        return 0;
    SHA1(password.ptr, password.len, once);
    SHA1(once, sizeof(once), verifier);
    mask_make(nonce, verifier, mask);
    for (size_t i = 0; i < AUTH_HASH_BYTES; i++)
        scramble[i] = once[i] ^ mask[i];
    OPENSSL_cleanse(once, sizeof(once));
    return AUTH_HASH_BYTES;
}

bool
auth_verify(struct span answer, const uint8_t nonce[AUTH_NONCE_BYTES],
            const uint8_t verifier[AUTH_HASH_BYTES])
{
    uint8_t once[AUTH_HASH_BYTES], twice[AUTH_HASH_BYTES], mask[AUTH_HASH_BYTES];

    if (answer.len != AUTH_HASH_BYTES)
        return false;
    mask_make(nonce, verifier, mask);
    for (size_t i = 0; i < AUTH_HASH_BYTES; i++)
        once[i] = answer.ptr[i] ^ mask[i];
    SHA1(once, sizeof(once), twice);
    OPENSSL_cleanse(once, sizeof(once));
    return CRYPTO_memcmp(twice, verifier, AUTH_HASH_BYTES) == 0;
}

void
auth_verifier_print(const uint8_t verifier[AUTH_HASH_BYTES], char text[42])
{
    text[0] = '*';
    hex_upper(text + 1, (struct span){ verifier, AUTH_HASH_BYTES });
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool
auth_verifier_parse(struct span text, uint8_t verifier[AUTH_HASH_BYTES])
{
    uint8_t parsed[AUTH_HASH_BYTES];

    if (text.len != 1 + 2 * AUTH_HASH_BYTES || text.ptr[0] != '*')
        return false;
    for (size_t i = 0; i < AUTH_HASH_BYTES; i++) {
        int high = hex_digit(text.ptr[1 + 2 * i]), low = hex_digit(text.ptr[2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        parsed[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(verifier, parsed, sizeof(parsed));
    return true;
}
