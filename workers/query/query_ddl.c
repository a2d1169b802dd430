/* query_ddl.c - DDL is a job of the controller: ask it, and pass on what it says.
 *
 * One HTTP request over the controller's Unix socket (ctl/api/api.h). It answers
 * when all live workers, this one too, use the routes that follow from it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/io/sock.h"
#include "workers/query/diagnostics.h"

enum {
    CONNECT_MS     = 5000,
    ERR_NO_CONTROLLER = 1105,
    HEAD_MAX       = 16 << 10,
};

struct asking {
    struct stream     stream;
    struct query_run *q; /* NULL: the client has gone */
};

static void
give_up(struct asking *a, const char *what)
{
    struct query_run *q = a->q;

    a->q = NULL;
    stream_close(&a->stream, STREAM_CLOSE_NOW, 0);
    if (q == NULL)
        return;
    q->asking = NULL;
    q->routes = routes_hold(q->ctx);
    query_refuse(q, ERR_NO_CONTROLLER, "shardd: DDL needs the controller and it does not answer "
                 "at %s (%s): is shardctl serve running?", q->ctx->conf.controller, what);
}

/* --- the answer ---------------------------------------------------------- */

static bool
header(struct span head, const char *name, struct span *value)
{
    size_t len = strlen(name);

    for (size_t i = 0; i + len + 1 < head.len; i++) {
        if ((i != 0 && head.ptr[i - 1] != '\n') ||
            strncasecmp((const char *)head.ptr + i, name, len) != 0 || head.ptr[i + len] != ':')
            continue;
        size_t from = i + len + 1, to;
        while (from < head.len && head.ptr[from] == ' ')
            from++;
        for (to = from; to < head.len && head.ptr[to] != '\r' && head.ptr[to] != '\n';)
            to++;
        *value = (struct span){ head.ptr + from, to - from };
        return true;
    }
    return false;
}

static uint64_t
number(struct span head, const char *name)
{
    struct span value;
    uint64_t    n = 0;

    if (!header(head, name, &value))
        return 0;
    for (size_t i = 0; i < value.len && value.ptr[i] >= '0' && value.ptr[i] <= '9'; i++)
        n = n * 10 + (uint64_t)(value.ptr[i] - '0');
    return n;
}

static int
hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static void
percent_decode(struct span in, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < in.len && n + 1 < cap; i++) {
        if (in.ptr[i] == '%' && i + 2 < in.len) {
            out[n++] = (char)(hex(in.ptr[i + 1]) << 4 | hex(in.ptr[i + 2]));
            i += 2;
        } else
            out[n++] = (char)in.ptr[i];
    }
    out[n] = 0;
}

static void
answer(struct asking *a, struct span head)
{
    struct query_run *q    = a->q;
    uint64_t          code = number(head, "X-Shardd-Code");
    struct span       value;
    struct sql_error  error = { 0 };

    a->q      = NULL;
    q->asking = NULL;
    q->routes = routes_hold(q->ctx);
    if (!header(head, "X-Shardd-Code", &value)) {
        query_refuse(q, ERR_NO_CONTROLLER, "shardd: the controller's answer cannot be read: are "
                     "shardd and shardctl of one version?");
        return;
    }
    if (code == 0) {
        if (header(head, "X-Shardd-Note-Message", &value)) {
            percent_decode(value, error.message, sizeof(error.message));
            error.code = (uint16_t)number(head, "X-Shardd-Note");
            diagnostics_note(q->s, &error);
        }
        query_ok(q, number(head, "X-Shardd-Affected"), 0,
                 (uint32_t)number(head, "X-Shardd-Warnings"), (struct span){ 0 });
        return;
    }
    sql_error_set(&error, (uint16_t)code, "%s", "");
    if (header(head, "X-Shardd-Sqlstate", &value) && value.len == 5)
        memcpy(error.sqlstate, value.ptr, 5);
    if (header(head, "X-Shardd-Message", &value))
        percent_decode(value, error.message, sizeof(error.message));
    slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
    query_fail(q, &error);
}

static void
on_data(struct stream *stream)
{
    struct asking *a  = container_of(stream, struct asking, stream);
    struct span    in = stream_unread(stream);

    for (size_t i = 0; i + 3 < in.len; i++)
        if (memcmp(in.ptr + i, "\r\n\r\n", 4) == 0) {
            stream_close(stream, STREAM_CLOSE_NOW, 0);
            answer(a, (struct span){ in.ptr, i + 2 });
            return;
        }
    if (in.len > HEAD_MAX)
        give_up(a, "its answer is too long");
}

