/* plan_scatter.c - see plan_internal.h: a SELECT for every shard, and its merge. */
#include "core/route/plan_gather.h"
#include "core/route/plan_scatter.h"

/* LAST_INSERT_ID(x): the last row's x is the session's. */
static bool
find_insert_id(struct visitor *v, struct expr *e)
{
    *(bool *)v->context |= e->kind == EXPR_FUNC && e->args != NULL &&
                           span_equal_nocase(e->func->name.name, SPAN("LAST_INSERT_ID"));
    return true;
}

static bool
sets_insert_id(const struct query *q)
{
    bool           found = false;
    struct visitor v     = { .expr = find_insert_id, .context = &found };
    visit_query(&v, (struct query *)(uintptr_t)q); /* only read */
    return found;
}

static bool
no_scatter(struct scatter *c)
{
    struct planner     *p     = c->p;
    const struct query *q     = c->q;
    uint32_t            flags = p->digest == NULL ? 0 : p->digest->flags;
    if (q->kind != QUERY_BLOCK)
        return NOT_YET(p, "shardd: UNION, EXCEPT and INTERSECT over several shards are not "
                          "supported "
                          "yet; give the key in each part");
    if (q->into != NULL && q->into->kind != KW_INTO)
        return NOT_YET(p, "shardd: SELECT ... INTO OUTFILE from several shards is not supported: "
                          "each server would write a file of its own");
    if ((p->stmt->flags & STMT_HAS_WINDOW) != 0)
        return NOT_YET(p, "shardd: window functions over several shards are not supported yet; "
                          "give "
                          "the key in the WHERE clause");
    if ((p->stmt->flags & STMT_HAS_ROWNUM) != 0)
        return NOT_YET(p, "shardd: ROWNUM() counts the rows of one server; give the key in the "
                          "WHERE clause");
    if (!q->calc_found_rows && (flags & DIGEST_CALC_FOUND_ROWS) != 0)
        return NOT_YET(p, "shardd: SQL_CALC_FOUND_ROWS over several shards is supported only "
                          "behind the first SELECT; use SELECT COUNT(*)");
    if (q->with_rollup)
        return NOT_YET(p, "shardd: WITH ROLLUP over several shards is not supported yet");
    if ((flags & DIGEST_ASSIGN) != 0)
        return NOT_YET(p, "shardd: user variables cannot be assigned in a statement on several "
                          "shards; give the key in the WHERE clause");
    if ((flags & DIGEST_LAST_INSERT_ID) != 0 && sets_insert_id(q))
        return NOT_YET(p, "shardd: LAST_INSERT_ID() of an expression is the last row's, and cannot "
                          "be told of several shards");
    if ((flags & (DIGEST_LOCK_FUNCTION | DIGEST_SEQUENCE)) != 0)
        return NOT_YET(p, "shardd: locks and sequences in a statement on several shards are not "
                          "supported");
    if (!match_check(p, c->q, NULL))
        return false;
    if (q->limit != NULL && (q->limit->rows_examined != NULL || q->limit->with_ties))
        return NOT_YET(p, "shardd: LIMIT ROWS EXAMINED and WITH TIES over several shards are not "
                          "supported");
    return true;
}

static bool
uncertain(struct visitor *v, struct expr *e)
{
    static const char *const names[] = { "RAND", "UUID", "UUID_SHORT", "SYSDATE", "SLEEP" };
    if (e->kind != EXPR_FUNC)
        return true;
    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(e->func->name.name, span_of(names[i])))
            *(bool *)v->context = true;
    return true;
}

static bool
is_uncertain(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .expr = uncertain, .context = &found };
    visit_expr(&v, e);
    return found;
}

static bool
order_keys(struct scatter *c, bool grouped)
{
    uint32_t n = 0;
    for (struct order_item *o = c->q->order_by; o != NULL; o = o->next)
        n++;
    struct merge_key *keys = make(c->p, (n + 1) * sizeof(*keys));
    uint32_t          at   = 0;
    for (struct order_item *o = c->q->order_by; o != NULL; o = o->next) {
        struct item_ref item;
        if (!item_find(c, o->expr, false, &item))
            return false;
        if (item.expr->kind == EXPR_NULL) /* ORDER BY NULL: no order */
            continue;
        if (is_uncertain(item.expr))
            return NOT_YET(c->p, "shardd: ORDER BY a random value over several shards is not "
                                 "supported");
        if (c->q->distinct && item.visible == MERGE_NONE)
            return NOT_YET(c->p, "shardd: with DISTINCT, ORDER BY over several shards needs "
                                 "columns "
                                 "that are selected");
        struct merge_key *key = &keys[at];
        if (grouped && has_aggregate(item.expr)) {
            *key = (struct merge_key){ .weight = MERGE_NONE };
            if (!group_aggregate(c, item, &key->column))
                return false;
            for (uint32_t i = 0; i < c->n_outputs; i++)
                if (c->outputs[i].column == key->column &&
                    (c->outputs[i].function == MERGE_MIN || c->outputs[i].function == MERGE_MAX))
                    *key = c->outputs[i].key;
        } else if (!item_key(c, item, true, key)) {
            return false;
        }
        key->descending = o->descending;
        at++;
    }
    c->spec->n_order = at;
    c->spec->order   = keys;
    return true;
}

