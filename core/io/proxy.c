/* proxy.c - see proxy.h. */
#include "core/io/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

enum {
    V1_MAX    = 107, /* of a line with its end */
    V2_FIXED  = 16,
    V2_IPV4   = 12,  /* two addresses and two ports */
    V2_IPV6   = 36,
    V2_UNIX   = 216,
    ADDR_TEXT = 48,
};

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t words[6]      = "PROXY ";

static struct sock_addr
ipv4(const void *address, const void *port)
{
    struct sockaddr_in in   = { .sin_family = AF_INET };
    struct sock_addr   addr = { .len = sizeof(in) };

    memcpy(&in.sin_addr, address, sizeof(in.sin_addr));
    memcpy(&in.sin_port, port, sizeof(in.sin_port));
    memcpy(&addr.addr, &in, sizeof(in));
    return addr;
}

static struct sock_addr
ipv6(const void *address, const void *port)
{
    struct sockaddr_in6 in6  = { .sin6_family = AF_INET6 };
    struct sock_addr    addr = { .len = sizeof(in6) };

    memcpy(&in6.sin6_addr, address, sizeof(in6.sin6_addr));
    memcpy(&in6.sin6_port, port, sizeof(in6.sin6_port));
    memcpy(&addr.addr, &in6, sizeof(in6));
    return addr;
}

/* --- version 1 -------------------------------------------------------------- */

/* The next word, up to one space or the end; false when it is empty or too long. */
static bool
next_word(struct span *line, char out[ADDR_TEXT])
{
    size_t n = 0;

    while (n < line->len && line->ptr[n] != ' ')
        n++;
    if (n == 0 || n >= ADDR_TEXT || memchr(line->ptr, 0, n) != NULL)
        return false;
    memcpy(out, line->ptr, n);
    out[n] = 0;
    *line  = span_from(*line, n < line->len ? n + 1 : n);
    return true;
}

static bool
read_port(struct span *line, in_port_t *out)
{
    char     text[ADDR_TEXT];
    uint32_t port = 0;

    if (!next_word(line, text) || (text[0] == '0' && text[1] != 0))
        return false;
    for (const char *at = text; *at != 0; at++) {
        if (*at < '0' || *at > '9')
            return false;
        port = port * 10 + (uint32_t)(*at - '0');
        if (port > 65535)
            return false;
    }
    *out = htons((uint16_t)port);
    return true;
}

/* Behind "PROXY ", without the line's end. */
static bool
read_line(struct span line, struct proxy_header *out)
{
    char            kind[ADDR_TEXT], from[ADDR_TEXT], to[ADDR_TEXT];
    struct in6_addr source, target;
    in_port_t       from_port, to_port;

    if (!next_word(&line, kind))
        return false;
    if (strcmp(kind, "UNKNOWN") == 0)
        return true;
    int family = strcmp(kind, "TCP4") == 0 ? AF_INET : strcmp(kind, "TCP6") == 0 ? AF_INET6 : -1;
    if (family < 0 || !next_word(&line, from) || !next_word(&line, to) ||
        !read_port(&line, &from_port) || !read_port(&line, &to_port) || line.len != 0 ||
        inet_pton(family, from, &source) != 1 || inet_pton(family, to, &target) != 1)
        return false;
    out->client = family == AF_INET ? ipv4(&source, &from_port) : ipv6(&source, &from_port);
    return true;
}

static enum proxy_result
parse_v1(struct span in, struct proxy_header *out)
{
    const uint8_t *end = memchr(in.ptr, '\n', in.len < V1_MAX ? in.len : V1_MAX);

    if (end == NULL)
        return in.len < V1_MAX ? PROXY_PARTIAL : PROXY_BAD;
    struct proxy_header h    = { .used = (size_t)(end - in.ptr) + 1 };
    struct span         line = { in.ptr + sizeof(words), h.used - sizeof(words) };
    if (line.len < 2 || line.ptr[line.len - 2] != '\r')
        return PROXY_BAD;
    line.len -= 2;
    if (memchr(line.ptr, '\r', line.len) != NULL || !read_line(line, &h))
        return PROXY_BAD;
    *out = h;
    return PROXY_OK;
}

/* --- version 2 -------------------------------------------------------------- */

static struct sock_addr
unix_name(const uint8_t *path)
{
    struct sockaddr_un un   = { .sun_family = AF_UNIX };
    struct sock_addr   addr = { .len = sizeof(un) };

    _Static_assert(sizeof(un.sun_path) == V2_UNIX / 2, "as the protocol has it");
    memcpy(un.sun_path, path, sizeof(un.sun_path));
    memcpy(&addr.addr, &un, sizeof(un));
    return addr;
}

/* Families that are not known leave the client unknown, as the protocol wants it. */
static bool
read_addresses(uint8_t family, struct span body, struct proxy_header *out)
{
    switch (family) {
    case FAMILY_TCP4:
        if (body.len >= V2_IPV4)
            out->client = ipv4(body.ptr, body.ptr + 8);
        return body.len >= V2_IPV4;
    case FAMILY_TCP6:
        if (body.len >= V2_IPV6)
            out->client = ipv6(body.ptr, body.ptr + 32);
        return body.len >= V2_IPV6;
    case FAMILY_UNIX:
        if (body.len >= V2_UNIX)
            out->client = unix_name(body.ptr);
        return body.len >= V2_UNIX;
    default: return true;
    }
}

static enum proxy_result
parse_v2(struct span in, struct proxy_header *out)
{
    if (in.len < V2_FIXED)
        return PROXY_PARTIAL;
    uint8_t             command = in.ptr[12];
    size_t              len     = (size_t)in.ptr[14] << 8 | in.ptr[15];
    struct proxy_header h       = { .used = V2_FIXED + len };
    struct span         body    = { in.ptr + V2_FIXED, len };

    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        return PROXY_BAD;
    if (in.len < h.used)
        return PROXY_PARTIAL;
    if (command == COMMAND_PROXY && !read_addresses(in.ptr[13], body, &h))
        return PROXY_BAD;
    *out = h;
    return PROXY_OK;
}

/* --- both ------------------------------------------------------------------- */

static bool
begins(struct span in, const uint8_t *with, size_t len)
{
    return memcmp(in.ptr, with, in.len < len ? in.len : len) == 0;
}

enum proxy_result
proxy_parse(struct span in, struct proxy_header *out)
{
    if (in.len == 0)
        return PROXY_PARTIAL;
    if (begins(in, signature, sizeof(signature)))
        return in.len < sizeof(signature) ? PROXY_PARTIAL : parse_v2(in, out);
    if (begins(in, words, sizeof(words)))
        return in.len < sizeof(words) ? PROXY_PARTIAL : parse_v1(in, out);
    return PROXY_NONE;
}
