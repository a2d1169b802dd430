/* gather_define.c - see gather_define.h: what SHOW CREATE TABLE says. */
#include "core/route/gather_define.h"

#include "core/route/collation.h"
#include "core/route/table.h"
#include "core/sql/parse.h"

enum length {
    LENGTH_FIXED,      /* `bytes` */
    LENGTH_CHARACTERS, /* (n) characters and `bytes` */
    LENGTH_BYTES,      /* (n) bytes and `bytes` */
    LENGTH_BITS,
    LENGTH_DIGITS,
    LENGTH_BLOB,
};

/* As SHOW CREATE TABLE names them. */
static const struct type {
    const char      *name;
    enum length      length;
    uint32_t         bytes;
    enum gather_form form;
} types[] = {
    { "tinyint", LENGTH_FIXED, 1, GATHER_PLAIN },
    { "smallint", LENGTH_FIXED, 2, GATHER_PLAIN },
    { "mediumint", LENGTH_FIXED, 3, GATHER_PLAIN },
    { "int", LENGTH_FIXED, 4, GATHER_PLAIN },
    { "bigint", LENGTH_FIXED, 8, GATHER_PLAIN },
    { "float", LENGTH_FIXED, 4, GATHER_FLOAT },
    { "double", LENGTH_FIXED, 8, GATHER_PLAIN },
    { "decimal", LENGTH_DIGITS, 8, GATHER_PLAIN },
    { "bit", LENGTH_BITS, 1, GATHER_PLAIN },
    { "char", LENGTH_CHARACTERS, 0, GATHER_TEXT },
    { "varchar", LENGTH_CHARACTERS, 2, GATHER_TEXT },
    { "binary", LENGTH_BYTES, 0, GATHER_PLAIN },
    { "varbinary", LENGTH_BYTES, 2, GATHER_PLAIN },
    { "date", LENGTH_FIXED, 4, GATHER_PLAIN },
    { "time", LENGTH_FIXED, 6, GATHER_PLAIN },
    { "datetime", LENGTH_FIXED, 8, GATHER_PLAIN },
    { "timestamp", LENGTH_FIXED, 7, GATHER_EPOCH },
    { "year", LENGTH_FIXED, 1, GATHER_PLAIN },
    { "enum", LENGTH_FIXED, 2, GATHER_TEXT },
    { "set", LENGTH_FIXED, 8, GATHER_TEXT },
    { "uuid", LENGTH_FIXED, 16, GATHER_BYTES },
    { "inet6", LENGTH_FIXED, 16, GATHER_BYTES },
    { "inet4", LENGTH_FIXED, 4, GATHER_BYTES },
    { "tinytext", LENGTH_BLOB, 0, GATHER_TEXT },
    { "text", LENGTH_BLOB, 0, GATHER_TEXT },
    { "mediumtext", LENGTH_BLOB, 0, GATHER_TEXT },
    { "longtext", LENGTH_BLOB, 0, GATHER_TEXT },
    { "tinyblob", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "blob", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "mediumblob", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "longblob", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "geometry", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "point", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "linestring", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "polygon", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "multipoint", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "multilinestring", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "multipolygon", LENGTH_BLOB, 0, GATHER_PLAIN },
    { "geometrycollection", LENGTH_BLOB, 0, GATHER_PLAIN },
};

enum { CHARACTER_MAX = 4, WIDTH_MAX = 1 << 20 };

static const struct type *
find_type(struct span name)
{
    for (size_t i = 0; i < countof(types); i++)
        if (span_equal_nocase(name, span_of(types[i].name)))
            return &types[i];
    return NULL;
}

