/* change_case.c - see change_case.h. */
#include "core/route/change_case.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/memory.h"

/* As literals are written: see change_value.c. */
enum literal_kind { LITERAL_NULL, LITERAL_NUMBER, LITERAL_REAL, LITERAL_QUOTED, LITERAL_UTF8,
                    LITERAL_BYTES, LITERAL_OTHER };

static enum literal_kind
kind_of(struct span s)
{
    if (span_equal(s, SPAN("NULL")))
        return LITERAL_NULL;
    if (s.len == 0)
        return LITERAL_OTHER;
    if (s.ptr[0] == '\'')
        return LITERAL_QUOTED;
    if (s.ptr[0] == '_')
        return LITERAL_UTF8;
    if (s.ptr[0] == 'x')
        return LITERAL_BYTES;
    if (s.ptr[0] != '-' && (s.ptr[0] < '0' || s.ptr[0] > '9'))
        return LITERAL_OTHER;
    return memchr(s.ptr, 'e', s.len) != NULL ? LITERAL_REAL : LITERAL_NUMBER;
}

/* The type of a CASE of such literals holds every one of them, and the column stores it as it
 * stores the literal. */
static bool
mixes(enum column_type type)
{
    switch (type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_DOUBLE:
    case COLUMN_DATE: case COLUMN_TIME: case COLUMN_DATETIME:
    case COLUMN_CHAR: case COLUMN_VARCHAR: case COLUMN_TEXT:
    case COLUMN_BINARY: case COLUMN_VARBINARY: case COLUMN_BLOB:
        return true;
    case COLUMN_BIT: case COLUMN_FLOAT: case COLUMN_YEAR: case COLUMN_TIMESTAMP:
    case COLUMN_UUID: case COLUMN_INET4: case COLUMN_INET6:
    case COLUMN_ENUM: case COLUMN_SET: case COLUMN_JSON: case COLUMN_GEOMETRY:
    case COLUMN_OTHER:
        break;
    }
    return false;
}

static bool
fits(const struct case_column *c, const struct case_value *v)
{
    enum literal_kind kind = kind_of(v->literal), other = kind_of(buf_unread(&c->literal));

    if (span_equal(v->literal, buf_unread(&c->first)) && !c->differs)
        return true;
    if (!mixes(v->type) || kind == LITERAL_OTHER)
        return false;
    return kind == LITERAL_NULL || buf_len(&c->literal) == 0 || kind == other;
}

static void
begin(struct change_cases *c, uint32_t n)
{
    if (c->columns == NULL) {
        c->columns   = mem_alloc(n * sizeof(*c->columns));
        c->n_columns = n;
    }
}

static void
add(struct case_column *c, const struct case_value *v, struct span primary, struct span tuples,
    bool first)
{
    if (first)
        buf_append_span(&c->first, v->literal);
    else
        c->differs |= !span_equal(v->literal, buf_unread(&c->first));
    if (buf_len(&c->literal) == 0 && kind_of(v->literal) != LITERAL_NULL)
        buf_append_span(&c->literal, v->literal);
    buf_append_text(&c->cases, " WHEN ");
    buf_append_span(&c->cases, primary);
    buf_append_text(&c->cases, " IN (");
    buf_append_span(&c->cases, tuples);
    buf_append_text(&c->cases, ") THEN ");
    buf_append_span(&c->cases, v->literal);
}

bool
change_cases_add(struct change_cases *c, const struct case_value *values, uint32_t n,
                 struct span primary, struct span keys, struct span tuples, uint32_t n_rows)
{
    bool first = c->n_rows == 0;

    begin(c, n);
    assert(n == c->n_columns);
    for (uint32_t i = 0; i < n && !first; i++)
        if (!fits(&c->columns[i], &values[i]))
            return false;
    for (uint32_t i = 0; i < n; i++)
        add(&c->columns[i], &values[i], primary, tuples, first);
    if (!first) {
        buf_append_byte(&c->tuples, ',');
        if (keys.len != 0)
            buf_append_byte(&c->keys, ',');
    }
    buf_append_span(&c->tuples, tuples);
    buf_append_span(&c->keys, keys);
    c->n_rows += n_rows;
    return true;
}

void
change_cases_set(const struct change_cases *c, const struct case_value *values, struct buf *out)
{
    for (uint32_t i = 0; i < c->n_columns; i++) {
        const struct case_column *column = &c->columns[i];

        buf_append_text(out, i == 0 ? " SET " : ",");
        buf_append_span(out, values[i].name);
        buf_append_byte(out, '=');
        if (!column->differs) {
            buf_append_span(out, buf_unread(&column->first));
            continue;
        }
        buf_append_text(out, "CASE");
        buf_append_span(out, buf_unread(&column->cases));
        buf_append_text(out, " END");
    }
}

size_t
change_cases_bytes(const struct change_cases *c)
{
    size_t n = buf_len(&c->tuples);

    for (uint32_t i = 0; i < c->n_columns; i++)
        n += buf_len(&c->columns[i].cases);
    return n;
}

void
change_cases_clear(struct change_cases *c)
{
    for (uint32_t i = 0; i < c->n_columns; i++) {
        buf_clear(&c->columns[i].cases);
        buf_clear(&c->columns[i].literal);
        buf_clear(&c->columns[i].first);
        c->columns[i].differs = false;
    }
    buf_clear(&c->keys);
    buf_clear(&c->tuples);
    c->n_rows = 0;
}

void
change_cases_fini(struct change_cases *c)
{
    for (uint32_t i = 0; i < c->n_columns; i++) {
        buf_fini(&c->columns[i].cases);
        buf_fini(&c->columns[i].literal);
        buf_fini(&c->columns[i].first);
    }
    free(c->columns);
    buf_fini(&c->keys);
    buf_fini(&c->tuples);
    *c = (struct change_cases){ 0 };
}
