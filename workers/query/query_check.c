/* query_check.c - is it a statement that can be prepared, and what does it need?
 *
 *   COM_STMT_PREPARE --> as many parameters, or the server's error --> COM_STMT_CLOSE
 */
#include "workers/query/leg.h"
#include "workers/query/txn.h"

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &why))
            sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
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

static void
answered(struct query_run *q)
{
    if (q->failed)
        query_fail(q, &q->error);
    else
        query_done(q);
}

static void
all_over(struct query_run *q)
{
    txn_settle(q, q->failed ? q->error.code : 0, answered);
}

void
query_prepare(struct query_run *q, uint32_t shard)
{
    struct shard_set one = { 0 };

    if (!q->quiet) {
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
