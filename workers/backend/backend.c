/* backend.c - see backend.h. */
#include "workers/backend/backend.h"
#include "workers/backend/care.h"
#include "workers/backend/servers.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/sock.h"
#include "core/mysql/command.h"

enum {
    ERR_UNREACHABLE = 1429, /* ER_CONNECT_TO_FOREIGN_DATA_SOURCE */
    ERR_LOST        = 1430, /* ER_QUERY_ON_FOREIGN_DATA_SOURCE */
    SERVER_LEVEL    = 3, /* of compression: fast */
    MARK_LOW        = 64 << 10,
    MARK_HIGH       = 1 << 20,
};

static bool
is_replica(uint32_t id)
{
    return id >= ROUTES_REPLICA_ID && !routes_is_engine(id);
}

/* Where a shard's primary, a replica or an engine is, borrowed from the routes. */
struct place {
    struct span name, host;
    uint16_t    port;
    uint64_t    epoch; /* of a shard's primary */
};

/* False: it is no longer in the routes. */
static bool
find_place(const struct context *ctx, uint32_t id, struct place *out)
{
    const struct routes *r = ctx->routes != NULL ? ctx->routes->routes : NULL;

    if (r != NULL && is_replica(id)) {
        const struct route_replica *s = routes_replica(r, id);
        if (s != NULL)
            *out = (struct place){ s->name, s->host, s->port, 0 };
        return s != NULL;
    }
    const struct route_shard *s = r != NULL ? routes_server(r, id) : NULL;
    if (s != NULL)
        *out = (struct place){ s->name, s->host, s->port, s->epoch };
    return s != NULL;
}

const char *
backend_name(const struct context *ctx, uint32_t shard_id)
{
    static char  text[160];
    struct place s;
    const char  *what = routes_is_engine(shard_id) ? "engine"
                                     : is_replica(shard_id) ? "replica" : "shard";

    if (!find_place(ctx, shard_id, &s))
        snprintf(text, sizeof(text), "%s %u (no longer in the routes)", what,
                 shard_id & (ROUTES_REPLICA_ID - 1));
    else if (s.port == 0)
        snprintf(text, sizeof(text), "%s %.*s (%.*s)", what, (int)s.name.len, s.name.ptr,
                 (int)s.host.len, s.host.ptr);
    else
        snprintf(text, sizeof(text), "%s %.*s (%.*s:%u)", what, (int)s.name.len, s.name.ptr,
                 (int)s.host.len, s.host.ptr, s.port);
    return text;
}

static struct ring *
ring_of(const struct backend *b)
{
    return b->pool->ctx->ring;
}

/* --- the end ------------------------------------------------------------- */

static void
tell_everybody(struct backend *b, const struct sql_error *why)
{
    while (!list_empty(&b->fifo)) {
        struct exchange *x = container_of(b->fifo.next, struct exchange, node);
        list_remove(&x->node);
        x->armed = false;
        x->ops->on_lost(x, b, why);
    }
    if (b->on_holder_lost != NULL) {
        void (*tell)(struct backend *) = b->on_holder_lost;
        b->on_holder_lost = NULL;
        tell(b);
    }
}

static void
end(struct backend *b, const struct sql_error *why)
{
    bool             opening = b->state == BACKEND_CONNECTING || b->state == BACKEND_LOGIN;
    struct sql_error unsaid;

    if (b->state == BACKEND_CLOSING)
        return;
    timer_stop(ring_timers(ring_of(b)), &b->timer);
    if (b->state == BACKEND_IDLE) {
        command_encode(stream_out(&b->stream), COM_QUIT);
        stream_flush(&b->stream);
        stream_close(&b->stream, STREAM_CLOSE_FLUSH, 1000);
    } else
        stream_close(&b->stream, STREAM_CLOSE_NOW, 0);
    backend_forget_statements(b);
    slot_sub(b->pool->ctx->slot, COUNTER_BACKENDS_OPEN, 1);
    slot_shard_add(b->counters, SHARD_COUNTER_OPEN, (uint64_t)-1);
    if (why == NULL)
        sql_error_set(&unsaid, ERR_LOST, "shardd: lost the connection to %s",
                      backend_name(b->pool->ctx, b->pool->key.shard_id));
    pool_lost(b, opening, why); /* b->pool may go with its last backend */
    tell_everybody(b, why != NULL ? why : &unsaid);
}