static void
on_connect(struct stream *stream, int error)
{
    if (error != 0)
        give_up(container_of(stream, struct asking, stream), strerror(-error));
}

static void
on_end(struct stream *stream, int error)
{
    give_up(container_of(stream, struct asking, stream),
            error == 0 ? "it closed the connection" : strerror(-error));
}

static void
on_closed(struct stream *stream)
{
    free(container_of(stream, struct asking, stream));
}

static const struct stream_ops ops = {
    .on_data    = on_data,
    .on_connect = on_connect,
    .on_end     = on_end,
    .on_closed  = on_closed,
};

/* --- the request --------------------------------------------------------- */

static void
json_member(struct buf *out, const char *name, struct span text)
{
    buf_printf(out, "\"%s\":", name);
    json_text(out, text);
}

static void
json_base64(struct buf *out, const char *name, struct span text)
{
    buf_printf(out, "\"%s\":\"", name);
    uint8_t *at = buf_reserve(out, (text.len + 2) / 3 * 4 + 1);
    buf_commit(out, (size_t)EVP_EncodeBlock(at, text.ptr, (int)text.len));
    buf_append_text(out, "\"");
}

/* What the session changes about how DDL reads. */
static void
add_modes(struct buf *body, const struct session *s)
{
    const struct session_modes *m = s->modes;

    if (m == NULL) {
        if (s->lex.charset == LEX_LATIN1)
            buf_append_text(body, ",\"charset\":\"latin1\"");
        return;
    }
    buf_append_text(body, ",");
    json_member(body, "sql_mode", span_of(m->sql_mode));
    buf_append_text(body, ",");
    json_member(body, "charset", span_of(m->charset));
    buf_append_text(body, ",");
    json_member(body, "collation", span_of(m->collation));
    buf_printf(body, ",\"foreign_key_checks\":%s",
               m->no_foreign_key_checks ? "false" : "true");
}

static void
encode(struct buf *out, const struct query_run *q)
{
    const struct session *s    = q->s;
    struct buf            body = { 0 };

    buf_append_text(&body, "{");
    json_member(&body, "user", span_of(s->user));
    buf_append_text(&body, ",");
    json_member(&body, "database", span_of(s->schema));
    buf_append_text(&body, ",");
    json_base64(&body, "sql_base64", q->text);
    add_modes(&body, s);
    buf_append_text(&body, "}");
    buf_printf(out, "POST /v1/ddl HTTP/1.1\r\nHost: shardd\r\nContent-Type: application/json\r\n"
               "Connection: close\r\nContent-Length: %zu\r\n\r\n", buf_len(&body));
    buf_append_span(out, buf_unread(&body));
    buf_fini(&body);
}

void
query_ddl(struct query_run *q)
{
    struct asking   *a;
    struct sock_addr addr;
    struct err       err;

    slot_count(q->ctx->slot, COUNTER_STATEMENTS_DDL);
    if (pins_has(&q->s->pins, PIN_LOCK_TABLES)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: DDL is the controller's and would wait for the "
                     "tables that this session has locked: UNLOCK TABLES first");
        return;
    }
    if (q->ctx->conf.controller[0] == 0 ||
        !sock_parse(&addr, q->ctx->conf.controller, 0, &err)) {
        query_refuse(q, ERR_NO_CONTROLLER, "shardd: DDL needs the controller: set controller = "
                     "\"/path/of/its/socket\" in the settings");
        return;
    }
    a         = mem_alloc(sizeof(*a));
    a->q      = q;
    q->asking = a;
    stream_connect(&a->stream, q->ctx->ring, &addr, CONNECT_MS, &ops);
    encode(stream_out(&a->stream), q);
    stream_flush(&a->stream);
    /* The controller may wait until nobody uses the routes of before: not even this statement. */
    routes_drop(q->routes);
    q->routes = NULL;
}

/* The controller goes on; nobody hears its answer. */
void
query_ddl_abandon(struct query_run *q)
{
    if (q->asking == NULL)
        return;
    q->asking->q = NULL;
    q->routes    = routes_hold(q->ctx);
    stream_close(&q->asking->stream, STREAM_CLOSE_NOW, 0);
    q->asking = NULL;
}
