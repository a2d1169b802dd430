/* leg_execute.c - a prepared statement on a leg's backend: see leg.h.
 *
 *   known there ----------------------------------------> COM_STMT_EXECUTE
 *   else --> COM_STMT_PREPARE --OK: its id, kept --------^
 *                  |
 *                  +--ERR--> the leg is over
 *
 * Executing "the one just prepared" right behind COM_STMT_PREPARE would save a round trip,
 * but when a server refuses the preparation because it has too many statements, it would
 * run the one before, whatever that is.
 */
#include "workers/query/leg.h"

enum { ERR_TOO_MANY = 1461 /* ER_MAX_PREPARED_STMT_COUNT_REACHED */ };

static struct statement_key
key_of(const struct leg *leg)
{
    const struct backend *b = leg->backend;

    return (struct statement_key){ leg_text(leg), span_of(b->schema), b->vars_hash };
}

/* A cursor's rows belong to its statement. */
static bool
is_private(const struct query_run *q)
{
    return q->one_off || q->cursor_flags != CURSOR_TYPE_NO_CURSOR;
}

static void
execute(struct leg *leg)
{
    struct query_run *q      = leg->q;
    struct buf       *out    = backend_out(leg->backend);
    size_t            before = buf_len(out);

    if (buf_len(&leg->text) != 0)
        execute_encode(out, leg->statement, q->cursor_flags, leg->params, leg->n_params);
    else
        execute_encode(out, leg->statement, q->cursor_flags, q->params, q->n_params);
    backend_expect(leg->backend, &leg->x, leg->ops, RESULT_QUERY);
    leg->x.reader.cursor = q->cursor_flags != CURSOR_TYPE_NO_CURSOR;
    backend_long(&leg->x, buf_len(out) - before - PACKET_HEADER_BYTES);
    if (q->one_off) /* the server comes to that when it has executed it */
        backend_close_statement(leg->backend, leg->statement);
    backend_flush(leg->backend);
    if (q->leg_sent != NULL)
        q->leg_sent(leg);
}

static void prepare(struct leg *leg);

bool
leg_may_prepare_again(struct leg *leg, uint16_t error)
{
    if (error != ERR_TOO_MANY || leg->yielded)
        return false;
    leg->yielded = true;
    return backend_yield_statements(leg->backend);
}

static void
refused(struct leg *leg, const struct sql_error *why)
{
    if (leg_may_prepare_again(leg, why->code)) {
        prepare(leg);
        return;
    }
    slot_count(leg->q->ctx->slot, COUNTER_ERRORS_SERVER);
    slot_shard_add(leg->backend->counters, SHARD_COUNTER_ERRORS, 1);
    leg_over(leg, why);
}

static void
prepared(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, prepare);
    struct sql_error why;

    (void)bytes;
    if (!last)
        return;
    if (result_error(&x->reader, &why)) {
        refused(leg, &why);
        return;
    }
    leg->statement = x->reader.statement_id;
    if (is_private(leg->q)) {
        backend_own_statement(b);
    } else {
        struct statement_key key = key_of(leg);
        backend_keep_statement(b, &key, leg->statement);
    }
    execute(leg);
}

static void
prepare_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, prepare);

    leg->ops->on_lost(&leg->x, b, why);
}

static const struct exchange_ops prepare_ops = { .on_bytes = prepared, .on_lost = prepare_lost };

static void
prepare(struct leg *leg)
{
    struct span text = leg_text(leg);

    command_text_encode(backend_out(leg->backend), COM_STMT_PREPARE, text);
    backend_expect(leg->backend, &leg->prepare, &prepare_ops, RESULT_PREPARE);
    backend_long(&leg->prepare, text.len + 1);
    backend_flush(leg->backend);
}

void
leg_execute(struct leg *leg)
{
    struct statement_key key   = key_of(leg);
    bool                 known = !is_private(leg->q) &&
                 statements_find(&leg->backend->statements, &key, &leg->statement);

    if (known)
        execute(leg);
    else
        prepare(leg);
}

void
leg_keep_prepared(struct leg *leg)
{
    struct statement_key key = key_of(leg);

    if (leg->x.reader.error == 0)
        backend_keep_statement(leg->backend, &key, leg->x.reader.statement_id);
}
