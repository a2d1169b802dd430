/* fsck.h - is every row where it belongs? Reads only.
 *
 *   sharded     each row on the shard that owns its key's hash; its numbers below the sequence
 *   reference   the same rows on every shard
 *   global      on the home shard, and nowhere else
 *   any         in the catalog, there where it should be, with the same definition everywhere
 *   cluster     no branch of a transaction in doubt for long, no job stuck
 *
 * It works beside applications: what looks wrong and may be on its way is
 * looked at again before it is called a problem.
 */
#ifndef CTL_JOB_FSCK_H
#define CTL_JOB_FSCK_H

#include "ctl/job/job.h"

/* {"ok": bool, "tables": n, "rows": n, "problems": [{"table", "shard",
 * "problem"}]}, owned by the caller. `database` NULL: all. NULL with `error` when it
 * cannot be done at all. */
json_t *fsck_run(struct cluster *c, const char *database, struct sql_error *error);

#endif
