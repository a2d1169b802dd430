/* auth_ed25519.c - see auth_ed25519.h. */
#include "core/mysql/auth_ed25519.h"

#include <assert.h>
#include <sodium.h>

enum { HASH_BYTES = crypto_hash_sha512_BYTES, SCALAR_BYTES = crypto_core_ed25519_SCALARBYTES };

_Static_assert(ED25519_KEY_BYTES == crypto_core_ed25519_BYTES &&
               ED25519_ANSWER_BYTES == crypto_sign_BYTES, "the curve's sizes");

/* The scalar in the first half, what makes signatures unlike in the second. */
static void
expand(struct span password, uint8_t secret[HASH_BYTES])
{
    crypto_hash_sha512(secret, password.ptr, password.len);
    secret[0] &= 248;
    secret[31] = (uint8_t)((secret[31] & 63) | 64);
}

static void
public_key(const uint8_t secret[HASH_BYTES], uint8_t key[ED25519_KEY_BYTES])
{
    int failed = crypto_scalarmult_ed25519_base(key, secret);
    assert(failed == 0); /* only for a scalar of 0, and bit 254 is set */
}

void
ed25519_verifier(struct span password, uint8_t key[ED25519_KEY_BYTES])
{
    uint8_t secret[HASH_BYTES];

    expand(password, secret);
    public_key(secret, key);
    sodium_memzero(secret, sizeof(secret));
}

/* The hash of all parts as a scalar. */
static void
scalar_of(struct span a, struct span b, struct span c, uint8_t scalar[SCALAR_BYTES])
{
    crypto_hash_sha512_state state;
    uint8_t                  hash[HASH_BYTES];

    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, a.ptr, a.len);
    crypto_hash_sha512_update(&state, b.ptr, b.len);
    crypto_hash_sha512_update(&state, c.ptr, c.len);
    crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(scalar, hash);
    sodium_memzero(hash, sizeof(hash));
}

void
ed25519_sign(struct span password, const uint8_t nonce[ED25519_NONCE_BYTES],
             uint8_t answer[ED25519_ANSWER_BYTES])
{
    uint8_t     secret[HASH_BYTES], key[ED25519_KEY_BYTES], wide[HASH_BYTES] = { 0 };
    uint8_t     r[SCALAR_BYTES], h[SCALAR_BYTES], a[SCALAR_BYTES];
    struct span message = { nonce, ED25519_NONCE_BYTES };

    expand(password, secret);
    public_key(secret, key);
    scalar_of((struct span){ secret + 32, 32 }, message, (struct span){ 0 }, r);
    int failed = crypto_scalarmult_ed25519_base_noclamp(answer, r);
    assert(failed == 0);

    scalar_of((struct span){ answer, 32 }, (struct span){ key, sizeof(key) }, message, h);
    memcpy(wide, secret, 32);
    crypto_core_ed25519_scalar_reduce(a, wide);
    crypto_core_ed25519_scalar_mul(h, h, a);
    crypto_core_ed25519_scalar_add(answer + 32, h, r);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(wide, sizeof(wide));
    sodium_memzero(a, sizeof(a));
}

bool
ed25519_verify(struct span answer, const uint8_t nonce[ED25519_NONCE_BYTES],
               const uint8_t key[ED25519_KEY_BYTES])
{
    return answer.len == ED25519_ANSWER_BYTES &&
           crypto_sign_verify_detached(answer.ptr, nonce, ED25519_NONCE_BYTES, key) == 0;
}
