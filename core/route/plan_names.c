/* plan_names.c - names beyond ASCII, in a character set that is not UTF-8.
 *
 * The catalog has names in UTF-8, and a statement is not converted: a server finds the table
 * that is meant, and we do not. It would be taken for one that is nowhere else, or a key column
 * for another. Where no name that matters is beyond ASCII, it can only be an alias.
 */
#include "core/route/plan_internal.h"

static bool
any_named_so(const struct routes *r)
{
    for (uint32_t i = 0; i < r->n_databases; i++)
        if (!span_is_ascii(r->databases[i].name))
            return true;
    for (uint32_t i = 0; i < r->n_tables; i++) {
        const struct route_table *t = &r->tables[i];
        if (t->kind == TABLE_GLOBAL)
            continue;
        if (!span_is_ascii(t->name))
            return true;
        for (uint32_t c = 0; c < t->n_columns; c++)
            if (!span_is_ascii(t->columns[c].name))
                return true;
    }
    return false;
}

/* The first such name of the statement. */
static struct span
name_beyond_ascii(const struct planner *p)
{
    struct lex   lex;
    struct token t;

    lex_init(&lex, p->text, p->context->lex);
    while ((t = lex_next(&lex)).kind != TOK_END && t.kind != TOK_BAD)
        if ((t.kind == TOK_IDENT || t.kind == TOK_QUOTED) &&
            !span_is_ascii(token_text(&lex, t)))
            return token_text(&lex, t);
    return (struct span){ 0 };
}

bool
plan_names_clear(struct planner *p)
{
    if (p->context->lex.charset == LEX_UTF8 || span_is_ascii(p->text) ||
        name_beyond_ascii(p).len == 0 || !any_named_so(p->routes))
        return true;
    NOT_YET(p, "shardd: a name in this statement is not in ASCII, and neither are some names of "
               "tables and columns: use character_set_client=utf8mb4");
    return false;
}
