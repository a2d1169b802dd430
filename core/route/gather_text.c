/* gather_text.c - see gather_define.h: what the engine and the shards are told. */
#include "core/route/gather_define.h"

#include "core/mysql/literal.h"
#include "core/mysql/load_line.h"
#include "core/sql/charset.h"

enum {
    KEY_BYTES_MAX = 1000, /* of a key that every engine takes; above: of so many characters */
    KEY_PREFIX    = 191,
};

static const struct gather_column *
column_at(const struct gather_copy *c, uint32_t i)
{
    return &c->definition->columns[c->columns[i]];
}

static void
put_table(const struct gather_copy *c, struct buf *out)
{
    literal_identifier(out, c->schema);
    buf_append_byte(out, '.');
    literal_identifier(out, c->name);
}

uint32_t
gather_width(const struct gather_copy *c)
{
    uint32_t width = 1 + (c->n + 7) / 8;

    for (uint32_t i = 0; i < c->n; i++) {
        if (column_at(c, i)->is_blob)
            return 0;
        width += column_at(c, i)->width;
    }
    return width;
}

enum gather_engine
gather_disk_engine(const struct gather_copy *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (column_at(c, i)->is_bits)
            return GATHER_INNODB;
    return GATHER_ARIA;
}

/* A table must have a column that is visible. */
static bool
has_visible(const struct gather_copy *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (!column_at(c, i)->invisible)
            return true;
    return false;
}

static void
put_column(const struct gather_copy *c, uint32_t i, bool may_hide, struct buf *out)
{
    const struct gather_column *column   = column_at(c, i);
    bool                        optional = c->optional != NULL && c->optional[i];

    literal_identifier(out, column->name);
    buf_append_byte(out, ' ');
    buf_append_span(out, column->type);
    if (column->not_null && !optional)
        buf_append_text(out, " NOT NULL");
    else
        buf_append_text(out, " NULL");
    if (column->invisible && may_hide)
        buf_append_text(out, " INVISIBLE");
    if (!optional || !column->auto_increment)
        buf_append_span(out, column->ending);
    if (c->computes && column->computed.len != 0) {
        buf_append_text(out, " DEFAULT (");
        buf_append_span(out, column->computed);
        buf_append_byte(out, ')');
    }
    if (column->json) {
        buf_append_text(out, " CHECK (json_valid(");
        literal_identifier(out, column->name);
        buf_append_text(out, "))");
    }
}

static void
put_key(const struct gather_column *column, struct buf *out)
{
    if (column->is_blob)
        return;
    buf_append_text(out, ", KEY (");
    literal_identifier(out, column->name);
    if (column->width > KEY_BYTES_MAX)
        buf_printf(out, "(%d)", KEY_PREFIX);
    buf_append_byte(out, ')');
}

static const char *
words_of(enum gather_engine engine)
{
    switch (engine) {
    case GATHER_MEMORY: return "ENGINE=MEMORY";
    case GATHER_ARIA:   return "ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC";
    case GATHER_INNODB: return "ENGINE=InnoDB";
    }
    __builtin_unreachable();
}

void
gather_number_name(const struct gather_copy *c, struct buf *out)
{
    buf_printf(out, "`shardd row %u`", c->number);
}

void
gather_before_name(const struct gather_copy *c, struct buf *out)
{
    literal_identifier(out, c->schema);
    buf_printf(out, ".`shardd before %u`", c->number);
}

/* A number that is not given yet is NULL, which a primary key does not take. */
static void
put_own_key(const struct gather_copy *c, const struct gather_key *key, struct buf *out)
{
    bool nulls = false;

    for (uint32_t i = 0; i < key->n; i++)
        nulls = nulls || (c->optional != NULL && c->optional[key->columns[i]]);
    if (!nulls || !key->primary) {
        buf_append_span(out, key->text);
        return;
    }
    buf_append_text(out, "UNIQUE `shardd primary` (");
    for (uint32_t i = 0; i < key->n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        literal_identifier(out, c->definition->columns[key->columns[i]].name);
    }
    buf_append_byte(out, ')');
}

/* The number, and the table's own keys. */
static void
put_own(const struct gather_copy *c, struct buf *out)
{
    if (!c->numbered)
        return;
    buf_append_text(out, ", ");
    gather_number_name(c, out);
    buf_append_text(out, " BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE, KEY (");
    gather_number_name(c, out);
    buf_append_byte(out, ')');
    for (uint32_t i = 0; c->unique && i < c->definition->n_keys; i++) {
        buf_append_text(out, ", ");
        put_own_key(c, &c->definition->keys[i], out);
    }
}

