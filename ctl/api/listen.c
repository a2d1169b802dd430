/* listen.c - see listen.h. */
#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/api/listen.h"

enum { BACKLOG = 128 };

/* The group gets to the socket, and sees nothing else of the folder. */
static bool
let_in(const char *path, gid_t group, struct err *err)
{
    char       *copy = mem_strdup(path);
    const char *folder = dirname(copy);
    struct stat st;
    bool        ok = chown(path, (uid_t)-1, group) == 0 && chmod(path, 0660) == 0 &&
              stat(folder, &st) == 0;

    if (ok && (st.st_mode & 0001) == 0) /* not open to all */
        ok = chown(folder, (uid_t)-1, group) == 0 && chmod(folder, (st.st_mode & 0700) | 0010) == 0;
    free(copy);
    return ok || err_set(err, "cannot let the group in at %s: %s", path, strerror(errno));
}

int
listen_unix(const char *path, gid_t group, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int                fd   = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t             before;
    int                rc;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
        close(fd);
        err_set(err, "another controller listens on %s", path);
        return -1;
    }
    unlink(path); /* of one that is gone */
    before = umask(0177);
    rc     = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
    umask(before);
    if (rc != 0 || listen(fd, BACKLOG) != 0) {
        err_set(err, "cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    if (group != (gid_t)-1 && !let_in(path, group, err)) {
        close(fd);
        unlink(path);
        return -1;
    }
    return fd;
}

static bool
is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >> 24 ==
               127;
    return addr->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
}

static int
open_at(const struct addrinfo *at, const char *address, struct err *err)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    err_set(err, "cannot listen on %s: %s", address, strerror(errno));
    close(fd);
    return -1;
}

int
listen_tcp(const char *address, bool *loopback, struct err *err)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char            *copy = mem_strdup(address), *port = strrchr(copy, ':'), *host = copy;
    int              fd = -1;

    if (port && port != copy) {
        *port++ = '\0';
        if (host[0] == '[' && host[strlen(host) - 1] == ']') {
            host[strlen(host) - 1] = '\0';
            host++;
        }
    }
    if (!port || port == copy || getaddrinfo(host, port, &hints, &found) != 0) {
        err_set(err, "the API cannot listen on '%s': say an address and a port, as 127.0.0.1:7390 "
                     "or [::]:7390", address);
    } else {
        *loopback = is_loopback(found->ai_addr);
        fd        = open_at(found, address, err);
        freeaddrinfo(found);
    }
    free(copy);
    return fd;
}
