/* park.h - statements that wait until rows have moved.
 *
 *   a statement is routed --meets a fence (core/route/fence.h)--> PARKED --+--> routed anew
 *                                                                         +--> 1205, too late
 *                                                                         +--> killed, or its
 *                                                                              client is gone
 * A parked statement has neither a backend nor routes nor a plan: nothing of it is decided.
 * When routes of a new generation come, all are planned again (query_ops.again), a few per
 * loop turn, those that wait longest first. Whatever meets a fence still, or another one, is
 * parked again; its deadline stays.
 *
 * What is on a fenced shard is *old* and passes everywhere, to its end: transactions with work
 * there, and sessions with locked tables, an open HANDLER or an open cursor there.
 *
 *   OPEN    the fence has come. Transactions that hold something elsewhere pass too, and become
 *           old: an old one may wait for their locks. Those that began before the fence do so at
 *           once, later ones after a while, so that new ones do not keep it open
 *   settled (a word in the slot) no session is old now, no statement of an older generation is
 *           under way; taken back when another becomes old
 *   CLOSED  every worker was settled: from now on nothing becomes old here
 *   drained closed, and no session is old. That stays so until the fence is gone
 *
 * Before a fence its shards are *eased* (routes.eases), so that few transactions are there when it
 * comes: those that would begin wait for their turn, some seconds at most. Nothing of that is
 * needed for what a fence promises.
 *
 * So a transaction is parked with locks only when nobody on a fenced shard waited for them a
 * moment ago. A worker that starts while a fence stands is closed from the beginning.
 */
#ifndef WORKERS_QUERY_PARK_H
#define WORKERS_QUERY_PARK_H

#include "workers/query/query.h"

/* The statement is routed to `shards`, and nothing of it has begun. True: it is parked, and
 * whoever asked forgets about it. */
bool park_if_fenced(struct query_run *q, const struct shard_set *shards, uint32_t any);

/* The same of one that has no plan, or of which only its transaction matters. */
bool park_if_stays(struct query_run *q, uint32_t shard);

/* The same of an INSERT with these keys' hashes. */
bool park_if_rows_fenced(struct query_run *q, const uint64_t *hashes, uint32_t n,
                         const struct shard_set *shards);

/* Without a question. */
void park(struct query_run *q);

static inline bool
park_is_parked(const struct query_run *q)
{
    return q->parked.next != NULL;
}

/* It ends without running. Harmless when it is not parked. */
void park_leave(struct query_run *q);

/* There are routes of another generation. */
void park_wake(struct context *ctx);

/* So many transactions more may begin on eased shards now: those that wait come first. */
void park_let(struct context *ctx, uint32_t n);

/* A transaction of the session is on an eased shard. */
bool park_is_eased(const struct session *s, const struct routes *r);

/* Old in the sense of above. False where nothing is fenced. */
bool park_is_old(const struct session *s, const struct routes *r);

/* The statement is as it was before it was planned and routed; q->ops->again() begins anew. */
void park_forget_route(struct query_run *q);

/* A transaction was ended because it was in the way. */
void park_explain_cut(struct sql_error *error);

/* The client has not heard yet that its transaction was ended: it does now, unless it wants to
 * end it itself. True: the statement is answered. */
bool park_tell_cut(struct query_run *q);

/* A session is about to begin a transaction on a shard: may it? Everything that is not asked
 * above comes by here. False with the `error`, which can be tried again. */
bool park_may_join(const struct query_run *q, uint32_t shard, struct sql_error *error) must_check;

#endif
