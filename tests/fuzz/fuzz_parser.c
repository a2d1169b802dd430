/* fuzz_parser.c - no text may crash the parser, and every node of a tree has a
 * range in the text that holds its parts' ranges.
 *
 * The first byte chooses the options.
 */
#include <stdlib.h>

#include "core/sql/ast_print.h"
#include "core/sql/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct context {
    struct span          text;
    const struct digest *digest;
    uint32_t             n_params;
};

static void
check(bool right)
{
    if (!right)
        __builtin_trap();
}

static void
check_range(const struct visitor *v, struct range r)
{
    const struct context *c = v->context;

    check(r.start < r.end && r.end <= c->text.len);
}

static bool
see_expr(struct visitor *v, struct expr *e)
{
    struct context *c = v->context;
    uint32_t        n = 0;

    check_range(v, (struct range){ e->start, e->end });
    check(e->height <= PARSE_DEPTH_MAX);
    for (struct expr *arg = e->args; arg != NULL; arg = arg->next, n++)
        check(arg->start >= e->start && arg->end <= e->end);
    check(n == e->n_args);
    if (e->kind == EXPR_PARAM)
        check(e->ordinal < c->n_params && c->text.ptr[e->start] == '?');
    if (e->kind == EXPR_LITERAL && e->ordinal != AST_NO_ORDINAL) {
        check(e->ordinal < c->digest->n_literals);
        check(c->digest->literals[e->ordinal].start >= e->start);
        check(c->digest->literals[e->ordinal].end <= e->end);
    }
    return true;
}

static bool
see_query(struct visitor *v, struct query *q)
{
    check_range(v, q->range);
    check(q->outer_range.start <= q->range.start && q->outer_range.end >= q->range.end);
    if (q->where != NULL)
        check_range(v, q->where_range);
    return true;
}

static bool
see_table_ref(struct visitor *v, struct table_ref *t)
{
    check_range(v, t->range);
    if (t->kind == TABLE_REF_JOIN)
        check(t->left->range.start >= t->range.start && t->right->range.end <= t->range.end);
    return true;
}

static void
parse(struct arena *a, struct span text, struct lex_options options)
{
    struct digest     d      = { 0 };
    struct stmt      *s      = NULL;
    enum digest_result known = digest_make(&d, text, options, 1 << 16);
    enum parse_result result =
        parse_statement(a, text, options, known == DIGEST_OK ? &d : NULL, &s);

    check((known == DIGEST_BAD || known == DIGEST_OK) || result != PARSE_OK ||
          known == DIGEST_TOO_LONG);
    if (result == PARSE_OK) {
        struct context context = { text, &d, s->n_params };
        struct visitor v       = { see_query, see_table_ref, see_expr, &context };
        struct buf     out     = { 0 };

        check_range(&v, s->range);
        if (known == DIGEST_OK)
            check(s->n_params == d.n_params && s->range.end <= d.statement_end);
        visit_statement(&v, s);
        ast_print_stmt(&out, text, s);
        buf_fini(&out);
    }
    digest_fini(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct lex_options options = {
        .ansi_quotes = data[0] & 4,
        .no_backslash_escapes = data[0] & 8,
        .pipes_as_concat = data[0] & 16,
        .high_not_precedence = data[0] & 32,
    };
    struct arena a    = { 0 };
    size_t       len  = size - 1;
    uint8_t     *copy = malloc(len + (len == 0));

    memcpy(copy, data + 1, len);
    parse(&a, (struct span){ copy, len }, options);
    arena_fini(&a);
    free(copy);
    return 0;
}
