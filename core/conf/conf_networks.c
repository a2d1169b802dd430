/* conf_networks.c - lists of networks: "10.0.0.0/8, fd00::/8, 192.0.2.7, localhost", or "*".
 *
 * localhost is whoever comes through a Unix socket, as in MariaDB's
 * proxy_protocol_networks.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "core/conf/conf.h"

static const char between[] = ", \t";

struct network {
    bool     any, local; /* "*", "localhost" */
    int      family;
    unsigned bits;
    uint8_t  address[16];
};

static bool
read_bits(const char *text, unsigned most, unsigned *out)
{
    unsigned bits = 0, digits = 0;

    for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
        bits = bits * 10 + (unsigned)(*text - '0');
    *out = bits;
    return digits > 0 && *text == 0 && bits <= most;
}

static bool
read_network(const char *text, size_t len, struct network *out)
{
    char  name[64];
    char *slash;

    *out = (struct network){ 0 };
    if (len >= sizeof(name))
        return false;
    memcpy(name, text, len);
    name[len]  = 0;
    out->any   = strcmp(name, "*") == 0;
    out->local = strcmp(name, "localhost") == 0;
    if (out->any || out->local)
        return true;
    slash = strchr(name, '/');
    if (slash != NULL)
        *slash = 0;
    out->family   = strchr(name, ':') != NULL ? AF_INET6 : AF_INET;
    unsigned most = out->family == AF_INET6 ? 128 : 32;
    out->bits     = most;
    return inet_pton(out->family, name, out->address) == 1 &&
           (slash == NULL || read_bits(slash + 1, most, &out->bits));
}

/* An IPv4 address within IPv6 counts as what it is. */
static int
address_of(const struct sockaddr_storage *addr, uint8_t out[16])
{
    struct sockaddr_in  in;
    struct sockaddr_in6 in6;

    if (addr->ss_family == AF_INET) {
        memcpy(&in, addr, sizeof(in));
        memcpy(out, &in.sin_addr, sizeof(in.sin_addr));
        return AF_INET;
    }
    if (addr->ss_family != AF_INET6)
        return addr->ss_family;
    memcpy(&in6, addr, sizeof(in6));
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        memcpy(out, in6.sin6_addr.s6_addr + 12, 4);
        return AF_INET;
    }
    memcpy(out, in6.sin6_addr.s6_addr, 16);
    return AF_INET6;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool
contains(const struct network *n, int family, const uint8_t address[16])
{
    if (n->any || (n->local && family == AF_UNIX))
        return true;
    return !n->local && n->family == family && same_bits(n->address, address, n->bits);
}

bool
conf_networks_ok(const char *text)
{
    struct network n;

    for (text += strspn(text, between); *text != 0; text += strspn(text, between)) {
        size_t len = strcspn(text, between);
        if (!read_network(text, len, &n))
            return false;
        text += len;
    }
    return true;
}

bool
conf_networks_have(const char *text, const struct sockaddr_storage *addr)
{
    uint8_t        address[16] = { 0 };
    int            family      = address_of(addr, address);
    struct network n;

    for (text += strspn(text, between); *text != 0; text += strspn(text, between)) {
        size_t len = strcspn(text, between);
        if (read_network(text, len, &n) && contains(&n, family, address))
            return true;
        text += len;
    }
    return false;
}
