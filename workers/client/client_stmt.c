/* client_stmt.c - prepared statements: a client's COM_STMT_*, one function per command. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/client/client.h"
#include "workers/client/reading.h"
#include "workers/query/limits.h"
#include "workers/query/own_vars.h"
#include "workers/query/row_cursor.h"

enum {
    ERR_EMPTY           = 1065, /* ER_EMPTY_QUERY */
    ERR_ARGUMENTS       = 1210, /* ER_WRONG_ARGUMENTS */
    ERR_UNKNOWN_STMT    = 1243, /* ER_UNKNOWN_STMT_HANDLER */
    ERR_UNSUPPORTED_PS  = 1295, /* ER_UNSUPPORTED_PS */
    ERR_CURSOR_INTO     = 1323, /* ER_SP_BAD_CURSOR_SELECT */
    ERR_NO_CURSOR       = 1421, /* ER_STMT_HAS_NO_OPEN_CURSOR */
    ERR_TOO_MANY_STMTS  = 1461, /* ER_MAX_PREPARED_STMT_COUNT_REACHED */
};

enum { FLAGS_AT = 5 }; /* behind the command and the statement's number */

/* The answer of a statement that the proxy itself carries out: no columns. */
static void
reply_prepared(struct client *c, const struct prepared *p)
{
    struct prepare_ok ok = { .statement_id = p->id };

    reply_prepare_encode(stream_out(&c->stream), &c->reader.next_seq, &ok);
    stream_flush(&c->stream);
    client_command_done(c);
}

/* Of SET a server knows whether it can be. */
static bool
runs_here(const struct plan *plan)
{
    return plan->kind == PLAN_TXN || plan->kind == PLAN_USE || plan->kind == PLAN_DDL ||
           own_alone(plan);
}

static struct prepared *
keep(struct client *c, struct span for_text, struct span text, uint32_t n_params)
{
    struct prepared *p = stmts_add(&c->stmts, text, n_params);

    p->reading = client_reading(c);
    p->charset = c->session.lex.charset;
    prepared_set_for(&c->stmts, p, for_text);
    if (c->session.schema != NULL)
        p->schema = mem_strdup(c->session.schema);
    return p;
}

void
client_prepare(struct client *c, struct span payload)
{
    struct span       text = command_text(payload), for_text = { 0 };
    struct query_run *q;

    slot_count(c->ctx->slot, COUNTER_STATEMENTS_PREPARE);
    if (c->stmts.n + c->named_list.n >= STMTS_MAX) {
        client_fail(c, ERR_TOO_MANY_STMTS, "Can't create more than max_prepared_stmt_count "
                    "statements (current value: 16382)");
        return;
    }
    if (c->stmts.bytes + c->named_list.bytes + text.len > c->ctx->conf.max_packet_bytes) {
        client_fail(c, ERR_TOO_MANY_STMTS, "shardd: the prepared statements of the connection "
                    "are larger than max_packet_bytes: close some");
        return;
    }
    client_for_split(c, &for_text, &text);
    q              = client_query(c, QUERY_PREPARE);
    q->text        = text;
    q->values.text = text;
    q->plan        = client_find_plan(c, q, text, true);
    if (q->plan == NULL) {
        query_free(q);
        client_fail(c, ERR_EMPTY, "Query was empty");
        return;
    }
    enum plan_kind kind     = q->plan->plan.kind;
    uint32_t       n_params = q->values.n_params;
    bool           made     = kind == PLAN_DDL && q->plan->plan.ddl->from_query;
    bool           here     = runs_here(&q->plan->plan) && !(made && n_params != 0);
    if (kind == PLAN_SHARDD || kind == PLAN_KILL || kind == PLAN_NAMED ||
        (here && n_params != 0)) {
        query_free(q);
        client_fail(c, ERR_UNSUPPORTED_PS,
                    "This command is not supported in the prepared statement protocol yet");
    } else if (kind == PLAN_REFUSE && !q->plan->plan.asks) {
        struct sql_error error = q->plan->plan.error;
        query_free(q);
        slot_count(c->ctx->slot, COUNTER_ROUTE_REFUSED);
        client_reply_error(c, &error);
    } else if (here) {
        query_free(q);
        reply_prepared(c, keep(c, for_text, text, 0));
    } else {
        c->preparing        = keep(c, for_text, text, n_params);
        q->client_statement = c->preparing->id;
        client_start(c, q);
    }
}

