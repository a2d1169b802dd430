/* parse_primary.c - expressions without binary operators: literals, names,
 * variables, parentheses, CASE, CAST. Functions are in parse_func.c.
 */
#include "core/sql/parser.h"

/* Literals. */

static uint32_t
ordinal_at(struct parser *p, uint32_t start)
{
    const struct digest *d = p->digest;

    if (d == NULL)
        return AST_NO_ORDINAL;
    while (p->literal < d->n_literals && d->literals[p->literal].start < start)
        p->literal++;
    if (p->literal < d->n_literals && d->literals[p->literal].start == start)
        return p->literal;
    return AST_NO_ORDINAL;
}

static struct expr *
literal_token(struct parser *p, uint32_t start)
{
    struct expr *e = parser_expr_new(p, EXPR_LITERAL, start);

    e->literal = (uint8_t)p->t.kind;
    e->ordinal = ordinal_at(p, p->t.start);
    if (!token_is_literal(p->t.kind))
        parser_fail(p);
    parser_take(p);
    e->end = p->last_end;
    return e;
}

struct expr *
parser_literal(struct parser *p)
{
    uint32_t     start      = p->t.start;
    struct span *introducer = NULL;

    if (p->t.kind == TOK_INTRODUCER) {
        introducer  = parser_new(p, sizeof(*introducer));
        *introducer = token_text(&p->lex, p->t);
        parser_take(p);
    }
    struct expr *e = literal_token(p, start);
    e->introducer  = introducer;
    bool text      = e->literal == TOK_STRING || e->literal == TOK_NSTRING;
    if (introducer != NULL && !text && e->literal < TOK_HEX)
        parser_fail(p);
    struct expr **tail = &e->args;
    for (; text && p->t.kind == TOK_STRING; tail = &(*tail)->next) {
        *tail = literal_token(p, p->t.start);
        e->n_args++;
    }
    e->end = p->last_end;
    return e;
}

/* A word, as an expression of its own. */
static struct expr *
word_expr(struct parser *p, enum expr_kind kind)
{
    struct expr *e = parser_expr_new(p, kind, p->t.start);

    e->word = (uint16_t)p->t.keyword;
    parser_take(p);
    e->end = p->last_end;
    return e;
}

static struct expr *
parameter(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_PARAM, p->t.start);

    e->ordinal = p->n_params;
    parser_take(p);
    e->end = p->last_end;
    return e;
}

/* Variables. */

static struct span *
name_in_arena(struct parser *p, struct span name)
{
    struct span *copy = parser_new(p, sizeof(*copy));

    *copy = name;
    return copy;
}

static struct expr *
user_var(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_USER_VAR, p->t.start);

    e->name = name_in_arena(p, parser_token_name(p, p->t));
    p->flags |= STMT_HAS_USER_VAR;
    parser_take(p);
    e->end = p->last_end;
    if (!parser_accept_op(p, OP_ASSIGN))
        return e;

    struct expr *assign = parser_expr_new(p, EXPR_ASSIGN, e->start);
    p->flags |= STMT_HAS_ASSIGN;
    parser_expr_add(p, assign, e);
    parser_expr_add(p, assign, parser_expr(p));
    return assign;
}

static bool
is_scope(enum keyword k)
{
    return k == KW_GLOBAL || k == KW_SESSION || k == KW_LOCAL;
}

static struct expr *
system_var(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_SYSTEM_VAR, p->t.start);

    parser_take(p);
    if (p->t.kind == TOK_KEYWORD && is_scope(p->t.keyword)) {
        e->word = (uint16_t)p->t.keyword;
        parser_take(p);
        parser_expect_op(p, '.');
    }
    /* Some variables have the names of reserved words (@@sql_mode is not one,
     * @@read_only is not either, but the server takes any word here). */
    uint32_t start = p->t.start;
    if (p->t.kind == TOK_KEYWORD)
        p->t.kind = TOK_IDENT;
    struct span name = parser_name(p);
    while (parser_accept_op(p, '.')) {
        parser_name(p);
        name = (struct span){ p->lex.text + start, p->last_end - start };
    }
    e->name = name_in_arena(p, name);
    e->end  = p->last_end;
    return e;
}

/* Parentheses. */

struct expr *
parser_subquery(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_SUBQUERY, p->t.start);

    if (!parser_at_op(p, '('))
        parser_fail(p);
    struct expr *inner = parser_simple_expr(p);
    if (inner->kind != EXPR_SUBQUERY)
        parser_fail(p);
    else
        e = inner;
    return e;
}

