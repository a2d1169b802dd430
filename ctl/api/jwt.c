/* jwt.c - libjwt does the signatures; which key and which algorithm is decided here before. */
#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/api/jwt.h"
#include "ctl/catalog/model.h"

static const struct {
    const char *name;
    jwt_alg_t   alg;
} algorithms[] = { { "HS256", JWT_ALG_HS256 }, { "RS256", JWT_ALG_RS256 },
                   { "ES256", JWT_ALG_ES256 } };

/* JWT_ALG_NONE: it is none of ours. */
static jwt_alg_t
algorithm(const char *name)
{
    for (size_t i = 0; i < countof(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return algorithms[i].alg;
    return JWT_ALG_NONE;
}

/* The JSON object in base64url up to '.'; NULL: it is none. */
static json_t *
part_of(const char *token)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-_";
    size_t            len = strcspn(token, ".");
    struct buf        out = { 0 };
    uint32_t          bits = 0;
    json_t           *part;

    if (strspn(token, letters) != len)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 6 | (uint32_t)(strchr(letters, token[i]) - letters);
        if (i % 4 != 0)
            buf_append_byte(&out, (uint8_t)(bits >> (6 - 2 * (i % 4))));
    }
    part = json_loadb(buf_cstr(&out), buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
    buf_fini(&out);
    if (part && !json_is_object(part)) {
        json_decref(part);
        part = NULL;
    }
    return part;
}

/* "aud" is a text, or a list that has it. */
static bool
is_for(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud"), *one;
    size_t        i;

    if (json_is_string(aud))
        return strcmp(json_string_value(aud), audience) == 0;
    json_array_foreach((json_t *)(uintptr_t)aud, i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), audience) == 0)
            return true;
    return false;
}

static bool
fits(const char *text, size_t room)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20)
            return false;
    return strlen(text) < room;
}

static bool
check_claims(const json_t *claims, const json_t *key, int64_t now_s, struct jwt_claims *out,
             struct err *err)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    const char   *subject = model_text(claims, "sub"), *id = model_text(claims, "jti");

    if (!json_is_number(exp))
        return err_set(err, "the token never expires (no \"exp\"); such tokens are refused");
    if (json_number_value(exp) + JWT_SKEW_S <= (double)now_s)
        return err_set(err, "the token has expired; get a new one ('shardctl token issue')");
    if (nbf && (!json_is_number(nbf) || json_number_value(nbf) - JWT_SKEW_S > (double)now_s))
        return err_set(err, "the token is not good yet (\"nbf\")");
    if (!is_for(claims, model_text(key, "audience")))
        return err_set(err, "the token is for somebody else (\"aud\")");
    if (!subject[0] || !fits(subject, sizeof(out->subject)) || !fits(id, sizeof(out->id)))
        return err_set(err, "the token does not say whose it is (\"sub\")");
    if (!role_find(model_text(claims, "role"), &out->role))
        return err_set(err, "the token has no role: viewer, operator or admin");
    out->expires = (int64_t)json_number_value(exp);
    snprintf(out->subject, sizeof(out->subject), "%s", subject);
    snprintf(out->id, sizeof(out->id), "%s", id);
    return true;
}

/* What the token is signed by, from its header; NULL with `err`. */
static const json_t *
key_of(const char *token, const json_t *keys, struct err *err)
{
    json_t       *header = part_of(token);
    const json_t *key    = json_object_get(keys, model_text(header, "kid"));
    const char   *alg    = model_text(header, "alg");

    if (!header)
        err_set(err, "this is no token");
    else if (!key)
        err_set(err, "the token is signed by a key that is not known here");
    else if (algorithm(alg) == JWT_ALG_NONE || strcmp(alg, model_text(key, "alg")) != 0 ||
             json_object_get(header, "crit"))
        err_set(err, "the token's algorithm is not that of its key");
    bool good = header && key && !err->text[0];
    json_decref(header);
    return good ? key : NULL;
}

bool
jwt_check(const char *token, const json_t *keys, int64_t now_s, struct jwt_claims *out,
          struct err *err)
{
    const json_t *key;
    const char   *secret, *public;
    jwt_t        *jwt = NULL;
    bool          ok  = false;

