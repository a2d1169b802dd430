/* failover_watch.h - sees that a primary does not answer, and has it replaced.
 *
 *   we ask every primary that has replicas, twice a second and all at once; workers say in their
 *   slots when they had answers; replicas are asked whether they hear it. What follows from that
 *   is in failover_rule.h. One is replaced at a time.
 *
 * Beside that: roles are kept (roles_keep_all()), replicas looked at (failover_sight.h), and where
 * a shard's "reseed" is "auto", what is of no use any more is made anew (reseed.h).
 *
 * A shard without semi_sync, or whose "failover" is "manual", is not replaced by itself.
 */
#ifndef CTL_FAILOVER_FAILOVER_WATCH_H
#define CTL_FAILOVER_FAILOVER_WATCH_H

#include "ctl/provision/cluster.h"

struct failover_watch;

/* Threads until failover_watch_stop(). */
struct failover_watch *failover_watch_start(struct cluster *c);
void                   failover_watch_stop(struct failover_watch *w);

/* {"<shard's id>": {shard, answers, silent_ms, workers_ms (since a worker had an answer; -1: none
 * asks), replicas_hear (-1: not asked), verdict, failed (attempts that came to nothing)}}; of
 * shards with replicas, as it was seen last; to be owned. */
json_t *failover_watch_show(struct failover_watch *w);

/* As sight_show(). */
json_t *failover_watch_replicas(struct failover_watch *w);

#endif
