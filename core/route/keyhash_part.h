/* keyhash_part.h - what the keyhash_*.c share; not for others.
 *
 * Each function makes the canonical form of keyhash.h from one way of writing a
 * value, or says that it cannot be done exactly.
 */
#ifndef CORE_ROUTE_KEYHASH_PART_H
#define CORE_ROUTE_KEYHASH_PART_H

#include "core/route/collation.h"
#include "core/route/keyhash.h"

/* A written number: sign, digits before the point without leading zeros, digits
 * behind it without trailing ones. Zero has neither digits nor a sign. */
struct number {
    bool        negative;
    struct span whole, fraction;
};

/* [+-]digits[.digits] or [+-].digits and nothing else, of no more digits than a
 * server keeps. */
bool number_parse(struct span text, struct number *out) must_check;

/* Like that, and written as a server would write an integer: no sign but '-',
 * no needless zero. */
bool number_is_canonical_int(struct span text) must_check;

/* A FLOAT's text when it stands for an integer below 2^53, where no two integers
 * are one double. When not, *fraction tells whether it is a number below 2^53
 * that is no integer. The result borrows `room`. */
bool number_from_float(struct span text, char room[KEY_VALUE_TEXT],
                       struct number *out, bool *fraction) must_check;

/* As two's complement; false: it has a fraction or does not fit the type. */
bool number_fits(const struct number *n, enum column_type type,
                 bool is_unsigned, uint64_t *out) must_check;

uint64_t hash_word(uint64_t word);
uint64_t hash_bytes(struct span bytes);
uint64_t hash_decimal(const struct number *n);

struct moment {
    bool     negative; /* of a time */
    uint32_t year, month, day, hour, minute, second, micro;
    uint32_t digits;   /* behind the point that matter */
};

/* Exactly YYYY-MM-DD; YYYY-MM-DD HH:MM:SS[.f]; [-]HH[H]:MM:SS[.f], f having 1
 * to 6 digits. With `strict` a calendar's date with year >= 1; else zeroes and
 * impossible days as a server may have stored them. */
bool date_parse(struct span text, bool strict, struct moment *out) must_check;
bool datetime_parse(struct span text, bool strict, struct moment *out) must_check;
bool time_parse(struct span text, struct moment *out) must_check;

uint64_t moment_date(const struct moment *m);
uint64_t moment_datetime(const struct moment *m);
uint64_t moment_time(const struct moment *m);

/* 16 bytes from 8-4-4-4-12 or 32 hexadecimal digits. */
bool uuid_parse(struct span text, uint8_t out[16]) must_check;

/* An address in the forms of inet_pton(), which are all that servers take. */
bool inet_parse(struct span text, bool six, uint8_t out[16]) must_check;

/* A string in character set `from` as the column's collation folds it, without
 * trailing spaces if `pads`. False: malformed, or the column's character set lacks
 * a character. *n: characters. */
bool hash_string(const struct collation *collation, bool pads, enum charset from,
                 struct span bytes, uint64_t *hash, size_t *n) must_check;

/* Whether trailing spaces are left out: the collation says so, or the type. A
 * CHAR is stored without them, and servers disagree with themselves on what
 * NOPAD means when ignorable characters stand among its last spaces. */
static inline bool
column_pads(const struct route_column *c, const struct collation *collation)
{
    return collation->pads || c->type == COLUMN_CHAR;
}

#endif
