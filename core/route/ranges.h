/* ranges.h - plans: which parts of the key space another shard is to own.
 *
 *   a map (ranges that cover all keys) --plan--> another map of the same keys
 *
 * Shards are indexes in [0, n_shards). Weights say what a range is worth: rows, bytes, load; a
 * range that is cut is taken to be even inside. A plan gives ranges whole where it can, cuts
 * few, and moves no more than it must. Nothing is allocated: `out` has room for RANGES_MAX.
 */
#ifndef CORE_ROUTE_RANGES_H
#define CORE_ROUTE_RANGES_H

#include "core/route/table.h"

enum { RANGES_MAX = 65536 }; /* of one map */

struct ranges {
    uint32_t            n;
    struct route_range *range; /* sorted by start, the first at 0 */
};

/* Keys in range i; the whole space counts as one less. */
uint64_t ranges_width(const struct ranges *r, uint32_t i);

/* How much of everything each shard has: share[n_shards], which sum to 1. `weight` per range;
 * NULL: their widths. */
void ranges_shares(const struct ranges *r, const double *weight, uint32_t n_shards,
                   double *share);

/* The map with as little moved as can be so that shard i owns want[i] of everything (a sum of
 * 1). False: too many ranges. */
bool ranges_rebalance(const struct ranges *r, const double *weight, uint32_t n_shards,
                      const double *want, struct ranges *out) must_check;

/* What the shards with leave[i] own goes to those with take[i] (none has both), so that these
 * become as equal as they can; what else there is stays. False: too many ranges. */
bool ranges_empty(const struct ranges *r, const double *weight, uint32_t n_shards,
                  const bool *leave, const bool *take, struct ranges *out) must_check;

/* What `shard` owns is cut into n_to + 1 equal parts, in the order of keys: it keeps the first,
 * to[0] gets the second ... False: too many ranges. */
bool ranges_split(const struct ranges *r, const double *weight, uint32_t shard,
                  const uint32_t *to, uint32_t n_to, struct ranges *out) must_check;

/* As above, cut at these keys' hashes, which ascend: to[i] gets what is not below at[i]. */
bool ranges_split_at(const struct ranges *r, uint32_t shard, const uint64_t *at,
                     const uint32_t *to, uint32_t n_to, struct ranges *out) must_check;

/* The keys in [first, last] belong to `to` afterwards. */
bool ranges_give(const struct ranges *r, uint64_t first, uint64_t last, uint32_t to,
                 struct ranges *out) must_check;

/* Neighbours of one owner become one. In place. */
void ranges_join(struct ranges *r);

/* `r` with further cuts, so that it has a range that starts where each of `other` does; the
 * owners stay. */
bool ranges_cut_like(const struct ranges *r, const struct ranges *other,
                     struct ranges *out) must_check;

#endif
