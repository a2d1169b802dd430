/* http_query.c - see http_query.h. */
#include "workers/http_query.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "core/mysql/command.h"
#include "workers/client/client.h"
#include "workers/http_auth.h"
#include "workers/http_json.h"

enum {
    ERR_DENIED        = 1045, /* ER_ACCESS_DENIED_ERROR */
    ERR_WRONG_REQUEST = 1210, /* ER_WRONG_ARGUMENTS */
    ERR_SHUTDOWN      = 1053, /* ER_SERVER_SHUTDOWN */
    ERR_LOST          = 2013, /* CR_SERVER_LOST */
    ERR_INSECURE      = 3159, /* ER_SECURE_TRANSPORT_REQUIRED */
    KEY_COLLATION     = 45,   /* utf8mb4_general_ci */
    WHOLE_BYTES       = 32 << 10, /* documents up to here have a length, longer ones chunks */
};

static const char media_type[] = "application/json";

enum state { IDLE, OPENING, PREPARING, RUNNING };

struct http_query {
    struct context              *ctx;
    struct stream               *out;
    void                        *owner; /* NULL: it has gone */
    const struct http_query_ops *ops;
    enum state                   state;
    struct http_request          request; /* without its spans */

    struct client *client;   /* at the other end of `inner`; NULL: none */
    struct stream  inner;
    char          *user, *database; /* owned: the client's */
    char           host[SOCK_NAME_BYTES];

    json_t             *body;   /* owned: the request under way */
    struct param_value *params; /* owned [n_params] */
    struct key_value    key;    /* the field shard_key, in `body` or `digits`; OTHER: none */
    char                digits[24];
    struct buf          values; /* what params point to */
    uint32_t            n_params;

    struct result_reader reader;
    struct buf           joined, document;
    struct json_answer   answer;
    bool                 started; /* the head is out, and so the status is said */
    bool                 full;    /* `out` is */
};

static void open_client(struct http_query *q);

/* --- output -------------------------------------------------------------- */

static void
flush(struct http_query *q)
{
    if (stream_flush(q->out) || q->full)
        return;
    q->full = true;
    stream_pause_read(&q->inner);
}

/* What has come of a long document. HTTP/1.0 tells its end by closing. */
static void
send_piece(struct http_query *q)
{
    if (!q->started) {
        q->request.keep_alive = q->request.keep_alive && !q->request.old;
        http_head(stream_out(q->out), HTTP_OK, &q->request, media_type, HTTP_CHUNKED,
                  (int64_t)time(NULL));
    }
    q->started = true;
    http_chunk(stream_out(q->out), &q->request, buf_unread(&q->document));
    buf_clear(&q->document);
    flush(q);
}

static void
forget_request(struct http_query *q)
{
    json_decref(q->body);
    q->body = NULL;
    free(q->params);
    q->params   = NULL;
    q->n_params = 0;
    q->state    = IDLE;
    q->started  = false;
    buf_fini(&q->values);
    buf_fini(&q->joined);
    buf_fini(&q->document);
}

static enum http_status
status_of(const struct sql_error *error)
{
    static const struct {
        uint16_t         code;
        enum http_status status;
    } codes[] = {
        { ERR_DENIED, HTTP_UNAUTHORIZED }, { ERR_INSECURE, HTTP_FORBIDDEN },
        { 1044, HTTP_FORBIDDEN }, { 1142, HTTP_FORBIDDEN },
        { 1143, HTTP_FORBIDDEN }, { 1227, HTTP_FORBIDDEN }, { 1370, HTTP_FORBIDDEN },
        { 1040, HTTP_TOO_MANY }, { 1203, HTTP_TOO_MANY }, { 1226, HTTP_TOO_MANY },
        { 1205, HTTP_CONFLICT }, { 1213, HTTP_CONFLICT }, { 1969, HTTP_GATEWAY_TIMEOUT },
        { ERR_SHUTDOWN, HTTP_UNAVAILABLE }, { 1927, HTTP_UNAVAILABLE },
    };

    for (size_t i = 0; error != NULL && i < countof(codes); i++)
        if (codes[i].code == error->code)
            return codes[i].status;
    if (error == NULL)
        return HTTP_OK;
    return error->code >= 2000 && error->code < 3000 ? HTTP_BAD_GATEWAY : HTTP_BAD_REQUEST;
}

