/* merge_decimal.c - see merge_decimal.h. */
#include "core/route/merge_decimal.h"

#include <stdlib.h>

#define BASE        1000000000u
#define BASE_DIGITS 9

static const uint32_t power10[BASE_DIGITS + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
};

static void
trim(struct decimal *d)
{
    while (d->n > 0 && d->limbs[d->n - 1] == 0)
        d->n--;
    if (d->n == 0)
        d->negative = false;
}

/* |d| * factor + carry; factor <= BASE. */
static bool
scale_up(struct decimal *d, uint32_t factor, uint32_t carry)
{
    uint64_t c = carry;
    for (uint8_t i = 0; i < d->n; i++) {
        c += (uint64_t)d->limbs[i] * factor;
        d->limbs[i] = (uint32_t)(c % BASE);
        c /= BASE;
    }
    if (c != 0) {
        if (d->n == DECIMAL_LIMBS)
            return false;
        d->limbs[d->n++] = (uint32_t)c;
    }
    return true;
}

/* |d| / by, the remainder returned. */
static uint64_t
divide_small(struct decimal *d, uint32_t by)
{
    uint64_t rest = 0;
    for (uint8_t i = d->n; i-- > 0;) {
        rest = rest * BASE + d->limbs[i];
        d->limbs[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    trim(d);
    return rest;
}

static bool
extend(struct decimal *d, uint32_t digits)
{
    d->scale = (uint8_t)(d->scale + digits);
    while (digits > 0) {
        uint32_t step = digits < BASE_DIGITS ? digits : BASE_DIGITS;
        if (!scale_up(d, power10[step], 0))
            return false;
        digits -= step;
    }
    return true;
}

bool
decimal_parse(struct decimal *out, struct span text)
{
    struct decimal d     = { 0 };
    size_t         at    = 0;
    bool           minus = false, point = false, digit = false;
    uint32_t       chunk = 0, chunk_digits = 0;

    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        minus = text.ptr[at++] == '-';
    for (; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || d.scale == 100)
            return false;
        digit = true;
        chunk = chunk * 10 + (uint32_t)(c - '0');
        d.scale = (uint8_t)(d.scale + (point ? 1 : 0));
        if (++chunk_digits == BASE_DIGITS) {
            if (!scale_up(&d, BASE, chunk))
                return false;
            chunk = chunk_digits = 0;
        }
    }
    if (!digit || (chunk_digits > 0 && !scale_up(&d, power10[chunk_digits], chunk)))
        return false;
    d.negative = minus;
    trim(&d);
    *out = d;
    return true;
}

void
decimal_of_uint(struct decimal *out, uint64_t value)
{
    struct decimal d = { 0 };
    for (; value != 0; value /= BASE)
        d.limbs[d.n++] = (uint32_t)(value % BASE);
    *out = d;
}

void
decimal_of_int(struct decimal *out, int64_t value)
{
    decimal_of_uint(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    out->negative = value < 0;
}

static int
compare_magnitude(const struct decimal *a, const struct decimal *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (uint8_t i = a->n; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static bool
add_magnitude(struct decimal *out, const struct decimal *a, const struct decimal *b)
{
    struct decimal d     = { .scale = a->scale };
    uint32_t       carry = 0;
    uint8_t        n     = a->n > b->n ? a->n : b->n;
    for (uint8_t i = 0; i < n; i++) {
        uint32_t sum = carry + (i < a->n ? a->limbs[i] : 0) + (i < b->n ? b->limbs[i] : 0);
        d.limbs[i] = sum % BASE;
        carry      = sum / BASE;
    }
    d.n = n;
    if (carry != 0) {
        if (n == DECIMAL_LIMBS)
            return false;
        d.limbs[d.n++] = carry;
    }
    *out = d;
    return true;
}

/* |a| >= |b|. */
static void
sub_magnitude(struct decimal *out, const struct decimal *a, const struct decimal *b)
{
    struct decimal d      = { .scale = a->scale, .n = a->n };
    uint32_t       borrow = 0;
    for (uint8_t i = 0; i < a->n; i++) {
        uint32_t take = borrow + (i < b->n ? b->limbs[i] : 0);
        borrow        = a->limbs[i] < take;
        d.limbs[i]    = a->limbs[i] + (borrow ? BASE : 0) - take;
    }
    trim(&d);
    *out = d;
}

static bool
align(struct decimal *a, struct decimal *b)
{
    if (a->scale < b->scale)
        return extend(a, (uint32_t)(b->scale - a->scale));
    return a->scale == b->scale || extend(b, (uint32_t)(a->scale - b->scale));
}

bool
decimal_add(struct decimal *out, const struct decimal *a, const struct decimal *b)
{
    struct decimal x = *a, y = *b;
    if (!align(&x, &y))
        return false;
    if (x.negative == y.negative) {
        bool negative = x.negative;
        if (!add_magnitude(out, &x, &y))
            return false;
        out->negative = negative && out->n > 0;
        return true;
    }
    bool swap     = compare_magnitude(&x, &y) < 0;
    bool negative = swap ? y.negative : x.negative;
    sub_magnitude(out, swap ? &y : &x, swap ? &x : &y);
    out->negative = negative && out->n > 0;
    return true;
}

bool
decimal_sub(struct decimal *out, const struct decimal *a, const struct decimal *b)
{
    struct decimal minus = *b;
    minus.negative       = !b->negative && b->n > 0;
    return decimal_add(out, a, &minus);
}

bool
decimal_mul(struct decimal *out, const struct decimal *a, const struct decimal *b)
{
    uint64_t limbs[2 * DECIMAL_LIMBS + 1] = { 0 };
    if (a->scale + b->scale > 100)
        return false;
    for (uint8_t i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (uint8_t k = 0; k < b->n || carry != 0; k++) {
            carry += limbs[i + k] + (k < b->n ? (uint64_t)a->limbs[i] * b->limbs[k] : 0);
            limbs[i + k] = carry % BASE;
            carry /= BASE;
        }
    }
    uint8_t n = 2 * DECIMAL_LIMBS;
    while (n > 0 && limbs[n - 1] == 0)
        n--;
    if (n > DECIMAL_LIMBS)
        return false;
    struct decimal d = { .n        = n,
                         .scale    = (uint8_t)(a->scale + b->scale),
                         .negative = n > 0 && a->negative != b->negative };
    for (uint8_t i = 0; i < n; i++)
        d.limbs[i] = (uint32_t)limbs[i];
    *out = d;
    return true;
}

bool
decimal_round(struct decimal *d, uint8_t scale)
{
    if (scale >= d->scale)
        return extend(d, (uint32_t)(scale - d->scale));
    bool     negative = d->negative;
    uint32_t drop     = (uint32_t)(d->scale - scale);
    uint64_t last     = 0; /* the highest dropped digit decides */
    while (drop > 1) {
        uint32_t step = drop - 1 < BASE_DIGITS ? drop - 1 : BASE_DIGITS;
        divide_small(d, power10[step]);
        drop -= step;
    }
    last     = divide_small(d, 10);
    d->scale = scale;
    if (last >= 5) {
        struct decimal one = { .limbs = { 1 }, .n = 1, .scale = scale };
        if (!add_magnitude(d, d, &one))
            return false;
    }
    d->negative = negative && d->n > 0;
    return true;
}

/* The magnitude divided by a 64-bit number: schoolbook over 128-bit parts. */
static void
divide_u64(struct decimal *d, uint64_t by)
{
    __extension__ unsigned __int128 rest = 0;
    for (uint8_t i = d->n; i-- > 0;) {
        rest        = rest * BASE + d->limbs[i];
        d->limbs[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    trim(d);
}

static uint32_t
whole_groups(uint32_t digits)
{
    return (digits + BASE_DIGITS - 1) / BASE_DIGITS * BASE_DIGITS;
}

bool
decimal_avg(struct decimal *out, const struct decimal *sum, uint64_t count, uint8_t scale)
{
    struct decimal d         = *sum;
    uint32_t       groups    = whole_groups(sum->scale);
    uint32_t       increment = scale > sum->scale ? (uint32_t)(scale - sum->scale) : 0;
    uint32_t       padding   = groups - sum->scale;
    increment                = increment > padding ? increment - padding : 0;
    uint32_t digits          = whole_groups(groups + increment);
    bool     negative        = sum->negative;

    if (digits > 100 || !extend(&d, digits - sum->scale))
        return false;
    divide_u64(&d, count);
    d.negative = negative && d.n > 0;
    if (!decimal_round(&d, scale))
        return false;
    *out = d;
    return true;
}

int
decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    struct decimal x = *a, y = *b;
    int order;
    if (align(&x, &y))
        order = compare_magnitude(&x, &y);
    else /* only the one with fewer digits behind the point can be too long: it is larger */
        order = a->scale < b->scale ? 1 : -1;
    return a->negative ? -order : order;
}

double
decimal_to_double(const struct decimal *d)
{
    struct buf text = { 0 };
    decimal_print(&text, d);
    double value = strtod(buf_cstr(&text), NULL);
    buf_fini(&text);
    return value;
}

bool
decimal_to_uint(const struct decimal *d, uint64_t *out)
{
    struct decimal whole = *d;
    while (whole.scale > 0) {
        if (divide_small(&whole, 10) != 0)
            return false;
        whole.scale--;
    }
    uint64_t value = 0;
    for (uint8_t i = whole.n; i-- > 0;)
        if (__builtin_mul_overflow(value, (uint64_t)BASE, &value) ||
            __builtin_add_overflow(value, (uint64_t)whole.limbs[i], &value))
            return false;
    if (whole.negative)
        return false;
    *out = value;
    return true;
}

bool
decimal_to_int(const struct decimal *d, int64_t *out)
{
    struct decimal magnitude = *d;
    uint64_t       value;
    magnitude.negative = false;
    if (!decimal_to_uint(&magnitude, &value) || value > (uint64_t)INT64_MAX + (d->negative ? 1 : 0))
        return false;
    *out = d->negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

void
decimal_print(struct buf *out, const struct decimal *d)
{
    char     digits[DECIMAL_LIMBS * BASE_DIGITS + 1];
    uint32_t n = 0; /* low digit first */
    for (uint8_t i = 0; i < d->n; i++) {
        uint32_t limb = d->limbs[i];
        for (uint32_t k = 0; k < BASE_DIGITS; k++, limb /= 10)
            digits[n++] = (char)('0' + limb % 10);
    }
    while (n > 0 && digits[n - 1] == '0')
        n--;
    if (d->negative)
        buf_append_byte(out, '-');
    if (n <= d->scale)
        buf_append_byte(out, '0');
    for (uint32_t i = n; i > d->scale; i--)
        buf_append_byte(out, (uint8_t)digits[i - 1]);
    if (d->scale > 0)
        buf_append_byte(out, '.');
    for (uint32_t i = d->scale; i-- > 0;)
        buf_append_byte(out, i < n ? (uint8_t)digits[i] : '0');
}
