/* parse_query.c - SELECT, VALUES, WITH and what joins them.
 *
 *   query    [WITH ...] part {UNION|EXCEPT part} tail
 *   part     operand {INTERSECT operand}
 *   operand  SELECT ... | VALUES ... | ( query )
 *   tail     ORDER BY, LIMIT, INTO, FOR UPDATE: of the whole query
 */
#include "core/sql/parser.h"

bool
parser_at_query(const struct parser *p)
{
    return parser_at(p, KW_SELECT) || parser_at(p, KW_WITH);
}

/* But INTERSECT, which binds tighter. */
static bool
at_set_op(const struct parser *p)
{
    return parser_at(p, KW_UNION) || parser_at(p, KW_EXCEPT) ||
           (p->lex.options.oracle && parser_at(p, KW_MINUS));
}

bool
parser_at_query_rest(const struct parser *p)
{
    return at_set_op(p) || parser_at(p, KW_INTERSECT) || parser_at(p, KW_ORDER) ||
           parser_at(p, KW_LIMIT);
}

/* Select list. */

static struct expr *
star(struct parser *p, struct path path, uint32_t start)
{
    struct expr *e = parser_expr_new(p, EXPR_STAR, start);

    parser_take(p);
    path.range = parser_range(p, start);
    e->path    = parser_new(p, sizeof(*e->path));
    *e->path   = path;
    e->end     = p->last_end;
    return e;
}

/* t.* and s.t.* read as a column until the star behind the dot. */
static struct expr *
item_expr(struct parser *p)
{
    uint32_t start = p->t.start;

    if (parser_at_op(p, '*'))
        return star(p, (struct path){ 0 }, start);
    struct expr *e = parser_expr(p);
    if (e->kind == EXPR_COLUMN && parser_at_op(p, '.')) {
        struct path path = { .schema = e->path->table, .table = e->path->name };
        parser_take(p);
        if (!parser_at_op(p, '*'))
            parser_fail(p);
        return star(p, path, start);
    }
    return e;
}

struct select_item *
parser_select_items(struct parser *p, uint32_t *n)
{
    struct select_item *first = NULL, **tail = &first;

    *n = 0;
    do {
        struct select_item *item  = parser_new(p, sizeof(*item));
        uint32_t            start = p->t.start;

        item->expr = item_expr(p);
        if (item->expr->kind != EXPR_STAR)
            item->alias = parser_alias(p, true);
        item->range = parser_range(p, start);
        *tail       = item;
        tail        = &item->next;
        ++*n;
    } while (parser_accept_op(p, ','));
    return first;
}

static bool
select_option(struct parser *p, struct query *q)
{
    if (p->t.kind != TOK_KEYWORD)
        return false;
    switch ((unsigned)p->t.keyword) {
    case KW_DISTINCT: case KW_DISTINCTROW: case KW_UNIQUE: q->distinct = true; break;
    case KW_STRAIGHT_JOIN: q->straight_join = true; break;
    case KW_SQL_CALC_FOUND_ROWS: q->calc_found_rows = true; break;
    case KW_HIGH_PRIORITY: q->high_priority = true; break;
    case KW_ALL: case KW_SQL_BIG_RESULT: case KW_SQL_SMALL_RESULT: break;
    case KW_SQL_BUFFER_RESULT: case KW_SQL_CACHE: case KW_SQL_NO_CACHE: {
        /* Not reserved: a column's name when nothing can follow an option. */
        struct token next = parser_peek(p);
        if (next.kind == TOK_END || token_is_op(next, ',') || token_is_op(next, ')') ||
            token_is_op(next, '.') || token_is_keyword(next, KW_FROM))
            return false;
        break;
    }
    default: return false;
    }
    parser_take(p);
    return true;
}

/* Clauses of a block. */

static void
group_by(struct parser *p, struct query *q)
{
    uint32_t start = p->t.start;

    parser_take(p);
    parser_expect(p, KW_BY);
    q->group_by = parser_order_list(p);
    if (parser_at(p, KW_WITH) && parser_peek_keyword(p) == KW_ROLLUP) {
        parser_take(p);
        parser_take(p);
        q->with_rollup = true;
    }
    q->group_range = parser_range(p, start);
}

