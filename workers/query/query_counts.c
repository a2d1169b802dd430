/* query_counts.c - ROW_COUNT(), FOUND_ROWS(), CONNECTION_ID(), USER() are the session's.
 *
 * The backend that will answer may have run somebody else's statement last. So
 * the numbers are written into the text; where the call alone is a column of
 * the answer, the column keeps its name.
 */
#include "core/sql/lex.h"
#include "core/mysql/row.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/own_vars.h"

enum count {
    COUNT_NONE, COUNT_ROWS, COUNT_FOUND, COUNT_WARNINGS, COUNT_ERRORS, COUNT_ID, COUNT_OWN,
    COUNT_USER, COUNT_ACCOUNT,
};

struct call {
    enum count what;
    enum own_var own;      /* COUNT_OWN */
    uint32_t   start, end; /* in the text */
    bool       column;     /* stands alone between SELECT or a comma and a comma or the end */
};

static bool
is_name(const struct lex *l, struct token t, const char *name)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(l, t), span_of(name));
}

/* @@warning_count, @@session.warning_count; *l stands behind @@. */
static enum count
variable(struct lex *l, uint32_t *end, enum own_var *own)
{
    struct lex   ahead = *l;
    struct token t     = lex_next(&ahead);

    if (is_name(l, t, "SESSION") || is_name(l, t, "LOCAL")) {
        if (!token_is_op(lex_next(&ahead), '.'))
            return COUNT_NONE;
        t = lex_next(&ahead);
    }
    enum count what = is_name(l, t, "warning_count") ? COUNT_WARNINGS
                      : is_name(l, t, "error_count") ? COUNT_ERRORS
                      : is_name(l, t, "pseudo_thread_id") ? COUNT_ID
                                                          : COUNT_NONE;
    if (what == COUNT_NONE && own_find(token_text(l, t)) != OWN_VARS_N) {
        what = COUNT_OWN;
        *own = own_find(token_text(l, t));
    }
    if (what != COUNT_NONE) {
        *l   = ahead;
        *end = t.end;
    }
    return what;
}

static bool
is_user(const struct lex *l, struct token t)
{
    return is_name(l, t, "USER") || is_name(l, t, "SESSION_USER") || is_name(l, t, "SYSTEM_USER");
}

static enum count
function(struct lex *l, struct token t, uint32_t *end)
{
    struct lex ahead = *l;
    enum count what  = is_name(l, t, "FOUND_ROWS")  ? COUNT_FOUND
                       : is_name(l, t, "ROW_COUNT") ? COUNT_ROWS
                       : is_name(l, t, "CONNECTION_ID") ? COUNT_ID
                       : is_name(l, t, "CURRENT_USER")  ? COUNT_ACCOUNT
                       : is_user(l, t)                  ? COUNT_USER
                                                        : COUNT_NONE;
    if (what == COUNT_NONE)
        return COUNT_NONE;
    if (!token_is_op(lex_next(&ahead), '(')) { /* CURRENT_USER is a function without them too */
        *end = t.end;
        return what == COUNT_ACCOUNT ? what : COUNT_NONE;
    }
    struct token close = lex_next(&ahead);
    if (!token_is_op(close, ')'))
        return COUNT_NONE;
    *l   = ahead;
    *end = close.end;
    return what;
}

/* The next call behind l->at; `before` is the token in front of it. */
static bool
next_call(struct lex *l, struct token *before, struct call *out)
{
    for (;;) {
        struct token t = lex_next(l);
        if (t.kind == TOK_END || t.kind == TOK_BAD)
            return false;
        uint32_t     end = 0;
        enum own_var own = OWN_VARS_N;
        enum count what = token_is_op(t, OP_SYSTEM_VAR) ? variable(l, &end, &own)
                                                        : function(l, t, &end);
        if (what != COUNT_NONE) {
            struct lex   ahead = *l;
            struct token after = lex_next(&ahead);
            *out = (struct call){
                .what   = what,
                .own    = own,
                .start  = t.start,
                .end    = end,
                .column = (is_name(l, *before, "SELECT") || token_is_op(*before, ',')) &&
                          (after.kind == TOK_END || token_is_op(after, ',') ||
                           token_is_op(after, ';') || is_name(l, after, "FROM")),
            };
            *before = t;
            return true;
        }
        *before = t;
    }
}

/* In the character set that the function has. */
static void
say_user(struct buf *out, const char *user, struct span host)
{
    buf_append_text(out, "_utf8mb3 x'");
    for (; *user != '\0'; user++)
        buf_printf(out, "%02x", (unsigned char)*user);
    buf_append_text(out, "40");
    for (size_t i = 0; i < host.len; i++)
        buf_printf(out, "%02x", host.ptr[i]);
    buf_append_text(out, "'");
}

