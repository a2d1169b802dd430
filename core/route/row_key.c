/* row_key.c - see row_key.h. */
#include "core/route/row_key.h"

#include "core/mysql/binlog_value.h"
#include "core/mysql/protocol.h"

enum { COLLATION_OF_TEXT = CHARSET_UTF8MB4_GENERAL_CI }; /* of what binlog_value_text() prints */

/* The bytes of UUID, INET4 and INET6, whose trailing zeroes are not logged; else 0. */
static uint8_t
raw_size(enum column_type type)
{
    return type == COLUMN_INET4 ? 4 : type == COLUMN_UUID || type == COLUMN_INET6 ? 16 : 0;
}

/* Bytes a character may have, for the lengths of CHAR and VARCHAR. The character sets of keys. */
static bool
string_fits(const struct route_column *c, const struct binlog_column *l)
{
    uint32_t size = l->meta;

    return size == c->length || size == c->length * 3 || size == c->length * 4;
}

static bool
same_type(const struct route_column *c, const struct binlog_column *l)
{
    switch (c->type) {
    case COLUMN_TINYINT:   return l->type == MYSQL_TYPE_TINY;
    case COLUMN_SMALLINT:  return l->type == MYSQL_TYPE_SHORT;
    case COLUMN_MEDIUMINT: return l->type == MYSQL_TYPE_INT24;
    case COLUMN_INT:       return l->type == MYSQL_TYPE_LONG;
    case COLUMN_BIGINT:    return l->type == MYSQL_TYPE_LONGLONG;
    case COLUMN_YEAR:      return l->type == MYSQL_TYPE_YEAR;
    case COLUMN_DATE:      return l->type == MYSQL_TYPE_DATE || l->type == MYSQL_TYPE_NEWDATE;
    case COLUMN_BIT:       return l->type == MYSQL_TYPE_BIT && l->meta == c->length;
    case COLUMN_DECIMAL:
        return l->type == MYSQL_TYPE_NEWDECIMAL && l->meta == c->length && l->scale == c->scale;
    case COLUMN_TIME:
        return (l->type == MYSQL_TYPE_TIME2 || l->type == MYSQL_TYPE_TIME) &&
               l->meta == c->length;
    case COLUMN_DATETIME:
        return (l->type == MYSQL_TYPE_DATETIME2 || l->type == MYSQL_TYPE_DATETIME) &&
               l->meta == c->length;
    case COLUMN_CHAR:      return l->type == MYSQL_TYPE_STRING && string_fits(c, l);
    case COLUMN_BINARY:    return l->type == MYSQL_TYPE_STRING && l->meta == c->length;
    case COLUMN_VARCHAR:   return l->type == MYSQL_TYPE_VARCHAR && string_fits(c, l);
    case COLUMN_VARBINARY: return l->type == MYSQL_TYPE_VARCHAR && l->meta == c->length;
    case COLUMN_UUID: case COLUMN_INET4: case COLUMN_INET6:
        return l->type == MYSQL_TYPE_STRING && l->meta == raw_size(c->type);
    case COLUMN_OTHER: case COLUMN_FLOAT: case COLUMN_DOUBLE: case COLUMN_TEXT: case COLUMN_BLOB:
    case COLUMN_TIMESTAMP: case COLUMN_ENUM: case COLUMN_SET: case COLUMN_JSON:
    case COLUMN_GEOMETRY:
        return false;
    }
    return false;
}

bool
row_key_matches(const struct route_column *column, const struct binlog_column *logged,
                struct err *err)
{
    if (same_type(column, logged))
        return true;
    return err_set(err, "column '%.*s' is not what it was: the binary log has it as %s of size %u",
                   (int)column->name.len, (const char *)column->name.ptr,
                   type_name(logged->type), logged->meta);
}

static void
put_uuid(struct buf *out, const uint8_t bytes[16])
{
    for (int i = 0; i < 16; i++)
        buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
}

/* The forms that keyhash_row() reads. */
static void
put_address(struct buf *out, enum column_type type, const uint8_t bytes[16])
{
    if (type == COLUMN_UUID) {
        put_uuid(out, bytes);
    } else if (type == COLUMN_INET4) {
        buf_printf(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    } else {
        for (int i = 0; i < 16; i += 2)
            buf_printf(out, "%s%x", i != 0 ? ":" : "", bytes[i] << 8 | bytes[i + 1]);
    }
}

/* Appends it; of addresses the bytes that are not logged are zeroes. */
bool
row_key_text(const struct route_column *column, const struct binlog_value *value, struct buf *out)
{
    uint8_t bytes[16] = { 0 };

    if (value->is_null)
        return false;
    if (raw_size(column->type) == 0)
        return binlog_value_text(out, value, column->is_unsigned);
    if (value->data.len > raw_size(column->type))
        return false;
    if (value->data.len != 0)
        memcpy(bytes, value->data.ptr, value->data.len);
    put_address(out, column->type, bytes);
    return true;
}

bool
row_key_hash(const struct route_column *column, const struct binlog_value *value,
             struct buf *room, uint64_t *hash)
{
    bool     address   = raw_size(column->type) != 0 || column->collation == 0;
    uint16_t collation = address ? COLLATION_OF_TEXT : column->collation;

    if (value->is_null) {
        *hash = keyhash_null();
        return true;
    }
    buf_clear(room);
    return row_key_text(column, value, room)
           && keyhash_row(column, buf_unread(room), collation, hash);
}
