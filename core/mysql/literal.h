/* literal.h - the parameters of a prepared statement, and values as SQL text.
 *
 * A statement that is split over shards or sent as text carries its parameters
 * as literals. A literal must mean to the server what the parameter would have
 * meant: the same type, the same collation, the same value to the last bit.
 */
#ifndef CORE_MYSQL_LITERAL_H
#define CORE_MYSQL_LITERAL_H

#include "core/base/buf.h"
#include "core/mysql/protocol.h"

/* One parameter of COM_STMT_EXECUTE. `bytes` is the value as on the wire
 * without a length: integers and floats little-endian, temporal values as
 * their parts, everything else as text or raw bytes. */
struct param_value {
    uint8_t     type; /* MYSQL_TYPE_* */
    bool        is_unsigned;
    bool        is_null;
    struct span bytes;
};

/* How text becomes a literal that the server reads back unchanged. */
struct literal_mode {
    uint16_t charset;              /* collation id of character_set_client */
    bool     no_backslash_escapes; /* sql_mode */
};

/* Append the value as an SQL literal that means what the parameter means to the
 * server: strings quoted (they take the connection's collation), BLOB types as
 * _binary'...', FLOAT and DOUBLE with 17 digits and an exponent, DECIMAL with a point,
 * temporal values as DATE'...', TIME'...', TIMESTAMP'...'. Where the literal is itself a
 * column of the result, that column's metadata may differ (BIGINT for TINYINT, the digits of
 * a FLOAT). False, with `out` as before, for what no literal can say: NaN, infinities,
 * malformed values and unknown types. */
bool param_literal(struct buf *out, const struct param_value *param,
                   const struct literal_mode *mode) must_check;

/* The same quoting for text from elsewhere. */
void literal_quote(struct buf *out, struct span text, const struct literal_mode *mode);

/* `name` with ` doubled. */
void literal_identifier(struct buf *out, struct span name);

/* The value of an integer type; false for any other type or NULL. */
struct param_integer {
    uint64_t magnitude;
    bool     negative;
};

bool param_integer(const struct param_value *param, struct param_integer *out) must_check;

#endif
