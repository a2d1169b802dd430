/* client.c - see client.h. */
#include "workers/client/client.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/tls.h"
#include "workers/client/find.h"
#include "workers/client/make.h"
#include "workers/query/txn.h"

enum {
    ERR_TOO_MANY  = 1040, /* ER_CON_COUNT_ERROR */
    ERR_SHUTDOWN  = 1053, /* ER_SERVER_SHUTDOWN */
    ERR_MALFORMED = 1835, /* ER_MALFORMED_PACKET */
    ERR_TOO_BIG   = 1153, /* ER_NET_PACKET_TOO_LARGE */
    ERR_KILLED    = 1927, /* ER_CONNECTION_KILLED */
    ERR_INTERRUPTED = 1317, /* ER_QUERY_INTERRUPTED */
    LINGER_MS     = 1000,
    COMMIT_ALONE_MS = 10000, /* what it locks is not held longer for a shard that hangs */
    READ_AHEAD    = 256 << 10,
    LOW_WATER     = 64 << 10,
    LOGIN_BYTES   = 128 << 10, /* a login with 64 KiB of attributes, and some */
};

/* --- the end ------------------------------------------------------------- */

static void
release(struct client *c)
{
    slot_sub(c->ctx->slot, COUNTER_CLIENTS_OPEN, 1);
    list_remove(&c->node);
    c->ctx->n_clients--;
    buf_fini(&c->command);
    free(c->host);
    free(c);
}

static void
on_closed(struct stream *stream)
{
    struct client *c = container_of(stream, struct client, stream);

    c->unconnected = true;
    if (c->committing == NULL)
        release(c);
}

static void
forget_session(struct client *c)
{
    if (c->login == NULL || c->login->changing)
        client_logout(c->ctx->slot, c->row);
    if (c->login != NULL)
        client_login_free(c);
    context_release_row(c->ctx, c->row);
    stmts_clear(&c->stmts);
    named_clear(&c->named_list);
    client_named_free(c);
    client_once_free(c);
    client_for_free(c);
    free(c->schema_before);
    c->schema_before = NULL;
    session_fini(&c->session);
}

static void
drop(struct query_run *q)
{
    query_abandon(q);
    query_free(q);
}

/* Nobody waits for what the commit has to say. */
static void
commit_over(struct client *c)
{
    struct query_run *q = c->committing;

    timer_stop(ring_timers(c->ctx->ring), &c->timer);
    c->committing = NULL;
    drop(q);
    forget_session(c);
    if (c->unconnected)
        release(c);
}

static void
commit_ended(struct query_run *q, const struct sql_error *error)
{
    (void)error;
    commit_over(q->owner);
}

static void
commit_too_long(struct timer *timer)
{
    commit_over(container_of(timer, struct client, timer));
}

static void
drop_query(struct client *c)
{
    struct query_run *q = c->query;

    if (q == NULL)
        return;
    c->query = NULL;
    if (txn_outlives(q, commit_ended))
        c->committing = q;
    else
        drop(q);
}

static void
end(struct client *c, enum counter reason, enum stream_close_how how)
{
    c->state = CLIENT_CLOSING;
    slot_count(c->ctx->slot, reason);
    timer_stop(ring_timers(c->ctx->ring), &c->timer);
    drop_query(c);
    client_bulk_free(c);
    client_apply_free(c);
    client_find_free(c);
    client_make_free(c);
    client_uncount(c);
    if (c->committing == NULL)
        forget_session(c);
    else
        timer_start(ring_timers(c->ctx->ring), &c->timer, COMMIT_ALONE_MS, commit_too_long);
    stream_close(&c->stream, how, LINGER_MS);
}

void
client_close(struct client *c, enum counter reason, const struct sql_error *error)
{
    if (c->state == CLIENT_CLOSING)
        return;
    if (error != NULL && c->query == NULL) {
        reply_err_encode(stream_out(&c->stream), &c->reader.next_seq, c->session.capabilities,
                         error);
        stream_flush(&c->stream);
    }
    end(c, reason, error != NULL ? STREAM_CLOSE_FLUSH : STREAM_CLOSE_NOW);
}

