/* plan_meet.c - see plan_internal.h: an INSERT whose end no shard can do by itself.
 *
 *   INSERT ... ON DUPLICATE KEY UPDATE a = (SELECT ...)    the rows that the new ones may meet are
 *   INSERT IGNORE ... RETURNING (SELECT ...)               on the engine too, with their keys: it
 *                                                          decides which are new, and what becomes
 *                                                          of the others
 *   INSERT, REPLACE ... RETURNING (SELECT ...)             the engine answers; the shards get the
 *                                                          rows, and look for duplicates
 *
 * A new row meets rows with its own sharding key only, as every unique key has that column: those
 * are fetched where the key is written in the statement, or copied from a table's column. Else, and
 * where a lookup keeps another column unique, all rows are.
 */
#include "core/route/gather.h"
#include "core/route/plan_gather.h"

enum { KEYS_MAX = 500 };

/* ---- what the shards can do by themselves ---- */

struct plain {
    const struct route_table *table;
    bool                      assigns, is;
};

static bool
find_foreign(struct visitor *v, struct expr *e)
{
    struct plain *c = v->context;
    if (e->kind == EXPR_SUBQUERY || e->kind == EXPR_EXISTS || e->kind == EXPR_ASSIGN ||
        (e->kind == EXPR_USER_VAR && c->assigns) ||
        (e->kind == EXPR_COLUMN &&
         (routes_column(c->table, e->path->name) == ROUTES_NONE ||
          (e->path->table.ptr != NULL && !span_equal_nocase(e->path->table, c->table->name)))))
        c->is = false;
    return c->is;
}

static bool
is_plain(const struct change_maker *m, const struct route_table *table, struct expr *e)
{
    struct plain   c = { .table = table, .assigns = m->assigns, .is = true };
    struct visitor v = { .expr = find_foreign, .context = &c };
    visit_expr(&v, e);
    return c.is;
}

/* key = key and key = VALUES(key) keep the row where it is. */
static bool
keeps_key(const struct route_table *t, struct expr *value)
{
    value = bare(value);
    if (value->kind == EXPR_FUNC && value->n_args == 1 &&
        (span_equal_nocase(value->func->name.name, SPAN("VALUES")) ||
         span_equal_nocase(value->func->name.name, SPAN("VALUE"))))
        value = bare(value->args);
    return value->kind == EXPR_COLUMN && routes_column(t, value->path->name) == t->key;
}

static bool
moves(const struct insert *in, const struct route_table *t)
{
    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next)
        if (t->key != ROUTES_NONE && routes_column(t, a->column.name) == t->key &&
            !keeps_key(t, a->value))
            return true;
    return false;
}

/* What decides about duplicates is plain, and so is what is answered. */
static bool
updates_plainly(const struct change_maker *m, const struct insert *in, const struct route_table *t)
{
    bool plain = !moves(in, t);
    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next)
        plain = plain && is_plain(m, t, a->value);
    return plain;
}

static bool
returns_plainly(const struct change_maker *m, const struct insert *in, const struct route_table *t)
{
    bool plain = true;
    for (const struct select_item *item = in->returning; item != NULL; item = item->next)
        plain = plain && (item->expr->kind == EXPR_STAR || is_plain(m, t, item->expr));
    return plain;
}

/* ---- the table ---- */

/* A number of ours, and what is generated, is not known before the shards have the row. */
struct late {
    const struct route_table *table;
    bool                      all, number, generated;
};

static bool
find_late(struct visitor *v, struct expr *e)
{
    struct late *l = v->context;
    for (uint32_t i = 0; i < l->table->n_columns; i++) {
        bool named = l->all || (e->kind == EXPR_COLUMN &&
                                routes_column(l->table, e->path->name) == i);
        l->number    |= named && i == l->table->auto_increment;
        l->generated |= named && l->table->columns[i].generated;
    }
    return true;
}

