/* discover.h - servers that come and go by themselves: containers and units with labels of ours.
 *
 *   labelled for this cluster, answers, has no tables  --> a shard without ranges
 *   gone, and the shard owns nothing                   --> the shard leaves; else it is told
 *   made for a shard that the catalog does not have    --> removed where a job's record says that
 *                                                          nothing in it counts, else told
 *
 * The labels are in docker.h; units say the same by Environment=SHARDD_CLUSTER=... and so on. What
 * was found is never started, stopped or removed by us ("found" in the shard's object). Every
 * few seconds; a server that is refused is looked at again when it has been made anew.
 */
#ifndef CTL_JOB_DISCOVER_H
#define CTL_JOB_DISCOVER_H

#include "ctl/provision/cluster.h"

struct discover;

/* A thread until discover_stop(); NULL when the cluster's settings do not want it. */
struct discover *discover_start(struct cluster *c);
void             discover_stop(struct discover *d);

/* What was made for shard `id` when its making failed or when it was removed: it holds nothing
 * that counts. To be owned; NULL: no record says so, or one is still at it. */
json_t *discover_discarded(struct cluster *c, int64_t id, bool *kept);

#endif
