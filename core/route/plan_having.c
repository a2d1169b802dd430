/* plan_having.c - see plan_internal.h: HAVING over merged groups, on exact numbers. */
#include "core/route/plan_scatter.h"

static const struct merge_expr *
not_having(struct scatter *c, const struct expr *e)
{
    NOT_YET(c->p, "shardd: '%.*s' in HAVING over several shards is not supported yet: use numbers, "
                  "comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL",
            SHOWN(((struct span){ c->p->text.ptr + e->start, e->end - e->start })));
    return NULL;
}

static struct merge_expr *
node(struct scatter *c, enum merge_expr_kind kind)
{
    struct merge_expr *out = make(c->p, sizeof(*out));
    out->kind              = kind;
    return out;
}

static const struct merge_expr *
with_args(struct scatter *c, enum merge_expr_kind kind, const struct expr *e)
{
    struct merge_expr        *out  = node(c, kind);
    const struct merge_expr **args = make(c->p, (e->n_args + 1) * sizeof(void *));
    for (struct expr *arg = e->args; arg != NULL; arg = arg->next) {
        args[out->n] = having_make(c, arg);
        if (args[out->n++] == NULL)
            return NULL;
    }
    out->args = args;
    return out;
}

static const struct merge_expr *
negated(struct scatter *c, const struct merge_expr *e, bool is_negated)
{
    if (e == NULL || !is_negated)
        return e;
    struct merge_expr        *out  = node(c, MERGE_EXPR_NOT);
    const struct merge_expr **args = make(c->p, sizeof(void *));
    args[0]                        = e;
    out->n                         = 1;
    out->args                      = args;
    return out;
}

static const struct merge_expr *
operand_node(struct scatter *c, struct expr *e)
{
    struct operand o;
    if (!operand_make(c->p, e, &o))
        return not_having(c, e);
    struct operand *more = make(c->p, (c->n_numbers + 1) * sizeof(*more));
    if (c->n_numbers > 0)
        memcpy(more, c->numbers, c->n_numbers * sizeof(*more));
    more[c->n_numbers]     = o;
    c->numbers             = more;
    struct merge_expr *out = node(c, MERGE_EXPR_OPERAND);
    out->column            = c->n_numbers++;
    return out;
}

/* Not YEAR: it is compared with 20 as with 2020. */
static bool
is_numeric(const struct route_column *t)
{
    return t != NULL && t->type >= COLUMN_TINYINT && t->type <= COLUMN_DOUBLE;
}

/* COLUMN_OTHER: not of a column. */
static enum column_type
aggregated(struct scatter *c, struct expr *aggregate)
{
    uint32_t                   column;
    struct expr               *x = bare(aggregate->args);
    struct instance           *i = x != NULL && x->kind == EXPR_COLUMN
                                       ? scope_column(c->s, x->path, &column) : NULL;
    const struct route_column *t = i == NULL ? NULL : instance_column(i, column);
    return t == NULL ? COLUMN_OTHER : t->type;
}

/* MIN and MAX of a BIT come as bytes or as a number, and of a FLOAT with fewer digits than it has:
 * their numbers are beside them, as they are needed for comparing what shards say. */
static uint32_t
extreme_number(const struct scatter *c, uint32_t column)
{
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        const struct merge_output *o = &c->outputs[i];
        if (o->column == column && (o->function == MERGE_MIN || o->function == MERGE_MAX))
            return o->key.column;
    }
    return column;
}

static bool
is_column(struct expr *e, struct span name)
{
    e = bare(e);
    return e->kind == EXPR_COLUMN && span_equal_nocase(e->path->name, name);
}

/* HAVING has the columns of the items and of GROUP BY, and no others. */
static bool
is_known(struct scatter *c, const struct expr *column)
{
    struct span name = column->path->name;
    if (c->star_at != UINT32_MAX)
        return true;
    for (const struct select_item *item = c->q->items; item != NULL; item = item->next)
        if (is_column(item->expr, name))
            return true;
    for (const struct order_item *o = c->q->group_by; o != NULL; o = o->next)
        if (is_column(o->expr, name))
            return true;
    return refuse(c->p, 1054, "Unknown column '%.*s' in 'HAVING'",
                  SHOWN(((struct span){ c->p->text.ptr + column->start,
                                        column->end - column->start })));
}

