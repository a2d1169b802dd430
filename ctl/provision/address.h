/* address.h - where a server is, as people write it. */
#ifndef CTL_PROVISION_ADDRESS_H
#define CTL_PROVISION_ADDRESS_H

#include <jansson.h>

#include "core/base/err.h"

/* HOST, HOST:PORT or [ADDRESS]:PORT into "host" and "port" of a shard's or engine's object:
 * names are resolved, workers know only literal addresses. */
bool server_address(json_t *server, const char *address, struct sql_error *error) must_check;

#endif
