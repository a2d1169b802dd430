/* http.c - see http.h. */
#include "workers/http.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/io/stream.h"
#include "workers/http_query.h"
#include "workers/metrics.h"

enum { IDLE_MS = 10000, LINGER_MS = 10000, FULL_BYTES = 64 << 10 };

static const char plain_type[]   = "text/plain; charset=utf-8";
static const char metrics_type[] = "text/plain; version=0.0.4; charset=utf-8";

struct connection {
    struct stream stream;
    struct list   node; /* in http.connections */
    struct http  *http;
    struct timer  idle;
    struct http_query *query; /* owned; from the first one on */
    bool          answering; /* by `query`: what else comes waits */
    bool          continued; /* the peer knows that it may send the body */
    bool          full;      /* the peer reads slowly: its next request waits */
    bool          ending;    /* the peer sends no more */
    char          host[SOCK_NAME_BYTES]; /* the peer's */
    bool          closing;
    bool          in_run;    /* inside run(): no recursion */
};

static void
leave(struct connection *c, enum stream_close_how how)
{
    if (c->closing && how == STREAM_CLOSE_FLUSH)
        return;
    if (!c->closing) {
        timer_stop(ring_timers(c->http->ctx->ring), &c->idle);
        if (c->query != NULL)
            http_query_close(c->query);
        c->query = NULL;
    }
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
    if (h->ctx->conf.http_query)
        *body = SPAN("there are /metrics, /healthz, /readyz and POST /v1/query\n");
    else
        *body = SPAN("there are /metrics, /healthz and /readyz\n");
    return HTTP_NOT_FOUND;
}

static enum counter
counter_of(enum http_status status)
{
    static const struct {
        enum http_status status;
        enum counter     counter;
    } counters[] = {
        { HTTP_OK, COUNTER_HTTP_REQUESTS_OK },
        { HTTP_UNAUTHORIZED, COUNTER_HTTP_REQUESTS_UNAUTHORIZED },
        { HTTP_FORBIDDEN, COUNTER_HTTP_REQUESTS_FORBIDDEN },
        { HTTP_NOT_FOUND, COUNTER_HTTP_REQUESTS_MISSING },
        { HTTP_METHOD_NOT_ALLOWED, COUNTER_HTTP_REQUESTS_METHOD },
        { HTTP_CONFLICT, COUNTER_HTTP_REQUESTS_CONFLICT },
        { HTTP_BODY_TOO_LARGE, COUNTER_HTTP_REQUESTS_BODY },
        { HTTP_TOO_MANY, COUNTER_HTTP_REQUESTS_TOO_MANY },
        { HTTP_HEAD_TOO_LARGE, COUNTER_HTTP_REQUESTS_LARGE },
        { HTTP_BAD_GATEWAY, COUNTER_HTTP_REQUESTS_GATEWAY },
        { HTTP_UNAVAILABLE, COUNTER_HTTP_REQUESTS_UNREADY },
        { HTTP_GATEWAY_TIMEOUT, COUNTER_HTTP_REQUESTS_TIMEOUT },
    };

    for (size_t i = 0; i < countof(counters); i++)
        if (counters[i].status == status)
            return counters[i].counter;
    return COUNTER_HTTP_REQUESTS_BAD;
}

/* --- requests ------------------------------------------------------------- */

static void run(struct connection *c);

static void
wait_for_next(struct connection *c)
{
    timer_start(ring_timers(c->http->ctx->ring), &c->idle, IDLE_MS, on_idle);
}

static struct span
words_for(enum http_status status)
{
    switch ((int)status) {
    case HTTP_METHOD_NOT_ALLOWED: return SPAN("this method is not for this path\n");
    case HTTP_LENGTH_REQUIRED:    return SPAN("the body needs a Content-Length\n");
    case HTTP_BODY_TOO_LARGE:     return SPAN("the body is larger than http_body_max_bytes\n");
    default:                      return SPAN("this is not a request that shardd understands\n");
    }
}

static void
answer(struct connection *c, enum http_status status, const struct http_request *r)
{
    struct span body = { 0 };
    const char *type = plain_type;

    if (status == HTTP_OK)
        status = page(c->http, r->path, &body, &type);
    else
        body = words_for(status);
    slot_count(c->http->ctx->slot, counter_of(status));
    http_answer(stream_out(&c->stream), status, r, type, body, (int64_t)time(NULL));
    c->full = !stream_flush(&c->stream);
    wait_for_next(c);
}

