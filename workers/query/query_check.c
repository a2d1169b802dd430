/* query_check.c - is it a statement that can be prepared, and what does it need?
 *
 *   COM_STMT_PREPARE --> as many parameters, or the server's error --> COM_STMT_CLOSE
 *
 * What is refused is asked about in the same way: where the server refuses it as well, its words
 * are the answer.
 */
#include "core/route/gather.h"
#include "workers/query/leg.h"
#include "workers/query/own_tables.h"
#include "workers/query/txn.h"

enum { ERR_UNSUPPORTED_PS = 1295 /* ER_UNSUPPORTED_PS: it is only no statement to prepare */ };

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &why))
            sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
        leg->heard = true;
        leg_over(leg, &why);
        return;
    }
    if (m->kind == RESULT_IS_PREPARED && !reply_prepare_decode(m->message.payload,
                                                               &leg->q->prepared))
        b->dirty = true;
    if (!last)
        return;
    command_id_encode(backend_out(b), COM_STMT_CLOSE, leg->q->prepared.statement_id);
    backend_flush(b);
    leg_over(leg, NULL);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = leg_lost };

static void
ready(struct leg *leg)
{
    leg_send(leg, &ops);
}

/* What a server says of any parameter. */
static const struct column parameter = {
    .name = { (const uint8_t *)"?", 1 }, .type = MYSQL_TYPE_NULL, .charset = CHARSET_BINARY,
    .flags = BINARY_FLAG,
};

/* No shard has all the tables. The answer is told without columns, as a server does for CALL;
 * they come with the rows. */
static void
answer_without_columns(struct query_run *q)
{
    struct buf *out = stream_out(q->client);

    q->prepared = (struct prepare_ok){ .statement_id = q->client_statement,
                                       .n_params     = (uint16_t)q->values.n_params };
    if (!q->quiet) {
        reply_prepare_encode(out, &q->seq, &q->prepared);
        for (uint32_t i = 0; i < q->values.n_params; i++)
            reply_column_encode(out, &q->seq, q->s->capabilities, &parameter);
        if (q->values.n_params != 0 && !(q->s->capabilities & CLIENT_DEPRECATE_EOF))
            reply_eof_encode(out, &q->seq, &(struct eof){ .status = session_status(q->s) });
        query_flush(q);
    }
    query_done(q);
}

static void
answered(struct query_run *q)
{
    if (q->failed)
        query_fail(q, &q->error);
    else if (!q->quiet)
        answer_without_columns(q);
    else
        query_done(q);
}

static void
all_over(struct query_run *q)
{
    txn_settle(q, q->failed ? q->error.code : 0, answered);
}

/* Only what it needs and answers is wanted: any shard that has the tables knows. */
void
query_prepare(struct query_run *q, uint32_t any)
{
    const struct plan *plan  = &q->plan->plan;
    bool               home  = plan->target.kind == TARGET_HOME || plan->target.at_home;
    uint32_t           shard = home ? plan->target.home : any;
    struct shard_set   one   = { 0 };

    if (plan->kind == PLAN_GATHER && !gather_home(plan->gather, &(uint32_t){ 0 })) {
        answer_without_columns(q);
        return;
    }
    if (!q->quiet && plan->kind != PLAN_SET) { /* which is run by its text: query_set.c */
        query_relay(q, shard);
        return;
    }
    shard_set_add(&one, shard);
    one.first    = shard;
    q->leg_ready = ready;
    q->all_over  = all_over;
    legs_make(q, &one);
    leg_start(&q->legs[0]);
}

/* ---- a statement that is refused ---- */

static void
refuse(struct query_run *q)
{
    slot_count(q->ctx->slot, COUNTER_ROUTE_REFUSED);
    slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
    query_fail(q, &q->plan->plan.error);
}

static void
asked(struct query_run *q)
{
    struct sql_error why  = q->error;
    bool             said = q->failed && q->legs[0].heard && why.code != ERR_UNSUPPORTED_PS;

    q->command = (enum query_command)q->at;
    q->failed  = false;
    q->error   = (struct sql_error){ 0 };
    if (said)
        query_fail(q, &why);
    else
        refuse(q);
}

static void
asked_over(struct query_run *q)
{
    txn_settle(q, q->failed ? q->error.code : 0, asked);
}

/* A name in it may be that of a temporary table, which only its own backend knows. */
void
query_refused(struct query_run *q)
{
    const struct plan *plan  = &q->plan->plan;
    struct session    *s     = q->s;
    struct shard_set   one   = { 0 };
    uint32_t           shard = plan->target.kind == TARGET_HOME ? plan->target.home
                                                                : query_any_shard(q);

    if (own_tables_ask(q, query_refused))
        return;
    if (!plan->asks || q->routes->routes->fenced || q->routes->routes->n_shards == 0 ||
        q->command == QUERY_EXECUTE || session_broken(s) ||
        (pins_has(&s->pins, PIN_TEMPORARY_TABLE) && pins_names_table(&s->pins, q->text, s->lex))) {
        refuse(q);
        return;
    }
    q->at      = q->command;
    q->command = QUERY_PREPARE;
    shard_set_add(&one, shard);
    q->leg_ready = ready;
    q->all_over  = asked_over;
    legs_make(q, &one);
    leg_start(&q->legs[0]);
}
