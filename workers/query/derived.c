/* derived.c - see derived.h. */
#include "workers/query/derived.h"

#include <strings.h>

static bool
is_word(const struct lex *l, struct token t, const char *word)
{
    struct span text = token_text(l, t);

    if (t.kind == TOK_QUOTED && text.len > 2)
        text = (struct span){ text.ptr + 1, text.len - 2 };
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD || t.kind == TOK_QUOTED) &&
           span_equal_nocase(text, span_of(word));
}

/* May a table stand behind this token? */
static bool
begins_table(const struct lex *l, struct token t)
{
    return is_word(l, t, "FROM") || is_word(l, t, "JOIN") || is_word(l, t, "STRAIGHT_JOIN") ||
           token_is_op(t, ',') || token_is_op(t, '(');
}

/* The words that follow a table without being its alias. */
static bool
is_alias(const struct lex *l, struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || is_word(l, t, "AS");
}

/* information_schema.TABLE.column: only TABLE.column is left. */
static bool
is_column(const struct derived *d, const struct lex *l, struct token t, struct token *table)
{
    struct lex ahead = *l;

    if (!is_word(l, t, "information_schema") || !token_is_op(lex_next(&ahead), '.'))
        return false;
    *table = lex_next(&ahead);
    return is_word(l, *table, d->table) && token_is_op(lex_next(&ahead), '.');
}

bool
derived_replace(const struct derived *d, struct span text, struct buf *out)
{
    bool         inside = d->schema != NULL && strcasecmp(d->schema, "information_schema") == 0;
    struct token before = { 0 }, t;
    struct lex   l;
    uint32_t     at = 0;

    lex_init(&l, text, d->lex);
    for (; (t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD; before = t) {
        struct lex   ahead = l;
        struct token last  = t, name;
        if (is_column(d, &l, t, &name)) {
            buf_append(out, text.ptr + at, t.start - at);
            at = name.start;
            continue;
        }
        if (!begins_table(&l, before))
            continue;
        if (is_word(&l, t, "information_schema") && token_is_op(lex_next(&ahead), '.'))
            last = lex_next(&ahead);
        else if (!inside)
            continue;
        if (!is_word(&l, last, d->table))
            continue;
        struct lex behind = ahead;
        buf_append(out, text.ptr + at, t.start - at);
        buf_append_span(out, d->rows);
        if (!is_alias(&behind, lex_next(&behind)))
            buf_printf(out, " AS %s", d->table);
        l  = ahead;
        at = last.end;
        t  = last;
    }
    buf_append(out, text.ptr + at, text.len - at);
    return at != 0;
}
