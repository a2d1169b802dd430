/* query_gather.c - a read that needs one server: its beginning, its limits and its end; see
 * gather.h.
 */
#include <stdlib.h>

#include "workers/backend/reaper.h"
#include "core/route/own_table.h"
#include "workers/query/gather.h"
#include "workers/query/own_tables.h"
#include "workers/query/own_vars.h"
#include "workers/query/replica.h"
#include "workers/query/snapshot.h"
#include "workers/query/txn.h"

enum {
    ERR_TIMEOUT   = 1969, /* ER_STATEMENT_TIMEOUT */
    ERR_READ_ONLY = 1792, /* ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION */
};

/* --- the end -------------------------------------------------------------- */

void
gather_drop_engine(struct gathering *g, const struct sql_error *why)
{
    struct leg     *leg = &g->engine;
    struct backend *b   = leg->backend;

    pool_cancel(&leg->waiter);
    leg->state   = LEG_OVER;
    leg->backend = NULL;
    buf_fini(&leg->text);
    if (b == NULL)
        return;
    if (!list_empty(&b->fifo))
        reaper_kill(g->q->ctx, leg->shard_id, b->login.thread_id);
    backend_close(b, why);
}

/* What is held for a transaction or a pin is kept: what it still sends is read and dropped. */
static bool
is_needed(const struct query_run *q, const struct leg *leg)
{
    const struct held *h = session_held(q->s, leg->shard_id);

    return h != NULL && h->backend == leg->backend && !q->s->implicit;
}

static void
stop_leg(struct query_run *q, struct leg *leg, const struct sql_error *why)
{
    struct backend *b = leg->backend;

    if (leg->state == LEG_OVER || (b != NULL && is_needed(q, leg)))
        return;
    pool_cancel(&leg->waiter);
    leg->backend = NULL;
    if (b != NULL && !list_empty(&b->fifo))
        reaper_kill(q->ctx, leg->shard_id, b->login.thread_id);
    if (b != NULL)
        backend_close(b, why);
    replica_drop(leg);
    leg_over(leg, why);
}

void
gather_stop(struct gathering *g, const struct sql_error *why)
{
    struct query_run *q = g->q;

    if (g->failed || g->state == GATHER_OVER)
        return;
    g->failed = true;
    g->error  = *why;
    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        definition_forget(&g->sources[i].request);
        buf_fini(&g->sources[i].lines);
    }
    g->n_asked = 0;
    if (g->state != GATHER_LOADING)
        return;
    gather_drop_engine(g, why);
    for (uint32_t i = 0; i < q->n_legs; i++)
        stop_leg(q, &q->legs[i], &g->error);
    gather_flow(g);
}

/* A replica's error is not the client's before a primary has said it as well. */
static bool
begins_anew(struct query_run *q)
{
    if (!q->gathering->weakly || q->s->in_txn || q->answered || q->finished)
        return false;
    query_gather_free(q);
    slot_count(q->ctx->slot, COUNTER_RETRIES);
    q->consistency = CONSISTENCY_STRONG;
    q->failed      = false;
    q->error       = (struct sql_error){ 0 };
    q->n_legs = q->n_over = 0;
    query_gather(q, query_any_shard(q));
    return true;
}

static void
failed(struct query_run *q)
{
    if (!begins_anew(q))
        query_fail(q, &q->gathering->error);
}

static void
failed_alone(struct query_run *q, const struct sql_error *error)
{
    (void)error;
    failed(q);
}

static void
reads_over(struct query_run *q, const struct sql_error *error)
{
    struct gathering *g = q->gathering;

    (void)error; /* what was read was read */
    gather_enter(g);
    g->reads_over = true;
    gather_leave(g);
}

/* The shards have done their part. */
static void
end_reads(struct gathering *g)
{
    g->ended = true;
    if (g->q->s->implicit)
        txn_rollback(g->q, reads_over);
    else
        reads_over(g->q, NULL);
}

/* The client hears of it when the shards are through with it. */
static void
fail(struct gathering *g)
{
    struct query_run *q = g->q;

    g->state = GATHER_OVER;
    timer_stop(ring_timers(q->ctx->ring), &g->deadline);
    txn_deadlock(q, &g->error);
    if (q->s->implicit)
        txn_rollback(q, failed_alone);
    else
        txn_settle(q, g->error.code, failed);
}

