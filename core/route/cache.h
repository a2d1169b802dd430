/* cache.h - plans of statements seen before; one per worker, no locks.
 *
 *   digest hash --> slot --> entry: key compared in full --> plan
 *
 * The key is everything that can change a plan: the whole normalised text, the
 * schema, sql_mode, connection collation and the generation. An entry owns the
 * arena its plan lives in. A plan in use is held by reference; eviction (a clock
 * hand over the entries) and cache_clear() only drop the cache's own reference.
 * The hit path does not allocate.
 */
#ifndef CORE_ROUTE_CACHE_H
#define CORE_ROUTE_CACHE_H

#include "core/base/arena.h"
#include "core/route/pace.h"
#include "core/route/plan.h"
#include "core/route/quantile.h"

struct cache_key {
    uint64_t    hash;       /* of the normalised text */
    struct span text;       /* the normalised text */
    struct span schema;     /* current database, empty: none */
    uint64_t    generation; /* of the routes */
    uint32_t    sql_mode;   /* the bits that change the meaning of text */
    uint16_t    collation;  /* of the connection */
    uint16_t    flags;      /* of the caller: e.g. COM_QUERY and COM_STMT_PREPARE apart */
};

/* A plan with the arena it lives in. */
struct plan_ref {
    struct plan  plan;
    struct arena arena;
    uint32_t     references;
    uint64_t     uses; /* times found in the cache */
    struct pace  pace; /* of its executions here; kept by the caller */
    struct quantile slow; /* us that few of them take longer than, where that is asked; as well */
    /* What the caller calls it by, in `arena`; see workers/query/statement_time.h. */
    struct span  words, schema;
    uint64_t     digest; /* 0: it has no name */
    uint16_t     tally;
};

struct cache;

struct cache_stats {
    uint64_t hits, misses, evictions;
    uint32_t entries;
    size_t   bytes;
};

/* At most `max_entries` and about `max_bytes` of keys and plans. */
struct cache *cache_new(uint32_t max_entries, size_t max_bytes);
void cache_free(struct cache *c);

/* A reference to the plan, or NULL. Give it back with plan_ref_release(). */
struct plan_ref *cache_find(struct cache *c, const struct cache_key *key);

/* Keeps the plan for the key (which is copied), unless it is larger than a 16th
 * of max_bytes. The caller's own reference stays. Evicts what is in the way. */
void cache_insert(struct cache *c, const struct cache_key *key, struct plan_ref *plan);

/* Forget everything (a new generation: entries of the old one never match again). */
void cache_clear(struct cache *c);

/* Every entry, in no order. */
void cache_each(const struct cache *c,
                void (*each)(void *ctx, const struct cache_key *key, const struct plan_ref *plan),
                void *ctx);

void cache_stats(const struct cache *c, struct cache_stats *out);

/* An empty plan with one reference, to be filled by plan_make(). */
struct plan_ref *plan_ref_new(void);

static inline struct plan_ref *
plan_ref_acquire(struct plan_ref *p)
{
    p->references++;
    return p;
}

void plan_ref_release(struct plan_ref *p); /* NULL is fine */

#endif
