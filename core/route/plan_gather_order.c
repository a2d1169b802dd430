/* plan_gather_order.c - see plan_internal.h: may the answer depend on the order of rows?
 *
 * SQL leaves it open which rows a LIMIT inside keeps, which row of a group an ungrouped column is
 * of, what comes first in GROUP_CONCAT, and who is first among equals in a window. A server takes
 * the rows as they come, which is by primary key mostly, and applications have got used to that.
 * So copies for such statements have that order, as long as they are small.
 */
#include "core/route/plan_gather.h"

static bool
see_expr(struct visitor *v, struct expr *e)
{
    static const char *const names[] = { "GROUP_CONCAT", "JSON_ARRAYAGG", "JSON_OBJECTAGG",
                                         "ROWNUM" };
    bool *depends = v->context;
    *depends |= e->kind == EXPR_ASSIGN;
    if (e->kind != EXPR_FUNC)
        return true;
    *depends |= e->func->klass == FUNC_WINDOW;
    for (size_t i = 0; i < countof(names); i++)
        *depends |= span_equal_nocase(e->func->name.name, span_of(names[i]));
    return true;
}

static bool
see_column(struct visitor *v, struct expr *e)
{
    *(bool *)v->context |= e->kind == EXPR_COLUMN || e->kind == EXPR_STAR;
    return e->kind != EXPR_SUBQUERY;
}

static bool
is_grouped(const struct query *q, struct expr *e)
{
    e = bare(e);
    for (const struct order_item *o = q->group_by; o != NULL; o = o->next) {
        const struct expr *g = bare(o->expr);
        if (g->kind == EXPR_COLUMN && e->kind == EXPR_COLUMN &&
            span_equal_nocase(g->path->name, e->path->name))
            return true;
    }
    return false;
}

/* A column that is neither grouped by nor in an aggregate. */
static bool
has_loose_item(const struct query *q)
{
    for (const struct select_item *item = q->items; item != NULL; item = item->next) {
        bool           names = false;
        struct visitor v     = { .expr = see_column, .context = &names };
        visit_expr(&v, item->expr);
        if (names && !has_aggregate(item->expr) && !is_grouped(q, item->expr))
            return true;
    }
    return false;
}

static bool
see_query(struct visitor *v, struct query *q)
{
    bool *depends = v->context;
    *depends |= q->limit != NULL;
    if (q->kind == QUERY_BLOCK && (q->group_by != NULL || query_aggregates(q)))
        *depends |= has_loose_item(q);
    return true;
}

bool
gather_is_ordered(struct planner *p)
{
    bool           depends = false;
    struct visitor v       = { .query = see_query, .expr = see_expr, .context = &depends };
    visit_query(&v, p->whole);
    /* A server's COUNT of no rows is NULL there where the table is one of Aria or MEMORY. */
    for (const struct scope *s = p->scopes; s != NULL; s = s->next_all)
        depends |= s->aggregated;
    return depends;
}
