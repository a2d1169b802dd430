/* http_json.c - see http_json.h. */
#include "workers/http_json.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/mysql/row.h"

enum { CHARSET_BINARY_ID = 63 };

static const uint64_t exact_max = UINT64_C(1) << 53;

/* --- values without a character set --------------------------------------- */

static void
base64(struct buf *out, struct span bytes)
{
    enum { PIECE = 3 << 18 }; /* EVP_EncodeBlock() counts in int */

    buf_append_byte(out, '"');
    while (bytes.len != 0) {
        size_t   n  = bytes.len < PIECE ? bytes.len : PIECE;
        uint8_t *at = buf_reserve(out, (n + 2) / 3 * 4 + 1);
        buf_commit(out, (size_t)EVP_EncodeBlock(at, bytes.ptr, (int)n));
        bytes = span_from(bytes, n);
    }
    buf_append_byte(out, '"');
}

/* --- types --------------------------------------------------------------- */

enum form { FORM_WHOLE, FORM_REAL, FORM_TEXT, FORM_BYTES, FORM_BITS };

static const struct {
    uint8_t     type;
    enum form   form;
    const char *name, *binary; /* of text, and of bytes without a character set */
} types[] = {
    { MYSQL_TYPE_TINY, FORM_WHOLE, "TINYINT", NULL },
    { MYSQL_TYPE_SHORT, FORM_WHOLE, "SMALLINT", NULL },
    { MYSQL_TYPE_INT24, FORM_WHOLE, "MEDIUMINT", NULL },
    { MYSQL_TYPE_LONG, FORM_WHOLE, "INT", NULL },
    { MYSQL_TYPE_LONGLONG, FORM_WHOLE, "BIGINT", NULL },
    { MYSQL_TYPE_YEAR, FORM_WHOLE, "YEAR", NULL },
    { MYSQL_TYPE_FLOAT, FORM_REAL, "FLOAT", NULL },
    { MYSQL_TYPE_DOUBLE, FORM_REAL, "DOUBLE", NULL },
    { MYSQL_TYPE_DECIMAL, FORM_TEXT, "DECIMAL", NULL },
    { MYSQL_TYPE_NEWDECIMAL, FORM_TEXT, "DECIMAL", NULL },
    { MYSQL_TYPE_DATE, FORM_TEXT, "DATE", NULL },
    { MYSQL_TYPE_NEWDATE, FORM_TEXT, "DATE", NULL },
    { MYSQL_TYPE_TIME, FORM_TEXT, "TIME", NULL },
    { MYSQL_TYPE_DATETIME, FORM_TEXT, "DATETIME", NULL },
    { MYSQL_TYPE_TIMESTAMP, FORM_TEXT, "TIMESTAMP", NULL },
    { MYSQL_TYPE_BIT, FORM_BITS, "BIT", NULL },
    { MYSQL_TYPE_NULL, FORM_TEXT, "NULL", NULL },
    { MYSQL_TYPE_JSON, FORM_TEXT, "JSON", NULL },
    { MYSQL_TYPE_ENUM, FORM_TEXT, "ENUM", NULL },
    { MYSQL_TYPE_SET, FORM_TEXT, "SET", NULL },
    { MYSQL_TYPE_VARCHAR, FORM_TEXT, "VARCHAR", "VARBINARY" },
    { MYSQL_TYPE_VAR_STRING, FORM_TEXT, "VARCHAR", "VARBINARY" },
    { MYSQL_TYPE_STRING, FORM_TEXT, "CHAR", "BINARY" },
    { MYSQL_TYPE_TINY_BLOB, FORM_TEXT, "TEXT", "BLOB" },
    { MYSQL_TYPE_BLOB, FORM_TEXT, "TEXT", "BLOB" },
    { MYSQL_TYPE_MEDIUM_BLOB, FORM_TEXT, "TEXT", "BLOB" },
    { MYSQL_TYPE_LONG_BLOB, FORM_TEXT, "TEXT", "BLOB" },
    { MYSQL_TYPE_GEOMETRY, FORM_BYTES, "GEOMETRY", NULL },
};

/* ENUM and SET come as CHAR with a flag. */
static uint8_t
type_of(const struct column *c)
{
    if (c->type != MYSQL_TYPE_STRING)
        return c->type;
    return c->flags & ENUM_FLAG ? MYSQL_TYPE_ENUM : c->flags & SET_FLAG ? MYSQL_TYPE_SET : c->type;
}

static enum form
form_of(const struct column *c, const char **name)
{
    uint8_t type = type_of(c);

    *name = "unknown";
    for (size_t i = 0; i < countof(types); i++) {
        if (types[i].type != type)
            continue;
        bool bytes = types[i].binary != NULL && c->charset == CHARSET_BINARY_ID;
        *name      = bytes ? types[i].binary : types[i].name;
        return bytes ? FORM_BYTES : types[i].form;
    }
    return FORM_BYTES;
}