void
backend_close(struct backend *b, const struct sql_error *why)
{
    end(b, why);
}

static void
on_closed(struct stream *stream)
{
    struct backend *b = container_of(stream, struct backend, stream);

    list_remove(&b->node);
    tls_context_drop(b->tls);
    buf_fini(&b->joined);
    free(b->schema);
    free(b);
}

static void
lost(struct backend *b, const char *what)
{
    struct context  *ctx = b->pool->ctx;
    struct sql_error why;

    if (b->state == BACKEND_CONNECTING || b->state == BACKEND_LOGIN)
        sql_error_set(&why, ERR_UNREACHABLE, "shardd: cannot connect to %s: %s",
                      backend_name(ctx, b->pool->key.shard_id), what);
    else
        sql_error_set(&why, ERR_LOST, "shardd: lost the connection to %s: %s",
                      backend_name(ctx, b->pool->key.shard_id), what);
    if (is_replica(b->pool->key.shard_id))
        servers_lost(ctx, b->pool->key.shard_id);
    if (b->state != BACKEND_IDLE) {
        slot_count(ctx->slot, COUNTER_BACKENDS_LOST);
        slot_shard_add(b->counters, SHARD_COUNTER_LOST, 1);
    }
    end(b, &why);
}

static void
on_end(struct stream *stream, int error)
{
    const char *tls = tls_failure(stream->filter);
    char        why[200];

    snprintf(why, sizeof(why), "TLS: %s", tls);
    lost(container_of(stream, struct backend, stream),
         tls[0] != 0 ? why : error == 0 ? "the server closed it" : strerror(-error));
}

static void
too_slow(struct timer *timer)
{
    lost(container_of(timer, struct backend, timer), "no answer within connect_timeout_ms");
}

/* --- answers ------------------------------------------------------------- */

static struct exchange *
front(struct backend *b)
{
    return list_empty(&b->fifo) ? NULL : container_of(b->fifo.next, struct exchange, node);
}

/* What is asked behind another waits for itself only from when that one is answered. */
static void
count_wait(struct backend *b, struct exchange *x, bool begins)
{
    uint64_t now = ring_now_us(ring_of(b));

    if (begins) {
        uint64_t from = x->asked_us > b->answered_us ? x->asked_us : b->answered_us;

        slot_shard_add(b->counters, SHARD_COUNTER_NS, now > from ? (now - from) * 1000 : 0);
        x->asked_us = 0;
    }
    b->answered_us = now;
}

static void
pop(struct exchange *x)
{
    list_remove(&x->node);
    x->armed = false;
}

/* Pass on bytes to a relay. False: stop reading. */
static bool
feed(struct backend *b, struct exchange *x, struct span in)
{
    size_t             used;
    enum result_status status = result_feed(&x->reader, in, &used);

    if (status == RESULT_BAD) {
        lost(b, "what it sent is not the protocol");
        return false;
    }
    if (status == RESULT_DONE)
        pop(x);
    struct span bytes = { in.ptr, used };
    x->ops->on_bytes(x, b, bytes, status == RESULT_DONE);
    if (b->state == BACKEND_CLOSING)
        return false;
    stream_consume(&b->stream, used);
    if (status == RESULT_LOCAL_INFILE) {
        b->infile = true;
        x->ops->on_infile(x, b);
        return false;
    }
    return true;
}

static bool
read_message(struct backend *b, struct exchange *x, struct span in)
{
    struct result_message m;
    enum packet_status    status = result_next(&x->reader, in, 0, &b->joined, &m);

    if (status == PACKET_PARTIAL)
        return false;
    if (status != PACKET_OK) {
        lost(b, "what it sent is not the protocol");
        return false;
    }
    bool last = result_over(&x->reader);
    if (last)
        pop(x);
    x->ops->on_message(x, b, &m, last);
    if (b->state == BACKEND_CLOSING)
        return false;
    stream_consume(&b->stream, m.message.used);
    if (m.kind == RESULT_IS_LOCAL_INFILE && x->ops->on_infile != NULL) {
        b->infile = true;
        x->ops->on_infile(x, b);
        return false;
    }
    return true;
}

