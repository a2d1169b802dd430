/* txn_state.c - what the end of a statement means for its transaction; see txn.h. */
#include <stdio.h>

#include "core/base/hex.h"
#include "core/base/memory.h"
#include "workers/query/own_vars.h"
#include "workers/query/txn.h"

enum {
    ERR_DEADLOCK = 1213, /* ER_LOCK_DEADLOCK */
    ERR_ENDED    = 1317, /* ER_QUERY_INTERRUPTED */
    ERR_TXN_LOST = 1927, /* ER_CONNECTION_KILLED */
    ERR_LOST     = 1430, /* ER_QUERY_ON_FOREIGN_DATA_SOURCE: backend.c's */
    CLIENT_LOST  = 2013, /* CR_SERVER_LOST */
};

static void
settled(struct query_run *q, const struct sql_error *error)
{
    (void)error;
    q->settled(q);
}

void
txn_name(struct session *s)
{
    struct context *ctx = s->ctx;
    struct xid      xid = {
             .worker  = ctx->number,
             .epoch   = (uint32_t)ctx->epoch,
             .counter = ctx->next_xid++,
             .home    = s->held[0].shard_id,
    };

    snprintf(xid.instance, sizeof(xid.instance), "%s", ctx->conf.instance);
    if (xid_encode(&xid, s->gtrid) == 0)
        s->gtrid[0] = 0;
}

void
txn_xa_text(const struct session *s, const char *verb, uint32_t shard_id, const char *suffix,
            char out[XA_TEXT])
{
    char name[2 * XID_GTRID_MAX + 1], shard[24], branch[2 * sizeof(shard)];

    hex_lower(name, span_of(s->gtrid));
    snprintf(shard, sizeof(shard), "%u", shard_id);
    hex_lower(branch, span_of(shard));
    snprintf(out, XA_TEXT, "XA %s x'%s',x'%s'%s", verb, name, branch, suffix);
}

void
txn_call_text(const struct session *s, const char *procedure, char out[XA_TEXT])
{
    char name[2 * XID_GTRID_MAX + 1];

    hex_lower(name, span_of(s->gtrid));
    snprintf(out, XA_TEXT, "CALL shardd.%s(x'%s')", procedure, name);
}

bool
txn_is_over(const struct session *s, uint16_t code)
{
    if (!s->in_txn || code == ERR_DEADLOCK)
        return s->in_txn;
    return session_broken(s) && (code == ERR_TXN_LOST || code == ERR_LOST || code == CLIENT_LOST);
}

void
txn_deadlock(const struct query_run *q, struct sql_error *error)
{
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].state == LEG_OVER && q->legs[i].error.code == ERR_DEADLOCK)
            *error = q->legs[i].error;
}

void
txn_explain_loss(const struct session *s, uint32_t shard_id, struct sql_error *error)
{
    sql_error_set(error, ERR_TXN_LOST, "shardd: the connection to %s is lost; the transaction is "
                  "rolled back: start it again", backend_name(s->ctx, shard_id));
}

void
txn_settle(struct query_run *q, uint16_t code, void (*next)(struct query_run *q))
{
    if (!txn_is_over(q->s, code)) {
        next(q);
        return;
    }
    q->settled = next;
    txn_rollback(q, settled);
}

void
txn_translate(struct query_run *q, struct sql_error *error)
{
    if (error->code != ERR_ENDED || !session_is_spread(q->s))
        return;
    sql_error_set(error, ERR_DEADLOCK, "Deadlock found when trying to get lock; try restarting "
                  "transaction");
    if (!q->deadlocked) /* several of its legs may have been ended */
        slot_count(q->ctx->slot, COUNTER_DEADLOCKS);
    q->deadlocked = true;
}

bool
txn_is_second_writer(const struct query_run *q, uint32_t shard_id)
{
    const struct session *s = q->s;

    if (session_commit(s) != COMMIT_SINGLE || !s->in_txn || q->plan == NULL ||
        !q->plan->plan.is_write || q->command == QUERY_PREPARE)
        return false;
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].wrote && s->held[i].shard_id != shard_id)
            return true;
    return false;
}

bool
txn_may_end_in_part(const struct query_run *q, uint32_t shard_id)
{
    const struct session *s = q->s;
    const struct held    *h = session_held(s, shard_id);

    if (!s->in_txn || q->plan == NULL || !q->plan->plan.may_end_txn || q->command == QUERY_PREPARE)
        return false;
    if (h != NULL && h->role != HELD_PIN ? h->role == HELD_XA : session_commit(s) == COMMIT_ATOMIC)
        return false; /* a server refuses it in a branch */
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].wrote && s->held[i].shard_id != shard_id)
            return true;
    return false;
}

void
txn_begin_implicit(struct session *s)
{
    s->in_txn   = true;
    s->implicit = true;
    s->begin    = mem_strdup("START TRANSACTION"); /* BEGIN is a block's to ORACLE */
}

void
txn_begin_by_statement(struct session *s)
{
    if (s->autocommit || s->in_txn)
        return;
    s->in_txn    = true;
    s->read_only = session_is_read_only(s);
    table_locks_join(s);
}
