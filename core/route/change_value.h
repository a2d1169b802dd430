/* change_value.h - a column's value on its way from the engine to a shard; see change_text.h. */
#ifndef CORE_ROUTE_CHANGE_VALUE_H
#define CORE_ROUTE_CHANGE_VALUE_H

#include "core/route/change_text.h"

/* "a.`column`"; `alias` is with its point. */
void change_put_column(const struct change_table *t, const char *alias, uint32_t column,
                       struct buf *out);

/* An expression whose bytes are equal for equal values only, and are not converted on their way:
 * in utf8mb4 what is text. */
void change_put_bytes(const struct change_table *t, const char *alias, uint32_t column,
                      struct buf *out);

/* The same for change_put_literal(), which may find that it cannot be told ("?"). */
void change_put_value(const struct change_table *t, const char *alias, uint32_t column,
                      struct buf *out);

/* The cell as a literal. False and `err`. */
bool change_put_literal(const struct change_table *t, uint32_t column, struct cell cell,
                        struct buf *out, struct err *err) must_check;

/* False and `err`: it is a 0 that the shards take otherwise than the engine has; one of a row that
 * is inserted anew. */
bool change_check_zero(const struct change_table *t, uint32_t column, struct cell cell,
                       struct err *err) must_check;
bool change_check_moved(const struct change_table *t, uint32_t column, struct cell cell,
                        struct err *err) must_check;

#endif
