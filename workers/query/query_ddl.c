/* query_ddl.c - DDL is a job of the controller: ask it, and pass on what it says.
 *
 * One HTTP request over the controller's Unix socket (ctl/api/api.h). It answers, and
 * closes, when all live workers, this one too, use the routes that follow from it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/io/sock.h"
#include "core/mysql/result_writer.h"
#include "workers/query/ddl.h"
#include "workers/query/diagnostics.h"
#include "workers/query/track.h"

enum {
    CONNECT_MS        = 5000,
    ERR_NO_CONTROLLER = 1105,
    ERR_READ_ONLY     = 1792, /* ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION */
    ANSWER_MAX        = 256 << 10,
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

static struct span
text_of(const json_t *value)
{
    return (struct span){ (const uint8_t *)json_string_value(value), json_string_length(value) };
}

static void
fail(struct query_run *q, const json_t *error)
{
    struct sql_error why;
    struct span      state = text_of(json_object_get(error, "sqlstate"));

    sql_error_set(&why, (uint16_t)json_integer_value(json_object_get(error, "code")), "%.*s",
                  (int)json_string_length(json_object_get(error, "message")),
                  json_string_value(json_object_get(error, "message")));
    if (state.len == 5)
        memcpy(why.sqlstate, state.ptr, 5);
    slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
    query_fail(q, &why);
}

/* SHOW GRANTS, ANALYZE TABLE and the like bring rows. */
static void
send_rows(struct query_run *q, json_t *columns, json_t *rows, uint32_t warnings)
{
    size_t                n      = json_array_size(columns), i, k;
    struct result_column *column = arena_alloc(&q->arena, n * sizeof(*column));
    unsigned              status = session_status(q->s) |
                      (q->more ? (unsigned)SERVER_MORE_RESULTS_EXISTS : 0u);
    struct result_writer  w;
    json_t               *one, *cell;

    json_array_foreach(columns, i, one) {
        bool is_text   = span_equal(text_of(json_array_get(one, 1)), SPAN("text"));
        column[i].name = json_string_value(json_array_get(one, 0));
        column[i].type = is_text ? MYSQL_TYPE_VAR_STRING : MYSQL_TYPE_LONGLONG;
    }
    result_writer_begin(&w, stream_out(q->client), &q->seq, q->s->capabilities, column, n);
    w.binary = q->command == QUERY_EXECUTE;
    json_array_foreach(rows, i, one)
        json_array_foreach(one, k, cell) {
            if (!json_is_string(cell))
                result_writer_null(&w);
            else if (column[k].type == MYSQL_TYPE_LONGLONG)
                result_writer_number(&w, strtoll(json_string_value(cell), NULL, 10));
            else
                result_writer_text(&w, text_of(cell));
        }
    result_writer_end(&w, (uint16_t)status, (uint16_t)warnings);
    q->s->row_count = -1;
    if (!q->plan->plan.keeps_found_rows)
        q->s->found_rows = json_array_size(rows);
    if (warnings != 0)
        q->s->warnings = warnings;
    query_flush(q);
    query_done(q);
}

/* Every row has a cell for every column. */
static bool
is_table(const json_t *columns, const json_t *rows)
{
    json_t *row;
    size_t  i;
    bool    ok = json_array_size(columns) > 0;

    json_array_foreach(columns, i, row)
        ok = ok && json_is_string(json_array_get(row, 0)) &&
             json_is_string(json_array_get(row, 1));
    json_array_foreach(rows, i, row)
        ok = ok && json_array_size(row) == json_array_size(columns);
    return ok;
}

/* In the arena; empty: it cannot be read. */
static struct span
text_base64(struct arena *a, const json_t *value)
{
    struct span encoded = text_of(value);
    uint8_t    *room    = arena_alloc(a, encoded.len + 1);
    int         n       = encoded.len % 4 == 0 && encoded.len != 0
                              ? EVP_DecodeBlock(room, encoded.ptr, (int)encoded.len) : 0;
    size_t      len     = n < 0 ? 0 : (size_t)n;

    for (size_t i = encoded.len; len != 0 && i > 0 && encoded.ptr[i - 1] == '='; i--)
        len--;
    return (struct span){ room, len };
}