/* The document is complete. */
static void
finish(struct http_query *q, const struct sql_error *error, bool keep)
{
    enum http_status status = q->started ? HTTP_OK : status_of(error);

    if (!q->started && error != NULL) { /* what there is of an answer is none */
        buf_clear(&q->document);
        json_answer_begin(&q->answer, 0, false);
    }
    json_answer_end(&q->answer, &q->document, error);
    q->request.keep_alive = q->request.keep_alive && keep;
    if (q->started) {
        send_piece(q);
        if (!q->request.old)
            http_chunk(stream_out(q->out), &q->request, (struct span){ 0 });
    } else
        http_answer(stream_out(q->out), status, &q->request, media_type, buf_unread(&q->document),
                    (int64_t)time(NULL));
    keep = q->request.keep_alive;
    stream_flush(q->out);
    forget_request(q);
    if (keep && q->full)
        stream_resume_read(&q->inner);
    q->full = false;
    q->ops->done(q->owner, status, keep);
}

static void
refuse(struct http_query *q, uint16_t code, const char *fmt, ...) printf_like(3, 4);

static void
refuse(struct http_query *q, uint16_t code, const char *fmt, ...)
{
    struct sql_error error;
    char             text[sizeof(error.message)];
    va_list          args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sql_error_set(&error, code, "%s", text);
    slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
    finish(q, &error, true);
}

/* --- the statement ------------------------------------------------------- */

static struct span
text_of(const json_t *value)
{
    return (struct span){ (const uint8_t *)json_string_value(value), json_string_length(value) };
}

static void
ask(struct http_query *q, uint8_t command, enum state state)
{
    q->state = state;
    result_init(&q->reader, result_shape_of(command), q->client->session.capabilities);
    stream_flush(&q->inner);
}

static bool
is_consistency(const json_t *how)
{
    return how == NULL || json_is_null(how) || consistency_find(text_of(how)) != CONSISTENCY_UNSET;
}

/* A request is a session: what those before it did is only known by a token, which no request
 * brings; so everything until now counts. */
static void
take_consistency(struct http_query *q)
{
    struct session *s   = &q->client->session;
    const json_t   *how = json_object_get(q->body, "consistency");

    s->own_consistency = json_is_string(how) ? (uint8_t)consistency_find(text_of(how))
                                             : CONSISTENCY_UNSET;
    s->touched         = true;
}

static void
run(struct http_query *q)
{
    struct span text    = text_of(json_object_get(q->body, "query"));
    uint8_t     command = q->n_params != 0 ? COM_STMT_PREPARE : COM_QUERY;

    take_consistency(q);
    q->client->session.only_key = q->key.kind != KEY_VALUE_OTHER ? &q->key : NULL;
    json_answer_begin(&q->answer, q->client->session.capabilities, q->n_params != 0);
    command_text_encode(stream_out(&q->inner), command, text);
    ask(q, command, q->n_params != 0 ? PREPARING : RUNNING);
}

static void
execute(struct http_query *q)
{
    if (q->reader.n_params != q->n_params) {
        refuse(q, ERR_WRONG_REQUEST, "shardd: the query has %u parameters (?), and params has %u",
               q->reader.n_params, q->n_params);
        return;
    }
    execute_encode(stream_out(&q->inner), q->reader.statement_id, 0, q->params, q->n_params);
    ask(q, COM_STMT_EXECUTE, RUNNING);
}

/* One message of the answer. False: nothing more of it can be read. */
static bool
take(struct http_query *q, const struct result_message *m)
{
    struct sql_error error;

    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &error))
            return false;
        client_forget(q->client);
        finish(q, &error, true);
        return true;
    }
    if (q->state == RUNNING && !json_answer_add(&q->answer, &q->document, &q->reader, m))
        return false;
    if (!result_over(&q->reader)) {
        if (buf_len(&q->document) >= WHOLE_BYTES)
            send_piece(q);
    } else if (q->state == PREPARING) {
        execute(q);
    } else {
        client_forget(q->client);
        finish(q, NULL, true);
    }
    return true;
}

static void
on_data(struct stream *stream)
{
    struct http_query    *q = container_of(stream, struct http_query, inner);
    struct result_message m;

    while ((q->state == PREPARING || q->state == RUNNING) && !q->full) {
        struct span        in     = stream_unread(stream);
        enum packet_status status = result_next(&q->reader, in, SIZE_MAX, &q->joined, &m);
        if (status == PACKET_PARTIAL)
            return;
        size_t used = status == PACKET_OK ? m.message.used : 0;
        if (status != PACKET_OK || !take(q, &m)) {
            client_close(q->client, COUNTER_CLOSED_QUIT, NULL);
            q->client = NULL;
            refuse(q, SQL_NOT_SUPPORTED, "shardd: the statement cannot be answered over HTTP: "
                   "LOAD DATA LOCAL needs a connection of the MySQL protocol");
            return;
        }
        if (stream->state != STREAM_OPEN)
            return;
        stream_consume(stream, used);
    }
}

/* The client was closed: killed, idle for too long, or shardd stops. */
static void
on_end(struct stream *stream, int error)
{
    struct http_query *q = container_of(stream, struct http_query, inner);

    (void)error;
    q->client = NULL;
    stream_close(stream, STREAM_CLOSE_NOW, 0);
    if (q->state != PREPARING && q->state != RUNNING)
        return;
    struct sql_error why;
    sql_error_set(&why, ERR_LOST, "shardd: the statement's session was ended");
    finish(q, &why, false);
}

