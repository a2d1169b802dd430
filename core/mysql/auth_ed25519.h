/* auth_ed25519.h - MariaDB's client_ed25519: the answer is a signature of the nonce.
 *
 *   secret   = SHA512(password), clamped       a password of any length is the key's seed
 *   verifier = public key, 32 bytes            stored
 *   answer   = signature of 32 random bytes    64 bytes
 *
 * Signatures are ordinary Ed25519 ones; only the secret key is made differently than
 * RFC 8032 says, which is why signing is done step by step here, on libsodium's curve.
 *
 * Source: MariaDB knowledge base, "Authentication Plugin - ed25519"; RFC 8032.
 */
#ifndef CORE_MYSQL_AUTH_ED25519_H
#define CORE_MYSQL_AUTH_ED25519_H

#include "core/base/base.h"

enum { ED25519_NONCE_BYTES = 32, ED25519_KEY_BYTES = 32, ED25519_ANSWER_BYTES = 64 };

void ed25519_verifier(struct span password, uint8_t key[ED25519_KEY_BYTES]);

void ed25519_sign(struct span password, const uint8_t nonce[ED25519_NONCE_BYTES],
                  uint8_t answer[ED25519_ANSWER_BYTES]);

bool ed25519_verify(struct span answer, const uint8_t nonce[ED25519_NONCE_BYTES],
                    const uint8_t key[ED25519_KEY_BYTES]) must_check;

#endif
