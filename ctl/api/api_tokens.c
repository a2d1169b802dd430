/* api_tokens.c - tokens of the REST API, and the keys that sign them.
 *
 *   token/ID  {id, name, role, kid, issued, expires, revoked}   the token itself is not kept
 *   key/KID   {kid, alg, audience, secret, public, made, signs}  one signs: the newest of ours
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/api/jwt.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"

enum { LIFE_S = 30 * 86400 };

static unsigned
commit(struct request *r, struct catalog_change *change)
{
    struct err err;

    return catalog_commit(change, &err) == 0 ? 200 : request_refuse(r, 503, "%s", err.text);
}

static json_t *
list_of(struct request *r, enum catalog_kind kind)
{
    json_t     *all = catalog_all(r->cluster->catalog, kind), *list = json_array(), *one;
    const char *name;

    json_object_foreach(all, name, one) {
        json_object_del(one, "secret");
        json_array_append(list, one);
    }
    json_decref(all);
    return list;
}

unsigned
api_token_list(struct request *r)
{
    r->answer = json_pack("{s:o}", "tokens", list_of(r, CATALOG_TOKEN));
    return 200;
}

unsigned
api_key_list(struct request *r)
{
    r->answer = json_pack("{s:o}", "keys", list_of(r, CATALOG_KEY));
    return 200;
}

/* No other key signs from now on; they stay good for what they have signed. */
static void
put_signing_key(struct catalog_change *change, json_t *keys, json_t *key)
{
    const char *kid;
    json_t     *other;

    json_object_foreach(keys, kid, other)
        if (model_flag(other, "signs")) {
            json_object_set_new(other, "signs", json_false());
            catalog_put(change, CATALOG_KEY, kid, other, CATALOG_ANY);
        }
    json_object_set_new(key, "signs", json_true());
    json_object_set_new(key, "made", json_integer((json_int_t)time(NULL)));
    catalog_put(change, CATALOG_KEY, model_text(key, "kid"), key, CATALOG_NEW);
}

/* The key that signs, owned by the caller; made when there is none yet. NULL with `err`. */
static json_t *
signing_key(struct request *r, struct err *err)
{
    json_t     *keys = catalog_all(r->cluster->catalog, CATALOG_KEY), *key, *found = NULL;
    const char *kid;

    json_object_foreach(keys, kid, key)
        if (model_flag(key, "signs"))
            found = json_incref(key);
    if (!found && (found = jwt_key_new("HS256", err))) {
        struct catalog_change *change = catalog_begin(r->cluster->catalog, r->who);

        put_signing_key(change, keys, found);
        if (catalog_commit(change, err) != 0) {
            json_decref(found);
            found = NULL;
        }
    }
    json_decref(keys);
    return found;
}

/* Those that expired a day ago need no record. */
static void
forget_expired(struct catalog_change *change, json_t *tokens, int64_t now_s)
{
    const char *id;
    json_t     *token;

    json_object_foreach(tokens, id, token)
        if (model_number(token, "expires") + 86400 < now_s)
            catalog_remove(change, CATALOG_TOKEN, id, CATALOG_ANY);
}

static unsigned
issue(struct request *r, const json_t *key, const char *id, int64_t now_s, int64_t expires)
{
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", "shardd", "sub",
        request_text(r, "name"), "role", request_text(r, "role"), "aud",
        model_text(key, "audience"), "jti", id, "iat", (json_int_t)now_s, "nbf",
        (json_int_t)now_s, "exp", (json_int_t)expires);
    json_t *kept = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b}", "id", id, "name",
        request_text(r, "name"), "role", request_text(r, "role"), "kid", model_text(key, "kid"),
        "issued", (json_int_t)now_s, "expires", (json_int_t)expires, "revoked", 0);
    struct err err;
    char      *token  = jwt_make(key, claims, &err);
    unsigned   status = token ? 200 : request_refuse(r, 503, "%s", err.text);

    if (token) {
        json_t                *tokens = catalog_all(r->cluster->catalog, CATALOG_TOKEN);
        struct catalog_change *change = catalog_begin(r->cluster->catalog, r->who);

        forget_expired(change, tokens, now_s);
        catalog_put(change, CATALOG_TOKEN, id, kept, CATALOG_NEW);
        status = commit(r, change);
        json_decref(tokens);
    }
    if (status == 200)
        r->answer = json_pack("{s:s, s:s, s:I}", "id", id, "token", token, "expires",
                              (json_int_t)expires);
    json_decref(claims);
    json_decref(kept);
    free(token);
    return status;
}

