/* row_key.h - the key of a row as a binary log has it.
 *
 * A row that is moved must go where the workers look for it: row_key_hash() of the key column's
 * value in a row image is the hash that keyhash_stored() gave for the statement that wrote it.
 */
#ifndef CORE_ROUTE_ROW_KEY_H
#define CORE_ROUTE_ROW_KEY_H

#include "core/mysql/binlog_rows.h"
#include "core/route/keyhash.h"

/* Whether the log's column is the one that the routes know: the same type and size. False: `err`
 * names the column; its table was altered, or the log is of before that. To be asked once a
 * TABLE_MAP. */
bool row_key_matches(const struct route_column *column, const struct binlog_column *logged,
                     struct err *err) must_check;

/* `column` passed keyhash_column_supported() and row_key_matches() with the value's column. `room`
 * is overwritten. False: no value of the type. */
bool row_key_hash(const struct route_column *column, const struct binlog_value *value,
                  struct buf *room, uint64_t *hash) must_check;

/* Append the value, which is not NULL, as a server's text protocol would send it in the column's
 * own character set: for sets_literal(). False: no value of the type. */
bool row_key_text(const struct route_column *column, const struct binlog_value *value,
                  struct buf *out) must_check;

#endif
