/* cell.h - one value of a row, and its ways between binary and text.
 *
 * A binary cell's bytes are the value as on the wire without a length: integers
 * and floats little-endian, temporal values as their parts (0, 4, 7, 8, 11 or
 * 12 bytes), everything else as the text form has it.
 */
#ifndef CORE_MYSQL_CELL_H
#define CORE_MYSQL_CELL_H

#include "core/base/buf.h"
#include "core/mysql/reply.h"

struct cell {
    struct span bytes;
    bool        is_null;
};

/* Bytes that the value of `type` has in a binary row, or one of these. */
enum { TYPE_LENENC = -1, TYPE_TEMPORAL = -2, TYPE_UNKNOWN = -3 };
int type_size(uint8_t type);

/* Append the text form of a binary cell, as the server would have sent it in a text row. The
 * cell is not NULL. False, with `out` as before, for malformed cells. */
bool cell_to_text(struct buf *out, const struct column *column, struct cell cell) must_check;

/* Append the binary form of a text cell, without a length. The cell is not NULL. False, with
 * `out` as before, for text that is no value of the type. */
bool cell_to_binary(struct buf *out, const struct column *column, struct cell cell) must_check;

/* A temporal value. DATE has no time; TIME has days in `hour` and no date. */
struct temporal {
    bool     negative; /* TIME only */
    uint16_t year;
    uint8_t  month, day;
    uint32_t hour;     /* TIME: up to 838 */
    uint8_t  minute, second;
    uint32_t micros;
};

/* `type`: DATE, DATETIME, TIMESTAMP or TIME. */
bool temporal_from_binary(struct span bytes, uint8_t type, struct temporal *out) must_check;
bool temporal_from_text(struct span text, uint8_t type, struct temporal *out) must_check;
void temporal_to_binary(struct buf *out, uint8_t type, const struct temporal *t);
void temporal_to_text(struct buf *out, uint8_t type, unsigned decimals, const struct temporal *t);

/* Append a DOUBLE or FLOAT as the server prints it: the shortest digits that read back equal
 * (FLOAT: at most 6), with `decimals` digits when that is below NOT_FIXED_DEC. */
void double_to_text(struct buf *out, double value, unsigned decimals);
void float_to_text(struct buf *out, float value, unsigned decimals);

#endif