void
client_cut(struct client *c, enum counter reason, const struct sql_error *why)
{
    if (c->query != NULL)
        c->reader.next_seq = 1;
    drop_query(c);
    client_close(c, reason, why);
}

void
client_hang_up(struct client *c, enum counter reason)
{
    if (c->state != CLIENT_CLOSING)
        end(c, reason, STREAM_CLOSE_FLUSH);
}

static void
on_end(struct stream *stream, int error)
{
    struct client *c = container_of(stream, struct client, stream);

    (void)error;
    if (c->state == CLIENT_LOGIN && tls_failure(stream->filter)[0] != 0)
        client_tls_failed(c);
    else
        client_close(c, COUNTER_CLOSED_LOST, NULL);
}

void
client_login_too_long(struct timer *timer)
{
    struct client *c = container_of(timer, struct client, timer);

    slot_count(c->ctx->slot, COUNTER_LOGIN_FAILED_TIMEOUT);
    client_close(c, COUNTER_CLOSED_LOGIN, NULL);
}

/* --- replies ------------------------------------------------------------- */

/* For SHOW SHARDD TRANSACTIONS. */
static struct client_txn
told_txn(struct client *c)
{
    struct session *s = &c->session;

    if (!s->in_txn)
        return (struct client_txn){ 0 };
    if (s->txn_ms == 0) {
        s->txn_ms   = ring_now_ms(c->ctx->ring);
        s->txn_from = s->statements;
    }
    return (struct client_txn){ .since_ms     = s->txn_ms,
                                .statements   = s->statements - s->txn_from,
                                .shard_plus_1 = s->n_held > 0 ? s->held[0].of + 1u : 0 };
}

void
client_command_done(struct client *c)
{
    if (c->state == CLIENT_CLOSING)
        return;
    c->state           = CLIENT_IDLE;
    c->active_ms       = ring_now_ms(c->ctx->ring);
    struct client_txn txn = told_txn(c);
    client_idle(c->ctx->slot, c->row, c->session.pins.set, &txn, c->active_ms);
    c->reader.next_seq = 0;
    c->rest            = (struct span){ 0 };
    buf_clear(&c->command);
    spare_give_back(ring_spares(c->ctx->ring), &c->command);
    client_watch(c);
}

void
client_reply_ok(struct client *c)
{
    struct ok ok = { .status = session_status(&c->session) };

    reply_ok_encode(stream_out(&c->stream), &c->reader.next_seq, c->session.capabilities, &ok);
    stream_flush(&c->stream);
    client_command_done(c);
}

void
client_reply_error(struct client *c, const struct sql_error *error)
{
    reply_err_encode(stream_out(&c->stream), &c->reader.next_seq, c->session.capabilities, error);
    stream_flush(&c->stream);
    client_command_done(c);
}

/* --- commands ------------------------------------------------------------ */

/* The file of a LOAD DATA LOCAL goes to the server packet by packet. */
static bool
pass_file(struct client *c)
{
    struct span          in = stream_unread(&c->stream);
    struct packet        packet;
    struct packet_reader reader = c->reader;

    reader.limit    = 0;
    reader.next_seq = in.len > 3 ? in.ptr[3] : 0;
    if (c->query->file_full || packet_next(&reader, in, &packet) != PACKET_OK)
        return false;
    size_t used = PACKET_HEADER_BYTES + packet.payload.len;
    query_file(c->query, (struct span){ in.ptr, used }, packet.payload.len == 0);
    stream_consume(&c->stream, used);
    return true;
}

static void
protocol_error(struct client *c, enum packet_status status)
{
    struct sql_error error;

    slot_count(c->ctx->slot, COUNTER_MALFORMED_PACKETS);
    if (status == PACKET_TOO_BIG)
        sql_error_set(&error, ERR_TOO_BIG, "Got a packet bigger than 'max_allowed_packet' bytes "
                      "(shardd: max_packet_bytes is %llu)",
                      (unsigned long long)c->ctx->conf.max_packet_bytes);
    else
        sql_error_set(&error, ERR_MALFORMED, "Malformed communication packet");
    c->reader.next_seq = 1;
    client_close(c, COUNTER_CLOSED_MALFORMED, &error);
}

