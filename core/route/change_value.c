/* change_value.c - see change_value.h. */
#include "core/route/change_value.h"

#include "core/mysql/literal.h"
#include "core/route/latin1.h"

enum value_class { VALUE_NUMBER, VALUE_REAL, VALUE_QUOTED, VALUE_TEXT, VALUE_BYTES, VALUE_EPOCH };

static enum value_class
class_of(enum column_type type)
{
    switch (type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_BIT: return VALUE_NUMBER;
    case COLUMN_FLOAT: case COLUMN_DOUBLE: return VALUE_REAL;
    case COLUMN_DATE: case COLUMN_TIME: case COLUMN_DATETIME: case COLUMN_YEAR:
    case COLUMN_UUID: case COLUMN_INET4: case COLUMN_INET6: return VALUE_QUOTED;
    case COLUMN_CHAR: case COLUMN_VARCHAR: case COLUMN_TEXT: case COLUMN_ENUM: case COLUMN_SET:
    case COLUMN_JSON: return VALUE_TEXT;
    case COLUMN_TIMESTAMP: return VALUE_EPOCH;
    case COLUMN_BINARY: case COLUMN_VARBINARY: case COLUMN_BLOB: case COLUMN_GEOMETRY:
    case COLUMN_OTHER: break;
    }
    return VALUE_BYTES;
}

void
change_put_column(const struct change_table *t, const char *alias, uint32_t column, struct buf *out)
{
    buf_append_text(out, alias);
    literal_identifier(out, t->copy->definition->columns[column].name);
}

/* Servers let any bytes into such columns, and would make others of them by converting. */
static bool
is_ascii(const struct route_column *c)
{
    return ascii_is(c->collation);
}

/* Bytes, which are not converted on their way: in utf8mb4 what is text. */
void
change_put_bytes(const struct change_table *t, const char *alias, uint32_t column, struct buf *out)
{
    const struct route_column  *c = &t->table->columns[column];
    const struct gather_column *d = &t->copy->definition->columns[column];

    buf_append_text(out, "CAST(");
    switch (class_of(c->type)) {
    case VALUE_TEXT:
        if (is_ascii(c)) {
            change_put_column(t, alias, column, out);
            break;
        }
        buf_append_text(out, "CONVERT(");
        change_put_column(t, alias, column, out);
        buf_append_text(out, " USING utf8mb4)");
        break;
    case VALUE_REAL: /* FLOAT(7,3) has all its digits as text, and more would be out of range */
        change_put_column(t, alias, column, out);
        if (memchr(d->type.ptr, '(', d->type.len) == NULL)
            buf_append_text(out, "*1e0");
        break;
    case VALUE_EPOCH:
        buf_append_text(out, "UNIX_TIMESTAMP(");
        change_put_column(t, alias, column, out);
        buf_append_byte(out, ')');
        break;
    case VALUE_QUOTED:
        buf_append_text(out, "CAST(");
        change_put_column(t, alias, column, out);
        buf_append_text(out, " AS CHAR CHARACTER SET utf8mb4)");
        break;
    case VALUE_NUMBER:
    case VALUE_BYTES:
        change_put_column(t, alias, column, out);
        if (c->type == COLUMN_BIT)
            buf_append_text(out, "+0");
        break;
    }
    buf_append_text(out, " AS BINARY)");
}

/* A time that the session's time zone has twice is not told by its words: "?". */
void
change_put_value(const struct change_table *t, const char *alias, uint32_t column, struct buf *out)
{
    if (class_of(t->table->columns[column].type) != VALUE_EPOCH) {
        change_put_bytes(t, alias, column, out);
        return;
    }
    buf_append_text(out, "IF(UNIX_TIMESTAMP(");
    change_put_column(t, alias, column, out);
    buf_append_text(out, ") = 0 OR UNIX_TIMESTAMP(CAST(");
    change_put_column(t, alias, column, out);
    buf_append_text(out, " AS DATETIME(6))) <=> UNIX_TIMESTAMP(");
    change_put_column(t, alias, column, out);
    buf_append_text(out, "), ");
    change_put_bytes(t, alias, column, out);
    buf_append_text(out, ", '?')");
}

