/* fsck.h - is every row where it belongs? Reads only, but for repairs that are asked for.
 *
 *   sharded     each row on the shard that owns its key's hash, and on no other; its numbers
 *               below the sequence
 *   reference   the same rows on every shard
 *   global      on the home shard, and nowhere else
 *   any         in the catalog, there where it should be, with the same definition everywhere
 *   cluster     no branch of a transaction in doubt for long, no job stuck; no fence, set,
 *               journal, stream or stash of a move that does not run; no server of this cluster
 *               that is no shard
 *
 * Rows that are on two shards because a move runs count as "moving": they must be in the set of
 * rows that statements do not see, and none of those that belong to a shard may be.
 *
 * It works beside applications: what looks wrong and may be on its way is
 * looked at again before it is called a problem.
 */
#ifndef CTL_JOB_FSCK_H
#define CTL_JOB_FSCK_H

#include "ctl/job/job.h"

/* {"ok": bool, "tables": n, "rows": n, "moving": n, "problems": [{"table", "shard",
 * "problem"}], "repairs": [{"shard", "what", ...}]}, owned by the caller. `database` NULL: all.
 * `repair`: what "repairs" says is done, and "repaired" how many it were. Those are only what
 * jobs that have ended left behind, and second copies of rows. NULL with `error` when it cannot
 * be done at all. */
json_t *fsck_run(struct cluster *c, const char *database, bool repair, struct sql_error *error);

#endif
