/* plan_gather_join.c - see plan_internal.h: which tables are fetched behind others.
 *
 *   users WHERE city = 'Ulm'  --its ids-->  orders WHERE user_id IN (1, 7, 9)
 *
 * A row of `orders` for which orders.user_id = users.id holds with no row of users matters to
 * nothing, where that equality filters the rows of orders. On the engine it holds with rows that
 * were fetched only, so that a list of their values says the same on the shards. That is right
 *
 * - where the condition filters the table: it is a conjunct of the WHERE of its block, of an inner
 *   join's ON, of the ON of the outer join that fills its rows with NULL; or it follows from
 *   one, IN (SELECT ...) or EXISTS (SELECT ...). The other table may be of the block, of a block
 *   around it, or of such a subquery: what is compared is a value of one of its rows, or NULL;
 * - where the table occurs once, so that nothing else wants its rows;
 * - where the statement does not change what is compared, and makes no new rows of the table;
 * - where = means the same in the list: both columns are whole numbers, or of one type with one
 *   collation that we know.
 *
 * Whether it pays nobody knows before: a table with a condition of its own is taken to have fewer
 * rows than one without, a given key beats all. More values than gather_join_values are no list,
 * and then all rows come.
 */
#include "core/route/collation.h"
#include "core/route/gather.h"
#include "core/route/plan_gather.h"
#include "core/sql/charset.h"

enum {
    LINKS_MAX = 4, /* of one table */
    WAVES_MAX = 4,
    COST_KEYS = 0, COST_LIMIT = 5, COST_EQUAL = 10, COST_FILTERED = 20, COST_ALL = 30,
};

/* A column of a table whose rows matter only with a value of the other's. */
struct edge {
    struct gathering *g, *of;
    uint32_t          column, of_column;
    struct edge      *next;
};

struct joins {
    struct planner            *p;
    struct gathering          *list;
    const struct change_maker *m; /* NULL: a read */
    struct edge               *edges;
    const struct condition    *c; /* that is looked at */
};

/* ---- what may be compared by a list ---- */

bool
gather_lists(const struct route_column *column, const struct route_column *of)
{
    if (column_is_integer(column->type) && column_is_integer(of->type))
        return true;
    if (column->type != of->type || column->collation != of->collation)
        return false;
    const struct collation *collation = collation_find(column->collation);
    switch ((int)column->type) {
    case COLUMN_CHAR:
    case COLUMN_VARCHAR:
        return collation != NULL && collation->pads &&
               charset_of_collation(column->collation) != NULL;
    case COLUMN_BINARY:    return column->length == of->length;
    case COLUMN_VARBINARY: return true;
    default:               return false;
    }
}

/* ---- which tables ---- */

static bool
assigns(const struct change_maker *m, const struct gathering *g, uint32_t column)
{
    for (uint32_t i = 0; m != NULL && i < m->n_targets; i++)
        if (m->targets[i] == g && (m->spec->verb == CHANGE_INSERT || m->columns[i][column]))
            return true;
    return false;
}

/* Its rows may be left out. */
static bool
may_lack(const struct joins *j, const struct gathering *g)
{
    bool inserts = j->m != NULL && j->m->spec->verb == CHANGE_INSERT;
    return g->n_occurrences == 1 && !g->all_rows && !g->empty && !g->whole && g->limit == NULL &&
           !(inserts && g->changed);
}

static void
add_edge(struct joins *j, const struct instance *i, uint32_t column, const struct instance *of,
         uint32_t of_column)
{
    struct gathering *g     = i->ref == NULL ? NULL : gathering_of(j->list, i);
    struct gathering *other = of->ref == NULL ? NULL : gathering_of(j->list, of);
    if (g == NULL || other == NULL || g == other || column >= g->table->n_columns ||
        of_column >= other->table->n_columns || !may_lack(j, g) ||
        assigns(j->m, other, of_column) || assigns(j->m, g, column) ||
        !gather_lists(&g->table->columns[column], &other->table->columns[of_column]))
        return;
    struct edge *e = make(j->p, sizeof(*e));
    *e             = (struct edge){ g, other, column, of_column, j->edges };
    j->edges       = e;
}

