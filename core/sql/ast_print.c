/* ast_print.c - expressions and queries; statement_print.c has the rest. */
#include "core/sql/ast_print.h"

static const char *const ops[] = {
    [EXPR_OP_EQUAL] = "=",        [EXPR_OP_NULL_SAFE_EQUAL] = "<=>", [EXPR_OP_NOT_EQUAL] = "<>",
    [EXPR_OP_LESS] = "<",         [EXPR_OP_LESS_EQUAL] = "<=",       [EXPR_OP_GREATER] = ">",
    [EXPR_OP_GREATER_EQUAL] = ">=", [EXPR_OP_REGEXP] = "regexp",     [EXPR_OP_XOR] = "xor",
    [EXPR_OP_NOT_REGEXP] = "not-regexp", [EXPR_OP_SOUNDS_LIKE] = "sounds-like",
    [EXPR_OP_PLUS] = "+",
    [EXPR_OP_MINUS] = "-",        [EXPR_OP_TIMES] = "*",             [EXPR_OP_DIVIDE] = "/",
    [EXPR_OP_DIV] = "div",        [EXPR_OP_MOD] = "%",               [EXPR_OP_BIT_OR] = "|",
    [EXPR_OP_BIT_AND] = "&",      [EXPR_OP_BIT_XOR] = "^",           [EXPR_OP_SHIFT_LEFT] = "<<",
    [EXPR_OP_SHIFT_RIGHT] = ">>", [EXPR_OP_CONCAT] = "||",           [EXPR_OP_JSON] = "->",
    [EXPR_OP_JSON_TEXT] = "->>",  [EXPR_OP_NOT] = "not",             [EXPR_OP_NEGATE] = "neg",
    [EXPR_OP_IDENTITY] = "pos",   [EXPR_OP_INVERT] = "~",            [EXPR_OP_BINARY] = "binary",
};

static const char *const kinds[] = {
    [EXPR_ASSIGN] = ":=",         [EXPR_AND] = "and",       [EXPR_OR] = "or",
    [EXPR_BETWEEN] = "between",   [EXPR_IN] = "in",         [EXPR_LIKE] = "like",
    [EXPR_IS] = "is",             [EXPR_ROW] = "row",       [EXPR_PAREN] = "paren",
    [EXPR_CASE] = "case",         [EXPR_CAST] = "cast",     [EXPR_CONVERT] = "convert",
    [EXPR_COLLATE] = "collate",   [EXPR_INTERVAL] = "interval", [EXPR_EXISTS] = "exists",
    [EXPR_MATCH] = "match",       [EXPR_ODBC] = "odbc",     [EXPR_TEMPORAL] = "temporal",
    [EXPR_DEFAULT] = "default",
};

static void
put_path(struct buf *out, const struct path *path)
{
    if (path->schema.ptr != NULL) {
        buf_append_span(out, path->schema);
        buf_append_byte(out, '.');
    }
    if (path->table.ptr != NULL) {
        buf_append_span(out, path->table);
        buf_append_byte(out, '.');
    }
    buf_append_span(out, path->name.ptr != NULL ? path->name : SPAN("*"));
}

static void
put_args(struct buf *out, struct span text, const struct expr *e)
{
    for (; e != NULL; e = e->next) {
        buf_append_byte(out, ' ');
        ast_print_expr(out, text, e);
    }
}

static void
put_order(struct buf *out, struct span text, const char *name, const struct order_item *o)
{
    if (o == NULL)
        return;
    buf_printf(out, " (%s", name);
    for (; o != NULL; o = o->next) {
        buf_append_text(out, o->descending ? " (desc " : " ");
        ast_print_expr(out, text, o->expr);
        if (o->descending)
            buf_append_byte(out, ')');
    }
    buf_append_byte(out, ')');
}

static void
put_limit(struct buf *out, struct span text, const struct limit *l)
{
    if (l == NULL)
        return;
    buf_append_text(out, l->one_row ? " (limit row" : " (limit");
    put_args(out, text, l->count);
    if (l->offset != NULL) {
        buf_append_text(out, " offset");
        put_args(out, text, l->offset);
    }
    if (l->rows_examined != NULL) {
        buf_append_text(out, " examined");
        put_args(out, text, l->rows_examined);
    }
    buf_append_text(out, l->with_ties ? " ties)" : ")");
}