    err->text[0] = '\0';
    if (strlen(token) > JWT_TEXT_MAX)
        return err_set(err, "the token is too long");
    key = key_of(token, keys, err);
    if (!key)
        return false;
    secret = model_text(key, "secret");
    public = model_text(key, "public");
    if (public[0])
        secret = public;
    *out = (struct jwt_claims){ .role = ROLE_VIEWER };
    snprintf(out->kid, sizeof(out->kid), "%s", model_text(key, "kid"));
    if (!secret[0] || jwt_decode(&jwt, token, (const unsigned char *)secret,
                                 (int)strlen(secret)) != 0)
        return err_set(err, "the token's signature is wrong");
    char   *text   = jwt_get_grants_json(jwt, NULL);
    json_t *claims = text ? json_loads(text, 0, NULL) : NULL;
    if (jwt_get_alg(jwt) != algorithm(model_text(key, "alg")) || !claims)
        err_set(err, "the token cannot be read");
    else
        ok = check_claims(claims, key, now_s, out, err);
    json_decref(claims);
    free(text);
    jwt_free(jwt);
    return ok;
}

char *
jwt_make(const json_t *key, const json_t *claims, struct err *err)
{
    const char *secret = model_text(key, "secret");
    char       *text = json_dumps(claims, JSON_COMPACT), *made = NULL, *token = NULL;
    jwt_t      *jwt  = NULL;

    if (jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, text) == 0 &&
        jwt_add_header(jwt, "kid", model_text(key, "kid")) == 0 &&
        jwt_set_alg(jwt, algorithm(model_text(key, "alg")), (const unsigned char *)secret,
                    (int)strlen(secret)) == 0)
        made = jwt_encode_str(jwt);
    if (made)
        token = mem_strdup(made);
    else
        err_set(err, "the key cannot sign");
    free(made);
    jwt_free(jwt);
    free(text);
    return token;
}

/* --- keys --------------------------------------------------------------------- */

static char *
pem_of(EVP_PKEY *pkey, bool private)
{
    BIO  *bio = BIO_new(BIO_s_mem());
    char *bytes, *text;
    long  len;

    if (private)
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PUBKEY(bio, pkey);
    len  = BIO_get_mem_data(bio, &bytes);
    text = mem_strndup(bytes, (size_t)len);
    BIO_free(bio);
    return text;
}

json_t *
jwt_key_new(const char *alg, struct err *err)
{
    unsigned char kid[6], secret[32];
    struct buf    text = { 0 };
    json_t       *key  = NULL;

    if (RAND_bytes(kid, sizeof(kid)) != 1 || RAND_bytes(secret, sizeof(secret)) != 1) {
        err_set(err, "there are no random numbers");
        return NULL;
    }
    buf_append_hex(&text, (struct span){ kid, sizeof(kid) });
    key = json_pack("{s:s, s:s, s:s}", "kid", buf_cstr(&text), "alg", alg, "audience",
                    JWT_AUDIENCE);
    buf_clear(&text);
    if (algorithm(alg) == JWT_ALG_HS256) {
        buf_append_hex(&text, (struct span){ secret, sizeof(secret) });
        json_object_set_new(key, "secret", json_string(buf_cstr(&text)));
    } else {
        EVP_PKEY *pkey = algorithm(alg) == JWT_ALG_RS256 ? EVP_RSA_gen(2048)
                                                         : EVP_EC_gen("P-256");
        char     *private = pem_of(pkey, true), *public = pem_of(pkey, false);

        json_object_set_new(key, "secret", json_string(private));
        json_object_set_new(key, "public", json_string(public));
        free(private);
        free(public);
        EVP_PKEY_free(pkey);
    }
    buf_fini(&text);
    return key;
}

json_t *
jwt_key_public(const char *alg, const char *kid, const char *pem, const char *audience,
               struct err *err)
{
    BIO      *bio  = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    int       type = pkey ? EVP_PKEY_get_base_id(pkey) : 0, bits = pkey ? EVP_PKEY_bits(pkey) : 0;
    json_t   *key  = NULL;

    BIO_free(bio);
    EVP_PKEY_free(pkey);
    if (algorithm(alg) == JWT_ALG_RS256 && (type != EVP_PKEY_RSA || bits < 2048))
        err_set(err, "RS256 wants a public RSA key of 2048 bits or more, in PEM");
    else if (algorithm(alg) == JWT_ALG_ES256 && (type != EVP_PKEY_EC || bits != 256))
        err_set(err, "ES256 wants a public key of the curve P-256, in PEM");
    else if (algorithm(alg) != JWT_ALG_RS256 && algorithm(alg) != JWT_ALG_ES256)
        err_set(err, "others sign with RS256 or ES256; HS256 is for keys made here");
    else
        key = json_pack("{s:s, s:s, s:s, s:s}", "kid", kid, "alg", alg, "public", pem, "audience",
                        audience ? audience : JWT_AUDIENCE);
    return key;
}