void
gather_before_text(const struct gather_copy *c, const bool *columns, struct buf *out)
{
    buf_append_text(out, "CREATE TEMPORARY TABLE ");
    gather_before_name(c, out);
    buf_append_text(out, " (PRIMARY KEY (");
    gather_number_name(c, out);
    buf_printf(out, ")) %s SELECT ", words_of(gather_disk_engine(c)));
    gather_number_name(c, out);
    for (uint32_t i = 0; i < c->definition->n_columns; i++)
        if (columns[i]) {
            buf_append_byte(out, ',');
            literal_identifier(out, c->definition->columns[i].name);
        }
    buf_append_text(out, " FROM ");
    put_table(c, out);
}

void
gather_create_text(const struct gather_copy *c, enum gather_engine engine, struct buf *out)
{
    bool may_hide = has_visible(c);

    buf_append_text(out, "CREATE TEMPORARY TABLE ");
    put_table(c, out);
    buf_append_text(out, " (");
    for (uint32_t i = 0; i < c->n; i++) {
        if (i > 0)
            buf_append_text(out, ", ");
        put_column(c, i, may_hide, out);
    }
    put_own(c, out);
    if (c->primary) {
        buf_append_text(out, ", ");
        buf_append_span(out, gather_primary(c->definition)->text);
    }
    for (uint32_t i = 0; i < c->n_keys; i++)
        put_key(&c->definition->columns[c->keys[i]], out);
    buf_printf(out, ") %s", words_of(engine));
    buf_append_span(out, c->definition->charset);
}

void
gather_spill_text(const struct gather_copy *c, enum gather_engine engine, struct buf *out)
{
    buf_append_text(out, "ALTER TABLE ");
    put_table(c, out);
    buf_printf(out, " %s%s", c->primary ? "DROP PRIMARY KEY, " : "", words_of(engine));
}

const struct gather_key *
gather_primary(const struct gather_definition *d)
{
    for (uint32_t i = 0; i < d->n_keys; i++)
        if (d->keys[i].primary)
            return &d->keys[i];
    return NULL;
}

void
gather_select_text(const struct gather_copy *c, struct buf *out)
{
    buf_append_text(out, "SELECT ");
    for (uint32_t i = 0; i < c->n; i++) {
        const struct gather_column *column = column_at(c, i);
        if (i > 0)
            buf_append_byte(out, ',');
        switch (column->form) {
        case GATHER_PLAIN: literal_identifier(out, column->name); break;
        case GATHER_TEXT:
            buf_append_text(out, "CAST(");
            literal_identifier(out, column->name);
            buf_append_text(out, " AS BINARY)");
            break;
        case GATHER_FLOAT:
            literal_identifier(out, column->name);
            buf_append_text(out, "*1e0");
            break;
        case GATHER_EPOCH:
            buf_append_text(out, "UNIX_TIMESTAMP(");
            literal_identifier(out, column->name);
            buf_append_byte(out, ')');
            break;
        case GATHER_BYTES:
            buf_append_text(out, "CAST(");
            literal_identifier(out, column->name);
            buf_printf(out, " AS BINARY(%u))", column->n_bytes);
            break;
        }
    }
}

/* The columns are named: an invisible one has no place in a line else. */
void
gather_load_text(const struct gather_copy *c, struct buf *out)
{
    buf_append_text(out, "LOAD DATA LOCAL INFILE 'rows' INTO TABLE ");
    put_table(c, out);
    buf_append_text(out, " CHARACTER SET binary " LOAD_LINE_FORMAT " (");
    for (uint32_t i = 0; i < c->n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        literal_identifier(out, column_at(c, i)->name);
    }
    buf_append_byte(out, ')');
}

/* Values are stored as they are, whatever the client's sql_mode says of new ones. */
const char *
gather_neutral(void)
{
    return "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', "
           "time_zone='+00:00', check_constraint_checks=0, max_statement_time=0, "
           "net_read_timeout=31536000, " /* the rows of a slow shard are waited for */
           "character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci, "
           "max_heap_table_size=4294967296";
}

/* A login sets the sets of client, connection and results to its collation's. The client's may
 * be told by a number only where it is that of the set's default collation. */
void
gather_restore_text(uint16_t collation, struct buf *out)
{
    const char *charset = charset_of_collation(collation);

    buf_printf(out, "SET SESSION sql_mode=DEFAULT, time_zone=DEFAULT, "
               "check_constraint_checks=DEFAULT, max_statement_time=DEFAULT, "
               "net_read_timeout=DEFAULT, max_heap_table_size=DEFAULT, "
               "collation_connection=%u, character_set_client=", collation);
    if (charset != NULL)
        buf_append_text(out, charset);
    else
        buf_printf(out, "(SELECT CHARACTER_SET_NAME FROM information_schema.COLLATIONS "
                   "WHERE ID = %u)", collation);
}