static void
put_window(struct buf *out, struct span text, const struct window *w)
{
    buf_append_text(out, " (over");
    if (w->name.ptr != NULL) {
        buf_append_byte(out, ' ');
        buf_append_span(out, w->name);
    }
    if (w->partition_by != NULL) {
        buf_append_text(out, " (by");
        put_args(out, text, w->partition_by);
        buf_append_byte(out, ')');
    }
    put_order(out, text, "order", w->order_by);
    buf_append_byte(out, ')');
}

static void
put_func(struct buf *out, struct span text, const struct expr *e)
{
    const struct func *f = e->func;

    buf_append_byte(out, '(');
    put_path(out, &f->name);
    if (f->distinct)
        buf_append_text(out, " distinct");
    if (e->word != NO_KEYWORD)
        buf_printf(out, " %s", keyword_text(e->word));
    put_args(out, text, e->args);
    put_order(out, text, "order", f->order_by);
    put_limit(out, text, f->limit);
    if (f->over != NULL)
        put_window(out, text, f->over);
    buf_append_byte(out, ')');
}

/* Kinds that are one word. False: none of these. */
static bool
put_leaf(struct buf *out, struct span text, const struct expr *e)
{
    switch ((unsigned)e->kind) {
    case EXPR_LITERAL:
        buf_append(out, text.ptr + e->start, e->end - e->start);
        if (e->ordinal != AST_NO_ORDINAL)
            buf_printf(out, "#%u", e->ordinal);
        return true;
    case EXPR_PARAM: buf_printf(out, "?%u", e->ordinal); return true;
    case EXPR_NULL: buf_append_text(out, "null"); return true;
    case EXPR_BOOL: buf_append_text(out, e->word == KW_TRUE ? "true" : "false"); return true;
    case EXPR_COLUMN:
    case EXPR_STAR: put_path(out, e->path); return true;
    case EXPR_USER_VAR:
        buf_append_byte(out, '@');
        buf_append_span(out, *e->name);
        return true;
    case EXPR_SYSTEM_VAR:
        buf_printf(out, "@@%s%s", keyword_text(e->word), e->word != NO_KEYWORD ? "." : "");
        buf_append_span(out, *e->name);
        return true;
    case EXPR_FUNC: put_func(out, text, e); return true;
    case EXPR_SUBQUERY: ast_print_query(out, text, e->query); return true;
    default: return false;
    }
}

void
ast_print_expr(struct buf *out, struct span text, const struct expr *e)
{
    if (put_leaf(out, text, e))
        return;
    bool op = e->kind == EXPR_BINARY || e->kind == EXPR_UNARY || e->kind == EXPR_QUANTIFIED;
    buf_printf(out, "(%s%s", e->negated ? "not-" : "", op ? ops[e->op] : kinds[e->kind]);
    if (e->word != NO_KEYWORD && e->kind != EXPR_DEFAULT)
        buf_printf(out, " %s", keyword_text(e->word));
    if (e->kind == EXPR_COLLATE || e->kind == EXPR_CONVERT) {
        buf_append_byte(out, ' ');
        buf_append_span(out, *e->name);
    }
    if (e->kind == EXPR_CASE)
        buf_printf(out, "%s%s", e->has_operand ? " operand" : "", e->has_else ? " else" : "");
    put_args(out, text, e->args);
    if (e->kind == EXPR_CAST) {
        buf_append_byte(out, ' ');
        buf_append_span(out, e->type->name);
    }
    buf_append_byte(out, ')');
}

/* Table references. */

static void
put_names(struct buf *out, const struct name_item *n)
{
    buf_append_byte(out, '(');
    for (const struct name_item *first = n; n != NULL; n = n->next) {
        if (n != first)
            buf_append_byte(out, ' ');
        buf_append_span(out, n->name);
    }
    buf_append_byte(out, ')');
}

static void put_ref(struct buf *out, struct span text, const struct table_ref *t);

static void
put_join(struct buf *out, struct span text, const struct table_ref *t)
{
    static const char *const names[] = { "comma", "join", "straight", "left", "right" };

    buf_printf(out, "(%s%s ", t->natural ? "natural-" : "", names[t->join]);
    put_ref(out, text, t->left);
    buf_append_byte(out, ' ');
    put_ref(out, text, t->right);
    if (t->on != NULL) {
        buf_append_text(out, " (on ");
        ast_print_expr(out, text, t->on);
        buf_append_byte(out, ')');
    }
    if (t->using_columns != NULL) {
        buf_append_text(out, " using ");
        put_names(out, t->using_columns);
    }
    buf_append_byte(out, ')');
}