/* One command. False: nothing complete is there. */
static bool
take_command(struct client *c)
{
    struct message     m;
    struct span        in     = stream_unread(&c->stream);
    enum packet_status status = message_next(&c->reader, in, &c->command, &m);

    if (status == PACKET_PARTIAL)
        return false;
    if (status != PACKET_OK || m.payload.len == 0) {
        protocol_error(c, status);
        return false;
    }
    c->state = CLIENT_RUNNING;
    /* It is needed until it is answered, which the stream's bytes are not: one of
     * several packets has been joined in c->command already. */
    if (m.used == PACKET_HEADER_BYTES + m.payload.len) {
        if (c->command.bytes == NULL)
            spare_lend(ring_spares(c->ctx->ring), &c->command);
        buf_append_span(&c->command, m.payload);
    }
    stream_consume(&c->stream, m.used);
    client_dispatch(c, buf_unread(&c->command));
    return true;
}

/* It talks faster than it is answered, or than its file can be passed on, or it does
 * not read its answers. */
static bool
is_held_back(const struct client *c)
{
    if (c->stream.full)
        return true;
    if (c->state != CLIENT_RUNNING)
        return false;
    return c->query == NULL || c->query->infile == NULL || c->query->file_full;
}

/* The answer to a question about another user. False: it is not there, or not enough. */
static bool
take_answer(struct client *c)
{
    size_t before = stream_unread(&c->stream).len;

    if (before == 0 || !c->login->changing)
        return false;
    client_log_in(c);
    return c->state != CLIENT_LOGIN || stream_unread(&c->stream).len < before;
}

void
client_run(struct client *c)
{
    if (c->in_run)
        return;
    c->in_run = true;
    for (;;) {
        if (c->state == CLIENT_RUNNING && c->query != NULL && c->query->infile != NULL) {
            if (!pass_file(c))
                break;
        } else if (c->stream.full || c->stream.broken) {
            break; /* nobody reads now, or ever */
        } else if (c->state == CLIENT_RUNNING && c->query == NULL && c->rest.len != 0) {
            client_run_rest(c);
        } else if (c->state == CLIENT_LOGIN) {
            if (!take_answer(c))
                break;
        } else if (c->state != CLIENT_IDLE || !take_command(c))
            break;
    }
    c->in_run = false;
    if (c->state == CLIENT_CLOSING)
        return;
    if (!is_held_back(c)) {
        if (c->stream.paused)
            stream_resume_read(&c->stream);
    } else if (stream_unread(&c->stream).len > READ_AHEAD)
        stream_pause_read(&c->stream);
}

static void
on_data(struct stream *stream)
{
    struct client *c = container_of(stream, struct client, stream);

    if (c->state == CLIENT_LOGIN)
        client_log_in(c);
    if (c->state != CLIENT_CLOSING)
        client_run(c);
}

static void
on_drained(struct stream *stream)
{
    struct client *c = container_of(stream, struct client, stream);

    if (c->query != NULL)
        query_resume(c->query);
    else if (c->state != CLIENT_LOGIN)
        client_run(c);
}

static const struct stream_ops stream_ops = {
    .on_data    = on_data,
    .on_drained = on_drained,
    .on_end     = on_end,
    .on_closed  = on_closed,
};

/* --- the beginning ------------------------------------------------------- */

static bool
admit(struct client *c, struct sql_error *error)
{
    struct context *ctx = c->ctx;

    if (ctx->leaving) {
        slot_count(ctx->slot, COUNTER_REFUSED_DRAINING);
        return sql_error_set(error, ERR_SHUTDOWN, "Server shutdown in progress");
    }
    if (ctx->n_clients > ctx->conf.max_clients || !context_take_row(ctx, &c->row)) {
        slot_count(ctx->slot, COUNTER_REFUSED_LIMIT);
        return sql_error_set(error, ERR_TOO_MANY, "Too many connections");
    }
    if (ctx->routes == NULL || ctx->routes->routes->n_shards == 0) {
        context_release_row(ctx, c->row);
        slot_count(ctx->slot, COUNTER_REFUSED_NOT_READY);
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there are no routes yet: is the "
                             "controller (shardctl serve) running?");
    }
    return true;
}

