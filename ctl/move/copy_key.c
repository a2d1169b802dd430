/* copy_key.c - see copy_key.h. */
#include "ctl/move/copy_key.h"

#include "ctl/move/sets.h"

void
copy_key_append(struct buf *out, struct span text)
{
    buf_printf(out, "%zu:", text.len);
    buf_append_span(out, text);
}

bool
copy_key_take(struct span *key, struct span *text)
{
    size_t len = 0, at = 0;

    while (at < key->len && at < 9 && key->ptr[at] >= '0' && key->ptr[at] <= '9')
        len = len * 10 + (size_t)(key->ptr[at++] - '0');
    if (at == 0 || at == key->len || key->ptr[at] != ':' || key->len - at - 1 < len)
        return false;
    *text = (struct span){ key->ptr + at + 1, len };
    *key  = span_from(*key, at + 1 + len);
    return true;
}

/* --- in SQL --- */

static const struct route_column *
column_of(const struct move_table *t, unsigned i)
{
    return &t->before->columns[t->primary[i]];
}

static bool
append_compare(const struct move_table *t, unsigned i, const char *operator, struct span text,
               struct buf *out)
{
    const struct route_column *column = column_of(t, i);
    struct key_value value = { .kind = KEY_VALUE_STRING, .bytes = text,
                               .collation = column->collation };

    server_quote_span(out, column->name);
    buf_append_text(out, operator);
    return sets_literal(out, column, &value);
}

/* a >= 1 AND (a > 1 OR (b >= 2 AND (b > 2 OR c > 3))): a range that the server finds in the
 * index at once, which it does not for (a, b, c) > (1, 2, 3). */
static bool
append_behind(const struct move_table *t, unsigned i, struct span key, struct buf *out)
{
    struct span text;

    if (!copy_key_take(&key, &text))
        return false;
    if (i + 1 == t->n_primary)
        return key.len == 0 && append_compare(t, i, " > ", text, out);
    if (!append_compare(t, i, " >= ", text, out))
        return false;
    buf_append_text(out, " AND (");
    if (!append_compare(t, i, " > ", text, out))
        return false;
    buf_append_text(out, " OR (");
    if (!append_behind(t, i + 1, key, out))
        return false;
    buf_append_text(out, "))");
    return true;
}

bool
copy_key_behind(const struct move_table *t, struct span key, struct buf *out)
{
    return append_behind(t, 0, key, out);
}

void
copy_key_columns(const struct move_table *t, struct buf *out)
{
    for (unsigned i = 0; i < t->n_primary; i++) {
        buf_append_text(out, i ? "," : "");
        server_quote_span(out, column_of(t, i)->name);
    }
}
