/* jwt.h - tokens of the REST API: JSON Web Tokens, checked and made. Pure: keys in, claims out.
 *
 *   header {alg, kid}   kid names one of our keys, and alg must be that key's: what a token says
 *                       of itself never chooses how it is checked (no "none", no HS256 by a
 *                       public key)
 *   claims {sub, role, exp, aud, jti, [nbf], [iat]}
 *
 * Sources: RFC 7519 (JWT), RFC 8725 (best current practices), libjwt 1.10.
 */
#ifndef CTL_API_JWT_H
#define CTL_API_JWT_H

#include <jansson.h>

#include "ctl/api/request.h"

enum { JWT_TEXT_MAX = 8192, JWT_SKEW_S = 30 /* how far clocks may be apart */ };

#define JWT_AUDIENCE "shardd"

struct jwt_claims {
    char      kid[65], subject[129], id[65]; /* id: "" when there is none */
    enum role role;
    int64_t   expires; /* seconds since 1970 */
};

/* `keys` is {kid: {"alg": "HS256|RS256|ES256", "secret": text (HS256) or private PEM, "public":
 * PEM, "audience": text}, ...}. False with `err`, a sentence without secrets. */
bool jwt_check(const char *token, const json_t *keys, int64_t now_s, struct jwt_claims *out,
               struct err *err) must_check;

/* A token by this key; the caller frees it. `claims` is what stands in it. */
char *jwt_make(const json_t *key, const json_t *claims, struct err *err) must_check;

/* A new key of our own: {"kid", "alg", "secret", ["public"], "audience"}; NULL with `err`. */
json_t *jwt_key_new(const char *alg, struct err *err) must_check;

/* The public key of somebody else who issues tokens. */
json_t *jwt_key_public(const char *alg, const char *kid, const char *pem, const char *audience,
                       struct err *err) must_check;

#endif