static void
query_done(void *owner, enum http_status status, bool keep)
{
    struct connection *c = owner;

    slot_count(c->http->ctx->slot, counter_of(status));
    c->answering = false;
    c->full      = stream_pending(&c->stream) >= FULL_BYTES;
    if (!keep)
        leave(c, STREAM_CLOSE_FLUSH);
    else {
        wait_for_next(c);
        run(c);
    }
}

static const struct http_query_ops query_ops = { .done = query_done };

/* False: its body is not there yet. */
static bool
take_query(struct connection *c, const struct http_request *r)
{
    struct context *ctx = c->http->ctx;
    struct span     in  = stream_unread(&c->stream);

    if (in.len - r->used < r->body_bytes) {
        if (r->expects && !c->continued)
            stream_write(&c->stream, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
        c->continued = true;
        wait_for_next(c);
        return false;
    }
    if (c->query == NULL)
        c->query = http_query_new(ctx, &c->stream, c->host, c, &query_ops);
    c->continued = false;
    c->answering = true;
    timer_stop(ring_timers(ctx->ring), &c->idle);
    http_query_start(c->query, r, (struct span){ in.ptr + r->used, (size_t)r->body_bytes });
    return true;
}

/* What shall be done with a request that could be read. */
static enum http_status
check(const struct http *h, struct http_request *r, bool *query)
{
    const struct conf *conf = &h->ctx->conf;
    bool               ours = conf->http_query && span_equal(r->path, SPAN("/v1/query"));

    *query = ours && r->post;
    if (ours != r->post) {
        r->allow = ours ? "POST" : "GET, HEAD";
        if (r->post)
            r->keep_alive = r->keep_alive && r->body_bytes == 0; /* nobody reads it */
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (r->body_bytes > conf->http_body_max_bytes)
        r->keep_alive = false;
    return *query && r->body_bytes > conf->http_body_max_bytes ? HTTP_BODY_TOO_LARGE : HTTP_OK;
}

/* Takes one request. False: it is not complete. */
static bool
take(struct connection *c)
{
    struct http_request r      = { 0 };
    enum http_status    status = http_parse(stream_unread(&c->stream), &r);
    bool                query  = false;

    if (status == HTTP_PARTIAL)
        return false;
    if (status == HTTP_OK)
        status = check(c->http, &r, &query);
    if (status == HTTP_OK && query) {
        size_t whole = r.used + (size_t)r.body_bytes;
        if (!take_query(c, &r))
            return false;
        if (!c->closing)
            stream_consume(&c->stream, whole);
        return true;
    }
    answer(c, status, &r);
    if (!r.keep_alive)
        leave(c, STREAM_CLOSE_FLUSH);
    else
        stream_consume(&c->stream, r.used);
    return true;
}

/* Answers what has come, until the output is full. */
static void
run(struct connection *c)
{
    if (c->in_run)
        return;
    c->in_run = true;
    while (!c->full && !c->closing && !c->answering && take(c))
        ;
    c->in_run = false;
    if (c->ending && !c->full && !c->answering)
        leave(c, STREAM_CLOSE_FLUSH);
}

static void
on_data(struct stream *stream)
{
    struct connection *c = container_of(stream, struct connection, stream);

    run(c);
    if ((c->full || (c->answering && stream_unread(stream).len > FULL_BYTES)) && !c->closing)
        stream_pause_read(stream);
}

static void
on_drained(struct stream *stream)
{
    struct connection *c = container_of(stream, struct connection, stream);

    if (c->closing)
        return;
    if (c->answering) {
        http_query_resume(c->query);
        return;
    }
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
    else if (!c->full && !c->answering)
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

    if (h->n_connections >= HTTP_CONNECTIONS_MAX) {
        ring_close_file(h->ctx->ring, file);
        return;
    }
    struct connection *c = mem_alloc(sizeof(*c));
    c->http = h;
    sock_name(peer, c->host);
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
    listener_open(&h->listener, ctx->ring, fd, true, on_accept, on_listener_closed);
}

void
http_stop(struct http *h)
{
    if (h->open)
        listener_close(&h->listener);
}
