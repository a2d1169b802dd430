/* into.c - see into.h. */
#include "workers/query/into.h"

#include "core/mysql/row.h"
#include "core/mysql/wire.h"
#include "core/sql/charset.h"
#include "workers/query/diagnostics.h"

enum {
    WARN_DEPRECATED = 1287, /* ER_WARN_DEPRECATED_SYNTAX */
    WARN_NO_DATA    = 1329, /* ER_SP_FETCH_NO_DATA */
};

struct into {
    struct query_run *q;
    struct column    *columns; /* [n_columns) */
    uint32_t          n_columns;
    uint64_t          n_rows;
};

static const struct plan *
plan_of(const struct into *i)
{
    return &i->q->plan->plan;
}

/* --- parameters ---------------------------------------------------------- */

static bool
say_params(struct query_run *q)
{
    struct param_value *said = arena_alloc(&q->arena, (q->n_params + 1) * sizeof(*said));

    for (uint32_t i = 0; i < q->n_params; i++) {
        struct buf sql = { 0 };
        if (!query_param_literal(q, &q->params[i], &sql)) {
            buf_fini(&sql);
            return false;
        }
        said[i].bytes = arena_copy(&q->arena, buf_unread(&sql));
        buf_fini(&sql);
    }
    q->params  = said;
    q->command = q->n_params != 0 ? QUERY_NAMED : QUERY_TEXT;
    return true;
}

struct into *
into_new(struct query_run *q)
{
    struct into *i = arena_alloc(&q->arena, sizeof(*i));

    i->q = q;
    if (q->command != QUERY_EXECUTE || say_params(q))
        return i;
    query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a parameter of SELECT ... INTO on several shards "
                 "has a value that cannot be written as SQL");
    return NULL;
}

/* --- values -------------------------------------------------------------- */

static bool
is_in(uint16_t id, struct span charset)
{
    const char *name = charset_of_collation(id);

    return name != NULL && span_equal(charset, span_of(name));
}

static bool
is_plain(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 0x80)
            return false;
    return true;
}

/* What a variable is that gets a value of this type; MYSQL_TYPE_NULL: not known. */
static uint8_t
variable_type(const struct column *c)
{
    switch (c->type) {
    case MYSQL_TYPE_TINY: case MYSQL_TYPE_SHORT: case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: case MYSQL_TYPE_YEAR:
        return MYSQL_TYPE_LONGLONG;
    case MYSQL_TYPE_DOUBLE: return MYSQL_TYPE_DOUBLE;
    case MYSQL_TYPE_DECIMAL: case MYSQL_TYPE_NEWDECIMAL: return MYSQL_TYPE_NEWDECIMAL;
    case MYSQL_TYPE_FLOAT: case MYSQL_TYPE_BIT: case MYSQL_TYPE_GEOMETRY: return MYSQL_TYPE_NULL;
    default: return MYSQL_TYPE_VAR_STRING;
    }
}

static bool
is_temporal(const struct column *c)
{
    switch (c->type) {
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_NEWDATE: case MYSQL_TYPE_TIME: case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return true;
    default: return false;
    }
}

/* Cells as uservars_take() wants them. */
static bool
take_value(const struct into *i, uint32_t n, const struct cell *row, struct column *column,
           struct cell *cells)
{
    const struct into_variable *v       = &plan_of(i)->into[n];
    uint32_t                    visible = plan_of(i)->n_into;
    const struct cell          *charset = &row[visible + (v->charset - MERGE_HIDDEN)];

    *column      = i->columns[n];
    column->type = variable_type(&i->columns[n]);
    cells[0]     = row[n];
    cells[1]     = *charset;
    cells[2]     = row[visible + (v->collation - MERGE_HIDDEN)];
    cells[3]     = row[n];
    if (is_temporal(&i->columns[n])) { /* whatever the functions say of the column */
        cells[1].bytes = SPAN("latin1");
        cells[2].bytes = SPAN("latin1_swedish_ci");
    }
    if (column->type == MYSQL_TYPE_NULL)
        return false;
    return column->type != MYSQL_TYPE_VAR_STRING || row[n].is_null || is_plain(row[n].bytes) ||
           is_in(column->charset, charset->bytes);
}

