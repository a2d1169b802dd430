/* join_values.h - the values of a column, each once, and a list of them as SQL text.
 *
 *   rows of users --id--> 1, 7, 9, 7 --> orders: " AND `user_id` IN (1,7,9)"
 *
 * For gather_join (gather.h): gather_lists() holds of the two columns. The set gives up when it
 * has more values or bytes than it may, or one of which no literal is certain to mean the same;
 * then it holds nothing.
 */
#ifndef CORE_ROUTE_JOIN_VALUES_H
#define CORE_ROUTE_JOIN_VALUES_H

#include "core/base/buf.h"
#include "core/route/table.h"

enum { JOIN_VALUES_BYTES = 1 << 20 }; /* of all values */

struct join_values {
    const struct route_column *column;
    uint32_t                   max;    /* values; 0: none is taken */
    bool                       gave_up;
    uint32_t                   n, cap; /* cap: slots, a power of 2; 0: none yet */
    struct join_value         *items;  /* [n) */
    uint32_t                  *slots;  /* 1 + an index in items; 0: free */
    struct buf                 bytes;
};

void join_values_init(struct join_values *v, const struct route_column *column, uint32_t max);
void join_values_fini(struct join_values *v);

/* A value that is not NULL, as a server tells it: a number in digits, a string in the bytes of
 * the column's character set. */
void join_values_add(struct join_values *v, struct span value);

/* Which rows of a table have such a value in its column `column`, which is the table's key for
 * `key`: only what shard `shard` owns, and with ROUTES_NONE all. Appends "1,2", what stands in an
 * IN; nothing: no row has. The set has not given up. */
void join_values_text(const struct join_values *v, const struct route_column *column, bool key,
                      const struct routes *r, uint32_t shard, struct buf *out);

/* Does the shard own one of the values of that key? */
bool join_values_on(const struct join_values *v, const struct route_column *key,
                    const struct routes *r, uint32_t shard) must_check;

#endif