static bool
distinct_keys(struct scatter *c)
{
    uint32_t          at   = 0;
    struct merge_key *keys = make(c->p, (c->q->n_items + 1) * sizeof(*keys));
    if (c->star_at != UINT32_MAX)
        return NOT_YET(c->p, "shardd: SELECT DISTINCT * over several shards needs the key among "
                             "the "
                             "columns; name the columns");
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++) {
        struct item_ref ref = { bare(item->expr), at };
        if (has_aggregate(item->expr))
            keys[at] = (struct merge_key){ .column = at, .weight = MERGE_NONE };
        else if (!item_key(c, ref, false, &keys[at]))
            return false;
    }
    c->spec->distinct      = true;
    c->spec->n_distinct    = at;
    c->spec->distinct_keys = keys;
    return true;
}

/* NULL: there is none. */
static bool
is_limit(const struct expr *e)
{
    return e == NULL || e->kind == EXPR_PARAM ||
           (e->kind == EXPR_LITERAL && e->literal == TOK_INT && e->n_args == 0);
}

static struct operand
number_operand(struct span digits)
{
    return (struct operand){ .kind = OPERAND_CONST, .as = KEY_VALUE_OTHER,
                             .constant = { .kind = KEY_VALUE_INT, .bytes = digits } };
}

static bool
limit_operands(struct scatter *c)
{
    struct plan        *out = c->p->out;
    const struct limit *l   = c->q->limit;
    out->has_limit          = l != NULL;
    if (!out->has_limit)
        return true;
    if (!is_limit(l->count) || !is_limit(l->offset))
        return refuse(c->p, 1064, "shardd: LIMIT takes whole numbers, and parameters");
    out->limit_count  = number_operand(l->one_row ? SPAN("1") : SPAN("18446744073709551615"));
    out->limit_offset = number_operand(SPAN("0"));
    if ((l->count == NULL || operand_make(c->p, l->count, &out->limit_count)) &&
        (l->offset == NULL || operand_make(c->p, l->offset, &out->limit_offset)))
        return true;
    return NOT_YET(c->p, "shardd: LIMIT over several shards takes numbers and parameters only");
}

static void
clause(struct text *t, struct range r)
{
    if (r.end == 0)
        return;
    text_const(t, " ");
    text_source(t, r.start, r.end);
}

/* `whole`: each shard does HAVING, ORDER BY and LIMIT on rows that are final. */
static void
shard_text(struct scatter *c, bool whole)
{
    const struct query *q = c->q;
    struct text         t;
    text_begin(&t, c->p);
    text_source(&t, q->range.start, q->items_range.end);
    for (uint32_t i = 0; i < c->hidden.n; i++)
        text_piece(&t, c->hidden.pieces[i]);
    clause(&t, q->from_range);
    clause(&t, q->where_range);
    clause(&t, q->group_range);
    if (c->distinct != NULL) {
        text_const(&t, q->group_by != NULL ? ", " : " GROUP BY ");
        text_source(&t, c->distinct->start, c->distinct->end);
    }
    if (whole) {
        clause(&t, q->having_range);
        clause(&t, q->order_range);
        bool all = q->calc_found_rows || (q->distinct && c->n_hidden > 0);
        if (c->p->out->has_limit && !all) {
            text_const(&t, " LIMIT ");
            text_piece(&t, (struct template_piece){ .kind = PIECE_LIMIT });
        }
    } else if (q->group_by != NULL || c->distinct != NULL) {
        text_const(&t, " ORDER BY NULL");
    }
    clause(&t, q->lock_range);
    c->p->out->text = text_keep(&t);
}

bool
query_aggregates(const struct query *q)
{
    for (struct select_item *item = q->items; item != NULL; item = item->next)
        if (has_aggregate(item->expr))
            return true;
    for (struct order_item *o = q->order_by; o != NULL; o = o->next)
        if (has_aggregate(o->expr))
            return true;
    return has_aggregate(q->having);
}

