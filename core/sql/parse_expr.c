/* parse_expr.c - expressions, from OR down to the operators of simple ones.
 *
 *   expr        OR ||  <  XOR  <  AND &&  <  NOT  <  IS, comparisons
 *   predicate   IN, BETWEEN, LIKE, REGEXP, SOUNDS LIKE
 *   bit_expr    |  <  &  <  << >>  <  + -  <  * / % DIV MOD  <  ^  <  || (as concatenation)
 *   simple_expr COLLATE, - + ~ ! BINARY: parse_primary.c
 *
 * Source: MariaDB Knowledge Base, "Operator Precedence".
 */
#include "core/sql/parser.h"

struct expr *
parser_expr_new(struct parser *p, enum expr_kind kind, uint32_t start)
{
    struct expr *e = parser_new(p, sizeof(*e));

    e->kind    = (uint8_t)kind;
    e->height  = 1;
    e->start   = start;
    e->end     = p->last_end;
    e->ordinal = AST_NO_ORDINAL;
    return e;
}

/* Append to a list that is short, or whose last member the caller does not
 * know; parser_expr_list() is for long ones. */
void
parser_expr_add(struct parser *p, struct expr *parent, struct expr *arg)
{
    struct expr **tail = &parent->args;

    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = arg;
    parent->n_args++;
    if (arg->height >= PARSE_DEPTH_MAX)
        parser_fail(p);
    else if (parent->height <= arg->height)
        parent->height = (uint16_t)(arg->height + 1);
    parent->end = p->last_end;
}

static struct expr *
binary(struct parser *p, enum expr_op op, struct expr *left, struct expr *right)
{
    struct expr *e = parser_expr_new(p, EXPR_BINARY, left->start);

    e->op = (uint8_t)op;
    parser_expr_add(p, e, left);
    parser_expr_add(p, e, right);
    return e;
}

/* bit_expr */

static int
bit_level(const struct parser *p, enum expr_op *op)
{
    static const struct {
        uint32_t op;
        int      level;
        uint8_t  expr_op;
    } ops[] = {
        { '|', 1, EXPR_OP_BIT_OR },    { '&', 2, EXPR_OP_BIT_AND },
        { '+', 4, EXPR_OP_PLUS },      { OP_SHIFT_LEFT, 3, EXPR_OP_SHIFT_LEFT },
        { '-', 4, EXPR_OP_MINUS },     { OP_SHIFT_RIGHT, 3, EXPR_OP_SHIFT_RIGHT },
        { '*', 5, EXPR_OP_TIMES },     { '/', 5, EXPR_OP_DIVIDE },
        { '%', 5, EXPR_OP_MOD },       { '^', 6, EXPR_OP_BIT_XOR },
    };

    if (p->t.kind == TOK_KEYWORD) {
        *op = p->t.keyword == KW_DIV ? EXPR_OP_DIV : EXPR_OP_MOD;
        return p->t.keyword == KW_DIV || p->t.keyword == KW_MOD ? 5 : 0;
    }
    if (p->t.kind != TOK_OP)
        return 0;
    for (size_t i = 0; i < countof(ops); i++)
        if (p->t.op == ops[i].op) {
            *op = ops[i].expr_op;
            return ops[i].level;
        }
    *op = EXPR_OP_CONCAT;
    return p->t.op == OP_OR_OR && p->lex.options.pipes_as_concat ? 7 : 0;
}

static struct expr *
bit_expr_from(struct parser *p, int lowest)
{
    struct expr *left = parser_simple_expr(p);
    enum expr_op op;

    if (!parser_enter(p)) {
        parser_leave(p);
        return left;
    }
    for (int level; (level = bit_level(p, &op)) != 0 && level >= lowest;) {
        parser_take(p);
        left = binary(p, op, left, bit_expr_from(p, level + 1));
    }
    parser_leave(p);
    return left;
}

struct expr *
parser_bit_expr(struct parser *p)
{
    return bit_expr_from(p, 1);
}

/* predicate */

/* Behind IN: a query, or a list. In parentheses both are simple expressions:
 * a subquery, a single expression, or a row, whose members become ours. */
static struct expr *
in_list(struct parser *p, struct expr *left)
{
    struct expr *e = parser_expr_new(p, EXPR_IN, left->start);

    parser_expr_add(p, e, left);
    if (!parser_at_op(p, '('))
        parser_fail(p);
    struct expr *list = parser_simple_expr(p);
    if (list->kind == EXPR_SUBQUERY) {
        parser_expr_add(p, e, list);
    } else if (list->kind == EXPR_PAREN || list->kind == EXPR_ROW) {
        left->next = list->args;
        e->n_args += list->n_args;
        e->height = (uint16_t)(list->height > e->height ? list->height : e->height);
        e->end    = p->last_end;
    } else {
        parser_fail(p);
    }
    return e;
}

