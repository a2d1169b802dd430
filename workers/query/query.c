/* query.c - see query.h. */
#include "workers/query/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/mysql/wire.h"
#include "core/route/gather.h"
#include "workers/query/diagnostics.h"
#include "workers/query/heat.h"
#include "workers/query/information.h"
#include "workers/query/leg.h"
#include "workers/query/lookup.h"
#include "workers/query/own_tables.h"
#include "workers/query/own_vars.h"
#include "workers/query/park.h"
#include "workers/query/processlist.h"
#include "workers/query/replica.h"
#include "workers/query/row_cursor.h"
#include "workers/query/set_transaction.h"
#include "workers/query/snapshot.h"
#include "workers/query/statement_time.h"
#include "workers/query/together.h"
#include "workers/query/track.h"
#include "workers/query/txn.h"

enum { ERR_LOST = 1927 /* ER_CONNECTION_KILLED */,
       ERR_CHANGED = 1412 /* ER_TABLE_DEF_CHANGED */,
       ERR_BAD_DB = 1049 /* ER_BAD_DB_ERROR */ };

/* --- answers of our own -------------------------------------------------- */

void
query_flush(struct query_run *q)
{
    q->answered = true;
    together_grown(q);
    if (q->silent || stream_flush(q->client) || q->paused)
        return;
    q->paused = true;
    q->slowed = true;
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].backend != NULL && q->legs[i].state == LEG_RUNNING)
            backend_pause(q->legs[i].backend);
}

void
query_resume(struct query_run *q)
{
    if (!q->paused)
        return;
    q->paused = false;
    if (q->command == QUERY_FETCH) {
        row_cursor_resume(q);
        return;
    }
    if (q->merging != NULL) {
        query_merge_resume(q);
        return;
    }
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].backend != NULL)
            backend_resume(q->legs[i].backend);
}

void
query_done(struct query_run *q)
{
    struct session *s = q->s;

    if (q->finished)
        return;
    q->finished = true;
    statement_time_note(q);
    if (q->plan != NULL && q->plan->plan.kind == PLAN_DDL)
        replica_changed(s); /* by the controller, on any shard */
    together_done(q);
    set_next_over(q);
    if (s->n_held != 0 && s->pins.set == 0 && !s->in_txn)
        session_unpinned(s);
    q->ops->done(q);
}

/* What a part of a statement has answered so far nobody has seen: there the error stands alone. */
static void
forget_unseen(struct query_run *q)
{
    if (!q->silent || !q->answered)
        return;
    buf_clear(stream_out(q->client));
    q->answered = false;
    q->seq      = 1;
}

void
query_fail(struct query_run *q, const struct sql_error *error)
{
    if (error != &q->error)
        q->error = *error; /* whoever runs parts of a statement asks for it */
    if (q->quiet) {
        q->failed = true;
        query_done(q);
        return;
    }
    together_take_back(q);
    forget_unseen(q);
    if (q->answered) {
        /* Half an answer cannot become an error any more. */
        q->cut = true;
    } else {
        reply_err_encode(stream_out(q->client), &q->seq, q->s->capabilities, error);
        query_flush(q);
    }
    q->failed       = true;
    q->s->row_count = -1;
    diagnostics_error(q->s, error);
    query_done(q);
}

void
query_refuse(struct query_run *q, uint16_t code, const char *fmt, ...)
{
    struct sql_error error;
    va_list          args;
    char             text[sizeof(error.message)];

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sql_error_set(&error, code, "%s", text);
    slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
    query_fail(q, &error);
}

void
query_ok(struct query_run *q, uint64_t affected, uint64_t insert_id, uint32_t warnings,
         struct span info)
{
    struct session *s  = q->s;
    struct ok       ok = {
              .affected_rows = affected,
              .insert_id     = insert_id,
              .status        = session_status(s) | q->more_status,
              .warnings      = (uint16_t)(warnings < UINT16_MAX ? warnings : UINT16_MAX),
              .info          = info,
              .track         = q->track,
    };

    if (q->quiet) {
        query_done(q);
        return;
    }
    if (q->more)
        ok.status |= SERVER_MORE_RESULTS_EXISTS;
    s->row_count = (int64_t)affected;
    if (warnings != 0)
        s->warnings = warnings;
    reply_ok_encode(stream_out(q->client), &q->seq, s->capabilities, &ok);
    query_flush(q);
    query_done(q);
}

/* --- dispatch ------------------------------------------------------------ */

