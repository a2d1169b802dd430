/* sets.h - the keys of rows that are not to be seen, see core/route/table.h, `hide`. */
#ifndef CTL_MOVE_SETS_H
#define CTL_MOVE_SETS_H

#include "core/route/keyhash.h"
#include "ctl/move/move.h"

/* Collects key values for one set and writes them with INSERT IGNORE, some hundreds at a time.
 * */
struct sets_writer {
    const struct route_column *column;
    char                       name[64]; /* of the set */
    struct buf                 values;
    unsigned                   n;
};

/* "in_JOB_TABLE" or "out_JOB_TABLE"; for the way back (move_reverse()) the one is the other: the
 * keys that left a shard are those that come back to it. */
void sets_name(const struct move *m, const struct move_table *t, bool in, char out[64]);

/* The column whose values the set has, one of t->before or t->after; NULL: there is no such set,
 * because the table is not sharded then. */
const struct route_column *sets_column(const struct move_table *t, bool in);

/* A value as a literal that the column stores as it is; for strings `value->bytes` are in the
 * column's own character set. */
bool sets_literal(struct buf *out, const struct route_column *column,
                  const struct key_value *value) must_check;

bool sets_add(struct sets_writer *w, const struct key_value *value) must_check;

/* What was collected, in the session's transaction. */
bool sets_flush(struct sets_writer *w, struct server *s, struct sql_error *error) must_check;

#endif
