/* cell.c - see cell.h. */
#include "core/mysql/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/wire.h"

enum {
    FRACTION_MAX    = 6,  /* digits behind the second */
    FLOAT_DIGITS    = 6,  /* what the server prints of a FLOAT */
    PLAIN_DIGITS    = 15, /* longest run of digits or zeroes before an exponent is used */
    NUMBER_TEXT_MAX = 512,
    TIME_HOURS_MAX  = 838,
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

/* --- temporal values ------------------------------------------------- */

static bool
temporal_is_sane(const struct temporal *t, uint8_t type)
{
    uint32_t hours = type == MYSQL_TYPE_TIME ? TIME_HOURS_MAX : 23;

    return t->year <= 9999 && t->month <= 12 && t->day <= 31 && t->hour <= hours
           && t->minute <= 59 && t->second <= 59 && t->micros <= 999999;
}

static bool
time_from_binary(struct span bytes, struct temporal *t)
{
    struct cursor c = cursor_of(bytes);

    if (bytes.len != 0 && bytes.len != 8 && bytes.len != 12)
        return false;
    if (bytes.len == 0)
        return true;
    t->negative   = wire_u8(&c) != 0;
    uint32_t days = wire_u32(&c);
    t->hour       = wire_u8(&c);
    t->minute     = wire_u8(&c);
    t->second     = wire_u8(&c);
    if (bytes.len == 12)
        t->micros = wire_u32(&c);
    if (days > TIME_HOURS_MAX / 24 || t->hour > 23)
        return false;
    t->hour += days * 24;
    return true;
}

static bool
date_from_binary(struct span bytes, bool only_date, struct temporal *t)
{
    struct cursor c = cursor_of(bytes);

    if (bytes.len != 0 && bytes.len != 4 && bytes.len != 7 && bytes.len != 11)
        return false;
    if (bytes.len == 0)
        return true;
    t->year  = wire_u16(&c);
    t->month = wire_u8(&c);
    t->day   = wire_u8(&c);
    if (only_date || bytes.len == 4)
        return true;
    t->hour   = wire_u8(&c);
    t->minute = wire_u8(&c);
    t->second = wire_u8(&c);
    if (bytes.len == 11)
        t->micros = wire_u32(&c);
    return true;
}

bool
temporal_from_binary(struct span bytes, uint8_t type, struct temporal *out)
{
    struct temporal t = { 0 };

    bool read = type == MYSQL_TYPE_TIME ? time_from_binary(bytes, &t)
                                        : date_from_binary(bytes, type == MYSQL_TYPE_DATE, &t);
    if (!read || !temporal_is_sane(&t, type))
        return false;
    *out = t;
    return true;
}

/* One to `max` digits into *value. */
static bool
read_digits(struct cursor *c, size_t max, uint32_t *value)
{
    uint32_t v = 0;
    size_t   n = 0;

    for (; n < max && c->at != c->end && *c->at >= '0' && *c->at <= '9'; n++, c->at++)
        v = v * 10 + (uint32_t)(*c->at - '0');
    *value = v;
    return n != 0;
}

static bool
read_byte(struct cursor *c, uint8_t byte)
{
    if (c->at == c->end || *c->at != byte)
        return false;
    c->at++;
    return true;
}

/* ".25" as 250000; nothing as 0. */
static bool
read_fraction(struct cursor *c, uint32_t *micros)
{
    *micros = 0;
    if (!read_byte(c, '.'))
        return true;
    size_t before = cursor_left(c);
    if (!read_digits(c, FRACTION_MAX, micros))
        return false;
    for (size_t n = before - cursor_left(c); n < FRACTION_MAX; n++)
        *micros *= 10;
    return true;
}

static bool
read_time(struct cursor *c, struct temporal *t)
{
    uint32_t minute, second;

    if (!read_digits(c, 3, &t->hour) || !read_byte(c, ':') || !read_digits(c, 2, &minute)
        || !read_byte(c, ':') || !read_digits(c, 2, &second) || !read_fraction(c, &t->micros))
        return false;
    t->minute = (uint8_t)minute;
    t->second = (uint8_t)second;
    return true;
}

static bool
read_date(struct cursor *c, struct temporal *t)
{
    uint32_t year, month, day;

    if (!read_digits(c, 4, &year) || !read_byte(c, '-') || !read_digits(c, 2, &month)
        || !read_byte(c, '-') || !read_digits(c, 2, &day))
        return false;
    t->year  = (uint16_t)year;
    t->month = (uint8_t)month;
    t->day   = (uint8_t)day;
    return true;
}

bool
temporal_from_text(struct span text, uint8_t type, struct temporal *out)
{
    struct cursor   c = cursor_of(text);
    struct temporal t = { 0 };
    bool            read;

    if (type == MYSQL_TYPE_TIME) {
        t.negative = read_byte(&c, '-');
        read       = read_time(&c, &t);
    } else {
        read = read_date(&c, &t);
        if (read && type != MYSQL_TYPE_DATE && cursor_left(&c) != 0)
            read = read_byte(&c, ' ') && read_time(&c, &t);
    }
    if (!read || !cursor_done(&c) || !temporal_is_sane(&t, type))
        return false;
    *out = t;
    return true;
}

static void
time_to_binary(struct buf *out, const struct temporal *t)
{
    if (t->hour == 0 && t->minute == 0 && t->second == 0 && t->micros == 0)
        return;
    wire_put_u8(out, t->negative);
    wire_put_u32(out, t->hour / 24);
    wire_put_u8(out, (uint8_t)(t->hour % 24));
    wire_put_u8(out, t->minute);
    wire_put_u8(out, t->second);
    if (t->micros != 0)
        wire_put_u32(out, t->micros);
}

void
temporal_to_binary(struct buf *out, uint8_t type, const struct temporal *t)
{
    if (type == MYSQL_TYPE_TIME) {
        time_to_binary(out, t);
        return;
    }
    bool has_time = type != MYSQL_TYPE_DATE
                    && (t->hour != 0 || t->minute != 0 || t->second != 0 || t->micros != 0);
    if (t->year == 0 && t->month == 0 && t->day == 0 && !has_time)
        return;
    wire_put_u16(out, t->year);
    wire_put_u8(out, t->month);
    wire_put_u8(out, t->day);
    if (!has_time)
        return;
    wire_put_u8(out, (uint8_t)t->hour);
    wire_put_u8(out, t->minute);
    wire_put_u8(out, t->second);
    if (t->micros != 0)
        wire_put_u32(out, t->micros);
}

void
temporal_to_text(struct buf *out, uint8_t type, unsigned decimals, const struct temporal *t)
{
    char fraction[16];

    if (type == MYSQL_TYPE_TIME)
        buf_printf(out, "%s%02u:", t->negative ? "-" : "", t->hour);
    else
        buf_printf(out, "%04u-%02u-%02u", t->year, t->month, t->day);
    if (type == MYSQL_TYPE_DATE)
        return;
    if (type != MYSQL_TYPE_TIME)
        buf_printf(out, " %02u:", t->hour);
    buf_printf(out, "%02u:%02u", t->minute, t->second);
    if (decimals == 0)
        return;
    snprintf(fraction, sizeof(fraction), "%06u", t->micros);
    buf_append_byte(out, '.');
    buf_append(out, fraction, decimals < FRACTION_MAX ? decimals : FRACTION_MAX);
}

/* --- numbers --------------------------------------------------------- */

/* The digits and the place of the point of "d.ddde-xx". */
struct real_digits {
    bool negative;
    char digits[24]; /* without trailing zeroes; "0" for zero */
    int  n;
    int  point;      /* 0.DIGITS * 10^point */
};

static void
digits_take(const char *text, struct real_digits *d)
{
    d->negative = text[0] == '-';
    d->n        = 0;
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && d->n < (int)sizeof(d->digits))
            d->digits[d->n++] = *text;
    d->point = (int)strtol(text + 1, NULL, 10) + 1;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

/* The fewest digits that read back as `value`. */
static void
digits_shortest(double value, struct real_digits *d)
{
    char text[40];

    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, value);
        if (precision == 16 || strtod(text, NULL) == value)
            break;
    }
    digits_take(text, d);
}

