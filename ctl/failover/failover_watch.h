/* failover_watch.h - sees that a primary does not answer, and has it replaced.
 *
 *   we ask each primary that could be replaced, twice a second
 *     no answer for CONFIRM_MS, a server of ours was not back meanwhile, and no replica hears it
 *     either (a replica hears a heartbeat every second): it is replaced, see failover.h
 *   one at a time; and not the same shard twice within QUIET_MS
 *
 * A shard without semi_sync, or whose "failover" is "manual", is not replaced by itself.
 */
#ifndef CTL_FAILOVER_FAILOVER_WATCH_H
#define CTL_FAILOVER_FAILOVER_WATCH_H

#include "ctl/provision/cluster.h"

struct failover_watch;

/* A thread until failover_watch_stop(). */
struct failover_watch *failover_watch_start(struct cluster *c);
void                   failover_watch_stop(struct failover_watch *w);

#endif