static bool
brings_numbers(const struct insert *in, const struct route_table *t)
{
    uint32_t at = insert_position(in, t, t->auto_increment);
    if (at == ROUTES_NONE || in->source != INSERT_VALUES)
        return false;
    for (const struct row *row = in->rows; row != NULL; row = row->next) {
        struct expr *e = row->values;
        for (uint32_t i = 0; e != NULL && i < at; i++)
            e = e->next;
        if (e == NULL || bare(e)->kind != EXPR_LITERAL)
            return false;
    }
    return true;
}

static bool
check_table(struct planner *p, const struct route_table *t)
{
    const struct insert *in = p->stmt->insert;
    struct late          l  = { .table = t };
    struct visitor       v  = { .expr = find_late, .context = &l };
    for (const struct select_item *item = in->returning; item != NULL; item = item->next) {
        l.all = l.all || item->expr->kind == EXPR_STAR;
        visit_expr(&v, item->expr);
    }
    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next)
        visit_expr(&v, a->value);
    if (l.number && !brings_numbers(in, t))
        return NOT_YET(p, "shardd: RETURNING and ON DUPLICATE KEY UPDATE cannot name '%.*s' beside "
                          "a subquery: its numbers are given when all else is done",
                       SHOWN(t->columns[t->auto_increment].name));
    return !l.generated || NOT_YET(p, "shardd: RETURNING and ON DUPLICATE KEY UPDATE cannot name "
                                      "generated columns of '%.*s' beside a subquery, when its "
                                      "rows come from several shards", SHOWN(t->name));
}

/* ---- the end of the statement as a SELECT ---- */

static void
add_item(struct planner *p, struct query *q, struct expr *e)
{
    struct select_item *item = make(p, sizeof(*item));
    *item    = (struct select_item){ .expr = e, .range = { e->start, e->end }, .next = q->items };
    q->items = item;
    q->n_items++;
}

static struct query *
tail_of(struct planner *p, const struct insert *in)
{
    struct query *q = make(p, sizeof(*q));
    *q              = (struct query){ .kind = QUERY_BLOCK, .range = p->stmt->range };
    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next)
        if (bare(a->value)->kind != EXPR_DEFAULT || bare(a->value)->n_args != 0)
            add_item(p, q, a->value);
    for (const struct select_item *item = in->returning; item != NULL; item = item->next)
        if (item->expr->kind != EXPR_STAR)
            add_item(p, q, item->expr);
    return q;
}

/* Its names are columns of the table that is written, or of the rows that are read. */
static bool
scope_tail(struct planner *p, struct scope *source)
{
    const struct insert *in = p->stmt->insert;
    struct scope        *s  = scope_new(p, source, NULL);
    p->tail                 = tail_of(p, in);
    s->query                = p->tail;
    (void)scope_add_path(p, s, &in->table, (struct span){ 0 });
    for (struct select_item *item = p->tail->items; item != NULL; item = item->next)
        if (!scope_expr(p, s, item->expr))
            return false;
    return true;
}

static const struct route_table *
target_of(const struct planner *p)
{
    const struct path *path     = &p->stmt->insert->table;
    struct span        schema   = path->schema.ptr != NULL ? path->schema : p->context->schema;
    uint32_t           database = routes_database(p->routes, schema);
    uint32_t           at       = database == ROUTES_NONE
                                      ? ROUTES_NONE : routes_table(p->routes, database, path->name);
    return at == ROUTES_NONE || p->routes->tables[at].kind == TABLE_VIEW ? NULL
                                                                         : &p->routes->tables[at];
}

bool
meet_tail(struct planner *p, struct change_maker *m, struct scope *source)
{
    const struct insert      *in = p->stmt->kind == STMT_INSERT ? p->stmt->insert : NULL;
    const struct route_table *t  = in == NULL ? NULL : target_of(p);
    if (t == NULL || (in->on_duplicate == NULL && in->returning == NULL))
        return true;
    bool updates = updates_plainly(m, in, t), returns = returns_plainly(m, in, t);
    if (updates && returns)
        return true;
    m->spec->meets   = !updates || in->ignore || in->on_duplicate != NULL;
    m->spec->answers = true;
    if (m->assigns && (p->stmt->flags & STMT_HAS_ASSIGN) != 0)
        return NOT_YET(p, "shardd: ON DUPLICATE KEY UPDATE and RETURNING with other values than "
                          "columns of '%.*s' cannot stand beside := when rows of several shards "
                          "are needed", SHOWN(t->name));
    return check_table(p, t) && scope_tail(p, source);
}

