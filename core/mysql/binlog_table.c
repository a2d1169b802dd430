/* binlog_table.c - see binlog_table.h. */
#include "core/mysql/binlog_table.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/protocol.h"
#include "core/mysql/wire.h"

enum {
    COLUMNS_MAX    = 65535, /* a server's own limit is 4,096 */
    FRACTION_MAX   = 6,
    DECIMAL_DIGITS = 65,
    DECIMAL_SCALE  = 38,

    OPTION_SIGNS          = 1, /* what may stand behind the columns */
    OPTION_PRIMARY        = 8,
    OPTION_PRIMARY_PREFIX = 9,
};

static struct binlog_column
fixed(uint8_t type, size_t size, uint16_t meta)
{
    return (struct binlog_column){ .type = type, .shape = BINLOG_SHAPE_FIXED,
                                   .size = (uint8_t)size, .meta = meta };
}

static struct binlog_column
prefixed(uint8_t type, size_t size, uint16_t meta)
{
    return (struct binlog_column){ .type = type, .shape = BINLOG_SHAPE_PREFIXED,
                                   .size = (uint8_t)size, .meta = meta };
}

/* Bytes of the packed digits of a DECIMAL: nine in four bytes. */
static size_t
decimal_part(unsigned digits)
{
    static const uint8_t bytes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4 };

    return digits / 9 * 4 + bytes[digits % 9];
}

static bool
column_decimal(struct cursor *c, struct binlog_column *out)
{
    uint8_t precision = wire_u8(c), scale = wire_u8(c);

    if (c->bad || precision == 0 || precision > DECIMAL_DIGITS || scale > precision ||
        scale > DECIMAL_SCALE)
        return false;
    *out = fixed(MYSQL_TYPE_NEWDECIMAL,
                 decimal_part((unsigned)precision - scale) + decimal_part(scale), precision);
    out->scale = scale;
    return true;
}

/* Two bytes: the real type, and the length. A length above 255 has its high bits in the type's
 * bits 4 and 5, turned over. */
static bool
column_string(struct cursor *c, struct binlog_column *out)
{
    uint8_t  type = wire_u8(c);
    uint16_t len  = wire_u8(c);

    if ((type & 0x30) != 0x30) {
        len = (uint16_t)(len | (((type & 0x30) ^ 0x30) << 4));
        type |= 0x30;
    }
    if (c->bad)
        return false;
    switch (type) {
    case MYSQL_TYPE_STRING:
        *out = prefixed(type, len > 255 ? 2 : 1, len);
        return true;
    case MYSQL_TYPE_ENUM:
        *out = fixed(type, len, len);
        return len == 1 || len == 2;
    case MYSQL_TYPE_SET:
        *out = fixed(type, len, len);
        return len >= 1 && len <= 8;
    default:
        return false;
    }
}

static bool
column_blob(struct cursor *c, uint8_t type, struct binlog_column *out)
{
    uint8_t size = wire_u8(c);

    *out = prefixed(type, size, size);
    return size >= 1 && size <= 4;
}

static bool
column_bit(struct cursor *c, struct binlog_column *out)
{
    uint8_t bits = wire_u8(c), bytes = wire_u8(c);

    *out = fixed(MYSQL_TYPE_BIT, bytes + (bits != 0 ? 1u : 0u), (uint16_t)(bytes * 8 + bits));
    return bits <= 7 && out->meta >= 1 && out->meta <= 64;
}

/* TIMESTAMP2, DATETIME2, TIME2: whole seconds in `whole` bytes, then the fraction. */
static bool
column_time(struct cursor *c, uint8_t type, size_t whole, struct binlog_column *out)
{
    uint8_t digits = wire_u8(c);

    *out = fixed(type, whole + (digits + 1u) / 2, digits);
    return digits <= FRACTION_MAX;
}

static bool
column_real(struct cursor *c, uint8_t type, size_t size, struct binlog_column *out)
{
    *out = fixed(type, size, (uint16_t)size);
    return wire_u8(c) == size;
}

static bool
column_varchar(struct cursor *c, uint8_t type, struct binlog_column *out)
{
    uint16_t most = wire_u16(c);

    *out = prefixed(type, most > 255 ? 2 : 1, most);
    return true;
}

/* One column; takes what is its own from the metadata. False: no such type, or no such values
 * of its metadata. */
