/* hedge.h - an eventual read that takes long is asked of a second replica as well.
 *
 *   sent to r1 --longer than 95 % of its statement's take--> sent to r2 too
 *                                                            |
 *          the first whole answer is the client's, the other one is read and dropped
 *
 * Only what shows nothing of its session is asked twice: stateless, small, one shard, outside of
 * transactions. Only hedge_percent of such reads, and a few besides: when all servers are slow a
 * second question would make them slower. The connection of the one that lost goes back to its
 * pool when its answer is complete; when that takes a second, or is long, it is closed and the
 * server told to stop.
 */
#ifndef WORKERS_QUERY_HEDGE_H
#define WORKERS_QUERY_HEDGE_H

#include "workers/query/leg.h"

struct hedge;

/* The only leg of a read was sent to a replica, or soon will be. */
void hedge_arm(struct leg *leg);

/* The leg goes to the client, or is over: there is no second one any more. Harmless when there
 * never was one. */
void hedge_end(struct query_run *q);

#endif
