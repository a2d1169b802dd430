/* restart.h - all servers of a shard are restarted, and no statement fails.
 *
 *   each replica:   draining -> nothing under way there -> restarted -> caught up -> as it was
 *   the primary:    a replica takes its place (failover_switch()); then it is a replica
 *
 * A controller that is killed meanwhile leaves the rest undone: whoever asks again begins anew.
 */
#ifndef CTL_FAILOVER_RESTART_H
#define CTL_FAILOVER_RESTART_H

#include "ctl/failover/failover.h"

/* Returns {"shard", "done", "steps": ["restart replica-1", ...]}, to be owned, when all is done (or
 * would be, with `dry_run`); NULL with `error`. */
json_t *restart_shard(struct cluster *c, const char *who, const char *shard, bool dry_run,
                      struct sql_error *error);

#endif
