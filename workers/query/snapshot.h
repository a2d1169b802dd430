/* snapshot.h - one moment of several shards.
 *
 *   JOIN     backends, session state, XA START     outside of the gate: may take long
 *   close the gate (gate.h): no commit on several shards is half done by a worker
 *   LOOK     XA RECOVER everywhere                 what is prepared and no live worker's;
 *                                                  not when nothing can be (gate_is_clean())
 *   OPEN     the snapshots, all at once
 *   CHECK    is any of what LOOK found decided by now? Then a dead worker or a lost
 *            connection left it half committed: all is rolled back and tried again
 *   open the gate
 *
 * Why this is enough: a commit that no live worker has between its commit point and its
 * last branch is over (all snapshots see it), not begun (none does), or left to the
 * resolver. Of one left, a branch that LOOK does not find was finished before the first
 * snapshot, and so the decision was made before it; and for one that LOOK finds, when it is
 * not decided after the last snapshot, no snapshot can have any of it.
 *
 * Transactions of one shard each are not held back: of two that came one after the other
 * on different shards a snapshot may have the second without the first.
 */
#ifndef WORKERS_QUERY_SNAPSHOT_H
#define WORKERS_QUERY_SNAPSHOT_H

#include "workers/query/query.h"

struct snapshot_spec {
    struct shard_set shards;
    bool             read_only;
    bool             implicit; /* of one statement, with which it ends */
    const char      *begin;    /* what opens it on a shard */
};

/* No transaction is open. Then `opened`, perhaps from inside: the session is in one, on all
 * of `shards`; or with an error it is in none. `warnings` of it are in q->warnings. */
void snapshot_open(struct query_run *q, const struct snapshot_spec *spec,
                   void (*opened)(struct query_run *q, const struct sql_error *error));

/* The statement is over before that. */
void snapshot_abandon(struct query_run *q);

#endif
