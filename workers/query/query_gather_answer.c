/* query_gather_answer.c - the client's statement on the engine; see gather.h.
 *
 * The answer passes as one of a shard's would, but for the transaction's flags, which are
 * the session's. What the statement has left behind for the session is asked for; the
 * tables are dropped when the client has its answer and waits for nothing.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/aftermath.h"
#include "workers/query/gather.h"
#include "workers/query/limits.h"
#include "workers/query/txn.h"

/* --- the connection goes back --------------------------------------------- */

struct cleaning {
    struct exchange x;
};

static void
cleaned(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)bytes;
    if (!last)
        return;
    if (x->reader.error != 0)
        backend_close(b, NULL);
    else
        pool_release(b);
    free(container_of(x, struct cleaning, x));
}

static void
cleaning_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b, (void)why; /* the tables went with it */
    free(container_of(x, struct cleaning, x));
}

static const struct exchange_ops cleaning_ops = {
    .on_bytes = cleaned,
    .on_lost  = cleaning_lost,
};

static void
clean(struct gathering *g)
{
    struct backend  *b    = g->engine.backend;
    struct cleaning *c    = mem_alloc(sizeof(*c));
    struct buf       text = { 0 };

    g->engine.backend = NULL;
    buf_append_text(&text, "DROP TEMPORARY TABLE ");
    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        if (i > 0)
            buf_append_byte(&text, ',');
        literal_identifier(&text, g->spec->tables[i].schema);
        buf_append_byte(&text, '.');
        literal_identifier(&text, g->spec->tables[i].name);
        if (gather_keeps_before(g, i)) {
            buf_append_byte(&text, ',');
            gather_before_name(&g->sources[i].copy, &text);
        }
    }
    backend_resume(b); /* the last bytes of the answer may have filled the client's stream */
    backend_send(b, COM_QUERY, buf_unread(&text), &c->x, &cleaning_ops);
    buf_fini(&text);
}

/* --- the end -------------------------------------------------------------- */

static void
settled(struct query_run *q)
{
    struct gathering *g = q->gathering;

    if (g->error.code != 0)
        query_fail(q, &g->error);
    else
        query_done(q);
}

/* What the engine says is about the read, never about the transaction. */
static void
end(struct gathering *g)
{
    struct query_run *q = g->q;

    g->state        = GATHER_OVER;
    g->engine.state = LEG_OVER;
    buf_fini(&g->engine.text);
    timer_stop(ring_timers(q->ctx->ring), &g->deadline);
    slot_add(q->ctx->slot, COUNTER_GATHER_ROWS, g->n_rows);
    slot_add(q->ctx->slot, COUNTER_GATHER_BYTES, g->n_bytes);
    txn_settle(q, 0, settled);
}

void
gather_ended(struct gathering *g)
{
    if (g->engine.backend != NULL)
        clean(g);
    end(g);
}

static void
remembered(struct leg *leg)
{
    struct gathering *g = container_of(leg, struct gathering, engine);

    if (g->changes != NULL && leg->backend != NULL && !g->q->failed)
        gather_read_changes(g);
    else
        gather_ended(g);
}

void
gather_refused(struct gathering *g, const struct sql_error *why)
{
    g->error = *why;
    gather_ended(g);
}

static void
answered(struct gathering *g)
{
    struct query_run *q   = g->q;
    struct leg       *leg = &g->engine;

    leg_read_outcome(leg, &leg->x.reader);
    if (leg->x.reader.error != 0) {
        slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
        slot_shard_add(leg->backend->counters, SHARD_COUNTER_ERRORS, 1);
        q->failed = true;
    }
    if (g->changes != NULL)
        leg->x.reader.insert_id = 0; /* it numbered our copies' rows */
    /* What the connection knows of a routine's tables is not true of the next copies: 10.11 does
     * not look again. */
    leg->backend->unclean |= g->spec->calls;
    query_relay_remember(leg);
    aftermath_take_then(leg, remembered);
}

/* --- the answer ----------------------------------------------------------- */

/* The first of it: from here on the statement is the engine's and the client's. */
static void
begin(struct gathering *g)
{
    struct query_run *q = g->q;

    if (q->answered)
        return;
    timer_stop(ring_timers(q->ctx->ring), &g->deadline);
    histogram_record(&q->ctx->slot->latency[LATENCY_GATHER],
                     (ring_now_us(q->ctx->ring) - q->started_us) * 1000);
}

/* Too many rows, or bytes, for the user. */
static bool
is_cut(struct gathering *g, const struct result_message *m)
{
    struct query_run *q = g->q;
    struct sql_error  why;

    if (m->kind != RESULT_IS_ROW || !query_counts_rows(q) ||
        query_may_send_row(q, m->message.payload.len, &why))
        return false;
    query_cut_answer(q, &why);
    q->failed = true;
    gather_drop_engine(g, &why);
    end(g);
    return true;
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b;
    begin(g);
    if (is_cut(g, m))
        return;
    query_relay_message(&g->engine, m);
    if (last)
        answered(g);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b;
    g->engine.backend = NULL;
    g->engine.lost    = true;
    if (g->q->finished || g->q->stopped)
        return;
    slot_count(g->q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
    g->error = *why;
    end(g);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

static void
render(struct gathering *g)
{
    struct query_run *q     = g->q;
    struct leg       *leg   = &g->engine;
    struct bind_list  binds = { 0 };

    if (g->spec->text == NULL)
        return;
    plan_render(&q->plan->plan, g->spec->text, &q->values, query_render_mode(q), &leg->text,
                &binds);
    query_bind(q, &binds, 0, &leg->params, &leg->n_params);
    free(binds.items);
    query_fill_leg(leg);
}

static void
strict_said(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct sql_error why;

    (void)bytes;
    if (last && result_error(&x->reader, &why))
        backend_close(b, &why); /* values could be stored that no shard would store */
}

static void
strict_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)x, (void)b, (void)why; /* the statement's exchange hears of it */
}

static const struct exchange_ops strict_ops = {
    .on_bytes = strict_said,
    .on_lost  = strict_lost,
};

/* The copies have no transactions, and STRICT_TRANS_TABLES lets the second of several rows pass
 * where there are none. */
static void
be_strict(struct gathering *g)
{
    backend_send(g->engine.backend, COM_QUERY,
                 SPAN("SET sql_mode = IF(FIND_IN_SET('STRICT_TRANS_TABLES', @@sql_mode), "
                      "CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), @@sql_mode)"),
                 &g->restore, &strict_ops);
}

void
gather_answer(struct gathering *g)
{
    struct query_run *q = g->q;

    g->state     = GATHER_ANSWERING;
    q->legs      = &g->engine;
    q->n_legs    = 1;
    q->n_over    = 0;
    q->leg_ended = NULL;
    render(g);
    if (g->changes != NULL)
        be_strict(g);
    leg_send(&g->engine, &ops);
}