/* Where a statement runs that may run anywhere: where the session is already. */
uint32_t
query_any_shard(const struct query_run *q)
{
    const struct routes  *r = q->routes->routes;
    const struct session *s = q->s;

    uint32_t              wanted = s->n_held > 0 ? s->held[0].of : ROUTES_NONE;

    for (uint32_t i = 0; wanted != ROUTES_NONE && i < r->n_shards; i++)
        if (r->shards[i].id == wanted)
            return i;
    for (uint32_t i = 0; r->fenced && i < r->n_shards; i++)
        if (!r->shards[(s->id + i) % r->n_shards].fenced)
            return (uint32_t)((s->id + i) % r->n_shards);
    return (uint32_t)(s->id % r->n_shards);
}

/* Where the tables of the current schema are described. */
static uint32_t
home_shard(const struct query_run *q)
{
    const struct routes *r  = q->routes->routes;
    uint32_t             db = routes_database(r, span_of(q->s->schema));

    return db != ROUTES_NONE ? r->databases[db].home : query_any_shard(q);
}

/* A user variable that no other server can be given lives on its backend only. */
static bool
reaches_pinned_variables(const struct query_run *q, const struct shard_set *shards)
{
    const struct session *s = q->s;

    if (!pins_has(&s->pins, PIN_USER_VARIABLE) ||
        (!q->plan->plan.sees_variables && q->command != QUERY_NAMED))
        return true;
    for (uint32_t i = shards->first; i != ROUTES_NONE; i = shard_set_next(shards, i + 1))
        if (session_held(s, q->routes->routes->shards[i].id) == NULL)
            return false;
    return true;
}

static void
find_variables(struct query_run *q)
{
    const struct plan    *plan = &q->plan->plan;
    const struct session *s    = q->s;

    if (plan->n_user_variables == 0 || pins_has(&s->pins, PIN_USER_VARIABLE))
        return;
    struct key_value *values = arena_alloc(&q->arena, plan->n_user_variables * sizeof(*values));
    for (uint32_t i = 0; i < plan->n_user_variables; i++) {
        uservars_value(&s->uservars, plan->user_variables[i], &values[i]);
        values[i].bytes = arena_copy(&q->arena, values[i].bytes);
    }
    q->values.variables = values;
}

static void
run_on(struct query_run *q, const struct shard_set *shards)
{
    const struct plan *plan = &q->plan->plan;

    bool one  = shards->n == 1 && !plan->reference_write;
    bool only = plan->hides && q->routes->routes->n_owners == 1; /* not by keys */

    if (one && (!only || plan->kind == PLAN_ONE)) {
        slot_count(q->ctx->slot, COUNTER_ROUTE_ONE);
        if (plan->kind == PLAN_ONE && !query_render(q))
            return;
        information_relay(q, shards->first);
    } else if (plan->kind == PLAN_SCATTER) {
        bool counts = !plan->has_limit || (q->digest_flags & DIGEST_CALC_FOUND_ROWS) != 0;
        if (q->s->modes != NULL && q->s->modes->select_limit && counts) {
            query_refuse(q, SQL_NOT_SUPPORTED, "shardd: sql_select_limit is set, and each of "
                         "several shards would apply it to its part: write LIMIT instead%s",
                         plan->has_limit ? " of SQL_CALC_FOUND_ROWS" : "");
            return;
        }
        slot_count(q->ctx->slot, COUNTER_ROUTE_SCATTER);
        query_scatter(q, shards);
    } else {
        slot_count(q->ctx->slot, COUNTER_ROUTE_WRITE_ALL);
        query_write(q, shards);
    }
}

/* As query_prepare() chooses it. */
static uint32_t
prepare_shard(const struct query_run *q)
{
    const struct target *t = &q->plan->plan.target;

    return t->kind == TARGET_HOME || t->at_home ? t->home : query_any_shard(q);
}

/* Rows of an INSERT are asked for when their keys are known: query_insert.c. */
static bool
waits_for_move(struct query_run *q)
{
    const struct plan   *plan = &q->plan->plan;
    const struct routes *r    = q->routes->routes;
    uint32_t             any  = query_any_shard(q);
    struct shard_set     shards = { 0 };
    struct sql_error     ignored;

    if ((!r->fenced && r->eases == 0) || plan->unpin == PIN_LOCK_TABLES)
        return false;
    if (q->command == QUERY_PREPARE)
        return park_if_stays(q, prepare_shard(q));
    for (uint32_t i = 0; plan->kind == PLAN_LOAD && i < r->n_shards; i++)
        shard_set_add(&shards, i);
    bool refused = plan->kind != PLAN_LOAD && plan->kind != PLAN_INSERT &&
                   !gather_needed(plan, r, &q->values) &&
                   !plan_route(plan, r, &q->values, any, &shards, &ignored);
    return !refused && park_if_fenced(q, &shards, any);
}

