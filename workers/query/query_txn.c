/* query_txn.c - BEGIN, COMMIT, ROLLBACK and savepoints.
 *
 * BEGIN asks nobody: the transaction opens on the first shard that a statement
 * touches. Only a consistent snapshot cannot wait for that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/park.h"
#include "workers/query/snapshot.h"
#include "workers/query/txn.h"

enum { ERR_NO_SAVEPOINT = 1305 /* ER_SP_DOES_NOT_EXIST */, ERR_LOST = 1927 };

static void
ok(struct query_run *q)
{
    query_ok(q, 0, 0, q->warnings, (struct span){ 0 });
}

/* --- beginning ----------------------------------------------------------- */

static void
open_txn(struct session *s, const struct txn_spec *txn)
{
    char text[96];

    s->in_txn    = true;
    s->read_only = txn->read_only || (!txn->read_write && session_is_read_only(s));
    snprintf(text, sizeof(text), "START TRANSACTION%s%s%s",
             txn->consistent_snapshot ? " WITH CONSISTENT SNAPSHOT" : "",
             txn->consistent_snapshot && (txn->read_only || txn->read_write) ? "," : "",
             txn->read_only ? " READ ONLY" : txn->read_write ? " READ WRITE" : "");
    s->begin = mem_strdup(text);
}

static void
outcome(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    (void)b, (void)bytes;
    if (!last)
        return;
    if (result_error(&x->reader, &why)) {
        leg_over(leg, &why);
    } else if (x->reader.warnings != 0 && leg->q->warnings == 0) {
        leg->q->warnings = x->reader.warnings; /* not all could be rolled back */
        diagnostics_take(leg);
    } else
        leg_over(leg, NULL);
}

static void
outcome_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg_over(leg, why);
}

static const struct exchange_ops outcome_ops = {
    .on_bytes = outcome,
    .on_lost  = outcome_lost,
};

static void
ready(struct leg *leg)
{
    leg_send(leg, &outcome_ops);
}

/* The session's own warnings are the server's: it says when the isolation level has no
 * snapshots. */
static void
opened(struct query_run *q, const struct sql_error *error)
{
    if (error != NULL)
        query_fail(q, error);
    else
        ok(q);
}

/* Every shard's own is opened now. */
static void
open_snapshots(struct query_run *q)
{
    struct snapshot_spec spec = { .read_only = q->s->read_only };
    char                *begin = q->s->begin;

    for (uint32_t i = 0; i < q->routes->routes->n_shards; i++)
        shard_set_add(&spec.shards, i);
    spec.begin  = arena_cstr(&q->arena, span_of(begin));
    q->s->begin = NULL;
    free(begin);
    snapshot_open(q, &spec, opened);
}

static bool
any_fenced(const struct routes *r)
{
    for (uint32_t i = 0; r->fenced && i < r->n_shards; i++)
        if (r->shards[i].fenced)
            return true;
    return false;
}

static void
begin(struct query_run *q, const struct sql_error *error)
{
    const struct txn_spec *txn = q->plan->plan.txn;

    if (error != NULL) {
        query_fail(q, error);
        return;
    }
    if (txn->consistent_snapshot && any_fenced(q->routes->routes)) {
        park(q); /* it would be on all shards */
        return;
    }
    open_txn(q->s, txn);
    if (txn->consistent_snapshot)
        open_snapshots(q);
    else
        ok(q);
}

/* --- ending -------------------------------------------------------------- */

static bool
begins_another(const struct query_run *q)
{
    const struct session_modes *m   = q->s->modes;
    const struct txn_spec      *txn = q->plan->plan.txn;

    return txn->chain || (m != NULL && m->completion_chain && !txn->no_chain);
}

static void
ended(struct query_run *q, const struct sql_error *error)
{
    const struct txn_spec *txn = q->plan->plan.txn;

    if (error != NULL) {
        query_fail(q, error);
        return;
    }
    const struct session_modes *m = q->s->modes;
    q->release = txn->release || (m != NULL && m->completion_release && !txn->no_release);
    if (begins_another(q)) {
        open_txn(q->s, txn);
        q->s->read_only = q->s->read_only || q->chain_read_only;
        if (q->chain_read_only) {
            free(q->s->begin);
            q->s->begin = mem_strdup("START TRANSACTION READ ONLY");
        }
    }
    ok(q);
}

/* --- savepoints ---------------------------------------------------------- */

static void
savepoint_said(struct query_run *q)
{
    struct session        *s   = q->s;
    const struct txn_spec *txn = q->plan->plan.txn;

    if (q->failed) {
        query_fail(q, &q->error);
        return;
    }
    if (txn->verb == TXN_SAVEPOINT)
        session_add_savepoint(s, txn->name);
    else
        session_drop_savepoints(s, txn->name, txn->verb == TXN_RELEASE);
    ok(q);
}

/* Say it wherever the transaction is. */
static void
savepoint(struct query_run *q)
{
    struct session        *s   = q->s;
    const struct txn_spec *txn = q->plan->plan.txn;
    const struct routes   *r   = q->routes->routes;
    struct shard_set       set = { 0 };

    if (txn->verb != TXN_SAVEPOINT && !session_has_savepoint(s, txn->name)) {
        query_refuse(q, ERR_NO_SAVEPOINT, "SAVEPOINT %.*s does not exist", (int)txn->name.len,
                     txn->name.ptr);
        return;
    }
    for (uint32_t i = 0; i < r->n_shards; i++) {
        const struct held *h = session_held(s, r->shards[i].id);
        if (h != NULL && h->role != HELD_PIN)
            shard_set_add(&set, i);
    }
    if (!s->in_txn && s->autocommit) { /* without a transaction it means nothing, as on a server */
        ok(q);
        return;
    }
    txn_begin_by_statement(s);
    if (session_broken(s)) {
        query_refuse(q, ERR_LOST, "shardd: a connection of the transaction is lost and its work "
                     "with it: roll back and start again");
        return;
    }
    if (set.n == 0) {
        savepoint_said(q);
        return;
    }
    q->command   = QUERY_TEXT;
    q->leg_ready = ready;
    q->all_over  = savepoint_said;
    legs_make(q, &set);
    for (uint32_t i = 0; i < q->n_legs; i++)
        leg_start(&q->legs[i]);
}

void
query_txn(struct query_run *q)
{
    struct session        *s   = q->s;
    const struct txn_spec *txn = q->plan->plan.txn;

    slot_count(q->ctx->slot, COUNTER_STATEMENTS_TXN);
    bool ends = txn->verb == TXN_COMMIT || txn->verb == TXN_ROLLBACK;
    if ((txn->verb == TXN_BEGIN || (ends && begins_another(q))) && !table_locks_begin(q))
        return;
    switch (txn->verb) {
    case TXN_BEGIN:
        if (s->in_txn) /* the one that is open is committed first */
            txn_commit(q, begin);
        else
            begin(q, NULL);
        return;
    case TXN_COMMIT:
        q->chain_read_only = s->read_only;
        if (s->in_txn)
            txn_commit(q, ended);
        else
            ended(q, NULL);
        return;
    case TXN_ROLLBACK:
        q->chain_read_only = s->read_only;
        if (s->in_txn)
            txn_rollback(q, ended);
        else
            ended(q, NULL);
        return;
    case TXN_SAVEPOINT:
    case TXN_ROLLBACK_TO:
    case TXN_RELEASE: savepoint(q); return;
    }
}
