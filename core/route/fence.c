/* fence.c - see fence.h. */
#include "core/route/fence.h"

#include <stdio.h>

#include "core/route/gather.h"
#include "core/route/plan_internal.h"

bool
fence_on(const struct routes *r, const struct shard_set *shards)
{
    for (uint32_t i = shards->first; shards->n != 0 && i != ROUTES_NONE;
         i = shard_set_next(shards, i + 1))
        if (r->shards[i].fenced)
            return true;
    return false;
}

/* Whoever goes there without a key sees rows that are switched. */
static bool
has_moving_rows(const struct routes *r, const struct shard_set *shards)
{
    if (fence_on(r, shards))
        return true;
    for (uint32_t i = 0; i < r->n_ranges; i++)
        if (r->ranges[i].fenced && shard_set_has(shards, r->ranges[i].shard))
            return true;
    return false;
}

static bool
group_meets(const struct plan *plan, const struct routes *r, const struct key_group *g,
            const struct plan_values *values, const struct shard_set *shards)
{
    const struct route_table  *table  = &r->tables[g->table];
    const struct route_column *column = &table->columns[table->key];

    for (uint32_t i = 0; i < g->n_keys; i++) {
        struct value_room room = { .bytes = { 0 } };
        struct key_value  value;
        uint64_t          hash;
        operand_value(plan, &g->keys[i], values, &room, &value);
        enum key_result result = keyhash_compare(column, &value, &hash);
        buf_fini(&room.bytes);
        if (result == KEY_HASH ? r->ranges[routes_range(r, hash)].fenced
                               : result != KEY_NONE && has_moving_rows(r, shards))
            return true;
    }
    return false;
}

static bool
target_meets(const struct plan *plan, const struct routes *r, const struct target *t,
             bool sharded, const struct plan_values *values, const struct shard_set *shards)
{
    switch (t->kind) {
    case TARGET_ANY:
    case TARGET_NONE:
    case TARGET_HOME: return false;
    case TARGET_ALL:
    case TARGET_EVERY: return sharded && has_moving_rows(r, shards);
    case TARGET_KEYS: break;
    }
    for (uint32_t i = 0; i < t->n_groups; i++)
        if (group_meets(plan, r, &t->groups[i], values, shards))
            return true;
    return false;
}

/* Of each table its own shards. */
static bool
gather_meets(const struct plan *plan, const struct routes *r, const struct plan_values *values,
             uint32_t any, bool stays)
{
    for (uint32_t i = 0; i < plan->gather->n_tables; i++) {
        const struct gather_table *table   = &plan->gather->tables[i];
        bool                       sharded = r->tables[table->table].kind == TABLE_SHARDED;
        struct shard_set           shards;
        gather_route(plan, r, table, values, any, &shards);
        if (target_meets(plan, r, &table->target, sharded, values, &shards) ||
            (stays && fence_on(r, &shards)))
            return true;
    }
    return false;
}

static bool
stays_or_spreads(const struct plan *plan, const struct routes *r, const struct shard_set *shards,
                 bool stays)
{
    bool spreads = shards->n > 1 && (plan->is_write || plan->locks);

    return (stays || spreads) && fence_on(r, shards);
}

bool
fence_meets(const struct plan *plan, const struct routes *r, const struct plan_values *values,
            const struct shard_set *shards, uint32_t any, bool stays)
{
    if (plan->meets_fenced_table)
        return true;
    if (gather_needed(plan, r, values))
        return gather_meets(plan, r, values, any, stays);
    return stays_or_spreads(plan, r, shards, stays) ||
           target_meets(plan, r, &plan->target, plan->sharded, values, shards);
}

bool
fence_meets_rows(const struct plan *plan, const struct routes *r, const uint64_t *hashes,
                 uint32_t n, const struct shard_set *shards, bool stays)
{
    if (plan->meets_fenced_table || stays_or_spreads(plan, r, shards, stays))
        return true;
    for (uint32_t i = 0; i < n; i++)
        if (r->ranges[routes_range(r, hashes[i])].fenced)
            return true;
    return false;
}

static bool
describe_table(const struct routes *r, char *out, size_t room)
{
    for (uint32_t i = 0; i < r->n_tables; i++) {
        struct span database = r->databases[r->tables[i].database].name;
        if (!r->tables[i].fenced)
            continue;
        snprintf(out, room, "table %.*s.%.*s", SHOWN(database), SHOWN(r->tables[i].name));
        return true;
    }
    return false;
}

void
fence_describe(const struct routes *r, char *out, size_t room)
{
    uint32_t    n  = 0;
    size_t      at = 0;
    const char *between[] = { "rows of ", " and ", "" };

    snprintf(out, room, "rows");
    if (describe_table(r, out, room))
        return;
    for (uint32_t i = 0; i < r->n_shards && n < 3; i++) {
        if (!r->shards[i].fenced)
            continue;
        struct span name = n < 2 ? r->shards[i].name : SPAN(" and others");
        int         len  = snprintf(out + at, room - at, "%s%.*s", between[n], SHOWN(name));
        at += len > 0 ? (size_t)len : 0;
        if (at >= room)
            return;
        n++;
    }
}
