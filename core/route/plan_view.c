/* plan_view.c - see plan_internal.h: views that no shard can answer become their SELECTs.
 *
 *   SELECT a, app.v.b FROM v WHERE a > 5   -->   SELECT a, `v`.b FROM (select ...) `v` WHERE a > 5
 *
 * The new text is a statement of its own, which is planned anew: what can be said to the shards
 * is found there, and a view in a view is the next turn's. Where it is not certain that the text
 * means what the view does, nothing is done, and the statement stays refused.
 */
#include <stdlib.h>

#include "core/route/plan_internal.h"

enum { TITLE_MAX = 255 };

struct view_use {
    const struct table_ref   *ref;
    const struct route_table *view;
    struct view_use          *next;
};

struct replacement {
    struct range             range;
    const struct route_table *view;  /* NULL: a qualified name */
    struct span              name;   /* what the view, or the column's table, is called */
    struct span              column; /* "*": all of them */
    struct span              title;  /* of an item of the answer that ends here */
};

struct finder {
    struct planner         *p;
    struct view_use        *uses;
    uint32_t                n_uses;
    const struct table_ref *written; /* the tables of an UPDATE or DELETE themselves */
    bool                    shadowed, failed;
    struct replacement     *list; /* NULL: count them */
    uint32_t                n;
};

static const struct route_table *
find_view(const struct planner *p, const struct path *path)
{
    const struct route_table *t = view_table(p, path);
    return t == NULL || t->kind != TABLE_VIEW ? NULL : t;
}

/* Of the joins of an UPDATE or DELETE, whose views may be what is written. */
static bool
is_written(const struct table_ref *tree, const struct table_ref *ref)
{
    return tree != NULL && (tree == ref || (tree->kind == TABLE_REF_JOIN &&
                                            (is_written(tree->left, ref) ||
                                             is_written(tree->right, ref))));
}

static bool
see_table(struct visitor *v, struct table_ref *ref)
{
    struct finder            *f    = v->context;
    const struct route_table *view = ref->kind == TABLE_REF_TABLE ? find_view(f->p, &ref->table)
                                                                  : NULL;
    if (view == NULL)
        return true;
    f->failed = f->failed || ref->system_time || ref->partition.end != 0 ||
                is_written(f->written, ref);
    struct view_use *use = make(f->p, sizeof(*use));
    *use     = (struct view_use){ ref, view, f->uses };
    f->uses  = use;
    f->n_uses++;
    return true;
}

/* A CTE of that name might be meant somewhere. */
static bool
see_ctes(struct visitor *v, struct query *q)
{
    struct finder *f = v->context;
    for (const struct cte *c = q->with; c != NULL; c = c->next)
        for (const struct view_use *u = f->uses; u != NULL; u = u->next)
            f->shadowed |= u->ref->table.schema.ptr == NULL &&
                           span_equal_nocase(c->name, u->ref->table.name);
    return true;
}

/* ---- does the text mean the same in this session? ---- */

static bool
has_byte(struct span text, uint8_t byte)
{
    return text.len != 0 && memchr(text.ptr, byte, text.len) != NULL;
}

bool
view_is_sayable(struct planner *p, const struct route_table *view)
{
    struct span text  = view->view_text;
    bool        plain = text.len != 0 &&
                 (p->context->lex.charset == LEX_UTF8 || span_is_ascii(text)) &&
                 !(has_byte(text, '"') && p->context->lex.ansi_quotes) &&
                 !(has_byte(text, '\\') && p->context->lex.no_backslash_escapes);
    if (!plain)
        return false;
    if (!has_byte(text, '\'') || view->view_collation == p->context->collation)
        return true;
    /* Strings that are compared with one another are compared by its maker's collation. */
    p->out->error = (struct sql_error){ 0 };
    p->refused    = false;
    return NOT_YET(p, "shardd: the view '%.*s' was made under another collation_connection than "
                      "this session's, and its strings may mean something else here: SET NAMES "
                      "as it was made, or use its SELECT instead", SHOWN(view->name));
}

/* ---- the new text ---- */

static void
add(struct finder *f, struct replacement r)
{
    if (f->list != NULL)
        f->list[f->n] = r;
    f->n++;
}

/* app.v.a, app.v.*: the SELECT in the view's place is in no schema. */
static bool
see_column(struct visitor *v, struct expr *e)
{
    struct finder *f = v->context;
    if ((e->kind != EXPR_COLUMN && e->kind != EXPR_STAR) || e->path == NULL ||
        e->path->schema.ptr == NULL)
        return true;
    struct path named = { .schema = e->path->schema, .name = e->path->table };
    for (const struct view_use *u = f->uses; u != NULL; u = u->next) {
        if (u->ref->alias.ptr != NULL || find_view(f->p, &named) != u->view)
            continue;
        add(f, (struct replacement){ .range = { e->start, e->end }, .name = e->path->table,
                                     .column = e->kind == EXPR_STAR ? SPAN("*")
                                                                    : e->path->name });
        return true;
    }
    return true;
}

static void
see_uses(struct finder *f)
{
    for (const struct view_use *u = f->uses; u != NULL; u = u->next) {
        struct span name = u->ref->table.name;
        if (u->ref->alias.ptr != NULL)
            name.ptr = NULL;
        add(f, (struct replacement){ .range = u->ref->table.range, .view = u->view,
                                     .name = name });
    }
}

/* The answer's columns are called as they were written. A title with literals is this
 * statement's alone. */
