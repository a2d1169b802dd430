/* parse_check.h - a statement, and the tree it must become. */
#ifndef TESTS_UNIT_PARSE_CHECK_H
#define TESTS_UNIT_PARSE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/sql/ast_print.h"
#include "core/sql/parse.h"

struct parse_row {
    const char *sql, *tree;
};

/* The tree with the numbers of the digest's literals, or "unknown" / "bad" / "empty". */
static inline void
parse_check(const struct parse_row *rows, size_t n)
{
    struct arena  a = { 0 };
    struct digest d = { 0 };
    struct buf    got = { 0 };

    for (size_t i = 0; i < n; i++) {
        struct span text   = span_of(rows[i].sql);
        struct stmt *s     = NULL;
        bool         known = digest_make(&d, text, (struct lex_options){ 0 }, 1 << 20) == DIGEST_OK;
        enum parse_result result =
            parse_statement(&a, text, (struct lex_options){ 0 }, known ? &d : NULL, &s);

        buf_clear(&got);
        if (result == PARSE_OK || result == PARSE_UNKNOWN)
            ast_print_stmt(&got, text, s);
        else
            buf_append_text(&got, result == PARSE_BAD ? "bad" : "empty");
        if (strcmp(buf_cstr(&got), rows[i].tree) != 0)
            fail_msg("%s\n  got  %s\n  want %s", rows[i].sql, buf_cstr(&got), rows[i].tree);
        if (result == PARSE_OK && known)
            assert_int_equal(s->n_params, d.n_params);
        arena_reset(&a);
    }
    arena_fini(&a);
    digest_fini(&d);
    buf_fini(&got);
}

#endif