/* The collation of a string is the item's, whatever character set it travels in. */
static bool
into_variables(struct scatter *c)
{
    const struct query   *q    = c->q;
    struct plan          *out  = c->p->out;
    struct into_variable *into = make(c->p, (q->n_items + 1) * sizeof(*into));
    struct select_item   *item = q->items;
    if (c->star_at != UINT32_MAX)
        return NOT_YET(c->p, "shardd: SELECT * INTO variables from several shards is not "
                             "supported; name the columns");
    struct expr *target = q->into->targets;
    for (; target != NULL && item != NULL; target = target->next, item = item->next) {
        if (target->kind != EXPR_USER_VAR) { /* a routine's, and this is none */
            struct span name = { c->p->text.ptr + target->start, target->end - target->start };
            return refuse(c->p, 1327, "Undeclared variable: %.*s", SHOWN(name));
        }
        into[out->n_into++] = (struct into_variable){
            .name      = arena_copy(c->p->arena, *target->name),
            .charset   = item_hide(c, "CHARSET(", item->expr, ")"),
            .collation = item_hide(c, "COLLATION(", item->expr, ")"),
        };
    }
    out->into             = into;
    out->into_late        = q->from_range.end != 0 && q->into->range.start >= q->from_range.end;
    c->spec->keeps_hidden = true;
    if (target == NULL && item == NULL)
        return true;
    return refuse(c->p, 1222, "The used SELECT statements have a different number of columns");
}

static bool
find_any_type(struct visitor *v, struct expr *e)
{
    bool *found = v->context;
    if (e->kind == EXPR_FUNC && e->func->klass == FUNC_AGGREGATE) {
        *found = *found || span_equal_nocase(e->func->name.name, SPAN("MIN")) ||
                 span_equal_nocase(e->func->name.name, SPAN("MAX"));
        return false;
    }
    *found = *found || e->kind == EXPR_COLUMN;
    return true;
}

/* Not only sums and counts, which are numbers. */
static bool
compares_any_type(struct expr *having)
{
    bool           found = false;
    struct visitor v     = { .expr = find_any_type, .context = &found };
    visit_expr(&v, having);
    return found;
}

bool
plan_scatter(struct planner *p, struct query *q, struct scope *s)
{
    struct scatter c = { .p = p, .q = q, .s = s, .star_at = UINT32_MAX };
    uint32_t       at = 0;
    if (!no_scatter(&c) || !hide_make(p))
        return false;
    c.spec = make(p, sizeof(*c.spec));
    text_begin(&c.hidden, p);
    for (struct select_item *item = q->items; item != NULL; item = item->next, at++)
        if (item->expr->kind == EXPR_STAR && c.star_at == UINT32_MAX)
            c.star_at = at;
    bool local   = q->group_by != NULL && where_groups_by_key(p, s, q);
    if (s->aggregated && !local)
        return NOT_YET(p, "shardd: an aggregate function in a subquery that is one of the rows "
                          "around it is not supported over several shards yet; give the key");
    bool grouped = !local && (q->group_by != NULL || query_aggregates(q));
    bool distinct = q->distinct && (grouped || local || !where_items_have_key(p, s, q));
    if ((grouped && !group_plan(&c)) || !order_keys(&c, grouped))
        return false;
    if (q->into != NULL && !into_variables(&c))
        return false;
    /* Equal values with unlike weights ('a' and 'a ') are distinct to a shard that selects both. */
    distinct = distinct || (q->distinct && c.n_hidden > 0);
    if ((distinct && !distinct_keys(&c)) || !limit_operands(&c))
        return false;
    if (grouped && q->having != NULL) {
        c.spec->having = having_make(&c, q->having);
        if (c.spec->having == NULL)
            return false;
        c.spec->uncertain = c.spec->uncertain || compares_any_type(q->having);
    }
    if (!group_check(&c))
        return false;
    c.spec->grouped     = grouped;
    c.spec->sorted_legs = !grouped && c.spec->n_order > 0;
    if (!grouped && !distinct)
        natural_order(&c);
    c.spec->n_hidden    = c.n_hidden;
    c.spec->outputs     = c.outputs;
    c.spec->n_outputs   = c.n_outputs;
    c.spec->n_numbers   = c.n_numbers;
    shard_text(&c, !grouped);
    /* Without an order, groups come sorted as one server would most likely send them. */
    if (grouped && c.spec->n_order == 0 && q->order_by == NULL) {
        c.spec->order   = c.spec->group;
        c.spec->n_order = c.spec->n_group;
    }
    p->out->kind       = PLAN_SCATTER;
    p->out->counts_all = q->calc_found_rows;
    p->out->merge     = c.spec;
    p->out->numbers   = c.numbers;
    p->out->n_numbers = c.n_numbers;
    return true;
}