static uint32_t
width_of(const struct type *t, const struct data_type *d)
{
    uint64_t n = d->has_length ? d->length : 1;

    switch (t->length) {
    case LENGTH_FIXED:      break;
    case LENGTH_CHARACTERS: n *= CHARACTER_MAX; break;
    case LENGTH_BYTES:      break;
    case LENGTH_BITS:       n = n / 8; break;
    case LENGTH_DIGITS:     n = n / 2; break;
    case LENGTH_BLOB:       return 0;
    }
    n = (t->length == LENGTH_FIXED ? 0 : n) + t->bytes;
    return n < WIDTH_MAX ? (uint32_t)n : WIDTH_MAX;
}

static struct span
text_of(struct span text, uint32_t start, uint32_t end)
{
    return (struct span){ text.ptr + start, end - start };
}

static bool
is_constant(const struct expr *e)
{
    if (e->kind == EXPR_UNARY)
        return e->args != NULL && e->args->kind == EXPR_LITERAL;
    return e->kind == EXPR_LITERAL || e->kind == EXPR_NULL;
}

/* current_timestamp() and current_timestamp(6) */
static bool
is_now(struct span text)
{
    static const char name[] = "current_timestamp(";
    const size_t      len    = sizeof(name) - 1;

    return text.len > len && text.len <= len + 2 &&
           span_equal_nocase((struct span){ text.ptr, len }, SPAN(name)) &&
           text.ptr[text.len - 1] == ')';
}

/* DEFAULT(column) and the flags of the column's definition depend on it. What has to be
 * computed is left out: it may name what the engine lacks. */
static struct span
ending_of(struct arena *a, struct span create, const struct column_def *c)
{
    struct buf  text = { 0 };
    struct span out;

    /* Else the flags would say that it has none. */
    if (c->auto_increment)
        buf_append_text(&text, " DEFAULT 0");
    if (c->default_value != NULL) {
        struct span value = text_of(create, c->default_value->start, c->default_value->end);
        if (is_constant(c->default_value) || is_now(value)) {
            buf_append_text(&text, " DEFAULT ");
            buf_append_span(&text, value);
        }
    }
    if (c->on_update != NULL) {
        struct span value = text_of(create, c->on_update->start, c->on_update->end);
        if (is_now(value)) {
            buf_append_text(&text, " ON UPDATE ");
            buf_append_span(&text, value);
        }
    }
    out = arena_copy(a, buf_unread(&text));
    buf_fini(&text);
    return out;
}

static struct span
computed_of(struct span create, const struct column_def *c)
{
    struct span none = { 0 };

    if (c->default_value == NULL || is_constant(c->default_value))
        return none;
    struct span value = text_of(create, c->default_value->start, c->default_value->end);
    return is_now(value) ? none : value;
}

/* JSON is a LONGTEXT with this check, and what results call json has it. */
static bool
is_json(struct span create, const struct column_def *c)
{
    if (c->check == NULL)
        return false;
    struct span check = text_of(create, c->check->start, c->check->end);
    return check.len > 11 && span_equal_nocase((struct span){ check.ptr, 11 }, SPAN("json_valid("));
}

/* SHOW CREATE TABLE says a constant in utf8mb3, with '?' for each letter beyond U+FFFF. */
static bool
is_doubtful(struct span create, const struct column_def *c)
{
    const struct expr *e = c->default_value;

    return e != NULL && e->kind == EXPR_LITERAL &&
           memchr(create.ptr + e->start, '?', e->end - e->start) != NULL;
}

static bool
read_column(struct arena *a, struct span create, const struct column_def *c,
            struct gather_column *out, struct err *err)
{
    const struct type *t = find_type(c->type.name);