static void
read_answers(struct backend *b)
{
    while (b->state != BACKEND_CLOSING && !b->stream.paused && !b->infile) {
        struct span      in = stream_unread(&b->stream);
        struct exchange *x  = front(b);

        if (in.len == 0)
            return;
        if (x == NULL) {
            /* "Server shutdown in progress" or a timeout: nobody asked. */
            lost(b, "it spoke out of turn");
            return;
        }
        count_wait(b, x, x->asked_us != 0);
        if (!(x->ops->on_message != NULL ? read_message(b, x, in) : feed(b, x, in)))
            return;
    }
}

static enum login_step
login_run(struct backend *b)
{
    size_t          used;
    enum login_step step = backend_login_run(&b->login, stream_unread(&b->stream), &used,
                                             stream_out(&b->stream));

    stream_consume(&b->stream, used);
    stream_flush(&b->stream);
    return step;
}

static enum login_step
begin_tls(struct backend *b)
{
    struct place place = { 0 };
    char         host[SOCK_NAME_BYTES];

    (void)find_place(b->pool->ctx, b->pool->key.shard_id, &place);
    snprintf(host, sizeof(host), "%.*s", (int)place.host.len, (const char *)place.host.ptr);
    stream_add_filter(&b->stream, tls_connect(b->tls, host, b->pool->key.shard_id));
    tls_context_drop(b->tls);
    b->tls = NULL;
    return login_run(b);
}

static void
log_in(struct backend *b)
{
    enum login_step step = login_run(b);

    if (step == LOGIN_STEP_TLS)
        step = begin_tls(b);
    if (step == LOGIN_STEP_FAIL)
        end(b, &b->login.error);
    if (step != LOGIN_STEP_DONE)
        return;
    if (b->login.compress != COMPRESS_NONE)
        stream_add_filter(&b->stream, compress_new(b->login.compress, SERVER_LEVEL, true));
    timer_stop(ring_timers(ring_of(b)), &b->timer);
    explicit_bzero(b->secret, sizeof(b->secret));
    b->login_us = ring_now_us(ring_of(b));
    pool_connected(b);
}

static void
on_data(struct stream *stream)
{
    struct backend *b = container_of(stream, struct backend, stream);

    slot_add(b->pool->ctx->slot, COUNTER_BACKEND_BYTES_IN, stream_unread(stream).len);
    if (b->state == BACKEND_LOGIN)
        log_in(b);
    else
        read_answers(b);
}

static void
on_connect(struct stream *stream, int error)
{
    struct backend *b = container_of(stream, struct backend, stream);

    if (error != 0)
        lost(b, strerror(-error));
    else
        b->state = BACKEND_LOGIN;
}

static void
on_drained(struct stream *stream)
{
    struct backend  *b = container_of(stream, struct backend, stream);
    struct exchange *x = front(b);

    if (x != NULL && x->ops->on_room != NULL)
        x->ops->on_room(x, b);
}

static const struct stream_ops stream_ops = {
    .on_data    = on_data,
    .on_drained = on_drained,
    .on_connect = on_connect,
    .on_end     = on_end,
    .on_closed  = on_closed,
};

/* --- the beginning ------------------------------------------------------- */

static void
set_params(struct backend *b, const struct routes *r, struct span schema)
{
    const struct pool_key *key    = &b->pool->key;
    struct span            user   = span_of(key->user);
    struct span            secret = { 0 };
    uint32_t               u      = routes_user(r, user);

    if (key->service) {
        user   = r->service_user;
        secret = r->service_secret;
    } else if (u != ROUTES_NONE)
        secret = r->users[u].secret;
    snprintf(b->secret, sizeof(b->secret), "%.*s", (int)secret.len, secret.ptr);
    b->login.params = (struct login_params){
        .user         = key->service ? user : span_of(key->user),
        .password     = span_of(b->secret),
        .schema       = span_of(b->schema),
        .capabilities = key->capabilities,
        .charset      = key->collation,
    };
    (void)schema;
}

