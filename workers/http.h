/* http.h - GET /metrics, /healthz, /readyz and POST /v1/query of a worker.
 *
 *   accept --> read a request --> answer --> read the next ... --> close
 *                    \ 10 s without a request: close
 *
 * Any worker answers for all: it reads everybody's slots.
 */
#ifndef WORKERS_HTTP_H
#define WORKERS_HTTP_H

#include "core/base/buf.h"
#include "core/io/listener.h"
#include "workers/backend/context.h"

enum { HTTP_CONNECTIONS_MAX = 512 };

struct http {
    struct context *ctx;
    struct listener listener;
    struct list     connections;
    unsigned        n_connections;
    struct buf      page;      /* /metrics, as rendered in turn `page_turn` of the ring */
    uint64_t        page_turn;
    bool            open; /* the socket */
};

/* `fd` is a listening socket; taken over. */
void http_open(struct http *h, struct context *ctx, int fd);

/* Accept nobody any more and close the socket; what is open goes on. Harmless when not open. */
void http_stop(struct http *h);

#endif
