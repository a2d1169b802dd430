/* recover.h - a home that is an old copy learns from the servers what it missed.
 *
 * A controller that finds that servers were worked on by one that knew more stands by (claim.h).
 * Where that one is gone for ever with its home, and all that there is is a copy of before:
 *
 *   each server says   who wrote its row last, in which term, with which generation; whom it
 *                      replicates; where rows lay then (claim_placement())
 *   so                 the primary of a shard is the one that knows most and replicates nobody;
 *                      others that do not follow it are suspect, as after a failover
 *   if                 rows lie where this home believes: else what it would publish is wrong,
 *                      and nothing is done
 *
 * Users, passwords and settings that were changed since are as this home has them. Numbers of
 * jobs and replicas go on behind a gap. Jobs that had not ended are given up.
 */
#ifndef CTL_FAILOVER_RECOVER_H
#define CTL_FAILOVER_RECOVER_H

#include "ctl/job/job.h"

/* {"standby": why, "possible": bool, "problems": [{"shard", "problem"}], "servers": [{"shard",
 * "server", "is", "becomes", "knows", "where"}], "generation", "term", "done": bool}, to be owned.
 * `force`: also where a server does not answer, which may know more. `apply`: does it, when it is
 * possible. NULL with `error` when there is nothing to recover or it failed. */
json_t *recover_run(struct cluster *c, const char *who, bool force, bool apply,
                    struct sql_error *error);

#endif
