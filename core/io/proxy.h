/* proxy.h - the PROXY protocol: whom a load balancer speaks for.
 *
 *   1:  PROXY TCP4 10.0.0.7 10.0.0.1 4711 3306\r\n
 *   2:  signature (12) | version, command | family | length (2) | addresses, further fields
 *
 * It stands before all that the client says. Pure: bytes in, a struct out. Source: HAProxy's
 * doc/proxy-protocol.txt.
 */
#ifndef CORE_IO_PROXY_H
#define CORE_IO_PROXY_H

#include "core/io/sock.h"

enum proxy_result {
    PROXY_NONE,    /* these bytes are no header, whatever follows */
    PROXY_PARTIAL, /* they may be, or are, the beginning of one */
    PROXY_OK,
    PROXY_BAD,     /* a header that breaks the rules: close the connection */
};

struct proxy_header {
    struct sock_addr client; /* len == 0: the balancer speaks for itself (a health check), or
                                does not know for whom */
    size_t           used;   /* bytes of the header */
};

/* `out` is written with PROXY_OK only. */
enum proxy_result proxy_parse(struct span in, struct proxy_header *out) must_check;

#endif