/* On this host bytes cost less than compressing them. */
static uint64_t
compression(const struct context *ctx, const struct sock_addr *addr)
{
    if (sock_is_unix(addr))
        return 0;
    switch (ctx->conf.server_compression) {
    case CONF_COMPRESS_ZLIB: return CLIENT_COMPRESS;
    case CONF_COMPRESS_ZSTD: return CLIENT_ZSTD_COMPRESSION;
    case CONF_COMPRESS_OFF: break;
    }
    return 0;
}

struct backend *
backend_open(struct pool *pool, struct span schema)
{
    struct context           *ctx   = pool->ctx;
    struct backend  *b = mem_alloc(sizeof(*b));
    char             where[160];
    struct place     place;
    struct sock_addr addr = { 0 };
    struct err       err;

    b->pool      = pool;
    b->opened_ms = ring_now_ms(ctx->ring);
    b->old_ms    = care_old_ms(ctx);
    b->state    = BACKEND_CONNECTING;
    b->counters = slot_shard(ctx->slot, pool->key.shard_id);
    list_init(&b->node);
    list_init(&b->fifo);
    if (pool->key.has_schema && schema.len != 0)
        b->schema = mem_strndup(schema.ptr, schema.len);
    slot_count(ctx->slot, COUNTER_BACKENDS_OPEN);
    slot_count(ctx->slot, COUNTER_BACKENDS_CREATED);
    slot_shard_add(b->counters, SHARD_COUNTER_OPEN, 1);

    if (find_place(ctx, pool->key.shard_id, &place)) {
        b->epoch = place.epoch;
        snprintf(where, sizeof(where), "%.*s", (int)place.host.len, place.host.ptr);
        if (!sock_parse(&addr, where, place.port, &err))
            addr.len = 0;
        set_params(b, ctx->routes->routes, schema);
        if (!sock_is_unix(&addr))
            b->tls = tls_context_hold(ctx->secure.servers);
        b->login.params.tls      = b->tls != NULL;
        b->login.params.secure   = b->tls != NULL || sock_is_unix(&addr);
        b->login.params.compress = compression(ctx, &addr);
    }
    /* Without an address the connect fails, and by the one way failures take. */
    stream_connect(&b->stream, ctx->ring, &addr, ctx->conf.connect_timeout_ms, &stream_ops);
    stream_set_marks(&b->stream, MARK_LOW, MARK_HIGH);
    timer_start(ring_timers(ctx->ring), &b->timer, ctx->conf.connect_timeout_ms, too_slow);
    return b;
}

/* --- commands ------------------------------------------------------------ */

struct buf *
backend_out(struct backend *b)
{
    return stream_out(&b->stream);
}

void
backend_expect(struct backend *b, struct exchange *x, const struct exchange_ops *ops,
               enum result_shape shape)
{
    result_init(&x->reader, shape, b->pool->key.capabilities);
    x->reader.renumbers = b->login.compress != COMPRESS_NONE;
    x->ops      = ops;
    x->asked_us = ring_now_us(ring_of(b));
    if (shape == RESULT_NONE)
        return;
    x->armed = true;
    list_init(&x->node);
    list_append(&b->fifo, &x->node);
}

bool
backend_flush(struct backend *b)
{
    return stream_flush(&b->stream);
}

void
backend_long(struct exchange *x, size_t payload)
{
    x->reader.next_seq = (uint8_t)(payload / PACKET_PAYLOAD_MAX + 1);
}

void
backend_send(struct backend *b, uint8_t command, struct span text, struct exchange *x,
             const struct exchange_ops *ops)
{
    command_text_encode(backend_out(b), command, text);
    backend_expect(b, x, ops, result_shape_of(command));
    backend_long(x, text.len + 1);
    backend_flush(b);
}

void
backend_pause(struct backend *b)
{
    if (b->state == BACKEND_BUSY)
        stream_pause_read(&b->stream);
}

void
backend_resume(struct backend *b)
{
    if (b->state == BACKEND_BUSY)
        stream_resume_read(&b->stream);
}

void
backend_infile_sent(struct backend *b)
{
    b->infile = false;
    stream_resume_read(&b->stream);
}

void
backend_set_schema(struct backend *b, struct span schema)
{
    free(b->schema);
    b->schema = schema.len != 0 ? mem_strndup(schema.ptr, schema.len) : NULL;
}