static struct expr *
subquery_node(struct parser *p, struct query *q, uint32_t start)
{
    struct expr *e = parser_expr_new(p, EXPR_SUBQUERY, start);

    p->flags |= STMT_HAS_SUBQUERY;
    e->query       = q;
    q->outer_range = (struct range){ start, p->last_end };
    return e;
}

/* (SELECT ...), (x), (x, y), ((SELECT ...) UNION ...). */
struct expr *
parser_parenthesised(struct parser *p)
{
    uint32_t start = p->t.start, n;

    parser_expect_op(p, '(');
    if (parser_at_query(p)) {
        struct query *q = parser_query(p);
        parser_expect_op(p, ')');
        return subquery_node(p, q, start);
    }
    struct expr *list = parser_expr_list(p, &n);
    if (n == 1 && list->kind == EXPR_SUBQUERY) {
        struct query *q = list->query;
        if (parser_at_query_rest(p))
            q = parser_query_rest(p, q);
        parser_expect_op(p, ')');
        return subquery_node(p, q, start);
    }
    parser_expect_op(p, ')');

    struct expr *e = parser_expr_new(p, n == 1 ? EXPR_PAREN : EXPR_ROW, start);
    e->args        = list;
    e->n_args      = n;
    for (; list != NULL; list = list->next)
        if (e->height <= list->height)
            e->height = (uint16_t)(list->height + 1);
    return e;
}

/* CAST(x AS type), CONVERT(x, type), CONVERT(x USING charset). */
static struct expr *
cast_expr(struct parser *p)
{
    bool         convert = parser_at(p, KW_CONVERT);
    struct expr *e       = parser_expr_new(p, EXPR_CAST, p->t.start);

    parser_take(p);
    parser_expect_op(p, '(');
    parser_expr_add(p, e, parser_expr(p));
    if (convert && parser_accept(p, KW_USING)) {
        e->kind = EXPR_CONVERT;
        if (parser_at(p, KW_BINARY) || parser_at(p, KW_DEFAULT)) {
            e->name = name_in_arena(p, token_text(&p->lex, p->t));
            parser_take(p);
        } else {
            e->name = name_in_arena(p, parser_text_name(p));
        }
    } else {
        if (convert)
            parser_expect_op(p, ',');
        else
            parser_expect(p, KW_AS);
        e->type = parser_new(p, sizeof(*e->type));
        parser_data_type(p, e->type);
    }
    parser_expect_op(p, ')');
    e->end = p->last_end;
    return e;
}

static struct expr *
unary(struct parser *p, enum expr_op op, bool whole_expr)
{
    struct expr *e = parser_expr_new(p, EXPR_UNARY, p->t.start);

    e->op = (uint8_t)op;
    parser_take(p);
    parser_expr_add(p, e, whole_expr ? parser_expr(p) : parser_simple_expr(p));
    return e;
}

static struct expr *
exists(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_EXISTS, p->t.start);

    parser_take(p);
    parser_expr_add(p, e, parser_subquery(p));
    return e;
}

/* DATE '2020-01-01', {d '2020-01-01'}, ROW (1, 2), DEFAULT(c). */

static struct expr *
temporal(struct parser *p)
{
    struct expr *e = word_expr(p, EXPR_TEMPORAL);

    parser_expr_add(p, e, literal_token(p, p->t.start));
    return e;
}

static struct expr *
odbc(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_ODBC, p->t.start);

    parser_take(p);
    parser_name(p);
    parser_expr_add(p, e, parser_expr(p));
    parser_expect_op(p, '}');
    e->end = p->last_end;
    return e;
}

static struct expr *
row(struct parser *p)
{
    uint32_t start = p->t.start;

    parser_take(p);
    struct expr *e = parser_parenthesised(p);
    if (e->kind != EXPR_ROW && e->kind != EXPR_PAREN)
        parser_fail(p);
    e->kind  = EXPR_ROW;
    e->start = start;
    return e;
}

static struct expr *
default_expr(struct parser *p)
{
    struct expr *e = word_expr(p, EXPR_DEFAULT);

    if (!parser_accept_op(p, '('))
        return e;
    parser_expr_add(p, e, parser_simple_expr(p));
    parser_expect_op(p, ')');
    e->end = p->last_end;
    return e;
}

