/* join_values.c - see join_values.h. */
#include "core/route/join_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/route/collation.h"
#include "core/route/keyhash.h"
#include "core/sql/charset.h"

enum { SLOTS_MIN = 64, DIGITS_MAX = 20 /* of 2^64 */ };

struct join_value {
    uint32_t at, len; /* in bytes: digits, perhaps with a sign, or a string */
};

void
join_values_init(struct join_values *v, const struct route_column *column, uint32_t max)
{
    *v = (struct join_values){ .column = column, .max = max, .gave_up = max == 0 };
}

void
join_values_fini(struct join_values *v)
{
    free(v->items);
    free(v->slots);
    buf_fini(&v->bytes);
    v->items = NULL;
    v->slots = NULL;
    v->n = v->cap = 0;
}

static void
give_up(struct join_values *v)
{
    join_values_fini(v);
    v->gave_up = true;
}

static struct span
value_at(const struct join_values *v, uint32_t i)
{
    return (struct span){ buf_unread(&v->bytes).ptr + v->items[i].at, v->items[i].len };
}

/* ---- values ---- */

/* Without the zeros of ZEROFILL, so that equal numbers are equal bytes. */
static bool
number_of(struct span digits, bool *negative, uint64_t *magnitude)
{
    size_t at  = digits.len > 0 && digits.ptr[0] == '-';
    *negative  = at == 1;
    *magnitude = 0;
    if (at == digits.len)
        return false;
    for (; at < digits.len; at++) {
        uint8_t digit = (uint8_t)(digits.ptr[at] - '0');
        if (digit > 9 || __builtin_mul_overflow(*magnitude, 10, magnitude) ||
            __builtin_add_overflow(*magnitude, digit, magnitude))
            return false;
    }
    return true;
}

/* Bytes that are no text of the set would be an error as a literal. */
static bool
is_text(const struct route_column *c, struct span value)
{
    const struct collation *collation = collation_find(c->collation);
    uint32_t                code_point;
    size_t                  bytes;
    if (collation == NULL || collation->charset == CHARSET_BINARY)
        return true;
    for (; value.len > 0; value = span_from(value, bytes))
        if (!charset_next(collation->charset, value, &code_point, &bytes))
            return false;
    return true;
}

static void
grow(struct join_values *v)
{
    uint32_t cap = v->cap == 0 ? SLOTS_MIN : 2 * v->cap;
    free(v->slots);
    v->slots = mem_alloc(cap * sizeof(*v->slots));
    memset(v->slots, 0, cap * sizeof(*v->slots));
    v->items = mem_resize(v->items, cap / 2 * sizeof(*v->items));
    v->cap   = cap;
    for (uint32_t i = 0; i < v->n; i++) {
        struct span value = value_at(v, i);
        uint64_t    slot  = XXH3_64bits(value.ptr, value.len) & (cap - 1);
        while (v->slots[slot] != 0)
            slot = (slot + 1) & (cap - 1);
        v->slots[slot] = i + 1;
    }
}

static void
add(struct join_values *v, struct span value)
{
    if (v->n >= v->cap / 2)
        grow(v);
    uint64_t slot = XXH3_64bits(value.ptr, value.len) & (v->cap - 1);
    for (; v->slots[slot] != 0; slot = (slot + 1) & (v->cap - 1)) {
        struct span there = value_at(v, v->slots[slot] - 1);
        if (there.len == value.len && memcmp(there.ptr, value.ptr, value.len) == 0)
            return;
    }
    if (v->n == v->max || buf_len(&v->bytes) + value.len > JOIN_VALUES_BYTES) {
        give_up(v);
        return;
    }
    v->items[v->n] = (struct join_value){ (uint32_t)buf_len(&v->bytes), (uint32_t)value.len };
    v->slots[slot] = ++v->n;
    buf_append_span(&v->bytes, value);
}

void
join_values_add(struct join_values *v, struct span value)
{
    bool     negative;
    uint64_t magnitude;
    char     digits[DIGITS_MAX + 2];
    if (v->gave_up)
        return;
    if (!column_is_integer(v->column->type)) {
        if (is_text(v->column, value))
            add(v, value);
        else
            give_up(v);
        return;
    }
    if (!number_of(value, &negative, &magnitude)) {
        give_up(v);
        return;
    }
    int len = snprintf(digits, sizeof(digits), "%s%llu", negative ? "-" : "",
                       (unsigned long long)magnitude);
    add(v, (struct span){ (const uint8_t *)digits, (size_t)len });
}

/* ---- the list ---- */

/* A number that the column cannot have is left out: it is equal to none there. */
static bool
fits(const struct route_column *c, struct span digits)
{
    static const uint8_t bits[] = {
        [COLUMN_TINYINT] = 8, [COLUMN_SMALLINT] = 16, [COLUMN_MEDIUMINT] = 24,
        [COLUMN_INT] = 32, [COLUMN_BIGINT] = 64,
    };
    bool     negative;
    uint64_t magnitude;
    if (!number_of(digits, &negative, &magnitude))
        return false;
    uint64_t half = UINT64_C(1) << (bits[c->type] - 1);
    if (c->is_unsigned)
        return !negative && magnitude <= half - 1 + half;
    return magnitude < half || (negative && magnitude == half);
}

/* Where rows with this value lie; all shards where that is not known. */
static bool
is_on(const struct join_values *v, struct span value, const struct route_column *key,
      const struct routes *r, uint32_t shard)
{
    bool             number = column_is_integer(v->column->type);
    struct key_value k      = { .kind = number ? KEY_VALUE_INT : KEY_VALUE_STRING, .bytes = value,
                                .collation = v->column->collation };
    uint64_t         hash;
    enum key_result result = keyhash_compare(key, &k, &hash);
    if (result == KEY_HASH)
        return routes_owner(r, hash) == shard;
    return result != KEY_NONE;
}

static bool
is_for(const struct join_values *v, uint32_t i, const struct route_column *column, bool key,
       const struct routes *r, uint32_t shard)
{
    struct span value = value_at(v, i);
    if (column_is_integer(column->type) && !fits(column, value))
        return false;
    return !key || shard == ROUTES_NONE || is_on(v, value, column, r, shard);
}

bool
join_values_on(const struct join_values *v, const struct route_column *key, const struct routes *r,
               uint32_t shard)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (is_for(v, i, key, true, r, shard))
            return true;
    return false;
}

/* A string has the character set of both columns, and lets the table's decide how to compare. */
static void
put_value(const struct join_values *v, struct span value, struct buf *out)
{
    if (column_is_integer(v->column->type)) {
        buf_append_span(out, value);
        return;
    }
    buf_printf(out, "_%s", charset_of_collation(v->column->collation));
    buf_append_hex_literal(out, " ", value);
}

void
join_values_text(const struct join_values *v, const struct route_column *column, bool key,
                 const struct routes *r, uint32_t shard, struct buf *out)
{
    size_t before = buf_len(out);
    for (uint32_t i = 0; i < v->n; i++) {
        if (!is_for(v, i, column, key, r, shard))
            continue;
        if (buf_len(out) != before)
            buf_append_byte(out, ',');
        put_value(v, value_at(v, i), out);
    }
}
