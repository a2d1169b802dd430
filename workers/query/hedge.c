/* hedge.c - see hedge.h.
 *
 *   ARMED --timer--> ASKED --> the second answer is whole: it takes the first one's place
 *     \                \
 *      +-- hedge_end() -+--> what is under way becomes a straggler, which nobody waits for
 */
#include "workers/query/hedge.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/backend/reaper.h"
#include "workers/query/limits.h"
#include "workers/query/replica.h"

enum {
    LEAST_US        = 1000,
    TICK_US         = 1000, /* of timers: the one that has begun may be nearly over */
    STRAGGLER_MS    = 1000,
    STRAGGLER_BYTES = 4 << 20,
};

struct hedge {
    struct query_run *q;
    struct timer      timer;
    bool              asked;
    uint64_t          since_us; /* the first was sent */
    struct leg        second;
};

/* --- answers that nobody waits for -------------------------------------------------- */

struct straggler {
    struct context   *ctx;
    struct backend   *backend;
    struct exchange   x;
    struct server_use use;
    struct timer      timer;
};

static void
straggler_end(struct straggler *s, enum server_outcome outcome)
{
    timer_stop(ring_timers(s->ctx->ring), &s->timer);
    server_end(&s->use, outcome, outcome == SERVER_WELL);
    free(s);
}

static void
straggler_cut(struct straggler *s)
{
    struct backend *b = s->backend;

    reaper_kill(s->ctx, b->pool->key.shard_id, b->login.thread_id);
    list_remove(&s->x.node);
    s->x.armed = false;
    straggler_end(s, SERVER_UNSAID);
    backend_close(b, NULL);
}

static void
straggler_late(struct timer *timer)
{
    straggler_cut(container_of(timer, struct straggler, timer));
}

static void
straggler_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct straggler *s = container_of(x, struct straggler, x);

    (void)bytes;
    if (last) {
        straggler_end(s, replica_outcome(x->reader.error));
        pool_release(b);
    } else if (x->reader.n_bytes > STRAGGLER_BYTES)
        straggler_cut(s);
}

static void
straggler_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b, (void)why;
    straggler_end(container_of(x, struct straggler, x), SERVER_BADLY);
}

static const struct exchange_ops straggler_ops = { .on_bytes = straggler_bytes,
                                                   .on_lost  = straggler_lost };

static void
forget(struct exchange *x)
{
    if (x->armed)
        list_remove(&x->node);
    x->armed = false;
}

/* Only the statement's answer is still to come on its connection. */
static bool
is_alone(const struct leg *leg)
{
    return leg->state == LEG_RUNNING && leg->x.armed && !leg->begin.armed &&
           !leg->prepare.armed && !leg->time.armed && !leg->role.armed && !leg->patience.armed &&
           leg->backend->fifo.next == &leg->x.node && leg->x.node.next == &leg->backend->fifo;
}

static void
close_at_once(struct leg *leg)
{
    struct exchange *all[] = { &leg->x, &leg->begin, &leg->prepare, &leg->time, &leg->role,
                                &leg->patience };
    struct backend  *b     = leg->backend;

    for (size_t i = 0; i < countof(all); i++)
        forget(all[i]);
    leg->backend = NULL;
    server_end(&leg->use, SERVER_UNSAID, false);
    reaper_kill(leg->q->ctx, leg->shard_id, b->login.thread_id);
    backend_close(b, NULL);
}

/* The leg has nothing under way any more. */
static void
let_go(struct leg *leg)
{
    struct backend *b = leg->backend;

    pool_cancel(&leg->waiter);
    query_share_drop(leg); /* what is shared stays in its place, and goes on */
    buf_fini(&leg->answer);
    if (b == NULL) {
        server_end(&leg->use, SERVER_UNSAID, false);
        return;
    }
    if (!is_alone(leg)) {
        close_at_once(leg);
        return;
    }
    struct straggler *s = mem_alloc(sizeof(*s));

    *s = (struct straggler){ .ctx = leg->q->ctx, .backend = b, .x = leg->x, .use = leg->use };
    s->x.ops        = &straggler_ops;
    leg->use.server = NULL;
    leg->backend    = NULL;
    forget(&leg->x);
    list_append(&b->fifo, &s->x.node);
    timer_start(ring_timers(s->ctx->ring), &s->timer, STRAGGLER_MS, straggler_late);
    backend_resume(b);
}

/* --- the second one ------------------------------------------------------------------- */

