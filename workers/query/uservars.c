/* uservars.c - see uservars.h. */
#include "workers/query/uservars.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/mysql/wire.h"
#include "core/sql/literal.h"

struct uservar {
    struct uservar *next;
    uint64_t        version;
    struct span     name, literal, value; /* behind one another in one block */
    enum key_value_kind kind;
    uint16_t        collation;
};

void
uservars_init(struct uservars *v)
{
    *v      = (struct uservars){ 0 };
    v->tail = &v->first;
}

void
uservars_clear(struct uservars *v)
{
    while (v->first != NULL) {
        struct uservar *next = v->first->next;
        free(v->first);
        v->first = next;
    }
    uservars_init(v);
}

/* --- names --------------------------------------------------------------- */

bool
uservars_next(struct span *list, struct span *name)
{
    struct cursor c = cursor_of(*list);

    if (list->len == 0)
        return false;
    *name = wire_lenenc_bytes(&c);
    *list = span_from(*list, (size_t)(name->ptr + name->len - list->ptr));
    return true;
}

static void
add_name(struct buf *list, struct span name)
{
    struct span rest = buf_unread(list), other;

    while (uservars_next(&rest, &other))
        if (span_equal_nocase(other, name))
            return;
    wire_put_lenenc_bytes(list, name);
}

void
uservars_names(struct span text, struct lex_options lex, struct buf *out)
{
    struct lex   l;
    struct token t;
    struct buf   name = { 0 };

    lex_init(&l, text, lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        if (t.kind != TOK_USER_VAR)
            continue;
        buf_clear(&name);
        literal_name(token_text(&l, t), lex, &name);
        add_name(out, buf_unread(&name));
    }
    buf_fini(&name);
}

void
uservars_add_names(const struct uservars *v, struct buf *list)
{
    for (const struct uservar *at = v->first; at != NULL; at = at->next)
        add_name(list, at->name);
}

void
uservars_ask(struct span list, struct buf *out)
{
    const char *separator = "SELECT ";
    struct span name;

    while (uservars_next(&list, &name)) {
        struct buf quoted = { 0 };
        literal_identifier(&quoted, name);
        struct span q = buf_unread(&quoted);
        buf_printf(out, "%s@%.*s, CHARSET(@%.*s), COLLATION(@%.*s), CAST(@%.*s AS BINARY)",
                   separator, (int)q.len, q.ptr, (int)q.len, q.ptr, (int)q.len, q.ptr,
                   (int)q.len, q.ptr);
        buf_fini(&quoted);
        separator = ", ";
    }
    buf_append_text(out, " LIMIT 1"); /* sql_select_limit may be 0 */
}

/* --- values -------------------------------------------------------------- */

