/* change_text.c - see change_text.h. */
#include "core/route/change_text.h"

#include "core/mysql/literal.h"
#include "core/route/change_value.h"

enum {
    KEYS_MAX   = 500,     /* of one UPDATE or DELETE */
    ROWS_MAX   = 1000,    /* of one INSERT */
    BYTES_MAX  = 1 << 20,
    GROUP_BY   = 3,       /* columns that bring rows with the same values together */
};

/* ---- tables ---- */

static bool
has_column(const struct gather_key *k, uint32_t column)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->columns[i] == column)
            return true;
    return false;
}

static void
note_written(struct change_table *t)
{
    const struct gather_definition *d = t->copy->definition;

    for (uint32_t i = 0; i < t->target->n_columns; i++)
        t->written[t->target->columns[i]] = true;
    for (uint32_t i = 0; i < d->n_columns; i++)
        t->written[i] |= d->columns[i].on_update && !t->table->columns[i].generated;
    for (uint32_t k = 0; k < d->n_keys; k++)
        for (uint32_t i = 0; i < d->n_columns; i++)
            t->moves |= t->written[i] && has_column(&d->keys[k], i);
    if (t->table->key != ROUTES_NONE)
        t->moves |= t->written[t->table->key];
}

/* Of the values that a row gets: what is assigned; all of it where it may move. */
static bool
is_sent(const struct change_table *t, uint32_t column)
{
    return !t->table->columns[column].generated && (t->moves || t->written[column]);
}

bool
change_table_init(struct arena *a, struct change_table *t, struct err *err)
{
    const struct gather_definition *d = t->copy->definition;

    t->written = arena_alloc(a, d->n_columns * sizeof(*t->written));
    t->n_cells = t->target->n_columns;
    if (t->verb == CHANGE_INSERT) {
        t->n_cells += t->n_cells == 0; /* an empty row is asked for as a number */
        return true;
    }
    for (uint32_t i = 0; i < d->n_keys; i++)
        if (d->keys[i].primary)
            t->primary = &d->keys[i];
    if (t->primary == NULL)
        return err_set(err, "table %.*s has no primary key, by which its rows could be named",
                       (int)t->table->name.len, t->table->name.ptr);
    t->n_cells = t->primary->n;
    if (t->verb == CHANGE_DELETE)
        return true;
    note_written(t);
    t->n_cells += t->moves;
    for (uint32_t i = 0; i < d->n_columns; i++)
        t->n_cells += is_sent(t, i);
    return true;
}

/* A column by which a row is found, or may not meet another. */
static bool
is_key(const struct change_table *t, uint32_t column)
{
    const struct gather_definition *d = t->copy->definition;

    for (uint32_t k = 0; k < d->n_keys; k++)
        if (has_column(&d->keys[k], column))
            return true;
    return column == t->table->key;
}

const bool *
change_before(struct arena *a, const struct change_table *t)
{
    uint32_t n      = t->copy->definition->n_columns;
    bool    *wanted = arena_alloc(a, n * sizeof(*wanted));

    for (uint32_t i = 0; i < n; i++)
        wanted[i] = is_key(t, i) || t->written[i];
    return wanted;
}

/* ---- what is asked ---- */

static void
put_name(const struct change_table *t, struct buf *out)
{
    literal_identifier(out, t->copy->schema);
    buf_append_byte(out, '.');
    literal_identifier(out, t->copy->name);
}

static void
put_joined(const struct change_table *t, const char *words, struct buf *out)
{
    buf_append_text(out, " FROM ");
    gather_before_name(t->copy, out);
    buf_printf(out, " b %s ", words);
    put_name(t, out);
    buf_append_text(out, " a ON a.");
    gather_number_name(t->copy, out);
    buf_append_text(out, " = b.");
    gather_number_name(t->copy, out);
}

static void
put_primary(const struct change_table *t, struct buf *out)
{
    for (uint32_t i = 0; i < t->primary->n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        change_put_value(t, "b.", t->primary->columns[i], out);
    }
}

static void
put_same(const struct change_table *t, uint32_t column, uint32_t n, struct buf *out)
{
    if (n > 0)
        buf_append_text(out, " AND ");
    change_put_bytes(t, "a.", column, out);
    buf_append_text(out, " <=> ");
    change_put_bytes(t, "b.", column, out);
}