static void
on_closed(struct stream *stream)
{
    struct http_query *q = container_of(stream, struct http_query, inner);

    q->client = NULL;
    if (q->owner != NULL) {
        if (q->state == OPENING)
            open_client(q);
        return;
    }
    forget_request(q);
    json_answer_fini(&q->answer);
    free(q->user);
    free(q->database);
    free(q);
}

static const struct stream_ops inner_ops = {
    .on_data   = on_data,
    .on_end    = on_end,
    .on_closed = on_closed,
};

/* --- who asks ------------------------------------------------------------ */

static void
open_client(struct http_query *q)
{
    struct sql_error error;

    q->client = client_open_inner(q->ctx, &q->inner, &inner_ops, q->user, q->database, q->host,
                                  &error);
    if (q->client == NULL) {
        slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
        finish(q, &error, true);
        return;
    }
    run(q);
}

/* As the request wants it: there already, or made. */
static void
bring_client(struct http_query *q, const char *user, const char *database)
{
    bool same = q->client != NULL && strcmp(q->user, user) == 0 &&
                strcmp(q->database, database) == 0;

    if (same) {
        run(q);
        return;
    }
    free(q->user);
    free(q->database);
    q->user     = mem_strdup(user);
    q->database = mem_strdup(database);
    q->state    = OPENING;
    if (q->inner.state == STREAM_CLOSED)
        open_client(q);
    else
        stream_close(&q->inner, STREAM_CLOSE_NOW, 0);
}

/* --- the request --------------------------------------------------------- */

static void
add_bytes(struct http_query *q, struct param_value *p, uint8_t type, const void *bytes, size_t len)
{
    p->type  = type;
    p->bytes = (struct span){ buf_reserve(&q->values, len), len };
    buf_append(&q->values, bytes, len);
}

static bool
add_base64(struct http_query *q, struct param_value *p, struct span text)
{
    uint8_t *at = buf_reserve(&q->values, text.len + 3);
    int      n  = text.len % 4 == 0 ? EVP_DecodeBlock(at, text.ptr, (int)text.len) : -1;

    for (size_t i = 1; n > 0 && i <= 2 && text.ptr[text.len - i] == '='; i++)
        n--;
    if (n < 0)
        return false;
    p->type  = MYSQL_TYPE_BLOB;
    p->bytes = (struct span){ at, (size_t)n };
    buf_commit(&q->values, (size_t)n);
    return true;
}

static bool
read_param(struct http_query *q, struct param_value *p, const json_t *value)
{
    const json_t *inner = json_object_get(value, "base64");
    json_int_t    whole = json_integer_value(value);
    double        real  = json_real_value(value);
    uint8_t       bit   = json_is_true(value);

    switch (json_typeof(value)) {
    case JSON_NULL:
        *p = (struct param_value){ .type = MYSQL_TYPE_NULL, .is_null = true };
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        add_bytes(q, p, MYSQL_TYPE_TINY, &bit, sizeof(bit));
        return true;
    case JSON_INTEGER:
        add_bytes(q, p, MYSQL_TYPE_LONGLONG, &whole, sizeof(whole));
        return true;
    case JSON_REAL:
        add_bytes(q, p, MYSQL_TYPE_DOUBLE, &real, sizeof(real));
        return true;
    case JSON_STRING:
        add_bytes(q, p, MYSQL_TYPE_VAR_STRING, json_string_value(value),
                  json_string_length(value));
        return true;
    case JSON_OBJECT:
        return json_object_size(value) == 1 && json_is_string(inner) &&
               add_base64(q, p, text_of(inner));
    case JSON_ARRAY:
        break;
    }
    return false;
}

/* Their memory is reserved at once: params point into it. */
static size_t
bytes_needed(const json_t *params)
{
    size_t        n = 0, i;
    const json_t *value;

    json_array_foreach(params, i, value)
        n += 16 + json_string_length(value) + json_string_length(json_object_get(value, "base64"));
    return n;
}

static bool
read_params(struct http_query *q, const json_t *params)
{
    size_t n = json_array_size(params);

    if (params == NULL || json_is_null(params))
        return true;
    if (!json_is_array(params) || n > UINT16_MAX) {
        refuse(q, ERR_WRONG_REQUEST, "shardd: params must be a list of at most 65535 values");
        return false;
    }
    q->n_params = (uint32_t)n;
    q->params   = mem_alloc((n + 1) * sizeof(*q->params));
    buf_reserve(&q->values, bytes_needed(params) + 1);
    for (size_t i = 0; i < n; i++)
        if (!read_param(q, &q->params[i], json_array_get(params, i))) {
            refuse(q, ERR_WRONG_REQUEST, "shardd: params[%zu] must be null, true, false, a number, "
                   "a string or {\"base64\": \"...\"}", i);
            return false;
        }
    return true;
}

