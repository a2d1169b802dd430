/* user_locks.c - see user_locks.h. */
#include "workers/query/user_locks.h"

#include <stdlib.h>

#include "core/base/memory.h"

void
user_locks_holders(const struct query_run *q, struct buf *out)
{
    const struct slots *slots = q->ctx->slots;
    uint32_t            shard = q->routes->routes->shards[0].id;
    struct client_info *info  = mem_alloc(sizeof(*info));

    for (uint32_t w = 0; w < slots->n_workers; w++)
        for (uint32_t row = 0; row < slots->n_clients; row++)
            if (client_read(slots_at(slots, w), row, info) && info->locks != 0 &&
                participant_shard(info->locks) == shard)
                buf_printf(out, " WHEN %u THEN %llu", participant_thread(info->locks),
                           (unsigned long long)info->id);
    free(info);
}