struct expr *
parser_expr_or_default(struct parser *p)
{
    bool of_column = parser_at(p, KW_DEFAULT) && token_is_op(parser_peek(p), '(');

    if (!of_column && (parser_at(p, KW_DEFAULT) || parser_at(p, KW_IGNORE)))
        return default_expr(p);
    return parser_expr(p); /* DEFAULT(a) + 1 is one, too */
}

/* s.NEXTVAL, s.CURRVAL: NEXTVAL(s), LASTVAL(s). */
static struct expr *
oracle_sequence(struct parser *p, struct path path, uint32_t start, bool next)
{
    struct path  name = { .name = next ? SPAN("NEXTVAL") : SPAN("LASTVAL"), .range = path.range };
    struct expr *e    = parser_expr_new(p, EXPR_FUNC, start);
    struct expr *arg  = parser_expr_new(p, EXPR_COLUMN, start);

    e->func       = parser_new(p, sizeof(*e->func));
    e->func->name = name;
    arg->path     = parser_new(p, sizeof(*arg->path));
    *arg->path    = (struct path){ .name = path.table, .table = path.schema,
                                   .range = path.range };
    arg->end      = p->last_end;
    p->flags |= STMT_HAS_FUNCTION;
    parser_expr_add(p, e, arg);
    e->end = p->last_end;
    return e;
}

/* Names: a column, or a function when a parenthesis follows. */
static struct expr *
name_or_function(struct parser *p)
{
    struct path  path  = { 0 };
    uint32_t     start = p->t.start;
    enum keyword k     = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;

    path.name = parser_name(p);
    for (int parts = 1; parts < 3 && parser_at_op(p, '.'); parts++) {
        if (token_is_op(parser_peek(p), '*'))
            break;
        parser_take(p);
        path.schema = path.table;
        path.table  = path.name;
        path.name   = parser_name(p);
        k           = NO_KEYWORD;
    }
    path.range = parser_range(p, start);
    if (parser_at_op(p, '(')) {
        if (path.table.ptr != NULL) {
            path.schema = path.table;
            path.table  = (struct span){ 0 };
        }
        return parser_function(p, path, k, start);
    }
    if (p->lex.options.oracle && path.table.ptr != NULL) {
        bool next = span_equal_nocase(path.name, SPAN("NEXTVAL"));
        if (next || span_equal_nocase(path.name, SPAN("CURRVAL")))
            return oracle_sequence(p, path, start, next);
    }
    if (p->lex.options.oracle && k == KW_ROWNUM)
        return parser_function(p, path, k, start);
    struct expr *e = parser_expr_new(p, EXPR_COLUMN, start);
    e->path        = parser_new(p, sizeof(*e->path));
    *e->path       = path;
    return e;
}

/* Reserved words that begin a function or a constant. */
static struct expr *
reserved_function(struct parser *p)
{
    uint32_t     start = p->t.start;
    enum keyword k     = p->t.keyword;
    struct path  path  = { .name = token_text(&p->lex, p->t) };

    switch ((unsigned)k) {
    case KW_CURRENT_DATE: case KW_CURRENT_TIME: case KW_CURRENT_TIMESTAMP: case KW_CURRENT_USER:
    case KW_CURRENT_ROLE: case KW_LOCALTIME: case KW_LOCALTIMESTAMP: case KW_UTC_DATE:
    case KW_UTC_TIME: case KW_UTC_TIMESTAMP:
        parser_take(p); /* parentheses are optional */
        break;
    case KW_IF: case KW_LEFT: case KW_RIGHT: case KW_REPLACE: case KW_INSERT: case KW_REPEAT:
    case KW_CHAR: case KW_MOD: case KW_VALUES: case KW_SCHEMAS: case KW_ROW_NUMBER:
        parser_take(p);
        if (!parser_at_op(p, '('))
            parser_fail(p);
        break;
    default:
        parser_fail(p);
    }
    path.range = parser_range(p, start);
    return parser_function(p, path, k, start);
}

/* NEXT VALUE FOR seq, PREVIOUS VALUE FOR seq: NEXTVAL(seq), LASTVAL(seq). */
static struct expr *
sequence_value(struct parser *p)
{
    enum keyword k     = p->t.keyword;
    struct path  path  = { .name = k == KW_NEXT ? SPAN("NEXTVAL") : SPAN("LASTVAL") };
    uint32_t     start = p->t.start;
    struct func *f     = parser_new(p, sizeof(*f));

    parser_take(p);
    parser_take(p);
    parser_expect(p, KW_FOR);
    struct expr *e = parser_expr_new(p, EXPR_FUNC, start);
    f->name        = path;
    f->keyword     = k;
    e->func        = f;
    p->flags |= STMT_HAS_FUNCTION;
    parser_expr_add(p, e, name_or_function(p));
    return e;
}