void
gather_enter(struct gathering *g)
{
    g->inside++;
}

static void
next_wave(struct gathering *g)
{
    g->legs_over = false;
    g->wave++;
    gather_fetch(g);
}

void
gather_leave(struct gathering *g)
{
    if (g->inside == 1 && g->legs_over && g->state == GATHER_LOADING && !g->failed &&
        g->wave + 1 < g->spec->n_waves)
        next_wave(g);
    if (g->inside == 1 && g->legs_over && g->state == GATHER_LOADING) {
        if (g->failed && (!g->ended || g->reads_over)) {
            g->inside = 0;
            fail(g);
            return;
        }
        if (!g->failed && !g->ended)
            end_reads(g);
        if (!g->failed && g->reads_over && g->engine_ready) {
            g->inside = 0;
            gather_answer(g);
            return;
        }
    }
    bool early = g->state == GATHER_ASKING || g->state == GATHER_OPENING;
    g->inside--;
    if (g->inside == 0 && g->failed && early)
        fail(g);
}

/* --- the parts of the statement ------------------------------------------- */

static void
legs_over(struct query_run *q)
{
    struct gathering *g = q->gathering;

    gather_enter(g);
    g->legs_over = true;
    if (q->failed) {
        struct sql_error why = q->error;
        gather_stop(g, &why);
    }
    gather_leave(g);
}

static void
load(struct gathering *g)
{
    if (!gather_render(g))
        return;
    g->state       = GATHER_LOADING;
    g->q->all_over = legs_over;
    gather_fetch(g);
}

static void
opened(struct query_run *q, const struct sql_error *error)
{
    struct gathering *g = q->gathering;

    gather_enter(g);
    if (error != NULL)
        gather_stop(g, error);
    else
        load(g);
    gather_leave(g);
}

/* As query_scatter(): one moment of all shards, where reads want it. */
static void
open_snapshot(struct gathering *g)
{
    struct query_run    *q    = g->q;
    struct snapshot_spec spec = { .read_only = true, .implicit = true };
    bool                 locks = q->plan->plan.locks;

    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        locks |= g->spec->tables[i].locks;
        for (uint32_t s = g->sources[i].shards.first; s != ROUTES_NONE;
             s          = shard_set_next(&g->sources[i].shards, s + 1))
            shard_set_add(&spec.shards, s);
    }
    if (!session_snapshot_reads(q->s) || q->s->in_txn || locks || spec.shards.n == 1) {
        load(g);
        return;
    }
    g->state   = GATHER_OPENING;
    spec.begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    snapshot_open(q, &spec, opened);
}

static void
defined(struct definition_request *r, struct definition *d, const struct sql_error *why)
{
    struct source    *source = container_of(r, struct source, request);
    struct gathering *g      = source->g;

    gather_enter(g);
    source->definition = d;
    g->n_asked--;
    if (d == NULL)
        gather_stop(g, why);
    else if (g->n_asked == 0 && g->inside == 1)
        open_snapshot(g);
    gather_leave(g);
}

static void
define(struct gathering *g)
{
    struct query_run    *q = g->q;
    const struct routes *r = q->routes->routes;

    for (uint32_t i = 0; i < g->spec->n_tables && !g->failed; i++) {
        struct source *source = &g->sources[i];
        source->request.ready = defined;
        source->definition    = own_table_is(r, source->table->table)
                                    ? own_tables_definition(q, source->table->table)
                                    : definition_find(q->ctx, r, source->table->table);
        if (source->definition != NULL)
            continue;
        g->n_asked++;
        definition_ask(q->ctx, q->routes, source->table->table,
                       r->shards[source->shards.first].id, &source->request);
    }
    if (g->n_asked == 0 && !g->failed)
        open_snapshot(g);
}

/* --- limits --------------------------------------------------------------- */

static void
too_long(struct timer *timer)
{
    struct gathering *g = container_of(timer, struct gathering, deadline);
    struct sql_error  why;

    slot_count(g->q->ctx->slot, COUNTER_GATHER_LIMIT_SECONDS);
    sql_error_set(&why, ERR_TIMEOUT, "shardd: bringing together the rows of the statement took "
                  "longer than gather_max_seconds (%u); narrow it down, or raise the setting",
                  g->q->ctx->conf.gather_max_seconds);
    query_kill(g->q, &why);
}

/* --- the beginning -------------------------------------------------------- */

