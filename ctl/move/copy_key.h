/* copy_key.h - primary keys as texts: noted, put in order, and as conditions of SQL. */
#ifndef CTL_MOVE_COPY_KEY_H
#define CTL_MOVE_COPY_KEY_H

#include "core/base/buf.h"
#include "ctl/move/move.h"

/* Whether values of the column can be put in order here as the server orders them. */
bool copy_order_known(const struct route_column *column);

/* Less than, equal to, greater than 0. Texts as the text protocol has them, in the column's
 * character set, and TIMESTAMP in UTC. */
int copy_order(const struct route_column *column, struct span a, struct span b);

/* Several texts as one: each with its length in front. */
void copy_key_append(struct buf *out, struct span text);

/* The first of them off `key`. False: malformed, or none is left. */
bool copy_key_take(struct span *key, struct span *text) must_check;

/* A condition that rows with a greater primary key meet. False: `key` is none of this table. */
bool copy_key_behind(const struct move_table *t, struct span key, struct buf *out) must_check;

/* "`a`, `b`": the columns of the primary key. */
void copy_key_columns(const struct move_table *t, struct buf *out);

#endif