static struct client *
client_new(struct context *ctx)
{
    struct client *c = mem_alloc(sizeof(*c));

    c->ctx   = ctx;
    c->state = CLIENT_LOGIN;
    c->reader.limit = LOGIN_BYTES;
    list_init(&c->node);
    list_append(&ctx->clients, &c->node);
    ctx->n_clients++;
    slot_count(ctx->slot, COUNTER_CLIENTS_OPEN);
    slot_count(ctx->slot, COUNTER_CLIENTS_ACCEPTED);
    session_init(&c->session, ctx);
    c->session.id = context_next_id(ctx);
    return c;
}

void
client_open(struct context *ctx, struct ring_file file, const struct sock_addr *peer)
{
    struct client   *c = client_new(ctx);
    struct sql_error error;

    stream_open(&c->stream, ctx->ring, file, &stream_ops);
    stream_set_marks(&c->stream, LOW_WATER, (uint32_t)ctx->conf.client_out_high_water_bytes);

    if (!admit(c, &error)) {
        /* Before a login errors have no SQLSTATE. */
        c->state = CLIENT_CLOSING;
        reply_err_encode(stream_out(&c->stream), &c->reader.next_seq, 0, &error);
        stream_flush(&c->stream);
        stream_close(&c->stream, STREAM_CLOSE_FLUSH, LINGER_MS);
        return;
    }
    timer_start(ring_timers(ctx->ring), &c->timer, (uint64_t)ctx->conf.login_timeout_s * 1000,
                client_login_too_long);
    client_greet(c, peer);
}

struct client *
client_open_inner(struct context *ctx, struct stream *peer, const struct stream_ops *peer_ops,
                  const char *user, const char *schema, const char *host,
                  struct sql_error *error)
{
    struct client *c = client_new(ctx);

    if (!admit(c, error)) {
        on_closed(&c->stream);
        return NULL;
    }
    if (!client_enter(c, user, schema, host, error)) {
        context_release_row(ctx, c->row);
        session_fini(&c->session);
        on_closed(&c->stream);
        return NULL;
    }
    stream_open_pair(&c->stream, &stream_ops, peer, peer_ops, ctx->ring);
    stream_set_marks(&c->stream, LOW_WATER, (uint32_t)ctx->conf.client_out_high_water_bytes);
    return c;
}

/* --- from outside -------------------------------------------------------- */

bool
client_kill(struct context *ctx, uint64_t id, bool query_only)
{
    struct sql_error why;

    LIST_EACH(at, &ctx->clients) {
        struct client *c = container_of(at, struct client, node);
        if (c->session.id != id || c->state == CLIENT_CLOSING || c->state == CLIENT_LOGIN)
            continue;
        slot_count(ctx->slot, COUNTER_KILLS);
        if (!query_only) {
            sql_error_set(&why, ERR_KILLED, "Connection was killed");
            drop_query(c);
            c->reader.next_seq = 1;
            client_close(c, COUNTER_CLOSED_KILLED, &why);
        } else if (c->query != NULL && !query_is_told(c->query)) {
            sql_error_set(&why, ERR_INTERRUPTED, "Query execution was interrupted");
            query_kill(c->query, &why);
        }
        return true;
    }
    return false;
}

void
client_drain_all(struct context *ctx)
{
    LIST_EACH_SAFE(at, &ctx->clients) {
        struct client *c = container_of(at, struct client, node);
        if (c->state == CLIENT_LOGIN || (c->state == CLIENT_IDLE && !c->session.in_txn))
            client_close(c, COUNTER_CLOSED_SHUTDOWN, NULL);
    }
}
