/* change_text.c - see change_text.h. */
#include "core/route/change_text.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/route/change_value.h"
#include "core/route/latin1.h"

enum {
    KEYS_MAX   = 500,     /* of one UPDATE or DELETE */
    ROWS_MAX   = 1000,    /* of one INSERT */
    BYTES_MAX  = 1 << 20,
    CASES_MAX  = 100,     /* rows of one UPDATE ... CASE */
    CASES_EACH = 8,       /* rows with the same values that are put among others */
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
    if (t->target->zero != ROUTES_NONE && !has_column(t->primary, t->target->zero))
        return err_set(err, "the AUTO_INCREMENT column of table %.*s is not in its primary key, so "
                            "ON DUPLICATE KEY UPDATE may name the table's own columns only",
                       (int)t->table->name.len, t->table->name.ptr);
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

/* "`id`" or "(`a`,`b`)" */
static void
put_primary_names(const struct change_table *t, struct buf *out)
{
    bool row = t->primary->n > 1;

    if (row)
        buf_append_byte(out, '(');
    for (uint32_t i = 0; i < t->primary->n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        change_put_column(t, "", t->primary->columns[i], out);
    }
    if (row)
        buf_append_byte(out, ')');
}

/* " WHERE `k` IN (1,2) AND (`k`,`l`) IN ((1,5),(2,6))" */
static void
put_where(const struct change_writer *w, struct span keys, struct span tuples, struct buf *out)
{
    const struct change_table *t   = w->t;
    uint32_t                   key = t->table->key;

    buf_append_text(out, " WHERE ");
    if (t->primary->n > 1 && key != ROUTES_NONE) {
        change_put_column(t, "", key, out);
        buf_append_text(out, " IN (");
        buf_append_span(out, keys);
        buf_append_text(out, ") AND ");
    }
    put_primary_names(t, out);
    buf_append_text(out, " IN (");
    buf_append_span(out, tuples);
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
    put_where(w, buf_unread(&w->keys), buf_unread(&w->tuples), &text);
    emit(w, &text, w->n, false);
    buf_fini(&text);
    buf_clear(&w->keys);
    buf_clear(&w->tuples);
    w->n = 0;
}

static void
flush_cases(struct change_writer *w)
{
    struct change_cases *c    = &w->cases;
    struct buf           text = { 0 };

    if (c->n_rows == 0)
        return;
    buf_append_text(&text, "UPDATE ");
    put_name(w->t, &text);
    change_cases_set(c, w->values, &text);
    put_where(w, buf_unread(&c->keys), buf_unread(&c->tuples), &text);
    emit(w, &text, c->n_rows, false);
    buf_fini(&text);
    change_cases_clear(c);
}

static bool
add_cases(struct change_writer *w, struct span primary)
{
    return change_cases_add(&w->cases, w->values, w->n_values, primary, buf_unread(&w->keys),
                            buf_unread(&w->tuples), w->n);
}

/* The rows that get what `set` says are all there: few of them wait for others. */
static void
end_group(struct change_writer *w)
{
    struct buf primary = { 0 };

    if (w->n == 0 || w->n > CASES_EACH || buf_len(&w->set) == 0) {
        flush_rows(w);
        return;
    }
    put_primary_names(w->t, &primary);
    bool taken = add_cases(w, buf_unread(&primary));
    if (!taken) {
        flush_cases(w);
        taken = add_cases(w, buf_unread(&primary));
    }
    buf_fini(&primary);
    assert(taken);
    buf_clear(&w->keys);
    buf_clear(&w->tuples);
    w->n = 0;
    if (w->cases.n_rows >= CASES_MAX || change_cases_bytes(&w->cases) > BYTES_MAX)
        flush_cases(w);
}

/* (a, b) IN ((...), (...)) finds no letter beyond ASCII when the column's character set is latin1
 * and the text's is not: so it is said in the column's. A text in another set's words than its
 * own, as by CONVERT, would have a collation of its own too. */
static bool
put_key(const struct change_table *t, uint32_t column, struct cell cell, struct buf *out,
        struct err *err)
{
    const struct route_column *c      = &t->table->columns[column];
    bool                       latin1 = t->primary->n > 1 && !cell.is_null &&
                  latin1_is(c->collation) &&
                  (c->type == COLUMN_CHAR || c->type == COLUMN_VARCHAR || c->type == COLUMN_TEXT) &&
                  !span_is_ascii(cell.bytes);
    struct buf own = { 0 };
    bool       ok  = latin1 && latin1_of_utf8(cell.bytes, &own);
    if (ok)
        buf_append_hex_literal(out, "_latin1 ", buf_unread(&own));
    buf_fini(&own);
    return ok || change_put_literal(t, column, cell, out, err);
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
        if (!put_key(t, column, cells[i], &w->tuples, err))
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
    if (w->n_numbers != 0)
        emit(w, &w->numbers, 0, again);
    buf_append_span(text, w->tail);
    emit(w, text, w->n_moved, again);
    w->n_moved   = 0;
    w->n_numbers = 0;
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

/* The next one of a sequence. */
static bool
put_number(struct change_writer *w, struct span call, struct buf *text, struct err *err)
{
    if (w->n_numbers == CHANGE_NUMBERS_MAX)
        return err_set(err, "RETURNING cannot be said of more than %d numbers of a sequence",
                       CHANGE_NUMBERS_MAX);
    buf_append_text(&w->numbers, w->n_numbers == 0 ? "SELECT " : ", ");
    buf_append_span(&w->numbers, call);
    w->holes[w->n_numbers++] = (uint32_t)buf_len(text);
    return true;
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
        if (!own && !change_check_moved(t, column, cells[at], err))
            return false;
        if (at > 0)
            buf_append_byte(text, ',');
        if (own && t->target->numbers != NULL && t->target->numbers[i].len != 0) {
            if (!put_number(w, t->target->numbers[i], text, err))
                return false;
            at++;
        } else if (!change_put_literal(t, column, cells[at++], text, err)) {
            return false;
        }
    }
    buf_append_byte(text, ')');
    w->n_moved++;
    bool full = w->n_numbers != 0 && w->n_numbers + t->n_cells > CHANGE_NUMBERS_MAX;
    if (!w->whole && (w->n_moved == ROWS_MAX || full || buf_len(text) > BYTES_MAX))
        flush_inserts(w, text, !own);
    return true;
}

static bool
check_zero(const struct change_table *t, const struct cell *cells, struct err *err)
{
    bool     inserts = t->verb == CHANGE_INSERT;
    uint32_t n       = inserts ? t->target->n_columns : t->primary->n;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t column = inserts ? t->target->columns[i] : t->primary->columns[i];
        if (!change_check_zero(t, column, cells[i], err))
            return false;
    }
    return true;
}

