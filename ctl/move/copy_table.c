/* copy_table.c - how one table is read and written so that its rows are the same bytes.
 *
 * Texts pass in each column's own character set: results are not converted, and the file of LOAD
 * DATA is "binary". What a text would not carry exactly goes another way: FLOAT and DOUBLE as a
 * DOUBLE's shortest text, ENUM and SET by number, and types that would take a binary string for
 * their inner form by a variable with a character set.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/move/copy_part.h"

enum form {
    FORM_NONE,     /* cannot be carried */
    FORM_PLAIN,    /* as it is; nothing to escape */
    FORM_BYTES,    /* as it is */
    FORM_REAL,
    FORM_NUMBERED, /* ENUM, SET */
    FORM_ADDRESS,  /* UUID, INET4, INET6 */
};

static enum form
form_of(const struct route_column *column)
{
    switch (column->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_YEAR: case COLUMN_DATE:
    case COLUMN_TIME: case COLUMN_DATETIME: case COLUMN_TIMESTAMP:
        return FORM_PLAIN;
    case COLUMN_CHAR: case COLUMN_VARCHAR: case COLUMN_TEXT: case COLUMN_BINARY:
    case COLUMN_VARBINARY: case COLUMN_BLOB: case COLUMN_BIT: case COLUMN_JSON:
    case COLUMN_GEOMETRY:
        return FORM_BYTES;
    case COLUMN_FLOAT: case COLUMN_DOUBLE:
        return FORM_REAL;
    case COLUMN_ENUM: case COLUMN_SET:
        return FORM_NUMBERED;
    case COLUMN_UUID: case COLUMN_INET4: case COLUMN_INET6:
        return FORM_ADDRESS;
    case COLUMN_OTHER:
        break;
    }
    return FORM_NONE;
}

/* What a SELECT asks for. */
static void
append_read(struct buf *out, const struct route_column *column)
{
    enum form form = form_of(column);

    if (form == FORM_REAL || form == FORM_NUMBERED)
        buf_append_text(out, "CAST(");
    server_quote_span(out, column->name);
    if (form == FORM_REAL)
        buf_append_text(out, " AS DOUBLE)");
    if (form == FORM_NUMBERED)
        buf_append_text(out, " AS UNSIGNED)");
}

/* Where LOAD DATA puts the field, and what it sets then. */
static void
append_write(struct buf *names, struct buf *sets, const struct route_column *column, uint32_t i)
{
    enum form form = form_of(column);

    if (buf_len(names) > 0)
        buf_append_byte(names, ',');
    if (form != FORM_NUMBERED && form != FORM_ADDRESS) {
        server_quote_span(names, column->name);
        return;
    }
    buf_printf(names, "@shardd_%u", (unsigned)i);
    buf_append_text(sets, buf_len(sets) > 0 ? ", " : " SET ");
    server_quote_span(sets, column->name);
    if (form == FORM_NUMBERED)
        buf_printf(sets, " = CAST(@shardd_%u AS UNSIGNED)", (unsigned)i);
    else
        buf_printf(sets, " = CONVERT(@shardd_%u USING latin1)", (unsigned)i);
}

static void
make_load(struct buf *out, const char *ignore, const char *database, const char *table,
          struct buf *names, struct buf *sets)
{
    buf_printf(out, "LOAD DATA LOCAL INFILE 'shardd' %sINTO TABLE ", ignore);
    server_quote_name(out, database);
    buf_append_byte(out, '.');
    server_quote_name(out, table);
    buf_append_text(out, " CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                         "LINES TERMINATED BY '\\n' (");
    buf_append_span(out, buf_unread(names));
    buf_append_byte(out, ')');
    buf_append_span(out, buf_unread(sets));
    buf_cstr(out);
    buf_fini(names);
    buf_fini(sets);
}

/* A set's only column is called k, and has the key column's type. */
static void
make_load_set(struct copy_table *out, const struct move *m, bool in)
{
    const struct route_column *column = sets_column(out->t, in);
    struct buf                 names = { 0 }, sets = { 0 };
    struct route_column        k;
    char                       name[64];

    if (!column)
        return;
    k      = *column;
    k.name = SPAN("k");
    sets_name(m, out->t, in, name);
    append_write(&names, &sets, &k, 0);
    make_load(in ? &out->load_in : &out->load_out, "IGNORE ", ROUTES_MOVE_SCHEMA, name, &names,
              &sets);
}

static bool
is_primary(const struct move_table *t, uint32_t column)
{
    for (unsigned i = 0; i < t->n_primary; i++)
        if (t->primary[i] == column)
            return true;
    return false;
}

/* Fields: all columns but those that the server computes, and these where they order rows. */
static bool
choose_fields(struct copy_table *out, struct sql_error *error)
{
    const struct route_table *table = out->t->before;

    out->columns = mem_alloc((table->n_columns + 1) * sizeof(*out->columns));
    out->plain   = mem_alloc((table->n_columns + 1) * sizeof(*out->plain));
    out->sent    = mem_alloc((table->n_columns + 1) * sizeof(*out->sent));
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const struct route_column *column = &table->columns[i];
        enum form                  form   = form_of(column);

        if (form == FORM_NONE)
            return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s cannot be moved: "
                                 "shardd does not know the type of its column '%.*s'",
                                 out->t->database, out->t->name, (int)column->name.len,
                                 column->name.ptr);
        if (column->generated && !is_primary(out->t, i))
            continue;
        out->plain[out->n_fields]     = form == FORM_PLAIN || form == FORM_REAL ||
                                    form == FORM_NUMBERED || form == FORM_ADDRESS;
        out->sent[out->n_fields]      = !column->generated;
        out->columns[out->n_fields++] = i;
    }
    return true;
}

