/* user_locks.h - IS_USED_LOCK() tells the client that has the lock, as CONNECTION_ID() is it.
 *
 * A server answers with its own number for the connection. Sessions that may hold locks say
 * in their rows of the process list which connection that is on.
 */
#ifndef WORKERS_QUERY_USER_LOCKS_H
#define WORKERS_QUERY_USER_LOCKS_H

#include "workers/query/query.h"

/* " WHEN 31 THEN 257 ...": the connections of the first shard, where all locks are, and whose
 * they are. */
void user_locks_holders(const struct query_run *q, struct buf *out);

#endif
