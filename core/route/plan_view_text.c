/* plan_view_text.c - see plan_internal.h: what the planner knows of a view, its text. */
#include "core/route/plan_internal.h"

enum { VIEWS_DEEP = 16 };

const struct route_table *
view_table(const struct planner *p, const struct path *path)
{
    struct span schema   = path->schema.ptr != NULL ? path->schema : p->context->schema;
    uint32_t    database = schema.len == 0 ? ROUTES_NONE : routes_database(p->routes, schema);
    uint32_t    at       = database == ROUTES_NONE ? ROUTES_NONE
                                                   : routes_table(p->routes, database, path->name);
    return at == ROUTES_NONE ? NULL : &p->routes->tables[at];
}

const struct query *
view_query(struct planner *p, const struct route_table *view)
{
    struct lex_options options = { .charset = LEX_UTF8 };
    struct stmt       *s       = NULL;
    if (view->view_text.len == 0 ||
        parse_statement(p->arena, view->view_text, options, NULL, &s) != PARSE_OK ||
        s->kind != STMT_SELECT || s->query->kind != QUERY_BLOCK)
        return NULL;
    return s->query;
}

/* ---- views of reference tables ---- */

static bool has_copies(struct planner *p, const struct table_ref *from, uint32_t deep);

static bool
is_of_copies(struct planner *p, const struct route_table *t, uint32_t deep)
{
    if (t == NULL || t->kind != TABLE_VIEW)
        return t != NULL && t->kind == TABLE_REFERENCE;
    const struct query *q = deep == VIEWS_DEEP ? NULL : view_query(p, t);
    return q == NULL ? t->view_kind == TABLE_REFERENCE : has_copies(p, q->from, deep + 1);
}

static bool
has_copies(struct planner *p, const struct table_ref *from, uint32_t deep)
{
    if (from == NULL)
        return false;
    if (from->kind == TABLE_REF_JOIN)
        return has_copies(p, from->left, deep) || has_copies(p, from->right, deep);
    return from->kind == TABLE_REF_TABLE && is_of_copies(p, view_table(p, &from->table), deep);
}

static const struct table_ref *
find_named(const struct table_ref *from, struct span name)
{
    if (from->kind == TABLE_REF_JOIN) {
        const struct table_ref *left = find_named(from->left, name);
        return left != NULL ? left : find_named(from->right, name);
    }
    struct span own = from->alias.ptr != NULL ? from->alias : from->table.name;
    return span_equal_nocase(own, name) ? from : NULL;
}

/* The table that has the view's column, and its name there; NULL: it is no column, or not clear. */
static const struct table_ref *
owner_of(const struct query *q, struct span column, struct span *of)
{
    const struct select_item *item = q->items;
    while (item != NULL && !span_equal_nocase(item->alias, column))
        item = item->next;
    if (item == NULL || q->from == NULL || item->expr->kind != EXPR_COLUMN ||
        item->expr->path->table.ptr == NULL)
        return NULL;
    const struct table_ref *ref = find_named(q->from, item->expr->path->table);
    *of = item->expr->path->name;
    return ref != NULL && ref->kind == TABLE_REF_TABLE ? ref : NULL;
}

static bool
is_copied(struct planner *p, const struct route_table *t, struct span column)
{
    for (uint32_t deep = 0; t != NULL && t->kind == TABLE_VIEW; deep++) {
        const struct query     *q   = deep == VIEWS_DEEP ? NULL : view_query(p, t);
        const struct table_ref *ref = q == NULL ? NULL : owner_of(q, column, &column);
        if (ref == NULL)
            return is_of_copies(p, t, 0);
        t = view_table(p, &ref->table);
    }
    return t != NULL && t->kind == TABLE_REFERENCE;
}

bool
view_writes_copies(struct planner *p, const struct route_table *t, struct span column)
{
    return t != NULL && t->kind == TABLE_VIEW &&
           (column.ptr != NULL ? is_copied(p, t, column) : is_of_copies(p, t, 0)) &&
           !NOT_YET(p, "shardd: the view '%.*s' has a reference table, which is written on every "
                       "shard: write the table itself", SHOWN(t->name));
}
