/* keyhash_number.c - numbers as they are written, exactly or not at all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/route/keyhash_part.h"

/* A server keeps 65 digits of a written number, 38 behind the point; what is
 * longer, as it is written, it changes, and rules about the value do not hold any more. */
enum { WHOLE_MAX = 60, FRACTION_MAX = 30, DIGITS_MAX = 65 };

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct span
digits_take(struct span *text)
{
    struct span digits = { text->ptr, 0 };

    while (text->len > 0 && is_digit(*text->ptr)) {
        *text = span_from(*text, 1);
        digits.len++;
    }
    return digits;
}

bool
number_parse(struct span text, struct number *out)
{
    struct number n = { .negative = text.len > 0 && *text.ptr == '-' };

    if (text.len > 0 && (*text.ptr == '-' || *text.ptr == '+'))
        text = span_from(text, 1);
    n.whole = digits_take(&text);
    if (text.len > 0 && *text.ptr == '.') {
        text       = span_from(text, 1);
        n.fraction = digits_take(&text);
    }
    if (text.len > 0 || n.whole.len + n.fraction.len == 0 ||
        n.fraction.len > FRACTION_MAX)
        return false;
    while (n.whole.len > 0 && *n.whole.ptr == '0')
        n.whole = span_from(n.whole, 1);
    if (n.whole.len + n.fraction.len > DIGITS_MAX)
        return false;
    while (n.fraction.len > 0 && n.fraction.ptr[n.fraction.len - 1] == '0')
        n.fraction.len--;
    if (n.whole.len > WHOLE_MAX)
        return false;
    n.negative &= n.whole.len + n.fraction.len > 0;
    *out = n;
    return true;
}

bool
number_is_canonical_int(struct span text)
{
    struct span digits = text;

    if (digits.len > 0 && *digits.ptr == '-')
        digits = span_from(digits, 1);
    if (digits.len == 0 || (*digits.ptr == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < digits.len; i++)
        if (!is_digit(digits.ptr[i]))
            return false;
    return true;
}

bool
number_from_float(struct span text, char room[KEY_VALUE_TEXT],
                  struct number *out, bool *fraction)
{
    char  copy[64];
    char *end;

    *fraction = false;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++) /* no inf, nan, hexadecimals */
        if (!is_digit(text.ptr[i]) && memchr("+-.eE", text.ptr[i], 5) == NULL)
            return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;

    double value = strtod(copy, &end);
    if (*end != 0 || !(fabs(value) < 9007199254740992.0))
        return false;
    *fraction = trunc(value) != value;
    if (*fraction)
        return false;
    snprintf(room, KEY_VALUE_TEXT, "%lld", (long long)value);
    return number_parse(span_of(room), out);
}

static uint32_t
bits_of(enum column_type type)
{
    switch ((int)type) {
    case COLUMN_TINYINT:   return 8;
    case COLUMN_SMALLINT:  return 16;
    case COLUMN_MEDIUMINT: return 24;
    case COLUMN_INT:       return 32;
    default:               return 64;
    }
}

bool
number_fits(const struct number *n, enum column_type type, bool is_unsigned,
            uint64_t *out)
{
    uint64_t value = 0;
    uint64_t most  = UINT64_MAX >> (64 - bits_of(type));

    if (n->fraction.len > 0)
        return false;
    for (size_t i = 0; i < n->whole.len; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, n->whole.ptr[i] - '0', &value))
            return false;
    if (is_unsigned ? n->negative : false)
        return false;
    if (!is_unsigned)
        most = (most >> 1) + n->negative;
    if (value > most)
        return false;
    *out = n->negative ? (uint64_t)0 - value : value;
    return true;
}
