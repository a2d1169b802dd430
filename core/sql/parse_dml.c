/* parse_dml.c - INSERT, REPLACE, UPDATE, DELETE. */
#include "core/sql/parser.h"

static struct range
partition(struct parser *p)
{
    uint32_t start = p->t.start;

    if (!parser_accept(p, KW_PARTITION))
        return (struct range){ 0 };
    parser_skip_parens(p);
    return parser_range(p, start);
}

/* [[schema.]table.]column */
struct path
parser_column_path(struct parser *p)
{
    uint32_t    start = p->t.start;
    struct path path  = { .name = parser_name(p) };

    for (int i = 0; i < 2 && parser_accept_op(p, '.'); i++) {
        path.schema = path.table;
        path.table  = path.name;
        path.name   = parser_name(p);
    }
    path.range = parser_range(p, start);
    return path;
}

/* column = value, ... */
struct assignment *
parser_assignments(struct parser *p)
{
    struct assignment *first = NULL, **tail = &first;

    do {
        struct assignment *a     = parser_new(p, sizeof(*a));
        uint32_t           start = p->t.start;

        a->column = parser_column_path(p);
        if (!parser_accept_op(p, OP_ASSIGN))
            parser_expect_op(p, '=');
        a->value = parser_expr_or_default(p);
        a->range = parser_range(p, start);
        *tail    = a;
        tail     = &a->next;
    } while (parser_accept_op(p, ','));
    return first;
}

static void
on_duplicate(struct parser *p, struct insert *i)
{
    uint32_t start = p->t.start;

    if (!parser_accept(p, KW_ON))
        return;
    parser_expect(p, KW_DUPLICATE);
    parser_expect(p, KW_KEY);
    parser_expect(p, KW_UPDATE);
    i->on_duplicate       = parser_assignments(p);
    i->on_duplicate_range = parser_range(p, start);
}

static struct select_item *
returning(struct parser *p, struct range *range)
{
    uint32_t            start = p->t.start, n;
    struct select_item *items;

    if (!parser_accept(p, KW_RETURNING))
        return NULL;
    items = parser_select_items(p, &n);
    if (range != NULL)
        *range = parser_range(p, start);
    return items;
}

static void
insert_words(struct parser *p, struct insert *i)
{
    i->replace = parser_at(p, KW_REPLACE);
    parser_take(p);
    if (parser_at(p, KW_LOW_PRIORITY) || parser_at(p, KW_DELAYED) ||
        parser_at(p, KW_HIGH_PRIORITY)) {
        i->priority = p->t.keyword;
        parser_take(p);
    }
    i->ignore = parser_accept(p, KW_IGNORE);
    parser_accept(p, KW_INTO);
}

/* ( begins the columns unless a query is in it. */
static void
insert_columns(struct parser *p, struct insert *i)
{
    uint32_t     start = p->t.start;
    enum keyword next;

    if (!parser_at_op(p, '(') || token_is_op(parser_peek(p), '('))
        return;
    next = parser_peek_keyword(p);
    if (next == KW_SELECT || next == KW_WITH || next == KW_VALUES)
        return;
    i->columns       = parser_paren_names(p);
    i->columns_range = parser_range(p, start);
    for (struct name_item *c = i->columns; c != NULL; c = c->next)
        i->n_columns++;
}

static void
insert_source(struct parser *p, struct insert *i)
{
    if (parser_accept(p, KW_SET)) {
        i->source = INSERT_SET;
        i->set    = parser_assignments(p);
    } else if (parser_accept(p, KW_VALUES) || parser_accept(p, KW_VALUE)) {
        uint32_t start  = p->t.start;
        i->source       = INSERT_VALUES;
        i->rows         = parser_rows(p, &i->n_rows);
        i->values_range = parser_range(p, start);
    } else {
        i->source = INSERT_QUERY;
        i->query  = parser_query(p);
    }
}

void
parser_insert(struct parser *p, struct stmt *s)
{
    struct insert *i = parser_new(p, sizeof(*i));

    s->kind   = STMT_INSERT;
    s->insert = i;
    insert_words(p, i);
    i->table     = parser_path(p);
    i->partition = partition(p);
    insert_columns(p, i);
    insert_source(p, i);
    if (i->n_columns == 0 && (i->query != NULL || (i->rows != NULL && i->rows->n_values > 0)))
        i->columns_range = (struct range){ 0 }; /* t () VALUES (1): as if it had no list */
    on_duplicate(p, i);
    i->returning = returning(p, &i->returning_range);
}

/* FOR PORTION OF period FROM x TO y */
static struct range
portion(struct parser *p)
{
    uint32_t start = p->t.start;

    if (!parser_at(p, KW_FOR) || parser_peek_keyword(p) != KW_PORTION)
        return (struct range){ 0 };
    parser_take(p);
    parser_take(p);
    parser_expect(p, KW_OF);
    parser_name(p);
    parser_expect(p, KW_FROM);
    parser_bit_expr(p);
    parser_expect(p, KW_TO);
    parser_bit_expr(p);
    p->flags |= STMT_HAS_PERIOD;
    return parser_range(p, start);
}

