/* merge_having.c - see merge_group.h: HAVING on finished groups.
 *
 * Values are exact decimals or, as soon as one side is a DOUBLE, doubles; truth
 * has three values. What would need strings or more digits is "cannot".
 */
#include "core/route/merge_group.h"

enum { CANNOT = -2, UNKNOWN = -1 };

struct number {
    enum { NUMBER_NULL, NUMBER_EXACT, NUMBER_DOUBLE, NUMBER_BAD } kind;
    struct decimal exact;
    double         real;
};

struct context {
    const struct merge_args *args;
    const struct field_type *types;
    enum merge_protocol      protocol;
    const struct field      *fields;
    uint32_t                 n_visible;
};

static struct number value(const struct context *c, const struct merge_expr *e);

static uint32_t
column_at(const struct context *c, uint32_t column)
{
    return column >= MERGE_HIDDEN ? c->n_visible + (column - MERGE_HIDDEN) : column;
}

static struct number
column_value(const struct context *c, uint32_t column)
{
    column = column_at(c, column);
    const struct field_type *t   = &c->types[column];
    struct field             f   = c->fields[column];
    struct number            out = { .kind = NUMBER_NULL };
    if (f.ptr == NULL)
        return out;
    if (t->class == FIELD_DOUBLE || t->class == FIELD_FLOAT)
        out.kind = field_double(f, t, c->protocol, &out.real) ? NUMBER_DOUBLE : NUMBER_BAD;
    else
        out.kind = field_decimal(f, t, c->protocol, &out.exact) ? NUMBER_EXACT : NUMBER_BAD;
    return out;
}

static struct number
text_value(struct span text)
{
    struct number out = { .kind = NUMBER_NULL };
    if (text.ptr != NULL)
        out.kind = decimal_parse(&out.exact, text) ? NUMBER_EXACT : NUMBER_BAD;
    return out;
}

static double
as_double(const struct number *n)
{
    return n->kind == NUMBER_DOUBLE ? n->real : decimal_to_double(&n->exact);
}

static struct number
compute(enum merge_expr_kind kind, struct number a, struct number b)
{
    struct number out = { .kind = NUMBER_EXACT };
    if (a.kind == NUMBER_BAD || b.kind == NUMBER_BAD)
        return (struct number){ .kind = NUMBER_BAD };
    if (a.kind == NUMBER_NULL || b.kind == NUMBER_NULL)
        return (struct number){ .kind = NUMBER_NULL };
    if (a.kind == NUMBER_DOUBLE || b.kind == NUMBER_DOUBLE) {
        double x = as_double(&a), y = as_double(&b);
        out.kind = NUMBER_DOUBLE;
        out.real = kind == MERGE_EXPR_ADD ? x + y : kind == MERGE_EXPR_SUB ? x - y : x * y;
        return out;
    }
    bool ok = kind == MERGE_EXPR_ADD   ? decimal_add(&out.exact, &a.exact, &b.exact)
              : kind == MERGE_EXPR_SUB ? decimal_sub(&out.exact, &a.exact, &b.exact)
                                       : decimal_mul(&out.exact, &a.exact, &b.exact);
    if (!ok)
        out.kind = NUMBER_BAD;
    return out;
}

static int
truth_of(const struct number *n)
{
    switch (n->kind) {
    case NUMBER_NULL:   return UNKNOWN;
    case NUMBER_EXACT:  return !decimal_is_zero(&n->exact);
    case NUMBER_DOUBLE: return n->real != 0;
    case NUMBER_BAD:    return CANNOT;
    }
    return CANNOT;
}

static int
not(int truth)
{
    return truth < 0 ? truth : !truth;
}

/* a ? b; order in *out. UNKNOWN when one is NULL. */
static int
compare(const struct number *a, const struct number *b, int *out)
{
    if (a->kind == NUMBER_BAD || b->kind == NUMBER_BAD)
        return CANNOT;
    if (a->kind == NUMBER_NULL || b->kind == NUMBER_NULL)
        return UNKNOWN;
    if (a->kind == NUMBER_DOUBLE || b->kind == NUMBER_DOUBLE) {
        double x = as_double(a), y = as_double(b);
        *out = (x > y) - (x < y);
    } else {
        *out = decimal_compare(&a->exact, &b->exact);
    }
    return 1;
}

static int
comparison(enum merge_expr_kind kind, const struct number *a, const struct number *b)
{
    int order = 0;
    if (kind == MERGE_EXPR_NULL_SAFE_EQ && a->kind == NUMBER_NULL && b->kind == NUMBER_NULL)
        return 1;
    int known = compare(a, b, &order);
    if (known < 0)
        return kind == MERGE_EXPR_NULL_SAFE_EQ && known == UNKNOWN ? 0 : known;
    switch ((int)kind) {
    case MERGE_EXPR_EQ: case MERGE_EXPR_NULL_SAFE_EQ: return order == 0;
    case MERGE_EXPR_NE: return order != 0;
    case MERGE_EXPR_LT: return order < 0;
    case MERGE_EXPR_LE: return order <= 0;
    case MERGE_EXPR_GT: return order > 0;
    default:            return order >= 0;
    }
}

