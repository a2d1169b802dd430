/* binlog_value.c - see binlog_value.h.
 *
 * Times have three formats: numbers of decimal digits (MySQL before 5.6), MySQL 5.6's bits, and
 * MariaDB 5.3's, a count of the units that the digits of the fraction leave. The latter two
 * are big-endian, so that they sort as bytes.
 */
#include "core/mysql/binlog_value.h"

#include <math.h>

#include "core/mysql/cell.h"
#include "core/mysql/protocol.h"
#include "core/mysql/wire.h"

static uint64_t
little(struct span s)
{
    uint64_t v = 0;

    for (size_t i = s.len; i-- > 0;)
        v = v << 8 | s.ptr[i];
    return v;
}

static uint64_t
big(const uint8_t *at, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | at[i];
    return v;
}

static uint32_t
power10(unsigned n)
{
    uint32_t v = 1;

    while (n-- > 0)
        v *= 10;
    return v;
}

static bool
put_integer(struct buf *out, struct span bytes, bool is_unsigned)
{
    uint64_t v     = little(bytes);
    unsigned shift = (unsigned)(64 - bytes.len * 8);

    if (is_unsigned)
        buf_printf(out, "%llu", (unsigned long long)v);
    else
        buf_printf(out, "%lld", (long long)((int64_t)(v << shift) >> shift));
    return true;
}

static bool
put_real(struct buf *out, const struct binlog_value *v)
{
    double d;
    float  f = 0;
    bool   is_double = v->column->type == MYSQL_TYPE_DOUBLE;

    if (is_double) {
        memcpy(&d, v->data.ptr, sizeof(d));
    } else {
        memcpy(&f, v->data.ptr, sizeof(f));
        d = (double)f;
    }
    if (!isfinite(d))
        return false;
    if (is_double)
        double_to_text(out, d, NOT_FIXED_DEC);
    else
        float_to_text(out, f, NOT_FIXED_DEC);
    return true;
}

/* Nine digits in four bytes, big-endian; fewer in as many bytes as they need, at the far ends.
 * The highest bit is set for positive numbers; all bits of negative ones are turned over. */
static bool
put_decimal(struct buf *out, const struct binlog_value *v)
{
    static const uint8_t sizes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    uint8_t  bytes[40];
    unsigned scale = v->column->scale, whole = v->column->meta - scale, at = 0;
    bool     negative = (v->data.ptr[0] & 0x80) == 0;
    bool     started  = false;

    for (size_t i = 0; i < v->data.len; i++)
        bytes[i] = (uint8_t)(v->data.ptr[i] ^ (negative ? 0xff : 0));
    bytes[0] ^= 0x80;
    size_t before = buf_len(out);
    if (negative)
        buf_append_byte(out, '-');
    for (unsigned left = whole, n; left > 0; left -= n) {
        n = left % 9 != 0 ? left % 9 : 9;
        uint64_t part = big(bytes + at, sizes[n]);
        at += sizes[n];
        if (part >= power10(n)) {
            out->end -= buf_len(out) - before;
            return false;
        }
        if (started)
            buf_printf(out, "%0*llu", (int)n, (unsigned long long)part);
        else if (part != 0)
            buf_printf(out, "%llu", (unsigned long long)part);
        started |= part != 0;
    }
    if (!started)
        buf_append_byte(out, '0');
    if (scale != 0)
        buf_append_byte(out, '.');
    for (unsigned left = scale, n; left > 0; left -= n) {
        n = left < 9 ? left : 9;
        uint64_t part = big(bytes + at, sizes[n]);
        at += sizes[n];
        if (part >= power10(n)) {
            out->end -= buf_len(out) - before;
            return false;
        }
        buf_printf(out, "%0*llu", (int)n, (unsigned long long)part);
    }
    return true;
}

/* Hundredths for one or two digits, ten-thousandths for three or four: MySQL keeps pairs. */
static uint32_t
micros_of_pairs(uint64_t fraction, unsigned digits)
{
    return (uint32_t)fraction * power10(6 - (digits + 1) / 2 * 2);
}

static void
date_of_bits(uint64_t v, struct temporal *t)
{
    t->day   = v & 31;
    t->month = v >> 5 & 15;
    t->year  = (uint16_t)(v >> 9);
}

