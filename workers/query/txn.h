/* txn.h - how a transaction ends on one shard or on several.
 *
 *   one shard, or only the first has written, or none:
 *      COMMIT_POINT  COMMIT on the first
 *      FINISH        COMMIT / XA COMMIT ... ONE PHASE where only was read
 *   a further one has written:
 *      PREPARE       XA END, XA PREPARE on the branches, and the
 *                    decision row on the first               (all at once)
 *      GATE          no snapshot of several shards opens now: see gate.h
 *      COMMIT_POINT  COMMIT on the first                     <-- decided now
 *      FINISH        XA COMMIT on the branches               (all at once)
 *
 * Until COMMIT_POINT succeeds everything rolls back; from then on everything commits,
 * by us or, when we die, by the controller's resolver, which reads the
 * decision row (or its absence, after inserting an abort row in its place).
 */
#ifndef WORKERS_QUERY_TXN_H
#define WORKERS_QUERY_TXN_H

#include "workers/query/query.h"

/* `error` is NULL on success. The transaction is over either way, and the
 * session's backends are back where they belong. */
typedef void txn_ended(struct query_run *q, const struct sql_error *error);

/* The query must not have legs under way. `ended` may come from inside. */
void txn_commit(struct query_run *q, txn_ended *ended);
void txn_rollback(struct query_run *q, txn_ended *ended);

/* Is the transaction over once the client hears `code` (0: OK) of a statement? Only an
 * error that says so ends it. Where a connection of it was lost meanwhile and the client
 * hears something else it stays open and broken, so that the next statement fails: the
 * client must not believe to be in one when its statements commit by themselves. */
bool txn_is_over(const struct session *s, uint16_t code);

/* Of several shards one has found a deadlock, and has rolled back: then that is what the
 * client must hear, whatever the others said. */
void txn_deadlock(const struct query_run *q, struct sql_error *error);

/* What a statement hears whose backend was lost behind its beginning. */
void txn_explain_loss(const struct session *s, uint32_t shard_id, struct sql_error *error);

/* A statement has ended with `code`. Where that ends the transaction it ends on all
 * shards; then `next`, perhaps from inside. */
void txn_settle(struct query_run *q, uint16_t code, void (*next)(struct query_run *q));

/* A statement of a transaction on several shards was ended on its server, which the
 * controller does to one of those that wait for one another on different shards
 * (ctl/job/deadlock.h): the client hears what a server says when it finds a deadlock. */
void txn_translate(struct query_run *q, struct sql_error *error);

/* The client is gone. True: branches are prepared, or soon will be, and whatever they lock
 * would stay so until the resolver looks; so the commit goes on to its end, and `ended`
 * comes then instead of txn_commit()'s (never from inside). Session and query live until
 * then, or until txn_abandon(). */
bool txn_outlives(struct query_run *q, txn_ended *ended);

/* The client is gone and the query with it. What is decided stays decided, what is
 * prepared is the resolver's; the caller closes the backends. */
void txn_abandon(struct query_run *q);

/* With commit = "single": the statement would write on a shard, and the transaction has
 * written on another. */
bool txn_is_second_writer(const struct query_run *q, uint32_t shard_id);

/* The statement may end the transaction, or begin another, on a shard where that is no branch but
 * its commit point, and others have been written to: they would be left behind. */
bool txn_may_end_in_part(const struct query_run *q, uint32_t shard_id);

/* Gives it the name of its branches; the commit point is session.held[0]. */
void txn_name(struct session *s);

/* "XA VERB name, shard SUFFIX" for the branch of a shard. The name is in hexadecimal digits: a
 * quoted one is text that a server converts to the session's character_set_connection. */
enum { XA_TEXT = 256 };
void txn_xa_text(const struct session *s, const char *verb, uint32_t shard_id, const char *suffix,
                 char out[XA_TEXT]);

/* "CALL shardd.PROCEDURE(name)", likewise. */
void txn_call_text(const struct session *s, const char *procedure, char out[XA_TEXT]);

/* Open one that ends with the statement: a write on several shards. */
void txn_begin_implicit(struct session *s);

/* Without autocommit the first statement opens one; what opens it over there is the statement
 * itself. */
void txn_begin_by_statement(struct session *s);

#endif
