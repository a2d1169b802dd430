/* client_bulk.c - COM_STMT_BULK_EXECUTE: a statement with the values of many executions.
 *
 *   INSERT ... VALUES (?, ?) --> one INSERT of many rows, which is split by key like any other
 *                                and is there as a whole or not at all
 *   too many rows for one    --> BEGIN (or a savepoint) --> INSERT --> INSERT ... --> COMMIT
 *   other INSERTs            --> the same, row by row
 *   UPDATE, DELETE           --> row by row, each for itself, as a server does it
 *
 * Where there are several statements their answers stay here and the client gets the sum.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/bulk.h"
#include "workers/client/client.h"
#include "workers/client/reading.h"

enum {
    ERR_ARGUMENTS      = 1210, /* ER_WRONG_ARGUMENTS */
    ERR_UNKNOWN_STMT   = 1243, /* ER_UNKNOWN_STMT_HANDLER */
    ERR_UNSUPPORTED_PS = 1295, /* ER_UNSUPPORTED_PS: drivers then execute one by one */
    CHUNK_ROWS         = 2000,  /* of one INSERT: more take longer than in several */
    CHUNK_PARAMS       = 30000, /* a server takes 65535 */
    CHUNK_BYTES        = 8 << 20,
};

enum phase { PHASE_BEGIN, PHASE_ROWS, PHASE_END, PHASE_UNDO };

struct client_bulk {
    struct client   *client;
    struct prepared *statement;
    struct span      rows;      /* still to be done; of the client's command */
    bool             inserts;   /* all or nothing */
    uint32_t         start, end; /* of the one tuple with all parameters; end 0: row by row */
    uint32_t        *marks;     /* owned [n_params]: where its '?' stand */
    enum phase       phase;
    const char      *texts[PHASE_UNDO + 1]; /* what is said around the rows; NULL: nothing */
    struct stream    sink;      /* answers that are not for the client */
    uint64_t         affected, insert_id;
    uint32_t         warnings;
    bool             failed;
    struct sql_error error;
};

static void step(struct client_bulk *k);

void
client_bulk_free(struct client *c)
{
    if (c->bulk == NULL)
        return;
    buf_fini(&c->bulk->sink.out);
    free(c->bulk->marks);
    free(c->bulk);
    c->bulk = NULL;
}

static bool
unsupported(struct client_bulk *k)
{
    return sql_error_set(&k->error, ERR_UNSUPPORTED_PS, "This command is not supported in the "
                         "prepared statement protocol yet (shardd: with many rows at once)");
}

/* --- the statement -------------------------------------------------------- */

/* From VALUES on: the tuple, when it is the only one and all parameters are in it. */
static void
find_tuple(struct client_bulk *k, struct lex *l)
{
    struct token t     = lex_next(l);
    uint32_t     start = t.start, end = 0, n = 0, depth = 0;

    if (!token_is_op(t, '('))
        return;
    for (; t.kind != TOK_END && t.kind != TOK_BAD; t = lex_next(l)) {
        depth += token_is_op(t, '(');
        if (t.kind == TOK_PARAM && end == 0 && n < k->statement->n_params)
            k->marks[n++] = t.start;
        else if (t.kind == TOK_PARAM || (end != 0 && depth == 0 && token_is_op(t, ',')))
            return; /* not the only one */
        if (token_is_op(t, ')') && --depth == 0 && end == 0)
            end = t.end;
    }
    if (t.kind == TOK_END && n == k->statement->n_params) {
        k->start = start;
        k->end   = end;
    }
}

static bool
read_statement(struct client_bulk *k)
{
    uint32_t     depth = 0;
    struct lex   l;
    struct token t;

    lex_init(&l, k->statement->text, k->client->session.lex);
    t          = lex_next(&l);
    k->inserts = token_is_keyword(t, KW_INSERT) || token_is_keyword(t, KW_REPLACE);
    if (k->statement->for_text.len != 0 ||
        (!k->inserts && !token_is_keyword(t, KW_UPDATE) && !token_is_keyword(t, KW_DELETE)))
        return unsupported(k);
    while (k->inserts && t.kind != TOK_END && t.kind != TOK_BAD && t.kind != TOK_PARAM) {
        t = lex_next(&l);
        depth += token_is_op(t, '(');
        depth -= token_is_op(t, ')');
        if (depth == 0 && (token_is_keyword(t, KW_VALUES) || token_is_keyword(t, KW_VALUE))) {
            find_tuple(k, &l);
            break;
        }
    }
    return true;
}

