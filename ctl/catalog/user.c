/* user.c - accounts; random secrets by OpenSSL. */
#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "core/base/hex.h"
#include "core/mysql/auth_ed25519.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"

enum { ED25519_HASH_LEN = 43 }; /* base64 without its = */

void
user_secret(char out[USER_SECRET_LEN + 1])
{
    uint8_t bytes[USER_SECRET_LEN / 2];

    assert(RAND_bytes(bytes, sizeof(bytes)) == 1);
    hex_lower(out, (struct span){ bytes, sizeof(bytes) });
}

void
user_token(char text[USER_TOKEN_LEN + 1], char hash[USER_TOKEN_HASH_LEN + 1])
{
    uint8_t       bytes[32], digest[32];
    unsigned char encoded[45];

    assert(RAND_bytes(bytes, sizeof(bytes)) == 1);
    EVP_EncodeBlock(encoded, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(encoded); i++)
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    snprintf(text, USER_TOKEN_LEN + 1, "shardd_%.43s", (const char *)encoded);
    SHA256((const unsigned char *)text, USER_TOKEN_LEN, digest);
    hex_lower(hash, (struct span){ digest, sizeof(digest) });
}

void
user_verifier(enum auth_plugin plugin, const char *password, char out[USER_VERIFIER_LEN + 1])
{
    uint8_t verifier[AUTH_VERIFIER_MAX];
    int     failed = auth_plugin_verifier(plugin, span_of(password), verifier);

    assert(failed == 0);
    hex_lower(out, (struct span){ verifier, auth_plugin_bytes(plugin) });
}

bool
user_verifier_of(const char *plugin, const char *hash, enum auth_plugin *out_plugin,
                 char out[USER_VERIFIER_LEN + 1])
{
    unsigned char key[ED25519_KEY_BYTES + 1];
    char          padded[ED25519_HASH_LEN + 2];

    out[0] = '\0';
    if (strcmp(plugin, "ed25519") == 0 && strlen(hash) == ED25519_HASH_LEN) {
        snprintf(padded, sizeof(padded), "%s=", hash);
        *out_plugin = AUTH_ED25519;
        if (EVP_DecodeBlock(key, (const unsigned char *)padded, ED25519_HASH_LEN + 1) < 0)
            return false;
        hex_lower(out, (struct span){ key, ED25519_KEY_BYTES });
        return true;
    }
    *out_plugin = AUTH_NATIVE;
    if (plugin[0] && strcmp(plugin, "mysql_native_password") != 0)
        return false;
    if (hash[0] && strlen(hash) != USER_NATIVE_VERIFIER_LEN + 1)
        return false;
    for (size_t i = 0; hash[0] && hash[i + 1]; i++) {
        out[i]     = (char)tolower((unsigned char)hash[i + 1]);
        out[i + 1] = '\0';
    }
    return true;
}

void
user_identified(const json_t *user, char out[160])
{
    const char     *verifier = model_text(user, "verifier");
    enum auth_plugin plugin  = model_plugin(user);
    unsigned char   text[2 * ED25519_KEY_BYTES], key[ED25519_KEY_BYTES];

    out[0] = '\0';
    if (strlen(verifier) != 2 * auth_plugin_bytes(plugin))
        return;
    if (plugin == AUTH_NATIVE)
        snprintf(out, 160, "mysql_native_password USING '*%s'", verifier);
    if (plugin != AUTH_ED25519)
        return;
    for (size_t i = 0; i < sizeof(key); i++) {
        char digits[3] = { verifier[2 * i], verifier[2 * i + 1], '\0' };
        key[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    EVP_EncodeBlock(text, key, sizeof(key));
    snprintf(out, 160, "ed25519 USING '%.*s'", (int)ED25519_HASH_LEN, (const char *)text);
}

json_t *
user_new(const char *name, enum auth_plugin plugin, const char *verifier, bool admin)
{
    json_t *user = json_object();
    char    secret[USER_SECRET_LEN + 1];

    user_secret(secret);
    model_set(user, "name", name);
    model_set(user, "plugin", auth_plugin_name(plugin));
    model_set(user, "verifier", verifier ? verifier : "");
    model_set(user, "secret", secret);
    json_object_set_new(user, "has_password", json_boolean(verifier != NULL));
    json_object_set_new(user, "admin", json_boolean(admin));
    return user;
}

const struct user_limit user_limits[LIMITS_N] = {
    [LIMIT_CONNECTIONS]     = { "max_connections", "max-connections", UINT32_MAX, 1 },
    [LIMIT_CONNECTION_RATE] = { "connection_rate", "connection-rate", UINT32_MAX, 1 },
    [LIMIT_STATEMENT_MS]    = { "statement_timeout_ms", "statement-timeout", 31536000000, 1000 },
    [LIMIT_TRANSACTION_S]   = { "transaction_timeout_s", "transaction-timeout", 31536000, 1 },
    [LIMIT_IDLE_S]          = { "idle_timeout_s", "idle-timeout", 31536000, 1 },
    [LIMIT_ROWS]            = { "max_rows", "max-rows", INT64_MAX, 1 },
    [LIMIT_BYTES]           = { "max_bytes", "max-bytes", INT64_MAX, 1 },
};

bool
user_set_limits(json_t *user, const json_t *wish, struct err *err)
{
    for (size_t i = 0; i < countof(user_limits); i++) {
        const struct user_limit *limit = &user_limits[i];
        json_t                  *value = json_object_get(wish, limit->key);

        if (!value)
            continue;
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) > limit->max)
            return err_set(err, "%s is a number from 0 (no limit) to %llu", limit->key,
                           (unsigned long long)limit->max);
        json_object_set(user, limit->key, value);
    }
    return true;
}

bool
user_has_limits(const json_t *wish)
{
    for (size_t i = 0; i < countof(user_limits); i++)
        if (json_object_get(wish, user_limits[i].key))
            return true;
    return false;
}

void
user_limits_text(const json_t *user, struct buf *out)
{
    for (size_t i = 0; i < countof(user_limits); i++) {
        int64_t value = model_number(user, user_limits[i].key);

        if (value > 0)
            buf_printf(out, "%s%s %lld", buf_len(out) ? ", " : "", user_limits[i].key,
                       (long long)value);
    }
}

int
user_commit(const char *word)
{
    static const char *const words[] = { "default", "atomic", "best_effort", "single" };

    for (int i = 0; i < (int)countof(words); i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return word[0] == '\0' ? 0 : -1;
}

bool
user_name_ok(const char *name, struct err *err)
{
    static const char *const taken[] = { "root", "mysql", "mariadb.sys", "PUBLIC" };

    if (name[0] == '\0' || strlen(name) > 80)
        return err_set(err, "a user's name has 1 to 80 bytes");
    if (strncmp(name, "shardd_", 7) == 0)
        return err_set(err, "names that begin with shardd_ are shardd's own; choose another");
    for (size_t i = 0; i < countof(taken); i++)
        if (strcmp(name, taken[i]) == 0)
            return err_set(err, "the name %s belongs to the servers; choose another", name);
    return true;
}
