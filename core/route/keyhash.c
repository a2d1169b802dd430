/* keyhash.c - the two questions of keyhash.h, one function per class of type.
 *
 * A question about one value has three answers inside here: its hash, FIXED
 * (no stored value of this type equals it), or CANNOT (not provable). What they
 * mean outside depends on the question; see answer_stored() and _compare().
 */
#include "core/route/keyhash.h"

#include <stdio.h>
#include <xxhash.h>

#include "core/route/keyhash_part.h"

enum answer { HASHED, NO_SUCH, CANNOT };
enum question { STORED, COMPARE };

static enum answer
hashed(uint64_t *hash, uint64_t value)
{
    *hash = value;
    return HASHED;
}

uint64_t
keyhash_null(void)
{
    return hash_bytes(SPAN("NULL"));
}

/* Integers. A string stands for an integer by conversion to double when it is
 * compared: below 2^53 that is exact, and a canonical text has no other reading. */
static enum answer
ask_int(const struct route_column *c, const struct key_value *v,
        enum question question, uint64_t *hash)
{
    struct number n;
    char          room[KEY_VALUE_TEXT];
    uint64_t      value;
    bool          fraction = false;

    switch (v->kind) {
    case KEY_VALUE_INT:
    case KEY_VALUE_DECIMAL:
        if (!number_parse(v->bytes, &n))
            return CANNOT;
        break;
    case KEY_VALUE_FLOAT:
        if (!number_from_float(v->bytes, room, &n, &fraction))
            return fraction ? NO_SUCH : CANNOT;
        break;
    case KEY_VALUE_STRING:
        if (!number_is_canonical_int(v->bytes) || !number_parse(v->bytes, &n) ||
            (question == COMPARE && n.whole.len > 15) ||
            !number_fits(&n, c->type, c->is_unsigned, &value))
            return CANNOT;
        break;
    case KEY_VALUE_NULL: case KEY_VALUE_DEFAULT: case KEY_VALUE_HEX:
    case KEY_VALUE_HEX_STRING: case KEY_VALUE_DATE: case KEY_VALUE_TIME:
    case KEY_VALUE_DATETIME: case KEY_VALUE_OTHER:
        return CANNOT;
    }
    if (!number_fits(&n, c->type, c->is_unsigned, &value))
        return NO_SUCH;
    return hashed(hash, hash_word(value));
}

/* 1 to 99 mean 2001 to 1999 to the server in some places and not in others. */
static enum answer
ask_year(const struct key_value *v, enum question question, uint64_t *hash)
{
    struct number n;
    uint64_t      value;

    bool text = v->kind == KEY_VALUE_STRING && question == STORED &&
                span_equal(v->bytes, SPAN("0000")); /* '0' is 2000 */
    bool good = text || v->kind == KEY_VALUE_INT ||
                (v->kind == KEY_VALUE_STRING && v->bytes.len == 4 &&
                 number_is_canonical_int(v->bytes));
    if (!good || !number_parse(v->bytes, &n) ||
        !number_fits(&n, COLUMN_SMALLINT, true, &value))
        return CANNOT;
    bool zero = value == 0 && question == STORED;
    if (!zero && (value < 1901 || value > 2155))
        return CANNOT;
    return hashed(hash, hash_word(value));
}

static bool
bits_value(struct span bytes, uint64_t *value)
{
    uint64_t v = 0;

    if (bytes.len == 0 || bytes.len > 8)
        return false;
    for (size_t i = 0; i < bytes.len; i++)
        v = v << 8 | bytes.ptr[i];
    *value = v;
    return true;
}

static enum answer
ask_bit(const struct route_column *c, const struct key_value *v, uint64_t *hash)
{
    struct number n;
    uint64_t      value = 0;

    if (v->kind == KEY_VALUE_INT) {
        if (!number_parse(v->bytes, &n) ||
            !number_fits(&n, COLUMN_BIGINT, true, &value))
            return CANNOT;
    } else if (v->kind != KEY_VALUE_HEX || !bits_value(v->bytes, &value)) {
        return CANNOT;
    }
    if (c->length < 64 && value >> c->length != 0)
        return CANNOT;
    return hashed(hash, hash_word(value));
}

