/* binlog_encode.h - rows and tables as a server's log would have them, from values' texts.
 *
 * The other way of binlog_table.h and binlog_value.h: what is made so can be read by these, and
 * given to a server by binlog_build.h.
 */
#ifndef CORE_MYSQL_BINLOG_ENCODE_H
#define CORE_MYSQL_BINLOG_ENCODE_H

#include "core/mysql/binlog_table.h"

/* A FORMAT_DESCRIPTION event for such tables and rows: of version 4, with checksums. */
void binlog_describe(struct buf *out);

/* A table of these columns, of which `type`, `meta`, `scale` and `nullable` count (binlog_table.h).
 * NULL: no server has such a column. Free with binlog_table_free(). */
struct binlog_table *binlog_table_make(const struct binlog_column *columns, uint32_t n) must_check;

/* Append a value's bytes in an image. `text` is as binlog_value_text() tells it, but for
 *
 *   FLOAT       the digits of a DOUBLE
 *   TIMESTAMP   in UTC, as there; 0000-00-00 00:00:00 is a value
 *
 * False, with `out` as before: no such value fits the column, or its type is of a format that
 * servers make no more (YEAR(2), times of before MariaDB 10.1, compressed columns). */
bool binlog_value_put(struct buf *out, const struct binlog_column *c, struct span text) must_check;

#endif