static bool
column_read(uint8_t type, struct cursor *meta, struct binlog_column *out)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_YEAR:       *out = fixed(type, 1, 0); return true;
    case MYSQL_TYPE_SHORT:      *out = fixed(type, 2, 0); return true;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:       *out = fixed(type, 3, 0); return true;
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_TIMESTAMP:  *out = fixed(type, 4, 0); return true;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DATETIME:   *out = fixed(type, 8, 0); return true;
    case MYSQL_TYPE_FLOAT:      return column_real(meta, type, 4, out);
    case MYSQL_TYPE_DOUBLE:     return column_real(meta, type, 8, out);
    case MYSQL_TYPE_NEWDECIMAL: return column_decimal(meta, out);
    case MYSQL_TYPE_BIT:        return column_bit(meta, out);
    case MYSQL_TYPE_TIMESTAMP2: return column_time(meta, type, 4, out);
    case MYSQL_TYPE_DATETIME2:  return column_time(meta, type, 5, out);
    case MYSQL_TYPE_TIME2:      return column_time(meta, type, 3, out);
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_STRING:     return column_string(meta, out);
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case BINLOG_TYPE_VARCHAR_COMPRESSED: return column_varchar(meta, type, out);
    case MYSQL_TYPE_TINY_BLOB:  case MYSQL_TYPE_MEDIUM_BLOB: case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:       case MYSQL_TYPE_GEOMETRY:    case MYSQL_TYPE_JSON:
    case BINLOG_TYPE_BLOB_COMPRESSED:    return column_blob(meta, type, out);
    default:                    return false;
    }
}

static bool
has_sign(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_TINY: case MYSQL_TYPE_SHORT: case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: case MYSQL_TYPE_NEWDECIMAL: case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: case MYSQL_TYPE_YEAR:
        return true;
    default:
        return false;
    }
}

/* A bit for each column that can have a sign, the first in the highest place. */
static bool
read_signs(struct binlog_table *t, struct span bits)
{
    size_t n = 0;

    for (uint32_t i = 0; i < t->n_columns; i++) {
        if (!has_sign(t->columns[i].type))
            continue;
        if (n / 8 >= bits.len)
            return false;
        t->columns[i].is_unsigned = bits.ptr[n / 8] >> (7 - n % 8) & 1;
        n++;
    }
    t->has_signs = true;
    return true;
}

static bool
read_primary(struct binlog_table *t, struct span list, bool prefixes)
{
    struct cursor c = cursor_of(list);

    if (t->primary != NULL || list.len == 0)
        return false;
    t->primary       = mem_alloc(list.len * sizeof(*t->primary));
    t->whole_primary = true;
    while (cursor_left(&c) > 0) {
        uint64_t column = wire_lenenc(&c);
        uint64_t prefix = prefixes ? wire_lenenc(&c) : 0;
        if (c.bad || column >= t->n_columns)
            return false;
        t->primary[t->n_primary++] = (uint32_t)column;
        t->whole_primary &= prefix == 0;
    }
    return true;
}

/* Parts with a type and a length; those that we do not need are passed over. */
static bool
read_options(struct binlog_table *t, struct span options)
{
    struct cursor c    = cursor_of(options);
    bool          good = true;

    while (good && cursor_left(&c) > 0) {
        uint8_t     type  = wire_u8(&c);
        struct span value = wire_lenenc_bytes(&c);

        if (c.bad)
            return false;
        if (type == OPTION_SIGNS)
            good = read_signs(t, value);
        else if (type == OPTION_PRIMARY || type == OPTION_PRIMARY_PREFIX)
            good = read_primary(t, value, type == OPTION_PRIMARY_PREFIX);
    }
    return good;
}

static bool
read_id(const struct binlog_event *e, struct cursor *c, uint64_t *id, uint16_t *flags)
{
    uint64_t low = wire_u32(c);

    if (e->type != BINLOG_TABLE_MAP || e->fixed < 8)
        return false;
    *id    = low | (uint64_t)wire_u16(c) << 32;
    *flags = wire_u16(c);
    wire_skip(c, e->fixed - 8u);
    return !c->bad;
}

bool
binlog_table_id(const struct binlog_event *e, uint64_t *id)
{
    struct cursor c = cursor_of(e->body);
    uint16_t      flags;
    uint64_t      found;

    if (!read_id(e, &c, &found, &flags))
        return false;
    *id = found;
    return true;
}

