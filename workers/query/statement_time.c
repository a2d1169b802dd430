/* statement_time.c - see statement_time.h. */
#include "workers/query/statement_time.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "shm/tally.h"

struct statement_times {
    struct tally *tally;
    uint64_t      told_ms;
};

/* The plan outlives its entry in the cache, so the text is in the plan's own memory; the
 * beginning of it, as much as is told. */
void
statement_time_name(struct plan_ref *plan, const struct cache_key *key)
{
    size_t len    = key->text.len < TALLY_TEXT_MAX + 4 ? key->text.len : TALLY_TEXT_MAX + 4;
    size_t schema = key->schema.len < TALLY_SCHEMA_MAX + 4 ? key->schema.len
                                                           : TALLY_SCHEMA_MAX + 4;
    uint8_t *room = arena_alloc(&plan->arena, len + schema + 1);
    uint64_t hash = 0xcbf29ce484222325u;

    memcpy(room, key->text.ptr, len);
    if (schema > 0)
        memcpy(room + len, key->schema.ptr, schema);
    for (size_t i = 0; i < schema; i++)
        hash = (hash ^ room[len + i]) * 0x100000001b3u;
    plan->words  = (struct span){ room, len };
    plan->schema = (struct span){ room + len, schema };
    plan->digest = (key->hash ^ hash) | 1;
}

void
statement_time_note(const struct query_run *q)
{
    struct context  *ctx  = q->ctx;
    struct plan_ref *plan = q->plan;

    if (plan == NULL || plan->digest == 0 || q->quiet || q->command == QUERY_PREPARE ||
        q->command == QUERY_FETCH)
        return;
    if (ctx->times == NULL) {
        ctx->times        = mem_alloc(sizeof(*ctx->times));
        ctx->times->tally = tally_new();
    }
    struct tally_name name = { plan->digest, (uint8_t)plan->plan.kind, plan->schema,
                               plan->words };
    tally_note(ctx->times->tally, &name, &plan->tally,
               ring_now_us(ctx->ring) - q->started_us, q->failed,
               ring_now_ms(ctx->ring) / 1000);
}

void
statement_time_tick(struct context *ctx)
{
    struct statement_times *times = ctx->times;
    struct buf              text  = { 0 };
    uint64_t                now   = ring_now_ms(ctx->ring);

    if (times == NULL || now < times->told_ms + STATEMENT_TELL_MS)
        return;
    times->told_ms = now;
    tally_turn(times->tally, now / 1000);
    if (tally_write(times->tally, &text))
        report_write(ctx->slots, ctx->slot, REPORT_STATEMENTS, buf_unread(&text));
    buf_fini(&text);
}