/* ---- the rows that may be met ---- */

static bool
is_kind(const struct route_column *c, const struct operand *o, const struct digest *d)
{
    bool integer = column_is_integer(c->type);
    if (o->collate || o->introduced || o->as != KEY_VALUE_OTHER ||
        (!integer && c->type != COLUMN_CHAR && c->type != COLUMN_VARCHAR))
        return false;
    if (o->kind == OPERAND_PARAM)
        return true;
    if (o->kind == OPERAND_CONST)
        return integer && o->constant.kind == KEY_VALUE_INT;
    return o->kind == OPERAND_LITERAL && d != NULL && o->ordinal < d->n_literals &&
           d->literals[o->ordinal].kind == (integer ? TOK_INT : TOK_STRING);
}

static struct expr *
nth(const struct insert *in, const struct row *row, uint32_t at)
{
    struct expr             *e = row == NULL ? NULL : row->values;
    const struct assignment *a = in->set;
    for (uint32_t i = 0; row != NULL && e != NULL && i < at; i++)
        e = e->next;
    for (uint32_t i = 0; row == NULL && a != NULL && i < at; i++)
        a = a->next;
    return row != NULL ? e : a == NULL ? NULL : a->value;
}

/* A number that is given meets nothing. */
static bool
is_new(const struct gathering *g, const struct operand *o)
{
    bool numbered = g->table->key == g->table->auto_increment;
    return o->kind == OPERAND_CONST &&
           ((o->constant.kind == KEY_VALUE_DEFAULT && numbered) ||
            o->constant.kind == KEY_VALUE_NULL);
}

/* False: they are not all known. */
static bool
add_key(struct planner *p, const struct gathering *g, struct key_group *keys, struct expr *e)
{
    struct operand *list = (struct operand *)(uintptr_t)keys->keys;
    struct operand  o;
    if (e == NULL || keys->n_keys == KEYS_MAX || !operand_make(p, e, &o))
        return false;
    if (is_new(g, &o))
        return true;
    if (!is_kind(&g->table->columns[g->table->key], &o, p->digest))
        return false;
    list[keys->n_keys++] = o;
    return true;
}

static bool
written_keys(struct planner *p, const struct gathering *g, struct key_group *keys)
{
    const struct insert *in = p->stmt->insert;
    uint32_t             at = insert_position(in, g->table, g->table->key);
    keys->table = g->index;
    keys->keys  = make(p, KEYS_MAX * sizeof(struct operand));
    if (in->source == INSERT_QUERY || (at == ROUTES_NONE && in->source == INSERT_SET))
        return at == ROUTES_NONE && g->table->key == g->table->auto_increment;
    if (at == ROUTES_NONE)
        return g->table->key == g->table->auto_increment;
    if (in->source == INSERT_SET)
        return add_key(p, g, keys, nth(in, NULL, at));
    for (const struct row *row = in->rows; row != NULL; row = row->next)
        if (!add_key(p, g, keys, nth(in, row, at)))
            return false;
    return true;
}

static bool
fits_whole(const struct route_column *column, const struct route_column *of)
{
    return gather_lists(column, of) &&
           (column_is_integer(column->type) || column->length >= of->length);
}

