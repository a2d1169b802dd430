/* http.c - see http.h. */
#include "workers/http.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/io/stream.h"
#include "workers/http_message.h"
#include "workers/metrics.h"

enum { IDLE_MS = 10000, LINGER_MS = 10000, FULL_BYTES = 64 << 10 };

static const char plain_type[]   = "text/plain; charset=utf-8";
static const char metrics_type[] = "text/plain; version=0.0.4; charset=utf-8";

struct connection {
    struct stream stream;
    struct list   node; /* in http.connections */
    struct http  *http;
    struct timer  idle;
    bool          full;   /* the peer reads slowly: its next request waits */
    bool          ending; /* the peer sends no more */
    bool          closing;
};

static void
leave(struct connection *c, enum stream_close_how how)
{
    if (c->closing && how == STREAM_CLOSE_FLUSH)
        return;
    if (!c->closing)
        timer_stop(ring_timers(c->http->ctx->ring), &c->idle);
    c->closing = true;
    stream_close(&c->stream, how, LINGER_MS);
}

static void
on_idle(struct timer *timer)
{
    leave(container_of(timer, struct connection, idle), STREAM_CLOSE_NOW);
}

/* --- pages ---------------------------------------------------------------- */

static struct span
metrics_page(struct http *h)
{
    uint64_t turn = ring_stats(h->ctx->ring)->turns;

    if (h->page_turn != turn || buf_len(&h->page) == 0) {
        buf_clear(&h->page);
        metrics_render(&h->page, h->ctx->slots,
                       h->ctx->routes != NULL ? h->ctx->routes->routes : NULL, slots_now_ms());
        h->page_turn = turn;
    }
    return buf_unread(&h->page);
}

static enum http_status
readiness(const struct context *ctx, struct span *body)
{
    if (ctx->leaving)
        *body = SPAN("shutting down\n");
    else if (ctx->routes == NULL)
        *body = SPAN("there are no routes yet: is the controller (shardctl serve) running?\n");
    else
        *body = SPAN("ready\n");
    return ctx->leaving || ctx->routes == NULL ? HTTP_UNAVAILABLE : HTTP_OK;
}

static enum http_status
page(struct http *h, struct span path, struct span *body, const char **type)
{
    *type = plain_type;
    *body = SPAN("ok\n");
    if (span_equal(path, SPAN("/healthz")))
        return HTTP_OK;
    if (span_equal(path, SPAN("/readyz")))
        return readiness(h->ctx, body);
    if (span_equal(path, SPAN("/metrics"))) {
        *type = metrics_type;
        *body = metrics_page(h);
        return HTTP_OK;
    }
    *body = SPAN("there are /metrics, /healthz and /readyz\n");
    return HTTP_NOT_FOUND;
}

static enum counter
counter_of(enum http_status status)
{
    switch (status) {
    case HTTP_OK: return COUNTER_HTTP_REQUESTS_OK;
    case HTTP_NOT_FOUND: return COUNTER_HTTP_REQUESTS_MISSING;
    case HTTP_METHOD_NOT_ALLOWED: return COUNTER_HTTP_REQUESTS_METHOD;
    case HTTP_HEAD_TOO_LARGE: return COUNTER_HTTP_REQUESTS_LARGE;
    case HTTP_UNAVAILABLE: return COUNTER_HTTP_REQUESTS_UNREADY;
    case HTTP_PARTIAL:
    case HTTP_BAD_REQUEST:
    case HTTP_VERSION_NOT_SUPPORTED: break;
    }
    return COUNTER_HTTP_REQUESTS_BAD;
}

/* --- requests ------------------------------------------------------------- */

static void
answer(struct connection *c, enum http_status status, const struct http_request *r)
{
    struct span body;
    const char *type = plain_type;

    if (status == HTTP_OK)
        status = page(c->http, r->path, &body, &type);
    else if (status == HTTP_METHOD_NOT_ALLOWED)
        body = SPAN("only GET and HEAD\n");
    else
        body = SPAN("this is not a request that shardd understands\n");
    slot_count(c->http->ctx->slot, counter_of(status));
    http_answer(stream_out(&c->stream), status, r, type, body, (int64_t)time(NULL));
    c->full = !stream_flush(&c->stream);
    timer_start(ring_timers(c->http->ctx->ring), &c->idle, IDLE_MS, on_idle);
}

/* Answers what has come, until the output is full. */
static void
run(struct connection *c)
{
    while (!c->full && !c->closing) {
        struct http_request r      = { 0 };
        enum http_status    status = http_parse(stream_unread(&c->stream), &r);
        if (status == HTTP_PARTIAL)
            break;
        answer(c, status, &r);
        if (!r.keep_alive)
            leave(c, STREAM_CLOSE_FLUSH);
        else
            stream_consume(&c->stream, r.used);
    }
    if (c->ending && !c->full)
        leave(c, STREAM_CLOSE_FLUSH);
}

static void
on_data(struct stream *stream)
{
    struct connection *c = container_of(stream, struct connection, stream);

    run(c);
    if (c->full && !c->closing)
        stream_pause_read(stream);
}

static void
on_drained(struct stream *stream)
{
    struct connection *c = container_of(stream, struct connection, stream);

    if (c->closing)
        return;
    c->full = false;
    stream_resume_read(stream);
    run(c);
}

static void
on_end(struct stream *stream, int error)
{
    struct connection *c = container_of(stream, struct connection, stream);

    c->ending = true;
    if (error != 0)
        leave(c, STREAM_CLOSE_NOW);
    else if (!c->full)
        leave(c, STREAM_CLOSE_FLUSH);
}

static void
on_closed(struct stream *stream)
{
    struct connection *c = container_of(stream, struct connection, stream);

    c->http->n_connections--;
    slot_sub(c->http->ctx->slot, COUNTER_HTTP_CONNECTIONS, 1);
    list_remove(&c->node);
    free(c);
}

static const struct stream_ops stream_ops = {
    .on_data    = on_data,
    .on_drained = on_drained,
    .on_end     = on_end,
    .on_closed  = on_closed,
};

/* --- connections ---------------------------------------------------------- */

static void
on_accept(struct listener *listener, struct ring_file file, const struct sock_addr *peer)
{
    struct http *h = container_of(listener, struct http, listener);

    (void)peer;
    if (h->n_connections >= HTTP_CONNECTIONS_MAX) {
        ring_close_file(h->ctx->ring, file);
        return;
    }
    struct connection *c = mem_alloc(sizeof(*c));
    c->http = h;
    list_append(&h->connections, &c->node);
    h->n_connections++;
    slot_count(h->ctx->slot, COUNTER_HTTP_CONNECTIONS);
    stream_open(&c->stream, h->ctx->ring, file, &stream_ops);
    stream_set_marks(&c->stream, FULL_BYTES / 2, FULL_BYTES);
    timer_start(ring_timers(h->ctx->ring), &c->idle, IDLE_MS, on_idle);
}

static void
on_listener_closed(struct listener *listener)
{
    close(listener->fd);
    container_of(listener, struct http, listener)->open = false;
}

void
http_open(struct http *h, struct context *ctx, int fd)
{
    *h = (struct http){ .ctx = ctx, .open = true };
    list_init(&h->connections);
    listener_open(&h->listener, ctx->ring, fd, false, on_accept, on_listener_closed);
}

void
http_stop(struct http *h)
{
    if (h->open)
        listener_close(&h->listener);
}