static void
named_windows(struct parser *p, struct query *q)
{
    struct window **tail  = &q->windows;
    uint32_t        start = p->t.start;

    parser_take(p);
    do {
        struct span name = parser_name(p);
        parser_expect(p, KW_AS);
        *tail         = parser_window_spec(p);
        (*tail)->name = name;
        tail          = &(*tail)->next;
    } while (parser_accept_op(p, ','));
    q->window_range = parser_range(p, start);
}

static void
into(struct parser *p, struct query *q)
{
    struct into  *i     = parser_new(p, sizeof(*i));
    uint32_t      start = p->t.start;
    struct expr **tail  = &i->targets;

    parser_take(p);
    i->kind = KW_INTO;
    if (parser_at(p, KW_OUTFILE) || parser_at(p, KW_DUMPFILE)) {
        /* What follows the file's name are words and strings up to a clause. */
        i->kind = p->t.keyword;
        parser_take(p);
        parser_literal(p);
        while ((p->t.kind == TOK_KEYWORD && !parser_at(p, KW_FROM) && !parser_at(p, KW_FOR) &&
                !parser_at(p, KW_LOCK)) ||
               token_is_literal(p->t.kind) || p->t.kind == TOK_IDENT)
            parser_take(p);
    } else {
        do {
            *tail = parser_simple_expr(p);
            tail  = &(*tail)->next;
        } while (parser_accept_op(p, ','));
    }
    i->range = parser_range(p, start);
    q->into  = i;
    p->flags |= STMT_HAS_INTO;
}

static void
from(struct parser *p, struct query *q)
{
    uint32_t start = p->t.start;

    parser_take(p);
    if (parser_at(p, KW_DUAL))
        parser_take(p);
    else
        q->from = parser_table_refs(p);
    q->from_range = parser_range(p, start);
}

static struct expr *
condition(struct parser *p, struct range *range)
{
    uint32_t start = p->t.start;

    parser_take(p);
    struct expr *e = parser_expr(p);
    *range         = parser_range(p, start);
    return e;
}

static void
block(struct parser *p, struct query *q)
{
    uint32_t start;

    parser_expect(p, KW_SELECT);
    start = p->t.start;
    while (select_option(p, q))
        q->options = parser_range(p, start);
    start          = p->t.start;
    q->items       = parser_select_items(p, &q->n_items);
    q->items_range = parser_range(p, start);
    if (parser_at(p, KW_INTO))
        into(p, q);
    if (parser_at(p, KW_FROM))
        from(p, q);
    if (parser_at(p, KW_WHERE))
        q->where = condition(p, &q->where_range);
    if (parser_at(p, KW_GROUP))
        group_by(p, q);
    if (parser_at(p, KW_HAVING))
        q->having = condition(p, &q->having_range);
    if (parser_at(p, KW_WINDOW))
        named_windows(p, q);
}

/* VALUES (...), (...) */

struct row *
parser_rows(struct parser *p, uint32_t *n)
{
    struct row *first = NULL, **tail = &first;

    *n = 0;
    do {
        struct row   *r     = parser_new(p, sizeof(*r));
        uint32_t      start = p->t.start;
        struct expr **value = &r->values;

        parser_expect_op(p, '(');
        if (!parser_at_op(p, ')'))
            do {
                *value = parser_expr_or_default(p);
                value  = &(*value)->next;
                r->n_values++;
            } while (parser_accept_op(p, ','));
        parser_expect_op(p, ')');
        r->range = parser_range(p, start);
        *tail    = r;
        tail     = &r->next;
        ++*n;
    } while (parser_accept_op(p, ','));
    return first;
}

/* LIMIT n, LIMIT n OFFSET m, LIMIT m, n [ROWS EXAMINED n],
 * [OFFSET m ROWS] [FETCH FIRST [n] ROWS ONLY|WITH TIES] */

