/* lookup.h - what a write has done to the rows of tables with lookups.
 *
 *   BEGIN, or a savepoint
 *     on each shard: SET @`shardd lookup` = x''      (leg.c, before the statement)
 *                    the statement; triggers of the rows append to the variable
 *                    SELECT @`shardd lookup`         (lookup_take())
 *     DELETE FROM, INSERT INTO shardd_lookup.TABLE   (core/route/lookup_text.h)
 *   COMMIT, or nothing
 *
 * All of it is in one transaction over all shards (workers/client/client_apply.c), so a lookup
 * has a row's value exactly while the row has it. Two rows that want one value, anywhere, meet in
 * the unique key of the lookup's table, which has the name of the application's index.
 */
#ifndef WORKERS_QUERY_LOOKUP_H
#define WORKERS_QUERY_LOOKUP_H

#include <stdbool.h>

#include "core/base/arena.h"

struct query_run;

/* The caller's: what the shards have told since the statement began. */
struct taking {
    struct arena *arena;
    bool          finds;  /* the rows of the statement itself are wanted */
    struct span  *parts;  /* [n) of the arena */
    uint32_t      n, cap;
};

/* Run `q`, whose q->taking is set, in place of its text: asks each shard that the last statement
 * has written on. Answers OK. */
void lookup_take(struct query_run *q);

/* Run `q`, a read of a lookup, where its plan says: the first column goes to q->taking. */
void lookup_find(struct query_run *q);

#endif
