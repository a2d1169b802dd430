/* replica.h - reads that may be answered by a replica.
 *
 *   strong     the primary
 *   causal     a replica that has all that the session has written or read (seen.h)
 *   eventual   the best replica within replica_lag_ms
 *
 * Of a statement, by a comment; else of the session, by SET; else of its user, else of its current
 * database; else strong. Only reads that the planner calls stateless, outside of transactions and
 * of all that ties a session to a connection, are asked of replicas at all; and no replica that
 * is fit: the primary.
 *
 * An answer is held back until it is complete or long: what fails before is asked elsewhere, and
 * the client does not hear of it.
 */
#ifndef WORKERS_QUERY_REPLICA_H
#define WORKERS_QUERY_REPLICA_H

#include "workers/query/leg.h"

enum { REPLICA_HOLD_BYTES = 64 << 10 };

/* What the session's reads are, when the statement does not say it. Not UNSET. */
enum consistency session_consistency(struct session *s, const struct routes *r);

/* What this statement's are: sets q->consistency. Only where shards have replicas. */
void replica_take(struct query_run *q);

/* leg_start(), perhaps for a replica, and perhaps a little later. */
void replica_start(struct leg *leg);

/* It has failed, with the error of an answer or because the server is lost, and nothing of its
 * answer is with the client. True: it has begun anew elsewhere. */
bool replica_again(struct leg *leg, uint16_t code) must_check;

/* leg_over(): what is learned of the server, and what the session has seen. */
void replica_over(struct leg *leg);

/* The leg ends without an answer that anybody waits for. */
void replica_drop(struct leg *leg);

/* A transaction that held this shard's backend is over. */
void replica_committed(struct session *s, uint32_t shard_id);

/* Something was done for the session on servers that none of its statements was sent to. */
void replica_changed(struct session *s);

/* From here on it is known what the session has seen. */
void replica_track(struct session *s);

#endif
