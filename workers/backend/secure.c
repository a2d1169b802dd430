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

bool
secure_load(struct secure *s, const struct conf *conf, struct err *err)
{
    struct tls_context      *clients = NULL;
    struct sha2_key         *rsa     = NULL;
    struct tls_server_params params  = {
        .cert         = conf->tls_cert,
        .key          = conf->tls_key,
        .ca           = conf->tls_ca,
        .require_cert = conf->tls_require_client_cert,
        .only_13      = conf->tls_min_version == TLS_MIN_13,
        .ticket_key   = s->ticket_key,
    };

    if (!make_key(s, err))
        return false;
    if (conf->tls_cert[0] != 0) {
        clients = tls_server_new(&params, err);
        if (clients == NULL)
            return false;
    }
    if (conf->rsa_key[0] != 0) {
        rsa = sha2_key_load(conf->rsa_key, err);
        if (rsa == NULL) {
            tls_context_drop(clients);
            return false;
        }
    }
    tls_context_drop(s->clients);
    sha2_key_free(s->rsa);
    s->clients = clients;
    s->rsa     = rsa;
    return true;
}

void
secure_fini(struct secure *s)
{
    tls_context_drop(s->clients);
    sha2_key_free(s->rsa);
    explicit_bzero(s, sizeof(*s));
}