/* ---- conditions ---- */

struct common {
    bool found;
};

static bool
see_join(struct visitor *v, struct table_ref *ref)
{
    ((struct common *)v->context)->found |= ref->natural || ref->using_columns != NULL;
    return ref->kind == TABLE_REF_JOIN;
}

/* Where columns of both sides have become one, a bare name may be either's. */
static struct instance *
column_of(const struct scope *s, struct expr *e, uint32_t *column)
{
    struct common  c = { false };
    struct visitor v = { .table_ref = see_join, .context = &c };
    e = bare(e);
    if (e == NULL || e->kind != EXPR_COLUMN)
        return NULL;
    for (const struct scope *at = s; at != NULL && e->path->table.ptr == NULL; at = at->outer)
        if (at->query != NULL)
            visit_table_ref(&v, at->query->from);
    return c.found ? NULL : scope_column(s, e->path, column);
}

static struct scope *
scope_of(const struct planner *p, const struct query *q)
{
    struct scope *s = p->scopes;
    while (s != NULL && s->query != q)
        s = s->next_all;
    return s;
}

/* Rows of it are rows of its tables, all that its WHERE leaves. */
static bool
is_simple(const struct scope *s)
{
    const struct query *q = s->query;
    return !s->aggregated && q->kind == QUERY_BLOCK && q->group_by == NULL && q->having == NULL &&
           q->limit == NULL && q->order_by == NULL && !query_aggregates(q);
}

/* a = b, as a filter of the rows of `s`. */
static void
see_equal(struct joins *j, const struct scope *s, const struct expr *e)
{
    uint32_t         a_column = 0, b_column = 0;
    struct instance *a = column_of(s, e->args, &a_column);
    struct instance *b = column_of(s, e->args->next, &b_column);
    if (a == NULL || b == NULL)
        return;
    if (a->region == j->c->region)
        add_edge(j, a, a_column, b, b_column);
    if (b->region == j->c->region)
        add_edge(j, b, b_column, a, a_column);
}

/* x IN (SELECT y ...), as a filter. */
static void
see_in(struct joins *j, const struct expr *e)
{
    const struct query *q = e->args->next->query;
    const struct scope *s = scope_of(j->p, q);
    uint32_t            x_column = 0, y_column = 0;
    if (s == NULL || q->kind != QUERY_BLOCK || q->n_items != 1)
        return;
    struct instance *x = column_of(j->c->s, e->args, &x_column);
    struct instance *y = column_of(s, q->items->expr, &y_column);
    if (x == NULL || y == NULL)
        return;
    if (x->region == j->c->region)
        add_edge(j, x, x_column, y, y_column);
    if (y->region == s->region && is_simple(s))
        add_edge(j, y, y_column, x, x_column);
}

/* What must be equal for a row of EXISTS (SELECT ...), as a filter. */
static void
see_exists_equal(struct joins *j, const struct scope *s, struct expr *e)
{
    e = bare(e);
    if (e->kind == EXPR_AND)
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            see_exists_equal(j, s, arg);
    else if (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL)
        see_equal(j, s, e);
}

static void
see_exists(struct joins *j, const struct expr *e)
{
    const struct query *q = e->args->kind == EXPR_SUBQUERY ? e->args->query : NULL;
    const struct scope *s = q == NULL ? NULL : scope_of(j->p, q);
    if (s != NULL && is_simple(s) && q->where != NULL)
        see_exists_equal(j, s, q->where);
}

static void
see_conjunct(struct joins *j, struct expr *e)
{
    e = bare(e);
    if (e->kind == EXPR_AND)
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            see_conjunct(j, arg);
    else if (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL)
        see_equal(j, j->c->s, e);
    else if (e->kind == EXPR_IN && !e->negated && e->n_args == 2 &&
             e->args->next->kind == EXPR_SUBQUERY)
        see_in(j, e);
    else if (e->kind == EXPR_EXISTS && !e->negated)
        see_exists(j, e);
}

static void
see_meetings(struct joins *j)
{
    for (const struct meeting *m = j->p->meetings; m != NULL; m = m->next) {
        if (m->a->region == m->region)
            add_edge(j, m->a, m->a_column, m->b, m->b_column);
        if (m->b->region == m->region)
            add_edge(j, m->b, m->b_column, m->a, m->a_column);
    }
}

