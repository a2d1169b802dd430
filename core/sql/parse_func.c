/* parse_func.c - function calls with their odd arguments, CASE, windows, types. */
#include "core/sql/parser.h"

bool
parser_interval_unit(struct parser *p, uint16_t *word)
{
    if (p->t.kind != TOK_KEYWORD)
        return false;
    switch ((unsigned)p->t.keyword) {
    case KW_DAY: case KW_WEEK: case KW_HOUR: case KW_MINUTE: case KW_MONTH: case KW_QUARTER:
    case KW_SECOND: case KW_MICROSECOND: case KW_YEAR: case KW_DAY_HOUR: case KW_DAY_MICROSECOND:
    case KW_DAY_MINUTE: case KW_DAY_SECOND: case KW_HOUR_MICROSECOND: case KW_HOUR_MINUTE:
    case KW_HOUR_SECOND: case KW_MINUTE_MICROSECOND: case KW_MINUTE_SECOND:
    case KW_SECOND_MICROSECOND: case KW_YEAR_MONTH: case KW_SQL_TSI_SECOND:
    case KW_SQL_TSI_MINUTE: case KW_SQL_TSI_HOUR: case KW_SQL_TSI_DAY: case KW_SQL_TSI_WEEK:
    case KW_SQL_TSI_MONTH: case KW_SQL_TSI_QUARTER: case KW_SQL_TSI_YEAR:
        *word = (uint16_t)p->t.keyword;
        parser_take(p);
        return true;
    default:
        return false;
    }
}

static bool
is_aggregate(enum keyword k)
{
    switch ((unsigned)k) {
    case KW_COUNT: case KW_SUM: case KW_MIN: case KW_MAX: case KW_AVG: case KW_STD: case KW_STDDEV:
    case KW_STDDEV_POP: case KW_STDDEV_SAMP: case KW_VARIANCE: case KW_VAR_POP: case KW_VAR_SAMP:
    case KW_BIT_AND: case KW_BIT_OR: case KW_BIT_XOR: case KW_GROUP_CONCAT:
    case KW_JSON_ARRAYAGG: case KW_JSON_OBJECTAGG:
        return true;
    default:
        return false;
    }
}

/* Windows. */

static void
frame_bound(struct parser *p, struct expr ***tail)
{
    if (parser_accept(p, KW_UNBOUNDED)) {
        if (!parser_accept(p, KW_PRECEDING))
            parser_expect(p, KW_FOLLOWING);
    } else if (parser_accept(p, KW_CURRENT)) {
        parser_expect(p, KW_ROW);
    } else {
        **tail = parser_bit_expr(p);
        *tail  = &(**tail)->next;
        if (!parser_accept(p, KW_PRECEDING))
            parser_expect(p, KW_FOLLOWING);
    }
}

static void
frame(struct parser *p, struct window *w)
{
    struct expr **tail = &w->frame;

    parser_take(p);
    if (parser_accept(p, KW_BETWEEN)) {
        frame_bound(p, &tail);
        parser_expect(p, KW_AND);
    }
    frame_bound(p, &tail);
    if (!parser_accept(p, KW_EXCLUDE))
        return;
    if (parser_accept(p, KW_NO))
        parser_expect(p, KW_OTHERS);
    else if (parser_accept(p, KW_CURRENT))
        parser_expect(p, KW_ROW);
    else if (!parser_accept(p, KW_GROUP))
        parser_expect(p, KW_TIES);
}

struct window *
parser_window_spec(struct parser *p)
{
    struct window *w     = parser_new(p, sizeof(*w));
    uint32_t       start = p->t.start, n;

    parser_expect_op(p, '(');
    if (parser_at_name(p))
        w->name = parser_name(p);
    if (parser_accept(p, KW_PARTITION)) {
        parser_expect(p, KW_BY);
        w->partition_by = parser_expr_list(p, &n);
    }
    if (parser_accept(p, KW_ORDER)) {
        parser_expect(p, KW_BY);
        w->order_by = parser_order_list(p);
    }
    if (parser_at(p, KW_ROWS) || parser_at(p, KW_RANGE))
        frame(p, w);
    parser_expect_op(p, ')');
    w->range = parser_range(p, start);
    return w;
}

static void
over(struct parser *p, struct func *f)
{
    uint32_t start = p->t.start;

    if (parser_accept(p, KW_OVER)) {
        f->klass = FUNC_WINDOW;
        p->flags |= STMT_HAS_WINDOW;
        if (parser_at_op(p, '(')) {
            f->over = parser_window_spec(p);
            return;
        }
        f->over        = parser_new(p, sizeof(*f->over));
        f->over->name  = parser_name(p);
        f->over->range = parser_range(p, start);
    }
}

/* Arguments. */

