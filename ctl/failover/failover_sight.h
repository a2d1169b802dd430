/* failover_sight.h - how the replicas do, looked at every two seconds, all at once.
 *
 * What is seen is for metrics and people; the choice of a new primary asks again. Some things are
 * seen to on the way: a server that was replaced is read_only as soon as it answers, whoever
 * started it; and branches that a crash of the primary left prepared on a replica only are rolled
 * back there (see branches_keep()); and an applier that has stopped at one goes on (see mend.h).
 * What is wrong with one for some time is in the log, and when that is over.
 */
#ifndef CTL_FAILOVER_FAILOVER_SIGHT_H
#define CTL_FAILOVER_FAILOVER_SIGHT_H

#include "ctl/provision/cluster.h"

struct sight;

/* A thread until sight_stop(). */
struct sight *sight_start(struct cluster *c);
void          sight_stop(struct sight *s);

/* {"<replica's id>": {replica, shard, suspect, answers, replicates, lag_s, problem, stopped_ms}},
 * as it was seen last; to be owned. stopped_ms: since when an error keeps it from applying. */
json_t *sight_show(struct sight *s);

#endif