/* --- rows ----------------------------------------------------------------- */

/* One more tuple; those of its values that are DEFAULT are no parameters any more. */
static uint32_t
put_tuple(const struct client_bulk *k, const enum bulk_indicator *indicators,
          struct param_value *params, bool first, struct buf *text)
{
    const uint8_t *all = k->statement->text.ptr;
    uint32_t       at = k->start, n = 0;

    buf_append_text(text, first ? "" : ", ");
    for (uint32_t i = 0; i < k->statement->n_params; i++) {
        if (indicators[i] < BULK_DEFAULT) {
            params[n++] = params[i];
            continue;
        }
        buf_append(text, all + at, k->marks[i] - at);
        buf_append_text(text, "DEFAULT");
        at = k->marks[i] + 1;
    }
    buf_append(text, all + at, k->end - at);
    return n;
}

static bool
take_tuples(struct client_bulk *k, struct query_run *q, uint32_t *n_params)
{
    uint32_t             n       = k->statement->n_params, used = 0, n_rows = 0;
    uint32_t             room    = n < CHUNK_PARAMS ? CHUNK_PARAMS : n;
    struct param_value  *params  = arena_alloc(&q->arena, room * sizeof(*params));
    enum bulk_indicator *indicators = arena_alloc(&q->arena, n * sizeof(*indicators));
    size_t               before  = k->rows.len;
    struct span          all     = k->statement->text;
    struct buf           text    = { 0 };
    bool                 good    = true;

    buf_append(&text, all.ptr, k->start);
    while (good && k->rows.len != 0 && n_rows < CHUNK_ROWS && used + n <= room &&
           before - k->rows.len < CHUNK_BYTES) {
        good = bulk_next(&k->rows, n, k->statement->types, indicators, params + used);
        if (good)
            used += put_tuple(k, indicators, params + used, n_rows == 0, &text);
        n_rows++;
    }
    buf_append_span(&text, span_from(all, k->end));
    q->text   = arena_copy(&q->arena, buf_unread(&text));
    q->params = params;
    q->one_off = true;
    *n_params = used;
    buf_fini(&text);
    return good || sql_error_set(&k->error, ERR_ARGUMENTS, "Incorrect arguments to "
                                 "mysqld_stmt_bulk_execute");
}

static bool
take_row(struct client_bulk *k, struct query_run *q)
{
    uint32_t             n          = k->statement->n_params;
    struct param_value  *params     = arena_alloc(&q->arena, n * sizeof(*params));
    enum bulk_indicator *indicators = arena_alloc(&q->arena, n * sizeof(*indicators));

    if (!bulk_next(&k->rows, n, k->statement->types, indicators, params))
        return sql_error_set(&k->error, ERR_ARGUMENTS, "Incorrect arguments to "
                             "mysqld_stmt_bulk_execute");
    for (uint32_t i = 0; i < n; i++)
        if (indicators[i] >= BULK_DEFAULT)
            return sql_error_set(&k->error, SQL_NOT_SUPPORTED, "shardd: DEFAULT and IGNORE among "
                                 "the values of many rows need an INSERT ... VALUES with one "
                                 "tuple that has all parameters");
    q->text   = k->statement->text;
    q->params = params;
    return true;
}

