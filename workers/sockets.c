/* sockets.c - see sockets.h. */
#include "workers/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/conf/conf.h"

enum { RETRY_MS = 20, RETRIES = 50 };

/* A socket without SO_REUSEPORT can be bound only where nobody listens. Those of
 * killed workers vanish a little after their processes: io_uring tidies up in
 * the background. */
static bool
is_free(const struct sock_addr *addr, struct err *err)
{
    int fd = -1;

    for (int i = 0; fd < 0 && i < RETRIES; i++) {
        if (i > 0)
            usleep(RETRY_MS * 1000);
        fd = sock_listen(addr, &(struct sock_listen_options){ .backlog = 1 }, err);
    }
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool
open_group(struct sockets *s, const struct sock_addr *addr, const struct sockets_options *options,
           struct err *err)
{
    struct sock_listen_options how = { .backlog   = (int)options->backlog,
                                       .reuseport = true,
                                       .silent_s  = options->silent_s };

    for (unsigned i = 0; i < s->n; i++) {
        s->fd[i] = sock_listen(addr, &how, err);
        if (s->fd[i] < 0)
            return false;
    }
    return true;
}

/* Orphans keep the socket that the file's name led to until now, and whoever connects finds
 * one or the other: a new file takes the old one's place. */
static int
listen_instead(const struct sock_addr *addr, const struct sock_listen_options *how,
               struct err *err)
{
    char             name[SOCK_NAME_BYTES], fresh[SOCK_NAME_BYTES + 8];
    struct sock_addr beside;

    snprintf(fresh, sizeof(fresh), "%s.new", sock_name(addr, name));
    if (!sock_parse(&beside, fresh, 0, err)) { /* too long a name: nobody finds us for a moment */
        unlink(name);
        return sock_listen(addr, how, err);
    }
    unlink(fresh);
    int fd = sock_listen(&beside, how, err);
    if (fd >= 0 && rename(fresh, name) != 0) {
        err_set(err, "cannot listen on %s: %s", name, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static bool
open_shared(struct sockets *s, const struct sock_addr *addr, const struct sockets_options *options,
            struct err *err)
{
    struct sock_listen_options how = { .backlog   = (int)options->backlog,
                                       .unix_mode = options->unix_mode };
    int fd = options->alone ? sock_listen(addr, &how, err) : listen_instead(addr, &how, err);

    for (unsigned i = 0; i < s->n; i++)
        s->fd[i] = fd;
    s->shared = true;
    return fd >= 0;
}

bool
sockets_open(struct sockets *s, const char *text, unsigned n, const struct sockets_options *options,
             struct err *err)
{
    struct sock_addr addr;

    *s = (struct sockets){ .fd = mem_alloc(n * sizeof(*s->fd)), .n = n };
    for (unsigned i = 0; i < n; i++)
        s->fd[i] = -1;
    if (text[0] == 0)
        return true;

    bool good = conf_sockaddr(text, &addr.addr, &addr.len);
    if (!good)
        err_set(err, "cannot listen on %s: not an address", text);
    else if (sock_is_unix(&addr))
        good = open_shared(s, &addr, options, err);
    else
        good = (!options->alone || is_free(&addr, err)) &&
               open_group(s, &addr, options, err);
    if (!good)
        sockets_close(s, n);
    return good;
}

void
sockets_steer(const struct sockets *s, enum sock_steer how)
{
    if (s->n < 2 || s->shared || s->fd[0] < 0)
        return;
    int failed = sock_steer(s->fd[0], how, s->n);
    if (failed != 0)
        log_warn("connections cannot be steered to workers: %s", strerror(-failed));
}

void
sockets_close(struct sockets *s, unsigned keep)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (i == keep || s->fd[i] < 0)
            continue;
        if (!s->shared || (i == 0 && keep >= s->n))
            close(s->fd[i]);
        s->fd[i] = -1;
    }
    if (keep >= s->n) {
        free(s->fd);
        *s = (struct sockets){ 0 };
    }
}