/* Against a string or a float a DECIMAL is compared as a double, which is
 * coarser. */
static enum answer
ask_decimal(const struct route_column *c, const struct key_value *v,
            enum question question, uint64_t *hash)
{
    struct number n;
    bool exact = v->kind == KEY_VALUE_INT || v->kind == KEY_VALUE_DECIMAL ||
                 (v->kind == KEY_VALUE_STRING && question == STORED);

    if (!exact || !number_parse(v->bytes, &n))
        return CANNOT;
    if (n.whole.len + c->scale > c->length || n.fraction.len > c->scale ||
        (c->is_unsigned && n.negative))
        return NO_SUCH;
    return hashed(hash, hash_decimal(&n));
}

static bool
is_date_text(enum key_value_kind kind)
{
    return kind == KEY_VALUE_STRING || kind == KEY_VALUE_DATE;
}

/* What is stored as zero, if the session's sql_mode lets it be stored. Compared it is NULL, too. */
static bool
is_zero_date(const struct key_value *v, struct moment *m)
{
    bool zero = v->kind == KEY_VALUE_DATETIME || v->kind == KEY_VALUE_STRING
                    ? datetime_parse(v->bytes, false, m)
                    : false;

    zero = zero || (is_date_text(v->kind) && date_parse(v->bytes, false, m));
    return zero && m->year + m->month + m->day == 0 && m->hour + m->minute + m->second == 0 &&
           m->micro == 0;
}

static enum answer
ask_date(const struct key_value *v, enum question question, uint64_t *hash)
{
    struct moment m;

    if (question == STORED && is_zero_date(v, &m))
        return hashed(hash, hash_word(0));
    if (is_date_text(v->kind) && date_parse(v->bytes, true, &m))
        return hashed(hash, hash_word(moment_date(&m)));
    if (v->kind == KEY_VALUE_DATETIME && datetime_parse(v->bytes, true, &m) &&
        m.hour + m.minute + m.second + m.micro == 0)
        return hashed(hash, hash_word(moment_date(&m)));
    return CANNOT;
}

static enum answer
ask_datetime(const struct route_column *c, const struct key_value *v,
             enum question question, uint64_t *hash)
{
    struct moment m;
    bool          full = v->kind == KEY_VALUE_STRING || v->kind == KEY_VALUE_DATETIME;

    if (question == STORED && is_zero_date(v, &m))
        return hashed(hash, hash_word(0));

    if (!(full && datetime_parse(v->bytes, true, &m)) &&
        !(is_date_text(v->kind) && date_parse(v->bytes, true, &m)))
        return CANNOT;
    if (m.digits > c->length)
        return CANNOT;
    return hashed(hash, hash_word(moment_datetime(&m)));
}

static enum answer
ask_time(const struct route_column *c, const struct key_value *v, uint64_t *hash)
{
    struct moment m;
    bool          good = v->kind == KEY_VALUE_STRING || v->kind == KEY_VALUE_TIME;

    if (!good || !time_parse(v->bytes, &m) || m.digits > c->length)
        return CANNOT;
    return hashed(hash, hash_word(moment_time(&m)));
}

/* The character set to read a string's bytes in; UNKNOWN reads only ASCII. A
 * binary string keeps its bytes in a column, so they are the column's. */
static bool
charset_of(const struct key_value *v, enum charset column, enum charset *out)
{
    if (v->kind == KEY_VALUE_HEX || v->kind == KEY_VALUE_HEX_STRING)
        *out = CHARSET_BINARY;
    else
        *out = collation_charset(v->collation);
    if (*out == CHARSET_BINARY)
        *out = column;
    return *out != CHARSET_UNKNOWN || v->collation == 0;
}

