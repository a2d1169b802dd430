/* binlog_value.h - a row image's value as a server's text protocol would send it. */
#ifndef CORE_MYSQL_BINLOG_VALUE_H
#define CORE_MYSQL_BINLOG_VALUE_H

#include "core/mysql/binlog_rows.h"

/* Append the text of a value that is not NULL:
 *
 *   integers, YEAR, DECIMAL, FLOAT, DOUBLE     as text (`is_unsigned` as the column's definition
 *                                              says: images do not tell)
 *   DATE, DATETIME, TIME                       as text, with all digits of the fraction
 *   TIMESTAMP                                  the same, in UTC
 *   ENUM, SET                                  their number
 *   BIT, CHAR, VARCHAR, TEXT, BLOB ...         the bytes as they are, in the column's character
 *                                              set: CHAR without trailing spaces, BINARY without
 *                                              trailing zeros (UUID, INET4, INET6 are such)
 *
 * False, with `out` as before: compressed columns, whose bytes are not the value, and what is no
 * value of the type. */
bool binlog_value_text(struct buf *out, const struct binlog_value *value, bool is_unsigned)
    must_check;

#endif
