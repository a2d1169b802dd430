/* replica.h - reads that may be answered by a replica.
 *
 *   strong     the primary
 *   causal     a replica that has all that the session has written or read (seen.h)
 *   eventual   the best replica within replica_lag_ms
 *
 * Of a statement, by a comment; else of the session, by SET; else of its user, else of its current
 * database; else strong. Only reads of which the planner knows no reason against it
 * (plan.primary_why), of sessions that nothing ties to a connection, are asked of replicas at all;
 * and no replica that is fit: the primary.
 *
 * An answer is held back until it is complete or long: what fails before is asked elsewhere, and
 * the client does not hear of it. A cursor stays where it was opened. What is gathered begins once
 * more, on primaries, when a replica fails.
 *
 * A READ ONLY transaction (but WITH CONSISTENT SNAPSHOT, which is one moment of all primaries) is
 * on one server of each shard from its first statement there to its end. When that is a replica
 * (session.on_replicas), what else it reads of the shard is read there as well, whoever might
 * answer it elsewhere; what would lock something, or could write behind our back, is refused: on
 * a replica nobody would know of it. A transaction that loses its replica is lost, as with a
 * primary.
 *
 *   BEGIN READ ONLY   SELECT of shard 1 --choice--> replica r7: held, `of` shard 1
 *                     SELECT of shard 1 ----------> r7: its snapshot
 *                     SELECT of shard 2 --choice--> r9
 *   COMMIT            on r7 and r9
 */
#ifndef WORKERS_QUERY_REPLICA_H
#define WORKERS_QUERY_REPLICA_H

#include "workers/query/leg.h"

enum { REPLICA_HOLD_BYTES = 64 << 10 };

/* What the session's reads are, when the statement does not say it. Not UNSET. */
enum consistency session_consistency(struct session *s, const struct routes *r);

/* What this statement's are: sets q->consistency. Only where shards have replicas. */
void replica_take(struct query_run *q);

/* Why the session's primaries would be asked this; NULL: replicas may be, with consistency `c`. */
const char *replica_refuses(const struct session *s, const struct plan *plan, enum consistency c);

/* The transaction has parts on replicas, and the statement is none for these: it is answered with
 * an error. */
bool replica_forbids(struct query_run *q);

/* leg_start(), perhaps for a replica, and perhaps a little later. */
void replica_start(struct leg *leg);

/* Another one for the same read; NULL: there is none. */
struct server *replica_other(const struct leg *leg) must_check;

/* What an answer with this error (0: none) says of its server. */
enum server_outcome replica_outcome(uint16_t error);

/* The leg's server said this, and the leg ends with it. */
void replica_blame(struct leg *leg, uint16_t code);

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
