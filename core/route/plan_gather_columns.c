/* plan_gather_columns.c - see plan_internal.h: the columns that a statement can name.
 *
 * A name is looked for in its block and in all blocks around it, and every table that has such
 * a column gives it: so what is ambiguous to a server is so on the engine. A * means all that
 * can be seen, NATURAL JOIN and what it compares likewise.
 */
#include "core/route/plan_gather.h"

struct columns {
    struct planner   *p;
    struct gathering *list;
    struct scope     *s;
    const struct query *exists; /* its items do not matter, only whether there is a row */
    uint32_t          n_defaults; /* DEFAULT(column) of tables */
};

struct gathering *
gathering_of(struct gathering *list, const struct instance *i)
{
    for (; list != NULL; list = list->next)
        if (i->table != NULL && list->index == i->table_index)
            return list;
    return NULL;
}

static bool
is_meant(const struct path *path, const struct instance *i)
{
    return path == NULL || ((path->table.ptr == NULL || span_equal_nocase(path->table, i->alias)) &&
                            (path->schema.ptr == NULL ||
                             span_equal_nocase(path->schema, i->schema)));
}

static void
want_name(struct columns *c, const struct path *path, struct span name)
{
    for (const struct scope *s = c->s; s != NULL; s = s->outer)
        for (const struct instance *i = s->first; i != NULL; i = i->next) {
            struct gathering *g  = gathering_of(c->list, i);
            uint32_t          at = g == NULL ? ROUTES_NONE : routes_column(g->table, name);
            if (at != ROUTES_NONE && is_meant(path, i))
                g->wanted[at] = true;
        }
}

/* `path` NULL: of all tables of the block. */
static void
want_all(struct columns *c, const struct path *path, bool invisible_too)
{
    for (const struct instance *i = c->s->first; i != NULL; i = i->next) {
        struct gathering *g = gathering_of(c->list, i);
        for (uint32_t at = 0; g != NULL && is_meant(path, i) && at < g->table->n_columns; at++)
            if (invisible_too || !g->table->columns[at].invisible)
                g->wanted[at] = true;
    }
}

static bool
see_query(struct visitor *v, struct query *q)
{
    struct columns *c = v->context;
    if (q != c->s->query) /* has a scope of its own */
        return false;
    for (const struct select_item *item = q->items; item != NULL && q != c->exists;
         item = item->next)
        if (item->expr->kind == EXPR_STAR)
            want_all(c, item->expr->path, false);
    return true;
}

static bool
see_table(struct visitor *v, struct table_ref *ref)
{
    struct columns *c = v->context;
    if (ref->natural)
        want_all(c, NULL, true);
    for (const struct name_item *n = ref->using_columns; n != NULL; n = n->next)
        want_name(c, NULL, n->name);
    return true;
}

/* Of the table that an INSERT writes, whose columns are all wanted. Its copy has no default for
 * numbers that are not given yet. */
static bool
is_of_target(const struct planner *p, const struct path *path)
{
    if (p->stmt->kind != STMT_INSERT || p->maker == NULL || p->maker->n_targets == 0)
        return false;
    const struct route_table *t  = p->maker->targets[0]->table;
    uint32_t                  at = routes_column(t, path->name);
    return at != ROUTES_NONE && at != t->auto_increment && !t->columns[at].generated &&
           (path->table.ptr == NULL || span_equal_nocase(path->table, t->name));
}

/* What a column's default is computed from may be any other one. */
static void
want_default(struct columns *c, struct expr *e)
{
    struct expr      *of = e->n_args == 1 ? bare(e->args) : NULL;
    uint32_t          column;
    struct instance  *i = of != NULL && of->kind == EXPR_COLUMN
                              ? scope_column(c->s, of->path, &column) : NULL;
    struct gathering *g = i == NULL || i->ref == NULL ? NULL : gathering_of(c->list, i);
    if (g == NULL) {
        c->n_defaults += of != NULL && of->kind == EXPR_COLUMN && is_of_target(c->p, of->path);
        return;
    }
    c->n_defaults++;
    for (uint32_t at = 0; at < g->table->n_columns; at++)
        g->wanted[at] = true;
}

static bool
see_expr(struct visitor *v, struct expr *e)
{
    if (e->kind == EXPR_DEFAULT)
        want_default(v->context, e);
    if (e->kind == EXPR_COLUMN)
        want_name(v->context, e->path, e->path->name);
    return true;
}

/* ---- EXISTS (SELECT * ...) ---- */

struct search {
    const struct query *q;
    bool                found;
};

static bool
look_for_exists(struct visitor *v, struct expr *e)
{
    struct search *s = v->context;
    s->found |= e->kind == EXPR_EXISTS && e->args->kind == EXPR_SUBQUERY && e->args->query == s->q;
    return true;
}

static bool
only_exists(const struct planner *p, const struct query *q)
{
    struct search  s = { .q = q };
    struct visitor v = { .expr = look_for_exists, .context = &s };
    if (q->kind != QUERY_BLOCK || q->distinct || q->limit != NULL || q->group_by != NULL ||
        q->items == NULL || q->items->expr->kind != EXPR_STAR)
        return false;
    visit_query(&v, p->whole);
    return s.found;
}

/* ---- */

static bool
is_small(const struct route_column *c)
{
    return column_is_integer(c->type) || c->type == COLUMN_DATE ||
           c->type == COLUMN_DATETIME || c->type == COLUMN_TIMESTAMP || c->type == COLUMN_YEAR;
}

/* Rows are counted even when none of their columns is named; and a table needs a column that
 * can be seen. */
static void
want_one(struct gathering *g)
{
    const struct route_table *t    = g->table;
    uint32_t                  best = ROUTES_NONE;
    for (uint32_t at = 0; at < t->n_columns; at++) {
        if (t->columns[at].invisible)
            continue;
        if (g->wanted[at])
            return;
        if (best == ROUTES_NONE || (!is_small(&t->columns[best]) && is_small(&t->columns[at])))
            best = at;
    }
    if (best != ROUTES_NONE)
        g->wanted[best] = true;
}

void
gather_columns(struct planner *p, struct gathering *list)
{
    struct columns c = { .p = p, .list = list };
    struct visitor v = { see_query, see_table, see_expr, &c };
    for (c.s = p->scopes; c.s != NULL; c.s = c.s->next_all) {
        c.exists = only_exists(p, c.s->query) ? c.s->query : NULL;
        visit_query(&v, c.s->query);
    }
    for (; list != NULL; list = list->next)
        want_one(list);
    if (c.n_defaults != p->n_defaults)
        NOT_YET(p, "shardd: DEFAULT(column) over several shards is possible for columns of tables "
                   "only");
}