/* How long the sequence is that begins so; 0: none does. */
static size_t
sequence_bytes(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool
utf8_is_whole(struct span s, size_t longest)
{
    for (size_t i = 0; i < s.len;) {
        uint8_t  first = s.ptr[i];
        size_t   n     = sequence_bytes(first);
        if (n == 0 || n > longest || s.len - i < n)
            return false;
        for (size_t k = 1; k < n; k++)
            if ((s.ptr[i + k] & 0xc0) != 0x80)
                return false;
        if ((first == 0xe0 && s.ptr[i + 1] < 0xa0) || (first == 0xf0 && s.ptr[i + 1] < 0x90) ||
            (first == 0xf4 && s.ptr[i + 1] > 0x8f))
            return false;
        i += n;
    }
    return true;
}

static uint32_t
big_endian(struct span s, size_t at, size_t n)
{
    uint32_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | s.ptr[at + i];
    return value;
}

/* Pairs of bytes; `pairs`: halves of characters stand in pairs, too. */
static bool
utf16_is_whole(struct span s, bool little, bool pairs)
{
    bool half = false;

    for (size_t i = 0; s.len % 2 == 0 && i < s.len; i += 2) {
        uint32_t unit = (uint32_t)s.ptr[i + little] << 8 | s.ptr[i + !little];
        bool     high = (unit & 0xfc00) == 0xd800, low = (unit & 0xfc00) == 0xdc00;
        if (pairs && low != half)
            return false;
        half = high && pairs;
    }
    return s.len % 2 == 0 && !half;
}

static bool
utf32_is_whole(struct span s)
{
    for (size_t i = 0; s.len % 4 == 0 && i < s.len; i += 4)
        if (big_endian(s, i, 4) > 0x10ffff || (big_endian(s, i, 4) & 0xfffff800) == 0xd800)
            return false;
    return s.len % 4 == 0;
}

/* Bytes that an introducer takes as they are, without refusing or padding them. */
static bool
is_exact(struct span charset, struct span bytes)
{
    static const char *const plain[] = { "binary", "latin1", "latin2", "cp1250", "cp1251", "cp1257",
                                         "koi8r", "koi8u", "latin5", "latin7", "cp850", "cp852",
                                         "cp866" };

    if (span_equal(charset, SPAN("utf8mb4")))
        return utf8_is_whole(bytes, 4);
    if (span_equal(charset, SPAN("utf8mb3")) || span_equal(charset, SPAN("utf8")))
        return utf8_is_whole(bytes, 3);
    if (span_equal(charset, SPAN("ascii")))
        return utf8_is_whole(bytes, 1);
    if (span_equal(charset, SPAN("utf32")))
        return utf32_is_whole(bytes);
    bool ucs2 = span_equal(charset, SPAN("ucs2")), little = span_equal(charset, SPAN("utf16le"));
    if (ucs2 || little || span_equal(charset, SPAN("utf16")))
        return utf16_is_whole(bytes, little, !ucs2);
    for (size_t i = 0; i < countof(plain); i++)
        if (span_equal(charset, span_of(plain[i])))
            return true;
    return false;
}

static bool
say_string(struct buf *out, const struct cell *cells)
{
    struct span bytes = cells[3].bytes, charset = cells[1].bytes;

    if (cells[3].is_null && span_equal(charset, SPAN("binary")))
        buf_append_text(out, "CAST(NULL AS BINARY)");
    else if (cells[3].is_null)
        buf_printf(out, "CAST(NULL AS CHAR CHARACTER SET %.*s)", (int)charset.len, charset.ptr);
    else if (!is_exact(charset, bytes))
        return false;
    else {
        buf_printf(out, "_%.*s", (int)charset.len, charset.ptr);
        buf_append_hex_literal(out, " ", bytes);
    }
    if (!span_equal(charset, SPAN("binary"))) /* which has only one */
        buf_printf(out, " COLLATE %.*s", (int)cells[2].bytes.len,
                   cells[2].bytes.ptr);
    return true;
}

static void
say_number(struct buf *out, const struct cell *value, const char *type)
{
    buf_append_text(out, "CAST(");
    if (value->is_null)
        buf_append_text(out, "NULL");
    else
        buf_append_span(out, value->bytes);
    buf_printf(out, " AS %s)", type);
}

/* How many digits behind the point. */
static unsigned
scale_of(const struct cell *value)
{
    size_t digits = 0;

    for (size_t i = 0; !value->is_null && i < value->bytes.len; i++)
        if (value->bytes.ptr[i] == '.')
            digits = value->bytes.len - i - 1;
    return (unsigned)digits;
}

/* Longer than the DECIMAL of a column, and than what CAST gives. */
static bool
is_long(const struct cell *value)
{
    return !value->is_null && value->bytes.len > 65;
}

static enum key_value_kind
kind_of(const struct column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_LONG:       return KEY_VALUE_INT;
    case MYSQL_TYPE_DOUBLE:     return KEY_VALUE_FLOAT;
    case MYSQL_TYPE_NEWDECIMAL: return KEY_VALUE_DECIMAL;
    default:                    return KEY_VALUE_STRING;
    }
}

/* The value of one variable as SQL. False: none says it exactly. */
static bool
say_literal(struct buf *out, const struct column *column, const struct cell *cells)
{
    const struct cell *value = &cells[3];
    char               type[32];

    switch ((int)kind_of(column)) {
    case KEY_VALUE_INT:
        say_number(out, value, column->flags & UNSIGNED_FLAG ? "UNSIGNED" : "SIGNED");
        return true;
    case KEY_VALUE_FLOAT:
        if (value->is_null) {
            say_number(out, value, "DOUBLE");
            return true;
        }
        buf_append_span(out, value->bytes);
        if (memchr(value->bytes.ptr, 'e', value->bytes.len) == NULL)
            buf_append_text(out, "e0");
        return true;
    case KEY_VALUE_DECIMAL:
        if (is_long(value)) {
            buf_append_span(out, value->bytes);
            return true;
        }
        snprintf(type, sizeof(type), "DECIMAL(65,%u)", scale_of(value));
        say_number(out, value, type);
        return true;
    default: return say_string(out, cells);
    }
}

static uint16_t
collation_of(struct span name)
{
    /* Those that keys are hashed by. */
    static const struct {
        const char *name;
        uint16_t    id;
    } known[] = {
        { "utf8mb4_bin", 46 }, { "utf8mb4_general_ci", 45 }, { "binary", 63 },
        { "utf8mb4_unicode_ci", 224 }, { "latin1_bin", 47 }, { "latin1_swedish_ci", 8 },
        { "utf8mb3_general_ci", 33 }, { "utf8mb4_nopad_bin", 1070 },
    };

    for (size_t i = 0; i < countof(known); i++)
        if (span_equal(name, span_of(known[i].name)))
            return known[i].id;
    return 0;
}

