/* user.c - hashes and random secrets by OpenSSL. */
#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"

static void
hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void
user_secret(char out[USER_SECRET_LEN + 1])
{
    uint8_t bytes[USER_SECRET_LEN / 2];

    assert(RAND_bytes(bytes, sizeof(bytes)) == 1);
    hex(bytes, sizeof(bytes), out);
}

void
user_verifier(const char *password, char out[USER_VERIFIER_LEN + 1])
{
    uint8_t once[20], twice[20];

    assert(EVP_Digest(password, strlen(password), once, NULL, EVP_sha1(), NULL) == 1);
    assert(EVP_Digest(once, sizeof(once), twice, NULL, EVP_sha1(), NULL) == 1);
    hex(twice, sizeof(twice), out);
}

json_t *
user_new(const char *name, const char *verifier, bool admin, int64_t max_connections)
{
    json_t *user = json_object();
    char    secret[USER_SECRET_LEN + 1];

    user_secret(secret);
    model_set(user, "name", name);
    model_set(user, "verifier", verifier ? verifier : "");
    model_set(user, "secret", secret);
    json_object_set_new(user, "has_password", json_boolean(verifier != NULL));
    json_object_set_new(user, "admin", json_boolean(admin));
    json_object_set_new(user, "max_connections", json_integer(max_connections));
    return user;
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
