/* sets.c - key values as literals, and what puts them into their set. */
#include <stdio.h>

#include "core/route/collation.h"
#include "ctl/move/sets.h"

void
sets_name(const struct move *m, const struct move_table *t, bool in, char out[64])
{
    /* On the way back what had left comes in. */
    snprintf(out, 64, "%s_%lld_%u", in != m->borrowed ? "in" : "out", (long long)m->job,
             t->number);
}

const struct route_column *
sets_column(const struct move_table *t, bool in)
{
    const struct route_table *table = in ? t->before : t->after;

    return table->kind == TABLE_SHARDED ? &table->columns[table->key] : NULL;
}

/* --- literals --- */

/* Whether `text` has only characters of `allowed`, and some. */
static bool
only(struct span text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == 0 || strchr(allowed, text.ptr[i]) == NULL)
            return false;
    return text.len > 0;
}

static bool
append_plain(struct buf *out, struct span text, const char *allowed)
{
    if (!only(text, allowed))
        return false;
    buf_append_span(out, text);
    return true;
}

static bool
append_quoted(struct buf *out, struct span text, const char *allowed)
{
    if (!only(text, allowed))
        return false;
    buf_append_byte(out, '\'');
    buf_append_span(out, text);
    buf_append_byte(out, '\'');
    return true;
}

/* The column's own character set is named, so that nothing is converted; a collation would
 * be of no use for storing. */
static bool
append_string(struct buf *out, const struct route_column *column, struct span bytes)
{
    static const char *const introducers[] = {
        [CHARSET_ASCII] = "_ascii ", [CHARSET_LATIN1] = "_latin1 ",
        [CHARSET_UTF8MB3] = "_utf8mb3 ", [CHARSET_UTF8MB4] = "_utf8mb4 ",
        [CHARSET_BINARY] = "_binary ",
    };
    enum charset charset = collation_charset(column->collation);

    if (charset == CHARSET_UNKNOWN)
        return false;
    buf_append_hex_literal(out, introducers[charset], bytes);
    return true;
}

/* A BIT as its bytes, big-endian, or as a number. */
static bool
append_bit(struct buf *out, const struct key_value *value)
{
    uint64_t number = 0;

    if (value->kind == KEY_VALUE_INT)
        return append_plain(out, value->bytes, "0123456789");
    if (value->bytes.len == 0 || value->bytes.len > 8)
        return false;
    for (size_t i = 0; i < value->bytes.len; i++)
        number = number << 8 | value->bytes.ptr[i];
    buf_printf(out, "%llu", (unsigned long long)number);
    return true;
}

/* A YEAR of one or two digits would mean another one. */
static bool
append_year(struct buf *out, struct span text)
{
    return text.len == 4 && append_quoted(out, text, "0123456789");
}

bool
sets_literal(struct buf *out, const struct route_column *column, const struct key_value *value)
{
    struct span text = value->bytes;

    if (value->kind == KEY_VALUE_DEFAULT || value->kind == KEY_VALUE_OTHER)
        return false;
    if (value->kind == KEY_VALUE_NULL) {
        buf_append_text(out, "NULL");
        return true;
    }
    switch ((int)column->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT:    return append_plain(out, text, "-0123456789");
    case COLUMN_DECIMAL:   return append_plain(out, text, "-.0123456789");
    case COLUMN_YEAR:      return append_year(out, text);
    case COLUMN_BIT:       return append_bit(out, value);
    case COLUMN_DATE: case COLUMN_DATETIME: case COLUMN_TIMESTAMP:
    case COLUMN_TIME:      return append_quoted(out, text, "-:. 0123456789");
    case COLUMN_UUID: case COLUMN_INET4:
    case COLUMN_INET6:     return append_quoted(out, text, "-:.0123456789abcdefABCDEF");
    case COLUMN_BINARY: case COLUMN_VARBINARY:
        buf_append_hex_literal(out, "_binary ", text);
        return true;
    case COLUMN_CHAR: case COLUMN_VARCHAR: return append_string(out, column, text);
    default:               return false;
    }
}

/* --- the writer --- */

bool
sets_add(struct sets_writer *w, const struct key_value *value)
{
    size_t before = w->values.end;

    buf_append_text(&w->values, w->n ? ",(" : "(");
    if (!sets_literal(&w->values, w->column, value)) {
        w->values.end = before;
        return false;
    }
    buf_append_byte(&w->values, ')');
    w->n++;
    return true;
}

/* The literals in portions that no server refuses: cut between two of them. */
static size_t
portion(struct span values, size_t most)
{
    size_t at = most;

    if (values.len <= most)
        return values.len;
    while (at > 0 && !(values.ptr[at] == ',' && values.ptr[at - 1] == ')'))
        at--;
    return at > 0 ? at : values.len;
}

bool
sets_flush(struct sets_writer *w, struct server *s, struct sql_error *error)
{
    struct buf  sql  = { 0 };
    struct span left = buf_unread(&w->values);
    bool        ok   = true;

    while (ok && left.len > 0) {
        size_t n = portion(left, 256 * 1024);

        buf_clear(&sql);
        buf_printf(&sql, "INSERT IGNORE INTO `" ROUTES_MOVE_SCHEMA "`.`%s` (k) VALUES ", w->name);
        buf_append(&sql, left.ptr, n);
        ok   = server_run_text(s, buf_unread(&sql), error);
        left = span_from(left, n < left.len ? n + 1 : n);
    }
    buf_fini(&sql);
    buf_clear(&w->values);
    w->n = 0;
    return ok;
}
