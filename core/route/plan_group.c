/* plan_group.c - see plan_internal.h: groups that span shards, and their aggregates. */
#include "core/route/plan_scatter.h"

static struct merge_output *
output_add(struct scatter *c, uint32_t column, enum merge_function function)
{
    for (uint32_t i = 0; i < c->n_outputs; i++)
        if (c->outputs[i].column == column)
            return &c->outputs[i];
    if (c->n_outputs == c->outputs_cap) {
        uint32_t             cap  = c->outputs_cap == 0 ? 8 : 2 * c->outputs_cap;
        struct merge_output *more = make(c->p, cap * sizeof(*more));
        if (c->n_outputs > 0)
            memcpy(more, c->outputs, c->n_outputs * sizeof(*more));
        c->outputs     = more;
        c->outputs_cap = cap;
    }
    struct merge_output *o = &c->outputs[c->n_outputs++];
    *o = (struct merge_output){ .column = column, .function = function,
                                .key = { .column = column, .weight = MERGE_NONE },
                                .sum = MERGE_NONE, .count = MERGE_NONE };
    return o;
}

static bool
refuse_aggregate(struct scatter *c, const struct expr *e, const char *why)
{
    return NOT_YET(c->p, "shardd: %.*s over several shards is not supported yet%s",
                   SHOWN(((struct span){ c->p->text.ptr + e->start, e->end - e->start })), why);
}

/* DISTINCT values of a key lie on one shard each. */
static bool
distinct_is_local(struct scatter *c, const struct expr *e)
{
    for (struct expr *arg = e->args; arg != NULL; arg = arg->next) {
        uint32_t     column;
        struct expr *x = bare(arg);
        if (x->kind != EXPR_COLUMN)
            continue;
        struct instance *i = scope_column(c->s, x->path, &column);
        if (i != NULL && i->region == c->s->region && where_is_key(c->p, i, column))
            return true;
    }
    return false;
}

/* COUNT(DISTINCT column): the shards group by the column too, and its values are counted
 * here. Other aggregates add up over the finer groups; another DISTINCT one would not. */
static bool
count_distinct(struct scatter *c, struct expr *e, enum merge_function function)
{
    struct expr *arg = bare(e->args);
    if (function != MERGE_COUNT || e->n_args != 1 || arg->kind != EXPR_COLUMN || c->local_distinct)
        return false;
    for (struct select_item *item = c->q->items; item != NULL; item = item->next) {
        if (c->q->group_by == NULL && !has_aggregate(item->expr))
            return false; /* no row of any shard would say what it is */
        if (item->alias.ptr != NULL && span_equal_nocase(item->alias, arg->path->name))
            return false; /* GROUP BY could mean either */
    }
    struct span text = { c->p->text.ptr + arg->start, arg->end - arg->start };
    if (c->distinct != NULL) {
        struct span other = { c->p->text.ptr + c->distinct->start,
                              c->distinct->end - c->distinct->start };
        return span_equal(text, other);
    }
    c->distinct = arg;
    return true;
}

static bool
function_of(const struct expr *e, enum merge_function *out)
{
    static const struct {
        const char         *name;
        enum merge_function function;
    } functions[] = {
        { "COUNT", MERGE_COUNT },     { "SUM", MERGE_SUM },         { "MIN", MERGE_MIN },
        { "MAX", MERGE_MAX },         { "AVG", MERGE_AVG },         { "BIT_AND", MERGE_BIT_AND },
        { "BIT_OR", MERGE_BIT_OR },   { "BIT_XOR", MERGE_BIT_XOR },
    };
    for (size_t i = 0; i < countof(functions); i++) {
        if (!span_equal_nocase(e->func->name.name, span_of(functions[i].name)))
            continue;
        *out = functions[i].function;
        return true;
    }
    return false;
}

static const char *
unordered_argument(struct scatter *c, struct expr *arg)
{
    uint32_t column;
    arg = bare(arg);
    if (arg->kind != EXPR_COLUMN)
        return NULL;
    struct instance           *i = scope_column(c->s, arg->path, &column);
    const struct route_column *t = i == NULL ? NULL : instance_column(i, column);
    if (t == NULL)
        return NULL;
    bool bad = t->type == COLUMN_UUID || t->type == COLUMN_GEOMETRY || t->type == COLUMN_OTHER;
    return bad ? " for a column of this type" : NULL;
}

static bool
find_division(struct visitor *v, struct expr *e)
{
    if (e->kind == EXPR_BINARY && e->op == EXPR_OP_DIVIDE)
        *(bool *)v->context = true;
    return true;
}

bool
has_division(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .expr = find_division, .context = &found };
    visit_expr(&v, e);
    return found;
}

/* SUM and COUNT of the argument, hidden. A quotient has more digits inside the
 * server than it shows, and they count in sums. */
static void
average(struct scatter *c, uint32_t at, const struct expr *e, bool divides, bool counts)
{
    uint32_t sum   = divides ? item_hide(c, "0.000000000000000000000000000+SUM(", e->args, ")")
                             : item_hide(c, "SUM(", e->args, ")");
    uint32_t count = counts ? item_hide(c, "COUNT(", e->args, ")") : MERGE_NONE;
    output_add(c, sum, MERGE_SUM);
    if (counts)
        output_add(c, count, MERGE_COUNT);
    for (uint32_t i = 0; i < c->n_outputs; i++) /* the array may have moved */
        if (c->outputs[i].column == at) {
            c->outputs[i].sum   = sum;
            c->outputs[i].count = count;
        }
}

