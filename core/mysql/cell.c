/* cell.c - see cell.h. */
#include "core/mysql/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/wire.h"

enum {
    FRACTION_MAX    = 6, /* digits behind the second */
    NUMBER_TEXT_MAX = 512,
};

int
type_size(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_NULL:      return 0;
    case MYSQL_TYPE_TINY:      return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:      return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:     return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:    return 8;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP: return TYPE_TEMPORAL;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BIT:       return TYPE_LENENC;
    default:                   return type >= MYSQL_TYPE_JSON ? TYPE_LENENC : TYPE_UNKNOWN;
    }
}

static bool
real_to_text(struct buf *out, const struct column *column, struct span bytes)
{
    if (column->type == MYSQL_TYPE_FLOAT) {
        uint32_t bits = wire_load_u32(bytes.ptr);
        float    value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value))
            float_to_text(out, value, column->decimals);
        return isfinite(value);
    }
    uint64_t bits = wire_load_u64(bytes.ptr);
    double   value;
    memcpy(&value, &bits, sizeof(value));
    if (isfinite(value))
        double_to_text(out, value, column->decimals);
    return isfinite(value);
}

static bool
real_to_binary(struct buf *out, uint8_t type, struct span text)
{
    char  copy[NUMBER_TEXT_MAX], *end;

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, 'x', text.len) != NULL
        || memchr("+-.0123456789", text.ptr[0], 13) == NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (type == MYSQL_TYPE_FLOAT) {
        float    value = strtof(copy, &end);
        uint32_t bits;
        memcpy(&bits, &value, sizeof(bits));
        if (end != copy + text.len || !isfinite(value))
            return false;
        wire_put_u32(out, bits);
        return true;
    }
    double   value = strtod(copy, &end);
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (end != copy + text.len || !isfinite(value))
        return false;
    wire_put_u64(out, bits);
    return true;
}

static uint64_t
integer_load(struct span bytes, bool is_unsigned)
{
    uint64_t value = 0;
    unsigned bits  = (unsigned)bytes.len * 8;

    for (size_t i = bytes.len; i > 0; i--)
        value = value << 8 | bytes.ptr[i - 1];
    if (!is_unsigned && bits < 64 && value >> (bits - 1) & 1)
        value |= UINT64_MAX << bits;
    return value;
}

static void
integer_to_text(struct buf *out, const struct column *column, struct span bytes)
{
    bool     is_unsigned = column->flags & UNSIGNED_FLAG || column->type == MYSQL_TYPE_YEAR;
    uint64_t value       = integer_load(bytes, is_unsigned);
    int      width       = 0;

    if (column->flags & ZEROFILL_FLAG && column->length < NUMBER_TEXT_MAX)
        width = (int)column->length;
    if (is_unsigned)
        buf_printf(out, "%0*llu", width, (unsigned long long)value);
    else
        buf_printf(out, "%lld", (long long)value);
}

/* Digits with at most a sign, without overflow. */
static bool
integer_parse(struct span text, bool *negative, uint64_t *magnitude)
{
    struct cursor c = cursor_of(text);
    uint64_t      v = 0;

    *negative = text.len != 0 && text.ptr[0] == '-';
    if (*negative)
        c.at++;
    if (c.at == c.end)
        return false;
    for (; c.at != c.end; c.at++) {
        unsigned digit = (unsigned)*c.at - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v)
            || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *magnitude = v;
    return true;
}

static bool
integer_to_binary(struct buf *out, const struct column *column, struct span text)
{
    bool     is_unsigned = column->flags & UNSIGNED_FLAG || column->type == MYSQL_TYPE_YEAR;
    size_t   size        = (size_t)type_size(column->type);
    uint64_t half        = UINT64_C(1) << (8 * size - 1), magnitude;
    bool     negative;

    if (!integer_parse(text, &negative, &magnitude))
        return false;
    uint64_t most = !is_unsigned ? half - (negative ? 0 : 1) : negative ? 0 : half - 1 + half;
    if (magnitude > most)
        return false;
    uint64_t value = negative ? 0 - magnitude : magnitude;
    for (size_t i = 0; i < size; i++)
        wire_put_u8(out, (uint8_t)(value >> (8 * i)));
    return true;
}

static bool
is_real(uint8_t type)
{
    return type == MYSQL_TYPE_FLOAT || type == MYSQL_TYPE_DOUBLE;
}

bool
cell_to_text(struct buf *out, const struct column *column, struct cell cell)
{
    int             size = type_size(column->type);
    struct temporal t;

    if (size == TYPE_LENENC) {
        buf_append_span(out, cell.bytes);
        return true;
    }
    if (size == TYPE_TEMPORAL) {
        if (!temporal_from_binary(cell.bytes, column->type, &t))
            return false;
        unsigned free = t.micros != 0 ? FRACTION_MAX : 0;
        temporal_to_text(out, column->type,
                         column->decimals <= FRACTION_MAX ? column->decimals : free, &t);
        return true;
    }
    if (size <= 0 || cell.bytes.len != (size_t)size)
        return false;
    if (is_real(column->type))
        return real_to_text(out, column, cell.bytes);
    integer_to_text(out, column, cell.bytes);
    return true;
}

bool
cell_to_binary(struct buf *out, const struct column *column, struct cell cell)
{
    int             size = type_size(column->type);
    struct temporal t;

    if (size == TYPE_LENENC) {
        buf_append_span(out, cell.bytes);
        return true;
    }
    if (size == TYPE_TEMPORAL) {
        if (!temporal_from_text(cell.bytes, column->type, &t))
            return false;
        temporal_to_binary(out, column->type, &t);
        return true;
    }
    if (size <= 0)
        return false;
    return is_real(column->type) ? real_to_binary(out, column->type, cell.bytes)
                                 : integer_to_binary(out, column, cell.bytes);
}