static void
see_titles(struct finder *f, const struct query *q)
{
    uint32_t before = f->n;
    while (q->kind == QUERY_UNION && q->parts != NULL)
        q = q->parts;
    for (const struct select_item *item = q->items; item != NULL; item = item->next) {
        const struct expr *e       = item->expr;
        bool               changes = false;
        for (uint32_t i = 0; i < before; i++)
            changes |= f->list[i].range.start >= e->start && f->list[i].range.end <= e->end;
        if (!changes || item->alias.ptr != NULL || e->kind == EXPR_COLUMN ||
            e->kind == EXPR_STAR || e->end - e->start > TITLE_MAX)
            continue;
        for (uint32_t i = 0; f->p->digest != NULL && i < f->p->digest->n_literals; i++)
            if (f->p->digest->literals[i].start >= e->start &&
                f->p->digest->literals[i].end <= e->end)
                f->p->out->cacheable = false;
        struct span title = { f->p->text.ptr + e->start, e->end - e->start };
        add(f, (struct replacement){ .range = { item->range.end, item->range.end },
                                     .title = title });
    }
}

static int
by_start(const void *a, const void *b)
{
    const struct replacement *x = a, *y = b;
    return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

static const struct sql_template *
new_text(struct finder *f)
{
    struct planner *p  = f->p;
    uint32_t        at = 0;
    struct text     t;
    qsort(f->list, f->n, sizeof(*f->list), by_start);
    p->n_insertions = 0; /* of hide_make(): this text is not yet for shards */
    text_begin(&t, p);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct replacement *r = &f->list[i];
        text_source(&t, at, r->range.start);
        if (r->view != NULL) {
            text_const(&t, "(");
            text_span(&t, r->view->view_text);
            text_const(&t, ")");
        }
        if (r->name.ptr != NULL) {
            text_const(&t, r->view != NULL ? " " : "");
            text_name(&t, r->name);
        }
        if (r->title.ptr != NULL) {
            text_const(&t, " AS ");
            text_name(&t, r->title);
        }
        if (r->column.ptr != NULL) {
            text_const(&t, ".");
            if (span_equal(r->column, SPAN("*")))
                text_const(&t, "*");
            else
                text_name(&t, r->column);
        }
        at = r->range.end;
    }
    text_source(&t, at, (uint32_t)p->text.len);
    return text_keep(&t);
}

/* The tables that an UPDATE or DELETE writes. */
static const struct table_ref *
written_by(const struct stmt *s)
{
    if (s->kind == STMT_UPDATE)
        return s->update->tables;
    return s->kind == STMT_DELETE ? s->delete->tables : NULL;
}

static bool
reads(const struct stmt *s)
{
    return s->kind == STMT_SELECT || s->kind == STMT_INSERT || s->kind == STMT_UPDATE ||
           s->kind == STMT_DELETE;
}

static uint32_t
n_items(const struct query *q)
{
    while (q != NULL && q->kind == QUERY_UNION && q->parts != NULL)
        q = q->parts;
    return q == NULL ? 0 : q->n_items;
}

static bool
find_uses(struct planner *p, struct finder *f)
{
    struct visitor tables = { .table_ref = see_table, .context = f };
    struct visitor ctes   = { .query = see_ctes, .context = f };
    visit_statement(&tables, (struct stmt *)(uintptr_t)p->stmt);
    /* FOR UPDATE locks the rows below a view, but not those below a SELECT in FROM. */
    if (f->n_uses == 0 || f->failed || (p->stmt->flags & STMT_HAS_LOCK) != 0)
        return false;
    visit_statement(&ctes, (struct stmt *)(uintptr_t)p->stmt);
    if (f->shadowed)
        return false;
    for (const struct view_use *u = f->uses; u != NULL; u = u->next)
        if (!view_is_sayable(p, u->view))
            return false;
    return true;
}

static void
become(struct planner *p, const char *reason)
{
    struct plan *out = p->out;
    out->kind    = PLAN_EXPAND;
    out->target  = (struct target){ .kind = TARGET_ANY };
    out->merge   = NULL;
    out->insert  = NULL;
    out->gather  = NULL;
    out->change  = NULL;
    out->error   = (struct sql_error){ 0 };
    out->reason  = reason;
    out->is_read = out->is_write = out->reference_write = false;
    p->refused   = false;
}

void
plan_view(struct planner *p)
{
    struct finder f = { .p = p };
    if (p->stmt == NULL || !reads(p->stmt))
        return;
    if (p->stmt->kind != STMT_SELECT && view_write(p)) {
        become(p, "a view of rows on several shards is its table");
        return;
    }
    if (p->refused && p->out->error.code != SQL_NOT_SUPPORTED)
        return;
    f.written = written_by(p->stmt);
    if (!find_uses(p, &f))
        return;
    struct visitor columns = { .expr = see_column, .context = &f };
    see_uses(&f);
    visit_statement(&columns, (struct stmt *)(uintptr_t)p->stmt);
    const struct query *top = p->stmt->kind == STMT_SELECT ? p->stmt->query : NULL;
    f.list = make(p, (f.n + n_items(top)) * sizeof(*f.list));
    f.n    = 0;
    see_uses(&f);
    visit_statement(&columns, (struct stmt *)(uintptr_t)p->stmt);
    if (top != NULL)
        see_titles(&f, top);
    if (f.failed)
        return;
    p->out->text = new_text(&f);
    become(p, "a view of rows on several shards is its SELECT");
}
