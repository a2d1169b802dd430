/* relay_txn.c - what a relayed answer says of the session's transaction: a routine may have begun
 * one, or ended it.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/leg.h"

/* For the shards that it comes to as well. */
static void
note_access(struct leg *leg)
{
    struct session *s    = leg->q->s;
    bool            only = (leg->x.reader.status & SERVER_STATUS_IN_TRANS_READONLY) != 0;

    if (s->read_only == only && (!only || s->begin != NULL))
        return;
    s->read_only = only;
    free(s->begin);
    s->begin = mem_strdup(only ? "START TRANSACTION READ ONLY" : "START TRANSACTION");
}

/* A routine has begun one: from here on it is the session's. */
static void
adopt_txn(struct leg *leg)
{
    struct session *s = leg->q->s;
    struct held    *h = session_held(s, leg->shard_id);

    if (h == NULL)
        h = leg_hold(leg, HELD_PLAIN);
    h->role   = HELD_PLAIN;
    h->wrote  = true;
    s->in_txn = true;
    note_access(leg);
}

/* What is held for a pin alone has no part in the transaction. */
static bool
is_alone(const struct session *s)
{
    uint32_t n_plain = 0, n_pins = 0;

    for (uint32_t i = 0; i < s->n_held; i++) {
        n_plain += s->held[i].role == HELD_PLAIN;
        n_pins += s->held[i].role == HELD_PIN;
    }
    return n_plain == 1 && n_pins + 1 == s->n_held;
}

/* The only participant of a transaction says itself whether one is open: a
 * statement may have ended it (an implicit commit inside a routine) or, without
 * autocommit, never have begun one. Where the others have only read they end with it. */
void
query_relay_txn(struct leg *leg)
{
    struct session             *s = leg->q->s;
    const struct result_reader *r = &leg->x.reader;

    if (!s->in_txn && (r->status & SERVER_STATUS_IN_TRANS)) {
        adopt_txn(leg);
        return;
    }
    if (!s->in_txn || s->n_held == 0)
        return;
    const struct held *h      = session_held(s, leg->shard_id);
    bool               by_code = leg->q->plan != NULL && leg->q->plan->plan.may_end_txn;
    if (h == NULL || h->role != HELD_PLAIN)
        return;
    if (r->status & SERVER_STATUS_IN_TRANS) {
        if (by_code) /* perhaps another one */
            note_access(leg);
        return;
    }
    if (!is_alone(s)) {
        leg->q->ended = by_code;
        return;
    }
    /* The leg still needs the backend, and gives it back. */
    if (s->pins.set == 0)
        session_take_back(s, leg->shard_id);
    session_end_txn(s);
}
