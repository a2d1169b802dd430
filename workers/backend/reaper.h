/* reaper.h - end on a server what nobody waits for any more.
 *
 * Closing a connection does not stop the statement that runs on it: the server
 * notices when it has something to say. So it is told, by shardd's own account
 * on another connection. Nobody waits for the outcome.
 */
#ifndef WORKERS_BACKEND_REAPER_H
#define WORKERS_BACKEND_REAPER_H

#include "workers/backend/pool.h"

/* KILL the connection `thread_id` of a shard. Harmless when it is gone already. */
void reaper_kill(struct context *ctx, uint32_t shard_id, uint64_t thread_id);

#endif
