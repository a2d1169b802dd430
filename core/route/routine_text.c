/* routine_text.c - see routine_text.h. */
#include "core/route/routine_text.h"

void
routine_begin(struct routine_text *r, struct span text, struct lex_options options)
{
    *r = (struct routine_text){ .n_names = 0 };
    lex_init(&r->l, text, options);
    routine_step(r);
    routine_step(r);
}

void
routine_step(struct routine_text *r)
{
    r->before = r->t;
    r->t      = r->next;
    r->next   = lex_next(&r->l);
}

bool
routine_at_end(const struct routine_text *r)
{
    return r->t.kind == TOK_END || r->t.kind == TOK_BAD;
}

bool
routine_head(struct routine_text *r)
{
    bool routine = false;

    for (; !routine_at_end(r); routine_step(r)) {
        if (routine && token_is_op(r->t, '('))
            return true;
        if (routine_at(r, "SONAME") || routine_at(r, "PACKAGE"))
            return false;
        r->is_aggregate = r->is_aggregate || routine_at(r, "AGGREGATE");
        r->is_procedure = r->is_procedure || token_is_keyword(r->t, KW_PROCEDURE);
        routine         = routine || r->is_procedure || token_is_keyword(r->t, KW_FUNCTION);
    }
    return false;
}

bool
token_is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_KEYWORD;
}

bool
routine_is(const struct routine_text *r, struct token t, const char *word)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(&r->l, t), span_of(word));
}

bool
routine_behind(const struct routine_text *r, const char *word)
{
    return routine_is(r, r->before, word);
}

bool
routine_at(const struct routine_text *r, const char *word)
{
    return routine_is(r, r->t, word);
}

bool
routine_then(const struct routine_text *r, const char *word)
{
    return routine_is(r, r->next, word);
}

bool
routine_at_set(const struct routine_text *r)
{
    bool charset = routine_behind(r, "CHARACTER") || routine_behind(r, "CHAR");

    return token_is_keyword(r->t, KW_SET) && !charset && !token_is_op(r->next, '(');
}

bool
routine_says(const struct routine_text *r, const char *word, enum routine_place place)
{
    bool called = token_is_op(r->next, '(');

    return (place == ANYWHERE || (place == CALLED) == called) && routine_at(r, word);
}

struct span
routine_name(const struct routine_text *r, struct token t)
{
    struct span s = token_text(&r->l, t);

    if (t.kind == TOK_QUOTED && s.len >= 2)
        s = (struct span){ s.ptr + 1, s.len - 2 };
    return s;
}

void
routine_declare(struct routine_text *r)
{
    if (!token_is_name(r->t))
        return;
    if (r->n_names == ROUTINE_NAMES_MAX)
        r->too_many = true;
    else
        r->names[r->n_names++] = routine_name(r, r->t);
}

bool
routine_has_declared(const struct routine_text *r, struct token t)
{
    struct span name = routine_name(r, t);

    for (uint32_t i = 0; token_is_name(t) && i < r->n_names; i++)
        if (span_equal_nocase(r->names[i], name))
            return true;
    return false;
}
