/* keyhash_time.c - dates, times and addresses in the one form that is theirs. */
#include <arpa/inet.h>

#include "core/route/keyhash_part.h"

/* Match `text` against a pattern: '9' is a digit, anything else itself. */
static bool
looks_like(struct span text, const char *pattern)
{
    if (text.len != strlen(pattern))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (pattern[i] == '9' ? !digit : pattern[i] != (char)text.ptr[i])
            return false;
    }
    return true;
}

static uint32_t
digits(struct span text, size_t at, size_t n)
{
    uint32_t value = 0;

    for (size_t i = at; i < at + n; i++)
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    return value;
}

/* Take ".f" off the end: 1 to 6 digits behind a point. False: a point with
 * something else behind it. */
static bool
fraction_take(struct span *text, struct moment *m)
{
    const uint8_t *point = memchr(text->ptr, '.', text->len);

    m->micro = m->digits = 0;
    if (point == NULL)
        return true;
    size_t      at = (size_t)(point - text->ptr) + 1;
    struct span f  = span_from(*text, at);
    if (f.len < 1 || f.len > 6 || !looks_like(f, &"999999"[6 - f.len]))
        return false;
    m->micro = digits(f, 0, f.len);
    for (size_t i = f.len; i < 6; i++)
        m->micro *= 10;
    while (f.len > 0 && f.ptr[f.len - 1] == '0')
        f.len--;
    m->digits = (uint32_t)f.len;
    text->len = at - 1;
    return true;
}

static bool
is_calendar_date(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint8_t days[] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month] + (month == 2 && leap ? 1u : 0u);
}

bool
date_parse(struct span text, bool strict, struct moment *out)
{
    if (!looks_like(text, "9999-99-99"))
        return false;
    struct moment m = { .year = digits(text, 0, 4), .month = digits(text, 5, 2),
                        .day = digits(text, 8, 2) };
    if (strict ? !is_calendar_date(m.year, m.month, m.day)
               : m.month > 12 || m.day > 31)
        return false;
    *out = m;
    return true;
}

bool
datetime_parse(struct span text, bool strict, struct moment *out)
{
    struct moment m, fraction;

    if (text.len < 19 || !fraction_take(&text, &fraction) ||
        !looks_like(text, "9999-99-99 99:99:99") ||
        !date_parse((struct span){ text.ptr, 10 }, strict, &m))
        return false;
    m.hour   = digits(text, 11, 2);
    m.minute = digits(text, 14, 2);
    m.second = digits(text, 17, 2);
    m.micro  = fraction.micro;
    m.digits = fraction.digits;
    if (m.hour > 23 || m.minute > 59 || m.second > 59)
        return false;
    *out = m;
    return true;
}

bool
time_parse(struct span text, struct moment *out)
{
    struct moment m = { .negative = text.len > 0 && *text.ptr == '-' };

    if (m.negative)
        text = span_from(text, 1);
    if (text.len < 8 || !fraction_take(&text, &m))
        return false;
    size_t hours = text.len == 9 ? 3 : 2;
    if (!looks_like(text, &"999:99:99"[3 - hours]))
        return false;
    m.hour   = digits(text, 0, hours);
    m.minute = digits(text, hours + 1, 2);
    m.second = digits(text, hours + 4, 2);
    if (m.hour > 838 || m.minute > 59 || m.second > 59 || (hours == 3 && m.hour < 100))
        return false;
    *out = m;
    return true;
}

uint64_t
moment_date(const struct moment *m)
{
    return ((uint64_t)m->year * 13 + m->month) * 32 + m->day;
}

static uint64_t
micros(const struct moment *m)
{
    return (((uint64_t)m->hour * 60 + m->minute) * 60 + m->second) * 1000000 + m->micro;
}

uint64_t
moment_datetime(const struct moment *m)
{
    return moment_date(m) * UINT64_C(86400000000) + micros(m);
}

uint64_t
moment_time(const struct moment *m)
{
    return m->negative ? (uint64_t)0 - micros(m) : micros(m);
}

static int
hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
uuid_parse(struct span text, uint8_t out[16])
{
    uint8_t bytes[16];
    size_t  at = 0;

    if (text.len != 32 && text.len != 36)
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bool dash = text.len == 36 && (i == 4 || i == 6 || i == 8 || i == 10);
        if (dash && text.ptr[at++] != '-')
            return false;
        int high = hex_value(text.ptr[at]), low = hex_value(text.ptr[at + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    memcpy(out, bytes, sizeof(bytes));
    return true;
}

bool
inet_parse(struct span text, bool six, uint8_t out[16])
{
    int     family = six ? AF_INET6 : AF_INET;
    char    copy[INET6_ADDRSTRLEN];
    uint8_t address[16] = { 0 };

    if (text.len >= sizeof(copy) || memchr(text.ptr, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(family, copy, address) != 1)
        return false;
    memcpy(out, address, sizeof(address));
    return true;
}
