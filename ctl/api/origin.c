/* origin.c - see origin.h. */
#include "ctl/api/origin.h"

#include <arpa/inet.h>

static struct span
without_port(const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');

    if (*host == '[')
        return end ? (struct span){ (const uint8_t *)host + 1, (size_t)(end - host - 1) }
                   : (struct span){ NULL, 0 };
    return (struct span){ (const uint8_t *)host, end ? (size_t)(end - host) : strlen(host) };
}

static bool
is_loopback(struct span name)
{
    char            text[INET6_ADDRSTRLEN];
    struct in_addr  four;
    struct in6_addr six;

    if (name.len >= sizeof(text))
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    if (inet_pton(AF_INET, text, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool
nobody_else_has(const char *host)
{
    struct span name = without_port(host);

    return name.len > 0 && (is_loopback(name) || (memchr(name.ptr, '.', name.len) == NULL &&
                                                  memchr(name.ptr, ':', name.len) == NULL));
}

bool
origin_is_ours(const char *host, const char *origin)
{
    static const char *const schemes[] = { "http://", "https://" };

    if (host && !nobody_else_has(host))
        return false;
    if (!origin)
        return true;
    for (size_t i = 0; host && i < countof(schemes); i++)
        if (strncasecmp(origin, schemes[i], strlen(schemes[i])) == 0)
            return strcasecmp(origin + strlen(schemes[i]), host) == 0;
    return false;
}