unsigned
api_token_issue(struct request *r)
{
    int64_t    now  = (int64_t)time(NULL), life = model_number(r->body, "expires_s");
    const char *name = request_text(r, "name");
    char       id[USER_SECRET_LEN + 1];
    struct err err;

    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20)
            return request_refuse(r, 400, "\"name\" is of characters that can be printed");
    if (!name[0])
        return request_refuse(r, 400, "\"name\" says whose the token is");
    json_t *key = signing_key(r, &err);
    if (!key)
        return request_refuse(r, 503, "%s", err.text);
    user_secret(id);
    id[16] = '\0';
    unsigned status = issue(r, key, id, now, now + (life > 0 ? life : LIFE_S));
    json_decref(key);
    return status;
}

/* One of ours by its id; or the "jti" of somebody else's, which is not on record yet. */
unsigned
api_token_revoke(struct request *r)
{
    struct catalog_change *change = catalog_begin(r->cluster->catalog, r->who);
    json_t                *token  = catalog_read(change, CATALOG_TOKEN, r->part[1], NULL);

    if (strlen(r->part[1]) > 64) {
        catalog_cancel(change);
        json_decref(token);
        return request_refuse(r, 400, "an id has at most 64 bytes");
    }
    if (!token)
        token = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "id", r->part[1], "name", "", "role",
                          "", "kid", "", "issued", (json_int_t)time(NULL), "expires",
                          (json_int_t)time(NULL) + 10LL * 365 * 86400);
    json_object_set_new(token, "revoked", json_true());
    catalog_put(change, CATALOG_TOKEN, r->part[1], token, CATALOG_ANY);
    json_decref(token);
    return commit(r, change);
}

static unsigned
answer_key(struct request *r, unsigned status, json_t *key)
{
    json_object_del(key, "secret");
    if (status == 200)
        r->answer = json_incref(key);
    json_decref(key);
    return status;
}

/* Without "public": a new key of ours signs from now on. */
unsigned
api_key_add(struct request *r)
{
    const char *pem = request_text(r, "public"), *kid = request_text(r, "kid");
    const char *alg = request_text(r, "alg");
    struct err  err;
    json_t     *key, *old;

    if ((pem != NULL) != (kid != NULL && kid[0]))
        return request_refuse(r, 400, "\"kid\" goes with \"public\", and only with it");
    if (kid && (old = catalog_get(r->cluster->catalog, CATALOG_KEY, kid, NULL))) {
        json_decref(old);
        return request_refuse(r, 400, "there is a key '%.64s' already", kid);
    }
    key = pem ? jwt_key_public(alg, kid, pem, request_text(r, "audience"), &err)
              : jwt_key_new(alg, &err);
    if (!key)
        return request_refuse(r, 400, "%s", err.text);

    json_t                *keys   = catalog_all(r->cluster->catalog, CATALOG_KEY);
    struct catalog_change *change = catalog_begin(r->cluster->catalog, r->who);
    if (pem)
        catalog_put(change, CATALOG_KEY, kid, key, CATALOG_NEW);
    else
        put_signing_key(change, keys, key);
    unsigned status = commit(r, change);
    json_decref(keys);
    return answer_key(r, status, key);
}

/* What it has signed is no longer good. */
unsigned
api_key_remove(struct request *r)
{
    json_t *key = catalog_get(r->cluster->catalog, CATALOG_KEY, r->part[1], NULL);

    if (!key)
        return request_refuse(r, 404, "there is no key '%s'; see 'shardctl token keys'",
                              r->part[1]);
    json_decref(key);
    struct catalog_change *change = catalog_begin(r->cluster->catalog, r->who);
    catalog_remove(change, CATALOG_KEY, r->part[1], CATALOG_ANY);
    return commit(r, change);
}
