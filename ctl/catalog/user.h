/* user.h - accounts: what the catalog keeps of a password, and secrets of our own making. */
#ifndef CTL_CATALOG_USER_H
#define CTL_CATALOG_USER_H

#include "ctl/catalog/catalog.h"

enum { USER_SECRET_LEN = 32, USER_VERIFIER_LEN = 40 };

/* 128 random bits as hexadecimal digits. */
void user_secret(char out[USER_SECRET_LEN + 1]);

/* SHA1(SHA1(password)) in lower case hexadecimal digits: the verifier of
 * mysql_native_password. */
void user_verifier(const char *password, char out[USER_VERIFIER_LEN + 1]);

/* A new user object. `verifier` NULL: no password. The caller owns it. */
json_t *user_new(const char *name, const char *verifier, bool admin, int64_t max_connections);

/* False with `err`: empty, longer than 80 characters, or a name shardd needs. */
bool user_name_ok(const char *name, struct err *err) must_check;

#endif