static struct expr *predicate(struct parser *p);
static struct expr *predicate_tail(struct parser *p, struct expr *left, bool negated);

/* Bounds are predicates: x BETWEEN 1 AND 2 IN (3) is 2 IN (3) first. */
static struct expr *
bound(struct parser *p)
{
    bool         may = parser_enter(p);
    struct expr *e   = may ? predicate(p) : parser_simple_expr(p);

    parser_leave(p);
    return e;
}

/* What stands right of LIKE, ESCAPE and REGEXP. A NOT behind it binds more tightly than they: of
 * a LIKE b NOT LIKE c the second is first; without NOT the first is. */
static struct expr *
right_side(struct parser *p)
{
    struct expr *e = parser_bit_expr(p), *more;

    if (!parser_enter(p)) {
        parser_leave(p);
        return e;
    }
    while (parser_accept(p, KW_NOT)) {
        more = predicate_tail(p, e, true);
        if (more == NULL) {
            parser_fail(p);
            break;
        }
        e = more;
    }
    parser_leave(p);
    return e;
}

static struct expr *
between(struct parser *p, struct expr *left)
{
    struct expr *e = parser_expr_new(p, EXPR_BETWEEN, left->start);

    parser_expr_add(p, e, left);
    parser_expr_add(p, e, bound(p));
    parser_expect(p, KW_AND);
    parser_expr_add(p, e, bound(p));
    return e;
}

static struct expr *
like(struct parser *p, struct expr *left)
{
    struct expr *e = parser_expr_new(p, EXPR_LIKE, left->start);

    parser_expr_add(p, e, left);
    parser_expr_add(p, e, right_side(p));
    if (parser_accept(p, KW_ESCAPE))
        parser_expr_add(p, e, right_side(p));
    return e;
}

/* One predicate operator behind `left`, or NULL. */
static struct expr *
predicate_tail(struct parser *p, struct expr *left, bool negated)
{
    struct expr *e;

    if (parser_accept(p, KW_BETWEEN))
        e = between(p, left);
    else if (parser_accept(p, KW_LIKE))
        e = like(p, left);
    else if (parser_accept(p, KW_IN))
        e = in_list(p, left);
    else if (parser_accept(p, KW_REGEXP) || parser_accept(p, KW_RLIKE))
        return binary(p, negated ? EXPR_OP_NOT_REGEXP : EXPR_OP_REGEXP, left, right_side(p));
    else
        return NULL;
    e->negated = negated;
    return e;
}

static struct expr *
predicate(struct parser *p)
{
    struct expr *left = parser_bit_expr(p), *e;

    for (;;) {
        if (parser_at(p, KW_SOUNDS) && parser_peek_keyword(p) == KW_LIKE) {
            parser_take(p);
            parser_take(p);
            left = binary(p, EXPR_OP_SOUNDS_LIKE, left, right_side(p));
            continue;
        }
        bool negated = parser_accept(p, KW_NOT);
        e            = predicate_tail(p, left, negated);
        if (e == NULL && negated)
            parser_fail(p);
        if (e == NULL)
            return left;
        left = e;
    }
}

/* Comparisons and IS. */

static enum expr_op
comparison_op(const struct parser *p)
{
    if (p->t.kind != TOK_OP)
        return EXPR_OP_NONE;
    switch (p->t.op) {
    case '=': return EXPR_OP_EQUAL;
    case '<': return EXPR_OP_LESS;
    case '>': return EXPR_OP_GREATER;
    case OP_NULL_SAFE_EQUAL: return EXPR_OP_NULL_SAFE_EQUAL;
    case OP_NOT_EQUAL: return EXPR_OP_NOT_EQUAL;
    case OP_LESS_EQUAL: return EXPR_OP_LESS_EQUAL;
    case OP_GREATER_EQUAL: return EXPR_OP_GREATER_EQUAL;
    default: return EXPR_OP_NONE;
    }
}

static struct expr *
quantified(struct parser *p, enum expr_op op, struct expr *left)
{
    struct expr *e = parser_expr_new(p, EXPR_QUANTIFIED, left->start);

    e->op   = (uint8_t)op;
    e->word = parser_at(p, KW_ALL) ? KW_ALL : KW_ANY;
    parser_take(p);
    parser_expr_add(p, e, left);
    parser_expr_add(p, e, parser_subquery(p));
    return e;
}

