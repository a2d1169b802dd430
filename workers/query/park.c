/* park.c - see park.h. */
#include "workers/query/park.h"

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/route/fence.h"

enum {
    ERR_LOCK_WAIT = 1205, /* ER_LOCK_WAIT_TIMEOUT */
    ERR_DEADLOCK  = 1213, /* ER_LOCK_DEADLOCK */
    BUDGET_US     = 2000, /* of a loop turn, for those that go on */
    GRACE_US      = 20000, /* then others may be waiting for what a transaction holds */
};

struct parking {
    struct context *ctx;
    struct list     parked; /* query_run.parked; those that have seen the newest routes last */
    struct list     eased;  /* the same of those that wait for their turn to begin, in order */
    struct timer    timer;  /* the first deadline */
    struct task     task;
};

/* --- who is old ----------------------------------------------------------- */

bool
park_is_old(const struct session *s, const struct routes *r)
{
    bool pinned = pins_has(&s->pins, PIN_LOCK_TABLES) || pins_has(&s->pins, PIN_HANDLER) ||
                  pins_has(&s->pins, PIN_CURSOR);

    for (uint32_t i = 0; r->fenced && i < s->n_held; i++) {
        const struct held        *h     = &s->held[i];
        const struct route_shard *shard = routes_server(r, h->of);
        if (shard != NULL && shard->fenced && (h->role != HELD_PIN || pinned))
            return true;
    }
    return false;
}

/* Something of the statement outlives it, where it runs. */
static bool
stays(const struct query_run *q)
{
    const struct session *s   = q->s;
    enum pin_reason       pin = q->plan != NULL ? q->plan->plan.pin : PIN_NONE;

    bool unseen = q->plan != NULL && (q->plan->plan.opaque || q->plan->plan.runs_code);

    return s->in_txn || !s->autocommit || q->cursor_flags != 0 || pin == PIN_LOCK_TABLES ||
           pin == PIN_HANDLER || unseen; /* a routine may begin a transaction */
}

/* A transaction with work on some shard, for whose locks an old one may wait. */
static bool
holds_something(const struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].role != HELD_PIN)
            return true;
    return false;
}

static bool
may_become_old(const struct query_run *q)
{
    return !q->ctx->fence_closed && holds_something(q->s) &&
           (q->s->txn_generation < q->ctx->fence_since ||
            (q->parked_us != 0 && ring_now_us(q->ctx->ring) >= q->parked_us + GRACE_US));
}

/* Routes of before the last ones may have no fence, or another one: what runs by them is
 * waited for. */
static bool
concerns(const struct query_run *q)
{
    const struct routes *r = q->routes->routes;

    return r->fenced && !park_is_old(q->s, r) && !may_become_old(q);
}

static void
explain(const struct routes *r, bool late, uint32_t wait_ms, struct sql_error *error)
{
    char what[200];

    fence_describe(r, what, sizeof(what));
    if (late)
        sql_error_set(error, ERR_LOCK_WAIT, "Lock wait timeout exceeded; try restarting "
                      "transaction (shardd: %s are being moved, and the statement waited for "
                      "%u ms, fence_wait_ms: try it again)", what, wait_ms);
    else
        sql_error_set(error, ERR_LOCK_WAIT, "Lock wait timeout exceeded; try restarting "
                      "transaction (shardd: %s are being moved: try it again)", what);
}

bool
park_may_join(const struct query_run *q, uint32_t shard, struct sql_error *error)
{
    const struct routes *r = q->routes != NULL ? q->routes->routes : NULL;

    if (r == NULL || !r->fenced || q->s->implicit || !r->shards[shard].fenced ||
        !concerns(q))
        return true;
    explain(r, false, 0, error);
    return false;
}

void
park_explain_cut(struct sql_error *error)
{
    sql_error_set(error, ERR_DEADLOCK, "Deadlock found when trying to get lock; try restarting "
                  "transaction (shardd: it was rolled back because rows that it has used are "
                  "being moved to another shard: run it again)");
}

bool
park_tell_cut(struct query_run *q)
{
    const struct plan *plan = q->plan != NULL ? &q->plan->plan : NULL;
    struct sql_error   why;

    if (!q->s->cut)
        return false;
    q->s->cut = false;
    if (plan != NULL && plan->kind == PLAN_TXN && plan->txn->verb == TXN_ROLLBACK)
        return false;
    park_explain_cut(&why);
    slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
    query_fail(q, &why);
    return true;
}

