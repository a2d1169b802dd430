/* query_counts.c - ROW_COUNT() and FOUND_ROWS() are the session's.
 *
 * The backend that will answer may have run somebody else's statement last. So
 * the numbers are written into the text; where the call alone is a column of
 * the answer, the column keeps its name.
 */
#include "core/sql/lex.h"
#include "workers/query/query.h"

struct call {
    uint32_t start, end; /* in the text */
    bool     found_rows;
    bool     column;     /* stands alone between SELECT or a comma and a comma or the end */
};

static bool
is_name(const struct lex *l, struct token t, const char *name)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(l, t), span_of(name));
}

/* The next call behind l->at; `before` is the token in front of it. */
static bool
next_call(struct lex *l, struct token *before, struct call *out)
{
    for (;;) {
        struct token t = lex_next(l);
        if (t.kind == TOK_END || t.kind == TOK_BAD)
            return false;
        bool found = is_name(l, t, "FOUND_ROWS");
        if (found || is_name(l, t, "ROW_COUNT")) {
            struct lex   ahead = *l;
            struct token open = lex_next(&ahead), close = lex_next(&ahead);
            if (token_is_op(open, '(') && token_is_op(close, ')')) {
                *l = ahead;
                struct token after = lex_next(&ahead);
                *out = (struct call){
                    .start = t.start,
                    .end   = close.end,
                    .found_rows = found,
                    .column =
                        (is_name(l, *before, "SELECT") || token_is_op(*before, ',')) &&
                        (after.kind == TOK_END || token_is_op(after, ',') ||
                         token_is_op(after, ';') || is_name(l, after, "FROM")),
                };
                *before = close;
                return true;
            }
        }
        *before = t;
    }
}

void
query_fill_counts(struct query_run *q)
{
    struct session *s      = q->s;
    struct buf      text   = { 0 };
    uint32_t        at     = 0;
    struct token    before = { 0 };
    struct lex      l;
    struct call     call;

    if (q->command != QUERY_TEXT ||
        !(q->digest_flags & (DIGEST_ROW_COUNT | DIGEST_FOUND_ROWS)) ||
        q->plan->plan.kind != PLAN_ONE)
        return;
    lex_init(&l, q->text, s->lex);
    while (next_call(&l, &before, &call)) {
        buf_append(&text, q->text.ptr + at, call.start - at);
        /* BIGINT, as the functions are. */
        buf_printf(&text, "(%lld + 0 * 9999999999)", call.found_rows ? (long long)s->found_rows
                                                    : (long long)s->row_count);
        if (call.column) {
            buf_append_text(&text, " AS ");
            literal_identifier(&text, (struct span){ q->text.ptr + call.start,
                                                     call.end - call.start });
        }
        at = call.end;
    }
    buf_append(&text, q->text.ptr + at, q->text.len - at);
    q->text = arena_copy(&q->arena, buf_unread(&text));
    buf_fini(&text);
}
