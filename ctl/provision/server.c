/* server.c - libmariadb, with the shard's name in every error of the transport. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <mariadb/errmsg.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/server.h"

enum {
    CONNECT_TIMEOUT_S = 5,
    ERR_UNREACHABLE   = 1429, /* ER_CONNECT_TO_FOREIGN_DATA_SOURCE */
    ERR_LOST          = 1430, /* ER_QUERY_ON_FOREIGN_DATA_SOURCE */
};

/* Applications get these errors too, and take no codes of a client's library from a server. */
static uint16_t
code_of(unsigned code)
{
    switch (code) {
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:   return ERR_UNREACHABLE;
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED: return ERR_LOST;
    default:                return SQL_UNKNOWN_ERROR;
    }
}

bool
server_failed(struct server *s, struct sql_error *error)
{
    unsigned code = mysql_errno(s->mysql);

    if ((code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
        (code >= CER_MIN_ERROR && code <= CER_MAX_ERROR))
        return sql_error_set(error, code_of(code), "shardd: %s %s: %s",
                             s->id >= ROUTES_ENGINE_ID ? "engine" : "shard", s->name,
                             mysql_error(s->mysql));
    error->code = (uint16_t)code;
    snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", mysql_sqlstate(s->mysql));
    snprintf(error->message, sizeof(error->message), "%s", mysql_error(s->mysql));
    return false;
}

bool
server_refused(struct server *s, struct sql_error *error)
{
    return server_failed(s, error);
}

static void
use_tls(MYSQL *mysql, const json_t *shard)
{
    const char *ca     = model_text(shard, "tls_ca");
    my_bool     yes    = 1, verify = ca[0] != 0;

    if (!model_flag(shard, "tls"))
        return;
    mysql_ssl_set(mysql, NULL, NULL, verify ? ca : NULL, NULL, NULL);
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

bool
server_open_as(struct server *s, const json_t *shard, const char *user, const char *secret,
               const char *database, struct sql_error *error)
{
    const char  *socket  = model_text(shard, "socket");
    unsigned     timeout = s->answer_s > 0 && s->answer_s < CONNECT_TIMEOUT_S
                               ? s->answer_s : CONNECT_TIMEOUT_S;
    unsigned     proto   = socket[0] ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

    s->name  = model_text(shard, "name");
    s->id    = model_number(shard, "id");
    s->account_host = model_text(shard, "account_host")[0] ? model_text(shard, "account_host")
                                                           : "%";
    s->mysql = mysql_init(NULL);
    mysql_options(s->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(s->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(s->mysql, MYSQL_OPT_PROTOCOL, &proto);
    use_tls(s->mysql, shard);
    if (s->compress && !socket[0])
        mysql_options(s->mysql, MYSQL_OPT_COMPRESS, NULL);
    if (s->answer_s > 0)
        mysql_options(s->mysql, MYSQL_OPT_READ_TIMEOUT, &s->answer_s);
    if (mysql_real_connect(s->mysql, socket[0] ? NULL : model_text(shard, "host"), user, secret,
                           database, (unsigned)model_number(shard, "port"),
                           socket[0] ? socket : NULL, CLIENT_MULTI_RESULTS))
        return true;
    server_failed(s, error);
    server_close(s);
    return false;
}

bool
server_open(struct server *s, const json_t *shard, struct sql_error *error)
{
    const char *secret = model_text(shard, "secret");

    return server_open_as(s, shard, model_text(shard, "user"), secret[0] ? secret : NULL, NULL,
                          error);
}

void
server_close(struct server *s)
{
    if (s->mysql)
        mysql_close(s->mysql);
    s->mysql = NULL;
}

static void
drop_results(struct server *s)
{
    do {
        MYSQL_RES *result = mysql_store_result(s->mysql);

        mysql_free_result(result);
    } while (mysql_next_result(s->mysql) == 0);
}

bool
server_run_text(struct server *s, struct span sql, struct sql_error *error)
{
    if (mysql_real_query(s->mysql, (const char *)sql.ptr, sql.len) != 0)
        return server_failed(s, error);
    s->affected = mysql_affected_rows(s->mysql);
    s->counts   = mysql_info(s->mysql) != NULL;
    s->warnings = mysql_warning_count(s->mysql);
    if (s->affected == (uint64_t)-1)
        s->affected = 0;
    drop_results(s);
    if (mysql_errno(s->mysql) != 0)
        return server_failed(s, error);
    return true;
}

static struct span
format(struct buf *out, const char *fmt, va_list args)
{
    char *text = NULL;
    int   n    = vasprintf(&text, fmt, args);

    if (n > 0)
        buf_append(out, text, (size_t)n);
    free(text);
    return buf_unread(out);
}

bool
server_run(struct server *s, struct sql_error *error, const char *fmt, ...)
{
    struct buf sql = { 0 };
    va_list    args;
    bool       ok;

    va_start(args, fmt);
    ok = server_run_text(s, format(&sql, fmt, args), error);
    va_end(args);
    buf_fini(&sql);
    return ok;
}

static json_t *
take_rows(MYSQL_RES *result)
{
    json_t   *rows = json_array();
    unsigned  n    = mysql_num_fields(result);
    MYSQL_ROW row;

    while ((row = mysql_fetch_row(result))) {
        unsigned long *lengths = mysql_fetch_lengths(result);
        json_t        *cells   = json_array();

        for (unsigned i = 0; i < n; i++)
            json_array_append_new(cells,
                row[i] ? json_stringn_nocheck(row[i], lengths[i]) : json_null());
        json_array_append_new(rows, cells);
    }
    return rows;
}

static json_t *
query_rows(struct server *s, struct span sql, struct sql_error *error)
{
    MYSQL_RES *result;
    json_t    *rows;

    if (mysql_real_query(s->mysql, (const char *)sql.ptr, sql.len) != 0 ||
        !(result = mysql_store_result(s->mysql))) {
        server_failed(s, error);
        return NULL;
    }
    rows = take_rows(result);
    mysql_free_result(result);
    return rows;
}

static json_t *
describe(MYSQL_RES *result)
{
    json_t      *columns = json_array();
    MYSQL_FIELD *field;

    while ((field = mysql_fetch_field(result)))
        json_array_append_new(columns, json_pack("[s, s]", field->name,
                                                 IS_NUM(field->type) ? "number" : "text"));
    return columns;
}

static json_t *
only_text(json_t *rows)
{
    json_t *row, *cell;
    size_t  i, k;

    json_array_foreach(rows, i, row)
        json_array_foreach(row, k, cell) {
            size_t  len  = json_string_length(cell);
            json_t *good = json_is_null(cell) ? NULL : json_stringn(json_string_value(cell), len);
            char   *copy = good || json_is_null(cell) ? NULL
                                                      : strndup(json_string_value(cell), len);

            for (char *at = copy; at && *at; at++)
                if ((unsigned char)*at >= 0x80)
                    *at = '?';
            if (copy)
                json_array_set_new(row, k, json_string(copy));
            json_decref(good);
            free(copy);
        }
    return rows;
}

bool
server_table(struct server *s, struct span sql, json_t **columns, json_t **rows,
             struct sql_error *error)
{
    MYSQL_RES *result;

    *columns = *rows = NULL;
    if (mysql_real_query(s->mysql, (const char *)sql.ptr, sql.len) != 0)
        return server_failed(s, error);
    s->warnings = mysql_warning_count(s->mysql);
    result      = mysql_store_result(s->mysql);
    if (!result)
        return mysql_errno(s->mysql) == 0 || server_failed(s, error);
    *columns    = describe(result);
    *rows       = only_text(take_rows(result));
    s->warnings = mysql_warning_count(s->mysql);
    mysql_free_result(result);
    return true;
}

static json_t *
rows_of(struct server *s, struct sql_error *error, const char *fmt, va_list args)
{
    struct buf sql  = { 0 };
    json_t    *rows = query_rows(s, format(&sql, fmt, args), error);

    buf_fini(&sql);
    return rows;
}

json_t *
server_rows(struct server *s, struct sql_error *error, const char *fmt, ...)
{
    json_t *rows;
    va_list args;

    va_start(args, fmt);
    rows = rows_of(s, error, fmt, args);
    va_end(args);
    return rows;
}

static bool
stream(struct server *s, struct span sql, server_row_fn fn, void *context,
       struct sql_error *error)
{
    MYSQL_RES *result;
    MYSQL_ROW  row;

    if (mysql_real_query(s->mysql, (const char *)sql.ptr, sql.len) != 0 ||
        !(result = mysql_use_result(s->mysql)))
        return server_failed(s, error);
    while ((row = mysql_fetch_row(result)))
        fn(context, row, mysql_fetch_lengths(result));
    mysql_free_result(result);
    return mysql_errno(s->mysql) == 0 || server_failed(s, error);
}

bool
server_each(struct server *s, server_row_fn row, void *context, struct sql_error *error,
            const char *fmt, ...)
{
    struct buf sql = { 0 };
    va_list    args;
    bool       ok;

    va_start(args, fmt);
    ok = stream(s, format(&sql, fmt, args), row, context, error);
    va_end(args);
    buf_fini(&sql);
    return ok;
}

bool
server_value(struct server *s, char *out, size_t room, struct sql_error *error,
             const char *fmt, ...)
{
    json_t *rows;
    va_list args;

    va_start(args, fmt);
    rows = rows_of(s, error, fmt, args);
    va_end(args);
    if (!rows)
        return false;
    snprintf(out, room, "%s", server_cell(json_array_get(rows, 0), 0));
    json_decref(rows);
    return true;
}

const char *
server_cell(const json_t *row, size_t column)
{
    const char *text = json_string_value(json_array_get(row, column));

    return text ? text : "";
}

void
server_quote_span(struct buf *out, struct span name)
{
    buf_append_byte(out, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_append_byte(out, '`');
        buf_append_byte(out, name.ptr[i]);
    }
    buf_append_byte(out, '`');
}

void
server_quote_name(struct buf *out, const char *name)
{
    server_quote_span(out, span_of(name));
}

void
server_quote_text(struct buf *out, const char *text)
{
    buf_append_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '\'');
}

static const char *
quoted(const char *text, void (*quote)(struct buf *, const char *))
{
    static _Thread_local char     kept[8][1024];
    static _Thread_local unsigned next;
    struct buf                    out = { 0 };
    char                         *to  = kept[next++ % countof(kept)];

    quote(&out, text);
    snprintf(to, sizeof(kept[0]), "%s", buf_cstr(&out));
    buf_fini(&out);
    return to;
}

const char *
server_name(const char *name)
{
    return quoted(name, server_quote_name);
}

const char *
server_text(const char *text)
{
    return quoted(text, server_quote_text);
}
