/* user.h - accounts: what the catalog keeps of a password, and secrets of our own making. */
#ifndef CTL_CATALOG_USER_H
#define CTL_CATALOG_USER_H

#include "core/base/buf.h"
#include "core/mysql/auth_plugin.h"
#include "core/route/table.h"
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

/* A new user object, without limits. `verifier` NULL: no password. The caller owns it. */
json_t *user_new(const char *name, enum auth_plugin plugin, const char *verifier, bool admin);

/* The limits, as the catalog and REST call them and `shardctl user set` does. */
struct user_limit {
    const char *key;    /* "max_rows" */
    const char *option; /* "max-rows" */
    uint64_t    max;
    uint32_t    factor; /* the option's unit in the key's: 1000 when it is told in seconds and kept
                           in milliseconds */
};
extern const struct user_limit user_limits[LIMITS_N];

/* Takes over those of `wish` into `user`. False with `err`: one is no number, or too large. */
bool user_set_limits(json_t *user, const json_t *wish, struct err *err) must_check;

/* Whether there is any among the members. */
bool user_has_limits(const json_t *wish);

/* "statement_timeout_ms 1500, max_rows 7"; "" when there are none. */
void user_limits_text(const json_t *user, struct buf *out);

/* 1 + enum conf_commit of "atomic", "best_effort", "single"; 0: as the setting says, for
 * "default" and ""; -1: none of these. */
int user_commit(const char *word);

/* False with `err`: empty, longer than 80 characters, or a name shardd needs. */
bool user_name_ok(const char *name, struct err *err) must_check;

#endif