/* Strings are in UTF-8, which is the character set of the session as well. */
static bool
read_key(struct http_query *q, const json_t *value)
{
    q->key = (struct key_value){ .kind = KEY_VALUE_OTHER };
    if (value == NULL || json_is_null(value))
        return true;
    if (json_is_integer(value)) {
        snprintf(q->digits, sizeof(q->digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        q->key = (struct key_value){ .kind = KEY_VALUE_INT, .bytes = span_of(q->digits) };
        return true;
    }
    if (!json_is_string(value)) {
        refuse(q, ERR_WRONG_REQUEST, "shardd: shard_key must be a whole number or a string: the "
               "value of the key column");
        return false;
    }
    q->key = (struct key_value){ .kind = KEY_VALUE_STRING, .bytes = text_of(value),
                                 .collation = KEY_COLLATION };
    return true;
}

static bool
read_fields(struct http_query *q, const char **database)
{
    static const char *const known[] = { "query", "database", "params", "shard_key",
                                         "consistency" };
    const json_t            *query = json_object_get(q->body, "query");
    const json_t            *db    = json_object_get(q->body, "database");
    const json_t            *how   = json_object_get(q->body, "consistency");
    const char              *key;
    json_t                  *value;

    json_object_foreach(q->body, key, value) {
        bool found = false;
        for (size_t i = 0; i < countof(known); i++)
            found |= strcmp(known[i], key) == 0;
        if (!found) {
            refuse(q, ERR_WRONG_REQUEST, "shardd: unknown field \"%.64s\"; there are query, "
                   "database, params, shard_key and consistency", key);
            return false;
        }
    }
    *database = db == NULL || json_is_null(db) ? "" : json_string_value(db);
    if (!json_is_string(query) || *database == NULL) {
        refuse(q, ERR_WRONG_REQUEST, "shardd: query must be a string, and so must database when "
               "it is given");
        return false;
    }
    if (!is_consistency(how)) {
        refuse(q, ERR_WRONG_REQUEST, "shardd: consistency is \"strong\", \"causal\" or "
               "\"eventual\"");
        return false;
    }
    return read_key(q, json_object_get(q->body, "shard_key")) &&
           read_params(q, json_object_get(q->body, "params"));
}

void
http_query_start(struct http_query *q, const struct http_request *request, struct span body)
{
    char         user[HTTP_CREDENTIALS_MAX];
    const char  *database;
    json_error_t why;

    q->request               = *request;
    q->request.path          = (struct span){ 0 };
    q->request.authorization = (struct span){ 0 };
    json_answer_begin(&q->answer, 0, false);
    if (q->ctx->leaving || q->ctx->routes == NULL) {
        refuse(q, ERR_SHUTDOWN, q->ctx->leaving ? "Server shutdown in progress"
               : "shardd: there are no routes yet: is the controller (shardctl serve) running?");
        return;
    }
    if (q->ctx->conf.require_secure_transport) {
        refuse(q, ERR_INSECURE, "Connections using insecure transport are prohibited while "
               "--require_secure_transport=ON. (shardd: HTTP has no TLS here)");
        return;
    }
    if (!http_authenticate(q->ctx, request->authorization, user)) {
        refuse(q, ERR_DENIED, "Access denied: the request needs HTTP Basic authentication with a "
               "user of shardd and its password");
        return;
    }
    q->body = json_loadb((const char *)body.ptr, body.len,
                         JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!json_is_object(q->body))
        refuse(q, ERR_WRONG_REQUEST, "shardd: the body must be a JSON object: %s",
               q->body == NULL ? why.text : "it is something else");
    else if (read_fields(q, &database))
        bring_client(q, user, database);
}

/* --- the owner ----------------------------------------------------------- */

struct http_query *
http_query_new(struct context *ctx, struct stream *out, const char *host, void *owner,
               const struct http_query_ops *ops)
{
    struct http_query *q = mem_alloc(sizeof(*q));

    q->ctx   = ctx;
    q->out   = out;
    q->owner = owner;
    q->ops   = ops;
    snprintf(q->host, sizeof(q->host), "%s", host);
    return q;
}

void
http_query_close(struct http_query *q)
{
    q->owner = NULL;
    q->state = IDLE;
    if (q->inner.state == STREAM_CLOSED)
        on_closed(&q->inner);
    else
        stream_close(&q->inner, STREAM_CLOSE_NOW, 0);
}

void
http_query_resume(struct http_query *q)
{
    if (!q->full)
        return;
    q->full = false;
    stream_resume_read(&q->inner);
}
