/* plan_nextval.c - see plan_internal.h: INSERT ... SELECT NEXTVAL(s), ... over several shards.
 *
 *   the engine runs INSERT ... SELECT NULL, ...  -->  rows, in their order
 *   SELECT NEXTVAL(s), NEXTVAL(s), ...           -->  INSERT ... VALUES (101, ...), (102, ...)
 *
 * A sequence is on its database's home: the engine leaves a hole where a number belongs, and as
 * many numbers as there are rows are taken when these are written.
 */
#include "core/route/gather.h"
#include "core/route/plan_gather.h"

static bool
is_nextval(const struct expr *e)
{
    return e->kind == EXPR_FUNC && span_equal_nocase(e->func->name.name, SPAN("NEXTVAL"));
}

static bool
count_calls(struct visitor *v, struct expr *e)
{
    *(uint32_t *)v->context += e->kind == EXPR_FUNC && function_is_of_sequence(e->func);
    return true;
}

/* All calls are columns of the rows by themselves, and each row is one row of what is read. */
static bool
is_simple(const struct planner *p, const struct insert *in, uint32_t *n)
{
    const struct query *q     = in->query;
    uint32_t            calls = 0;
    struct visitor      v     = { .expr = count_calls, .context = &calls };
    visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
    if (q->kind != QUERY_BLOCK || q->distinct || q->group_by != NULL || q->having != NULL ||
        query_aggregates(q) || (p->stmt->flags & STMT_HAS_WINDOW) != 0)
        return false;
    *n = 0;
    for (const struct select_item *item = q->items; item != NULL; item = item->next) {
        if (item->expr->kind == EXPR_STAR)
            return false;
        *n += is_nextval(item->expr);
    }
    return *n == calls && calls != 0;
}

struct query *
nextval_query(struct planner *p, struct change_maker *m)
{
    const struct insert *in = p->stmt->kind == STMT_INSERT ? p->stmt->insert : NULL;
    if (in == NULL || in->source != INSERT_QUERY || p->digest == NULL ||
        (p->digest->flags & DIGEST_SEQUENCE) == 0 || !is_simple(p, in, &m->n_nextvals))
        return NULL;
    struct query        *q    = make(p, sizeof(*q));
    struct select_item **last = &q->items;
    uint32_t             n    = 0;
    *q          = *in->query;
    m->nextvals = make(p, m->n_nextvals * sizeof(*m->nextvals));
    for (const struct select_item *item = in->query->items; item != NULL; item = item->next) {
        struct select_item *copy = make(p, sizeof(*copy));
        *copy = *item;
        if (is_nextval(item->expr)) {
            copy->expr       = make(p, sizeof(*copy->expr));
            *copy->expr      = (struct expr){ .kind = EXPR_NULL, .start = item->expr->start,
                                              .end = item->expr->end };
            m->nextvals[n++] = (struct range){ item->expr->start, item->expr->end };
        }
        *last = copy;
        last  = &copy->next;
    }
    m->spec->takes_numbers = true;
    return q;
}

bool
nextval_columns(struct planner *p, const struct change_maker *m, struct change_target *t)
{
    struct span *texts = make(p, (t->n_columns + 1) * sizeof(*texts));
    uint32_t     at    = 0, n = 0;
    if (m->n_nextvals == 0)
        return true;
    if (m->spec->answers)
        return NOT_YET(p, "shardd: a sequence's numbers are taken when all else is done: ON "
                          "DUPLICATE KEY UPDATE and RETURNING may name columns of the table only");
    memset(texts, 0, (t->n_columns + 1) * sizeof(*texts));
    for (const struct select_item *item = p->stmt->insert->query->items;
         item != NULL && at < t->n_columns && n < m->n_nextvals; item = item->next, at++) {
        if (item->expr->start != m->nextvals[n].start)
            continue;
        texts[at] = arena_copy(p->arena, (struct span){ p->text.ptr + m->nextvals[n].start,
                                                        m->nextvals[n].end -
                                                            m->nextvals[n].start });
        n++;
    }
    t->numbers = texts;
    return true;
}
