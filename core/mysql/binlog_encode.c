/* binlog_encode.c - see binlog_encode.h. */
#include "core/mysql/binlog_encode.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/mysql/cell.h"
#include "core/mysql/protocol.h"
#include "core/mysql/wire.h"

enum {
    VERSION       = 4,
    VERSION_BYTES = 50,
    AT_LENGTH     = 9,    /* in an event's header */
    CRC32         = 1,    /* the log's checksums */
    MAP_FIXED     = 8,
    NUMBER_MAX    = 400,  /* more than the text of any number has */
    DIGITS_MAX    = 65,   /* of a DECIMAL */
    STRING_BITS   = 0x30, /* of CHAR's type, where the high bits of its length are */
};

/* ---- events ---- */

void
binlog_describe(struct buf *out)
{
    struct binlog_format f;
    size_t               start = buf_len(out);
    static const char    server[VERSION_BYTES] = "10.11.0-MariaDB-shardd";

    binlog_format_init(&f, true);
    wire_put_u32(out, 0);
    wire_put_u8(out, BINLOG_FORMAT_DESCRIPTION);
    wire_put_u32(out, 0);
    wire_put_u32(out, 0); /* the length, when it is known */
    wire_put_u32(out, 0);
    wire_put_u16(out, 0);
    wire_put_u16(out, VERSION);
    buf_append(out, server, sizeof(server));
    wire_put_u32(out, 0);
    wire_put_u8(out, BINLOG_HEADER_BYTES);
    buf_append(out, f.fixed + 1, BINLOG_DELETE_ROWS_PACKED);
    wire_put_u8(out, CRC32);
    uint8_t *at  = out->bytes + out->start + start;
    size_t   len = buf_len(out) - start;
    for (size_t i = 0; i < 4; i++)
        at[AT_LENGTH + i] = (uint8_t)((len + BINLOG_CHECKSUM_BYTES) >> i * 8);
    wire_put_u32(out, (uint32_t)crc32_z(0, at, len));
}

static void
put_column(struct buf *types, struct buf *meta, const struct binlog_column *c)
{
    wire_put_u8(types, c->type == MYSQL_TYPE_ENUM || c->type == MYSQL_TYPE_SET ? MYSQL_TYPE_STRING
                                                                               : c->type);
    switch (c->type) {
    case MYSQL_TYPE_NEWDECIMAL:
        wire_put_u8(meta, (uint8_t)c->meta);
        wire_put_u8(meta, c->scale);
        break;
    case MYSQL_TYPE_BIT:
        wire_put_u8(meta, c->meta % 8);
        wire_put_u8(meta, (uint8_t)(c->meta / 8));
        break;
    case MYSQL_TYPE_STRING:
        wire_put_u8(meta, (uint8_t)(MYSQL_TYPE_STRING ^ (c->meta >> 4 & STRING_BITS)));
        wire_put_u8(meta, (uint8_t)c->meta);
        break;
    case MYSQL_TYPE_ENUM: case MYSQL_TYPE_SET:
        wire_put_u8(meta, c->type);
        wire_put_u8(meta, (uint8_t)c->meta);
        break;
    case MYSQL_TYPE_VARCHAR:
        wire_put_u16(meta, c->meta);
        break;
    case MYSQL_TYPE_FLOAT: case MYSQL_TYPE_DOUBLE: case MYSQL_TYPE_BLOB: case MYSQL_TYPE_GEOMETRY:
    case MYSQL_TYPE_TIME2: case MYSQL_TYPE_DATETIME2: case MYSQL_TYPE_TIMESTAMP2:
        wire_put_u8(meta, (uint8_t)c->meta);
        break;
    default:
        break;
    }
}

struct binlog_table *
binlog_table_make(const struct binlog_column *columns, uint32_t n)
{
    struct buf           body = { 0 }, types = { 0 }, meta = { 0 };
    struct binlog_table *made = NULL;
    uint32_t             column;

    for (uint32_t i = 0; i < n; i++)
        put_column(&types, &meta, &columns[i]);
    wire_put_u32(&body, 0);
    wire_put_u32(&body, 0);
    wire_put_u32(&body, 0); /* no names: each of a length and a NUL */
    wire_put_lenenc(&body, n);
    buf_append_span(&body, buf_unread(&types));
    wire_put_lenenc_bytes(&body, buf_unread(&meta));
    for (uint32_t i = 0; i < n; i += 8) {
        uint8_t bits = 0;

        for (uint32_t k = i; k < n && k < i + 8; k++)
            bits |= (uint8_t)(columns[k].nullable << (k - i));
        wire_put_u8(&body, bits);
    }
    if (binlog_table_new(&(struct binlog_event){ .body = buf_unread(&body), .fixed = MAP_FIXED,
                                                 .type = BINLOG_TABLE_MAP }, &made, &column) !=
        BINLOG_TABLE_GOOD)
        made = NULL;
    buf_fini(&body);
    buf_fini(&types);
    buf_fini(&meta);
    return made;
}

