/* http_auth.h - who sends an HTTP request.
 *
 *   Authorization: Bearer TOKEN          of `shardctl user token`; RFC 6750
 *   Authorization: Basic USER:PASSWORD   those of the MySQL protocol; RFC 7617
 *
 * They pass unencrypted: the listener belongs behind a proxy that speaks TLS, or on loopback.
 */
#ifndef WORKERS_HTTP_AUTH_H
#define WORKERS_HTTP_AUTH_H

#include "workers/backend/context.h"

enum { HTTP_CREDENTIALS_MAX = 1024 };

/* Whose credentials the Authorization field's value has: the name, NUL-terminated, in
 * `user`. False: nobody's, which is counted as a failed login. There are routes. */
bool http_authenticate(struct context *ctx, struct span value,
                       char user[HTTP_CREDENTIALS_MAX]) must_check;

#endif