/* AND of three values: any false is false, then any NULL is NULL. */
static int
both(int a, int b)
{
    if (a == CANNOT || b == CANNOT)
        return CANNOT;
    return a == 0 || b == 0 ? 0 : a < b ? a : b;
}

static int
truth(const struct context *c, const struct merge_expr *e)
{
    struct number first = { .kind = NUMBER_NULL }, other;
    int           out;
    switch ((int)e->kind) {
    case MERGE_EXPR_AND: case MERGE_EXPR_OR:
        out = 1;
        for (uint32_t i = 0; i < e->n; i++) {
            int t = truth(c, e->args[i]);
            out   = both(out, e->kind == MERGE_EXPR_AND ? t : not(t));
        }
        return e->kind == MERGE_EXPR_AND ? out : not(out);
    case MERGE_EXPR_NOT: return not(truth(c, e->args[0]));
    case MERGE_EXPR_XOR: {
        int a = truth(c, e->args[0]), b = truth(c, e->args[1]);
        return a == CANNOT || b == CANNOT ? CANNOT : a < 0 || b < 0 ? UNKNOWN : a != b;
    }
    case MERGE_EXPR_IS_NULL:
        if (e->args[0]->kind == MERGE_EXPR_COLUMN) /* of any type */
            return c->fields[column_at(c, e->args[0]->column)].ptr == NULL;
        first = value(c, e->args[0]);
        return first.kind == NUMBER_BAD ? CANNOT : first.kind == NUMBER_NULL;
    case MERGE_EXPR_IN:
        first = value(c, e->args[0]);
        out   = 1; /* none is equal */
        for (uint32_t i = 1; i < e->n; i++) {
            other = value(c, e->args[i]);
            out   = both(out, not(comparison(MERGE_EXPR_EQ, &first, &other)));
        }
        return not(out);
    case MERGE_EXPR_BETWEEN:
        first = value(c, e->args[0]);
        other = value(c, e->args[1]);
        out   = comparison(MERGE_EXPR_GE, &first, &other);
        other = value(c, e->args[2]);
        return both(out, comparison(MERGE_EXPR_LE, &first, &other));
    case MERGE_EXPR_EQ: case MERGE_EXPR_NE: case MERGE_EXPR_LT: case MERGE_EXPR_LE:
    case MERGE_EXPR_GT: case MERGE_EXPR_GE: case MERGE_EXPR_NULL_SAFE_EQ:
        first = value(c, e->args[0]);
        other = value(c, e->args[1]);
        return comparison(e->kind, &first, &other);
    default:
        first = value(c, e);
        return truth_of(&first);
    }
}

static struct number
value(const struct context *c, const struct merge_expr *e)
{
    struct number out = { .kind = NUMBER_NULL };
    switch ((int)e->kind) {
    case MERGE_EXPR_COLUMN:  return column_value(c, e->column);
    case MERGE_EXPR_NUMBER:  return text_value(e->text);
    case MERGE_EXPR_OPERAND: return text_value(c->args->numbers[e->column]);
    case MERGE_EXPR_NULL:    return out;
    case MERGE_EXPR_ADD: case MERGE_EXPR_SUB: case MERGE_EXPR_MUL:
        return compute(e->kind, value(c, e->args[0]), value(c, e->args[1]));
    case MERGE_EXPR_NEG:
        out.kind = NUMBER_EXACT;
        return compute(MERGE_EXPR_SUB, out, value(c, e->args[0]));
    default: {
        int t = truth(c, e);
        if (t == CANNOT)
            out.kind = NUMBER_BAD;
        if (t < 0)
            return out;
        out.kind = NUMBER_EXACT;
        decimal_of_int(&out.exact, t);
        return out;
    }
    }
}

int
having_eval(const struct merge_expr *e, const struct merge_args *args,
            const struct field_type *types, enum merge_protocol protocol,
            const struct field *fields, uint32_t n_visible)
{
    struct context c = { args, types, protocol, fields, n_visible };
    return truth(&c, e);
}

/* What value() can read, whatever the field holds. */
static bool
is_number(const struct context *c, uint32_t column)
{
    switch (c->types[column_at(c, column)].class) {
    case FIELD_INT: case FIELD_UINT: case FIELD_BIT: case FIELD_DECIMAL:
    case FIELD_FLOAT: case FIELD_DOUBLE: return true;
    case FIELD_DATE: case FIELD_TIME: case FIELD_BYTES: break;
    }
    return false;
}

static bool
can_eval(const struct context *c, const struct merge_expr *e)
{
    if (e->kind == MERGE_EXPR_COLUMN)
        return is_number(c, e->column);
    if (e->kind == MERGE_EXPR_IS_NULL && e->args[0]->kind == MERGE_EXPR_COLUMN)
        return true;
    bool can = true;
    for (uint32_t i = 0; i < e->n; i++)
        can = can && can_eval(c, e->args[i]);
    return can;
}

bool
having_can(const struct merge_expr *e, const struct field_type *types, uint32_t n_visible)
{
    struct context c = { .types = types, .n_visible = n_visible };
    return e == NULL || can_eval(&c, e);
}