static void
ask_updated(const struct change_table *t, struct buf *out)
{
    uint32_t all = t->copy->definition->n_columns, n = 0;

    put_primary(t, out);
    if (t->moves) {
        buf_append_text(out, ",(");
        for (uint32_t i = 0; i < all; i++)
            if (is_key(t, i))
                put_same(t, i, n++, out);
        buf_append_byte(out, ')');
    }
    for (uint32_t i = 0; i < all; i++)
        if (is_sent(t, i)) {
            buf_append_byte(out, ',');
            change_put_value(t, "a.", i, out);
        }
    put_joined(t, "JOIN", out);
    buf_append_text(out, " WHERE NOT (");
    n = 0;
    for (uint32_t i = 0; i < all; i++)
        if (t->written[i])
            put_same(t, i, n++, out);
    buf_append_text(out, ") ORDER BY ");
    n = 0;
    for (uint32_t i = 0; i < all && !t->moves && n < GROUP_BY; i++)
        if (t->written[i]) {
            change_put_bytes(t, "a.", i, out);
            buf_append_text(out, ", ");
            n++;
        }
    buf_append_text(out, "b.");
    gather_number_name(t->copy, out);
}

static void
ask_inserted(const struct change_table *t, uint64_t n_before, struct buf *out)
{
    for (uint32_t i = 0; i < t->target->n_columns; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        change_put_value(t, "a.", t->target->columns[i], out);
    }
    if (t->target->n_columns == 0)
        buf_append_byte(out, '1');
    buf_append_text(out, " FROM ");
    put_name(t, out);
    buf_append_text(out, " a WHERE a.");
    gather_number_name(t->copy, out);
    buf_printf(out, " > %llu ORDER BY a.", (unsigned long long)n_before);
    gather_number_name(t->copy, out);
}

void
change_select_text(const struct change_table *t, uint64_t n_before, struct buf *out)
{
    buf_append_text(out, "SET STATEMENT sql_select_limit=18446744073709551615 FOR SELECT ");
    switch (t->verb) {
    case CHANGE_UPDATE: ask_updated(t, out); break;
    case CHANGE_INSERT: ask_inserted(t, n_before, out); break;
    case CHANGE_DELETE:
        put_primary(t, out);
        put_joined(t, "LEFT JOIN", out);
        buf_append_text(out, " WHERE a.");
        gather_number_name(t->copy, out);
        buf_append_text(out, " IS NULL ORDER BY b.");
        gather_number_name(t->copy, out);
        break;
    }
}

/* ---- what is said ---- */

static void
emit(struct change_writer *w, struct buf *text, uint64_t rows, bool again)
{
    w->emit(w->context, buf_unread(text), rows, again);
    buf_clear(text);
}

/* " WHERE `k` IN (1,2) AND (`k`,`l`) IN ((1,5),(2,6))" */
static void
put_where(const struct change_writer *w, struct buf *out)
{
    const struct change_table *t   = w->t;
    uint32_t                   key = t->table->key;
    bool                       row = t->primary->n > 1;

    buf_append_text(out, " WHERE ");
    if (row && key != ROUTES_NONE) {
        change_put_column(t, "", key, out);
        buf_append_text(out, " IN (");
        buf_append_span(out, buf_unread(&w->keys));
        buf_append_text(out, ") AND ");
    }
    if (row)
        buf_append_byte(out, '(');
    for (uint32_t i = 0; i < t->primary->n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        change_put_column(t, "", t->primary->columns[i], out);
    }
    if (row)
        buf_append_byte(out, ')');
    buf_append_text(out, " IN (");
    buf_append_span(out, buf_unread(&w->tuples));
    buf_append_byte(out, ')');
}

static void
flush_rows(struct change_writer *w)
{
    struct buf text = { 0 };

    if (w->n == 0)
        return;
    buf_append_text(&text, buf_len(&w->set) != 0 ? "UPDATE " : "DELETE FROM ");
    put_name(w->t, &text);
    buf_append_span(&text, buf_unread(&w->set));
    put_where(w, &text);
    emit(w, &text, w->n, false);
    buf_fini(&text);
    buf_clear(&w->keys);
    buf_clear(&w->tuples);
    w->n = 0;
}

