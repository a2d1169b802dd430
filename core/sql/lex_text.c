/* lex_text.c - what is done to a text as a whole with the help of its tokens. */
#include "core/sql/lex.h"

size_t
lex_split(struct span text, struct lex_options options, size_t *rest)
{
    struct lex l;

    lex_init(&l, text, options);
    for (;;) {
        struct token t = lex_next(&l);

        if (t.kind == TOK_END || t.kind == TOK_BAD) {
            *rest = text.len;
            return text.len;
        }
        if (token_is_op(t, ';')) {
            *rest = t.end;
            return t.start;
        }
    }
}

void
lex_blank_comments(struct span text, struct lex_options options, uint8_t *out)
{
    struct lex l;

    if (text.len == 0)
        return;
    memset(out, ' ', text.len);
    lex_init(&l, text, options);
    for (;;) {
        struct token t = lex_next(&l);

        if (t.kind == TOK_END)
            return;
        memcpy(out + t.start, text.ptr + t.start, t.end - t.start);
        if (t.kind == TOK_BAD)
            return;
    }
}