static struct expr *
is_tail(struct parser *p, struct expr *left)
{
    struct expr *e = parser_expr_new(p, EXPR_IS, left->start);

    e->negated = parser_accept(p, KW_NOT);
    if (parser_at(p, KW_NULL) || parser_at(p, KW_TRUE) || parser_at(p, KW_FALSE) ||
        parser_at(p, KW_UNKNOWN))
        e->word = (uint16_t)p->t.keyword;
    else
        parser_fail(p);
    parser_take(p);
    parser_expr_add(p, e, left);
    return e;
}

static struct expr *
comparison(struct parser *p)
{
    struct expr *left = predicate(p);

    for (enum expr_op op;;) {
        if (parser_accept(p, KW_IS)) {
            left = is_tail(p, left);
            continue;
        }
        op = comparison_op(p);
        if (op == EXPR_OP_NONE)
            return left;
        parser_take(p);
        if (parser_at(p, KW_ALL) ||
            ((parser_at(p, KW_ANY) || parser_at(p, KW_SOME)) && token_is_op(parser_peek(p), '(')))
            left = quantified(p, op, left);
        else
            left = binary(p, op, left, predicate(p));
    }
}

/* NOT, AND, XOR, OR. */

static struct expr *
negation(struct parser *p)
{
    uint32_t start = p->t.start;

    if (p->lex.options.high_not_precedence || !parser_at(p, KW_NOT))
        return comparison(p);
    struct expr *e = parser_expr_new(p, EXPR_UNARY, start);
    e->op          = EXPR_OP_NOT;
    parser_take(p);
    if (parser_enter(p))
        parser_expr_add(p, e, negation(p));
    parser_leave(p);
    return e;
}

static bool
accept_and(struct parser *p)
{
    return parser_accept(p, KW_AND) || parser_accept_op(p, OP_AND_AND);
}

static bool
accept_or(struct parser *p)
{
    return parser_accept(p, KW_OR) ||
           (!p->lex.options.pipes_as_concat && parser_accept_op(p, OP_OR_OR));
}

static bool
accept_xor(struct parser *p)
{
    return parser_accept(p, KW_XOR);
}

/* x, or a flat node of `kind` over x, y, z ... */
static struct expr *
flat(struct parser *p, enum expr_kind kind, bool (*accept)(struct parser *),
     struct expr *(*operand)(struct parser *))
{
    struct expr *first = operand(p), *last = first, *e;

    if (!accept(p))
        return first;
    e = parser_expr_new(p, kind, first->start);
    parser_expr_add(p, e, first);
    do {
        last->next = operand(p);
        last       = last->next;
        e->n_args++;
        if (e->height <= last->height)
            e->height = (uint16_t)(last->height + 1);
    } while (accept(p));
    e->end = p->last_end;
    if (e->height > PARSE_DEPTH_MAX)
        parser_fail(p);
    return e;
}

static struct expr *
conjunction(struct parser *p)
{
    return flat(p, EXPR_AND, accept_and, negation);
}

static struct expr *
exclusive(struct parser *p)
{
    struct expr *left = conjunction(p);

    while (accept_xor(p))
        left = binary(p, EXPR_OP_XOR, left, conjunction(p));
    return left;
}

struct expr *
parser_expr(struct parser *p)
{
    uint32_t start = p->t.start;

    if (!parser_enter(p)) {
        parser_leave(p);
        return parser_expr_new(p, EXPR_NULL, start);
    }
    struct expr *e = flat(p, EXPR_OR, accept_or, exclusive);
    parser_leave(p);
    return e;
}

struct expr *
parser_expr_list(struct parser *p, uint32_t *n)
{
    struct expr *first = NULL, **tail = &first;

    *n = 0;
    do {
        *tail = parser_expr(p);
        tail  = &(*tail)->next;
        ++*n;
    } while (parser_accept_op(p, ','));
    return first;
}

struct order_item *
parser_order_list(struct parser *p)
{
    struct order_item *first = NULL, **tail = &first;

    do {
        struct order_item *item  = parser_new(p, sizeof(*item));
        uint32_t           start = p->t.start;

        item->expr       = parser_expr(p);
        item->descending = parser_accept(p, KW_DESC);
        if (!item->descending)
            parser_accept(p, KW_ASC);
        item->range = parser_range(p, start);
        *tail       = item;
        tail        = &item->next;
    } while (parser_accept_op(p, ','));
    return first;
}
