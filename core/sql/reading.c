/* reading.c - see reading.h. */
#include "core/sql/reading.h"

#include <string.h>

#include "core/sql/sql_mode.h"

struct lex_options
reading_options(struct lex_options options, uint16_t words)
{
    options.ansi_quotes          = (words & (SQL_MODE_ANSI_QUOTES | SQL_MODE_ANSI)) != 0;
    options.no_backslash_escapes = (words & SQL_MODE_NO_BACKSLASH_ESCAPES) != 0;
    options.pipes_as_concat      = (words & (SQL_MODE_PIPES_AS_CONCAT | SQL_MODE_ANSI)) != 0;
    options.high_not_precedence  = (words & SQL_MODE_HIGH_NOT_PRECEDENCE) != 0;
    options.oracle               = (words & SQL_MODE_ORACLE) != 0;
    return options;
}

static bool
is_quoted(struct token t)
{
    return t.kind == TOK_STRING || t.kind == TOK_NSTRING || t.kind == TOK_QUOTED ||
           t.kind == TOK_USER_VAR;
}

/* The words that this token hears. Behind LIKE there may be no ESCAPE, and its character is then
 * what the mode says; `before` is the token before. */
static unsigned
hears(struct token t, struct span text, struct token before)
{
    unsigned words = 0;

    if (t.kind == TOK_BAD)
        return ~0u;
    if (is_quoted(t) && memchr(text.ptr, '"', text.len) != NULL)
        words |= SQL_MODE_ANSI_QUOTES;
    if (is_quoted(t) && memchr(text.ptr, '\\', text.len) != NULL)
        words |= SQL_MODE_NO_BACKSLASH_ESCAPES;
    if ((t.kind == TOK_STRING && text.len == 2) || (t.kind == TOK_NSTRING && text.len == 3))
        words |= SQL_MODE_EMPTY_STRING_IS_NULL;
    if (token_is_op(t, OP_OR_OR))
        words |= SQL_MODE_PIPES_AS_CONCAT;
    if (token_is_op(t, '(') && t.start > before.end)
        words |= SQL_MODE_IGNORE_SPACE;
    if (token_is_keyword(t, KW_NOT))
        words |= SQL_MODE_HIGH_NOT_PRECEDENCE;
    if (token_is_keyword(t, KW_LIKE))
        words |= SQL_MODE_NO_BACKSLASH_ESCAPES;
    if (t.kind == TOK_KEYWORD && span_equal_nocase(text, SPAN("REAL")))
        words |= SQL_MODE_REAL_AS_FLOAT;
    return words;
}

bool
reading_matters(struct span text, struct lex_options options, uint16_t a, uint16_t b)
{
    unsigned     other = a ^ b;
    struct lex   l;
    struct token t = { 0 }, before;

    if (other & SQL_MODE_ANY_DIALECT)
        return true;
    lex_init(&l, text, reading_options(options, a));
    do {
        before = t;
        t      = lex_next(&l);
        /* ANSI itself is about sums of outer columns and SHOW CREATE. */
        if (other & SQL_MODE_ANSI && before.end == 0 && !token_is_keyword(t, KW_SET))
            return true;
        if (hears(t, token_text(&l, t), before) & other)
            return true;
    } while (t.kind != TOK_END && t.kind != TOK_BAD);
    return false;
}