static struct span
without_trailing(struct span s, uint8_t byte)
{
    while (s.len > 0 && s.ptr[s.len - 1] == byte)
        s.len--;
    return s;
}

/* A number in a string column: stored as its text, compared as a double. */
static bool
is_stored_text(const struct key_value *v, enum question question)
{
    return v->kind == KEY_VALUE_STRING ||
           (question == STORED && v->kind == KEY_VALUE_INT &&
            number_is_canonical_int(v->bytes)) ||
           (question == STORED && (v->kind == KEY_VALUE_HEX ||
                                   v->kind == KEY_VALUE_HEX_STRING));
}

static enum answer
ask_text(const struct route_column *c, const struct key_value *v,
         enum question question, uint64_t *hash)
{
    const struct collation *collation = collation_find(c->collation);
    struct key_value        value     = *v;
    enum charset            from;
    size_t                  characters;

    if (!is_stored_text(v, question) ||
        (v->collate && question == COMPARE && v->collation != c->collation))
        return CANNOT;
    if (v->kind == KEY_VALUE_INT)
        value.collation = 0; /* ASCII */
    if (!charset_of(&value, collation->charset, &from))
        return CANNOT;
    if (c->type == COLUMN_CHAR) /* and so they do not count as its length */
        value.bytes = without_trailing(value.bytes, ' ');
    if (!hash_string(collation, column_pads(c, collation), from, value.bytes, hash,
                     &characters))
        return CANNOT;
    return question == STORED && characters > c->length ? CANNOT : HASHED;
}

static enum answer
ask_binary(const struct route_column *c, const struct key_value *v,
           enum question question, uint64_t *hash)
{
    struct span bytes = v->bytes;
    bool hex = v->kind == KEY_VALUE_HEX || v->kind == KEY_VALUE_HEX_STRING;
    bool number = question == STORED && v->kind == KEY_VALUE_INT &&
                  number_is_canonical_int(v->bytes);

    if (!(v->kind == KEY_VALUE_STRING || hex || number) ||
        (question == STORED && bytes.len > c->length) ||
        (v->collate && question == COMPARE && v->collation != c->collation))
        return CANNOT;
    if (v->collation == COLLATION_CONVERTED && !hex && !number)
        return CANNOT;
    for (size_t i = 0; i < bytes.len && !hex && v->collation == 0; i++)
        if (bytes.ptr[i] >= 0x80)
            return CANNOT; /* the connection would convert it */
    if (c->type == COLUMN_BINARY)
        bytes = without_trailing(bytes, 0);
    return hashed(hash, hash_bytes(bytes));
}

/* UUID, INET4, INET6 from text; a binary string would be the raw bytes. */
static enum answer
ask_address(const struct route_column *c, const struct key_value *v,
            uint64_t *hash)
{
    uint8_t bytes[16];
    bool    uuid = c->type == COLUMN_UUID;
    size_t  size = c->type == COLUMN_INET4 ? 4 : 16;

    if (v->kind != KEY_VALUE_STRING ||
        collation_charset(v->collation) == CHARSET_BINARY ||
        !(uuid ? uuid_parse(v->bytes, bytes)
               : inet_parse(v->bytes, size == 16, bytes)))
        return CANNOT;
    return hashed(hash, hash_bytes((struct span){ bytes, size }));
}