static void
accept_rows(struct parser *p)
{
    if (!parser_accept(p, KW_ROW))
        parser_expect(p, KW_ROWS);
}

static void
fetch(struct parser *p, struct limit *l)
{
    if (!parser_accept(p, KW_FIRST))
        parser_expect(p, KW_NEXT);
    l->one_row = parser_at(p, KW_ROW) || parser_at(p, KW_ROWS);
    if (!l->one_row)
        l->count = parser_simple_expr(p);
    accept_rows(p);
    if (parser_accept(p, KW_WITH)) {
        parser_expect(p, KW_TIES);
        l->with_ties = true;
    } else {
        parser_expect(p, KW_ONLY);
    }
}

struct limit *
parser_limit(struct parser *p)
{
    struct limit *l     = parser_new(p, sizeof(*l));
    uint32_t      start = p->t.start;

    if (parser_accept(p, KW_OFFSET)) {
        l->offset = parser_simple_expr(p);
        accept_rows(p);
        if (parser_accept(p, KW_FETCH))
            fetch(p, l);
    } else if (parser_accept(p, KW_FETCH)) {
        fetch(p, l);
    } else {
        parser_expect(p, KW_LIMIT);
        if (!parser_at(p, KW_ROWS))
            l->count = parser_simple_expr(p);
        if (parser_accept_op(p, ',')) {
            l->offset = l->count;
            l->count  = parser_simple_expr(p);
        } else if (parser_accept(p, KW_OFFSET)) {
            l->offset = parser_simple_expr(p);
        }
        if (parser_accept(p, KW_ROWS)) {
            parser_expect(p, KW_EXAMINED);
            l->rows_examined = parser_simple_expr(p);
        }
    }
    l->range = parser_range(p, start);
    return l;
}

/* What follows the parts. */

static void
lock(struct parser *p, struct query *q)
{
    uint32_t start = p->t.start;

    p->flags |= STMT_HAS_LOCK;
    if (parser_accept(p, KW_LOCK)) {
        parser_expect(p, KW_IN);
        parser_expect(p, KW_SHARE);
        parser_expect(p, KW_MODE);
        q->lock = LOCK_SHARE;
    } else {
        parser_take(p);
        parser_expect(p, KW_UPDATE);
        q->lock = LOCK_UPDATE;
    }
    if (parser_accept(p, KW_NOWAIT)) {
        q->lock_wait = LOCK_WAIT_NO;
    } else if (parser_accept(p, KW_SKIP)) {
        parser_expect(p, KW_LOCKED);
        q->lock_wait = LOCK_WAIT_SKIP;
    } else if (parser_accept(p, KW_WAIT)) {
        parser_literal(p);
        q->lock_wait = LOCK_WAIT_SECONDS;
    }
    q->lock_range = parser_range(p, start);
}

static bool
at_tail(const struct parser *p)
{
    return parser_at(p, KW_ORDER) || parser_at(p, KW_LIMIT) || parser_at(p, KW_OFFSET) ||
           parser_at(p, KW_FETCH) || parser_at(p, KW_INTO) ||
           (parser_at(p, KW_FOR) && parser_peek_keyword(p) == KW_UPDATE) ||
           (parser_at(p, KW_LOCK) && parser_peek_keyword(p) == KW_IN);
}

static void
tail_clauses(struct parser *p, struct query *q)
{
    if (parser_at(p, KW_ORDER)) {
        uint32_t start = p->t.start;
        parser_take(p);
        parser_expect(p, KW_BY);
        q->order_by    = parser_order_list(p);
        q->order_range = parser_range(p, start);
    }
    if (parser_at(p, KW_LIMIT) || parser_at(p, KW_OFFSET) || parser_at(p, KW_FETCH))
        q->limit = parser_limit(p);
    while (parser_at(p, KW_INTO) || parser_at(p, KW_FOR) || parser_at(p, KW_LOCK)) {
        if (!at_tail(p))
            return;
        if (parser_at(p, KW_INTO))
            into(p, q);
        else
            lock(p, q);
    }
}

/* Operands and operators. */

