/* temporal.c - see cell.h: dates and times, binary and text. */
#include <stdio.h>

#include "core/mysql/cell.h"
#include "core/mysql/wire.h"

enum {
    FRACTION_MAX   = 6, /* digits behind the second */
    TIME_HOURS_MAX = 838,
};

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
