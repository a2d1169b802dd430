/* leg_time.c - how long statements take on their shards. */
#include "workers/query/leg.h"

void
leg_time_begin(struct leg *leg)
{
    leg->counters = leg->backend->counters;
    leg->sent_us  = ring_now_us(leg->q->ctx->ring);
    slot_shard_add(leg->counters, SHARD_COUNTER_STATEMENTS, 1);
}

/* What waited for a client, to take the answer or to send a file, says nothing of the shard. */
void
leg_time_end(struct leg *leg)
{
    const struct query_run *q = leg->q;

    if (leg->counters == NULL || !leg->ok || q->slowed || q->loading != NULL ||
        q->infile != NULL)
        return;
    slot_shard_took(leg->counters, ring_now_us(q->ctx->ring) - leg->sent_us);
    leg->counters = NULL;
}
