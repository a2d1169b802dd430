/* auth_sha2.h - caching_sha2_password: a salted hash is stored, a quick proof is cached.
 *
 *   verifier = salt, SHA-crypt(password, salt)           stored, as MySQL 8 does: 5,000 rounds
 *   quick    = SHA256(SHA256(password))                  in a worker's memory only
 *   scramble = SHA256(password) XOR SHA256(quick + nonce)
 *
 *   client                         we
 *     | --- scramble --------------> |  quick known: it proves the password --> OK
 *     | <-- full, please ----------- |  not known:
 *     | --- password (TLS, socket) > |    hash it, compare with the verifier,
 *     | --- or: your key? ---------> |    remember quick
 *     | <-- RSA public key --------- |
 *     | --- password, encrypted ---> |
 *
 * A scramble cannot be checked against the salted hash, only against `quick`, so the
 * first login of a user needs the password itself. To keep `quick` in the catalog
 * would spare that, but it is one unsalted hash: whoever steals it may try
 * passwords a thousand times faster.
 *
 * Source: MySQL internals manual, "Caching_sha2_password information"; U. Drepper,
 * "Unix crypt using SHA-256 and SHA-512" (here with salts of 20 bytes).
 */
#ifndef CORE_MYSQL_AUTH_SHA2_H
#define CORE_MYSQL_AUTH_SHA2_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mysql/auth.h"

enum {
    SHA2_BYTES          = 32,
    SHA2_SALT_BYTES     = 20,
    SHA2_VERIFIER_BYTES = SHA2_SALT_BYTES + SHA2_BYTES,
    SHA2_PASSWORD_MAX   = 256, /* longer ones are refused: hashing them takes too long */

    /* First byte of what follows a scramble, in either direction. */
    SHA2_MORE        = 1, /* we: another byte says what */
    SHA2_KEY_PLEASE  = 2, /* client */
    SHA2_QUICK_WORKS = 3, /* we, behind MORE */
    SHA2_FULL_PLEASE = 4,
};

/* SHA-crypt with 5,000 rounds: some 3 ms. `salt` of any length. */
void sha2_crypt(struct span password, struct span salt, uint8_t out[SHA2_BYTES]);

/* Salt and hash; the salt is random. 0 or -errno. */
int sha2_verifier(struct span password, uint8_t verifier[SHA2_VERIFIER_BYTES]) must_check;

/* Is it the password behind `verifier`? As slow as sha2_crypt(). */
bool sha2_check(struct span password, const uint8_t verifier[SHA2_VERIFIER_BYTES]) must_check;

void sha2_quick(struct span password, uint8_t quick[SHA2_BYTES]);

/* The bytes to send; returns their number, 0 for an empty password. */
size_t sha2_scramble(struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
                     uint8_t scramble[SHA2_BYTES]);

bool sha2_verify(struct span answer, const uint8_t nonce[AUTH_NONCE_BYTES],
                 const uint8_t quick[SHA2_BYTES]) must_check;

/* --- RSA: the password over a wire that others may read --- */

struct sha2_key; /* private and public */

/* From a PEM file; NULL and a sentence. The caller owns it. */
struct sha2_key *sha2_key_load(const char *path, struct err *err) must_check;
void             sha2_key_free(struct sha2_key *key); /* NULL is fine */

/* The public half as PEM, what clients are sent. */
struct span sha2_key_public(const struct sha2_key *key);

/* Appends the password, without the NUL it was sent with. False: nonsense. */
bool sha2_decrypt(struct sha2_key *key, struct span cipher,
                  const uint8_t nonce[AUTH_NONCE_BYTES], struct buf *password) must_check;

/* The client's side. `pem` is what the server sent. */
bool sha2_encrypt(struct span pem, struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
                  struct buf *cipher) must_check;

#endif
