/* query_share.c - a read tries its luck on a backend that others use as well.
 *
 * The client gets nothing until the whole answer is there and is what was hoped for: small,
 * without error and without warnings. Anything else is thrown away, and the statement
 * runs again on a backend of its own, where everything is possible: so nothing that a
 * client can see depends on whether it shared.
 */
#include "workers/query/leg.h"
#include "workers/query/limits.h"

enum {
    SHARED_TEXT_MAX = 4096, /* of a statement: what stands before others is read quickly */
};

static struct leg *
leg_of(struct exchange *x)
{
    return container_of(x, struct leg, x);
}

static size_t
params_bytes(const struct query_run *q)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < q->n_params; i++)
        bytes += q->params[i].bytes.len;
    return bytes;
}

bool
query_may_share(const struct query_run *q)
{
    const struct session *s = q->s;

    if (q->ctx->conf.pipeline < 2 || q->plan == NULL || !q->plan->plan.stateless ||
        q->plan->plan.sees_settings || !pace_is_quick(&q->plan->pace))
        return false;
    if (q->command != QUERY_TEXT && (q->command != QUERY_EXECUTE || q->cursor_flags != 0))
        return false;
    if (s->in_txn || !s->autocommit || s->pins.set != 0 || s->n_held != 0 ||
        s->next_transaction != NULL)
        return false;
    return !q->more && q->seq == 1 && !q->keeps_diagnostics &&
           q->text.len + params_bytes(q) <= SHARED_TEXT_MAX;
}

static void
alone(struct leg *leg)
{
    leg->shared           = NULL;
    leg->state            = LEG_NEW;
    leg->waiter.may_share = false;
    buf_fini(&leg->answer);
    leg_start(leg);
}

/* --- what comes back ------------------------------------------------------ */

static bool
is_clean(const struct result_reader *r)
{
    return r->error == 0 && r->warnings == 0 && r->had_rows && r->n_results == 1 &&
           !r->session_changed && r->n_bytes <= PACE_SMALL_BYTES &&
           !(r->status & (SERVER_STATUS_IN_TRANS | SERVER_MORE_RESULTS_EXISTS));
}

/* Where rows are counted one by one the exact answer is found. */
static bool
is_within(const struct query_run *q, const struct result_reader *r)
{
    const uint64_t *limit = q->s->limit;

    return !query_counts_rows(q) || ((limit[LIMIT_ROWS] == 0 || r->n_rows <= limit[LIMIT_ROWS]) &&
                                     (limit[LIMIT_BYTES] == 0 || r->n_bytes <= limit[LIMIT_BYTES]));
}

static void
pass_on(struct leg *leg, struct span bytes)
{
    struct query_run *q = leg->q;

    buf_append_span(stream_out(q->client), buf_unread(&leg->answer));
    buf_append_span(stream_out(q->client), bytes);
    query_flush(q);
    buf_fini(&leg->answer);
    leg_read_outcome(leg, &leg->x.reader);
    query_relay_remember(leg);
    leg_over(leg, NULL);
}

static void
repeat(struct leg *leg)
{
    slot_count(leg->q->ctx->slot, COUNTER_PIPELINE_REPEATED);
    pace_slow(&leg->q->plan->pace);
    alone(leg);
}

static void
shared_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg *leg = leg_of(x);

    if (!last && x->reader.n_bytes <= PACE_SMALL_BYTES) {
        buf_append_span(&leg->answer, bytes);
        return;
    }
    if (!last) {
        share_leave(b, x);
        repeat(leg);
        return;
    }
    leg->shared   = NULL;
    uint32_t took = share_answered(b, x);
    if (took != 0)
        pace_note_shared(&leg->q->plan->pace, took, x->reader.n_bytes);
    /* How many rows OFFSET has skipped is not known when all were. */
    bool skipped = leg->q->plan->plan.has_offset && x->reader.n_rows == 0;
    if (is_clean(&x->reader) && is_within(leg->q, &x->reader) && !skipped)
        pass_on(leg, bytes);
    else
        repeat(leg);
}

/* No SELECT asks for a file. */
static void
shared_infile(struct exchange *x, struct backend *b)
{
    (void)x;
    backend_close(b, NULL);
}

static void
shared_moved(struct exchange *x, struct backend *b)
{
    (void)b;
    alone(leg_of(x));
}

static void
shared_holds(struct exchange *x, struct backend *b)
{
    (void)b;
    pace_held_up(&leg_of(x)->q->plan->pace);
}

static void
shared_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = leg_of(x);

    (void)b, (void)why;
    if (leg->q->finished)
        return;
    slot_count(leg->q->ctx->slot, COUNTER_RETRIES);
    leg->retried = true;
    alone(leg);
}

static const struct exchange_ops shared_ops = {
    .on_bytes  = shared_bytes,
    .on_infile = shared_infile,
    .on_lost   = shared_lost,
    .on_moved  = shared_moved,
    .on_holds  = shared_holds,
};

/* --- there ---------------------------------------------------------------- */

void
query_share(struct leg *leg, struct backend *b)
{
    leg->state   = LEG_RUNNING;
    leg->sent_us = ring_now_us(leg->q->ctx->ring);
    leg->shared  = b;
    leg->backend = b;
    leg_send(leg, &shared_ops);
    leg->backend = NULL; /* it is nobody's: not to be paused, kept or closed */
    share_joined(b, &leg->x, leg->q->plan->pace.us);
}

void
query_share_drop(struct leg *leg)
{
    struct backend *b = leg->shared;

    leg->shared = NULL;
    buf_fini(&leg->answer);
    if (b != NULL && leg->x.armed)
        share_leave(b, &leg->x);
}