static enum binlog_table_status
read_columns(struct binlog_table *t, uint32_t *column)
{
    struct cursor meta = cursor_of(t->meta);

    t->columns = mem_alloc(t->n_columns * sizeof(*t->columns));
    for (uint32_t i = 0; i < t->n_columns; i++) {
        bool known = column_read(t->types.ptr[i], &meta, &t->columns[i]);

        if (meta.bad)
            return BINLOG_TABLE_MALFORMED;
        if (!known) {
            *column = i;
            return BINLOG_TABLE_TYPE;
        }
        t->columns[i].nullable = binlog_bit(t->nulls, i);
    }
    return cursor_done(&meta) ? BINLOG_TABLE_GOOD : BINLOG_TABLE_MALFORMED;
}

/* `body` belongs to the table: a copy behind it. */
static enum binlog_table_status
read_body(struct binlog_table *t, struct cursor *c, uint32_t *column)
{
    uint8_t len = wire_u8(c);
    t->database = wire_bytes(c, len);
    uint8_t nul = wire_u8(c);
    len         = wire_u8(c);
    t->name     = wire_bytes(c, len);
    nul        |= wire_u8(c);

    uint64_t n = wire_lenenc(c);
    if (c->bad || nul != 0 || n == 0 || n > COLUMNS_MAX)
        return BINLOG_TABLE_MALFORMED;
    t->n_columns = (uint32_t)n;
    t->types     = wire_bytes(c, n);
    t->meta      = wire_lenenc_bytes(c);
    t->nulls     = wire_bytes(c, (n + 7) / 8);
    struct span options = wire_rest(c);
    if (c->bad)
        return BINLOG_TABLE_MALFORMED;
    enum binlog_table_status status = read_columns(t, column);
    if (status == BINLOG_TABLE_GOOD && !read_options(t, options))
        status = BINLOG_TABLE_MALFORMED;
    return status;
}

enum binlog_table_status
binlog_table_new(const struct binlog_event *e, struct binlog_table **out, uint32_t *column)
{
    struct binlog_table *t    = mem_alloc(sizeof(*t) + e->body.len);
    uint8_t             *body = (uint8_t *)(t + 1);
    struct cursor        c    = cursor_of((struct span){ body, e->body.len });

    memcpy(body, e->body.ptr, e->body.len);
    enum binlog_table_status status = BINLOG_TABLE_MALFORMED;
    if (read_id(e, &c, &t->id, &t->flags))
        status = read_body(t, &c, column);
    if (status != BINLOG_TABLE_GOOD) {
        binlog_table_free(t);
        return status;
    }
    *out = t;
    return status;
}

void
binlog_table_free(struct binlog_table *t)
{
    if (t == NULL)
        return;
    free(t->columns);
    free(t->primary);
    free(t);
}

bool
binlog_table_alike(const struct binlog_table *a, const struct binlog_table *b)
{
    return span_equal(a->types, b->types) && span_equal(a->meta, b->meta)
           && span_equal(a->nulls, b->nulls);
}

bool
binlog_table_hides(const struct binlog_table *t, uint32_t n)
{
    for (uint32_t i = n; i < t->n_columns; i++)
        if (t->columns[i].type != MYSQL_TYPE_LONGLONG)
            return false;
    return n <= t->n_columns;
}

/* Sizes by digits, of MariaDB 5.3 (sql/field.cc). */
void
binlog_table_fraction(struct binlog_table *t, uint32_t column, uint8_t digits)
{
    static const uint8_t timestamps[] = { 4, 5, 5, 6, 6, 7, 7 };
    static const uint8_t datetimes[]  = { 8, 6, 6, 7, 7, 7, 8 };
    static const uint8_t times[]      = { 3, 4, 4, 5, 5, 5, 6 };
    struct binlog_column *c = &t->columns[column];

    switch (c->type) {
    case MYSQL_TYPE_TIMESTAMP: c->size = timestamps[digits]; break;
    case MYSQL_TYPE_DATETIME:  c->size = datetimes[digits]; break;
    case MYSQL_TYPE_TIME:      c->size = times[digits]; break;
    default:                   return;
    }
    c->meta = digits;
}

size_t
binlog_value_bytes(const struct binlog_column *c, struct span bytes)
{
    uint64_t len = 0;

    if (bytes.len < c->size)
        return 0;
    if (c->shape == BINLOG_SHAPE_FIXED)
        return c->size;
    for (unsigned i = c->size; i-- > 0;)
        len = len << 8 | bytes.ptr[i];
    return len <= bytes.len - c->size ? len + c->size : 0;
}