/* CREATE TABLE ... SELECT: the caller does the rest. */
static bool
take_making(struct query_run *q, const json_t *answer)
{
    struct query_making *m = q->making;

    if (json_object_get(answer, "make") == NULL)
        return false;
    if (m != NULL) {
        m->make   = text_base64(m->arena, json_object_get(answer, "make"));
        m->insert = text_base64(m->arena, json_object_get(answer, "insert"));
        m->rename = text_base64(m->arena, json_object_get(answer, "name"));
        m->undo   = text_base64(m->arena, json_object_get(answer, "undo"));
        m->drop   = text_base64(m->arena, json_object_get(answer, "drop"));
    }
    if (m == NULL || m->make.len == 0 || m->insert.len == 0 || m->rename.len == 0 ||
        m->undo.len == 0)
        query_refuse(q, ERR_NO_CONTROLLER, "shardd: the controller's answer cannot be read: are "
                     "shardd and shardctl of one version?");
    else
        query_done(q);
    return true;
}

/* A session whose database is dropped has none. */
static void
leave_schema(struct query_run *q)
{
    const struct ddl_spec *ddl  = q->plan != NULL ? q->plan->plan.ddl : NULL;
    struct session        *s    = q->s;
    const struct span      none = { 0 };

    if (ddl == NULL || ddl->kind != DDL_DATABASE || ddl->name.len == 0)
        return;
    q->more_status |= SERVER_STATUS_DB_DROPPED;
    if (s == NULL || s->schema == NULL || !span_equal(ddl->name, span_of(s->schema)))
        return;
    session_set_schema(s, none);
    client_schema(q->ctx->slot, s->row, none);
    q->track = track_schema(&q->arena, s, none);
}

static void
succeed(struct query_run *q, const json_t *answer)
{
    json_t     *columns = json_object_get(answer, "columns");
    json_t     *rows    = json_object_get(answer, "rows");
    json_t     *note;
    json_int_t  affected = json_integer_value(json_object_get(answer, "affected"));
    json_int_t  warnings = json_integer_value(json_object_get(answer, "warnings"));
    char        info[96];
    size_t      i;
    int         len = 0;

    if (take_making(q, answer))
        return;
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        diagnostics_add(q->s, text_of(json_array_get(note, 0)),
                        (uint16_t)json_integer_value(json_array_get(note, 1)),
                        text_of(json_array_get(note, 2)));
    if (is_table(columns, rows)) {
        send_rows(q, columns, rows, (uint32_t)warnings);
        return;
    }
    leave_schema(q);
    if (json_is_true(json_object_get(answer, "counts")))
        len = snprintf(info, sizeof(info), "Records: %lld  Duplicates: 0  Warnings: %lld",
                       (long long)affected, (long long)warnings);
    query_ok(q, (uint64_t)affected, 0, (uint32_t)warnings,
             (struct span){ (const uint8_t *)info, (size_t)len });
}

/* The whole response has come: its head, and a JSON document. */
static void
answer(struct asking *a, struct span in)
{
    struct query_run *q    = a->q;
    const uint8_t    *body = memmem(in.ptr, in.len, "\r\n\r\n", 4);
    json_t           *document, *error;

    if (q == NULL)
        return;
    a->q      = NULL;
    q->asking = NULL;
    q->routes = routes_hold(q->ctx);
    document  = body == NULL ? NULL
                             : json_loadb((const char *)body + 4,
                                          in.len - (size_t)(body + 4 - in.ptr), 0, NULL);
    error     = json_object_get(document, "error");
    if (json_is_string(json_object_get(error, "message")))
        fail(q, error);
    else if (json_is_integer(json_object_get(document, "generation")))
        succeed(q, document);
    else
        query_refuse(q, ERR_NO_CONTROLLER, "shardd: the controller's answer cannot be read: are "
                     "shardd and shardctl of one version?");
    json_decref(document);
}