static bool
add_primary(struct change_writer *w, const struct cell *cells, struct err *err)
{
    const struct change_table *t   = w->t;
    bool                       row = t->primary->n > 1;

    if (w->n > 0) {
        buf_append_byte(&w->keys, ',');
        buf_append_byte(&w->tuples, ',');
    }
    if (row)
        buf_append_byte(&w->tuples, '(');
    for (uint32_t i = 0; i < t->primary->n; i++) {
        uint32_t column = t->primary->columns[i];
        if (i > 0)
            buf_append_byte(&w->tuples, ',');
        if (!change_put_literal(t, column, cells[i], &w->tuples, err))
            return false;
        if (column == t->table->key && !change_put_literal(t, column, cells[i], &w->keys, err))
            return false;
    }
    if (row)
        buf_append_byte(&w->tuples, ')');
    if (++w->n == KEYS_MAX || buf_len(&w->tuples) > BYTES_MAX)
        flush_rows(w);
    return true;
}

static void
flush_inserts(struct change_writer *w, struct buf *text, bool again)
{
    if (w->n_moved == 0)
        return;
    buf_append_span(text, w->tail);
    emit(w, text, w->n_moved, again);
    w->n_moved = 0;
}

static void
begin_insert(struct change_writer *w, struct buf *text)
{
    const struct change_table *t = w->t;
    uint32_t                   n = 0;

    if (t->verb == CHANGE_INSERT) {
        buf_append_span(text, w->head);
        return;
    }
    buf_append_text(text, "INSERT INTO ");
    put_name(t, text);
    for (uint32_t i = 0; i < t->table->n_columns; i++)
        if (is_sent(t, i)) {
            buf_append_text(text, n++ == 0 ? " (" : ",");
            change_put_column(t, "", i, text);
        }
    buf_append_text(text, ") VALUES ");
}

static bool
add_insert(struct change_writer *w, const struct cell *cells, struct err *err)
{
    const struct change_table *t    = w->t;
    struct buf                *text = &w->inserts;
    uint32_t                   at   = 0;
    bool                       own  = t->verb == CHANGE_INSERT;

    if (w->n_moved == 0)
        begin_insert(w, text);
    buf_append_byte(text, w->n_moved > 0 ? ',' : ' ');
    buf_append_byte(text, '(');
    for (uint32_t i = 0; i < (own ? t->target->n_columns : t->table->n_columns); i++) {
        uint32_t column = own ? t->target->columns[i] : i;
        if (!own && !is_sent(t, column))
            continue;
        if (at > 0)
            buf_append_byte(text, ',');
        if (!change_put_literal(t, column, cells[at++], text, err))
            return false;
    }
    buf_append_byte(text, ')');
    w->n_moved++;
    if (!w->whole && (w->n_moved == ROWS_MAX || buf_len(text) > BYTES_MAX))
        flush_inserts(w, text, !own);
    return true;
}

static bool
is_one(struct cell cell)
{
    return !cell.is_null && cell.bytes.len == 1 && cell.bytes.ptr[0] == '1';
}

static bool
add_update(struct change_writer *w, const struct cell *cells, struct err *err)
{
    const struct change_table *t     = w->t;
    struct buf                 set   = { 0 };
    uint32_t                   at    = t->primary->n + t->moves, n = 0;
    bool                       moves = t->moves && !is_one(cells[t->primary->n]);

    for (uint32_t i = 0; i < t->table->n_columns && !moves; i++) {
        if (!is_sent(t, i))
            continue;
        struct cell cell = cells[at++];
        if (!t->written[i])
            continue;
        buf_append_text(&set, n++ == 0 ? " SET " : ",");
        change_put_column(t, "", i, &set);
        buf_append_byte(&set, '=');
        if (!change_put_literal(t, i, cell, &set, err)) {
            buf_fini(&set);
            return false;
        }
    }
    if (!span_equal(buf_unread(&set), buf_unread(&w->set)))
        flush_rows(w);
    buf_clear(&w->set);
    buf_append_span(&w->set, buf_unread(&set));
    buf_fini(&set);
    return add_primary(w, cells, err) &&
           (!moves || add_insert(w, cells + t->primary->n + 1, err));
}

bool
change_row(struct change_writer *w, const struct cell *cells, struct err *err)
{
    switch (w->t->verb) {
    case CHANGE_INSERT: return add_insert(w, cells, err);
    case CHANGE_UPDATE: return add_update(w, cells, err);
    case CHANGE_DELETE: break;
    }
    return add_primary(w, cells, err);
}

void
change_end(struct change_writer *w)
{
    flush_rows(w);
    flush_inserts(w, &w->inserts, w->t->verb != CHANGE_INSERT);
}

void
change_writer_fini(struct change_writer *w)
{
    buf_fini(&w->set);
    buf_fini(&w->keys);
    buf_fini(&w->tuples);
    buf_fini(&w->inserts);
}
