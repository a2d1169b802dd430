/* plan_insert.c - see plan_internal.h: INSERT and REPLACE. */
#include "core/route/plan_internal.h"

struct maker {
    struct planner           *p;
    const struct insert      *in;
    const struct route_table *table;
    struct scope             *scope;
    uint32_t                  key_at, auto_at; /* positions in the rows, ROUTES_NONE: not listed */
    uint32_t                  values_at; /* in the text: where a list may be put in */
};

uint32_t
insert_position(const struct insert *in, const struct route_table *table, uint32_t column)
{
    uint32_t at = 0;
    if (column == ROUTES_NONE)
        return ROUTES_NONE;
    if (in->source == INSERT_SET) {
        for (const struct assignment *a = in->set; a != NULL; a = a->next, at++)
            if (routes_column(table, a->column.name) == column)
                return at;
        return ROUTES_NONE;
    }
    if (in->columns_range.end == 0)
        return routes_visible(table, column);
    for (const struct name_item *n = in->columns; n != NULL; n = n->next, at++)
        if (routes_column(table, n->name) == column)
            return at;
    return ROUTES_NONE;
}

static uint32_t
position(const struct maker *m, uint32_t column)
{
    return insert_position(m->in, m->table, column);
}

static bool
key_operand(struct maker *m, struct insert_row *row, struct expr *e)
{
    const struct route_column *key = &m->table->columns[m->table->key];
    row->key_auto                  = m->table->key == m->table->auto_increment;
    if (row->key_auto)
        return true;
    if (e == NULL || (bare(e)->kind == EXPR_DEFAULT && bare(e)->n_args == 0)) {
        row->key = (struct operand){ .kind = OPERAND_CONST, .as = KEY_VALUE_OTHER,
                                     .constant = { .kind = KEY_VALUE_DEFAULT } };
        row->key_null = key->nullable && !key->has_default && !key->generated;
        return row->key_null ||
               NOT_YET(m->p, "shardd: the key column '%.*s' of '%.*s' needs a value in INSERT, its "
                             "default is not enough", SHOWN(key->name), SHOWN(m->table->name));
    }
    if (operand_make(m->p, e, &row->key))
        return true;
    return NOT_YET(m->p, "shardd: the key column '%.*s' of '%.*s' needs a plain value in INSERT, "
                         "not "
                         "an expression: compute it first", SHOWN(key->name),
                   SHOWN(m->table->name));
}

static bool
auto_operand(struct maker *m, struct insert_row *row, struct expr *e)
{
    if (e == NULL) {
        row->auto_missing = true;
        return true;
    }
    if (operand_make(m->p, e, &row->auto_value))
        return true;
    return NOT_YET(m->p, "shardd: the AUTO_INCREMENT column of '%.*s' needs a plain value in "
                         "INSERT, "
                         "not an expression", SHOWN(m->table->name));
}

static void
auto_name(struct maker *m, struct text *t, const char *before, const char *behind)
{
    text_const(t, before);
    text_name(t, m->table->columns[m->table->auto_increment].name);
    text_const(t, behind);
}

static void
auto_piece(struct text *t, const struct insert_row *row, struct span written)
{
    struct template_piece piece = { .kind = PIECE_AUTO, .text = written };
    if (!row->auto_missing && row->auto_value.kind != OPERAND_CONST &&
        !row->auto_value.negative) {
        piece.has_operand = true;
        piece.operand     = row->auto_value;
    }
    text_piece(t, piece);
}

/* [start, end) of the row with a hole where the number goes. */
static void
row_text(struct maker *m, struct insert_row *row, struct expr *auto_expr, uint32_t start,
         uint32_t end)
{
    struct text     t;
    struct planner *p = m->p;
    text_begin(&t, p);
    if (m->table->auto_increment == ROUTES_NONE) {
        text_source(&t, start, end);
    } else if (auto_expr != NULL && row->auto_value.negative) {
        text_source(&t, start, end); /* its own number, never one of ours */
    } else if (auto_expr != NULL) {
        text_source(&t, start, auto_expr->start);
        auto_piece(&t, row, arena_copy(p->arena, (struct span){ p->text.ptr + auto_expr->start,
                                                 auto_expr->end - auto_expr->start }));
        text_source(&t, auto_expr->end, end);
    } else if (m->in->source == INSERT_SET) {
        text_source(&t, start, end);
        auto_name(m, &t, ", ", " = ");
        auto_piece(&t, row, SPAN("DEFAULT"));
    } else {
        text_source(&t, start, end - 1);
        if (m->in->n_columns > 0 || m->in->columns_range.end == 0)
            text_const(&t, ", ");
        auto_piece(&t, row, SPAN("DEFAULT"));
        text_const(&t, ")");
    }
    row->text = text_end(&t);
}

