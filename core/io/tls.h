/* tls.h - TLS 1.2 and 1.3 as a filter of a stream (see filter.h), by OpenSSL.
 *
 *   settings --tls_server_new()--> tls_context --tls_accept()---> filter of a client
 *            --tls_client_new()-->             --tls_connect()--> filter of a server
 *
 * OpenSSL sees no socket: it reads from and writes to the filter's buffers. Its
 * own buffers are given back whenever a connection is idle. Sessions are resumed
 * by tickets, which need no memory here: all workers, and those that come after
 * them, seal them with one key, made by their master.
 */
#ifndef CORE_IO_TLS_H
#define CORE_IO_TLS_H

#include "core/base/err.h"
#include "core/base/filter.h"

struct tls_context;

enum { TLS_TICKET_KEY_BYTES = 80 };

/* Whom a client of ours is to believe. */
enum tls_verify {
    TLS_VERIFY_NOTHING, /* encrypts; anybody may be at the other end */
    TLS_VERIFY_CA,      /* the certificate is signed by the CA */
    TLS_VERIFY_HOST,    /* and is that of the host connected to */
};

/* Paths of PEM files; "" for none. The certificate's file may have the chain
 * behind it. */
struct tls_server_params {
    const char    *cert, *key;
    const char    *ca;           /* verifies certificates of clients; "": they are not asked */
    bool           require_cert; /* a client without one is refused; needs `ca` */
    bool           only_13;      /* TLS 1.2 is refused */
    const uint8_t *ticket_key;   /* [TLS_TICKET_KEY_BYTES] */
};

struct tls_client_params {
    const char     *ca;        /* "": the system's CAs */
    const char     *cert, *key; /* our own, when the server asks for one */
    enum tls_verify verify;
};

/* NULL and a sentence when a file cannot be used. Reads the files at once;
 * never asks for a passphrase. The caller owns a reference. */
struct tls_context *tls_server_new(const struct tls_server_params *params,
                                   struct err *err) must_check;
struct tls_context *tls_client_new(const struct tls_client_params *params,
                                   struct err *err) must_check;

/* One more reference; returns `ctx`. NULL is fine. */
struct tls_context *tls_context_hold(struct tls_context *ctx);

/* The reference is gone; filters keep theirs. NULL is fine. */
void tls_context_drop(struct tls_context *ctx);

/* A filter for stream_add_filter(), the server's side: waits for a ClientHello. */
struct filter *tls_accept(struct tls_context *ctx);

/* The client's side; speaks first. `host` (a name or an address) is compared with
 * the certificate; sessions are resumed per `peer`. */
struct filter *tls_connect(struct tls_context *ctx, const char *host, uint32_t peer);

struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    bool        resumed;
    bool        verified; /* the peer showed a certificate, and it is good */
};

/* False when no filter of the chain is TLS, or before the handshake is done. */
bool tls_info(const struct filter *filter, struct tls_info *out) must_check;

/* Why the chain's TLS failed, in OpenSSL's words; "" when it did not. */
const char *tls_failure(const struct filter *filter);

#endif