static void
put_ref(struct buf *out, struct span text, const struct table_ref *t)
{
    if (t->kind == TABLE_REF_JOIN) {
        put_join(out, text, t);
        return;
    }
    if (t->alias.ptr != NULL)
        buf_append_text(out, "(as ");
    if (t->query != NULL)
        ast_print_query(out, text, t->query);
    else if (t->kind == TABLE_REF_FUNCTION)
        buf_append_text(out, "json_table");
    else
        put_path(out, &t->table);
    if (t->alias.ptr != NULL) {
        buf_append_byte(out, ' ');
        buf_append_span(out, t->alias);
        if (t->columns != NULL)
            put_names(out, t->columns);
        buf_append_byte(out, ')');
    }
}

/* Queries. */

static void
put_items(struct buf *out, struct span text, const char *name, const struct select_item *i)
{
    buf_printf(out, " (%s", name);
    for (; i != NULL; i = i->next) {
        buf_append_text(out, i->alias.ptr != NULL ? " (as " : " ");
        ast_print_expr(out, text, i->expr);
        if (i->alias.ptr != NULL) {
            buf_append_byte(out, ' ');
            buf_append_span(out, i->alias);
            buf_append_byte(out, ')');
        }
    }
    buf_append_byte(out, ')');
}

static void
put_clause(struct buf *out, struct span text, const char *name, const struct expr *e)
{
    if (e == NULL)
        return;
    buf_printf(out, " (%s ", name);
    ast_print_expr(out, text, e);
    buf_append_byte(out, ')');
}

static void
put_block(struct buf *out, struct span text, const struct query *q)
{
    buf_printf(out, "(select%s%s", q->distinct ? " distinct" : "",
               q->calc_found_rows ? " calc" : "");
    put_items(out, text, "items", q->items);
    if (q->from != NULL) {
        buf_append_text(out, " (from ");
        put_ref(out, text, q->from);
        buf_append_byte(out, ')');
    }
    put_clause(out, text, "where", q->where);
    put_order(out, text, q->with_rollup ? "rollup" : "group", q->group_by);
    put_clause(out, text, "having", q->having);
    for (const struct window *w = q->windows; w != NULL; w = w->next)
        put_window(out, text, w);
}

static void
put_parts(struct buf *out, struct span text, const struct query *q)
{
    buf_append_text(out, "(query");
    for (const struct query *part = q->parts; part != NULL; part = part->next) {
        if (part != q->parts)
            buf_printf(out, " %s%s", keyword_text(part->set_op), part->set_all ? "-ALL" : "");
        buf_append_byte(out, ' ');
        ast_print_query(out, text, part);
    }
}

static void
put_rows(struct buf *out, struct span text, const struct row *r)
{
    for (; r != NULL; r = r->next) {
        buf_append_text(out, " (row");
        put_args(out, text, r->values);
        buf_append_byte(out, ')');
    }
}

void
ast_print_query(struct buf *out, struct span text, const struct query *q)
{
    static const char *const locks[] = { "", " update", " share" };
    static const char *const waits[] = { "", " nowait", " skip", " wait" };

    for (const struct cte *c = q->with; c != NULL; c = c->next) {
        buf_printf(out, "(with%s ", q->recursive ? " recursive" : "");
        buf_append_span(out, c->name);
        buf_append_byte(out, ' ');
        ast_print_query(out, text, c->query);
        buf_append_text(out, ") ");
    }
    if (q->kind == QUERY_BLOCK) {
        put_block(out, text, q);
    } else if (q->kind == QUERY_UNION) {
        put_parts(out, text, q);
    } else {
        buf_append_text(out, "(values");
        put_rows(out, text, q->rows);
    }
    put_order(out, text, "order", q->order_by);
    put_limit(out, text, q->limit);
    if (q->into != NULL) {
        buf_printf(out, " (into %s", keyword_text(q->into->kind));
        put_args(out, text, q->into->targets);
        buf_append_byte(out, ')');
    }
    buf_printf(out, "%s%s)", locks[q->lock], waits[q->lock_wait]);
}