static struct query *
operand(struct parser *p)
{
    uint32_t start = p->t.start;

    if (parser_accept_op(p, '(')) {
        struct query *inner = parser_query(p);
        parser_expect_op(p, ')');
        inner->outer_range = parser_range(p, start);
        return inner;
    }
    struct query *q = parser_new(p, sizeof(*q));
    if (parser_accept(p, KW_VALUES)) {
        uint32_t n;
        q->kind = QUERY_VALUES;
        q->rows = parser_rows(p, &n);
    } else {
        block(p, q);
    }
    q->range       = parser_range(p, start);
    q->outer_range = q->range;
    return q;
}

static bool
in_parentheses(const struct query *q)
{
    return q->outer_range.start != q->range.start;
}

static struct query *
union_of(struct parser *p, struct query *first)
{
    struct query *u = parser_new(p, sizeof(*u));

    u->kind        = QUERY_UNION;
    u->parts       = first;
    u->range       = first->outer_range;
    u->outer_range = u->range;
    return u;
}

/* first {op operand}, flat: the operators in `p`'s reach are those `wanted`. */
static struct query *
chain(struct parser *p, struct query *first, bool intersect)
{
    struct query *u = NULL, *last = first;

    while (intersect ? parser_at(p, KW_INTERSECT) : at_set_op(p)) {
        enum keyword op = parser_at(p, KW_MINUS) ? KW_EXCEPT : p->t.keyword;
        parser_take(p);
        bool all = parser_accept(p, KW_ALL);
        if (!all)
            parser_accept(p, KW_DISTINCT);
        if (u == NULL)
            u = union_of(p, first);
        struct query *next = operand(p);
        if (!intersect)
            next = chain(p, next, true);
        last->next    = next;
        next->set_op  = op;
        next->set_all = all;
        last          = next;
        p->flags |= STMT_HAS_UNION;
    }
    if (u == NULL)
        return first;
    u->range.end       = p->last_end;
    u->outer_range.end = p->last_end;
    return u;
}

/* Clauses behind a query in parentheses are those of a query around it. */
static struct query *
finish(struct parser *p, struct query *q)
{
    if (!at_tail(p))
        return q;
    if (in_parentheses(q))
        q = union_of(p, q);
    tail_clauses(p, q);
    q->range.end       = p->last_end;
    q->outer_range.end = p->last_end;
    return q;
}

struct query *
parser_query_rest(struct parser *p, struct query *first)
{
    return finish(p, chain(p, chain(p, first, true), false));
}

static void
with(struct parser *p, struct query *q)
{
    struct cte **tail = &q->with;

    parser_take(p);
    q->recursive = parser_accept(p, KW_RECURSIVE);
    do {
        struct cte *c     = parser_new(p, sizeof(*c));
        uint32_t    start = p->t.start;

        c->name = parser_name(p);
        if (parser_at_op(p, '('))
            c->columns = parser_paren_names(p);
        parser_expect(p, KW_AS);
        parser_expect_op(p, '(');
        c->query = parser_query(p);
        parser_expect_op(p, ')');
        if (parser_accept(p, KW_CYCLE)) {
            parser_name_list(p);
            parser_expect(p, KW_RESTRICT);
        }
        c->range = parser_range(p, start);
        *tail    = c;
        tail     = &c->next;
    } while (parser_accept_op(p, ','));
    p->flags |= STMT_HAS_CTE;
}

struct query *
parser_query(struct parser *p)
{
    uint32_t     start = p->t.start;
    struct query ctes  = { 0 };

    if (!parser_enter(p)) {
        parser_leave(p);
        return parser_new(p, sizeof(struct query));
    }
    if (parser_at(p, KW_WITH))
        with(p, &ctes);
    struct query *q = parser_query_rest(p, operand(p));
    if (ctes.with != NULL) {
        if (in_parentheses(q) || q->with != NULL)
            q = union_of(p, q);
        q->with              = ctes.with;
        q->recursive         = ctes.recursive;
        q->range.start       = start;
        q->outer_range.start = start;
    }
    parser_leave(p);
    return q;
}
