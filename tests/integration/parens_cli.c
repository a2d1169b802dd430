/* parens_cli.c - a statement as its tree says it, for test_parens.py: one a line.
 *
 *   MODES STATEMENT       both in hexadecimal; MODES is one byte of enum
 *
 * Answers the statement, in hexadecimal, with parentheses around every operator's expression:
 * what the tree takes together is together for whoever reads it. "unknown": it was not parsed;
 * "other": read again it is another tree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/sql/ast_print.h"
#include "core/sql/parse.h"

enum { PIPES_AS_CONCAT = 1, HIGH_NOT_PRECEDENCE = 2, TEXT_MAX = 1 << 16 };

/* Parentheses before a byte of the statement. */
struct marks {
    uint16_t opens[TEXT_MAX + 1], closes[TEXT_MAX + 1];
};

static struct marks marks;

static bool
see(struct visitor *v, struct expr *e)
{
    (void)v;
    switch ((int)e->kind) {
    case EXPR_UNARY: case EXPR_BINARY: case EXPR_AND: case EXPR_OR: case EXPR_BETWEEN:
    case EXPR_IN: case EXPR_LIKE: case EXPR_IS: case EXPR_COLLATE: case EXPR_QUANTIFIED:
        marks.opens[e->start]++;
        marks.closes[e->end]++;
        break;
    default: break;
    }
    return true;
}

static void
put_marked(struct span text, struct buf *out)
{
    for (size_t i = 0; i <= text.len; i++) {
        for (unsigned n = marks.closes[i]; n > 0; n--)
            buf_append_byte(out, ')');
        for (unsigned n = marks.opens[i]; n > 0; n--)
            buf_append_byte(out, '(');
        if (i < text.len)
            buf_append_byte(out, text.ptr[i]);
    }
}

/* "(paren X)" is X, and further members of (and ...) stay where parentheses put them. */
static void
put_bare(struct span tree, struct buf *out)
{
    static const char paren[] = "(paren ";
    uint32_t          depth = 0, cap = 0;
    bool             *hidden = NULL, quoted = false;

    for (size_t i = 0; i < tree.len; i++) {
        uint8_t c = tree.ptr[i];
        quoted ^= c == '\'';
        if (!quoted && c == '(') {
            if (depth == cap) {
                cap    = cap == 0 ? 64 : 2 * cap;
                hidden = realloc(hidden, cap * sizeof(*hidden));
            }
            size_t n = sizeof(paren) - 1;
            bool   is = tree.len - i > n && memcmp(tree.ptr + i, paren, n) == 0;
            hidden[depth++] = is;
            if (is) {
                i += n - 1;
                continue;
            }
        } else if (!quoted && c == ')' && depth > 0 && hidden[--depth]) {
            continue;
        }
        buf_append_byte(out, c);
    }
    free(hidden);
}

/* The tree without parentheses; false: not parsed. */
static bool
tree_of(struct arena *a, struct span text, struct lex_options options, struct stmt **stmt,
        struct buf *out)
{
    struct buf tree = { 0 };
    bool       ok   = parse_statement(a, text, options, NULL, stmt) == PARSE_OK;

    if (ok) {
        ast_print_stmt(&tree, text, *stmt);
        put_bare(buf_unread(&tree), out);
    }
    buf_fini(&tree);
    return ok;
}

static void
answer(struct span text, unsigned modes)
{
    struct lex_options options = { .pipes_as_concat     = (modes & PIPES_AS_CONCAT) != 0,
                                   .high_not_precedence = (modes & HIGH_NOT_PRECEDENCE) != 0 };
    struct arena       a       = { 0 };
    struct buf         before = { 0 }, after = { 0 }, marked = { 0 };
    struct visitor     v       = { .expr = see };
    struct stmt       *stmt, *again;

    memset(&marks, 0, sizeof(marks));
    if (!tree_of(&a, text, options, &stmt, &before)) {
        puts("unknown");
    } else {
        visit_statement(&v, stmt);
        put_marked(text, &marked);
        bool same = tree_of(&a, buf_unread(&marked), options, &again, &after) &&
                    span_equal(buf_unread(&before), buf_unread(&after));
        struct span said = buf_unread(&marked);
        for (size_t i = 0; same && i < said.len; i++)
            printf("%02x", said.ptr[i]);
        puts(same ? "" : "other");
    }
    buf_fini(&before);
    buf_fini(&after);
    buf_fini(&marked);
    arena_fini(&a);
}

int
main(void)
{
    static char    digits[2 * TEXT_MAX + 1];
    static uint8_t text[TEXT_MAX];
    unsigned       modes;

    while (scanf("%2x %131072s", &modes, digits) == 2) {
        size_t n = strlen(digits) / 2;
        for (size_t i = 0; i < n; i++) {
            char pair[3] = { digits[2 * i], digits[2 * i + 1], 0 };
            text[i]      = (uint8_t)strtoul(pair, NULL, 16);
        }
        answer((struct span){ text, n }, modes);
        fflush(stdout);
    }
    return 0;
}