/* COLUMN_CREATE('a', x AS INT), COLUMN_GET(x, 'a' AS CHAR(9)) */
static void
dynamic_type(struct parser *p, enum keyword k)
{
    bool             dynamic = k == KW_COLUMN_CREATE || k == KW_COLUMN_ADD || k == KW_COLUMN_GET;
    struct data_type type    = { 0 };

    if (dynamic && parser_accept(p, KW_AS))
        parser_data_type(p, &type);
}

static void
add_args(struct parser *p, struct expr *e)
{
    struct expr **tail = &e->args;

    while (*tail != NULL)
        tail = &(*tail)->next;
    do {
        struct expr *arg = parser_expr(p);
        *tail            = arg;
        tail             = &arg->next;
        e->n_args++;
        if (e->height <= arg->height)
            e->height = (uint16_t)(arg->height + 1);
        dynamic_type(p, e->func->keyword);
    } while (parser_accept_op(p, ','));
    if (e->height > PARSE_DEPTH_MAX)
        parser_fail(p);
}

/* TRIM([[LEADING|TRAILING|BOTH] [x] FROM] y) */
static void
trim_args(struct parser *p, struct expr *e)
{
    if (parser_accept(p, KW_LEADING) || parser_accept(p, KW_TRAILING) ||
        parser_accept(p, KW_BOTH)) {
        if (!parser_at(p, KW_FROM))
            parser_expr_add(p, e, parser_expr(p));
        parser_expect(p, KW_FROM);
        parser_expr_add(p, e, parser_expr(p));
        return;
    }
    parser_expr_add(p, e, parser_expr(p));
    if (parser_accept(p, KW_FROM))
        parser_expr_add(p, e, parser_expr(p));
}

/* SUBSTRING(x FROM y [FOR z]), SUBSTRING(x, y, z) */
static void
substring_args(struct parser *p, struct expr *e)
{
    parser_expr_add(p, e, parser_expr(p));
    if (parser_accept(p, KW_FROM)) {
        parser_expr_add(p, e, parser_expr(p));
        if (parser_accept(p, KW_FOR))
            parser_expr_add(p, e, parser_expr(p));
    } else if (parser_accept_op(p, ',')) {
        add_args(p, e);
    }
}

/* A unit and then arguments: EXTRACT(YEAR FROM x), TIMESTAMPADD(DAY, 1, x). */
static void
unit_args(struct parser *p, struct expr *e)
{
    if (!parser_interval_unit(p, &e->word))
        parser_fail(p);
    if (!parser_accept(p, KW_FROM))
        parser_expect_op(p, ',');
    add_args(p, e);
}

/* CHAR(1, 2 USING utf8mb4), WEIGHT_STRING(x AS CHAR(3) LEVEL 1-2),
 * GROUP_CONCAT(x ORDER BY y SEPARATOR ',' LIMIT 1). */
static void
trailing_words(struct parser *p, struct func *f)
{
    if (f->keyword == KW_CHAR && parser_accept(p, KW_USING)) {
        if (!parser_accept(p, KW_BINARY))
            parser_text_name(p);
        return;
    }
    if (f->keyword == KW_WEIGHT_STRING)
        while (p->t.kind == TOK_KEYWORD || p->t.kind == TOK_INT || parser_at_op(p, ',') ||
               parser_at_op(p, '-') || parser_at_op(p, '(')) {
            if (parser_at_op(p, '('))
                parser_skip_parens(p);
            else
                parser_take(p);
        }
    if (f->klass != FUNC_AGGREGATE)
        return;
    if (parser_accept(p, KW_ORDER)) {
        parser_expect(p, KW_BY);
        f->order_by = parser_order_list(p);
    }
    if (parser_accept(p, KW_SEPARATOR)) {
        f->separator = token_text(&p->lex, p->t);
        parser_literal(p);
    }
    if (parser_at(p, KW_LIMIT))
        f->limit = parser_limit(p);
}

static void
arguments(struct parser *p, struct expr *e, struct func *f)
{
    switch ((unsigned)f->keyword) {
    case KW_TRIM:
        trim_args(p, e);
        return;
    case KW_SUBSTRING: case KW_SUBSTR: case KW_MID:
        substring_args(p, e);
        return;
    case KW_EXTRACT: case KW_TIMESTAMPADD: case KW_TIMESTAMPDIFF:
        unit_args(p, e);
        return;
    case KW_POSITION:
        parser_expr_add(p, e, parser_bit_expr(p));
        parser_expect(p, KW_IN);
        parser_expr_add(p, e, parser_expr(p));
        return;
    case KW_GET_FORMAT:
        parser_name(p);
        parser_expect_op(p, ',');
        add_args(p, e);
        return;
    default:
        break;
    }
    if (parser_accept_op(p, '*')) {
        struct expr *star = parser_expr_new(p, EXPR_STAR, p->last_end - 1);
        star->path        = parser_new(p, sizeof(*star->path));
        parser_expr_add(p, e, star);
        return;
    }
    if (f->klass == FUNC_AGGREGATE) {
        f->distinct = parser_accept(p, KW_DISTINCT);
        if (!f->distinct)
            parser_accept(p, KW_ALL);
    }
    add_args(p, e);
    trailing_words(p, f);
}

