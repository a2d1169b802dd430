/* parse_table.c - what stands behind FROM: tables, joins, derived tables. */
#include "core/sql/parser.h"

/* Comma and join chains nest to the left; the server allows 61 tables. */
enum { JOINS_MAX = 200 };

static struct table_ref *
ref_new(struct parser *p, enum table_ref_kind kind, uint32_t start)
{
    struct table_ref *t = parser_new(p, sizeof(*t));

    t->kind  = kind;
    t->range = parser_range(p, start);
    return t;
}

/* USE|FORCE|IGNORE INDEX|KEY [FOR JOIN|ORDER BY|GROUP BY] (a, PRIMARY) */
static void
index_hints(struct parser *p, struct table_ref *t)
{
    uint32_t start = p->t.start;

    while (parser_at(p, KW_USE) || parser_at(p, KW_FORCE) || parser_at(p, KW_IGNORE)) {
        parser_take(p);
        if (!parser_accept(p, KW_INDEX))
            parser_expect(p, KW_KEY);
        if (parser_accept(p, KW_FOR) && !parser_accept(p, KW_JOIN)) {
            if (!parser_accept(p, KW_ORDER))
                parser_expect(p, KW_GROUP);
            parser_expect(p, KW_BY);
        }
        parser_skip_parens(p);
        t->hints = parser_range(p, start);
    }
}

/* FOR SYSTEM_TIME AS OF x | ALL | BETWEEN x AND y | FROM x TO y */
static void
system_time(struct parser *p, struct table_ref *t)
{
    if (!parser_at(p, KW_FOR) || parser_peek_keyword(p) != KW_SYSTEM_TIME)
        return;
    parser_take(p);
    parser_take(p);
    t->system_time = true;
    p->flags |= STMT_HAS_PERIOD;
    if (parser_accept(p, KW_ALL))
        return;
    if (parser_accept(p, KW_AS)) {
        parser_expect(p, KW_OF);
        t->args = parser_bit_expr(p);
        return;
    }
    bool between = parser_accept(p, KW_BETWEEN);
    if (!between)
        parser_expect(p, KW_FROM);
    t->args = parser_bit_expr(p);
    parser_expect(p, between ? KW_AND : KW_TO);
    t->args->next = parser_bit_expr(p);
}

/* JSON_TABLE(x, path COLUMNS (...)): of the columns only that they end. */
static struct table_ref *
json_table(struct parser *p)
{
    struct table_ref *t = ref_new(p, TABLE_REF_FUNCTION, p->t.start);

    parser_take(p);
    parser_expect_op(p, '(');
    t->args = parser_expr(p);
    parser_expect_op(p, ',');
    t->args->next = parser_literal(p);
    parser_expect(p, KW_COLUMNS);
    parser_skip_parens(p);
    parser_expect_op(p, ')');
    t->alias = parser_alias(p, false);
    return t;
}

static struct table_ref *
table(struct parser *p)
{
    struct table_ref *t     = ref_new(p, TABLE_REF_TABLE, p->t.start);
    uint32_t          start = p->t.start;

    t->table = parser_path(p);
    if (parser_at(p, KW_PARTITION)) {
        start = p->t.start;
        parser_take(p);
        parser_skip_parens(p);
        t->partition = parser_range(p, start);
    }
    start = p->t.start;
    system_time(p, t);
    if (t->system_time)
        t->period = parser_range(p, start);
    t->alias = parser_alias(p, false);
    index_hints(p, t);
    return t;
}

/* Behind the parenthesis of a query in FROM: its alias. */
static struct table_ref *
derived(struct parser *p, struct query *q, uint32_t start)
{
    struct table_ref *t = ref_new(p, TABLE_REF_SUBQUERY, start);

    parser_expect_op(p, ')');
    q->outer_range = parser_range(p, start);
    t->kind        = q->kind == QUERY_VALUES ? TABLE_REF_VALUES : TABLE_REF_SUBQUERY;
    t->query       = q;
    p->flags |= STMT_HAS_DERIVED;
    t->alias = parser_alias(p, false);
    if (t->alias.ptr != NULL && parser_at_op(p, '('))
        t->columns = parser_paren_names(p);
    return t;
}

/* ( query ) alias, ( tables and joins ), ((query) UNION (query)) alias */
static struct table_ref *
parenthesised(struct parser *p)
{
    uint32_t start = p->t.start;

    parser_take(p);
    if (parser_at_query(p) || parser_at(p, KW_VALUES))
        return derived(p, parser_query(p), start);

    struct table_ref *inner = parser_table_refs(p);
    bool query = inner->kind == TABLE_REF_SUBQUERY || inner->kind == TABLE_REF_VALUES;
    if (query && inner->alias.ptr == NULL) {
        struct query *q = inner->query;
        if (parser_at_query_rest(p))
            q = parser_query_rest(p, q);
        return derived(p, q, start);
    }
    parser_expect_op(p, ')');
    inner->range = parser_range(p, start);
    return inner;
}

static struct table_ref *
factor(struct parser *p)
{
    struct table_ref *t;
    uint32_t          start = p->t.start;

    if (!parser_enter(p)) {
        parser_leave(p);
        return ref_new(p, TABLE_REF_TABLE, start);
    }
    if (parser_at_op(p, '(')) {
        t = parenthesised(p);
    } else if (parser_at(p, KW_JSON_TABLE) && token_is_op(parser_peek(p), '(')) {
        t = json_table(p);
    } else if (parser_at_op(p, '{')) {
        parser_take(p); /* {oj a LEFT JOIN b ON ...} */
        parser_name(p);
        t = parser_table_refs(p);
        parser_expect_op(p, '}');
    } else {
        t = table(p);
    }
    t->range = parser_range(p, start);
    parser_leave(p);
    return t;
}