static bool
refuse_value(const struct into *i, uint32_t n, struct sql_error *error)
{
    struct span name = plan_of(i)->into[n].name;

    return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the value for @%.*s has a type or a "
                         "character set that cannot be kept exactly when it comes from several "
                         "shards: CAST or CONVERT it", (int)name.len, (const char *)name.ptr);
}

static bool
assign(struct into *i, struct span payload, struct sql_error *error)
{
    struct query_run *q       = i->q;
    struct session   *s       = q->s;
    uint32_t          n       = plan_of(i)->n_into;
    struct cell      *row     = arena_alloc(&q->arena, i->n_columns * sizeof(*row));
    struct cell      *cells   = arena_alloc(&q->arena, n * USERVAR_COLUMNS * sizeof(*cells));
    struct column    *columns = arena_alloc(&q->arena, n * USERVAR_COLUMNS * sizeof(*columns));
    struct buf        names   = { 0 };

    if (!row_text_decode(payload, i->n_columns, row))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable row");
    for (uint32_t at = 0; at < n; at++)
        if (!take_value(i, at, row, &columns[at * USERVAR_COLUMNS], &cells[at * USERVAR_COLUMNS]))
            return refuse_value(i, at, error);
    for (uint32_t at = 0; at < n; at++)
        wire_put_lenenc_bytes(&names, plan_of(i)->into[at].name);
    if (s->uservars.owner == 0)
        s->uservars.owner = ++s->ctx->next_uservars;
    bool exact = uservars_take(&s->uservars, buf_unread(&names), columns, cells);
    buf_fini(&names);
    return exact || refuse_value(i, 0, error);
}

bool
into_columns(struct into *i, const struct span *columns, uint32_t n, struct sql_error *error)
{
    struct query_run *q = i->q;

    i->columns   = arena_alloc(&q->arena, n * sizeof(*i->columns));
    i->n_columns = n;
    for (uint32_t at = 0; at < n; at++)
        if (!reply_column_decode(columns[at], q->s->capabilities, &i->columns[at]))
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable "
                                 "column");
    return true;
}

bool
into_row(struct into *i, struct span row, struct sql_error *error)
{
    if (i->n_rows++ == 0)
        return assign(i, row, error);
    return sql_error_set(error, SQL_TOO_MANY_ROWS, "Result consisted of more than one row");
}

/* 0 or 1: how many it is. */
static uint32_t
warn_late(const struct into *i)
{
    if (!plan_of(i)->into_late)
        return 0;
    diagnostics_add(i->q->s, SPAN("Warning"), WARN_DEPRECATED,
                    SPAN("'<select expression> INTO <destination>;' is deprecated and will be "
                         "removed in a future release. Please use 'SELECT <select list> INTO "
                         "<destination> FROM...' instead"));
    return 1;
}

void
into_failed(struct into *i, const struct sql_error *error)
{
    if (error->code != SQL_TOO_MANY_ROWS)
        return;
    i->q->s->found_rows = 1; /* that was taken before the second */
    diagnostics_clear(i->q->s);
    (void)warn_late(i);
    diagnostics_add(i->q->s, SPAN("Error"), error->code, span_of(error->message));
}

void
into_answer(struct into *i, uint32_t warnings)
{
    warnings += warn_late(i);
    if (i->n_rows == 0) {
        diagnostics_add(i->q->s, SPAN("Warning"), WARN_NO_DATA,
                        SPAN("No data - zero rows fetched, selected, or processed"));
        warnings++;
    }
    query_ok(i->q, i->n_rows, 0, warnings, (struct span){ 0 });
}