/* --- going on ------------------------------------------------------------- */

static uint64_t
late_us(const struct query_run *q)
{
    return q->parked_us + (uint64_t)q->ctx->conf.fence_wait_ms * 1000;
}

static uint64_t
due_us(const struct query_run *q)
{
    return q->parked_grace ? q->parked_us + GRACE_US : late_us(q);
}

static void expire(struct timer *timer);

static void
watch(struct parking *p)
{
    uint64_t first = UINT64_MAX, now = ring_now_us(p->ctx->ring);

    LIST_EACH(at, &p->parked) {
        uint64_t due = due_us(container_of(at, struct query_run, parked));
        if (due < first)
            first = due;
    }
    if (first == UINT64_MAX)
        timer_stop(ring_timers(p->ctx->ring), &p->timer);
    else
        timer_start(ring_timers(p->ctx->ring), &p->timer,
                    first > now ? (first - now) / 1000 + 1 : 0, expire);
}

static void
unpark(struct query_run *q)
{
    struct slot *slot = q->ctx->slot;

    list_remove(&q->parked);
    q->parked.next = NULL;
    slot_sub(slot, COUNTER_PARKED, 1);
    histogram_record(&slot->latency[q->parked_turn ? LATENCY_EASED : LATENCY_PARKED],
                     (ring_now_us(q->ctx->ring) - q->parked_again_us) * 1000);
    q->parked_turn = false;
    client_waits_for_move(slot, q->s->row, false);
}

void
park_leave(struct query_run *q)
{
    if (!park_is_parked(q))
        return;
    unpark(q);
    q->routes = routes_hold(q->ctx); /* as every statement that ends has some */
}

static void
expire(struct timer *timer)
{
    struct parking  *p   = container_of(timer, struct parking, timer);
    uint64_t         now = ring_now_us(p->ctx->ring);
    struct sql_error why;
    struct list      late;

    list_init(&late);
    LIST_EACH_SAFE(at, &p->parked) {
        if (due_us(container_of(at, struct query_run, parked)) > now)
            continue;
        list_remove(at);
        list_append(&late, at);
    }
    while (!list_empty(&late)) {
        struct query_run *q = container_of(late.next, struct query_run, parked);
        if (late_us(q) > now) {
            unpark(q);
            q->ops->again(q);
            continue;
        }
        park_leave(q);
        explain(q->routes->routes, true, q->ctx->conf.fence_wait_ms, &why);
        slot_count(q->ctx->slot, COUNTER_PARKED_TIMEOUTS);
        slot_count(q->ctx->slot, COUNTER_ERRORS_TIMEOUT);
        query_fail(q, &why);
    }
    watch(p);
}

/* The first that has not been asked since the newest routes came. */
static struct query_run *
next_to_ask(const struct parking *p)
{
    struct query_run *q = list_empty(&p->parked)
                              ? NULL
                              : container_of(p->parked.next, struct query_run, parked);

    return q != NULL && q->parked_under != p->ctx->routes->routes->generation ? q : NULL;
}

static void
go_on(struct task *task)
{
    struct parking   *p     = container_of(task, struct parking, task);
    uint64_t          until = clock_us() + BUDGET_US;
    struct query_run *q;

    while ((q = next_to_ask(p)) != NULL) {
        unpark(q);
        q->ops->again(q);
        if (clock_us() >= until) {
            ring_post(p->ctx->ring, &p->task);
            return;
        }
    }
    watch(p);
}

void
park_wake(struct context *ctx)
{
    struct parking *p = ctx->parking;

    ctx->ease_room = 0;
    if (p == NULL)
        return;
    while (!list_empty(&p->eased)) { /* they meet other routes as the others do */
        struct list *first = p->eased.next;
        list_remove(first);
        list_append(&p->parked, first);
    }
    if (!list_empty(&p->parked))
        ring_post(ctx->ring, &p->task);
}

/* --- parking -------------------------------------------------------------- */

static struct parking *
parking_of(struct context *ctx)
{
    if (ctx->parking != NULL)
        return ctx->parking;
    ctx->parking      = mem_alloc(sizeof(*ctx->parking));
    ctx->parking->ctx = ctx;
    list_init(&ctx->parking->parked);
    list_init(&ctx->parking->eased);
    task_init(&ctx->parking->task, go_on);
    return ctx->parking;
}