/* Joins. */

struct join_words {
    enum join_kind kind;
    bool           natural;
    bool           outer; /* wants ON or USING */
};

static bool
accept_join(struct parser *p, struct join_words *j)
{
    *j         = (struct join_words){ .kind = JOIN_INNER };
    j->natural = parser_accept(p, KW_NATURAL);
    if (!j->natural && parser_accept(p, KW_STRAIGHT_JOIN)) {
        j->kind = JOIN_STRAIGHT;
        return true;
    }
    if (parser_at(p, KW_LEFT) || parser_at(p, KW_RIGHT)) {
        j->kind = parser_at(p, KW_LEFT) ? JOIN_LEFT : JOIN_RIGHT;
        parser_take(p);
        parser_accept(p, KW_OUTER);
        j->outer = !j->natural;
    } else if (parser_accept(p, KW_INNER) || (!j->natural && parser_accept(p, KW_CROSS))) {
        ;
    } else if (!parser_at(p, KW_JOIN)) {
        if (j->natural)
            parser_fail(p);
        return false;
    }
    parser_expect(p, KW_JOIN);
    return true;
}

/* ON, but not ON DUPLICATE KEY UPDATE behind an INSERT's query. */
static bool
at_condition(const struct parser *p)
{
    return parser_at(p, KW_USING) ||
           (parser_at(p, KW_ON) && parser_peek_keyword(p) != KW_DUPLICATE);
}

static void
join_condition(struct parser *p, struct table_ref *j)
{
    if (parser_accept(p, KW_ON)) {
        j->on = parser_expr(p);
    } else {
        parser_expect(p, KW_USING);
        j->using_columns = parser_paren_names(p);
    }
}

static struct table_ref *
join_new(struct parser *p, enum join_kind kind, struct table_ref *left, struct table_ref *right)
{
    struct table_ref *t = ref_new(p, TABLE_REF_JOIN, left->range.start);

    t->join  = kind;
    t->left  = left;
    t->right = right;
    return t;
}

static bool
lacks_condition(const struct table_ref *t)
{
    return t->kind == TABLE_REF_JOIN && t->on == NULL && t->using_columns == NULL && !t->natural &&
           (t->join == JOIN_INNER || t->join == JOIN_STRAIGHT);
}

/* In a JOIN b LEFT JOIN c ON x ON y the second condition belongs to the first
 * join, whose right side is then all that followed: ((a J b) L c) becomes
 * (a J (b L c)). NULL when no join is without one. */
static struct table_ref *
rotate(struct table_ref *top, uint32_t first)
{
    struct table_ref *above = NULL, *at = top;

    while (at->kind == TABLE_REF_JOIN && at->range.start == first && !lacks_condition(at)) {
        above = at;
        at    = at->left;
    }
    if (above == NULL || !lacks_condition(at))
        return NULL;
    struct table_ref *b = at->right;
    for (struct table_ref *t = top; t != at; t = t->left)
        t->range.start = b->range.start;
    above->left = b;
    at->right   = top;
    return at;
}

static struct table_ref *
stray_condition(struct parser *p, struct table_ref *top)
{
    struct table_ref *join = rotate(top, top->range.start);

    if (join == NULL) {
        parser_fail(p);
        return top;
    }
    join_condition(p, join);
    join->range.end = p->last_end;
    return join;
}

/* One join behind `left`, or NULL. */
static struct table_ref *
join_step(struct parser *p, struct table_ref *left)
{
    struct join_words words;

    if (!accept_join(p, &words))
        return NULL;
    struct table_ref *right = factor(p);
    /* a LEFT JOIN b LEFT JOIN c ON x ON y: the inner ones first. */
    if (words.outer && parser_enter(p))
        while (!at_condition(p)) {
            struct table_ref *more = join_step(p, right);
            if (more == NULL) {
                parser_fail(p);
                break;
            }
            right = more;
        }
    if (words.outer)
        parser_leave(p);

    struct table_ref *join = join_new(p, words.kind, left, right);
    join->natural          = words.natural;
    if (!words.natural && at_condition(p))
        join_condition(p, join);
    join->range.end = p->last_end;
    return join;
}

struct table_ref *
parser_table_ref(struct parser *p)
{
    struct table_ref *t = factor(p);

    for (int n = 0;; n++) {
        struct table_ref *more = NULL;
        if (n > JOINS_MAX)
            parser_fail(p);
        if (t->kind == TABLE_REF_JOIN && at_condition(p))
            more = stray_condition(p, t);
        else
            more = join_step(p, t);
        if (more == NULL || p->failed)
            return t;
        t = more;
    }
}

struct table_ref *
parser_table_refs(struct parser *p)
{
    struct table_ref *t = parser_table_ref(p);

    for (int n = 0; parser_accept_op(p, ','); n++) {
        if (n > JOINS_MAX)
            parser_fail(p);
        t = join_new(p, JOIN_COMMA, t, parser_table_ref(p));
    }
    return t;
}

/* [schema.]table [alias], ... */
struct table_item *
parser_tables(struct parser *p)
{
    struct table_item *first = NULL, **tail = &first;

    do {
        struct table_item *item = parser_new(p, sizeof(*item));

        item->table = parser_path(p);
        *tail       = item;
        tail        = &item->next;
    } while (parser_accept_op(p, ','));
    return first;
}