struct expr *
parser_function(struct parser *p, struct path name, enum keyword k, uint32_t start)
{
    struct expr *e = parser_expr_new(p, EXPR_FUNC, start);
    struct func *f = parser_new(p, sizeof(*f));

    f->name    = name;
    f->keyword = k;
    f->klass   = is_aggregate(k) ? FUNC_AGGREGATE : FUNC_PLAIN;
    e->func    = f;
    if (parser_accept_op(p, '(')) {
        if (!parser_at_op(p, ')'))
            arguments(p, e, f);
        else if (f->klass == FUNC_AGGREGATE)
            parser_fail(p); /* MAX(): the planner counts on an argument */
        parser_expect_op(p, ')');
    }
    if (parser_at(p, KW_WITHIN)) {
        parser_take(p);
        parser_expect(p, KW_GROUP);
        f->order_by = parser_window_spec(p)->order_by;
    }
    over(p, f);
    e->end = p->last_end;
    if (f->klass == FUNC_AGGREGATE)
        p->flags |= STMT_HAS_AGGREGATE;
    else if (f->klass == FUNC_PLAIN)
        p->flags |= STMT_HAS_FUNCTION;
    if (span_equal_nocase(name.name, SPAN("ROWNUM")))
        p->flags |= STMT_HAS_ROWNUM;
    return e;
}

/* Types. */

static uint32_t
number_of(struct parser *p)
{
    uint64_t value = 0;

    if (p->t.kind != TOK_INT || !literal_u64(token_text(&p->lex, p->t), &value) ||
        value > UINT32_MAX)
        parser_fail(p);
    parser_take(p);
    return (uint32_t)value;
}

static void
type_length(struct parser *p, struct data_type *type)
{
    parser_expect_op(p, '(');
    if (p->t.kind == TOK_STRING) {
        struct expr **tail = &type->members;
        do {
            *tail = parser_literal(p);
            tail  = &(*tail)->next;
        } while (parser_accept_op(p, ','));
    } else {
        type->has_length = true;
        type->length     = number_of(p);
        type->has_scale  = parser_accept_op(p, ',');
        if (type->has_scale)
            type->scale = number_of(p);
    }
    parser_expect_op(p, ')');
}

/* LONG VARCHAR, DOUBLE PRECISION, NATIONAL CHAR VARYING ... */
static void
type_words(struct parser *p, struct data_type *type)
{
    uint32_t start = p->t.start;

    if (p->t.kind != TOK_KEYWORD && !parser_at_name(p)) {
        parser_fail(p);
        return;
    }
    type->keyword = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    parser_take(p);
    switch ((unsigned)type->keyword) {
    case KW_NATIONAL:
    case KW_LONG:
        if (parser_at(p, KW_CHAR) || parser_at(p, KW_CHARACTER) || parser_at(p, KW_VARCHAR) ||
            parser_at(p, KW_VARCHARACTER) || parser_at(p, KW_VARBINARY))
            parser_take(p);
        parser_accept(p, KW_VARYING);
        type->national = type->keyword == KW_NATIONAL;
        break;
    case KW_CHAR: case KW_CHARACTER: case KW_NCHAR:
        if (!parser_accept(p, KW_VARYING))
            parser_accept(p, KW_VARCHAR);
        break;
    case KW_DOUBLE:
        parser_accept(p, KW_PRECISION);
        break;
    case KW_SIGNED: case KW_UNSIGNED:
        if (!parser_accept(p, KW_INTEGER))
            parser_accept(p, KW_INT);
        break;
    default:
        break;
    }
    type->name = (struct span){ p->lex.text + start, p->last_end - start };
}

static struct span
charset_name(struct parser *p)
{
    if (!parser_at(p, KW_BINARY))
        return parser_text_name(p);
    struct span name = token_text(&p->lex, p->t);
    parser_take(p);
    return name;
}

