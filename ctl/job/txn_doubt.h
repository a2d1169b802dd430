/* txn_doubt.h - transactions that are prepared on shards, for the people who look after them.
 *
 * The resolver ends them by itself; this is for those that it cannot end, because the
 * shard that has the decision does not answer, and for who does not want to wait.
 */
#ifndef CTL_JOB_TXN_DOUBT_H
#define CTL_JOB_TXN_DOUBT_H

#include "ctl/provision/cluster.h"

/* {"transactions": [{"transaction", "age_s" (null: not known), "worker", "worker_lives",
 * "decided_on", "decision": commit|abort|none|unknown, "branches": [shard...], "ours"}],
 * "unreachable": [shard...]}; the caller owns it. */
json_t *txn_doubt_list(struct cluster *c);

/* Ends what is prepared of `gtrid` by its decision; where there is none yet it is aborted
 * for good first. `force`: "commit" or "rollback" where the decision cannot be had, else
 * NULL. NULL with `error`, else what was done: {"outcome", "branches": [...], "warning"}. */
json_t *txn_doubt_resolve(struct cluster *c, const char *who, const char *gtrid,
                          const char *force, struct sql_error *error);

#endif
