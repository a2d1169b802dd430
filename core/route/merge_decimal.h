/* merge_decimal.h - exact decimal numbers for the final step of aggregates.
 *
 * A number is a magnitude of up to 108 decimal digits, a sign and a scale:
 *
 *   -12.30  =  { negative, scale 2, limbs { 1230 } }      limbs: base 10^9, low first
 *
 * The server's DECIMAL has at most 65 digits, a SUM of them 22 more, so nothing
 * that comes from a server overflows; what would (products in a HAVING) is
 * reported. Held by value; no memory of its own.
 */
#ifndef CORE_ROUTE_MERGE_DECIMAL_H
#define CORE_ROUTE_MERGE_DECIMAL_H

#include "core/base/base.h"
#include "core/base/buf.h"

#define DECIMAL_LIMBS 12

struct decimal {
    uint32_t limbs[DECIMAL_LIMBS];
    uint8_t  n;        /* limbs in use; 0 is zero */
    uint8_t  scale;    /* digits behind the point */
    bool     negative; /* never with zero */
};

/* From "[+-]digits[.digits]". False when it is anything else (an exponent
 * too) or too long. */
bool decimal_parse(struct decimal *out, struct span text);

void decimal_of_int(struct decimal *out, int64_t value);
void decimal_of_uint(struct decimal *out, uint64_t value);

/* False when the result has more than 108 digits; `out` is then unset. `out`
 * may be one of the operands. */
bool decimal_add(struct decimal *out, const struct decimal *a, const struct decimal *b);
bool decimal_sub(struct decimal *out, const struct decimal *a, const struct decimal *b);
bool decimal_mul(struct decimal *out, const struct decimal *a, const struct decimal *b);

/* sum / count as AVG() does on the server: the quotient is cut to a whole
 * number of 9-digit groups first and then rounded half up to `scale` digits,
 * which is sum->scale + div_precision_increment. `count` > 0. False: too long. */
bool decimal_avg(struct decimal *out, const struct decimal *sum, uint64_t count, uint8_t scale);

/* < 0, 0, > 0; by value: 1.0 equals 1. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

static inline bool
decimal_is_zero(const struct decimal *d)
{
    return d->n == 0;
}

/* Round half away from zero (or extend with zeroes) to `scale` digits. False: too long. */
bool decimal_round(struct decimal *d, uint8_t scale);

double decimal_to_double(const struct decimal *d);

/* False when it has digits behind the point that are not zero or does not fit. */
bool decimal_to_int(const struct decimal *d, int64_t *out);
bool decimal_to_uint(const struct decimal *d, uint64_t *out);

/* As the server prints it: at least one digit before the point, scale behind. */
void decimal_print(struct buf *out, const struct decimal *d);

#endif