static struct hedge *
hedge_of(struct leg *second)
{
    return container_of(second, struct hedge, second);
}

/* It has failed: the first one is still waited for. */
static void
second_over(struct leg *second)
{
    buf_fini(&second->answer);
}

static void
took(const struct hedge *h)
{
    quantile_note(&h->q->plan->slow, ring_now_us(h->q->ctx->ring) - h->since_us);
}

static void
win(struct hedge *h)
{
    struct query_run *q      = h->q;
    struct leg       *first  = &q->legs[0];
    struct leg       *second = &h->second;

    q->hedge = NULL;
    took(h);
    slot_count(q->ctx->slot, COUNTER_HEDGES_WON);
    let_go(first);
    first->state     = LEG_RUNNING;
    first->shard_id  = second->shard_id;
    first->backend   = second->backend;
    first->counters  = second->counters;
    first->sent_us   = second->sent_us;
    first->use       = second->use;
    first->answer    = second->answer;
    first->x.reader  = second->x.reader;
    first->statement = second->statement;
    *second          = (struct leg){ .state = LEG_OVER };
    query_relay_take(first);
}

static void
second_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *second = container_of(x, struct leg, x);
    struct sql_error why;

    (void)b;
    if (last && result_error(&x->reader, &why)) {
        replica_blame(second, why.code);
        leg_over(second, &why);
        return;
    }
    buf_append_span(&second->answer, bytes);
    if (last)
        win(hedge_of(second));
    else if (buf_len(&second->answer) > REPLICA_HOLD_BYTES)
        hedge_end(second->q);
}

static const struct exchange_ops second_ops = { .on_bytes = second_bytes, .on_lost = leg_lost };

static void
second_ready(struct leg *second)
{
    leg_send(second, &second_ops);
}

static void
ask(struct timer *timer)
{
    struct hedge     *h     = container_of(timer, struct hedge, timer);
    struct query_run *q     = h->q;
    struct leg       *first = &q->legs[0];
    struct server    *other;

    if (first->state != LEG_RUNNING && !q->answered && first->n_retries == 0) {
        timer_start(ring_timers(q->ctx->ring), timer, 1, ask); /* it waits for a connection */
        return;
    }
    if (first->state != LEG_RUNNING || first->use.server == NULL || q->answered ||
        first->n_retries != 0 || (other = replica_other(first)) == NULL ||
        !servers_may_hedge(q->ctx))
        return;
    h->asked  = true;
    h->second = (struct leg){ .q = q, .shard = first->shard, .shard_id = other->id,
                              .heard = true, /* it is not tried elsewhere */
                              .ready = second_ready, .over = second_over };
    slot_count(q->ctx->slot, COUNTER_HEDGES);
    server_begin(&h->second.use, other);
    leg_start(&h->second);
}

/* --- the first one --------------------------------------------------------------------- */

static bool
may_have_two(const struct query_run *q)
{
    return q->consistency == CONSISTENCY_EVENTUAL && q->plan->plan.stateless && q->n_legs == 1 &&
           q->merging == NULL && q->gathering == NULL && q->cursor_flags == 0 && !q->one_off &&
           !q->s->in_txn && !q->more && q->seq == 1 && !q->keeps_diagnostics &&
           !query_counts_rows(q);
}

void
hedge_arm(struct leg *leg)
{
    struct query_run *q = leg->q;

    if (q->ctx->conf.hedge_percent == 0 || q->hedge != NULL || !may_have_two(q))
        return;
    uint64_t      us = quantile_value(&q->plan->slow);
    struct hedge *h  = arena_alloc(&q->arena, sizeof(*h));

    *h       = (struct hedge){ .q = q, .since_us = ring_now_us(q->ctx->ring) };
    q->hedge = h;
    if (us == 0)
        return; /* it is only timed */
    servers_earn_hedge(q->ctx);
    us = us < LEAST_US ? LEAST_US : us;
    timer_start(ring_timers(q->ctx->ring), &h->timer, (us + TICK_US + 999) / 1000, ask);
}

void
hedge_end(struct query_run *q)
{
    struct hedge *h = q->hedge;

    if (h == NULL)
        return;
    q->hedge = NULL;
    timer_stop(ring_timers(q->ctx->ring), &h->timer);
    took(h);
    if (!h->asked || h->second.state == LEG_OVER)
        return;
    let_go(&h->second);
    h->second.state = LEG_OVER;
}
