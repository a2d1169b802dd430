/* exporter.c - see exporter.h. */
#include "ctl/api/exporter.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/api/metrics.h"
#include "ctl/catalog/model.h"

enum { CONNECTIONS_MAX = 32, IDLE_S = 30, ADDRESS_ROOM = 300 };

struct exporter {
    struct cluster    *cluster;
    pthread_mutex_t    lock;
    struct MHD_Daemon *daemon; /* NULL: it listens nowhere */
    char               address[ADDRESS_ROOM];
};

static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned status, struct buf *page)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        buf_len(page), page->bytes ? page->bytes + page->start : NULL, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued;

    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    buf_fini(page);
    return queued;
}

enum MHD_Result
exporter_answer(struct MHD_Connection *connection, struct cluster *c)
{
    struct buf page = { 0 };

    metrics_controller(&page, c);
    return respond(connection, MHD_HTTP_OK, &page);
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
           const char *version, const char *data, size_t *len, void **state)
{
    struct exporter *e    = context;
    struct buf       page = { 0 };

    (void)version;
    (void)data;
    (void)state;
    if (*len > 0)
        return MHD_NO; /* nothing has a body */
    if (strcmp(method, "GET") != 0) {
        buf_append_text(&page, "say GET\n");
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, &page);
    }
    if (strcmp(url, "/metrics") != 0) {
        buf_append_text(&page, "here is /metrics only\n");
        return respond(connection, MHD_HTTP_NOT_FOUND, &page);
    }
    return exporter_answer(connection, e->cluster);
}

/* --- where it listens --------------------------------------------------------------- */

/* "127.0.0.1:7381", "[::1]:7381". */
static bool
split(const char *address, char host[ADDRESS_ROOM], char port[8])
{
    const char *colon = strrchr(address, ':');
    size_t      len   = colon ? (size_t)(colon - address) : 0;

    if (len == 0 || len >= ADDRESS_ROOM || strlen(colon + 1) >= 8 || !colon[1])
        return false;
    if (address[0] == '[' && address[len - 1] == ']')
        snprintf(host, ADDRESS_ROOM, "%.*s", (int)len - 2, address + 1);
    else
        snprintf(host, ADDRESS_ROOM, "%.*s", (int)len, address);
    snprintf(port, 8, "%s", colon + 1);
    return host[0] != '\0';
}

static int
bind_to(const char *address, struct err *err)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                           .ai_flags    = AI_NUMERICHOST | AI_NUMERICSERV };
    char             host[ADDRESS_ROOM], port[8];
    struct addrinfo *at;
    int              yes = 1, fd;

    if (!split(address, host, port) || getaddrinfo(host, port, &hints, &at) != 0) {
        err_set(err, "'%s' is not an address: say HOST:PORT in numbers, as 127.0.0.1:7381",
                address);
        return -1;
    }
    fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, 64) != 0) {
            err_set(err, "cannot listen on %s: %s", address, strerror(errno));
            close(fd);
            fd = -1;
        }
    } else
        err_set(err, "cannot listen on %s: %s", address, strerror(errno));
    freeaddrinfo(at);
    return fd;
}

static struct MHD_Daemon *
start(struct exporter *e, const char *address, struct err *err)
{
    int                fd = bind_to(address, err);
    struct MHD_Daemon *daemon;

    if (fd < 0)
        return NULL;
    daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, e,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (!daemon) {
        err_set(err, "cannot serve metrics on %s: %s", address, strerror(errno));
        close(fd);
    }
    return daemon;
}

/* With the lock. The old one goes first: the new address may be the same. */
static bool
change(struct exporter *e, const char *address, struct err *err)
{
    if (e->daemon)
        MHD_stop_daemon(e->daemon);
    e->daemon = NULL;
    if (address[0] && !(e->daemon = start(e, address, err))) {
        struct err ignored;

        if (e->address[0]) /* as before, then */
            e->daemon = start(e, e->address, &ignored);
        return false;
    }
    snprintf(e->address, sizeof(e->address), "%s", address);
    return true;
}

struct exporter *
exporter_open(struct cluster *c)
{
    struct exporter *e    = mem_alloc(sizeof(*e));
    json_t          *meta = catalog_get(c->catalog, CATALOG_META, "monitor", NULL);
    struct err       err;

    e->cluster = c;
    pthread_mutex_init(&e->lock, NULL);
    if (!change(e, model_text(meta, "metrics"), &err))
        log_error("%s; metrics are on the controller's socket only", err.text);
    json_decref(meta);
    return e;
}

void
exporter_close(struct exporter *e)
{
    if (!e)
        return;
    if (e->daemon)
        MHD_stop_daemon(e->daemon);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static bool
remember(struct exporter *e, const char *who, const char *address, struct err *err)
{
    struct catalog_change *change = catalog_begin(e->cluster->catalog, who);
    json_t                *meta   = catalog_read(change, CATALOG_META, "monitor", NULL);

    if (!meta)
        meta = json_object();
    model_set(meta, "metrics", address);
    catalog_put(change, CATALOG_META, "monitor", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

bool
exporter_listen(struct exporter *e, const char *who, const char *address, struct err *err)
{
    pthread_mutex_lock(&e->lock);
    bool ok = change(e, address, err) && remember(e, who, address, err);
    pthread_mutex_unlock(&e->lock);
    return ok;
}

char *
exporter_address(struct exporter *e)
{
    pthread_mutex_lock(&e->lock);
    char *copy = mem_strdup(e->daemon ? e->address : "");
    pthread_mutex_unlock(&e->lock);
    return copy;
}