static void
clock_of_digits(uint64_t v, struct temporal *t)
{
    t->second = (uint8_t)(v % 100);
    t->minute = (uint8_t)(v / 100 % 100);
    t->hour   = (uint32_t)(v / 10000);
}

static void
clock_of_bits(uint64_t v, struct temporal *t)
{
    t->second = v & 63;
    t->minute = v >> 6 & 63;
    t->hour   = (uint32_t)(v >> 12);
}

/* Civil date of days since 1970 (days of the 400-year cycle; Howard Hinnant's "date
 * algorithms"). */
static void
date_of_days(uint32_t days, struct temporal *t)
{
    uint32_t z     = days + 719468, era = z / 146097, doe = z % 146097;
    uint32_t yoe   = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy   = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint32_t month = mp < 10 ? mp + 3 : mp - 9;

    t->day   = (uint8_t)(doy - (153 * mp + 2) / 5 + 1);
    t->month = (uint8_t)month;
    t->year  = (uint16_t)(yoe + era * 400 + (month <= 2));
}

/* Zero is 0000-00-00, not 1970. */
static void
moment_of_seconds(uint32_t seconds, uint32_t micros, struct temporal *t)
{
    if (seconds == 0 && micros == 0)
        return;
    date_of_days(seconds / 86400, t);
    t->hour   = seconds % 86400 / 3600;
    t->minute = (uint8_t)(seconds % 3600 / 60);
    t->second = (uint8_t)(seconds % 60);
    t->micros = micros;
}

/* MariaDB 5.3 counts in units of the last digit: takes them off `v`. */
static uint32_t
take_units(uint64_t *v, uint64_t per_second, unsigned digits)
{
    uint32_t units = (uint32_t)(*v % per_second);

    *v /= per_second;
    return units * power10(6 - digits);
}

static bool
read_timestamp(const struct binlog_value *v, struct temporal *t)
{
    unsigned digits = v->column->meta;

    if (v->column->type == MYSQL_TYPE_TIMESTAMP2) {
        uint64_t fraction = big(v->data.ptr + 4, v->data.len - 4);
        moment_of_seconds((uint32_t)big(v->data.ptr, 4), micros_of_pairs(fraction, digits), t);
    } else if (digits == 0) {
        moment_of_seconds((uint32_t)little(v->data), 0, t);
    } else {
        uint32_t units = (uint32_t)big(v->data.ptr + 4, v->data.len - 4);
        moment_of_seconds((uint32_t)big(v->data.ptr, 4), units * power10(6 - digits), t);
    }
    return true;
}

static bool
read_datetime(const struct binlog_value *v, struct temporal *t)
{
    unsigned digits = v->column->meta;

    if (v->column->type == MYSQL_TYPE_DATETIME2) {
        uint64_t bits = big(v->data.ptr, 5) - UINT64_C(0x8000000000);
        uint64_t months = bits >> 22;
        clock_of_bits(bits & 0x1ffff, t);
        t->day    = bits >> 17 & 31;
        t->month  = (uint8_t)(months % 13);
        t->year   = (uint16_t)(months / 13);
        t->micros = micros_of_pairs(big(v->data.ptr + 5, v->data.len - 5), digits);
        return bits >> 40 == 0;
    }
    if (digits == 0) {
        uint64_t number = little(v->data);
        clock_of_digits(number % 1000000, t);
        t->day   = (uint8_t)(number / 1000000 % 100);
        t->month = (uint8_t)(number / 100000000 % 100);
        t->year  = (uint16_t)(number / 10000000000);
        return number < UINT64_C(100000000000000);
    }
    uint64_t units = big(v->data.ptr, v->data.len);
    t->micros = take_units(&units, power10(digits), digits);
    t->second = (uint8_t)take_units(&units, 60, 6);
    t->minute = (uint8_t)take_units(&units, 60, 6);
    t->hour   = take_units(&units, 24, 6);
    t->day    = (uint8_t)take_units(&units, 32, 6);
    t->month  = (uint8_t)take_units(&units, 13, 6);
    t->year   = (uint16_t)units;
    return units <= 9999;
}