static uint32_t
field_of(const struct copy_table *t, uint32_t column)
{
    for (uint32_t i = 0; i < t->n_fields; i++)
        if (t->columns[i] == column)
            return i;
    return ROUTES_NONE;
}

static void
choose_keys(struct copy_table *out)
{
    const struct move_table *t = out->t;

    out->key_before = t->before->kind == TABLE_SHARDED ? field_of(out, t->before->key)
                                                       : ROUTES_NONE;
    out->key_after  = t->after->kind == TABLE_SHARDED ? field_of(out, t->after->key)
                                                      : ROUTES_NONE;
    out->ordered    = t->primary_plain;
    for (unsigned i = 0; i < t->n_primary; i++) {
        out->primary[i] = field_of(out, t->primary[i]);
        if (!copy_order_known(&t->before->columns[t->primary[i]]))
            out->ordered = false;
    }
    out->torn_fine = !out->ordered && t->before->kind == TABLE_SHARDED;
}

/* Behind the fields, what images have another form of. */
static void
make_select(struct copy_table *out)
{
    buf_clear(&out->select);
    for (uint32_t i = 0; i < out->n_fields; i++) {
        buf_append_text(&out->select, i ? "," : "SELECT ");
        append_read(&out->select, &out->t->before->columns[out->columns[i]]);
    }
    for (uint32_t k = 0; out->image && k < out->image->n; k++)
        if (out->cells[k] >= out->n_fields) {
            buf_append_byte(&out->select, ',');
            image_read(out->image, k, &out->select);
        }
    buf_append_text(&out->select, " FROM ");
    server_quote_name(&out->select, out->t->database);
    buf_append_byte(&out->select, '.');
    server_quote_name(&out->select, out->t->name);
    buf_append_text(&out->select, " FORCE INDEX (PRIMARY)");
}

static void
make_statements(struct copy_table *out, const struct move *m)
{
    struct buf names = { 0 }, sets = { 0 };

    make_select(out);
    for (uint32_t i = 0; i < out->n_fields; i++)
        if (out->sent[i])
            append_write(&names, &sets, &out->t->before->columns[out->columns[i]], i);
    make_load(&out->load, "", out->t->database, out->t->name, &names, &sets);
    make_load_set(out, m, true);
    make_load_set(out, m, false);
}

bool
copy_table_init(struct copy_table *out, const struct move *m, const struct move_table *t,
                size_t n_targets, struct sql_error *error)
{
    out->t       = t;
    out->targets = mem_alloc((n_targets + 1) * sizeof(*out->targets));
    if (t->n_primary == 0)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s cannot be moved: it "
                             "has no primary key; add one", t->database, t->name);
    if (!choose_fields(out, error))
        return false;
    choose_keys(out);
    make_statements(out, m);
    return true;
}

bool
copy_table_images(struct copy_table *t, struct server *s, struct sql_error *error)
{
    const struct route_table *table = t->t->before;
    uint32_t                  more  = 0;

    t->image = mem_alloc(sizeof(*t->image));
    if (!image_init(t->image, s, t->t->database, t->t->name, NULL, 0, error))
        return false;
    t->cells = mem_alloc((t->image->n + 1) * sizeof(*t->cells));
    for (uint32_t k = 0; k < t->image->n; k++) {
        uint32_t field = field_of(t, k);

        if (k >= table->n_columns || !image_column_is(t->image, k, table->columns[k].name))
            return sql_error_set(error, COPY_FATAL, "shardd: the columns of table %s.%s on shard "
                                 "%s are not those of the catalog; see 'shardctl fsck'",
                                 t->t->database, t->t->name, s->name);
        if (field == ROUTES_NONE || image_reads_apart(t->image, k))
            field = t->n_fields + more++;
        t->cells[k] = field;
    }
    make_select(t);
    return true;
}

void
copy_table_fini(struct copy_table *t, size_t n_targets)
{
    for (size_t i = 0; t->targets && i < n_targets; i++)
        buf_fini(&t->targets[i].last);
    buf_fini(&t->select);
    buf_fini(&t->load);
    buf_fini(&t->load_in);
    buf_fini(&t->load_out);
    if (t->image)
        image_fini(t->image);
    free(t->image);
    free(t->cells);
    free(t->columns);
    free(t->plain);
    free(t->sent);
    free(t->targets);
}

/* --- rows behind a key --- */

bool
copy_table_select(const struct copy_table *t, struct span last, uint64_t limit, struct buf *out)
{
    buf_append_span(out, buf_unread(&t->select));
    if (last.len > 0) {
        buf_append_text(out, " WHERE ");
        if (!copy_key_behind(t->t, last, out))
            return false;
    }
    if (t->ordered) {
        buf_append_text(out, " ORDER BY ");
        copy_key_columns(t->t, out);
    }
    if (limit > 0)
        buf_printf(out, " LIMIT %llu", (unsigned long long)limit);
    return true;
}

int
copy_table_order(const struct copy_table *t, struct span a, struct span b)
{
    for (unsigned i = 0; i < t->t->n_primary; i++) {
        struct span x, y;
        int         order;

        if (!copy_key_take(&a, &x) || !copy_key_take(&b, &y))
            return 0;
        order = copy_order(&t->t->before->columns[t->t->primary[i]], x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

void
copy_table_key(const struct copy_table *t, MYSQL_ROW row, const unsigned long *lengths,
               struct buf *out)
{
    buf_clear(out);
    for (unsigned i = 0; i < t->t->n_primary; i++) {
        uint32_t field = t->primary[i];

        copy_key_append(out, (struct span){ (const uint8_t *)row[field], lengths[field] });
    }
}