static bool
type_attribute(struct parser *p, struct data_type *type)
{
    struct span word = token_text(&p->lex, p->t);

    if (parser_accept(p, KW_UNSIGNED))
        type->is_unsigned = true;
    else if (parser_accept(p, KW_ZEROFILL))
        type->zerofill = type->is_unsigned = true;
    else if (parser_accept(p, KW_BINARY))
        type->binary = true;
    else if (parser_accept(p, KW_ASCII) || parser_accept(p, KW_UNICODE) ||
             parser_accept(p, KW_BYTE))
        type->charset = word;
    else if (parser_accept(p, KW_CHARSET))
        type->charset = charset_name(p);
    else if (parser_at(p, KW_CHARACTER) || (parser_at(p, KW_CHAR))) {
        parser_take(p);
        parser_expect(p, KW_SET);
        type->charset = charset_name(p);
    } else if (parser_accept(p, KW_COLLATE))
        type->collation = charset_name(p);
    else
        return parser_accept(p, KW_SIGNED);
    return true;
}

void
parser_data_type(struct parser *p, struct data_type *type)
{
    uint32_t start = p->t.start;

    type_words(p, type);
    if (parser_at_op(p, '('))
        type_length(p, type);
    if (type->keyword == KW_UNSIGNED)
        type->is_unsigned = true;
    while (type_attribute(p, type))
        ;
    type->range = parser_range(p, start);
}

/* --- CASE, MATCH, INTERVAL --- */

struct expr *
parser_case(struct parser *p)
{
    struct expr  *e    = parser_expr_new(p, EXPR_CASE, p->t.start);
    struct expr **tail = &e->args;
    struct expr  *arg;

    parser_take(p);
    e->has_operand = !parser_at(p, KW_WHEN);
    if (!parser_at(p, KW_WHEN)) {
        parser_expr_add(p, e, parser_expr(p));
        tail = &e->args->next;
    }
    do {
        parser_expect(p, KW_WHEN);
        for (int i = 0; i < 2; i++) {
            if (i == 1)
                parser_expect(p, KW_THEN);
            arg   = parser_expr(p);
            *tail = arg;
            tail  = &arg->next;
            e->n_args++;
            if (e->height <= arg->height)
                e->height = (uint16_t)(arg->height + 1);
        }
    } while (parser_at(p, KW_WHEN));
    e->has_else = parser_accept(p, KW_ELSE);
    if (e->has_else)
        parser_expr_add(p, e, parser_expr(p));
    parser_expect(p, KW_END);
    e->end = p->last_end;
    return e;
}

/* MATCH (a, b) AGAINST (x [IN ... MODE] [WITH QUERY EXPANSION]) */
struct expr *
parser_match(struct parser *p)
{
    struct expr *e     = parser_expr_new(p, EXPR_MATCH, p->t.start);
    bool         paren = false;
    uint32_t     n;

    parser_take(p);
    paren                = parser_accept_op(p, '(');
    struct expr *columns = parser_expr_list(p, &n);
    if (paren)
        parser_expect_op(p, ')');
    parser_expect(p, KW_AGAINST);
    parser_expect_op(p, '(');
    parser_expr_add(p, e, parser_bit_expr(p));
    e->args->next = columns;
    e->n_args += n;
    while (!parser_at_op(p, ')') && p->t.kind == TOK_KEYWORD)
        parser_take(p);
    parser_expect_op(p, ')');
    e->end = p->last_end;
    return e;
}

/* At the '(' of (x, y ...), and no query's. */
static bool
at_list(const struct parser *p)
{
    struct lex   copy  = p->lex;
    struct token t     = lex_next(&copy);
    unsigned     depth = 0;

    if (!parser_at_op(p, '(') || token_is_keyword(t, KW_SELECT) || token_is_keyword(t, KW_WITH) ||
        token_is_keyword(t, KW_VALUES))
        return false;
    for (; t.kind != TOK_END && t.kind != TOK_BAD; t = lex_next(&copy)) {
        if (depth == 0 && (token_is_op(t, ',') || token_is_op(t, ')')))
            return token_is_op(t, ',');
        depth += token_is_op(t, '(');
        depth -= token_is_op(t, ')');
    }
    return false;
}

/* INTERVAL x unit; or the function INTERVAL(x, y, ...). */
struct expr *
parser_interval(struct parser *p)
{
    struct expr *e = parser_expr_new(p, EXPR_INTERVAL, p->t.start);

    parser_take(p);
    if (at_list(p)) {
        struct expr *x = parser_parenthesised(p);
        struct func *f = parser_new(p, sizeof(*f));
        f->keyword     = KW_INTERVAL;
        f->name.name   = SPAN("INTERVAL");
        e->kind        = EXPR_FUNC;
        e->func        = f;
        e->args        = x->args;
        e->n_args      = x->n_args;
        e->height      = x->height;
        e->end         = p->last_end;
        return e;
    }
    struct expr *x = parser_expr(p);
    if (!parser_interval_unit(p, &e->word))
        parser_fail(p);
    parser_expr_add(p, e, x);
    return e;
}