static void
add_column(struct buf *out, const struct column *c)
{
    const char *name;
    enum form   form = form_of(c, &name);

    buf_append_text(out, "{\"name\":");
    json_text(out, c->name);
    buf_printf(out, ",\"type\":\"%s\"", name);
    if (form == FORM_WHOLE && (c->flags & UNSIGNED_FLAG))
        buf_append_text(out, ",\"unsigned\":true");
    if (form == FORM_BYTES)
        buf_append_text(out, ",\"encoding\":\"base64\"");
    buf_append_byte(out, '}');
}

/* --- values -------------------------------------------------------------- */

static void
add_number(struct buf *out, uint64_t n)
{
    const char *quote = n > exact_max ? "\"" : "";

    buf_printf(out, "%s%llu%s", quote, (unsigned long long)n, quote);
}

/* Digits as the server prints them; ZEROFILL's zeroes in front are no JSON. */
static void
add_whole(struct buf *out, struct span digits)
{
    bool     negative = digits.len != 0 && digits.ptr[0] == '-';
    uint64_t n        = 0;

    for (size_t i = negative; i < digits.len; i++)
        n = n * 10 + (uint64_t)(digits.ptr[i] - '0');
    if (negative && n > exact_max)
        json_text(out, digits);
    else if (negative)
        buf_printf(out, "-%llu", (unsigned long long)n);
    else
        add_number(out, n);
}

static size_t
skip_digits(struct span s, size_t at)
{
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    return at;
}

/* RFC 8259, 6, without the rule about zeroes in front. */
static bool
is_number(struct span s)
{
    size_t begin = s.len != 0 && s.ptr[0] == '-', at = skip_digits(s, begin);

    if (at == begin)
        return false;
    if (at < s.len && s.ptr[at] == '.') {
        begin = at + 1;
        at    = skip_digits(s, begin);
        if (at == begin)
            return false;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        begin = at + 1;
        begin += begin < s.len && (s.ptr[begin] == '+' || s.ptr[begin] == '-');
        at = skip_digits(s, begin);
        if (at == begin)
            return false;
    }
    return at == s.len;
}

/* ZEROFILL again (never negative). What some server calls inf or nan is a string. */
static void
add_real(struct buf *out, struct span digits)
{
    if (!is_number(digits)) {
        json_text(out, digits);
        return;
    }
    if (digits.ptr[0] == '-') {
        buf_append_byte(out, '-');
        digits = span_from(digits, 1);
    }
    while (digits.len > 1 && digits.ptr[0] == '0' && digits.ptr[1] >= '0' && digits.ptr[1] <= '9')
        digits = span_from(digits, 1);
    buf_append_span(out, digits);
}

static void
add_bits(struct buf *out, struct span bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes.len; i++)
        n = n << 8 | bytes.ptr[i];
    add_number(out, n);
}

static bool
add_value(const struct json_answer *a, struct buf *out, const struct column *c,
          struct cell cell)
{
    const char *name;
    enum form   form = form_of(c, &name);
    struct buf  text = { 0 };
    struct span s    = cell.bytes;

    if (cell.is_null) {
        buf_append_text(out, "null");
        return true;
    }
    if (a->binary && type_size(c->type) != TYPE_LENENC) {
        if (!cell_to_text(&text, c, cell)) {
            buf_fini(&text);
            return false;
        }
        s = buf_unread(&text);
    }
    switch (form) {
    case FORM_WHOLE: add_whole(out, s); break;
    case FORM_REAL:  add_real(out, s); break;
    case FORM_TEXT:  json_text(out, s); break;
    case FORM_BYTES: base64(out, s); break;
    case FORM_BITS:  add_bits(out, s); break;
    }
    buf_fini(&text);
    return true;
}

/* Whole, or not at all: an error may follow that still makes a document. */
static bool
add_row(struct json_answer *a, struct buf *out, struct span payload)
{
    size_t before = buf_len(out);
    bool   ok     = a->binary ? row_binary_decode(payload, a->columns, a->n_columns, a->cells)
                              : row_text_decode(payload, a->n_columns, a->cells);

    if (!ok)
        return false;
    buf_append_text(out, a->n_rows == 0 ? "[" : ",[");
    for (uint32_t i = 0; ok && i < a->n_columns; i++) {
        if (i != 0)
            buf_append_byte(out, ',');
        ok = add_value(a, out, &a->columns[i], a->cells[i]);
    }
    buf_append_byte(out, ']');
    if (ok)
        a->n_rows++;
    else
        out->end = out->start + before;
    return ok;
}

/* --- the document -------------------------------------------------------- */

void
json_answer_begin(struct json_answer *a, uint64_t capabilities, bool binary)
{
    a->capabilities = capabilities;
    a->binary       = binary;
    a->n_results    = 0;
    a->in_result = a->in_rows = false;
}