static const struct merge_expr *
column_node(struct scatter *c, struct expr *e, bool any_type)
{
    struct item_ref    item;
    struct merge_expr *out = node(c, MERGE_EXPR_COLUMN);
    if (!item_find(c, e, false, &item))
        return NULL;
    if (has_aggregate(item.expr)) {
        /* A server refuses to compare some types with numbers, even when there is no row. */
        enum column_type type = aggregated(c, bare(item.expr));
        if (has_division(item.expr) || type == COLUMN_INET4 || type == COLUMN_INET6)
            return not_having(c, e);
        if (!group_aggregate(c, item, &out->column))
            return NULL;
        if (type == COLUMN_BIT || type == COLUMN_FLOAT)
            out->column = extreme_number(c, out->column);
        return out;
    }
    uint32_t         column;
    struct expr     *x = bare(item.expr);
    struct instance *i = x->kind == EXPR_COLUMN ? scope_column(c->s, x->path, &column) : NULL;
    if (i != NULL && !is_known(c, x))
        return NULL;
    if (i == NULL || (!any_type && !is_numeric(instance_column(i, column))))
        return not_having(c, e);
    if (instance_column(i, column)->type == COLUMN_FLOAT) /* its text has fewer digits */
        out->column = item_hide(c, "0e0+(", x, ")");
    else
        out->column = item.visible != MERGE_NONE ? item.visible : item_hide(c, "", x, "");
    return out;
}

/* x IS NULL, where x may be a column of any type. */
static const struct merge_expr *
is_null(struct scatter *c, struct expr *e)
{
    struct expr *x = bare(e->args);
    if (x->kind != EXPR_COLUMN)
        return with_args(c, MERGE_EXPR_IS_NULL, e);
    struct merge_expr        *out  = node(c, MERGE_EXPR_IS_NULL);
    const struct merge_expr **args = make(c->p, sizeof(void *));
    args[0]                        = column_node(c, x, true);
    out->n                         = 1;
    out->args                      = args;
    return args[0] == NULL ? NULL : out;
}

static enum merge_expr_kind
binary_kind(const struct expr *e)
{
    switch ((int)e->op) {
    case EXPR_OP_EQUAL:           return MERGE_EXPR_EQ;
    case EXPR_OP_NULL_SAFE_EQUAL: return MERGE_EXPR_NULL_SAFE_EQ;
    case EXPR_OP_NOT_EQUAL:       return MERGE_EXPR_NE;
    case EXPR_OP_LESS:            return MERGE_EXPR_LT;
    case EXPR_OP_LESS_EQUAL:      return MERGE_EXPR_LE;
    case EXPR_OP_GREATER:         return MERGE_EXPR_GT;
    case EXPR_OP_GREATER_EQUAL:   return MERGE_EXPR_GE;
    case EXPR_OP_XOR:             return MERGE_EXPR_XOR;
    case EXPR_OP_PLUS:            return MERGE_EXPR_ADD;
    case EXPR_OP_MINUS:           return MERGE_EXPR_SUB;
    case EXPR_OP_TIMES:           return MERGE_EXPR_MUL;
    default:                      return MERGE_EXPR_NULL;
    }
}

/* NULL: refused. */
const struct merge_expr *
having_make(struct scatter *c, struct expr *e)
{
    e = bare(e);
    switch ((int)e->kind) {
    case EXPR_AND:  return with_args(c, MERGE_EXPR_AND, e);
    case EXPR_OR:   return with_args(c, MERGE_EXPR_OR, e);
    case EXPR_NULL: return node(c, MERGE_EXPR_NULL);
    case EXPR_BETWEEN: return negated(c, with_args(c, MERGE_EXPR_BETWEEN, e), e->negated);
    case EXPR_IN:
        if (e->args->next != NULL && e->args->next->kind == EXPR_SUBQUERY)
            return not_having(c, e);
        return negated(c, with_args(c, MERGE_EXPR_IN, e), e->negated);
    case EXPR_IS:
        if (e->word != KW_NULL)
            return not_having(c, e);
        return negated(c, is_null(c, e), e->negated);
    case EXPR_BINARY:
        if (binary_kind(e) == MERGE_EXPR_NULL)
            return not_having(c, e);
        return with_args(c, binary_kind(e), e);
    case EXPR_UNARY:
        if (e->op == EXPR_OP_NOT)
            return with_args(c, MERGE_EXPR_NOT, e);
        if (bare(e->args)->kind == EXPR_LITERAL)
            return operand_node(c, e);
        return e->op == EXPR_OP_NEGATE ? with_args(c, MERGE_EXPR_NEG, e) : not_having(c, e);
    case EXPR_LITERAL:
        return e->literal == TOK_INT || e->literal == TOK_DECIMAL ? operand_node(c, e)
                                                                  : not_having(c, e);
    case EXPR_PARAM: case EXPR_BOOL: return operand_node(c, e);
    case EXPR_COLUMN: return column_node(c, e, false);
    case EXPR_FUNC:
        return e->func->klass == FUNC_AGGREGATE ? column_node(c, e, false)
                                                : not_having(c, e);
    default: return not_having(c, e);
    }
}
