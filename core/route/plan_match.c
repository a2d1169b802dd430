/* plan_match.c - see plan_internal.h: MATCH ... AGAINST where there are several shards.
 *
 * How well a row matches depends on all rows of the index, so scores of several servers cannot be
 * compared. Whether it matches at all is the row's own affair (InnoDB has no words that are too
 * common), but for WITH QUERY EXPANSION, whose words come from other rows. So MATCH may be a
 * condition, by itself or below AND, OR and NOT, and nothing else; and it is the shards that look,
 * because copies of their rows have no such index.
 */
#include "core/route/plan_gather.h"

static bool
is_condition(struct expr *where, const struct expr *match)
{
    where = bare(where);
    if (where == NULL || where == match)
        return where != NULL;
    bool passes = where->kind == EXPR_AND || where->kind == EXPR_OR ||
                  (where->kind == EXPR_UNARY && where->op == EXPR_OP_NOT);
    for (struct expr *arg = passes ? where->args : NULL; arg != NULL; arg = arg->next)
        if (is_condition(arg, match))
            return true;
    return false;
}

static bool
expands(const struct planner *p, const struct expr *match)
{
    struct lex   lex;
    struct token t;
    lex_init(&lex, (struct span){ p->text.ptr, match->end }, p->context->lex);
    lex.at = match->start;
    while ((t = lex_next(&lex)).kind != TOK_END && t.kind != TOK_BAD)
        if (t.kind == TOK_KEYWORD && t.keyword == KW_EXPANSION)
            return true;
    return false;
}

struct matches {
    struct planner    *p;
    struct gathering  *list;  /* NULL: in a scatter, */
    const struct query *q;    /* of this block */
    bool               found, ok;
};

static bool
is_pushed(const struct matches *m, const struct expr *match)
{
    for (const struct gathering *g = m->list; g != NULL; g = g->next)
        for (const struct filter *f = g->n_occurrences == 1 ? g->filters : NULL; f != NULL;
             f = f->next)
            for (uint32_t i = 0; i < f->n; i++)
                if (is_condition(f->parts[i], match))
                    return true;
    return false;
}

static bool
see(struct visitor *v, struct expr *e)
{
    struct matches *m = v->context;
    if (e->kind != EXPR_MATCH)
        return true;
    m->found = true;
    m->ok    = m->ok && !expands(m->p, e) &&
            (m->list != NULL ? is_pushed(m, e) : is_condition(m->q->where, e));
    return true;
}

bool
match_in(struct expr *e)
{
    struct planner none = { 0 };
    struct query   nowhere = { 0 };
    struct matches m = { .p = &none, .q = &nowhere };
    struct visitor v = { .expr = see, .context = &m };
    visit_expr(&v, e);
    return m.found;
}

bool
match_check(struct planner *p, struct query *q, struct gathering *list)
{
    struct matches m = { .p = p, .list = list, .q = q, .ok = true };
    struct visitor v = { .expr = see, .context = &m };
    visit_query(&v, q);
    return m.ok || NOT_YET(p, "shardd: how well a row MATCHes depends on all rows of one server: "
                              "over several shards MATCH ... AGAINST can be a condition on a "
                              "table that is named once, by itself or with AND, OR and NOT, "
                              "without QUERY EXPANSION; or give the key");
}