static bool
make_row(struct maker *m, const struct row *values, struct insert_row *out)
{
    struct expr *key = NULL, *number = NULL;
    uint32_t     at  = 0;
    uint32_t     expected = m->in->columns_range.end == 0 ? routes_count_visible(m->table)
                                                          : m->in->n_columns;
    if (values->n_values != expected && values->n_values != 0)
        return refuse(m->p, 1136, "Column count doesn't match value count at row 1");
    for (struct expr *e = values->values; e != NULL; e = e->next, at++) {
        if (at == m->key_at)
            key = e;
        if (at == m->auto_at)
            number = e;
        if (!scope_expr(m->p, m->scope, e))
            return false;
    }
    if (values->n_values == 0 && m->in->columns_range.end == 0 &&
        m->table->auto_increment != ROUTES_NONE)
        return NOT_YET(m->p, "shardd: name the columns of '%.*s' in an INSERT with empty VALUES",
                       SHOWN(m->table->name));
    if (m->table->kind == TABLE_SHARDED && !key_operand(m, out, key))
        return false;
    if (m->table->auto_increment != ROUTES_NONE && !auto_operand(m, out, number))
        return false;
    out->as_select = alone_needs_select(m->in, values, number);
    row_text(m, out, number, values->range.start, values->range.end);
    return true;
}

static bool
make_set_row(struct maker *m, struct insert_row *out, uint32_t *start)
{
    struct expr             *key = NULL, *number = NULL;
    uint32_t                 at  = 0;
    const struct assignment *last = NULL;
    *start                        = m->in->set->range.start;
    for (const struct assignment *a = m->in->set; a != NULL; last = a, a = a->next, at++) {
        if (at == m->key_at)
            key = a->value;
        if (at == m->auto_at)
            number = a->value;
        if (!scope_expr(m->p, m->scope, a->value))
            return false;
    }
    if (m->table->kind == TABLE_SHARDED && !key_operand(m, out, key))
        return false;
    if (m->table->auto_increment != ROUTES_NONE && !auto_operand(m, out, number))
        return false;
    row_text(m, out, number, *start, last->range.end);
    return true;
}

/* The columns that an INSERT without a list means, and the AUTO_INCREMENT one, an invisible one. */
static void
whole_list(struct maker *m, struct text *t)
{
    text_const(t, "(");
    for (uint32_t i = 0; i < m->table->n_columns; i++)
        if (!m->table->columns[i].invisible) {
            text_name(t, m->table->columns[i].name);
            text_const(t, ", ");
        }
    text_name(t, m->table->columns[m->table->auto_increment].name);
    text_const(t, ") ");
}

/* The statement up to `end`, with the AUTO_INCREMENT column in its list. */
static void
head_text(struct maker *m, struct text *t, bool add, uint32_t end)
{
    const struct insert *in = m->in;
    text_begin(t, m->p);
    if (add && in->columns_range.end == 0) {
        text_source(t, m->p->stmt->range.start, m->values_at);
        whole_list(m, t);
        text_source(t, m->values_at, end);
    } else if (add) {
        text_source(t, m->p->stmt->range.start, in->columns_range.end - 1);
        auto_name(m, t, in->n_columns > 0 ? ", " : "", ")");
        text_source(t, in->columns_range.end, end);
    } else {
        text_source(t, m->p->stmt->range.start, end);
    }
}

static void
header_and_tail(struct maker *m, struct insert_spec *spec, uint32_t rows_start, uint32_t rows_end)
{
    struct text          t;
    const struct insert *in = m->in;
    uint32_t             values;
    bool add = m->table->auto_increment != ROUTES_NONE && m->auto_at == ROUTES_NONE &&
               in->source == INSERT_VALUES;
    head_text(m, &t, add, rows_start);
    spec->header = text_end(&t);
    if (spec->n_rows > 1 && alone_values_word(m->p, rows_start, &values)) {
        head_text(m, &t, add, values);
        text_const(&t, "SELECT ");
        spec->select = text_end(&t);
    }
    text_begin(&t, m->p);
    text_source(&t, rows_end, m->p->stmt->range.end);
    spec->tail = text_end(&t);
}

