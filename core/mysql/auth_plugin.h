/* auth_plugin.h - the ways to prove a password that shardd knows, by name.
 *
 * What is stored of a password is the verifier of its plugin alone:
 *
 *   mysql_native_password   SHA1(SHA1(password))    see auth.h
 *   caching_sha2_password   salt and SHA-crypt      see auth_sha2.h
 *   client_ed25519          public key              see auth_ed25519.h
 */
#ifndef CORE_MYSQL_AUTH_PLUGIN_H
#define CORE_MYSQL_AUTH_PLUGIN_H

#include "core/base/base.h"

enum auth_plugin { AUTH_NATIVE, AUTH_SHA2, AUTH_ED25519, AUTH_PLUGINS };

enum { AUTH_VERIFIER_MAX = 52 };

/* As it is written in the protocol; static. */
const char *auth_plugin_name(enum auth_plugin plugin);

/* By the protocol's name, or by MariaDB's name in CREATE USER ("ed25519"). */
bool auth_plugin_find(struct span name, enum auth_plugin *out) must_check;

/* How many bytes a verifier has. */
size_t auth_plugin_bytes(enum auth_plugin plugin);

/* What to store of `password`. 0 or -errno. */
int auth_plugin_verifier(enum auth_plugin plugin, struct span password,
                         uint8_t verifier[AUTH_VERIFIER_MAX]) must_check;

#endif