/* The next statement; NULL and k->error: what came is malformed, or cannot be done. */
static struct query_run *
next_query(struct client_bulk *k)
{
    struct client    *c = k->client;
    struct query_run *q = client_query(c, QUERY_EXECUTE);
    uint32_t          n = k->statement->n_params;

    bool good = k->end != 0 ? take_tuples(k, q, &n) : take_row(k, q);
    if (good) {
        q->values.text = q->text;
        q->plan        = client_find_plan(c, q, q->text, true);
        good = q->plan != NULL && q->values.n_params == n &&
               (k->rows.len == 0 || !q->plan->plan.returning);
        if (!good)
            unsupported(k);
    }
    if (!good) {
        query_free(q);
        return NULL;
    }
    client_bind(c, q, q->params, n);
    return q;
}

/* --- several statements --------------------------------------------------- */

static void
finish(struct client_bulk *k)
{
    struct client   *c     = k->client;
    struct session  *s     = &c->session;
    struct sql_error error = k->error;
    struct ok        ok    = { .affected_rows = k->affected, .insert_id = k->insert_id,
                               .status   = session_status(s),
                               .warnings = (uint16_t)(k->warnings < UINT16_MAX ? k->warnings
                                                                               : UINT16_MAX) };
    bool failed = k->failed;

    prepared_reset(&c->stmts, k->statement);
    client_bulk_free(c);
    s->row_count = failed ? -1 : (int64_t)ok.affected_rows;
    if (failed) {
        client_reply_error(c, &error);
    } else {
        if (ok.insert_id != 0)
            s->last_insert_id = ok.insert_id;
        reply_ok_encode(stream_out(&c->stream), &c->reader.next_seq, s->capabilities, &ok);
        stream_flush(&c->stream);
        client_command_done(c);
    }
    client_run(c);
}

static void
fail(struct client_bulk *k, const struct sql_error *error)
{
    if (!k->failed)
        k->error = *error;
    k->failed = true;
}

static void
read_answer(struct client_bulk *k)
{
    struct span      answer = buf_unread(&k->sink.out);
    struct span      payload = span_from(answer, PACKET_HEADER_BYTES);
    struct sql_error error;
    struct ok        ok;

    if (payload.len != 0 && payload.ptr[0] == REPLY_ERR && reply_err_decode(payload, &error)) {
        fail(k, &error);
    } else if (payload.len != 0 && payload.ptr[0] == REPLY_OK &&
               reply_ok_decode(payload, k->client->session.capabilities, &ok)) {
        k->affected += ok.affected_rows;
        k->warnings += ok.warnings;
        if (k->insert_id == 0)
            k->insert_id = ok.insert_id;
    } else {
        unsupported(k);
        fail(k, &k->error);
    }
    buf_clear(&k->sink.out);
}

static void
part_done(struct query_run *q)
{
    struct client      *c   = q->owner;
    struct client_bulk *k   = c->bulk;
    bool                cut = q->cut;

    c->query = NULL;
    query_free(q);
    if (c->state == CLIENT_CLOSING)
        return;
    if (cut) {
        client_hang_up(c, COUNTER_CLOSED_BACKEND);
        return;
    }
    read_answer(k);
    step(k);
}

static const struct query_ops part_ops = { .done = part_done, .again = client_again };

static void
start_part(struct client_bulk *k, struct query_run *q)
{
    q->ops    = &part_ops;
    q->client = &k->sink;
    q->silent = true;
    q->seq    = 1;
    client_start(k->client, q);
}

static void
say(struct client_bulk *k, const char *text)
{
    struct query_run *q = client_query(k->client, QUERY_TEXT);

    q->text        = span_of(text);
    q->values.text = q->text;
    q->plan        = client_find_plan(k->client, q, q->text, false);
    start_part(k, q);
}

static void
enter(struct client_bulk *k, enum phase phase)
{
    k->phase = phase;
    if (k->texts[phase] != NULL)
        say(k, k->texts[phase]);
    else
        step(k);
}

