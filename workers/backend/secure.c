/* secure.c - see secure.h. */
#include "workers/backend/secure.h"

#include <errno.h>
#include <sys/random.h>

static bool
make_key(struct secure *s, struct err *err)
{
    if (s->has_key)
        return true;
    if (getrandom(s->ticket_key, sizeof(s->ticket_key), 0) != sizeof(s->ticket_key))
        return err_set(err, "cannot make a key for TLS tickets: %s", strerror(errno));
    s->has_key = true;
    return true;
}

static bool
load_clients(struct secure *s, const struct conf *conf, struct err *err)
{
    struct tls_server_params params = {
        .cert         = conf->tls_cert,
        .key          = conf->tls_key,
        .ca           = conf->tls_ca,
        .require_cert = conf->tls_require_client_cert,
        .only_13      = conf->tls_min_version == TLS_MIN_13,
        .ticket_key   = s->ticket_key,
    };

    if (conf->tls_cert[0] == 0)
        return true;
    s->clients = tls_server_new(&params, err);
    return s->clients != NULL;
}

static bool
load_servers(struct secure *s, const struct conf *conf, struct err *err)
{
    struct tls_client_params params = {
        .ca     = conf->server_tls_ca,
        .cert   = "",
        .key    = "",
        .verify = conf->server_tls == SERVER_TLS_HOST ? TLS_VERIFY_HOST
                  : conf->server_tls == SERVER_TLS_CA ? TLS_VERIFY_CA
                                                      : TLS_VERIFY_NOTHING,
    };

    if (conf->server_tls == SERVER_TLS_OFF)
        return true;
    s->servers = tls_client_new(&params, err);
    return s->servers != NULL;
}

static bool
load_rsa(struct secure *s, const struct conf *conf, struct err *err)
{
    if (conf->rsa_key[0] == 0)
        return true;
    s->rsa = sha2_key_load(conf->rsa_key, err);
    return s->rsa != NULL;
}

bool
secure_load(struct secure *s, const struct conf *conf, struct err *err)
{
    struct secure loaded = { 0 };

    if (!make_key(s, err))
        return false;
    loaded.has_key = true;
    memcpy(loaded.ticket_key, s->ticket_key, sizeof(loaded.ticket_key));
    if (!load_clients(&loaded, conf, err) || !load_servers(&loaded, conf, err) ||
        !load_rsa(&loaded, conf, err)) {
        secure_fini(&loaded);
        return false;
    }
    struct secure before = *s;
    *s = loaded;
    secure_fini(&before);
    return true;
}

void
secure_fini(struct secure *s)
{
    tls_context_drop(s->clients);
    tls_context_drop(s->servers);
    sha2_key_free(s->rsa);
    explicit_bzero(s, sizeof(*s));
}
