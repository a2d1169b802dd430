/* client_command.c - what a client asks for, one function per command. */
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/sql/parse.h"
#include "core/sql/sql_mode.h"
#include "workers/client/client.h"
#include "workers/client/find.h"
#include "workers/client/make.h"
#include "workers/client/named.h"
#include "workers/client/reading.h"
#include "workers/query/row_cursor.h"
#include "workers/query/set_statement.h"
#include "workers/query/statement_time.h"

enum {
    ERR_UNKNOWN_COMMAND = 1047, /* ER_UNKNOWN_COM_ERROR */
    ERR_SYNTAX          = 1064, /* ER_PARSE_ERROR */
    ERR_EMPTY           = 1065, /* ER_EMPTY_QUERY */
    ERR_NO_SUCH_THREAD  = 1094, /* ER_NO_SUCH_THREAD */
    MODE_ANSI_QUOTES = 1, MODE_NO_BACKSLASH = 2, MODE_PIPES = 4, MODE_HIGH_NOT = 8,
    MODE_ZERO_IS_NUMBER = 16, MODE_ORACLE = 32,
    FLAG_PREPARED = 1,
};

static void file_has_room(struct query_run *q);

static const struct query_ops query_ops = { .done = client_statement_done, .room = file_has_room,
                                            .again = client_again, .elsewhere = client_elsewhere,
                                            .owned = client_owned };

void
client_fail(struct client *c, uint16_t code, const char *text)
{
    struct sql_error error;

    sql_error_set(&error, code, "%s", text);
    slot_count(c->ctx->slot, COUNTER_ERRORS_SHARDD);
    client_reply_error(c, &error);
}

/* --- plans --------------------------------------------------------------- */

static enum counter
counter_of(enum keyword first)
{
    switch ((int)first) {
    case KW_SELECT:  return COUNTER_STATEMENTS_SELECT;
    case KW_INSERT:  return COUNTER_STATEMENTS_INSERT;
    case KW_REPLACE: return COUNTER_STATEMENTS_REPLACE;
    case KW_UPDATE:  return COUNTER_STATEMENTS_UPDATE;
    case KW_DELETE:  return COUNTER_STATEMENTS_DELETE;
    case KW_SHOW:    return COUNTER_STATEMENTS_SHOW;
    default:         return COUNTER_STATEMENTS_OTHER;
    }
}

static struct cache_key
cache_key_of(const struct session *s, const struct routes *r, const struct digest *d,
             bool prepared)
{
    return (struct cache_key){
        .hash       = d->hash,
        .text       = d->text,
        .schema     = span_of(s->schema),
        .generation = r->generation,
        .sql_mode   = (s->lex.ansi_quotes ? MODE_ANSI_QUOTES : 0u) |
                    (s->lex.no_backslash_escapes ? MODE_NO_BACKSLASH : 0u) |
                    (s->lex.pipes_as_concat ? MODE_PIPES : 0u) |
                    (s->lex.high_not_precedence ? MODE_HIGH_NOT : 0u) |
                    (s->zero_is_number ? MODE_ZERO_IS_NUMBER : 0u) |
                    (s->lex.oracle ? MODE_ORACLE : 0u) |
                    (uint32_t)s->lex.charset << 8,
        .collation = s->collation,
        .flags     = prepared ? FLAG_PREPARED : 0,
    };
}

static struct plan_ref *
make_plan(const struct session *s, const struct routes *r, struct span text,
          const struct digest *d, bool prepared, bool elsewhere)
{
    struct arena        arena     = { 0 };
    struct stmt        *statement = NULL;
    struct plan_ref    *plan      = plan_ref_new();
    struct plan_context context   = {
          .routes         = r,
          .schema         = span_of(s->schema),
          .lex            = s->lex,
          .zero_is_number = s->zero_is_number,
          .collation      = s->collation,
          .prepared       = prepared,
          .elsewhere      = elsewhere,
    };

    (void)parse_statement(&arena, text, s->lex, d, &statement);
    plan_make(&plan->arena, &context, text, d, statement, &plan->plan);
    arena_fini(&arena);
    return plan;
}

