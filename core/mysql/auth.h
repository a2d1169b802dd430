/* auth.h - mysql_native_password: proofs of a password that do not show it.
 *
 *   verifier = SHA1(SHA1(password))                       what is stored
 *   scramble = SHA1(password) XOR SHA1(nonce + verifier)  what is sent
 *
 * Whoever holds the verifier can check a scramble but not make one. An empty
 * password has no scramble: the answer is empty.
 */
#ifndef CORE_MYSQL_AUTH_H
#define CORE_MYSQL_AUTH_H

#include "core/base/base.h"

#define AUTH_HASH_BYTES  20
#define AUTH_NONCE_BYTES 20

/* Random, printable, without '$', and never NUL, as clients read the nonce as
 * a C string. 0 or -errno. */
int auth_nonce(uint8_t nonce[AUTH_NONCE_BYTES]) must_check;

void auth_verifier(struct span password, uint8_t verifier[AUTH_HASH_BYTES]);

/* The 20 bytes to send; returns their number, 0 for an empty password. */
size_t auth_scramble(struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
                     uint8_t scramble[AUTH_HASH_BYTES]);

/* Does `answer` prove the password behind `verifier`? In constant time. */
bool auth_verify(struct span answer, const uint8_t nonce[AUTH_NONCE_BYTES],
                 const uint8_t verifier[AUTH_HASH_BYTES]) must_check;

/* "*6BB4837E..." as in mysql.user, NUL-terminated; and back. */
void auth_verifier_print(const uint8_t verifier[AUTH_HASH_BYTES], char text[42]);
bool auth_verifier_parse(struct span text, uint8_t verifier[AUTH_HASH_BYTES]) must_check;

#endif