/* Where there is a second argument it matters for the column's type only. */
static void
say(struct buf *out, const struct session *s, enum count what)
{
    switch (what) {
    case COUNT_ROWS:
        buf_printf(out, "IFNULL(%lld,9223372036854775807)", (long long)s->row_count);
        return;
    case COUNT_FOUND:
        buf_printf(out, "IFNULL(%lld,9223372036854775807)", (long long)s->found_rows);
        return;
    case COUNT_WARNINGS:
    case COUNT_ERRORS:
        buf_printf(out, "IFNULL(CAST(%lld AS UNSIGNED),18446744073709551615)",
                   what == COUNT_ERRORS ? (long long)diagnostics_errors(s)
                                        : (long long)s->warnings);
        return;
    case COUNT_ID:   buf_printf(out, "%llu", (unsigned long long)s->id); return;
    case COUNT_USER: say_user(out, s->user, session_host(s)); return;
    case COUNT_ACCOUNT: say_user(out, s->user, SPAN("%")); return;
    case COUNT_OWN:
    case COUNT_NONE: break;
    }
}

static bool
fill(const struct session *s, struct span from, struct buf *out, bool *keeps)
{
    uint32_t     at     = 0;
    struct token before = { 0 };
    struct lex   l;
    struct call  call;

    lex_init(&l, from, s->lex);
    while (next_call(&l, &before, &call)) {
        *keeps = *keeps || call.what == COUNT_WARNINGS || call.what == COUNT_ERRORS;
        buf_append(out, from.ptr + at, call.start - at);
        if (call.what == COUNT_OWN)
            buf_append_text(out, own_literal(s, call.own));
        else
            say(out, s, call.what);
        if (call.column) {
            buf_append_text(out, " AS ");
            literal_identifier(out, (struct span){ from.ptr + call.start, call.end - call.start });
        }
        at = call.end;
    }
    if (at != 0)
        buf_append(out, from.ptr + at, from.len - at);
    return at != 0;
}

static bool
may_call(const struct query_run *q)
{
    return (q->digest_flags & (DIGEST_ROW_COUNT | DIGEST_FOUND_ROWS | DIGEST_SYSTEM_VAR |
                               DIGEST_NOT_DETERMINED | DIGEST_USER)) != 0;
}

bool
query_fill_counts(struct query_run *q)
{
    struct buf text  = { 0 };
    bool       keeps = false;

    if (q->command == QUERY_PREPARE || q->command == QUERY_OTHER || !may_call(q))
        return false;
    switch ((int)q->plan->plan.kind) {
    case PLAN_ONE: case PLAN_SCATTER: case PLAN_WRITE: case PLAN_INSERT: case PLAN_SET: break;
    default: return false;
    }
    if (fill(q->s, q->text, &text, &keeps))
        q->text = arena_copy(&q->arena, buf_unread(&text));
    buf_fini(&text);
    return keeps;
}

void
query_fill_leg(struct leg *leg)
{
    struct buf text  = { 0 };
    bool       keeps = false;

    if (buf_len(&leg->text) == 0 || !may_call(leg->q) ||
        !fill(leg->q->s, buf_unread(&leg->text), &text, &keeps))
        return;
    buf_fini(&leg->text);
    leg->text = text;
}

/* --- LAST_INSERT_ID(expression) ------------------------------------------ */

bool
query_reads_insert_id(const struct query_run *q)
{
    struct lex   l;
    struct token t;

    if (!(q->digest_flags & DIGEST_SYSTEM_VAR))
        return (q->digest_flags & DIGEST_LAST_INSERT_ID) != 0;
    lex_init(&l, q->text, q->s->lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD)
        if (is_name(&l, t, "identity") || is_name(&l, t, "last_insert_id"))
            return true;
    return false;
}

bool
query_sets_insert_id(const struct query_run *q)
{
    struct lex   l;
    struct token t;

    if (q->plan->plan.asks_insert_id)
        return !insert_brings_numbers(&q->plan->plan, &q->values);
    if (!(q->digest_flags & DIGEST_LAST_INSERT_ID) || !q->plan->plan.is_read)
        return false;
    lex_init(&l, q->text, q->s->lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        if (!is_name(&l, t, "LAST_INSERT_ID"))
            continue;
        struct lex ahead = l;
        if (token_is_op(lex_next(&ahead), '(') && !token_is_op(lex_next(&ahead), ')'))
            return true;
    }
    return false;
}