/* NULL: refused. */
static struct insert_spec *
make_spec(struct maker *m, uint32_t table_index)
{
    const struct insert *in   = m->in;
    struct insert_spec  *spec = make(m->p, sizeof(*spec));
    uint32_t             n    = in->source == INSERT_SET ? 1 : in->n_rows;
    struct insert_row   *rows = make(m->p, n * sizeof(*rows));
    m->key_at                 = position(m, m->table->key);
    m->auto_at                = position(m, m->table->auto_increment);
    *spec = (struct insert_spec){
        .table = table_index, .n_rows = n, .rows = rows,
        .numbered       = m->table->auto_increment != ROUTES_NONE,
        .zero_is_number = m->p->context->zero_is_number,
        .overwrites     = in->replace || in->ignore || in->on_duplicate != NULL,
        .ignores        = in->ignore && in->on_duplicate == NULL,
    };
    if (in->source == INSERT_SET) {
        uint32_t start;
        if (!make_set_row(m, rows, &start))
            return NULL;
        const struct assignment *last = in->set;
        while (last->next != NULL)
            last = last->next;
        header_and_tail(m, spec, start, last->range.end);
        return spec;
    }
    uint32_t at = 0;
    for (const struct row *row = in->rows; row != NULL; row = row->next)
        if (!make_row(m, row, &rows[at++]))
            return NULL;
    if (spec->numbered && m->auto_at == ROUTES_NONE && in->columns_range.end == 0 &&
        !alone_values_word(m->p, in->values_range.start, &m->values_at)) {
        NOT_YET(m->p, "shardd: name the columns of '%.*s', whose AUTO_INCREMENT column is "
                      "invisible, in INSERT", SHOWN(m->table->name));
        return NULL;
    }
    header_and_tail(m, spec, in->values_range.start, in->values_range.end);
    return spec;
}

/* key = key and key = VALUES(key) keep the row where it is. */
static bool
keeps_key(struct maker *m, struct expr *value)
{
    value = bare(value);
    if (value->kind == EXPR_FUNC && value->n_args == 1 &&
        (span_equal_nocase(value->func->name.name, SPAN("VALUES")) ||
         span_equal_nocase(value->func->name.name, SPAN("VALUE"))))
        value = bare(value->args);
    return value->kind == EXPR_COLUMN &&
           routes_column(m->table, value->path->name) == m->table->key;
}

static bool
check_on_duplicate(struct maker *m)
{
    for (struct assignment *a = m->in->on_duplicate; a != NULL; a = a->next) {
        if (!scope_expr(m->p, m->scope, a->value))
            return false;
        if (m->table != NULL && m->table->key != ROUTES_NONE &&
            routes_column(m->table, a->column.name) == m->table->key && !keeps_key(m, a->value))
            return NOT_YET(m->p, "shardd: ON DUPLICATE KEY UPDATE cannot change '%.*s', the key of "
                                 "'%.*s'", SHOWN(a->column.name), SHOWN(m->table->name));
    }
    return true;
}