/* ---- numbers ---- */

static void
put_little(struct buf *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wire_put_u8(out, (uint8_t)(v >> i * 8));
}

static void
put_big(struct buf *out, uint64_t v, size_t n)
{
    while (n-- > 0)
        wire_put_u8(out, (uint8_t)(v >> n * 8));
}

/* Digits, perhaps behind a '-'. */
static bool
read_integer(struct span text, bool *negative, uint64_t *v)
{
    *negative = text.len > 0 && text.ptr[0] == '-';
    *v        = 0;
    if (text.len == *negative)
        return false;
    for (size_t i = *negative; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';

        if (digit > 9 || *v > (UINT64_MAX - digit) / 10)
            return false;
        *v = *v * 10 + digit;
    }
    return true;
}

/* In two's complement, when negative; one that is not may have all bits. */
static bool
put_integer(struct buf *out, struct span text, size_t n)
{
    bool     negative;
    uint64_t v, most = n == 8 ? UINT64_MAX : (UINT64_C(1) << n * 8) - 1;

    if (!read_integer(text, &negative, &v) || v > (negative ? most / 2 + 1 : most))
        return false;
    put_little(out, negative ? 0 - v : v, n);
    return true;
}

static bool
put_year(struct buf *out, struct span text)
{
    bool     negative;
    uint64_t v;

    if (text.len != 4 || !read_integer(text, &negative, &v) || negative ||
        (v != 0 && (v < 1901 || v > 2155)))
        return false;
    wire_put_u8(out, (uint8_t)(v == 0 ? 0 : v - 1900));
    return true;
}

static bool
put_real(struct buf *out, struct span text, bool is_double)
{
    char   copy[NUMBER_MAX + 1], *end;
    double v;
    float  f;

    if (text.len == 0 || text.len > NUMBER_MAX)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    v = strtod(copy, &end);
    f = (float)v;
    if (end != copy + text.len || !isfinite(v) || (!is_double && !isfinite(f)))
        return false;
    if (is_double)
        buf_append(out, &v, sizeof(v));
    else
        buf_append(out, &f, sizeof(f));
    return true;
}

/* Digits that stand at the right of `width` places, or at the left of them. False: there are
 * more. */
static bool
place_digits(uint8_t *places, size_t width, struct span digits, bool right)
{
    memset(places, 0, width);
    if (digits.len > width)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        places[right ? width - digits.len + i : i] = (uint8_t)(digits.ptr[i] - '0');
    }
    return true;
}

/* `n` digits in as few bytes as they need. */
static void
put_digits(struct buf *out, const uint8_t *digits, size_t n)
{
    static const uint8_t sizes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    uint32_t             v = 0;

    for (size_t i = 0; i < n; i++)
        v = v * 10 + digits[i];
    put_big(out, v, sizes[n]);
}

/* See binlog_value.c. */
static bool
put_decimal(struct buf *out, const struct binlog_column *c, struct span text)
{
    uint8_t     digits[DIGITS_MAX];
    size_t      scale = c->scale, whole = c->meta - scale, start = buf_len(out);
    bool        negative = text.len > 0 && text.ptr[0] == '-';
    struct span left = span_from(text, negative), right = { 0 };
    const uint8_t *point = left.len > 0 ? memchr(left.ptr, '.', left.len) : NULL;

    if (point != NULL) {
        right = span_from(left, (size_t)(point - left.ptr) + 1);
        left.len = (size_t)(point - left.ptr);
    }
    while (left.len > 0 && left.ptr[0] == '0')
        left = span_from(left, 1);
    if (text.len == negative || !place_digits(digits, whole, left, true) ||
        !place_digits(digits + whole, scale, right, false))
        return false;
    for (size_t at = 0, n; at < whole; at += n) {
        n = (whole - at) % 9 != 0 ? (whole - at) % 9 : 9;
        put_digits(out, digits + at, n);
    }
    for (size_t at = 0, n; at < scale; at += n) {
        n = scale - at < 9 ? scale - at : 9;
        put_digits(out, digits + whole + at, n);
    }
    uint8_t *bytes = out->bytes + out->start + start;
    bytes[0] ^= 0x80;
    for (size_t i = 0; negative && i < buf_len(out) - start; i++)
        bytes[i] ^= 0xff;
    return true;
}

/* ---- times ---- */