static struct expr *
where(struct parser *p, struct range *range)
{
    uint32_t     start = p->t.start;
    struct expr *e;

    if (!parser_accept(p, KW_WHERE))
        return NULL;
    e      = parser_expr(p);
    *range = parser_range(p, start);
    return e;
}

static struct order_item *
order_by(struct parser *p)
{
    if (!parser_accept(p, KW_ORDER))
        return NULL;
    parser_expect(p, KW_BY);
    return parser_order_list(p);
}

static struct limit *
limit(struct parser *p)
{
    return parser_at(p, KW_LIMIT) ? parser_limit(p) : NULL;
}

void
parser_update(struct parser *p, struct stmt *s)
{
    struct update *u = parser_new(p, sizeof(*u));
    uint32_t       start;

    s->kind   = STMT_UPDATE;
    s->update = u;
    parser_take(p);
    u->low_priority = parser_accept(p, KW_LOW_PRIORITY);
    u->ignore       = parser_accept(p, KW_IGNORE);
    u->tables       = parser_table_refs(p);
    u->multi        = u->tables->kind != TABLE_REF_TABLE;
    u->portion      = portion(p);
    start           = p->t.start;
    parser_expect(p, KW_SET);
    u->set       = parser_assignments(p);
    u->set_range = parser_range(p, start);
    u->where     = where(p, &u->where_range);
    u->order_by  = order_by(p);
    u->limit     = limit(p);
}

/* t, s.t, t.*, s.t.* */
static struct table_item *
delete_targets(struct parser *p)
{
    struct table_item *first = NULL, **tail = &first;

    do {
        struct table_item *item  = parser_new(p, sizeof(*item));
        uint32_t           start = p->t.start;

        item->table.name = parser_name(p);
        if (parser_at_op(p, '.') && !token_is_op(parser_peek(p), '*')) {
            parser_take(p);
            item->table.schema = item->table.name;
            item->table.name   = parser_name(p);
        }
        item->table.range = parser_range(p, start);
        if (parser_accept_op(p, '.'))
            parser_expect_op(p, '*');
        *tail = item;
        tail  = &item->next;
    } while (parser_accept_op(p, ','));
    return first;
}

/* A single table: DELETE FROM t [alias] [PARTITION ...] [FOR PORTION ...] */
static void
delete_single(struct parser *p, struct delete *d, struct table_item *target)
{
    struct table_ref *t = parser_new(p, sizeof(*t));

    t->table     = target->table;
    t->partition = partition(p);
    d->portion   = portion(p);
    t->alias     = parser_alias(p, false);
    if (t->partition.end == 0)
        t->partition = partition(p);
    t->range  = parser_range(p, target->table.range.start);
    d->tables = t;
}

/* HISTORY FROM t [PARTITION (...)] [BEFORE SYSTEM_TIME [TIMESTAMP] x] */
static void
delete_history(struct parser *p, struct delete *d)
{
    parser_take(p);
    parser_expect(p, KW_FROM);
    d->history            = true;
    struct table_ref *t   = parser_new(p, sizeof(*t));
    uint32_t          start = p->t.start;
    t->table     = parser_path(p);
    t->partition = partition(p);
    t->range     = parser_range(p, start);
    d->tables    = t;
    if (!parser_accept(p, KW_BEFORE))
        return;
    parser_expect(p, KW_SYSTEM_TIME);
    p->flags |= STMT_HAS_PERIOD;
    d->before = parser_bit_expr(p);
}

void
parser_delete(struct parser *p, struct stmt *s)
{
    struct delete *d = parser_new(p, sizeof(*d));

    s->kind   = STMT_DELETE;
    s->delete = d;
    parser_take(p);
    if (parser_at(p, KW_HISTORY) && parser_peek_keyword(p) == KW_FROM) {
        delete_history(p, d);
        return;
    }
    for (;;) {
        if (parser_accept(p, KW_LOW_PRIORITY))
            d->low_priority = true;
        else if (parser_accept(p, KW_QUICK))
            d->quick = true;
        else if (parser_accept(p, KW_IGNORE))
            d->ignore = true;
        else
            break;
    }
    bool from  = parser_accept(p, KW_FROM);
    d->targets = delete_targets(p);
    if (!from || d->targets->next != NULL || parser_at(p, KW_USING)) {
        d->multi = true;
        if (from)
            parser_expect(p, KW_USING);
        else
            parser_expect(p, KW_FROM);
        d->tables = parser_table_refs(p);
        d->where  = where(p, &d->where_range);
        return;
    }
    delete_single(p, d, d->targets);
    d->targets   = NULL;
    d->where     = where(p, &d->where_range);
    d->order_by  = order_by(p);
    d->limit     = limit(p);
    d->returning = returning(p, NULL);
}