/* Other tables that the values read, besides the target itself. */
static bool
reads_elsewhere(struct planner *p, const struct instance *target)
{
    for (struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (i != target && i->table_index != ROUTES_NONE && i->table != NULL &&
            i->table->kind != TABLE_REFERENCE)
            return true;
    return (p->any_unknown || p->any_system) && target->table != NULL;
}

static void
insert_sharded(struct maker *m, struct instance *target)
{
    struct planner     *p    = m->p;
    struct insert_spec *spec = make_spec(m, target->table_index);
    if (spec == NULL || !check_on_duplicate(m))
        return;
    if (spec->n_rows > 1 && (p->stmt->flags & STMT_HAS_ROWNUM) != 0) {
        NOT_YET(p, "shardd: ROWNUM() counts the rows of one server: INSERT row by row");
        return;
    }
    if (reads_elsewhere(p, target)) {
        NOT_YET(p, "shardd: a subquery in the VALUES for '%.*s', or in its RETURNING, may read "
                   "reference tables only",
                SHOWN(m->table->name));
        return;
    }
    p->out->kind   = PLAN_INSERT;
    p->out->insert = spec;
    p->out->reason = "each row goes to the owner of its key";
}

/* Rows that stay where they are read: the key comes from the source's key. */
static void
insert_query_sharded(struct maker *m, struct scope *source)
{
    struct planner *p = m->p;
    struct query   *q = m->in->query;
    uint32_t        at = 0, key_at = position(m, m->table->key), column;
    struct expr    *e = NULL;
    for (struct select_item *item = q->items; item != NULL; item = item->next, at++) {
        if (item->expr->kind == EXPR_STAR)
            break;
        if (at == key_at)
            e = bare(item->expr);
    }
    struct instance *from = e != NULL && e->kind == EXPR_COLUMN && source != NULL
                                ? scope_column(source, e->path, &column)
                                : NULL;
    const struct route_column *type = from == NULL ? NULL : instance_column(from, column);
    /* A shard would number 0 and NULL by itself, and tell the sequence nothing of the others. */
    bool numbers = m->table->auto_increment != ROUTES_NONE;
    if (type == NULL || numbers || from->region != source->region ||
        !keyhash_copies(type, &m->table->columns[m->table->key]) ||
        !where_is_key(p, from, column) || q->limit != NULL ||
        (q->order_by != NULL && m->in->returning != NULL) ||
        (q->group_by != NULL ? !where_groups_by_key(p, source, q)
                             : query_aggregates(q) || source->aggregated) ||
        (p->stmt->flags & (STMT_HAS_WINDOW | STMT_HAS_ROWNUM)) != 0) {
        NOT_YET(p, "shardd: INSERT ... SELECT into the sharded table '%.*s' is possible only where "
                   "its key '%.*s' is copied from the key of a sharded table, as it is, so that "
                   "rows stay on their shard; read the rows and insert them instead",
                SHOWN(m->table->name), SHOWN(m->table->columns[m->table->key].name));
        return;
    }
    if (!check_on_duplicate(m) || !where_target(p, source->region, &p->out->target))
        return;
    p->out->kind   = PLAN_WRITE;
    p->out->reason = "rows are copied within each shard";
    hide_write(p);
}

static void
insert_reference(struct maker *m, struct instance *target)
{
    struct planner *p = m->p;
    if (!check_on_duplicate(m))
        return;
    if (p->any_sharded || p->any_global || p->any_system) {
        NOT_YET(p, "shardd: the reference table '%.*s' is written on every shard, so its rows "
                   "can be "
                   "read from reference tables only", SHOWN(m->table->name));
        return;
    }
    if (m->in->query != NULL && (m->in->query->limit != NULL || m->in->query->parts != NULL)) {
        NOT_YET(p, "shardd: INSERT ... SELECT with LIMIT or UNION into the reference table '%.*s' "
                   "could choose other rows on each shard", SHOWN(m->table->name));
        return;
    }
    if (!write_is_repeatable(p))
        return;
    p->out->kind            = PLAN_WRITE;
    p->out->target          = (struct target){
                 .kind = TARGET_EVERY,
                 .home = p->routes->databases[m->table->database].home };
    p->out->reference_write = true;
    p->out->same_time       = true;
    p->out->reason          = "every shard has a copy";
    if (m->table->auto_increment == ROUTES_NONE)
        return;
    m->auto_at = position(m, m->table->auto_increment);
    if (m->in->source == INSERT_QUERY && m->auto_at == ROUTES_NONE)
        NOT_YET(p, "shardd: give the AUTO_INCREMENT column of the reference table '%.*s', or "
                   "insert its rows one by one", SHOWN(m->table->name));
    if (!p->refused && m->in->source != INSERT_QUERY)
        p->out->insert = make_spec(m, target->table_index);
}

/* A SELECT may bring the numbers, or NULLs: the OK tells one in any case. */
static bool
may_bring_numbers(const struct maker *m)
{
    return m->in->source == INSERT_QUERY && m->table != NULL &&
           m->table->auto_increment != ROUTES_NONE &&
           position(m, m->table->auto_increment) != ROUTES_NONE;
}

static void
insert_global(struct maker *m)
{
    struct planner *p = m->p;
    struct target  *t = &p->out->target;
    if (!where_target(p, NULL, t))
        return;
    p->out->kind   = PLAN_ONE;
    t->one_shard   = true;
    p->out->reason = "a global table";
    /* The first number given, and none when the rows bring theirs: insert_brings_numbers(). */
    p->out->asks_insert_id = p->out->returning || may_bring_numbers(m);
    sql_error_set(&p->out->error, SQL_NOT_SUPPORTED,
                  "shardd: INSERT ... SELECT into a global table from rows of other shards is not "
                  "supported; read the rows and insert them");
}

static bool
scope_values(struct maker *m)
{
    for (const struct row *row = m->in->rows; row != NULL; row = row->next)
        for (struct expr *e = row->values; e != NULL; e = e->next)
            if (!scope_expr(m->p, m->scope, e))
                return false;
    for (const struct assignment *a = m->in->set; a != NULL; a = a->next)
        if (!scope_expr(m->p, m->scope, a->value))
            return false;
    return true;
}

static struct expr *
nth_value(const struct maker *m, const struct row *row, uint32_t at)
{
    const struct assignment *a = m->in->set;
    struct expr             *e = row == NULL ? NULL : row->values;
    for (; row == NULL && a != NULL && at > 0; at--)
        a = a->next;
    for (; row != NULL && e != NULL && at > 0; at--)
        e = e->next;
    return row != NULL ? e : a == NULL ? NULL : a->value;
}

/* Which numbers the rows bring: the server's OK tells them, and LAST_INSERT_ID() is another. */
static void
own_numbers(struct maker *m)
{
    struct planner *p    = m->p;
    bool            set  = m->in->source == INSERT_SET;
    uint32_t        rows = set ? 1 : m->in->n_rows;
    uint32_t        at   = position(m, m->table->auto_increment);
    p->out->upserts_one  = rows == 1 && m->in->on_duplicate != NULL;
    if (at == ROUTES_NONE)
        return;
    struct operand   *own = make(p, (rows + 1) * sizeof(*own));
    const struct row *row = set ? NULL : m->in->rows;
    for (uint32_t i = 0; i < rows; i++, row = row == NULL ? NULL : row->next) {
        struct expr *e = set || row != NULL ? nth_value(m, row, at) : NULL;
        if (e == NULL || !operand_make(p, e, &own[i]))
            return;
    }
    p->out->n_own       = rows;
    p->out->own_numbers = own;
}

static bool
is_placed_by_text(struct planner *p)
{
    if (p->context->elsewhere)
        return NOT_YET(p, "shardd: a value for the key would be changed when it is stored, or is "
                          "not known exactly; give it as the column stores it");
    return (p->stmt->flags & STMT_HAS_ASSIGN) == 0 ||
           NOT_YET(p, "shardd: an INSERT into a sharded table cannot assign user variables; SET "
                      "them before");
}

/* Of its columns nothing is known, so neither is where a row belongs: its table knows. */
static bool
is_sharded_view(struct planner *p, const struct instance *target)
{
    return target->table != NULL && target->table->kind == TABLE_VIEW &&
           target->table->view_kind == TABLE_SHARDED &&
           !NOT_YET(p, "shardd: rows of several shards cannot be written into '%.*s', which is no "
                       "table that is known", SHOWN(target->table->name));
}

static void
insert_rows(struct planner *p)
{
    const struct insert *in    = p->stmt->insert;
    struct maker         m     = { .p = p, .in = in, .scope = scope_new(p, NULL, NULL) };
    struct instance     *target = scope_add_path(p, m.scope, &in->table, (struct span){ 0 });
    struct scope        *source = NULL;
    p->out->is_write           = true;
    p->out->returning          = in->returning != NULL;
    m.table                    = target->table;
    bool sharded               = instance_sharded(target);
    if (in->query != NULL) {
        /* The target's own rows are not what the SELECT cuts into parts. */
        uint32_t key = target->key;
        target->key  = ROUTES_NONE;
        bool others  = p->any_sharded;
        p->any_sharded = false;
        if (!scope_query(p, in->query, NULL, NULL, NULL, &source))
            return;
        if (sharded && !p->any_sharded)
            source = NULL;
        target->key    = sharded ? ROUTES_NONE : key;
        p->any_sharded |= others && !sharded;
    }
    if (p->refused || is_sharded_view(p, target) ||
        view_writes_copies(p, m.table, (struct span){ 0 }))
        return;
    if (sharded && in->query == NULL && !is_placed_by_text(p))
        return;
    bool placed = m.table != NULL && (sharded || m.table->kind == TABLE_REFERENCE);
    if (placed && plan_once(p, in, m.table))
        return;
    if (!scope_returning(p, m.scope, in->returning))
        return;
    if (m.table != NULL && !sharded && in->query == NULL)
        own_numbers(&m);
    if (m.table != NULL && m.table->kind == TABLE_REFERENCE) {
        if (scope_values(&m))
            insert_reference(&m, target);
    } else if (sharded && in->query != NULL) {
        insert_query_sharded(&m, source);
    } else if (sharded) {
        insert_sharded(&m, target);
    } else {
        if (scope_values(&m) && check_on_duplicate(&m))
            insert_global(&m);
    }
}

/* Rows that are read may be on other shards than a sequence. */
static void
check_numbers(struct planner *p)
{
    if (!p->refused && p->any_sharded && p->stmt->insert->source == INSERT_QUERY &&
        p->digest != NULL && (p->digest->flags & DIGEST_SEQUENCE) != 0)
        NOT_YET(p, "shardd: a sequence is on its database's home, and rows of this statement may "
                   "be on other shards: ask for its number in a statement before");
}

void
plan_insert(struct planner *p)
{
    insert_rows(p);
    check_numbers(p);
    write_elsewhere(p);
}
