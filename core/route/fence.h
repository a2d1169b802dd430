/* fence.h - which statements have to wait while rows change their owner.
 *
 *   a keyed statement          waits when a key is in a fenced range
 *   one without keys           when it goes to a fenced shard, or to the owner of a fenced range,
 *                              for sharded tables
 *   one that names a fenced table, or may reach one (views, routines, what is not understood)
 *   one of a SEQUENCE          when a shard is fenced that is a database's home
 *   a write on several shards  when one of them is fenced: it would prepare a branch there
 *   what would stay there      when the shard is fenced: the first statement of a transaction, a
 *                              cursor, locks. Its rows would be those of before the switch
 *
 * What is there already (the sessions know: park_is_old()) goes on to its end.
 * Nothing of this is asked while routes.fenced is false.
 */
#ifndef CORE_ROUTE_FENCE_H
#define CORE_ROUTE_FENCE_H

#include "core/route/plan.h"

/* One of them is fenced. */
bool fence_on(const struct routes *r, const struct shard_set *shards);

/* A statement that runs on `shards`, as plan_route() gives them for `any`; `stays`: something of
 * it does, there. Where it is gathered the shards of each table count instead. */
bool fence_meets(const struct plan *plan, const struct routes *r,
                 const struct plan_values *values, const struct shard_set *shards, uint32_t any,
                 bool stays);

/* An INSERT of rows with these keys' hashes. */
bool fence_meets_rows(const struct plan *plan, const struct routes *r, const uint64_t *hashes,
                      uint32_t n, const struct shard_set *shards, bool stays);

/* "table app.t", or "rows of shard-1 and shard-2": for sentences; cut to fit. */
void fence_describe(const struct routes *r, char *out, size_t room);

#endif
