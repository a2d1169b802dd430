/* plan_alone.c - see plan_internal.h: the row of an INSERT of several that is alone on its shard.
 *
 * NULL for a column that cannot be NULL is an error in an INSERT of one row, in every sql_mode. In
 * one of several rows, and in INSERT ... SELECT, it is that only in a strict mode, and else a
 * warning. So a shard that gets one row of several gets it as a SELECT of its values.
 *
 * INSERT IGNORE leaves a row out that a CHECK constraint forbids where it is one of several; by
 * itself such a row is an error.
 */
#include "core/route/plan_internal.h"

/* A value that means the same in a SELECT without tables. */
static bool
is_plain(const struct expr *e, bool *may_be_null)
{
    while (e->kind == EXPR_PAREN || e->kind == EXPR_UNARY)
        e = e->args;
    switch ((enum expr_kind)e->kind) {
    case EXPR_NULL: case EXPR_PARAM: case EXPR_USER_VAR: *may_be_null = true; return true;
    case EXPR_LITERAL: case EXPR_TEMPORAL: case EXPR_BOOL: return true;
    case EXPR_DEFAULT: case EXPR_COLUMN: case EXPR_STAR: case EXPR_SYSTEM_VAR: case EXPR_ASSIGN:
    case EXPR_UNARY: case EXPR_BINARY: case EXPR_AND: case EXPR_OR: case EXPR_BETWEEN:
    case EXPR_IN: case EXPR_LIKE: case EXPR_IS: case EXPR_ROW: case EXPR_PAREN: case EXPR_CASE:
    case EXPR_CAST: case EXPR_CONVERT: case EXPR_COLLATE: case EXPR_INTERVAL: case EXPR_FUNC:
    case EXPR_EXISTS: case EXPR_QUANTIFIED: case EXPR_SUBQUERY: case EXPR_MATCH: case EXPR_ODBC:
        return false;
    }
    return false;
}

bool
alone_needs_select(const struct insert *in, const struct row *row, const struct expr *number)
{
    bool may_be_null = false, plain = true;
    if (in->n_rows < 2 || row->n_values == 0)
        return false;
    for (const struct expr *e = row->values; e != NULL; e = e->next)
        if (e != number)
            plain = is_plain(e, &may_be_null) && plain;
    for (const struct assignment *a = in->on_duplicate; a != NULL; a = a->next) {
        bool known = is_plain(a->value, &may_be_null);
        may_be_null |= !known;
    }
    return plain && (may_be_null || in->ignore);
}

bool
alone_values_word(const struct planner *p, uint32_t rows, uint32_t *start)
{
    struct span  text = { p->text.ptr, rows };
    struct lex   lex;
    struct token t, last = { .kind = TOK_END };
    lex_init(&lex, text, p->context->lex);
    for (t = lex_next(&lex); t.kind != TOK_END && t.kind != TOK_BAD; t = lex_next(&lex))
        last = t;
    *start = last.start;
    return t.kind == TOK_END && !lex.had_exec_comment && last.kind == TOK_KEYWORD &&
           (last.keyword == KW_VALUES || last.keyword == KW_VALUE);
}
