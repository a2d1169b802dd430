/* failover_log.h - the changes of a shard's primary, in the shard's object.
 *
 *   "failovers"        [{at_ms, from, to, kind, why, who, may_be_lost, pause_ms}, ...], newest
 *                      first, FAILOVERS_KEPT at most; pause_ms lacks while it is under way, and
 *                      where a controller ended before it had told
 *   "failover_counts"  {kind: how many there ever were}
 *
 * kind: "planned" (nobody noticed), "lost" (the primary did not answer, all that it had
 * acknowledged is there), "forced" (somebody wanted it although some may be lost).
 */
#ifndef CTL_FAILOVER_FAILOVER_LOG_H
#define CTL_FAILOVER_FAILOVER_LOG_H

#include "ctl/provision/cluster.h"

enum { FAILOVERS_KEPT = 16 };

struct failover_event {
    const char *from, *to, *kind, *why, *who;
    bool        may_be_lost;
};

/* Into the object, which the caller writes with the change itself. */
void failover_log_add(json_t *shard, const struct failover_event *event);

/* For how long statements waited. */
void failover_log_pause(json_t *shard, double pause_ms);

/* How often it was replaced because it was lost within `window_s`; since when, in ms. */
unsigned failover_log_recent(const json_t *shard, int window_s, int64_t *last_ms);

/* Of all shards, newest first, each with its "shard"; to be owned. */
json_t *failover_log_list(struct cluster *c);

#endif