static struct plan_ref *
find_plan(struct client *c, struct query_run *q, struct span text, bool prepared, bool counts)
{
    static struct digest d; /* its memory serves all statements of the worker */
    const struct session *s = &c->session;
    const struct routes  *r = q->routes->routes;
    struct slot          *slot = c->ctx->slot;
    enum digest_result    result = digest_make(&d, text, s->lex,
                                                (size_t)c->ctx->conf.max_packet_bytes);
    struct plan_ref      *plan;

    if (result == DIGEST_EMPTY)
        return NULL;
    q->digest_flags = d.flags;
    if (counts)
        slot_count(slot, counter_of(d.first));
    if (result != DIGEST_OK) {
        slot_count(slot, COUNTER_PLAN_CACHE_MISSES);
        return make_plan(s, r, text, NULL, prepared, q->elsewhere);
    }
    struct cache_key key  = cache_key_of(s, r, &d, prepared);
    bool             kept = !q->elsewhere && r->n_own == 0; /* else it is of this one alone */
    plan = kept ? cache_find(c->ctx->plans, &key) : NULL;
    if (plan == NULL) {
        slot_count(slot, COUNTER_PLAN_CACHE_MISSES);
        plan = make_plan(s, r, text, &d, prepared, q->elsewhere);
        statement_time_name(plan, &key);
        if (plan->plan.cacheable && kept)
            cache_insert(c->ctx->plans, &key, plan);
    } else
        slot_count(slot, COUNTER_PLAN_CACHE_HITS);

    struct literal *literals = arena_alloc(&q->arena, (d.n_literals + 1) * sizeof(*literals));
    if (d.n_literals != 0)
        memcpy(literals, d.literals, d.n_literals * sizeof(*literals));
    q->values.literals   = literals;
    q->values.n_literals = d.n_literals;
    q->values.n_params   = d.n_params;
    digest_shrink(&d, 1 << 20);
    return plan;
}

struct plan_ref *
client_find_plan(struct client *c, struct query_run *q, struct span text, bool prepared)
{
    bool             counts = q->parked_us == 0 && !q->elsewhere &&
                     q->routes->routes->n_own == 0; /* else it was counted before */
    struct plan_ref *plan   = find_plan(c, q, text, prepared, counts);

    for (int i = 0; i < PLAN_VIEWS_DEEP && plan != NULL && plan->plan.kind == PLAN_EXPAND; i++) {
        struct buf with_selects = { 0 };
        q->values.text = text;
        plan_render(&plan->plan, plan->plan.text, &q->values, RENDER_TEXT, &with_selects, NULL);
        text    = arena_copy(&q->arena, buf_unread(&with_selects));
        q->text = q->values.text = text;
        buf_fini(&with_selects);
        plan_ref_release(plan);
        plan = find_plan(c, q, text, prepared, false);
    }
    return plan;
}

/* --- statements ---------------------------------------------------------- */

struct query_run *
client_query(struct client *c, enum query_command command)
{
    struct query_run *q = query_new(c->ctx);

    q->s       = &c->session;
    q->client  = &c->stream;
    q->ops     = &query_ops;
    q->owner   = c;
    q->command = command;
    q->seq     = c->reader.next_seq;
    q->routes  = routes_hold(c->ctx);
    return q;
}

void
client_take(struct client *c, struct query_run *q)
{
    c->query = q;
    client_watch_statement(c);
}

void
client_start(struct client *c, struct query_run *q)
{
    client_take(c, q);
    query_start(q);
}

/* A server reads rows as they are for these, and shards are asked for them by SELECTs. */
bool
client_refuses_past(struct client *c, struct query_run *q)
{
    if (q->s->modes == NULL || !q->s->modes->as_of ||
        (q->plan->plan.kind != PLAN_ONCE && !client_makes(q) && !client_applies(q)))
        return false;
    if (c->query != q)
        client_take(c, q);
    query_refuse(q, SQL_NOT_SUPPORTED, "shardd: system_versioning_asof is set, which is for SELECT "
                 "alone, and this statement writes what several shards read: SET "
                 "system_versioning_asof = DEFAULT before");
    return true;
}

void
client_begin(struct client *c, struct query_run *q)
{
    if (client_refuses_past(c, q))
        return;
    if (q->plan->plan.kind == PLAN_ONCE)
        client_once(c, q);
    else if (client_makes(q) && c->make == NULL)
        client_make(c, q);
    else if (client_applies(q))
        client_apply(c, q);
    else if (client_finds(q))
        client_find(c, q);
    else
        client_start(c, q);
}

void
client_enter_schema(struct client *c, struct span schema)
{
    struct session *s = &c->session;

    if (schema.len == 0 || s->schema == NULL || span_equal(schema, span_of(s->schema)))
        return;
    c->schema_before = mem_strdup(s->schema);
    session_set_schema(s, schema);
}

void
client_leave_statement(struct client *c)
{
    client_for_leave(c);
    if (c->schema_before == NULL)
        return;
    session_set_schema(&c->session, span_of(c->schema_before));
    free(c->schema_before);
    c->schema_before = NULL;
}

/* Skip what cannot begin a statement. */
static struct span
trimmed(struct span text)
{
    while (text.len != 0 && text.ptr[0] <= ' ')
        text = span_from(text, 1);
    return text;
}