static uint32_t
clock_bits(const struct temporal *t)
{
    return t->hour << 12 | (uint32_t)t->minute << 6 | t->second;
}

/* Pairs of digits. False: there are more than the column has. */
static bool
fraction_of(uint32_t micros, unsigned digits, uint32_t *pairs)
{
    uint32_t unit = 1;

    for (unsigned i = digits; i < 6; i++)
        unit *= 10;
    if (micros % unit != 0)
        return false;
    *pairs = micros / (digits > 4 ? 1 : digits > 2 ? 100 : 10000);
    return digits > 0 || micros == 0;
}

/* Days since 1970 of a civil date (Howard Hinnant's "date algorithms"). */
static int64_t
days_of_date(const struct temporal *t)
{
    int64_t  year = t->year - (t->month <= 2), era = year / 400;
    uint32_t yoe  = (uint32_t)(year - era * 400);
    uint32_t doy  = (153u * (t->month + (t->month > 2 ? -3u : 9u)) + 2) / 5 + t->day - 1;

    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static bool
put_timestamp(struct buf *out, const struct temporal *t, uint32_t pairs, size_t tail)
{
    int64_t seconds = days_of_date(t) * 86400 + t->hour * 3600 + t->minute * 60 + t->second;

    if (t->year == 0 && t->month == 0 && t->day == 0)
        seconds = 0;
    if (seconds < 0 || seconds > UINT32_MAX)
        return false;
    put_big(out, (uint64_t)seconds, 4);
    put_big(out, pairs, tail);
    return true;
}

static bool
put_time(struct buf *out, const struct binlog_column *c, struct span text)
{
    struct temporal t;
    uint32_t        pairs;
    bool            time = c->type == MYSQL_TYPE_TIME2, date = c->type == MYSQL_TYPE_DATE;
    size_t          tail = date ? 0 : (c->meta + 1u) / 2;

    if (!temporal_from_text(text, time ? MYSQL_TYPE_TIME : date ? MYSQL_TYPE_DATE
                                                                : MYSQL_TYPE_DATETIME, &t) ||
        !fraction_of(t.micros, date ? 0 : c->meta, &pairs))
        return false;
    if (date) {
        put_little(out, t.day | (uint64_t)t.month << 5 | (uint64_t)t.year << 9, 3);
    } else if (time) {
        int64_t size = (int64_t)((uint64_t)clock_bits(&t) << tail * 8 | pairs);
        int64_t zero = INT64_C(0x800000) << tail * 8;
        put_big(out, (uint64_t)(t.negative ? zero - size : zero + size), 3 + tail);
    } else if (c->type == MYSQL_TYPE_TIMESTAMP2) {
        return put_timestamp(out, &t, pairs, tail);
    } else {
        uint64_t months = (uint64_t)t.year * 13 + t.month;
        put_big(out, (months << 22 | (uint64_t)t.day << 17 | clock_bits(&t)) +
                     UINT64_C(0x8000000000), 5);
        put_big(out, pairs, tail);
    }
    return true;
}

/* ---- bytes ---- */

static bool
put_bits(struct buf *out, const struct binlog_column *c, struct span text)
{
    if (text.len > c->size)
        return false;
    put_big(out, 0, c->size - text.len);
    buf_append_span(out, text);
    return true;
}

static bool
put_bytes(struct buf *out, const struct binlog_column *c, struct span text)
{
    bool blob = c->type == MYSQL_TYPE_BLOB || c->type == MYSQL_TYPE_GEOMETRY;

    if (text.len > (blob ? (UINT64_C(1) << c->size * 8) - 1 : c->meta))
        return false;
    put_little(out, text.len, c->size);
    buf_append_span(out, text);
    return true;
}

bool
binlog_value_put(struct buf *out, const struct binlog_column *c, struct span text)
{
    switch (c->type) {
    case MYSQL_TYPE_TINY: case MYSQL_TYPE_SHORT: case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: case MYSQL_TYPE_ENUM: case MYSQL_TYPE_SET:
        return put_integer(out, text, c->size);
    case MYSQL_TYPE_YEAR:
        return put_year(out, text);
    case MYSQL_TYPE_FLOAT: case MYSQL_TYPE_DOUBLE:
        return put_real(out, text, c->type == MYSQL_TYPE_DOUBLE);
    case MYSQL_TYPE_NEWDECIMAL:
        return put_decimal(out, c, text);
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_TIME2: case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIMESTAMP2:
        return put_time(out, c, text);
    case MYSQL_TYPE_BIT:
        return put_bits(out, c, text);
    case MYSQL_TYPE_VARCHAR: case MYSQL_TYPE_STRING: case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_GEOMETRY:
        return put_bytes(out, c, text);
    default:
        return false;
    }
}
