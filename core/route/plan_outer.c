/* plan_outer.c - aggregate functions of a subquery that are of the rows around it.
 *
 *   SELECT (SELECT SUM(t.b)) FROM t        one row, with the sum of all rows of t
 *
 * As in the standard: one whose columns are all of blocks further out makes such a block
 * aggregate. Which one is not looked for: all of them up to the first that has such a column.
 */
#include "core/route/plan_internal.h"

struct finder {
    const struct scope *s;
    const struct scope *owner; /* of a column that is not its own; NULL: not known */
    bool                any, own;
};

static bool
see_column(struct visitor *v, struct expr *e)
{
    struct finder *f = v->context;
    uint32_t       index;

    if (e->kind != EXPR_COLUMN)
        return true;
    struct instance    *i = scope_column(f->s, e->path, &index);
    const struct scope *o = f->s->outer;
    f->any = true;
    f->own |= i == NULL ? f->s->first != NULL : scope_has(f->s, i);
    while (o != NULL && (i == NULL || !scope_has(o, i)))
        o = o->outer;
    if (f->owner == NULL)
        f->owner = o;
    return true;
}

void
scope_see_aggregate(struct scope *s, const struct expr *e)
{
    struct finder  f = { .s = s };
    struct visitor v = { .expr = see_column, .context = &f };

    if (s->outer == NULL || e->kind != EXPR_FUNC || e->func->klass != FUNC_AGGREGATE)
        return;
    for (struct expr *argument = e->args; argument != NULL; argument = argument->next)
        visit_expr(&v, argument);
    if (!f.any || f.own)
        return;
    for (struct scope *o = s->outer; o != NULL; o = o == f.owner ? NULL : o->outer)
        o->aggregated = true;
}