/* MySQL's is one number with the fraction in its low bytes, moved up by half its range. */
static bool
read_time2(const struct binlog_value *v, struct temporal *t)
{
    unsigned tail = (unsigned)(v->data.len - 3) * 8;
    int64_t  n    = (int64_t)big(v->data.ptr, v->data.len) - (INT64_C(0x800000) << tail);
    uint64_t size = (uint64_t)(n < 0 ? -n : n);

    t->negative = n < 0;
    clock_of_bits(size >> tail, t);
    t->micros = micros_of_pairs(size & ((UINT64_C(1) << tail) - 1), v->column->meta);
    return true;
}

/* MariaDB 5.3 adds 839 hours, so that nothing is negative. */
static bool
read_time(const struct binlog_value *v, struct temporal *t)
{
    unsigned digits = v->column->meta;

    if (v->column->type == MYSQL_TYPE_TIME2)
        return read_time2(v, t);
    if (digits == 0) {
        int32_t n   = (int32_t)((uint32_t)little(v->data) << 8) >> 8;
        t->negative = n < 0;
        clock_of_digits((uint32_t)(n < 0 ? -n : n), t);
        return true;
    }
    int64_t  zero  = INT64_C(839) * 3600 * power10(digits);
    int64_t  n     = (int64_t)big(v->data.ptr, v->data.len) - zero;
    uint64_t units = (uint64_t)(n < 0 ? -n : n);
    t->negative = n < 0;
    t->micros   = take_units(&units, power10(digits), digits);
    t->second   = (uint8_t)take_units(&units, 60, 6);
    t->minute   = (uint8_t)take_units(&units, 60, 6);
    t->hour     = (uint32_t)units;
    return true;
}

/* A temporal value is good when its text can be read again. */
static bool
put_temporal(struct buf *out, uint8_t type, unsigned digits, const struct temporal *t)
{
    struct temporal again;
    struct buf      text = { 0 };

    temporal_to_text(&text, type, digits, t);
    bool good = temporal_from_text(buf_unread(&text), type, &again);
    if (good)
        buf_append_span(out, buf_unread(&text));
    buf_fini(&text);
    return good;
}

static bool
put_time(struct buf *out, const struct binlog_value *v)
{
    struct temporal t = { 0 };

    switch (v->column->type) {
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_NEWDATE:
        date_of_bits(little(v->data), &t);
        return put_temporal(out, MYSQL_TYPE_DATE, 0, &t);
    case MYSQL_TYPE_TIMESTAMP: case MYSQL_TYPE_TIMESTAMP2:
        return read_timestamp(v, &t)
               && put_temporal(out, MYSQL_TYPE_DATETIME, v->column->meta, &t);
    case MYSQL_TYPE_DATETIME: case MYSQL_TYPE_DATETIME2:
        return read_datetime(v, &t)
               && put_temporal(out, MYSQL_TYPE_DATETIME, v->column->meta, &t);
    default:
        return read_time(v, &t) && put_temporal(out, MYSQL_TYPE_TIME, v->column->meta, &t);
    }
}

bool
binlog_value_text(struct buf *out, const struct binlog_value *v, bool is_unsigned)
{
    switch (v->column->type) {
    case MYSQL_TYPE_TINY: case MYSQL_TYPE_SHORT: case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return put_integer(out, v->data, is_unsigned);
    case MYSQL_TYPE_ENUM: case MYSQL_TYPE_SET:
        return put_integer(out, v->data, true);
    case MYSQL_TYPE_YEAR:
        buf_printf(out, "%04u", v->data.ptr[0] != 0 ? 1900u + v->data.ptr[0] : 0);
        return true;
    case MYSQL_TYPE_FLOAT: case MYSQL_TYPE_DOUBLE:
        return put_real(out, v);
    case MYSQL_TYPE_NEWDECIMAL:
        return put_decimal(out, v);
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_NEWDATE: case MYSQL_TYPE_TIME: case MYSQL_TYPE_TIME2:
    case MYSQL_TYPE_DATETIME: case MYSQL_TYPE_DATETIME2: case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        return put_time(out, v);
    case BINLOG_TYPE_BLOB_COMPRESSED: case BINLOG_TYPE_VARCHAR_COMPRESSED:
        return false;
    default:
        buf_append_span(out, v->data);
        return true;
    }
}