/* As it was before it was routed. What it has in its arena stays there. */
void
park_forget_route(struct query_run *q)
{
    plan_ref_release(q->plan);
    routes_drop(q->routes);
    q->plan      = NULL;
    q->routes    = NULL;
    q->legs      = NULL;
    q->n_legs    = q->n_over = 0;
    q->inserting = NULL;
    q->local     = NULL;
    q->leg_ready = NULL;
    q->leg_sent  = NULL;
    q->leg_ended = NULL;
    q->all_over  = NULL;
    q->failed    = false;
}

static void
put_into(struct query_run *q, struct list *list)
{
    struct slot *slot = q->ctx->slot;

    q->parked_again_us = ring_now_us(q->ctx->ring);
    if (q->parked_us == 0)
        q->parked_us = q->parked_again_us;
    q->parked_under = q->routes->routes->generation;
    park_forget_route(q);
    list_append(list, &q->parked);
    slot_count(slot, COUNTER_PARKED);
    slot_count(slot, COUNTER_PARKED_TOTAL);
    client_waits_for_move(slot, q->s->row, true);
}

void
park(struct query_run *q)
{
    struct parking *p     = parking_of(q->ctx);
    bool            first = list_empty(&p->parked);

    put_into(q, &p->parked);
    q->parked_grace = q->parked_again_us < q->parked_us + GRACE_US && !q->ctx->fence_closed &&
                      holds_something(q->s);
    if (first || q->parked_grace)
        watch(p);
}

/* --- a few at a time ------------------------------------------------------ */

/* A transaction that would begin on an eased shard, and has to wait for others to end. */
static bool
waits_for_turn(struct query_run *q, const struct shard_set *shards)
{
    const struct routes *r     = q->routes->routes;
    bool                 eased = false;

    for (uint32_t i = shards->first; r->eases != 0 && shards->n != 0 && i != ROUTES_NONE && !eased;
         i = shard_set_next(shards, i + 1))
        eased = r->shards[i].eased;
    if (!eased || !stays(q) || holds_something(q->s) || q->parked_turn_came)
        return false;
    struct parking *p = parking_of(q->ctx);
    if (q->ctx->ease_room > 0 && list_empty(&p->eased)) {
        q->ctx->ease_room--;
        return false;
    }
    put_into(q, &p->eased);
    q->parked_turn = true;
    return true;
}

void
park_let(struct context *ctx, uint32_t n)
{
    struct parking *p = ctx->parking;

    while (n > 0 && p != NULL && !list_empty(&p->eased)) {
        struct query_run *q = container_of(p->eased.next, struct query_run, parked);
        unpark(q);
        q->parked_turn_came = true;
        q->ops->again(q);
        n--;
    }
    ctx->ease_room = n;
}

bool
park_is_eased(const struct session *s, const struct routes *r)
{
    for (uint32_t i = 0; r->eases != 0 && i < s->n_held; i++) {
        const struct route_shard *shard = routes_server(r, s->held[i].of);
        if (shard != NULL && shard->eased && s->held[i].role != HELD_PIN)
            return true;
    }
    return false;
}

/* --- is it parked? -------------------------------------------------------- */

bool
park_if_fenced(struct query_run *q, const struct shard_set *shards, uint32_t any)
{
    if (waits_for_turn(q, shards))
        return true;
    if (!concerns(q) || !fence_meets(&q->plan->plan, q->routes->routes, &q->values, shards, any,
                                     stays(q)))
        return false;
    park(q);
    return true;
}

bool
park_if_stays(struct query_run *q, uint32_t shard)
{
    struct shard_set one = { 0 };

    shard_set_add(&one, shard);
    if (waits_for_turn(q, &one))
        return true;
    if (!concerns(q) || !stays(q) || !q->routes->routes->shards[shard].fenced)
        return false;
    park(q);
    return true;
}

bool
park_if_rows_fenced(struct query_run *q, const uint64_t *hashes, uint32_t n,
                    const struct shard_set *shards)
{
    if (waits_for_turn(q, shards))
        return true;
    if (!concerns(q) || !fence_meets_rows(&q->plan->plan, q->routes->routes, hashes, n, shards,
                                          stays(q)))
        return false;
    park(q);
    return true;
}