void
uservars_forget(struct uservars *v, struct span name)
{
    struct uservar **at = &v->first;

    while (*at != NULL && !span_equal_nocase((*at)->name, name))
        at = &(*at)->next;
    if (*at == NULL)
        return;
    struct uservar *old = *at;
    *at = old->next;
    if (v->tail == &old->next)
        v->tail = at;
    v->n--;
    v->bytes -= old->name.len + old->literal.len;
    free(old);
}

static struct span
put(uint8_t **at, struct span s)
{
    struct span copy = { *at, s.len };

    if (s.len != 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static const struct uservar *
find(const struct uservars *v, struct span name)
{
    for (const struct uservar *at = v->first; at != NULL; at = at->next)
        if (span_equal_nocase(at->name, name))
            return at;
    return NULL;
}

static void
keep(struct uservars *v, struct span name, struct span literal, const struct column *column,
     const struct cell *cells)
{
    const struct uservar *old = find(v, name);

    if (old != NULL && span_equal(old->literal, literal))
        return;
    if (old == NULL && span_equal(literal, SPAN("CAST(NULL AS BINARY)")))
        return; /* as one that was never set */
    uservars_forget(v, name);
    struct span     none  = { 0 };
    struct span     value = cells[3].is_null ? none : cells[3].bytes;
    struct uservar *new   = mem_alloc(sizeof(*new) + name.len + literal.len + value.len);
    uint8_t        *at    = (uint8_t *)(new + 1);

    new->next      = NULL;
    new->version   = ++v->version;
    new->name      = put(&at, name);
    new->literal   = put(&at, literal);
    new->value     = put(&at, value);
    new->kind      = cells[3].is_null ? KEY_VALUE_NULL : kind_of(column);
    new->collation = collation_of(cells[2].bytes);
    *v->tail  = new;
    v->tail   = &new->next;
    v->n++;
    v->bytes += name.len + literal.len;
}

bool
uservars_take(struct uservars *v, struct span list, const struct column *columns,
              const struct cell *cells)
{
    struct buf  literal = { 0 };
    struct span name;
    bool        exact   = true;

    while (uservars_next(&list, &name)) {
        buf_clear(&literal);
        if (v->n < USERVARS_MAX && say_literal(&literal, columns, cells))
            keep(v, name, buf_unread(&literal), columns, cells);
        else {
            uservars_forget(v, name);
            exact = false;
        }
        columns += USERVAR_COLUMNS;
        cells   += USERVAR_COLUMNS;
    }
    buf_fini(&literal);
    return exact;
}

static void
say(const struct uservar *v, const char *separator, struct buf *out)
{
    buf_printf(out, "%s@", separator);
    literal_identifier(out, v->name);
    buf_append_text(out, " = ");
    buf_append_span(out, v->literal);
}

void
uservars_say(const struct uservars *v, uint64_t version, struct buf *out)
{
    const char *separator = "SET ";

    for (const struct uservar *at = v->first; at != NULL; at = at->next) {
        if (at->version <= version)
            continue;
        say(at, separator, out);
        separator = ", ";
    }
}

void
uservars_say_named(const struct uservars *v, struct span list, struct buf *out)
{
    struct span           name;
    const struct uservar *at;

    while (uservars_next(&list, &name))
        if ((at = find(v, name)) != NULL)
            say(at, buf_len(out) == 0 ? "" : ", ", out);
}

void
uservars_value(const struct uservars *v, struct span name, struct key_value *out)
{
    const struct uservar *at = find(v, name);

    *out = (struct key_value){ .kind = KEY_VALUE_NULL };
    if (at == NULL)
        return;
    /* Its collation is as strong as a column's, so only an equal one compares alike. */
    *out = (struct key_value){
        .kind      = at->kind,
        .bytes     = at->value,
        .collation = at->collation,
        .collate   = at->kind == KEY_VALUE_STRING,
    };
    if (at->kind == KEY_VALUE_STRING && at->collation == 0)
        out->kind = KEY_VALUE_OTHER;
}

bool
uservars_has_value(const struct uservars *v, struct span text)
{
    bool odd = memmem(text.ptr, text.len, "\\x", 2) != NULL;

    for (const struct uservar *at = v->first; at != NULL; at = at->next)
        if (at->kind == KEY_VALUE_STRING &&
            (odd || (at->value.len >= text.len && memcmp(at->value.ptr, text.ptr, text.len) == 0)))
            return true;
    return false;
}