/* What was begun last is over. */
static void
step(struct client_bulk *k)
{
    switch (k->phase) {
    case PHASE_BEGIN:
        if (k->failed) {
            finish(k);
            return;
        }
        k->phase = PHASE_ROWS;
        break;
    case PHASE_ROWS:
        if (k->failed || k->rows.len == 0) {
            enter(k, k->failed ? PHASE_UNDO : PHASE_END);
            return;
        }
        break;
    case PHASE_END:
    case PHASE_UNDO: finish(k); return;
    }
    struct query_run *q = next_query(k);
    if (q != NULL) {
        start_part(k, q);
        return;
    }
    k->failed = true;
    enter(k, PHASE_UNDO);
}

/* Without autocommit and before a transaction the first INSERT opens it, and nothing else is
 * in it. */
static void
begin(struct client_bulk *k)
{
    static const char *const own[]    = { "START TRANSACTION", NULL, "COMMIT", "ROLLBACK" };
    static const char *const fresh[]  = { NULL, NULL, NULL, "ROLLBACK" };
    static const char *const within[] = { "SAVEPOINT `shardd bulk`", NULL,
                                          "RELEASE SAVEPOINT `shardd bulk`",
                                          "ROLLBACK TO SAVEPOINT `shardd bulk`" };
    const struct session     *s       = &k->client->session;
    const char *const        *texts   = s->in_txn ? within : s->autocommit ? own : fresh;

    k->sink.ring  = k->client->ctx->ring;
    k->sink.state = STREAM_OPEN;
    for (int i = PHASE_BEGIN; k->inserts && i <= PHASE_UNDO; i++)
        k->texts[i] = texts[i];
    enter(k, PHASE_BEGIN);
}

/* --- the command ---------------------------------------------------------- */

static void
run(struct client_bulk *k)
{
    struct client    *c    = k->client;
    struct span       rows = k->rows;
    struct query_run *q    = read_statement(k) ? next_query(k) : NULL;

    if (q == NULL) {
        k->failed = true;
        finish(k);
    } else if (k->rows.len == 0) {
        c->executing = k->statement; /* one statement: its answer is the client's */
        client_bulk_free(c);
        client_start(c, q);
    } else {
        query_free(q);
        k->rows = rows;
        begin(k);
    }
}

static bool
is_read_alike(struct client *c, struct prepared *p, struct sql_error *why)
{
    if (!client_may_execute(c, p->text, p->charset, why))
        return false;
    if (!client_reads_otherwise(c, p->text, p->reading))
        return true;
    sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: sql_mode has changed in a way in which the "
                  "statement reads otherwise since it was prepared, and it cannot be executed for "
                  "many rows at once: prepare it again");
    return false;
}

void
client_bulk_execute(struct client *c, struct span payload)
{
    uint32_t         id = 0;
    struct prepared *p  = command_id(payload, &id) ? stmts_find(&c->stmts, id) : NULL;
    struct sql_error error;
    struct bulk      bulk;

    slot_count(c->ctx->slot, COUNTER_STATEMENTS_EXECUTE);
    if (p == NULL) {
        sql_error_set(&error, ERR_UNKNOWN_STMT, "Unknown prepared statement handler (%u) given to "
                      "mysqld_stmt_bulk_execute", id);
        client_reply_error(c, &error);
        return;
    }
    prepared_close_cursor(p);
    if (!(c->claimed & MARIADB_CLIENT_STMT_BULK_OPERATIONS) || p->long_data != NULL ||
        p->failed != NULL || p->n_params == 0) {
        prepared_reset(&c->stmts, p);
        client_fail(c, ERR_UNSUPPORTED_PS,
                    "This command is not supported in the prepared statement protocol yet");
        return;
    }
    if (!is_read_alike(c, p, &error)) {
        client_reply_error(c, &error);
        return;
    }
    if (!bulk_decode(payload, p->n_params, p->types, &bulk)) {
        client_fail(c, ERR_ARGUMENTS, "Incorrect arguments to mysqld_stmt_bulk_execute");
        return;
    }
    c->bulk            = mem_alloc(sizeof(*c->bulk));
    c->bulk->client    = c;
    c->bulk->statement = p;
    c->bulk->rows      = bulk.rows;
    c->bulk->marks     = mem_alloc(p->n_params * sizeof(*c->bulk->marks));
    run(c->bulk);
}