/* The server's answer to a PREPARE has passed. */
void
client_prepared(struct client *c, const struct query_run *q)
{
    struct prepared *p = c->preparing;

    c->preparing = NULL;
    if (q->failed)
        stmts_remove(&c->stmts, p->id);
    else if (q->prepared.n_params != p->n_params)
        prepared_set_params(p, q->prepared.n_params);
}

void
client_bind(struct client *c, struct query_run *q, const struct param_value *params, uint32_t n)
{
    struct key_value *keys = arena_alloc(&q->arena, (n + 1) * sizeof(*keys));

    for (uint32_t i = 0; i < n; i++) {
        char *text = arena_alloc(&q->arena, KEY_VALUE_TEXT);
        keys[i]    = (struct key_value){ .kind = KEY_VALUE_NULL };
        if (!params[i].is_null &&
            !key_value_param(params[i].type, params[i].is_unsigned, params[i].bytes,
                             c->session.collation, text, &keys[i]))
            keys[i] = (struct key_value){ .kind = KEY_VALUE_OTHER };
    }
    q->params          = params;
    q->n_params        = n;
    q->values.params   = keys;
    q->values.n_params = n;
}

static bool
read_params(struct client *c, struct query_run *q, struct prepared *p, struct span payload)
{
    uint32_t            n      = p->n_params;
    struct param_value *params = arena_alloc(&q->arena, (n + 1) * sizeof(*params));
    struct span        *longs  = NULL;
    struct execute      execute;

    if (p->long_data != NULL)
        longs = arena_alloc(&q->arena, n * sizeof(*longs));
    for (uint32_t i = 0; longs != NULL && i < n; i++)
        if (p->long_data[i].set) {
            longs[i] = buf_unread(&p->long_data[i].bytes);
            if (longs[i].ptr == NULL) /* set, and empty */
                longs[i].ptr = (const uint8_t *)"";
        }
    if (!execute_decode(payload, n, p->types, longs, &execute, params))
        return false;
    /* Where rows are counted they come at once. */
    if ((q->plan->plan.is_read || q->plan->plan.locks) && !query_counts_rows(q))
        q->cursor_flags = execute.flags & CURSOR_TYPE_READ_ONLY;
    client_bind(c, q, params, n);
    return true;
}

void
client_execute(struct client *c, struct span payload)
{
    uint32_t         id = 0;
    struct prepared *p  = command_id(payload, &id) ? stmts_find(&c->stmts, id) : NULL;
    struct sql_error error;

    slot_count(c->ctx->slot, COUNTER_STATEMENTS_EXECUTE);
    if (p == NULL) {
        sql_error_set(&error, ERR_UNKNOWN_STMT, "Unknown prepared statement handler (%u) given to "
                      "mysqld_stmt_execute", id);
        client_reply_error(c, &error);
        return;
    }
    prepared_close_cursor(p);
    if (p->failed != NULL) {
        error = *p->failed;
        prepared_reset(&c->stmts, p);
        client_reply_error(c, &error);
        return;
    }
    if (!client_may_execute(c, p->text, p->charset, &error)) {
        client_reply_error(c, &error);
        return;
    }
    if (p->for_text.len != 0)
        client_for_prepared(c, p, payload);
    else
        client_run_prepared(c, p, payload);
}

/* What SET has set is said to every backend to come, by its text: with the values in it. */
static bool
fill_params(struct client *c, struct query_run *q, struct sql_error *error)
{
    struct buf   text = { 0 };
    uint32_t     at = 0, n = 0;
    struct lex   l;
    struct token t;

    lex_init(&l, q->text, c->session.lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD && n < q->n_params) {
        if (t.kind != TOK_PARAM)
            continue;
        buf_append(&text, q->text.ptr + at, t.start - at);
        if (!query_param_literal(q, &q->params[n++], &text)) {
            buf_fini(&text);
            return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: parameter %u has a value that "
                                 "cannot be written as a literal, and SET is sent on as text", n);
        }
        at = t.end;
    }
    buf_append_span(&text, span_from(q->text, at));
    plan_ref_release(q->plan);
    q->command  = QUERY_TEXT;
    q->params   = NULL;
    q->n_params = 0;
    q->text     = arena_copy(&q->arena, buf_unread(&text));
    q->values   = (struct plan_values){ .text = q->text };
    q->plan     = client_find_plan(c, q, q->text, false);
    buf_fini(&text);
    return true;
}

