/* secure.h - the certificates and keys of a process, from its settings.
 *
 *   master: secure_load() --fork--> worker: inherits them
 *      | SIGHUP: loads anew, says     | SIGHUP: loads anew, silently; files
 *      v what is wrong                v that cannot be used change nothing
 *
 * The key that seals session tickets is made once by the master, so that a client
 * resumes its session at any worker, also after a reload or a worker's death.
 */
#ifndef WORKERS_BACKEND_SECURE_H
#define WORKERS_BACKEND_SECURE_H

#include "core/conf/conf.h"
#include "core/io/tls.h"
#include "core/mysql/auth_sha2.h"

struct secure {
    struct tls_context *clients; /* owned; NULL: TLS is not offered */
    struct tls_context *servers; /* owned; NULL: servers are reached without TLS */
    struct sha2_key    *rsa;     /* owned; NULL: passwords are not sent by RSA */
    uint8_t             ticket_key[TLS_TICKET_KEY_BYTES];
    bool                has_key;
};

/* Reads the files that `conf` names; makes the ticket key when there is none.
 * False, and nothing is changed, when one cannot be used. Connections go on with
 * what they began with. */
bool secure_load(struct secure *secure, const struct conf *conf, struct err *err) must_check;

void secure_fini(struct secure *secure);

#endif