/* As a server takes a packet: what ends it says nothing. */
static struct span
stripped(struct span text)
{
    while (text.len != 0 && (text.ptr[text.len - 1] <= ' ' || text.ptr[text.len - 1] == ';'))
        text.len--;
    return text;
}

/* --- statements as text -------------------------------------------------- */

void
client_run_text(struct client *c, struct query_run *q, struct span text)
{
    q->text        = text;
    q->values.text = text;
    q->plan        = client_find_plan(c, q, text, false);
    if (q->plan == NULL && trimmed(text).len == 0) {
        struct sql_error error;
        sql_error_set(&error, ERR_EMPTY, "Query was empty");
        client_take(c, q);
        query_fail(q, &error);
    } else if (q->plan == NULL) {
        query_free(q);
        client_leave_statement(c);
        client_reply_ok(c); /* nothing but a comment */
    } else if (client_for_allows(c, q)) {
        if (q->plan->plan.kind == PLAN_NAMED)
            client_named(c, q);
        else
            client_begin(c, q);
    }
}

/* Where the first statement ends, and the next begins. Other dialects have blocks of their own. */
static size_t
split(const struct client *c, struct span text, size_t *rest)
{
    bool knows = c->multi_statements && !(client_reading(c) & SQL_MODE_ANY_DIALECT);

    return knows ? lex_split_programs(text, c->session.lex, rest)
                 : lex_split(text, c->session.lex, rest);
}

/* Nothing stands before the ';', which is no statement by itself. */
static void
fail_at(struct client *c, struct query_run *q, struct span text, size_t at)
{
    struct sql_error error;
    struct span      near = span_from(text, at);
    unsigned         line = 1;

    for (size_t i = 0; i < at; i++)
        line += text.ptr[i] == '\n';
    sql_error_set(&error, ERR_SYNTAX, "You have an error in your SQL syntax; check the manual that "
                  "corresponds to your MariaDB server version for the right syntax to use near "
                  "'%.*s' at line %u", (int)(near.len < 80 ? near.len : 80), near.ptr, line);
    slot_count(c->ctx->slot, COUNTER_ERRORS_SHARDD);
    client_take(c, q);
    query_fail(q, &error);
}

static void
run_text(struct client *c, struct span text)
{
    size_t        rest = 0;
    size_t        len  = split(c, text, &rest);
    struct span   more = trimmed(span_from(text, rest));
    struct query_run *q    = client_query(c, QUERY_TEXT);

    if (rest != len && lex_is_blank((struct span){ text.ptr, len }, c->session.lex)) {
        fail_at(c, q, text, len);
        return;
    }
    if (!c->multi_statements && lex_is_blank(more, c->session.lex))
        more.len = 0; /* "SELECT 1; -- so far" */
    if (more.len != 0 && !c->multi_statements) {
        query_free(q);
        client_fail(c, ERR_SYNTAX, "You have an error in your SQL syntax: several statements in "
                    "one, and the connection does not allow that (CLIENT_MULTI_STATEMENTS)");
        return;
    }
    struct span one = { text.ptr, len };
    query_take_settings(q, &one);
    q->more = more.len != 0;
    c->rest = more;
    if (q->for_text.len == 0 && client_for_text(c, one, q->more))
        query_free(q);
    else
        client_run_text(c, q, one);
}

static void
file_has_room(struct query_run *q)
{
    client_run(q->owner);
}

/* Of a statement in several steps; NULL: it was the last. */
static void (*next_step(struct client *c, const struct query_run *q))(struct client *c)
{
    if (client_for_done(c, q))
        return client_for_next;
    if (client_once_done(c, q))
        return client_once_next;
    return client_named_done(c, q) ? client_named_next : NULL;
}

void
client_statement_done(struct query_run *q)
{
    struct client *c       = q->owner;
    bool           failed  = q->failed, cut = q->cut;
    bool           release = q->release;

    if (q->command == QUERY_PREPARE && c->preparing != NULL)
        client_prepared(c, q);
    if (c->executing != NULL) {
        prepared_reset(&c->stmts, c->executing);
        c->executing->cursor = row_cursor_keep(q);
    }
    if (c->fetching != NULL && row_cursor_is_over(c->fetching->cursor))
        prepared_close_cursor(c->fetching);
    c->executing       = c->fetching = NULL;
    c->query           = NULL;
    c->reader.next_seq = q->seq;
    void (*next)(struct client *c) = next_step(c, q);
    if (next == NULL)
        client_leave_statement(c);
    query_free(q);
    if (c->state == CLIENT_CLOSING)
        return;
    if (next != NULL) {
        next(c);
        return;
    }
    if (cut || release) {
        client_hang_up(c, cut ? COUNTER_CLOSED_BACKEND : COUNTER_CLOSED_QUIT);
        return;
    }
    /* The next of several statements begins in client_run(). */
    if (c->rest.len == 0 || failed)
        client_command_done(c);
    client_run(c);
}