    if (t == NULL)
        return err_set(err, "column %.*s has a type that cannot be copied: %.*s",
                       (int)c->name.len, c->name.ptr, (int)c->type.name.len, c->type.name.ptr);
    *out = (struct gather_column){
        .name      = c->name,
        .type      = text_of(create, c->type.range.start, c->type.range.end),
        .form      = t->form,
        .n_bytes   = t->bytes,
        .not_null  = c->not_null,
        .invisible = c->invisible,
        .json      = is_json(create, c),
        .is_blob   = t->length == LENGTH_BLOB,
        .is_bits   = t->length == LENGTH_BITS,
        .width     = width_of(t, &c->type),
        .auto_increment = c->auto_increment,
        .on_update      = c->on_update != NULL,
        .doubtful       = is_doubtful(create, c),
    };
    if (c->generated == NULL) {
        out->ending   = ending_of(a, create, c);
        out->computed = computed_of(create, c);
    }
    return true;
}

/* What a column has that names none itself. */
static struct span
charset_of(struct arena *a, struct span create, const struct create_table *t)
{
    struct buf  text = { 0 };
    struct span out;

    for (const struct table_option *o = t->options; o != NULL; o = o->next)
        if (o->word == KW_CHARSET || o->word == KW_CHARACTER || o->word == KW_COLLATE) {
            buf_append_byte(&text, ' ');
            buf_append_span(&text, text_of(create, o->range.start, o->range.end));
        }
    out = arena_copy(a, buf_unread(&text));
    buf_fini(&text);
    return out;
}

static bool
is_unique(const struct key_def *k)
{
    return k->kind == KEY_PRIMARY || k->kind == KEY_UNIQUE;
}

static void
read_keys(struct arena *a, struct span create, const struct create_table *t,
          struct gather_definition *out)
{
    uint32_t n = 0;

    for (const struct key_def *k = t->keys; k != NULL; k = k->next)
        n += is_unique(k);
    struct gather_key *keys = arena_alloc(a, (n + 1) * sizeof(*keys));
    for (const struct key_def *k = t->keys; k != NULL; k = k->next) {
        if (!is_unique(k) || k->without_overlaps)
            continue;
        uint32_t  n_parts = 0;
        for (const struct key_part *part = k->parts; part != NULL; part = part->next)
            n_parts++;
        uint32_t *columns = arena_alloc(a, (n_parts + 1) * sizeof(*columns));
        n_parts           = 0;
        for (const struct key_part *part = k->parts; part != NULL; part = part->next)
            columns[n_parts++] = gather_find(out, part->column);
        keys[out->n_keys++] = (struct gather_key){
            .primary = k->kind == KEY_PRIMARY, .n = n_parts, .columns = columns,
            .text    = text_of(create, k->range.start, k->range.end),
        };
    }
    out->keys = keys;
}

bool
gather_define(struct arena *a, struct span create, struct gather_definition *out,
              struct err *err)
{
    struct lex_options options = { .charset = LEX_UTF8 };
    struct stmt       *stmt    = NULL;
    uint32_t           n       = 0;

    if (parse_statement(a, create, options, NULL, &stmt) != PARSE_OK ||
        stmt->kind != STMT_CREATE_TABLE || stmt->create_table->columns == NULL)
        return err_set(err, "its definition cannot be read");
    const struct create_table *t = stmt->create_table;
    for (const struct column_def *c = t->columns; c != NULL; c = c->next)
        n++;
    struct gather_column *columns = arena_alloc(a, n * sizeof(*columns));
    n                             = 0;
    for (const struct column_def *c = t->columns; c != NULL; c = c->next)
        if (!read_column(a, create, c, &columns[n++], err))
            return false;
    *out = (struct gather_definition){ .n_columns = n, .columns = columns,
                                       .charset   = charset_of(a, create, t),
                                       .versioned = t->system_versioning };
    read_keys(a, create, t, out);
    return true;
}

uint32_t
gather_find(const struct gather_definition *d, struct span name)
{
    for (uint32_t i = 0; i < d->n_columns; i++)
        if (span_equal_nocase(d->columns[i].name, name))
            return i;
    for (uint32_t i = 0; i < d->n_columns && !span_is_ascii(name); i++)
        if (names_alike(d->columns[i].name, name))
            return i;
    return ROUTES_NONE;
}