static struct expr *
keyword_primary(struct parser *p)
{
    switch ((unsigned)p->t.keyword) {
    case KW_NULL: return word_expr(p, EXPR_NULL);
    case KW_TRUE:
    case KW_FALSE: return word_expr(p, EXPR_BOOL);
    case KW_DEFAULT: return default_expr(p);
    case KW_CASE: return parser_case(p);
    case KW_CONVERT: return cast_expr(p);
    case KW_BINARY: return unary(p, EXPR_OP_BINARY, false);
    case KW_NOT: return unary(p, EXPR_OP_NOT, false);
    case KW_EXISTS: return exists(p);
    case KW_MATCH: return parser_match(p);
    case KW_INTERVAL: return parser_interval(p);
    case KW_CAST:
        if (token_is_op(parser_peek(p), '('))
            return cast_expr(p);
        break;
    case KW_ROW:
        if (token_is_op(parser_peek(p), '('))
            return row(p);
        break;
    case KW_DATE: case KW_TIME: case KW_TIMESTAMP:
        if (parser_peek(p).kind == TOK_STRING)
            return temporal(p);
        break;
    case KW_NEXT: case KW_PREVIOUS:
        if (parser_peek_keyword(p) == KW_VALUE)
            return sequence_value(p);
        break;
    default:
        break;
    }
    return keyword_reserved(p->t.keyword) ? reserved_function(p) : name_or_function(p);
}

static struct expr *
op_primary(struct parser *p)
{
    switch (p->t.op) {
    case '(': return parser_parenthesised(p);
    case '-': return unary(p, EXPR_OP_NEGATE, false);
    case '+': return unary(p, EXPR_OP_IDENTITY, false);
    case '~': return unary(p, EXPR_OP_INVERT, false);
    case '!': return unary(p, EXPR_OP_NOT, false);
    case '{': return odbc(p);
    case OP_SYSTEM_VAR: return system_var(p);
    default:
        parser_fail(p);
        return parser_expr_new(p, EXPR_NULL, p->t.start);
    }
}

static struct expr *
primary(struct parser *p)
{
    switch (p->t.kind) {
    case TOK_INT: case TOK_DECIMAL: case TOK_FLOAT: case TOK_STRING: case TOK_NSTRING: case TOK_HEX:
    case TOK_HEX_STRING: case TOK_BIT: case TOK_INTRODUCER:
        return parser_literal(p);
    case TOK_PARAM:
        return parameter(p);
    case TOK_IDENT: case TOK_QUOTED:
        return name_or_function(p);
    case TOK_USER_VAR:
        return user_var(p);
    case TOK_KEYWORD:
        return keyword_primary(p);
    case TOK_OP:
        return op_primary(p);
    case TOK_END: case TOK_BAD:
        break;
    }
    parser_fail(p);
    return parser_expr_new(p, EXPR_NULL, p->t.start);
}

struct expr *
parser_simple_expr(struct parser *p)
{
    uint32_t start = p->t.start;

    if (!parser_enter(p)) {
        parser_leave(p);
        return parser_expr_new(p, EXPR_NULL, start);
    }
    struct expr *e = primary(p);
    for (;;) {
        enum expr_op op = parser_at_op(p, OP_ARROW)        ? EXPR_OP_JSON
                          : parser_at_op(p, OP_ARROW_TEXT) ? EXPR_OP_JSON_TEXT
                                                           : EXPR_OP_NONE;
        bool collate = op == EXPR_OP_NONE && parser_at(p, KW_COLLATE);
        if (op == EXPR_OP_NONE && !collate)
            break;
        struct expr *outer = parser_expr_new(p, collate ? EXPR_COLLATE : EXPR_BINARY, e->start);
        outer->op          = (uint8_t)op;
        parser_take(p);
        parser_expr_add(p, outer, e);
        if (!collate)
            parser_expr_add(p, outer, parser_literal(p));
        else if (parser_at(p, KW_BINARY) || parser_at(p, KW_DEFAULT)) {
            outer->name = name_in_arena(p, token_text(&p->lex, p->t));
            parser_take(p);
        } else {
            outer->name = name_in_arena(p, parser_text_name(p));
        }
        outer->end = p->last_end;
        e          = outer;
    }
    parser_leave(p);
    return e;
}
