/* sock.c - see sock.h. */
#include "core/io/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* --- addresses --- */

static bool
parse_unix(struct sock_addr *out, const char *path, struct err *err)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    if (*path == 0 || strlen(path) >= sizeof(un.sun_path))
        return err_set(err, "\"%s\": the path of a Unix socket has 1 to %zu bytes", path,
                       sizeof(un.sun_path) - 1);
    memcpy(un.sun_path, path, strlen(path));
    *out = (struct sock_addr){ .len = sizeof(un) };
    memcpy(&out->addr, &un, sizeof(un));
    return true;
}

/* The host of `text`, and the port when it has one; an IPv6 address with a port
 * needs [brackets]. */
static bool
split(const char *text, char host[256], uint16_t *port, struct err *err)
{
    const char *begin = text, *end = text + strlen(text), *colon = NULL;

    if (*text == '[') {
        begin = text + 1;
        end   = strchr(text, ']');
        if (end == NULL || (end[1] != 0 && end[1] != ':'))
            return err_set(err, "\"%s\": expected [address]:port", text);
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (strchr(text, ':') == strrchr(text, ':')) {
        colon = strchr(text, ':');
        end   = colon != NULL ? colon : end;
    }
    if ((size_t)(end - begin) >= 256)
        return err_set(err, "\"%s\": the host is too long", text);
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;

    if (colon == NULL)
        return true;
    char         *rest;
    unsigned long n = strtoul(colon + 1, &rest, 10);
    if (colon[1] < '0' || colon[1] > '9' || *rest != 0 || n > 65535)
        return err_set(err, "\"%s\": a port is a number from 0 to 65535", text);
    *port = (uint16_t)n;
    return true;
}

static bool
parse(struct sock_addr *out, const char *text, uint16_t default_port, int flags, struct err *err)
{
    if (*text == '/')
        return parse_unix(out, text, err);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(out, text + 5, err);

    char     host[256], service[8];
    uint16_t port = default_port;
    if (!split(text, host, &port, err))
        return false;
    if (host[0] == 0 && strchr(text, ':') == NULL)
        return err_set(err, "an address is empty");
    const char *name = host[0] == 0 || strcmp(host, "*") == 0 ? "::" : host;

    struct addrinfo  hints = { .ai_flags = flags, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    snprintf(service, sizeof(service), "%u", port);
    int failed = getaddrinfo(name, service, &hints, &found);
    if (failed != 0)
        return err_set(err, "\"%s\": %s", text,
                       failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    *out = (struct sock_addr){ .len = found->ai_addrlen };
    memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

bool
sock_parse(struct sock_addr *out, const char *text, uint16_t default_port, struct err *err)
{
    return parse(out, text, default_port, AI_NUMERICHOST | AI_NUMERICSERV, err);
}

bool
sock_resolve(struct sock_addr *out, const char *text, uint16_t default_port, struct err *err)
{
    return parse(out, text, default_port, AI_NUMERICSERV, err);
}

bool
sock_is_unix(const struct sock_addr *addr)
{
    return addr->len != 0 && addr->addr.ss_family == AF_UNIX;
}

/* An IPv4 client of an IPv6 socket comes as ::ffff:1.2.3.4 and is meant as
 * IPv4. False when it is neither IPv4 nor that. */
static bool
as_ipv4(const struct sock_addr *addr, struct in_addr *out)
{
    struct sockaddr_in  in;
    struct sockaddr_in6 in6;

    if (addr->addr.ss_family == AF_INET) {
        memcpy(&in, &addr->addr, sizeof(in));
        *out = in.sin_addr;
        return true;
    }
    memcpy(&in6, &addr->addr, sizeof(in6));
    if (addr->addr.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return false;
    memcpy(out, &in6.sin6_addr.s6_addr[12], sizeof(*out));
    return true;
}

bool
sock_is_loopback(const struct sock_addr *addr)
{
    struct in_addr      v4;
    struct sockaddr_in6 in6;

    if (addr->len == 0)
        return false;
    if (addr->addr.ss_family == AF_UNIX)
        return true;
    if (as_ipv4(addr, &v4))
        return ntohl(v4.s_addr) >> 24 == 127;
    memcpy(&in6, &addr->addr, sizeof(in6));
    return addr->addr.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

const char *
sock_host(const struct sock_addr *addr, char text[SOCK_NAME_BYTES])
{
    struct in_addr      v4;
    struct sockaddr_in6 in6;

    strcpy(text, "-");
    if (addr->len == 0)
        return text;
    if (addr->addr.ss_family == AF_UNIX)
        return strcpy(text, "localhost");
    if (as_ipv4(addr, &v4)) {
        inet_ntop(AF_INET, &v4, text, SOCK_NAME_BYTES);
    } else if (addr->addr.ss_family == AF_INET6) {
        memcpy(&in6, &addr->addr, sizeof(in6));
        inet_ntop(AF_INET6, &in6.sin6_addr, text, SOCK_NAME_BYTES);
    }
    return text;
}

const char *
sock_name(const struct sock_addr *addr, char text[SOCK_NAME_BYTES])
{
    if (sock_is_unix(addr)) {
        struct sockaddr_un un = { 0 };
        memcpy(&un, &addr->addr, addr->len < sizeof(un) ? addr->len : sizeof(un));
        size_t len = strnlen(un.sun_path, sizeof(un.sun_path));
        memcpy(text, len != 0 ? un.sun_path : "unix", len != 0 ? len : 4);
        text[len != 0 ? len : 4] = 0;
        return text;
    }
    if (addr->len == 0)
        return strcpy(text, "-");

    char host[SOCK_NAME_BYTES];
    sock_host(addr, host);
    snprintf(text, SOCK_NAME_BYTES, strchr(host, ':') != NULL ? "[%.60s]:%u" : "%.60s:%u", host,
             sock_port(addr));
    return text;
}

uint16_t
sock_port(const struct sock_addr *addr)
{
    struct sockaddr_in in; /* the port is where sockaddr_in6 has it */

    if (addr->len == 0 || addr->addr.ss_family == AF_UNIX)
        return 0;
    memcpy(&in, &addr->addr, sizeof(in));
    return ntohs(in.sin_port);
}

int
sock_local(int fd, struct sock_addr *out)
{
    struct sock_addr addr = { .len = sizeof(addr.addr) };

    if (getsockname(fd, (struct sockaddr *)&addr.addr, &addr.len) != 0)
        return -errno;
    *out = addr;
    return 0;
}

/* --- sockets --- */

static int
set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

/* A host that vanished without a word is noticed after two minutes. */
static bool
set_tcp(int fd)
{
    return set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0 &&
           set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 &&
           set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60) == 0 &&
           set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10) == 0 &&
           set(fd, IPPROTO_TCP, TCP_KEEPCNT, 6) == 0;
}

int
sock_open(const struct sock_addr *addr)
{
    int fd = socket(addr->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (!sock_is_unix(addr) && !set_tcp(fd)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void
sock_limit_silence(int fd, unsigned seconds)
{
    unsigned ms = seconds < INT_MAX / 1000 ? seconds * 1000 : INT_MAX;

    if (seconds != 0)
        (void)set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ms); /* fails for Unix sockets */
}

/* A Unix socket's file outlives the process that made it: nobody answering
 * means that it may go. Only ever removes a socket. */
static void
remove_stale(const struct sock_addr *addr)
{
    char        path[SOCK_NAME_BYTES];
    struct stat st;

    sock_name(addr, path);
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = sock_open(addr);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&addr->addr, addr->len) != 0 && errno == ECONNREFUSED)
        unlink(path);
    close(fd);
}

static bool
configure(int fd, const struct sock_addr *addr, const struct sock_listen_options *options)
{
    if (sock_is_unix(addr))
        return true;
    if (addr->addr.ss_family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) != 0)
        return false;
    if (options->reuseport && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return false;
    sock_limit_silence(fd, options->silent_s);
    return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0;
}

/* Where IPv6 is switched off, "*" means IPv4. */
static struct sock_addr
any_ipv4(const struct sock_addr *addr)
{
    struct sockaddr_in in    = { .sin_family = AF_INET, .sin_port = htons(sock_port(addr)) };
    struct sock_addr   other = { .len = sizeof(in) };

    memcpy(&other.addr, &in, sizeof(in));
    return other;
}

static bool
is_any_ipv6(const struct sock_addr *addr)
{
    struct sockaddr_in6 in6;

    memcpy(&in6, &addr->addr, sizeof(in6));
    return addr->addr.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

int
sock_listen(const struct sock_addr *addr, const struct sock_listen_options *options,
            struct err *err)
{
    char             name[SOCK_NAME_BYTES];
    struct sock_addr other;

    int fd = sock_open(addr);
    if (fd == -EAFNOSUPPORT && is_any_ipv6(addr)) {
        other = any_ipv4(addr);
        addr  = &other;
        fd    = sock_open(addr);
    }
    if (fd < 0) {
        err_set(err, "%s: cannot make a socket: %s", sock_name(addr, name), strerror(-fd));
        return -1;
    }

    if (sock_is_unix(addr))
        remove_stale(addr);
    if (!configure(fd, addr, options) ||
        bind(fd, (const struct sockaddr *)&addr->addr, addr->len) != 0 ||
        (sock_is_unix(addr) &&
         chmod(sock_name(addr, name), options->unix_mode ? options->unix_mode : 0777) != 0) ||
        listen(fd, options->backlog > 0 ? options->backlog : BACKLOG) != 0) {
        err_set(err, "cannot listen on %s: %s", sock_name(addr, name), strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

int
sock_steer(int fd, enum sock_steer how, unsigned n)
{
    if (how == SOCK_STEER_HASH)
        return 0;

    uint32_t source = how == SOCK_STEER_CPU ? SKF_AD_CPU : SKF_AD_RANDOM;
    struct sock_filter code[] = {
        { BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + source },
        { BPF_ALU | BPF_MOD | BPF_K, 0, 0, n },
        { BPF_RET | BPF_A, 0, 0, 0 },
    };
    struct sock_fprog program = { .len = countof(code), .filter = code };
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) != 0)
        return -errno;
    return 0;
}

uint64_t
sock_raise_nofile(uint64_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t before = limit.rlim_cur;
    if (before >= n)
        return before;
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}