static bool
keeps_to_key(struct query_run *q)
{
    struct sql_error error;

    if (q->s->only_key == NULL || q->command == QUERY_PREPARE ||
        plan_keeps_to(&q->plan->plan, q->routes->routes, &q->values, q->s->only_key, &error))
        return true;
    slot_count(q->ctx->slot, COUNTER_ROUTE_REFUSED);
    query_fail(q, &error);
    return false;
}

/* True: it runs, or is refused. */
static bool
is_about_lookups(struct query_run *q)
{
    if (q->taking != NULL && !q->taking->finds)
        lookup_take(q);
    else if (q->plan->plan.keeps_lookups && !q->keeps_lookups && q->command != QUERY_PREPARE)
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a table of the statement has a lookup, which "
                     "is not kept by this way of running it: run it as a statement of its own");
    else
        return false;
    return true;
}

static bool
find_shards(struct query_run *q, struct shard_set *shards, struct sql_error *error)
{
    q->values.watch = heat_watch(q);
    bool routed = plan_route(&q->plan->plan, q->routes->routes, &q->values, query_any_shard(q),
                             shards, error);
    q->values.watch = NULL;
    if (q->found.n != 0)
        *shards = q->found;
    return routed;
}

static void run_on_shards(struct query_run *q);

static void
not_routed(struct query_run *q, const struct sql_error *error)
{
    if (own_tables_ask(q, run_on_shards))
        return;
    slot_count(q->ctx->slot, COUNTER_ROUTE_REFUSED);
    query_fail(q, error);
}

static void
run_on_shards(struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;
    struct session    *s    = q->s;
    struct shard_set   shards;

    if (s->snapshot && q->routes->routes->n_shards > s->n_held && q->command != QUERY_PREPARE) {
        query_refuse(q, ERR_CHANGED, "shardd: a shard was added after the snapshot was opened: "
                     "roll back and start again");
        return;
    }
    if (is_about_lookups(q))
        return;
    find_variables(q);
    if (q->routes->routes->n_replicas != 0)
        replica_take(q);
    if (!keeps_to_key(q) || !table_locks_allow(q) || waits_for_move(q) || together_joins(q))
        return;
    if (q->taking != NULL) {
        lookup_find(q);
        return;
    }
    if (q->command != QUERY_PREPARE)
        txn_begin_by_statement(s);
    if (plan->kind == PLAN_INSERT && q->command != QUERY_PREPARE) {
        query_insert(q);
        return;
    }
    if (plan->kind == PLAN_LOAD && q->command != QUERY_PREPARE) {
        query_load(q);
        return;
    }
    if (q->command == QUERY_PREPARE) {
        query_prepare(q, query_any_shard(q));
        return;
    }
    if (q->gathers_small || gather_needed(plan, q->routes->routes, &q->values)) {
        if (table_locks_gather(q))
            query_gather(q, query_any_shard(q));
        return;
    }
    struct sql_error error;
    bool             routed = find_shards(q, &shards, &error);
    if (!routed) {
        not_routed(q, &error);
        return;
    }
    if (!table_locks_route(q, &shards))
        return;
    if (!reaches_pinned_variables(q, &shards)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a user variable of the session has a character "
                     "set or a size that ties it to one shard, and this statement runs on another: "
                     "set the variable in utf8mb4");
        return;
    }
    run_on(q, &shards);
}

static void
ask_server(struct query_run *q, struct span name)
{
    struct buf payload = { 0 };

    /* mysql, information_schema: a server knows. */
    buf_append_byte(&payload, COM_INIT_DB);
    buf_append_span(&payload, name);
    q->payload = arena_copy(&q->arena, buf_unread(&payload));
    q->command = QUERY_OTHER;
    buf_fini(&payload);
    if (!park_if_stays(q, query_any_shard(q)))
        query_relay(q, query_any_shard(q));
}

void
query_schema(struct query_run *q, struct span name)
{
    struct session *s  = q->s;
    struct ok       ok = { .status = session_status(s) };

    if (routes_database(q->routes->routes, name) == ROUTES_NONE) {
        if (session_is_system_schema(name))
            ask_server(q, name);
        else
            query_refuse(q, ERR_BAD_DB, "Unknown database '%.*s'", (int)name.len, name.ptr);
        return;
    }
    ok.track = track_schema(&q->arena, s, name);
    session_set_schema(s, name);
    client_schema(s->ctx->slot, s->row, name);
    if (q->more)
        ok.status |= SERVER_MORE_RESULTS_EXISTS;
    s->row_count = 0;
    reply_ok_encode(stream_out(q->client), &q->seq, s->capabilities, &ok);
    query_flush(q);
    query_done(q);
}

