/* auth_plugin.c - see auth_plugin.h. */
#include "core/mysql/auth_plugin.h"

#include "core/mysql/auth.h"
#include "core/mysql/auth_ed25519.h"
#include "core/mysql/auth_sha2.h"

static const struct {
    const char *name, *other;
    size_t      bytes;
} plugins[AUTH_PLUGINS] = {
    [AUTH_NATIVE]  = { "mysql_native_password", "native", AUTH_HASH_BYTES },
    [AUTH_SHA2]    = { "caching_sha2_password", "sha2", SHA2_VERIFIER_BYTES },
    [AUTH_ED25519] = { "client_ed25519", "ed25519", ED25519_KEY_BYTES },
};

_Static_assert((int)SHA2_VERIFIER_BYTES <= (int)AUTH_VERIFIER_MAX, "it fits");

const char *
auth_plugin_name(enum auth_plugin plugin)
{
    return plugins[plugin].name;
}

bool
auth_plugin_find(struct span name, enum auth_plugin *out)
{
    for (enum auth_plugin i = 0; i < AUTH_PLUGINS; i++) {
        if (!span_equal(name, span_of(plugins[i].name)) &&
            !span_equal(name, span_of(plugins[i].other)))
            continue;
        *out = i;
        return true;
    }
    return false;
}

size_t
auth_plugin_bytes(enum auth_plugin plugin)
{
    return plugins[plugin].bytes;
}

int
auth_plugin_verifier(enum auth_plugin plugin, struct span password,
                     uint8_t verifier[AUTH_VERIFIER_MAX])
{
    switch (plugin) {
    case AUTH_NATIVE:
        auth_verifier(password, verifier);
        return 0;
    case AUTH_SHA2:
        return sha2_verifier(password, verifier);
    case AUTH_ED25519:
        ed25519_verifier(password, verifier);
        return 0;
    case AUTH_PLUGINS:
        break;
    }
    __builtin_unreachable();
}