static enum answer
ask(const struct route_column *c, const struct key_value *v,
    enum question question, uint64_t *hash)
{
    switch (c->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT:
    case COLUMN_INT: case COLUMN_BIGINT:
        return ask_int(c, v, question, hash);
    case COLUMN_YEAR:      return ask_year(v, question, hash);
    case COLUMN_BIT:       return ask_bit(c, v, hash);
    case COLUMN_DECIMAL:   return ask_decimal(c, v, question, hash);
    case COLUMN_DATE:      return ask_date(v, question, hash);
    case COLUMN_DATETIME:  return ask_datetime(c, v, question, hash);
    case COLUMN_TIME:      return ask_time(c, v, hash);
    case COLUMN_CHAR:
    case COLUMN_VARCHAR:   return ask_text(c, v, question, hash);
    case COLUMN_BINARY:
    case COLUMN_VARBINARY: return ask_binary(c, v, question, hash);
    case COLUMN_UUID: case COLUMN_INET4: case COLUMN_INET6:
        return ask_address(c, v, hash);
    case COLUMN_OTHER: case COLUMN_FLOAT: case COLUMN_DOUBLE: case COLUMN_TEXT:
    case COLUMN_BLOB: case COLUMN_TIMESTAMP: case COLUMN_ENUM: case COLUMN_SET:
    case COLUMN_JSON: case COLUMN_GEOMETRY:
        return CANNOT;
    }
    return CANNOT;
}

/* NULL and DEFAULT, as stored. */
static enum key_result
stored_null(const struct route_column *c, const struct key_value *v,
            uint64_t *hash)
{
    if (c->auto_increment)
        return KEY_AUTO;
    if (!c->nullable || (v->kind == KEY_VALUE_DEFAULT && c->has_default))
        return KEY_UNDECIDED;
    *hash = keyhash_null();
    return KEY_HASH;
}

enum key_result
keyhash_stored(const struct route_column *column, const struct key_value *value,
               bool zero_is_auto, uint64_t *hash)
{
    uint64_t found;

    if (value->kind == KEY_VALUE_NULL || value->kind == KEY_VALUE_DEFAULT)
        return stored_null(column, value, hash);
    if (ask(column, value, STORED, &found) != HASHED)
        return KEY_UNDECIDED;
    if (column->auto_increment && zero_is_auto && found == hash_word(0))
        return KEY_AUTO;
    *hash = found;
    return KEY_HASH;
}

enum key_result
keyhash_compare(const struct route_column *column, const struct key_value *value,
                uint64_t *hash)
{
    uint64_t found;

    if (value->kind == KEY_VALUE_NULL)
        return KEY_NONE;
    switch (ask(column, value, COMPARE, &found)) {
    case HASHED:
        *hash = found;
        return KEY_HASH;
    case NO_SUCH:
        return KEY_NONE;
    case CANNOT:
        return KEY_ANY;
    }
    return KEY_ANY;
}

/* What a server prints is not asked whether it would be taken: zero dates and
 * years, BIT as bytes. */
static bool
row_other(const struct route_column *c, struct span text, uint64_t *hash)
{
    struct moment m;
    struct number n;
    uint64_t      value;

    switch ((int)c->type) {
    case COLUMN_YEAR:
        return number_parse(text, &n) &&
               number_fits(&n, COLUMN_SMALLINT, true, &value) &&
               hashed(hash, hash_word(value)) == HASHED;
    case COLUMN_BIT:
        return bits_value(text, &value) && hashed(hash, hash_word(value)) == HASHED;
    case COLUMN_DATE:
        return date_parse(text, false, &m) &&
               hashed(hash, hash_word(moment_date(&m))) == HASHED;
    case COLUMN_DATETIME:
        return datetime_parse(text, false, &m) &&
               hashed(hash, hash_word(moment_datetime(&m))) == HASHED;
    default:
        return false;
    }
}

bool
keyhash_row(const struct route_column *column, struct span text,
            uint16_t value_collation, uint64_t *hash)
{
    struct key_value value = { .kind = KEY_VALUE_STRING, .bytes = text,
                               .collation = value_collation };

    switch ((int)column->type) {
    case COLUMN_YEAR: case COLUMN_BIT: case COLUMN_DATE: case COLUMN_DATETIME:
        return row_other(column, text, hash);
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT:
    case COLUMN_INT: case COLUMN_BIGINT: /* ZEROFILL prints zeroes in front */
        value.kind = KEY_VALUE_INT;
        break;
    case COLUMN_BINARY: case COLUMN_VARBINARY:
        value.collation = 63;
        break;
    default:
        break;
    }
    return ask(column, &value, STORED, hash) == HASHED;
}