static void
report_lost(struct query_run *q)
{
    query_refuse(q, ERR_LOST, "shardd: a connection of the transaction is lost; the transaction "
                 "is rolled back: start it again");
}

/* Everything but the end of the transaction fails once a part of it is lost. */
static bool
refuse_broken(struct query_run *q)
{
    struct session *s = q->s;

    if (!session_broken(s))
        return false;
    if (!s->in_txn && s->pins.set != 0) {
        char why[128];
        pins_text(s->pins.set, why, sizeof(why));
        session_unpin(s);
        query_refuse(q, ERR_LOST, "shardd: the connection that the session was pinned to is lost, "
                     "and what it held (%s)", why);
    } else
        txn_settle(q, ERR_LOST, report_lost);
    return true;
}

static void
run_plan(struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    if (plan->diagnostics && diagnostics_show(q))
        return;
    if (own_tables_refuse(q))
        return;
    if (plan->kind != PLAN_TXN && plan->kind != PLAN_SHARDD && refuse_broken(q))
        return;
    if (query_bulk_lock(q) || (plan->variables && own_show(q)) || replica_forbids(q))
        return;
    switch (plan->kind) {
    case PLAN_ONE:
    case PLAN_SCATTER:
    case PLAN_GATHER:
    case PLAN_CHANGE:
    case PLAN_WRITE:
    case PLAN_INSERT:
    case PLAN_LOAD:   run_on_shards(q); return;
    case PLAN_TXN:    query_txn(q); return;
    case PLAN_SET:    query_set(q); return;
    case PLAN_USE:    query_schema(q, plan->name); return;
    case PLAN_DDL:
        if (keeps_to_key(q))
            query_ddl(q);
        return;
    case PLAN_SHARDD:
    case PLAN_KILL:   query_shardd(q); return;
    case PLAN_EXPAND:
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: views in views in views ...: more than %d "
                     "deep", PLAN_VIEWS_DEEP);
        return;
    case PLAN_ONCE:
    case PLAN_NAMED:  query_refuse(q, SQL_UNKNOWN_ERROR, "shardd: has several steps"); return;
    case PLAN_REFUSE: query_refused(q); return;
    }
}

static void
prepare(struct query_run *q)
{
    if (q->plan->plan.kind == PLAN_REFUSE)
        query_refused(q);
    else
        run_on_shards(q);
}

static void
committed_before(struct query_run *q, const struct sql_error *error)
{
    if (error != NULL)
        query_fail(q, error);
    else
        run_plan(q);
}

static void
take_time(struct query_run *q)
{
    if (q->now_s == 0 && q->plan && q->plan->plan.same_time)
        q->now_s = clock_wall_s();
}

static void
run_other(struct query_run *q)
{
    if (q->payload.ptr[0] == COM_INIT_DB)
        query_schema(q, span_from(q->payload, 1));
    else if (!park_if_stays(q, home_shard(q)))
        query_relay(q, home_shard(q));
}

void
query_again(struct query_run *q)
{
    take_time(q);
    if (q->command == QUERY_OTHER)
        run_other(q);
    else if (q->command == QUERY_PREPARE)
        prepare(q);
    else
        run_plan(q);
}

void
query_start(struct query_run *q)
{
    q->started_us = ring_now_us(q->ctx->ring);
    q->s->statements++;
    if (park_tell_cut(q))
        return;
    if (q->command == QUERY_FETCH) {
        if (!refuse_broken(q))
            row_cursor_fetch(q);
        return;
    }
    processlist_fill(q);
    information_account(q);
    q->keeps_diagnostics = query_fill_counts(q) || (q->plan != NULL && q->plan->plan.diagnostics);
    if (!q->keeps_diagnostics && !q->sets_statement && q->command != QUERY_OTHER &&
        !q->plan->plan.keeps_diagnostics)
        diagnostics_clear(q->s);
    q->now_s = q->fixed_s;
    take_time(q);
    if (q->command == QUERY_OTHER) {
        run_other(q);
        return;
    }
    if (q->s->in_txn && q->command != QUERY_PREPARE && table_locks_commit(q))
        txn_commit(q, committed_before);
    else if (q->command == QUERY_PREPARE)
        prepare(q);
    else
        run_plan(q);
}
