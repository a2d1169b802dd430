/* user.h - accounts: what the catalog keeps of a password, and secrets of our own making. */
#ifndef CTL_CATALOG_USER_H
#define CTL_CATALOG_USER_H

#include "core/mysql/auth_plugin.h"
#include "ctl/catalog/catalog.h"

enum {
    USER_SECRET_LEN         = 32,
    USER_VERIFIER_LEN       = 2 * AUTH_VERIFIER_MAX, /* at most */
    USER_NATIVE_VERIFIER_LEN = 40,
    USER_TOKEN_LEN          = 50, /* "shardd_" and 256 bits in base64url */
    USER_TOKEN_HASH_LEN     = 64,
};

/* 128 random bits as hexadecimal digits. */
void user_secret(char out[USER_SECRET_LEN + 1]);

/* A token for HTTP, which is told once, and its SHA-256 in hexadecimal digits, which is kept. */
void user_token(char text[USER_TOKEN_LEN + 1], char hash[USER_TOKEN_HASH_LEN + 1]);

/* The plugin's verifier of `password` in lower case hexadecimal digits. */
void user_verifier(enum auth_plugin plugin, const char *password,
                   char out[USER_VERIFIER_LEN + 1]);

/* The verifier, as above, of an account of a server: its plugin and hash as in
 * mysql.global_priv; "" for no password. False: not one that shardd can check. */
bool user_verifier_of(const char *plugin, const char *hash, enum auth_plugin *out_plugin,
                      char out[USER_VERIFIER_LEN + 1]) must_check;

/* The other way: what MariaDB wants behind IDENTIFIED VIA, "plugin USING 'hash'"; ""
 * for no password and for plugins that it lacks. */
void user_identified(const json_t *user, char out[160]);

/* A new user object. `verifier` NULL: no password. The caller owns it. */
json_t *user_new(const char *name, enum auth_plugin plugin, const char *verifier, bool admin,
                 int64_t max_connections);

/* 1 + enum conf_commit of "atomic", "best_effort", "single"; 0: as the setting says, for
 * "default" and ""; -1: none of these. */
int user_commit(const char *word);

/* False with `err`: empty, longer than 80 characters, or a name shardd needs. */
bool user_name_ok(const char *name, struct err *err) must_check;

#endif