void
client_run_rest(struct client *c)
{
    run_text(c, c->rest);
}

static void
query_text(struct client *c, struct span payload)
{
    run_text(c, stripped(command_text(payload)));
}

/* --- everything else ----------------------------------------------------- */

/* To a server as it is: COM_INIT_DB, COM_FIELD_LIST, COM_STATISTICS... */
static void
pass(struct client *c, struct span payload)
{
    struct query_run *q = client_query(c, QUERY_OTHER);

    q->payload = payload;
    client_start(c, q);
}

static void
quit(struct client *c, struct span payload)
{
    (void)payload;
    client_close(c, COUNTER_CLOSED_QUIT, NULL);
}

static void
ping(struct client *c, struct span payload)
{
    (void)payload;
    client_reply_ok(c);
}

static void
set_option(struct client *c, struct span payload)
{
    struct ok ok = { .status = session_status(&c->session) };

    if (!set_option_decode(payload, &c->multi_statements)) {
        client_fail(c, ERR_UNKNOWN_COMMAND, "Unknown command");
        return;
    }
    reply_end_encode(stream_out(&c->stream), &c->reader.next_seq, c->session.capabilities, &ok);
    stream_flush(&c->stream);
    client_command_done(c);
}

void
client_forget(struct client *c)
{
    session_reset(&c->session);
    stmts_clear(&c->stmts);
    named_clear(&c->named_list);
}

static void
start_over(struct client *c, struct span payload)
{
    (void)payload;
    client_start_over(c);
}

static void
process_kill(struct client *c, struct span payload)
{
    uint32_t id;

    if (!command_id(payload, &id)) {
        client_fail(c, ERR_NO_SUCH_THREAD, "Unknown thread id");
        return;
    }
    buf_clear(&c->command); /* the payload has said all it had to */
    buf_printf(&c->command, "KILL %u", id);
    run_text(c, buf_unread(&c->command));
}

static void
process_info(struct client *c, struct span payload)
{
    (void)payload;
    buf_clear(&c->command);
    buf_append_text(&c->command, "SHOW PROCESSLIST");
    run_text(c, buf_unread(&c->command));
}

static const struct {
    uint8_t command;
    void  (*run)(struct client *c, struct span payload);
} commands[] = {
    { COM_QUERY,               query_text },
    { COM_STMT_EXECUTE,        client_execute },
    { COM_STMT_PREPARE,        client_prepare },
    { COM_STMT_CLOSE,          client_close_statement },
    { COM_STMT_RESET,          client_reset_statement },
    { COM_STMT_FETCH,          client_fetch },
    { COM_STMT_BULK_EXECUTE,   client_bulk_execute },
    { COM_STMT_SEND_LONG_DATA, client_send_long_data },
    { COM_INIT_DB,             pass },
    { COM_FIELD_LIST,          pass },
    { COM_STATISTICS,          pass },
    { COM_PROCESS_INFO,        process_info },
    { COM_PING,                ping },
    { COM_QUIT,                quit },
    { COM_SET_OPTION,          set_option },
    { COM_RESET_CONNECTION,    start_over },
    { COM_CHANGE_USER,         start_over },
    { COM_PROCESS_KILL,        process_kill },
};

/* What the process list shows of a command; never what belongs to a login. */
static struct span
shown_text(const struct client *c, struct span payload)
{
    struct prepared *p = NULL;
    uint32_t         id;

    switch (payload.ptr[0]) {
    case COM_QUERY:
    case COM_INIT_DB:
    case COM_STMT_PREPARE: return span_from(payload, 1);
    case COM_STMT_EXECUTE:
    case COM_STMT_BULK_EXECUTE:
        if (command_id(payload, &id))
            p = stmts_find(&c->stmts, id);
        break;
    default: break;
    }
    return p != NULL ? p->text : (struct span){ 0 };
}

void
client_dispatch(struct client *c, struct span payload)
{
    uint64_t now = ring_now_ms(c->ctx->ring);

    c->active_ms = now;
    if (c->active_tick != c->ctx->ticks) {
        c->active_tick = c->ctx->ticks;
        c->ctx->n_active++;
    }
    client_command(c->ctx->slot, c->row, payload.ptr[0], c->session.pins.set,
                   shown_text(c, payload), now);
    for (size_t i = 0; i < countof(commands); i++)
        if (commands[i].command == payload.ptr[0]) {
            commands[i].run(c, payload);
            return;
        }
    slot_count(c->ctx->slot, COUNTER_COMMANDS_OTHER);
    client_fail(c, ERR_UNKNOWN_COMMAND, "Unknown command");
}
