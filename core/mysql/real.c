/* real.c - see cell.h: FLOAT and DOUBLE as the server prints them. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/cell.h"

enum {
    FLOAT_DIGITS = 6,   /* what the server prints of a FLOAT */
    TEXT_MAX     = 400, /* of DBL_MAX with all its digits */
    PLAIN_DIGITS = 15,  /* longest run of digits or zeroes before an exponent is used */
};

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
    bool negative = text[0] == '-';

    d->n = 0;
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && d->n < (int)sizeof(d->digits))
            d->digits[d->n++] = *text;
    d->point = (int)strtol(text + 1, NULL, 10) + 1;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
    d->negative = negative && d->digits[0] != '0'; /* zero shows no sign */
}

/* The fewest digits that read back as `value`. */
static void
digits_shortest(double value, struct real_digits *d)
{
    char text[40];
    int  least = fabs(value) < DBL_MIN ? 0 : DBL_DIG - 1; /* subnormal: fewer digits may do */

    for (int precision = least; precision <= 16; precision++) {
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

/* The server writes a point among the digits plainly wherever it stands. */
static void
put_free(struct buf *out, const struct real_digits *d)
{
    bool zero   = d->digits[0] == '0';
    bool inside = d->point > 0 && d->point < d->n;

    if (d->negative)
        buf_append_byte(out, '-');
    if (zero)
        buf_append_byte(out, '0');
    else if (!inside && (d->point > PLAIN_DIGITS || d->point < 1 - PLAIN_DIGITS))
        put_exponent(out, d);
    else
        put_plain(out, d, 0);
}

static void
put_rounded(struct buf *out, double value, int decimals)
{
    char        text[TEXT_MAX];
    const char *from = text;

    snprintf(text, sizeof(text), "%.*f", decimals, value);
    if (text[strspn(text, "-0.")] == 0 && text[0] == '-')
        from++; /* rounded to zero, which shows no sign */
    buf_append_text(out, from);
}

/* With a fixed number of digits the server pads the shortest form with zeroes
 * and rounds only where there are more digits than wanted. */
static void
put_fixed(struct buf *out, double value, const struct real_digits *d, int decimals)
{
    if (d->n - d->point > decimals) {
        put_rounded(out, value, decimals);
        return;
    }
    if (d->negative)
        buf_append_byte(out, '-');
    put_plain(out, d, decimals);
}

/* What no column holds, but bytes can say: without digits. */
static bool
put_infinite(struct buf *out, double value)
{
    if (isfinite(value))
        return false;
    buf_append_text(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return true;
}

void
double_to_text(struct buf *out, double value, unsigned decimals)
{
    struct real_digits d;

    if (put_infinite(out, value))
        return;
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
    if (put_infinite(out, (double)value))
        return;
    snprintf(text, sizeof(text), "%.*e", FLOAT_DIGITS - 1, (double)value);
    digits_take(text, &d);
    put_free(out, &d);
}
