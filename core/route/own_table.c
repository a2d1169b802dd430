/* own_table.c - see own_table.h. */
#include "core/route/own_table.h"

#include "core/route/column_type.h"
#include "core/route/gather_define.h"
#include "core/sql/parse.h"

/* No collation's id: whatever it is, it is not known to be that of another column. */
enum { COLLATION_OWN = 60000 };

static bool
has_text(enum column_type type)
{
    return type == COLUMN_CHAR || type == COLUMN_VARCHAR || type == COLUMN_TEXT ||
           type == COLUMN_ENUM || type == COLUMN_SET;
}

/* Columns of ascii may have other bytes as well. */
static bool
names_ascii(struct span s)
{
    for (size_t i = 0; i + 5 <= s.len; i++)
        if (span_equal_nocase((struct span){ s.ptr + i, 5 }, SPAN("ascii")))
            return true;
    return false;
}

static uint32_t
length_of(const struct data_type *d, enum column_type type)
{
    if (type == COLUMN_DECIMAL && !d->has_length)
        return 10;
    return (type == COLUMN_CHAR || type == COLUMN_BINARY || type == COLUMN_BIT) && !d->has_length
               ? 1 : d->length;
}

static struct route_column
read_column(const struct column_def *c, const struct gather_column *g, uint32_t at)
{
    enum column_type    type = column_type_of(c->type.name);
    struct route_column out  = {
         .name           = g->name,
         .type           = type,
         .is_unsigned    = c->type.is_unsigned,
         .nullable       = !g->not_null,
         .auto_increment = g->auto_increment,
         .generated      = c->generated != NULL,
         .has_default    = c->default_value != NULL && c->default_value->kind != EXPR_NULL,
         .invisible      = g->invisible,
         .length         = length_of(&c->type, type),
         .scale          = (uint8_t)c->type.scale,
    };

    if (has_text(type))
        out.collation = (uint16_t)(COLLATION_OWN + at);
    else if (type == COLUMN_BINARY || type == COLUMN_VARBINARY || type == COLUMN_BLOB)
        out.collation = 63;
    return out;
}

static void
note_primary(const struct gather_definition *d, struct route_column *columns)
{
    const struct gather_key *key = gather_primary(d);

    for (uint32_t i = 0; key != NULL && i < key->n; i++)
        if (key->columns[i] < d->n_columns) {
            columns[key->columns[i]].primary  = (uint8_t)(i + 1);
            columns[key->columns[i]].nullable = false;
        }
}

bool
own_table_read(struct arena *a, struct span create, struct span name, uint32_t database,
               struct route_table *out, struct err *err)
{
    struct lex_options       options = { .charset = LEX_UTF8 };
    struct gather_definition d;
    struct stmt             *stmt = NULL;
    uint32_t                 at   = 0;

    if (!gather_define(a, create, &d, err))
        return false;
    if (parse_statement(a, create, options, NULL, &stmt) != PARSE_OK)
        return err_set(err, "its definition cannot be read");
    struct route_column *columns = arena_alloc(a, d.n_columns * sizeof(*columns));
    *out = (struct route_table){ .name = name, .database = database, .kind = TABLE_GLOBAL,
                                 .key = ROUTES_NONE, .auto_increment = ROUTES_NONE,
                                 .n_columns = d.n_columns, .columns = columns };
    for (const struct column_def *c = stmt->create_table->columns; c != NULL; c = c->next, at++) {
        columns[at] = read_column(c, &d.columns[at], at);
        if (has_text(columns[at].type) && (names_ascii(d.columns[at].type) ||
                                           names_ascii(d.charset)))
            return err_set(err, "column %.*s may have texts in ascii", (int)c->name.len,
                           c->name.ptr);
        if (columns[at].auto_increment)
            out->auto_increment = at;
    }
    note_primary(&d, columns);
    return true;
}

struct routes *
own_routes_make(struct arena *a, const struct routes *base, const struct route_table *own,
                uint32_t n)
{
    struct routes      *r      = arena_alloc(a, sizeof(*r));
    struct route_table *tables = arena_alloc(a, (base->n_tables + n) * sizeof(*tables));

    *r = *base;
    if (base->n_tables != 0)
        memcpy(tables, base->tables, base->n_tables * sizeof(*tables));
    memcpy(tables + base->n_tables, own, n * sizeof(*tables));
    r->tables = tables;
    r->n_own  = n;
    return r;
}
