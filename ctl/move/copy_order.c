/* copy_order.c - primary keys in the server's order, from their texts. */
#include <stdlib.h>

#include "core/route/collation.h"
#include "ctl/move/copy_part.h"

bool
copy_order_known(const struct route_column *column)
{
    const struct collation *collation;

    switch ((int)column->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_YEAR: case COLUMN_BIT:
    case COLUMN_DATE: case COLUMN_TIME: case COLUMN_DATETIME: case COLUMN_TIMESTAMP:
    case COLUMN_BINARY: case COLUMN_VARBINARY:
        return true;
    case COLUMN_CHAR: case COLUMN_VARCHAR:
        collation = collation_find(column->collation);
        return collation && collation->pads && collation->charset != CHARSET_BINARY;
    default:
        return false;
    }
}

static int
by_bytes(struct span a, struct span b)
{
    size_t n     = a.len < b.len ? a.len : b.len;
    int    order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static struct span
without_first(struct span s, uint8_t byte)
{
    while (s.len > 0 && s.ptr[0] == byte)
        s = span_from(s, 1);
    return s;
}

static struct span
without_last(struct span s, uint8_t byte)
{
    while (s.len > 0 && s.ptr[s.len - 1] == byte)
        s.len--;
    return s;
}

/* Digits, perhaps with a point, all with equally many behind it. */
static int
by_digits(struct span a, struct span b)
{
    a = without_first(a, '0');
    b = without_first(b, '0');
    if (a.len != b.len)
        return a.len > b.len ? 1 : -1;
    return by_bytes(a, b);
}

/* Integers, DECIMALs of one scale, and times of up to three digits of hours: what follows
 * the sign. Zero has none. */
static int
by_sign(struct span a, struct span b, int (*magnitude)(struct span, struct span))
{
    bool below_a = a.len > 0 && a.ptr[0] == '-', below_b = b.len > 0 && b.ptr[0] == '-';

    if (below_a != below_b)
        return below_a ? -1 : 1;
    if (below_a)
        return magnitude(span_from(b, 1), span_from(a, 1));
    return magnitude(a, b);
}

/* HH:MM:SS or HHH:MM:SS. */
static int
by_time(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len > b.len ? 1 : -1;
    return by_bytes(a, b);
}

/* BITs have their bytes, or fewer of them: numbers. */
static int
by_bits(struct span a, struct span b)
{
    a = without_first(a, 0);
    b = without_first(b, 0);
    if (a.len != b.len)
        return a.len > b.len ? 1 : -1;
    return by_bytes(a, b);
}

/* --- strings: weights, one behind the other --- */

struct weights {
    const struct collation *collation;
    struct span             text;
    uint16_t                kept[FOLD_WEIGHTS_MAX];
    size_t                  n, next;
};

/* What cannot be read as a character counts as its first byte. */
static uint32_t
take_character(struct weights *w)
{
    uint32_t character;
    size_t   used;

    if (!charset_next(w->collation->charset, w->text, &character, &used)) {
        character = w->text.ptr[0];
        used      = 1;
    }
    w->text = span_from(w->text, used);
    return character;
}

/* Of single bytes the order is that of the bytes, whatever characters they are. */
static bool
by_single_bytes(const struct collation *c)
{
    return c->fold == FOLD_BIN && (c->charset == CHARSET_LATIN1 || c->charset == CHARSET_ASCII);
}

/* The server's order of ascii_general_ci is that of capitals; to be equal, small letters do. */
static uint32_t
capital(uint32_t character)
{
    return character >= 'a' && character <= 'z' ? character - 'a' + 'A' : character;
}

/* False: the string is at its end. */
static bool
next_weight(struct weights *w, uint32_t *out)
{
    while (w->next == w->n) {
        if (w->text.len == 0)
            return false;
        if (by_single_bytes(w->collation)) {
            *out    = w->text.ptr[0];
            w->text = span_from(w->text, 1);
            return true;
        }
        *out = take_character(w);
        if (w->collation->fold == FOLD_ASCII)
            *out = capital(*out);
        if (w->collation->fold == FOLD_BIN || w->collation->fold == FOLD_ASCII)
            return true;
        w->n    = fold_weights(w->collation->fold, *out, w->kept);
        w->next = 0;
    }
    *out = w->kept[w->next++];
    return true;
}

static uint32_t
space_weight(const struct collation *c)
{
    uint16_t weights[FOLD_WEIGHTS_MAX];

    if (c->fold == FOLD_BIN || c->fold == FOLD_ASCII)
        return ' ';
    return fold_weights(c->fold, ' ', weights) > 0 ? weights[0] : ' ';
}

/* The shorter one goes on with spaces. */
static int
by_collation(const struct collation *c, struct span a, struct span b)
{
    struct weights of_a = { .collation = c, .text = a }, of_b = { .collation = c, .text = b };
    uint32_t       space = space_weight(c);

    for (;;) {
        uint32_t x = space, y = space;
        bool     more_a = next_weight(&of_a, &x), more_b = next_weight(&of_b, &y);

        if (x != y)
            return x > y ? 1 : -1;
        if (!more_a && !more_b)
            return 0;
    }
}

int
copy_order(const struct route_column *column, struct span a, struct span b)
{
    switch ((int)column->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_YEAR:
        return by_sign(a, b, by_digits);
    case COLUMN_TIME:
        return by_sign(a, b, by_time);
    case COLUMN_BIT:
        return by_bits(a, b);
    case COLUMN_BINARY: /* the log leaves out zeros at the end */
        return by_bytes(without_last(a, 0), without_last(b, 0));
    case COLUMN_CHAR: case COLUMN_VARCHAR:
        return by_collation(collation_find(column->collation), a, b);
    default:
        return by_bytes(a, b);
    }
}