static bool
is_one(struct cell cell)
{
    return !cell.is_null && cell.bytes.len == 1 && cell.bytes.ptr[0] == '1';
}

/* Where the literals stand in the text; made into values when it is known that it stays. */
struct assigned {
    uint32_t column, start, end;
};

static bool
put_set(const struct change_table *t, const struct cell *cells, struct buf *set,
        struct assigned *list, uint32_t *n, struct err *err)
{
    uint32_t at = t->primary->n + t->moves;

    for (uint32_t i = 0; i < t->table->n_columns; i++) {
        if (!is_sent(t, i))
            continue;
        struct cell cell = cells[at++];
        if (!t->written[i])
            continue;
        buf_append_text(set, *n == 0 ? " SET " : ",");
        change_put_column(t, "", i, set);
        buf_append_byte(set, '=');
        uint32_t start = (uint32_t)buf_len(set);
        if (!change_put_literal(t, i, cell, set, err))
            return false;
        list[(*n)++] = (struct assigned){ i, start, (uint32_t)buf_len(set) };
    }
    return true;
}

static void
name_values(struct change_writer *w, const struct assigned *list, uint32_t n)
{
    size_t at = 0;

    w->values   = mem_alloc((n + 1) * sizeof(*w->values));
    w->n_values = n;
    for (uint32_t i = 0; i < n; i++)
        change_put_column(w->t, "", list[i].column, &w->names);
    for (uint32_t i = 0; i < n; i++) {
        struct buf name = { 0 };
        change_put_column(w->t, "", list[i].column, &name);
        w->values[i].type = w->t->table->columns[list[i].column].type;
        w->values[i].name = (struct span){ buf_unread(&w->names).ptr + at, buf_len(&name) };
        at += buf_len(&name);
        buf_fini(&name);
    }
}

/* From here on rows get this. */
static void
begin_group(struct change_writer *w, const struct buf *set, const struct assigned *list, uint32_t n)
{
    buf_clear(&w->set);
    buf_append_span(&w->set, buf_unread(set));
    if (n != 0 && w->values == NULL)
        name_values(w, list, n);
    for (uint32_t i = 0; i < n; i++)
        w->values[i].literal = (struct span){ buf_unread(&w->set).ptr + list[i].start,
                                              list[i].end - list[i].start };
}

static bool
add_update(struct change_writer *w, const struct cell *cells, struct err *err)
{
    const struct change_table *t     = w->t;
    struct buf                 set   = { 0 };
    struct assigned           *list  = mem_alloc((t->table->n_columns + 1) * sizeof(*list));
    uint32_t                   n     = 0;
    bool                       moves = t->moves && !is_one(cells[t->primary->n]);
    bool                       ok    = check_zero(t, cells, err) &&
              (moves || put_set(t, cells, &set, list, &n, err));

    if (ok && !span_equal(buf_unread(&set), buf_unread(&w->set))) {
        end_group(w);
        begin_group(w, &set, list, n);
    }
    buf_fini(&set);
    free(list);
    return ok && add_primary(w, cells, err) &&
           (!moves || add_insert(w, cells + t->primary->n + 1, err));
}

bool
change_row(struct change_writer *w, const struct cell *cells, struct err *err)
{
    switch (w->t->verb) {
    case CHANGE_INSERT: return check_zero(w->t, cells, err) && add_insert(w, cells, err);
    case CHANGE_UPDATE: return add_update(w, cells, err);
    case CHANGE_DELETE: break;
    }
    return add_primary(w, cells, err);
}

void
change_end(struct change_writer *w)
{
    end_group(w);
    flush_cases(w);
    flush_inserts(w, &w->inserts, w->t->verb != CHANGE_INSERT);
}

void
change_writer_fini(struct change_writer *w)
{
    buf_fini(&w->set);
    buf_fini(&w->keys);
    buf_fini(&w->tuples);
    buf_fini(&w->names);
    free(w->values);
    change_cases_fini(&w->cases);
    buf_fini(&w->inserts);
    buf_fini(&w->numbers);
}
