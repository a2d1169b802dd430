/* lex_text.c - what is done to a text as a whole with the help of its tokens. */
#include "core/sql/lex.h"

/* Behind CREATE or ALTER: OR REPLACE, DEFINER = ..., AGGREGATE, and then what
 * it is about. */
static bool
is_program(struct lex *l)
{
    for (;;) {
        struct token t = lex_next(l);

        if (t.kind == TOK_END || t.kind == TOK_BAD || token_is_op(t, ';') || token_is_op(t, '('))
            return false;
        if (t.kind != TOK_KEYWORD)
            continue;
        switch ((unsigned)t.keyword) {
        case KW_PROCEDURE: case KW_FUNCTION: case KW_TRIGGER: case KW_EVENT: case KW_PACKAGE:
            return true;
        case KW_OR: case KW_REPLACE: case KW_DEFINER: case KW_AGGREGATE: case KW_CURRENT_USER:
        case KW_CURRENT_ROLE:
            break;
        default:
            return false;
        }
    }
}

bool
lex_compound(const struct lex *at)
{
    struct lex   l = *at;
    struct token t = lex_next(&l);

    if (t.kind != TOK_KEYWORD)
        return false;
    switch ((unsigned)t.keyword) {
    case KW_CREATE: case KW_ALTER:
        return is_program(&l);
    case KW_BEGIN:
        return at->options.oracle || token_is_keyword(lex_next(&l), KW_NOT);
    case KW_DECLARE:
        return at->options.oracle;
    case KW_IF: case KW_CASE: case KW_LOOP: case KW_WHILE: case KW_REPEAT: case KW_FOR:
        return true;
    default:
        return false;
    }
}

bool
lex_is_blank(struct span text, struct lex_options options)
{
    struct lex l;

    lex_init(&l, text, options);
    return lex_next(&l).kind == TOK_END;
}

size_t
lex_split(struct span text, struct lex_options options, size_t *rest)
{
    struct lex l;

    lex_init(&l, text, options);
    bool compound = lex_compound(&l);
    for (;;) {
        struct token t = lex_next(&l);

        if (t.kind == TOK_END || t.kind == TOK_BAD) {
            *rest = text.len;
            return text.len;
        }
        if (!compound && token_is_op(t, ';')) {
            *rest = t.end;
            return t.start;
        }
    }
}

void
lex_blank_comments(struct span text, struct lex_options options, uint8_t *out)
{
    struct lex   l;
    struct token before = { 0 };
    bool         dashes = false; /* the last two tokens are -- */

    if (text.len == 0)
        return;
    memset(out, ' ', text.len);
    lex_init(&l, text, options);
    for (;;) {
        struct token t = lex_next(&l);

        if (dashes && t.start > before.end)
            out[before.end] = '#';
        if (dashes && t.start > before.end + 1)
            out[before.end + 1] = '\n';
        if (t.kind == TOK_END)
            return;
        memcpy(out + t.start, text.ptr + t.start, t.end - t.start);
        if (t.kind == TOK_BAD)
            return;
        dashes = token_is_op(t, '-') && token_is_op(before, '-') && before.end == t.start;
        before = t;
    }
}