/* INSERT INTO t SELECT id, ... FROM s: the rows of t with an id of s. */
static void
link_source(struct planner *p, struct gathering *g, const struct scope *s, struct gathering *list)
{
    const struct insert      *in  = p->stmt->insert;
    uint32_t                  key = g->table->key, column = ROUTES_NONE;
    const struct query       *q   = in->query;
    uint32_t                  at  = insert_position(in, g->table, key);
    const struct select_item *item;
    if (q == NULL || q->kind != QUERY_BLOCK || s == NULL || s->query != q || at == ROUTES_NONE)
        return;
    struct instance *i = s->first;
    item               = q->items;
    if (item != NULL && item->next == NULL && item->expr->kind == EXPR_STAR) {
        if (i == NULL || i->next != NULL || i->table == NULL)
            return;
        for (uint32_t k = 0; k < i->table->n_columns; k++)
            if (routes_visible(i->table, k) == at)
                column = k;
    } else {
        for (; item != NULL && item->expr->kind != EXPR_STAR && at > 0; at--)
            item = item->next;
        struct expr *e = item == NULL ? NULL : bare(item->expr);
        i = e == NULL || e->kind != EXPR_COLUMN ? NULL : scope_column(s, e->path, &column);
    }
    struct gathering *of = i == NULL || i->ref == NULL || column == ROUTES_NONE
                               ? NULL : gathering_of(list, i);
    if (of == NULL || of == g || column >= of->table->n_columns ||
        !fits_whole(&g->table->columns[key], &of->table->columns[column]))
        return;
    g->like        = of;
    g->like_column = column;
}

void
meet_rows(struct planner *p, struct gathering *g, const struct scope *s, struct gathering *list)
{
    struct key_group *keys  = make(p, sizeof(*keys));
    bool              local = g->table->kind == TABLE_SHARDED && g->table->n_lookups == 0 &&
                 g->n_occurrences == 0 && !p->context->elsewhere &&
                 !moves(p->stmt->insert, g->table);
    *keys    = (struct key_group){ 0 };
    g->empty = false;
    if (local && written_keys(p, g, keys)) {
        g->meets = keys->n_keys != 0 ? keys : NULL;
        g->empty = keys->n_keys == 0;
        return;
    }
    g->whole = true;
    if (local)
        link_source(p, g, s, list);
}

void
meet_filters(struct planner *p, struct gathering *list)
{
    for (struct gathering *g = list; g != NULL; g = g->next) {
        if (g->whole)
            g->filters = NULL;
        if (g->meets == NULL)
            continue;
        g->filters  = make(p, sizeof(*g->filters));
        *g->filters = (struct filter){ .keys = g->meets };
    }
}

/* ---- what is written ---- */

bool
meet_targets(struct planner *p, struct change_maker *m)
{
    const struct insert      *in    = p->stmt->insert;
    const struct route_table *table = m->targets[0]->table;
    struct change_target     *list  = make(p, 2 * sizeof(*list));
    uint32_t                 *set   = make(p, table->n_columns * sizeof(*set));
    uint32_t                 *all   = make(p, table->n_columns * sizeof(*all));
    uint32_t                  n = 0, zero = change_zero(p, table);
    bool                     *assigned = m->columns[0];

    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next) {
        uint32_t column = routes_column(table, a->column.name);
        if (column == ROUTES_NONE)
            return refuse(p, 1054, "Unknown column '%.*s' in 'field list'", SHOWN(a->column.name));
        assigned[column] = true;
    }
    list[0] = (struct change_target){ .verb = CHANGE_UPDATE, .columns = set, .zero = zero,
                                      .moved_zero = zero };
    list[1] = (struct change_target){ .verb = CHANGE_INSERT, .columns = all, .zero = zero };
    for (uint32_t i = 0; i < table->n_columns; i++) {
        if (assigned[i])
            set[list[0].n_columns++] = i;
        if (table->columns[i].generated)
            continue;
        all[n++] = i;
        m->spec->takes_defaults |= insert_position(in, table, i) == ROUTES_NONE;
    }
    list[1].n_columns  = n;
    bool updates       = list[0].n_columns != 0;
    m->spec->targets   = updates ? list : list + 1;
    m->spec->n_targets = updates ? 2 : 1;
    return true;
}