static void
on_data(struct stream *stream)
{
    struct asking *a = container_of(stream, struct asking, stream);

    if (stream_unread(stream).len > ANSWER_MAX)
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
    struct asking *a = container_of(stream, struct asking, stream);

    if (error != 0 || stream_unread(stream).len == 0) {
        give_up(a, error == 0 ? "it closed the connection" : strerror(-error));
        return;
    }
    answer(a, stream_unread(stream));
    stream_close(stream, STREAM_CLOSE_NOW, 0);
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

/* What else the session has set that DDL depends on: defaults of TIMESTAMP columns are in its
 * time zone, new values of old rows have its clock ... */
static void
add_settings(struct buf *body, const struct session *s)
{
    bool       clock = vars_set_time(&s->vars);
    struct buf text  = { 0 };

    buf_append_text(&text, s->modes->ddl);
    if (clock)
        buf_printf(&text, "%stimestamp = %s", buf_len(&text) == 0 ? "" : ", ",
                   s->modes->timestamp);
    if (buf_len(&text) != 0) {
        buf_append_text(body, ",");
        json_member(body, "session", buf_unread(&text));
    }
    buf_fini(&text);
}

/* The columns of a table that a SELECT makes have their types. */
static void
add_variables(struct buf *body, const struct session *s, struct span text)
{
    struct buf names = { 0 }, values = { 0 };

    uservars_names(text, s->lex, &names);
    uservars_say_named(&s->uservars, buf_unread(&names), &values);
    if (buf_len(&values) != 0) {
        buf_append_text(body, ",");
        json_base64(body, "variables_base64", buf_unread(&values));
    }
    buf_fini(&names);
    buf_fini(&values);
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
    if (m->collation_server[0] != '\0') {
        buf_append_text(body, ",");
        json_member(body, "database_collation", span_of(m->collation_server));
    }
    buf_printf(body, ",\"foreign_key_checks\":%s",
               m->no_foreign_key_checks ? "false" : "true");
    add_settings(body, s);
}

void
ddl_encode(struct buf *out, const struct session *s, bool as_controller, struct span text,
           const char *making)
{
    struct buf body = { 0 };

    buf_append_text(&body, "{");
    json_base64(&body, "sql_base64", text);
    if (s != NULL && !as_controller) {
        buf_append_text(&body, ",");
        json_member(&body, "user", span_of(s->user));
        buf_append_text(&body, ",");
        json_member(&body, "database", span_of(s->schema));
    }
    if (making != NULL) {
        buf_append_text(&body, ",");
        json_member(&body, "making", span_of(making));
        add_variables(&body, s, text);
    }
    if (s != NULL)
        add_modes(&body, s);
    buf_append_text(&body, "}");
    buf_printf(out, "POST /v1/ddl HTTP/1.1\r\nHost: shardd\r\nContent-Type: application/json\r\n"
               "Connection: close\r\nContent-Length: %zu\r\n\r\n", buf_len(&body));
    buf_append_span(out, buf_unread(&body));
    buf_fini(&body);
}

/* SET SESSION TRANSACTION READ ONLY is for statements that change schemas and accounts as well;
 * a transaction that was open has ended before them. */
static bool
is_read_only(const struct query_run *q)
{
    const struct session_modes *m = q->s->modes;

    return m != NULL && m->read_only && !q->as_controller &&
           q->plan->plan.ddl->kind != DDL_OTHER;
}

void
query_ddl(struct query_run *q)
{
    struct asking   *a;
    struct sock_addr addr;
    struct err       err;

    slot_count(q->ctx->slot, COUNTER_STATEMENTS_DDL);
    if (is_read_only(q)) {
        query_refuse(q, ERR_READ_ONLY, "Cannot execute statement in a READ ONLY transaction");
        return;
    }
    if (pins_has(&q->s->pins, PIN_LOCK_TABLES)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: DDL is the controller's and would wait for the "
                     "tables that this session has locked: UNLOCK TABLES first");
        return;
    }
    if (q->plan->plan.n_names != 0 &&
        pins_names_table(&q->s->pins, q->text, q->s->lex)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: this drops temporary tables and others in one "
                     "statement, and they are on different connections: DROP TEMPORARY TABLE "
                     "first, then the others");
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
    ddl_encode(stream_out(&a->stream), q->s, q->as_controller, q->text,
               q->making != NULL ? q->making->name : NULL);
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
