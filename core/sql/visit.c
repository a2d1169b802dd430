/* visit.c - see statement.h. */
#include "core/sql/statement.h"

static void
visit_exprs(struct visitor *v, struct expr *e)
{
    for (; e != NULL; e = e->next)
        visit_expr(v, e);
}

static void
visit_order(struct visitor *v, struct order_item *o)
{
    for (; o != NULL; o = o->next)
        visit_expr(v, o->expr);
}

static void
visit_items(struct visitor *v, struct select_item *item)
{
    for (; item != NULL; item = item->next)
        visit_expr(v, item->expr);
}

static void
visit_limit(struct visitor *v, struct limit *l)
{
    if (l == NULL)
        return;
    visit_exprs(v, l->count);
    visit_exprs(v, l->offset);
    visit_exprs(v, l->rows_examined);
}

static void
visit_window(struct visitor *v, struct window *w)
{
    for (; w != NULL; w = w->next) {
        visit_exprs(v, w->partition_by);
        visit_order(v, w->order_by);
        visit_exprs(v, w->frame);
    }
}

static void
visit_assignments(struct visitor *v, struct assignment *a)
{
    for (; a != NULL; a = a->next)
        visit_expr(v, a->value);
}

static void
visit_rows(struct visitor *v, struct row *r)
{
    for (; r != NULL; r = r->next)
        visit_exprs(v, r->values);
}

static void
visit_ctes(struct visitor *v, struct cte *c)
{
    for (; c != NULL; c = c->next)
        visit_query(v, c->query);
}

void
visit_expr(struct visitor *v, struct expr *e)
{
    if (e == NULL || (v->expr != NULL && !v->expr(v, e)))
        return;
    visit_exprs(v, e->args);
    if (e->kind == EXPR_SUBQUERY) {
        visit_query(v, e->query);
    } else if (e->kind == EXPR_FUNC) {
        visit_order(v, e->func->order_by);
        visit_limit(v, e->func->limit);
        visit_window(v, e->func->over);
    }
}

void
visit_table_ref(struct visitor *v, struct table_ref *t)
{
    if (t == NULL || (v->table_ref != NULL && !v->table_ref(v, t)))
        return;
    visit_table_ref(v, t->left);
    visit_table_ref(v, t->right);
    visit_exprs(v, t->on);
    visit_exprs(v, t->args);
    if (t->query != NULL)
        visit_query(v, t->query);
}

void
visit_query(struct visitor *v, struct query *q)
{
    if (q == NULL || (v->query != NULL && !v->query(v, q)))
        return;
    visit_ctes(v, q->with);
    visit_items(v, q->items);
    visit_table_ref(v, q->from);
    visit_exprs(v, q->where);
    visit_order(v, q->group_by);
    visit_exprs(v, q->having);
    visit_window(v, q->windows);
    visit_rows(v, q->rows);
    for (struct query *part = q->parts; part != NULL; part = part->next)
        visit_query(v, part);
    visit_order(v, q->order_by);
    visit_limit(v, q->limit);
    if (q->into != NULL)
        visit_exprs(v, q->into->targets);
}

static void
visit_insert(struct visitor *v, struct insert *i)
{
    visit_rows(v, i->rows);
    visit_assignments(v, i->set);
    visit_query(v, i->query);
    visit_assignments(v, i->on_duplicate);
    visit_items(v, i->returning);
}

static void
visit_update(struct visitor *v, struct update *u)
{
    visit_ctes(v, u->with);
    visit_table_ref(v, u->tables);
    visit_assignments(v, u->set);
    visit_expr(v, u->where);
    visit_order(v, u->order_by);
    visit_limit(v, u->limit);
}

static void
visit_delete(struct visitor *v, struct delete *d)
{
    visit_ctes(v, d->with);
    visit_table_ref(v, d->tables);
    visit_expr(v, d->before);
    visit_expr(v, d->where);
    visit_order(v, d->order_by);
    visit_limit(v, d->limit);
    visit_items(v, d->returning);
}

static void
visit_set(struct visitor *v, struct set *set)
{
    for (struct set_item *i = set->items; i != NULL; i = i->next)
        visit_expr(v, i->value);
    if (set->statement != NULL)
        visit_statement(v, set->statement);
}

void
visit_statement(struct visitor *v, struct stmt *s)
{
    visit_exprs(v, s->expr);
    visit_exprs(v, s->args);
    switch ((unsigned)s->kind) {
    case STMT_SELECT: visit_query(v, s->query); break;
    case STMT_INSERT: visit_insert(v, s->insert); break;
    case STMT_UPDATE: visit_update(v, s->update); break;
    case STMT_DELETE: visit_delete(v, s->delete); break;
    case STMT_SET: visit_set(v, s->set); break;
    case STMT_EXPLAIN:
        if (s->explain->statement != NULL)
            visit_statement(v, s->explain->statement);
        break;
    case STMT_SHOW:
        visit_expr(v, s->show->like);
        visit_expr(v, s->show->where);
        break;
    case STMT_LOAD: visit_assignments(v, s->load->set); break;
    case STMT_KILL: visit_expr(v, s->kill->id); break;
    case STMT_CREATE_TABLE: visit_query(v, s->create_table->query); break;
    case STMT_CREATE_VIEW: visit_query(v, s->create_view->query); break;
    default: break;
    }
}

bool
expr_is_constant(const struct expr *e)
{
    switch ((int)e->kind) {
    case EXPR_LITERAL: case EXPR_NULL: case EXPR_BOOL: return true;
    case EXPR_DEFAULT: return e->args == NULL;
    case EXPR_COLUMN:  return e->path->table.ptr == NULL; /* ON, ROW, a mode's name */
    case EXPR_PAREN: case EXPR_UNARY: case EXPR_BINARY:
        for (const struct expr *a = e->args; a != NULL; a = a->next)
            if (!expr_is_constant(a) || a->kind == EXPR_DEFAULT)
                return false;
        return true;
    default: return false;
    }
}
