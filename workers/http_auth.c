/* http_auth.c - see http_auth.h. */
#include "workers/http_auth.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "workers/client/client.h"

/* "Basic", and user:password in base64, in UTF-8. */
static bool
read_basic(struct span value, char *user, struct span *password)
{
    static const struct span scheme = { (const uint8_t *)"Basic ", 6 };
    int                      n;

    if (value.len <= scheme.len || value.len > HTTP_CREDENTIALS_MAX ||
        !span_equal_nocase((struct span){ value.ptr, scheme.len }, scheme))
        return false;
    value = span_from(value, scheme.len);
    while (value.len != 0 && value.ptr[0] == ' ')
        value = span_from(value, 1);
    n = EVP_DecodeBlock((unsigned char *)user, value.ptr, (int)value.len);
    if (n < 0 || value.len == 0)
        return false;
    for (size_t i = 1; i <= 2 && value.ptr[value.len - i] == '='; i++)
        n--; /* padding counts as bytes */
    char *colon = memchr(user, ':', (size_t)n);
    if (colon == NULL || memchr(user, 0, (size_t)n) != NULL)
        return false;
    *colon    = 0;
    *password = (struct span){ (uint8_t *)colon + 1, (size_t)(user + n - colon - 1) };
    return true;
}

/* "Bearer" and a token: RFC 6750. Hashes are compared, which tell nothing of the token. */
static bool
find_token(const struct routes *routes, struct span value, char *user)
{
    static const struct span scheme = { (const uint8_t *)"Bearer ", 7 };
    uint8_t                  hash[ROUTE_TOKEN_BYTES];

    if (value.len <= scheme.len || value.len > HTTP_CREDENTIALS_MAX ||
        !span_equal_nocase((struct span){ value.ptr, scheme.len }, scheme))
        return false;
    SHA256(value.ptr + scheme.len, value.len - scheme.len, hash);
    for (uint32_t i = 0; i < routes->n_users; i++) {
        const struct route_user *u = &routes->users[i];
        if (!span_equal(u->token, (struct span){ hash, sizeof(hash) }))
            continue;
        memcpy(user, u->name.ptr, u->name.len);
        user[u->name.len] = 0;
        return true;
    }
    return false;
}

bool
http_authenticate(struct context *ctx, struct span value, char user[HTTP_CREDENTIALS_MAX])
{
    const struct routes *routes = ctx->routes->routes;
    struct span          password;
    uint32_t             at;

    if (find_token(routes, value, user))
        return true;
    if (!read_basic(value, user, &password)) {
        slot_count(ctx->slot, COUNTER_LOGIN_FAILED_PROTOCOL);
        return false;
    }
    at = routes_user(routes, span_of(user));
    if (at == ROUTES_NONE)
        slot_count(ctx->slot, COUNTER_LOGIN_FAILED_USER);
    else if (!client_password_is(ctx, &routes->users[at], password))
        slot_count(ctx->slot, COUNTER_LOGIN_FAILED_PASSWORD);
    else
        return true;
    return false;
}