/* A cursor is asked for, and its SELECT keeps the row. */
static bool
has_cursor_into(const struct query_run *q, struct span payload)
{
    return payload.len > FLAGS_AT && (payload.ptr[FLAGS_AT] & CURSOR_TYPE_READ_ONLY) != 0 &&
           (q->digest_flags & DIGEST_INTO) != 0 && !q->plan->plan.is_write;
}

static void
refuse_prepared(struct client *c, struct query_run *q, const struct sql_error *error)
{
    slot_count(c->ctx->slot, COUNTER_ERRORS_SHARDD);
    client_take(c, q);
    query_fail(q, error);
}

void
client_run_prepared(struct client *c, struct prepared *p, struct span payload)
{
    struct sql_error error;

    if (client_reads_otherwise(c, p->text, p->reading) &&
        !client_read_as(c, p->reading, &error)) {
        client_leave_statement(c);
        client_reply_error(c, &error);
        return;
    }
    struct query_run *q = client_query(c, QUERY_EXECUTE);

    q->text        = p->text;
    q->values.text = p->text;
    client_enter_schema(c, span_of(p->schema));
    q->plan = client_find_plan(c, q, p->text, true);
    if (q->plan == NULL || !read_params(c, q, p, payload)) {
        query_free(q);
        client_leave_statement(c);
        client_fail(c, ERR_ARGUMENTS, "Incorrect arguments to mysqld_stmt_execute");
        return;
    }
    c->executing = p;
    if (has_cursor_into(q, payload)) {
        sql_error_set(&error, ERR_CURSOR_INTO, "Cursor SELECT must not have INTO");
        refuse_prepared(c, q, &error);
    } else if (q->plan->plan.kind == PLAN_SET && q->n_params != 0 && !fill_params(c, q, &error))
        refuse_prepared(c, q, &error);
    else if (client_for_allows(c, q))
        client_begin(c, q);
}

void
client_fetch(struct client *c, struct span payload)
{
    uint32_t         id = 0, rows = 0;
    struct prepared *p  = fetch_decode(payload, &id, &rows) ? stmts_find(&c->stmts, id) : NULL;
    struct sql_error error;

    if (p == NULL || p->cursor == NULL) {
        if (p == NULL)
            sql_error_set(&error, ERR_UNKNOWN_STMT, "Unknown prepared statement handler (%u) given "
                          "to mysqld_stmt_fetch", id);
        else
            sql_error_set(&error, ERR_NO_CURSOR, "The statement (%u) has no open cursor", id);
        client_reply_error(c, &error);
        return;
    }
    struct query_run *q = client_query(c, QUERY_FETCH);
    q->cursor     = p->cursor;
    q->fetch_rows = rows;
    c->fetching   = p;
    client_start(c, q);
}

void
client_send_long_data(struct client *c, struct span payload)
{
    struct long_data data;

    /* Never answered: an error waits for the execution. */
    if (long_data_decode(payload, &data)) {
        struct prepared *p = stmts_find(&c->stmts, data.statement_id);
        if (p != NULL)
            prepared_append(&c->stmts, p, data.param, data.bytes,
                            (size_t)c->ctx->conf.max_packet_bytes);
    }
    client_command_done(c);
}

void
client_close_statement(struct client *c, struct span payload)
{
    uint32_t id;

    if (command_id(payload, &id))
        stmts_remove(&c->stmts, id);
    client_command_done(c); /* never answered */
}

void
client_reset_statement(struct client *c, struct span payload)
{
    uint32_t         id = 0;
    struct prepared *p  = command_id(payload, &id) ? stmts_find(&c->stmts, id) : NULL;

    if (p == NULL) {
        struct sql_error error;
        sql_error_set(&error, ERR_UNKNOWN_STMT, "Unknown prepared statement handler (%u) given to "
                      "mysqld_stmt_reset", id);
        client_reply_error(c, &error);
        return;
    }
    prepared_reset(&c->stmts, p);
    prepared_close_cursor(p);
    client_reply_ok(c);
}

