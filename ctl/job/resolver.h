/* resolver.h - ends the branches that a worker, a shard or a cut connection left prepared.
 *
 *   XA RECOVER on every shard, twice a second
 *      branch of ours whose worker is dead, or that is seen for 3.5 s
 *        --> INSERT an abort row for it on its commit shard
 *              inserted       it is aborted now, whatever its worker does later: XA ROLLBACK
 *              1062           somebody decided before: XA COMMIT or XA ROLLBACK by that row
 *              1205, no answer   not known yet: next time
 *
 * An abort is never concluded from the absence of a row. XA COMMIT and XA
 * ROLLBACK are repeated until XA RECOVER no longer shows the branch: 1397 says
 * that it is gone, or that its owner is still connected and may end it itself;
 * 1402 that it had changed nothing.
 */
#ifndef CTL_JOB_RESOLVER_H
#define CTL_JOB_RESOLVER_H

#include "core/route/xid.h"
#include "ctl/provision/cluster.h"

struct resolver;

/* It claims each primary that answers at once (see ctl/provision/claim.h), and has this
 * controller stand by when another one is at work; its thread keeps to that. */
struct resolver *resolver_new(struct cluster *c);
void             resolver_start(struct resolver *r);
void             resolver_free(struct resolver *r);

/* No other controller is at work, and what the one before this had left is not settled yet:
 * whoever has seen to it calls resolver_settled(), and this controller is on duty. */
bool resolver_may_settle(struct resolver *r);
void resolver_settled(struct resolver *r);

/* Claims the shards that the catalog has got since the last look: by the next look another
 * controller could have begun with them. Not with roles_lock; NULL: nothing. */
void resolver_take(struct resolver *r);

/* The catalog is another one than this controller has known: as at its start. With roles_lock. */
void resolver_begin_again(struct resolver *r);

enum resolver_verdict { RESOLVER_WAIT, RESOLVER_COMMIT, RESOLVER_ROLLBACK };

/* What is to be done with a branch, from how the INSERT of its abort row ended
 * (0: inserted) and the state of the row that is there ("" not known). */
enum resolver_verdict resolver_verdict(unsigned insert_code, const char *state);

/* Whether the worker process that named the transaction has ended: its number may be
 * another one's by now. */
bool resolver_worker_is_dead(struct cluster *c, const struct xid *xid);

/* For how long the resolver has seen a branch of this transaction; -1: it has not. NULL: no
 * resolver runs. */
int64_t resolver_age_ms(struct resolver *r, const char *gtrid);

/* The transaction's decision on its commit shard; without one it is aborted by this. */
enum resolver_verdict resolver_ask(struct server *home, const char *gtrid);

/* The xid of a row of XA RECOVER, in words of SQL. */
void resolver_branch_words(const json_t *row, struct buf *out);

/* `row`: of XA RECOVER. False with `error`: it is not ended yet. */
bool resolver_end_branch(struct server *s, const json_t *row, bool commit,
                         struct sql_error *error) must_check;

#endif
