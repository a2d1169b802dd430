/* fuzz_lexer.c - no text may make the lexer read past it, stand still, or see
 * other tokens once its comments are blanked; and digests take what they may.
 *
 * The first byte chooses the options.
 */
#include <stdlib.h>

#include "core/sql/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
    if (!right)
        __builtin_trap();
}

/* Walks two texts of one length in step: the same tokens at the same places. */
static void
walk(struct span text, struct span blanked, struct lex_options options)
{
    struct lex  a, b;
    uint32_t    end = 0;
    struct buf  out = { 0 };

    lex_init(&a, text, options);
    lex_init(&b, blanked, options);
    for (;;) {
        struct token t = lex_next(&a), u = lex_next(&b);

        if (t.kind == TOK_BAD) {
            check(lex_next(&a).kind == TOK_BAD);
            break;
        }
        check(t.start >= end && t.end >= t.start && t.end <= text.len);
        check(t.kind == u.kind && t.start == u.start && t.end == u.end);
        if (t.kind == TOK_END)
            break;
        check(t.end > t.start);
        end = t.end;
        buf_clear(&out);
        check(literal_decode(token_text(&a, t), t.kind, options, &out) ==
              token_is_literal(t.kind));
        literal_name(token_text(&a, t), options, &out);
    }
    buf_fini(&out);
}

static void
digest(struct span text, struct lex_options options)
{
    struct digest d = { 0 };
    uint32_t      end = 0;

    if (digest_make(&d, text, options, 4096) == DIGEST_OK) {
        check(d.text.len <= 4096 && d.statement_end <= text.len);
        for (uint32_t i = 0; i < d.n_literals; i++) {
            check(d.literals[i].start >= end && d.literals[i].end > d.literals[i].start);
            end = d.literals[i].end;
        }
        check(end <= d.statement_end);
    }
    digest_fini(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct lex_options options = {
        .charset = data[0] & 3,
        .ansi_quotes = data[0] & 4,
        .no_backslash_escapes = data[0] & 8,
        .server_version = data[0] & 16 ? 101119 : 0,
    };
    size_t   len = size - 1, rest;
    uint8_t *copy = malloc(len + (len == 0)), *blanked = malloc(len + (len == 0));

    /* A block of the exact size: a read behind the text is seen. */
    memcpy(copy, data + 1, len);
    struct span text = { copy, len };
    lex_blank_comments(text, options, blanked);
    walk(text, (struct span){ blanked, len }, options);
    check(lex_split(text, options, &rest) <= rest && rest <= len);
    digest(text, options);
    free(copy);
    free(blanked);
    return 0;
}