static void
put_zeroes(struct buf *out, int n)
{
    for (int i = 0; i < n; i++)
        buf_append_byte(out, '0');
}

/* Without an exponent, with at least `fraction` digits behind the point. */
static void
put_plain(struct buf *out, const struct real_digits *d, int fraction)
{
    int whole = d->point < d->n ? d->point : d->n; /* digits before the point */
    int zeros = d->point < 0 ? -d->point : 0;      /* right behind it */
    int part;

    if (whole > 0)
        buf_append(out, d->digits, (size_t)whole);
    put_zeroes(out, whole <= 0 ? 1 : d->point - whole);
    if (whole < 0)
        whole = 0;
    part = d->n - whole;
    if (part == 0 && fraction == 0)
        return;
    buf_append_byte(out, '.');
    put_zeroes(out, zeros);
    buf_append(out, d->digits + whole, (size_t)part);
    put_zeroes(out, fraction - zeros - part);
}

static void
put_exponent(struct buf *out, const struct real_digits *d)
{
    buf_append(out, d->digits, 1);
    if (d->n > 1) {
        buf_append_byte(out, '.');
        buf_append(out, d->digits + 1, (size_t)d->n - 1);
    }
    buf_printf(out, "e%d", d->point - 1);
}

static void
put_free(struct buf *out, const struct real_digits *d)
{
    bool zero = d->n == 1 && d->digits[0] == '0';

    if (d->negative)
        buf_append_byte(out, '-');
    if (zero)
        buf_append_byte(out, '0');
    else if (d->point > PLAIN_DIGITS || d->point < 1 - PLAIN_DIGITS)
        put_exponent(out, d);
    else
        put_plain(out, d, 0);
}

/* With a fixed number of digits the server pads the shortest form with zeroes
 * and rounds only where there are more digits than wanted. */
static void
put_fixed(struct buf *out, double value, const struct real_digits *d, int decimals)
{
    if (d->n - d->point > decimals) {
        buf_printf(out, "%.*f", decimals, value);
        return;
    }
    if (d->negative)
        buf_append_byte(out, '-');
    put_plain(out, d, decimals);
}

void
double_to_text(struct buf *out, double value, unsigned decimals)
{
    struct real_digits d;

    digits_shortest(value, &d);
    if (decimals < NOT_FIXED_DEC)
        put_fixed(out, value, &d, (int)decimals);
    else
        put_free(out, &d);
}

void
float_to_text(struct buf *out, float value, unsigned decimals)
{
    struct real_digits d;
    char               text[40];

    if (decimals < NOT_FIXED_DEC) {
        double_to_text(out, (double)value, decimals);
        return;
    }
    snprintf(text, sizeof(text), "%.*e", FLOAT_DIGITS - 1, (double)value);
    digits_take(text, &d);
    put_free(out, &d);
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

    *negative = read_byte(&c, '-');
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

/* --- any type -------------------------------------------------------- */

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
