/* literal.c - see literal.h. */
#include "core/mysql/literal.h"

#include <math.h>
#include <stdio.h>

#include "core/mysql/cell.h"
#include "core/mysql/wire.h"

/* Charsets whose characters may have a backslash as their second byte: there
 * the server looks for whole characters, and so must we. In every other
 * charset that a client can use, bytes below 0x80 are always themselves. */
struct double_byte {
    uint8_t lead[2][2];  /* ranges of the first byte */
    uint8_t trail[2][2]; /* ranges of the second byte */
};

static const struct double_byte big5 = { { { 0xa1, 0xf9 }, { 0xa1, 0xf9 } },
                                         { { 0x40, 0x7e }, { 0xa1, 0xfe } } };
static const struct double_byte gbk  = { { { 0x81, 0xfe }, { 0x81, 0xfe } },
                                         { { 0x40, 0x7e }, { 0x80, 0xfe } } };
static const struct double_byte sjis = { { { 0x81, 0x9f }, { 0xe0, 0xfc } },
                                         { { 0x40, 0x7e }, { 0x80, 0xfc } } };

static const struct double_byte *
double_byte_of(uint16_t collation)
{
    /* MariaDB's NOPAD collations are 1024 above those that they derive from. */
    switch (collation >= 1024 && collation < 2048 ? collation - 1024 : collation) {
    case 1:
    case 84: return &big5;
    case 28:
    case 87: return &gbk;
    case 13:
    case 88:
    case 95: /* cp932 has the same shape */
    case 96: return &sjis;
    default: return NULL;
    }
}

static bool
in_ranges(const uint8_t ranges[2][2], uint8_t byte)
{
    return (byte >= ranges[0][0] && byte <= ranges[0][1])
           || (byte >= ranges[1][0] && byte <= ranges[1][1]);
}

/* Append `text` with its quotes and, where they escape, its backslashes doubled.
 * Nothing else: the server takes any other byte as it is, and a backslash of ours
 * could become the second byte of a character that the text left unfinished. */
static void
escape(struct buf *out, struct span text, const struct literal_mode *mode)
{
    const struct double_byte *wide = double_byte_of(mode->charset);
    size_t                    run  = 0; /* where the bytes not yet copied begin */

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (wide != NULL && in_ranges(wide->lead, byte) && i + 1 < text.len
            && in_ranges(wide->trail, text.ptr[i + 1])) {
            i++;
            continue;
        }
        if (byte != '\'' && (byte != '\\' || mode->no_backslash_escapes))
            continue;
        buf_append(out, text.ptr + run, i - run);
        buf_append_byte(out, byte);
        run = i; /* and once more with the next run */
    }
    buf_append(out, text.ptr + run, text.len - run);
}

void
literal_quote(struct buf *out, struct span text, const struct literal_mode *mode)
{
    buf_append_byte(out, '\'');
    if (text.len != 0)
        escape(out, text, mode);
    buf_append_byte(out, '\'');
}

void
literal_identifier(struct buf *out, struct span name)
{
    buf_append_byte(out, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_append_byte(out, '`');
        buf_append_byte(out, name.ptr[i]);
    }
    buf_append_byte(out, '`');
}

/* The little-endian integer in 1, 2, 4 or 8 bytes, its sign extended. */
static uint64_t
integer_load(struct span bytes, bool is_unsigned)
{
    switch (bytes.len) {
    case 1:  return is_unsigned ? bytes.ptr[0] : (uint64_t)(int8_t)bytes.ptr[0];
    case 2:  return is_unsigned ? wire_load_u16(bytes.ptr)
                                : (uint64_t)(int16_t)wire_load_u16(bytes.ptr);
    case 4:  return is_unsigned ? wire_load_u32(bytes.ptr)
                                : (uint64_t)(int32_t)wire_load_u32(bytes.ptr);
    default: return wire_load_u64(bytes.ptr);
    }
}

bool
param_integer(const struct param_value *param, struct param_integer *out)
{
    switch (param->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: break;
    default:                  return false;
    }
    if (param->is_null || param->bytes.len != (size_t)type_size(param->type))
        return false;
    uint64_t value    = integer_load(param->bytes, param->is_unsigned);
    bool     negative = !param->is_unsigned && (int64_t)value < 0;
    *out = (struct param_integer){ negative ? 0 - value : value, negative };
    return true;
}

static bool
integer_literal(struct buf *out, const struct param_value *param)
{
    struct param_integer value;

    if (!param_integer(param, &value))
        return false;
    buf_printf(out, "%s%llu", value.negative ? "-" : "", (unsigned long long)value.magnitude);
    return true;
}

/* With an exponent, or the server would read a DECIMAL. */
static bool
real_literal(struct buf *out, const struct param_value *param)
{
    double   value;
    float    single;
    uint64_t bits;

    if (param->bytes.len != (size_t)type_size(param->type))
        return false;
    if (param->type == MYSQL_TYPE_FLOAT) {
        uint32_t few = wire_load_u32(param->bytes.ptr);
        memcpy(&single, &few, sizeof(single));
        value = (double)single;
    } else {
        bits = wire_load_u64(param->bytes.ptr);
        memcpy(&value, &bits, sizeof(value));
    }
    if (!isfinite(value))
        return false;
    buf_printf(out, "%.16e", value); /* 17 digits */
    return true;
}

static size_t
digits(struct span s, size_t at)
{
    size_t n = 0;

    while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
        n++;
    return n;
}

/* Only plain notation: an exponent would make it a DOUBLE. Always with a
 * point: without one it would be an integer. */
static bool
decimal_literal(struct buf *out, struct span text)
{
    size_t at    = text.len != 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? 1 : 0;
    size_t whole = digits(text, at), part = 0;
    bool   point = at + whole < text.len && text.ptr[at + whole] == '.';

    if (point)
        part = digits(text, at + whole + 1);
    if (at + whole + point + part != text.len || whole + part == 0)
        return false;
    buf_append_span(out, text);
    if (!point)
        buf_append_byte(out, '.');
    return true;
}

/* Typed, whatever the date: where sql_mode forbids zero or incomplete dates
 * the server says so, and never takes them for text. */
static bool
temporal_literal(struct buf *out, const struct param_value *param)
{
    struct temporal t;
    const char     *word = "TIMESTAMP";

    if (!temporal_from_binary(param->bytes, param->type, &t))
        return false;
    if (param->type == MYSQL_TYPE_TIME)
        word = "TIME";
    if (param->type == MYSQL_TYPE_DATE)
        word = "DATE";
    buf_printf(out, "%s'", word);
    temporal_to_text(out, param->type, t.micros != 0 ? 6 : 0, &t);
    buf_append_byte(out, '\'');
    return true;
}

bool
param_literal(struct buf *out, const struct param_value *param, const struct literal_mode *mode)
{
    if (param->is_null) {
        buf_append_text(out, "NULL");
        return true;
    }
    switch (param->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:    return integer_literal(out, param);
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:      return real_literal(out, param);
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:  return decimal_literal(out, param->bytes);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:   return temporal_literal(out, param);
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_GEOMETRY:    buf_append_text(out, "_binary"); break;
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_JSON:        break;
    default:                     return false;
    }
    literal_quote(out, param->bytes, mode);
    return true;
}
