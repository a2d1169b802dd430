/* origin.h - is a request that a browser may have sent one of our own page?
 *
 * Over the socket it is the account that counts, and a browser that reaches it (through ssh -L)
 * would lend that account to any page it shows: one that posts to localhost (cross-site request
 * forgery), or one whose name was made to mean localhost (DNS rebinding).
 */
#ifndef CTL_API_ORIGIN_H
#define CTL_API_ORIGIN_H

#include "core/base/base.h"

/* By the headers Host and Origin; either may be NULL, as with clients that are no browsers. A
 * host is fine when nobody else can have it: "localhost", a single word, an address of loopback,
 * with or without a port. An origin has to be that host. */
bool origin_is_ours(const char *host, const char *origin);

#endif