/* A temporary table of the session may have the name of one that came later. */
static bool
is_hidden(struct query_run *q)
{
    const struct gather_spec *spec = q->plan->plan.gather;

    for (uint32_t i = 0; i < spec->n_tables; i++) {
        const struct gather_table *t = &spec->tables[i];
        if (own_table_is(q->routes->routes, t->table) ||
            !pins_has_table(&q->s->pins, t->schema, t->name))
            continue;
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: the temporary table '%.*s' hides a table of "
                     "the same name on one shard only, and the statement needs rows of several "
                     "shards: give it another name", (int)t->name.len, t->name.ptr);
        return true;
    }
    return false;
}

/* What a server keeps for the session alone no other server has. */
static bool
refuse(struct query_run *q)
{
    const struct session *s = q->s;

    /* No shard would say so where no row is to be changed. */
    if (q->plan->plan.change != NULL && (s->in_txn ? s->read_only : session_is_read_only(s)) &&
        !own_tables_alone(q)) {
        query_refuse(q, ERR_READ_ONLY, "Cannot execute statement in a READ ONLY transaction");
        return true;
    }
    if (is_hidden(q))
        return true;
    if (q->plan->plan.gather->calls && pins_has(&s->pins, PIN_TEMPORARY_TABLE)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a routine that reads rows of several shards "
                     "runs on an engine, where the session's temporary tables are not: drop them "
                     "before");
        return true;
    }
    if (pins_has(&s->pins, PIN_USER_VARIABLE) && q->plan->plan.sees_variables) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a user variable of the session has a character "
                     "set or a size that ties it to one shard, and this statement runs elsewhere: "
                     "set the variable in utf8mb4");
        return true;
    }
    return false;
}

void
query_gather(struct query_run *q, uint32_t any)
{
    const struct gather_spec *spec   = q->plan->plan.gather;
    const struct routes      *r      = q->routes->routes;
    struct gathering         *g      = arena_alloc(&q->arena, sizeof(*g));
    uint32_t                  engine = routes_engine(r, q->s->id);

    if (engine == ROUTES_NONE) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: this statement needs rows of several shards on "
                     "an engine, and no engine is up: see shardctl engine list");
        return;
    }
    if (refuse(q))
        return;
    if (q->plan->plan.change != NULL && q->changing == NULL) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a write that needs rows of several shards in "
                     "one place cannot be executed for many rows at once, nor with a key that is "
                     "not what its column stores: execute it row by row, with such keys");
        return;
    }
    slot_count(q->ctx->slot, COUNTER_ROUTE_GATHER);
    g->q       = q;
    g->spec    = spec;
    g->sources = arena_alloc(&q->arena, spec->n_tables * sizeof(*g->sources));
    for (uint32_t i = 0; i < spec->n_tables; i++) {
        g->sources[i].g     = g;
        g->sources[i].table = &spec->tables[i];
        gather_route(&q->plan->plan, r, &spec->tables[i], &q->values, any, &g->sources[i].shards);
    }
    q->gathering    = g;
    q->cursor_flags = CURSOR_TYPE_NO_CURSOR;
    if (q->ctx->conf.gather_max_seconds != 0)
        timer_start(ring_timers(q->ctx->ring), &g->deadline,
                    (uint64_t)q->ctx->conf.gather_max_seconds * 1000, too_long);
    leg_to_engine(&g->engine, q, engine, NULL, NULL);
    gather_enter(g);
    define(g);
    gather_leave(g);
}

void
query_gather_abandon(struct query_run *q)
{
    struct gathering *g = q->gathering;

    if (g == NULL)
        return;
    g->failed = true;
    g->state  = GATHER_OVER;
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        definition_forget(&g->sources[i].request);
    timer_stop(ring_timers(q->ctx->ring), &g->deadline);
    gather_drop_engine(g, NULL);
}

void
query_gather_free(struct query_run *q)
{
    struct gathering *g = q->gathering;

    if (g == NULL)
        return;
    timer_stop(ring_timers(q->ctx->ring), &g->deadline);
    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        definition_release(g->sources[i].definition);
        buf_fini(&g->sources[i].lines);
    }
    gather_forget_told(g);
    buf_fini(&g->engine.text);
    buf_fini(&g->head);
    buf_fini(&g->tail);
    change_writer_fini(&g->writer);
    q->gathering = NULL;
}