bool
group_aggregate(struct scatter *c, struct item_ref item, uint32_t *column)
{
    struct expr        *e = bare(item.expr);
    enum merge_function function;
    if (e->kind != EXPR_FUNC || e->func->klass != FUNC_AGGREGATE)
        return refuse_aggregate(c, e, "; select the aggregates by themselves and compute with "
                                      "them");
    if (!function_of(e, &function))
        return refuse_aggregate(c, e, "; group by the key, or give the key");
    bool extreme = function == MERGE_MIN || function == MERGE_MAX;
    bool local   = e->func->distinct && !extreme && distinct_is_local(c, e);
    if (local && c->distinct == NULL) {
        c->local_distinct = true;
    } else if (e->func->distinct && !extreme) {
        if (!count_distinct(c, e, function))
            return refuse_aggregate(c, e, ": the values of several shards may be the same");
        function = MERGE_COUNT_DISTINCT;
    }
    bool bits = function == MERGE_BIT_AND || function == MERGE_BIT_OR || function == MERGE_BIT_XOR;
    c->bits   = c->bits || bits;
    if (e->func->distinct && function == MERGE_AVG)
        return refuse_aggregate(c, e, "");
    const char *unordered = extreme ? unordered_argument(c, e->args) : NULL;
    if (unordered != NULL)
        return refuse_aggregate(c, e, unordered);

    *column = item.visible != MERGE_NONE ? item.visible : item_hide(c, "", e, "");
    output_add(c, *column, function);
    bool divides = !extreme && function != MERGE_COUNT && has_division(e);
    if (function == MERGE_AVG || (function == MERGE_SUM && divides))
        average(c, *column, e, divides, function == MERGE_AVG);
    struct merge_key key;
    if (function == MERGE_COUNT_DISTINCT) {
        if (!item_key(c, (struct item_ref){ c->distinct, MERGE_NONE }, false, &key))
            return false;
        output_add(c, *column, function)->key = key;
    }
    if (!extreme)
        return true;
    if (!item_key(c, (struct item_ref){ e, *column }, true, &key))
        return false;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        if (c->outputs[i].column == *column)
            c->outputs[i].key = key;
    if (key.weight != MERGE_NONE)
        output_add(c, key.weight, function)->key = key;
    if (key.column != *column)
        output_add(c, key.column, function)->key = key;
    return true;
}

static bool
group_keys(struct scatter *c)
{
    uint32_t n = 0;
    for (struct order_item *o = c->q->group_by; o != NULL; o = o->next)
        n++;
    struct merge_key *keys = make(c->p, (n + 1) * sizeof(*keys));
    uint32_t          at   = 0;
    for (struct order_item *o = c->q->group_by; o != NULL; o = o->next, at++) {
        struct item_ref item;
        if (!item_find(c, o->expr, true, &item))
            return false;
        if (has_aggregate(o->expr))
            return refuse(c->p, 1111, "Invalid use of group function");
        if (has_aggregate(item.expr))
            return refuse(c->p, 1056, "Can't group on an aggregate");
        if (!item_key(c, item, false, &keys[at]))
            return false;
        keys[at].descending = o->descending;
    }
    c->spec->n_group = n;
    c->spec->group   = keys;
    return true;
}

/* ---- columns of any row of a group ---- */

struct loose {
    const struct scatter *c;
    bool                  found;
};

static bool
find_loose(struct visitor *v, struct expr *e)
{
    struct loose *l       = v->context;
    bool          grouped = false;
    if (e->kind != EXPR_COLUMN)
        return e->kind != EXPR_SUBQUERY;
    for (const struct order_item *o = l->c->q->group_by; o != NULL; o = o->next) {
        const struct expr *g = bare(o->expr);
        grouped = grouped || (g->kind == EXPR_COLUMN &&
                              span_equal_nocase(g->path->name, e->path->name));
    }
    l->found = l->found || !grouped;
    return true;
}

static bool
is_key_column(const struct scatter *c, uint32_t column)
{
    for (uint32_t i = 0; i < c->spec->n_group; i++)
        if (c->spec->group[i].column == column)
            return true;
    return false;
}

/* What a small answer of this kind is like on one server is found there: see query_merge.c. */
static void
note_loose(struct scatter *c)
{
    static const struct expr none;
    struct loose             l  = { c, false };
    struct visitor           v  = { .expr = find_loose, .context = &l };
    uint32_t                 at = 0;
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++)
        if (!has_aggregate(item->expr) && !is_key_column(c, at))
            visit_expr(&v, item->expr);
    if (!l.found || c->star_at != UINT32_MAX)
        return;
    c->spec->loose = c->spec->uncertain = true;
    c->spec->rows  = item_hide(c, "COUNT(*)", &none, "");
    output_add(c, c->spec->rows, MERGE_COUNT);
}

bool
group_plan(struct scatter *c)
{
    uint32_t at = 0;
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++) {
        uint32_t column;
        if (!has_aggregate(item->expr))
            continue;
        if (at >= c->star_at)
            return NOT_YET(c->p, "shardd: aggregates behind '*' over several shards are not "
                                 "supported; name the columns");
        if (!group_aggregate(c, (struct item_ref){ item->expr, at }, &column))
            return false;
    }
    if (!group_keys(c))
        return false;
    note_loose(c);
    return true;
}

/* Called when all aggregates are known. */
bool
group_check(struct scatter *c)
{
    if (c->distinct != NULL && c->bits && c->q->group_by == NULL)
        return refuse_aggregate(c, c->distinct, " beside BIT_AND, BIT_OR or BIT_XOR");
    return true;
}