void
json_answer_fini(struct json_answer *a)
{
    free(a->columns);
    free(a->cells);
    *a = (struct json_answer){ 0 };
}

static bool
open_result(struct json_answer *a, struct buf *out)
{
    static const char *const openings[] = { "{", ",\"more\":[{", ",{" };

    if (a->in_result) /* rows without an end: those of a cursor, which nobody asked for */
        return false;
    buf_append_text(out, openings[a->n_results < 2 ? a->n_results : 2]);
    a->n_results++;
    a->in_result = true;
    return true;
}

static bool
open_columns(struct json_answer *a, struct buf *out, uint32_t n)
{
    if (!open_result(a, out))
        return false;
    a->columns   = mem_resize(a->columns, n * sizeof(*a->columns));
    a->cells     = mem_resize(a->cells, n * sizeof(*a->cells));
    a->n_columns = n;
    a->n_seen    = 0;
    buf_append_text(out, "\"columns\":[");
    return true;
}

static bool
take_column(struct json_answer *a, struct buf *out, struct span payload)
{
    struct column c;

    if (a->n_seen >= a->n_columns || !reply_column_decode(payload, a->capabilities, &c))
        return false;
    if (a->n_seen != 0)
        buf_append_byte(out, ',');
    add_column(out, &c);
    a->columns[a->n_seen] = (struct column){ .type = c.type, .flags = c.flags,
                                             .charset = c.charset, .decimals = c.decimals,
                                             .length = c.length };
    if (++a->n_seen < a->n_columns)
        return true;
    buf_append_text(out, "],\"rows\":[");
    a->in_rows = true;
    a->n_rows  = 0;
    return true;
}

static void
close_result(struct json_answer *a, struct buf *out)
{
    if (a->in_result && a->n_results > 1)
        buf_append_byte(out, '}');
    a->in_result = false;
}

static bool
end_rows(struct json_answer *a, struct buf *out, struct span payload)
{
    struct ok  ok  = { 0 };
    struct eof eof = { 0 };

    if (a->capabilities & CLIENT_DEPRECATE_EOF) {
        if (!reply_ok_decode(payload, a->capabilities, &ok))
            return false;
        eof.warnings = ok.warnings;
    } else if (!reply_eof_decode(payload, &eof))
        return false;
    buf_printf(out, "],\"warnings\":%u", eof.warnings);
    a->in_rows = false;
    close_result(a, out);
    return true;
}

static bool
add_ok(struct json_answer *a, struct buf *out, struct span payload)
{
    struct ok ok;

    if (!reply_ok_decode(payload, a->capabilities, &ok) || !open_result(a, out))
        return false;
    buf_append_text(out, "\"affected_rows\":");
    add_number(out, ok.affected_rows);
    buf_append_text(out, ",\"insert_id\":");
    add_number(out, ok.insert_id);
    buf_printf(out, ",\"warnings\":%u", ok.warnings);
    if (ok.info.len != 0) {
        buf_append_text(out, ",\"info\":");
        json_text(out, ok.info);
    }
    close_result(a, out);
    return true;
}

bool
json_answer_add(struct json_answer *a, struct buf *out, const struct result_reader *r,
                const struct result_message *m)
{
    struct span payload = m->message.payload;

    switch (m->kind) {
    case RESULT_IS_COUNT:
        return open_columns(a, out, r->n_columns);
    case RESULT_IS_OK:     return add_ok(a, out, payload);
    case RESULT_IS_COLUMN: return take_column(a, out, payload);
    case RESULT_IS_ROW:    return a->in_rows && add_row(a, out, payload);
    case RESULT_IS_END:    return a->in_rows && end_rows(a, out, payload);
    case RESULT_IS_EOF:
    case RESULT_IS_PROGRESS:
        return true;
    case RESULT_IS_ERR:
    case RESULT_IS_LOCAL_INFILE:
    case RESULT_IS_PREPARED:
    case RESULT_IS_PARAM:
    case RESULT_IS_TEXT:
        break;
    }
    return false;
}

void
json_answer_end(struct json_answer *a, struct buf *out, const struct sql_error *error)
{
    if (a->in_result && !a->in_rows && a->n_seen < a->n_columns)
        buf_append_text(out, "],\"rows\":[");
    if (a->in_result)
        buf_append_byte(out, ']');
    close_result(a, out);
    if (a->n_results > 1)
        buf_append_byte(out, ']');
    if (error != NULL) {
        buf_append_text(out, a->n_results == 0 ? "{" : ",");
        buf_printf(out, "\"error\":{\"code\":%u,\"sqlstate\":\"%.5s\",\"message\":", error->code,
                   error->sqlstate);
        json_text(out, span_of(error->message));
        buf_append_byte(out, '}');
    }
    buf_append_text(out, a->n_results == 0 && error == NULL ? "{}\n" : "}\n");
}
