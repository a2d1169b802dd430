/* plan_gather_text.c - see plan_internal.h: what the shards and the engine are sent.
 *
 *   FROM `app`.`users` WHERE (`age` > :0) OR (`id` IN (:1, :2)) FOR UPDATE
 */
#include <stdlib.h>

#include "core/route/plan_gather.h"

/* ---- conditions ---- */

struct columns_of {
    const struct expr **items; /* NULL: count them */
    uint32_t            n;
};

static bool
see_column(struct visitor *v, struct expr *e)
{
    struct columns_of *c = v->context;
    if (e->kind == EXPR_COLUMN) {
        if (c->items != NULL)
            c->items[c->n] = e;
        c->n++;
    }
    return true;
}

static int
by_start(const void *a, const void *b)
{
    const struct expr *const *x = a, *const *y = b;
    return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

/* As written, but for the columns: they have no alias in front. */
static void
text_condition(struct text *t, struct expr *e)
{
    struct columns_of found = { 0 };
    struct visitor    v     = { .expr = see_column, .context = &found };
    visit_expr(&v, e);
    found = (struct columns_of){ .items = make(t->p, (found.n + 1) * sizeof(*found.items)) };
    visit_expr(&v, e);
    qsort(found.items, found.n, sizeof(*found.items), by_start);
    uint32_t at = e->start;
    text_const(t, "(");
    for (uint32_t i = 0; i < found.n; i++) {
        text_source(t, at, found.items[i]->start);
        text_name(t, found.items[i]->path->name);
        at = found.items[i]->end;
    }
    text_source(t, at, e->end);
    text_const(t, ")");
}

static void
text_keys(struct text *t, struct span column, const struct key_group *keys)
{
    text_const(t, "(");
    text_name(t, column);
    text_const(t, " IN (");
    for (uint32_t i = 0; i < keys->n_keys; i++) {
        if (i > 0)
            text_const(t, ",");
        struct operand key = keys->keys[i];
        if (key.negative)
            text_const(t, "-");
        key.negative = false; /* it is in the text */
        text_piece(t, (struct template_piece){ .kind = PIECE_OPERAND, .operand = key });
    }
    text_const(t, "))");
}

static void
text_filters(struct text *t, const struct gathering *g)
{
    bool hides = hide_table(t->p, g->table);
    if (hides) {
        text_const(t, " WHERE ");
        hide_condition(t, g->table, g->table->name, &g->table->columns[g->table->key],
                       gathering_locks(g));
    }
    for (const struct filter *f = g->filters; f != NULL; f = f->next) {
        text_const(t, f != g->filters ? " OR " : hides ? " AND (" : " WHERE ");
        for (uint32_t i = 0; i < f->n; i++) {
            if (i > 0)
                text_const(t, " AND ");
            text_condition(t, f->parts[i]);
        }
        if (f->keys != NULL && f->n > 0)
            text_const(t, " AND ");
        if (f->keys != NULL)
            text_keys(t, g->table->columns[g->table->key].name, f->keys);
    }
    if (hides && g->filters != NULL)
        text_const(t, ")");
}

static void
text_clause(struct text *t, struct range r)
{
    if (r.end == 0)
        return;
    text_const(t, " ");
    text_source(t, r.start, r.end);
}

static void
text_limit(struct text *t, const struct gathering *g)
{
    if (g->limit == NULL)
        return;
    for (const struct order_item *o = g->order; o != NULL; o = o->next) {
        text_const(t, o == g->order ? " ORDER BY " : ", ");
        text_condition(t, o->expr);
        if (o->descending)
            text_const(t, " DESC");
    }
    text_const(t, " ");
    text_source(t, g->limit->range.start, g->limit->range.end);
}

struct sql_template
gather_from(struct planner *p, const struct gathering *g, uint32_t *conditions_end)
{
    struct text t;
    text_begin(&t, p);
    text_const(&t, " FROM ");
    text_name(&t, p->routes->databases[g->table->database].name);
    text_const(&t, ".");
    text_name(&t, g->table->name);
    text_clause(&t, g->partition);
    text_clause(&t, g->period);
    if (g->empty)
        text_const(&t, " WHERE FALSE");
    else
        text_filters(&t, g);
    *conditions_end = t.n;
    text_limit(&t, g);
    text_clause(&t, g->lock);
    if (g->lock.end == 0 && g->lock_words != NULL)
        text_const(&t, g->lock_words);
    return text_end(&t);
}

/* ---- the statement ---- */

enum { TITLE_MAX = 255 };

struct cut {
    struct range range;
    const char  *words; /* in its place */
    struct span  title; /* or: the name of a column of the answer, which would be another one */
};

struct cuts {
    struct cut *items; /* NULL: count them */
    uint32_t    n;
    uint32_t    n_words; /* those before the titles */
    bool        literals; /* a title has some: it is this statement's alone */
};

static void
cut(struct cuts *c, struct range r, const char *words)
{
    if (r.end == 0)
        return;
    if (c->items != NULL)
        c->items[c->n] = (struct cut){ .range = r, .words = words };
    c->n++;
}

static bool
cut_query(struct visitor *v, struct query *q)
{
    cut(v->context, q->lock_range, "");
    return true;
}

static bool
cut_table(struct visitor *v, struct table_ref *ref)
{
    cut(v->context, ref->hints, "");
    cut(v->context, ref->partition, "");
    cut(v->context, ref->period, "");
    return true;
}

/* The copy has no such index, and only rows for which it holds. */
static void
cut_matches(struct cuts *c, const struct gathering *list)
{
    for (; list != NULL; list = list->next)
        for (const struct filter *f = list->n_occurrences == 1 ? list->filters : NULL; f != NULL;
             f = f->next)
            for (uint32_t i = 0; i < f->n; i++)
                if (match_in(f->parts[i]))
                    cut(c, (struct range){ f->parts[i]->start, f->parts[i]->end }, "TRUE");
}

static bool
is_cut(const struct cuts *c, const struct expr *e)
{
    bool found = c->items == NULL; /* none is forgotten where they are counted */
    for (uint32_t i = 0; i < c->n_words && !found; i++)
        found = c->items[i].range.start >= e->start && c->items[i].range.end <= e->end;
    return found;
}

static void
title(struct planner *p, struct cuts *c, const struct select_item *item)
{
    const struct expr *e = item->expr;
    if (item->alias.ptr != NULL || e->kind == EXPR_STAR || e->end - e->start > TITLE_MAX ||
        !is_cut(c, e))
        return;
    for (uint32_t i = 0; p->digest != NULL && i < p->digest->n_literals; i++)
        c->literals |= c->items != NULL && p->digest->literals[i].start >= e->start &&
                       p->digest->literals[i].end <= e->end;
    if (c->items != NULL)
        c->items[c->n] = (struct cut){
            .range = { e->end, e->end }, .title = { p->text.ptr + e->start, e->end - e->start } };
    c->n++;
}

struct titler {
    struct planner *p;
    struct cuts    *cuts;
};

static bool
title_query(struct visitor *v, struct query *q)
{
    struct titler *t = v->context;
    for (const struct select_item *item = q->items; item != NULL; item = item->next)
        title(t->p, t->cuts, item);
    return true;
}

static int
by_range(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

static void
find_cuts(struct planner *p, const struct gathering *list, struct cuts *c)
{
    struct visitor v = { cut_query, cut_table, NULL, c };
    struct range   more[2];
    uint32_t       n_more = change_cuts(p, more);
    c->n = 0;
    visit_query(&v, p->whole);
    if (p->tail != NULL)
        visit_query(&v, p->tail);
    cut_matches(c, list);
    for (uint32_t i = 0; i < n_more; i++)
        cut(c, more[i], "");
    for (uint32_t i = 0; p->maker != NULL && i < p->maker->n_nextvals; i++)
        cut(c, p->maker->nextvals[i], "NULL");
    c->n_words = c->n;
    if (p->maker == NULL && c->n > 0) {
        struct titler  t      = { p, c };
        struct visitor titles = { .query = title_query, .context = &t };
        visit_query(&titles, p->whole);
    }
}

const struct sql_template *
gather_statement(struct planner *p, struct gathering *list)
{
    struct cuts c  = { 0 };
    uint32_t    at = 0;
    struct text t;
    find_cuts(p, list, &c);
    if (c.n == 0)
        return NULL;
    c.items = make(p, c.n * sizeof(*c.items));
    find_cuts(p, list, &c);
    qsort(c.items, c.n, sizeof(*c.items), by_range);
    p->out->cacheable &= !c.literals;
    text_begin(&t, p);
    for (uint32_t i = 0; i < c.n; i++) {
        if (c.items[i].range.start < at)
            continue;
        text_source(&t, at, c.items[i].range.start);
        if (c.items[i].title.ptr != NULL) {
            text_const(&t, " AS ");
            text_name(&t, c.items[i].title);
        } else {
            text_const(&t, c.items[i].words);
        }
        at = c.items[i].range.end;
    }
    text_source(&t, at, (uint32_t)p->text.len);
    return text_keep(&t);
}
