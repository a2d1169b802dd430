/* address.c - see address.h. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/address.h"

enum { DEFAULT_PORT = 3306 };

/* The host without its brackets, and what stands behind the colon; NULL: nothing does. */
static const char *
split(const char *address, char host[256])
{
    const char *end   = address[0] == '[' ? strchr(address, ']') : NULL;
    const char *colon = strrchr(end ? end : address, ':');

    if (end)
        snprintf(host, 256, "%.*s", (int)(end - address - 1), address + 1);
    else
        snprintf(host, 256, "%.*s", colon ? (int)(colon - address) : 255, address);
    return colon;
}

bool
server_address(json_t *server, const char *address, struct sql_error *error)
{
    char             host[256], numeric[NI_MAXHOST];
    const char      *colon = split(address, host);
    struct addrinfo  hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int              port  = colon ? atoi(colon + 1) : DEFAULT_PORT;
    bool             ok;

    ok = port > 0 && port < 65536 && host[0] && getaddrinfo(host, NULL, &hints, &found) == 0 &&
         getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof(numeric), NULL, 0,
                     NI_NUMERICHOST) == 0;
    if (found)
        freeaddrinfo(found);
    if (!ok)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: '%.100s' is no address; say HOST or HOST:PORT", address);
    model_set(server, "host", numeric);
    json_object_set_new(server, "port", json_integer(port));
    return true;
}