/* The same in every sql_mode and character set. */
static bool
is_simple(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < ' ' || s.ptr[i] > '}' || s.ptr[i] == '\'' || s.ptr[i] == '\\')
            return false;
    return true;
}

static bool
is_number(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != '-' && s.ptr[i] != '.' &&
            s.ptr[i] != 'e' && s.ptr[i] != '+')
            return false;
    return s.len != 0;
}

static void
put_quoted(struct span s, struct buf *out)
{
    buf_append_byte(out, '\'');
    buf_append_span(out, s);
    buf_append_byte(out, '\'');
}

static bool
put_number(struct span s, bool real, struct buf *out)
{
    if (!is_number(s))
        return false;
    buf_append_span(out, s);
    if (real && memchr(s.ptr, 'e', s.len) == NULL)
        buf_append_text(out, "e0");
    return true;
}

static bool
put_epoch(struct span s, struct buf *out)
{
    bool zero = true;

    if (!is_number(s))
        return false;
    for (size_t i = 0; i < s.len; i++)
        zero = zero && (s.ptr[i] == '0' || s.ptr[i] == '.');
    if (zero) {
        buf_append_text(out, "'0000-00-00 00:00:00'");
        return true;
    }
    buf_append_text(out, "FROM_UNIXTIME(");
    buf_append_span(out, s);
    buf_append_byte(out, ')');
    return true;
}

bool
change_put_literal(const struct change_table *t, uint32_t column, struct cell cell, struct buf *out,
            struct err *err)
{
    const struct route_column *c    = &t->table->columns[column];
    enum value_class           kind = class_of(c->type);
    struct span                s    = cell.bytes;
    bool                       good = true;

    if (cell.is_null) {
        buf_append_text(out, "NULL");
        return true;
    }
    switch (kind) {
    case VALUE_NUMBER: good = put_number(s, false, out); break;
    case VALUE_REAL:   good = put_number(s, true, out); break;
    case VALUE_EPOCH:  good = put_epoch(s, out); break;
    case VALUE_QUOTED:
        good = is_simple(s);
        put_quoted(s, out);
        break;
    case VALUE_TEXT:
        if (is_simple(s))
            put_quoted(s, out);
        else if (is_ascii(c) && !span_is_ascii(s))
            buf_append_hex_literal(out, "", s);
        else
            buf_append_hex_literal(out, "_utf8mb4 ", s);
        break;
    case VALUE_BYTES: buf_append_hex_literal(out, "", s); break;
    }
    return good || err_set(err, "the value of column %.*s cannot be told to another server%s",
                           (int)c->name.len, c->name.ptr,
                           kind == VALUE_EPOCH ? ": in the session's time zone there are two such "
                                                 "times; SET time_zone = '+00:00'" : "");
}

/* As servers print it, ZEROFILL or not. */
static bool
is_zero(struct cell cell)
{
    size_t i = 0;

    while (!cell.is_null && i < cell.bytes.len && cell.bytes.ptr[i] == '0')
        i++;
    return i > 0 && i == cell.bytes.len;
}

bool
change_check_zero(const struct change_table *t, uint32_t column, struct cell cell, struct err *err)
{
    if (column != t->target->zero || !is_zero(cell))
        return true;
    return err_set(err, "0 in column %.*s asks for a number: say NULL instead",
                   (int)t->table->columns[column].name.len, t->table->columns[column].name.ptr);
}

bool
change_check_moved(const struct change_table *t, uint32_t column, struct cell cell, struct err *err)
{
    if (column != t->target->moved_zero || !is_zero(cell))
        return true;
    return err_set(err, "a row with 0 in the AUTO_INCREMENT column %.*s is written anew, with a "
                        "number, unless sql_mode has NO_AUTO_VALUE_ON_ZERO: set it before",
                   (int)t->table->columns[column].name.len, t->table->columns[column].name.ptr);
}
