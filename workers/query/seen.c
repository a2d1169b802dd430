/* seen.c - see seen.h. */
#include "workers/query/seen.h"

#include "core/base/clock.h"

/* The clock is read here, and not the turn's taken: an answer that came in this turn is younger
 * than the turn. */
void
seen_note(struct seen *s, uint32_t shard_id, const struct server *server)
{
    struct seen_shard *at = &s->shard[shard_id % SEEN_SHARDS];

    if (at->shard_id_plus_1 != shard_id + 1 && at->us > s->all_us)
        s->all_us = at->us; /* its place is taken */
    *at = (struct seen_shard){
        .shard_id_plus_1 = shard_id + 1,
        .server          = server != NULL ? server->id : 0,
        .incarnation     = server != NULL ? server->incarnation : 0,
        .us              = clock_us(),
    };
}

void
seen_note_all(struct seen *s)
{
    s->all_us = clock_us();
}

void
seen_wish(const struct seen *s, uint32_t shard_id, struct server_wish *wish)
{
    const struct seen_shard *at = &s->shard[shard_id % SEEN_SHARDS];

    wish->since_us = s->all_us;
    if (at->shard_id_plus_1 != shard_id + 1 || at->us < s->all_us)
        return;
    wish->since_us    = at->us;
    wish->stay        = at->server;
    wish->incarnation = at->incarnation;
}

uint64_t
seen_us(const struct seen *s)
{
    uint64_t us = s->all_us;

    for (int i = 0; i < SEEN_SHARDS; i++)
        us = s->shard[i].us > us ? s->shard[i].us : us;
    return us;
}