/* Rows that new ones may meet. */
static void
see_likes(struct joins *j)
{
    for (struct gathering *g = j->list; g != NULL; g = g->next) {
        if (g->like == NULL)
            continue;
        struct edge *e = make(j->p, sizeof(*e));
        *e             = (struct edge){ g, g->like, g->table->key, g->like_column, j->edges };
        j->edges       = e;
    }
}

/* ---- which of them are fetched first ---- */

static bool
is_equality(struct expr *e)
{
    e = bare(e);
    return (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL) ||
           (e->kind == EXPR_IN && !e->negated);
}

static uint32_t
cost_of(struct planner *p, const struct gathering *g)
{
    if (g->empty)
        return COST_ALL;
    if (gather_has_keys(p, g))
        return COST_KEYS;
    if (g->limit != NULL)
        return COST_LIMIT;
    if (g->filters == NULL)
        return COST_ALL;
    for (const struct filter *f = g->filters; f != NULL; f = f->next) {
        bool equal = f->keys != NULL;
        for (uint32_t i = 0; i < f->n; i++)
            equal = equal || is_equality(f->parts[i]);
        if (!equal)
            return COST_FILTERED;
    }
    return COST_EQUAL;
}

/* Of equals, rows that others refer to by their key are the fewer. */
static bool
is_before(const struct edge *e)
{
    bool refers = e->of->table->key == e->of_column && e->g->table->key != e->column;
    return e->of->cost < e->g->own_cost ||
           (e->of->cost == e->g->own_cost && e->of->cost < COST_ALL && refers);
}

static void
link_to(struct joins *j, const struct edge *e)
{
    struct gathering *g = e->g;
    for (const struct gather_link *l = g->links; l != NULL; l = l->next)
        if (l->column == e->column && l->of == e->of && l->of_column == e->of_column)
            return;
    if (g->n_links == LINKS_MAX || e->of->wave + 1 == WAVES_MAX)
        return;
    struct gather_link *l = make(j->p, sizeof(*l));
    *l       = (struct gather_link){ e->column, e->of, e->of_column, g->links };
    g->links = l;
    g->n_links++;
    if (g->wave <= e->of->wave)
        g->wave = e->of->wave + 1;
    if (g->cost > e->of->cost + 1)
        g->cost = e->of->cost + 1;
}

/* From the cheapest on: what is settled may tell the others. */
static void
settle(struct joins *j)
{
    for (;;) {
        struct gathering *best = NULL;
        for (struct gathering *g = j->list; g != NULL; g = g->next)
            if (!g->settled && (best == NULL || g->cost < best->cost))
                best = g;
        if (best == NULL)
            return;
        best->settled = true;
        for (const struct edge *e = j->edges; e != NULL; e = e->next)
            if (e->of == best && !e->g->settled && is_before(e))
                link_to(j, e);
    }
}

/* By waves, each in the order of before: who tells comes before who is told. */
static struct gathering *
in_waves(struct gathering *list)
{
    struct gathering *sorted = NULL, **end = &sorted;
    for (uint32_t wave = 0; wave < WAVES_MAX; wave++)
        for (struct gathering **at = &list; *at != NULL;) {
            struct gathering *g = *at;
            if (g->wave != wave) {
                at = &g->next;
                continue;
            }
            *at     = g->next;
            g->next = NULL;
            *end    = g;
            end     = &g->next;
        }
    return sorted;
}

struct gathering *
gather_joins(struct planner *p, struct gathering *list, const struct change_maker *m)
{
    struct joins j = { .p = p, .list = list, .m = m };
    if (list->all_rows)
        return list;
    for (j.c = p->conditions; j.c != NULL; j.c = j.c->next)
        see_conjunct(&j, j.c->e);
    see_meetings(&j);
    see_likes(&j);
    if (j.edges == NULL)
        return list;
    for (struct gathering *g = list; g != NULL; g = g->next)
        g->cost = g->own_cost = cost_of(p, g);
    settle(&j);
    return in_waves(list);
}
