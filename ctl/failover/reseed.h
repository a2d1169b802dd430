/* reseed.h - servers that are of no use any more are made anew.
 *
 *   a replica that was replaced as a primary, or left out then (its object has "suspect")
 *   a replica that has applied nothing for RESEED_STOPPED_MS, because of an error
 *
 * Where the shard's "reseed" is "auto", and the server is one of ours: one at a time, as by
 * 'shardctl server reseed'. Elsewhere people are told by an alert.
 */
#ifndef CTL_FAILOVER_RESEED_H
#define CTL_FAILOVER_RESEED_H

#include "ctl/failover/failover_sight.h"

enum { RESEED_STOPPED_MS = 30000 };

struct reseed;

/* A thread until reseed_stop(). */
struct reseed *reseed_start(struct cluster *c, struct sight *sight);
void           reseed_stop(struct reseed *r);

#endif
