/* query_counts.c - ROW_COUNT(), FOUND_ROWS(), @@warning_count, @@error_count are the session's.
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

enum count { COUNT_NONE, COUNT_ROWS, COUNT_FOUND, COUNT_WARNINGS, COUNT_ERRORS, COUNT_OWN };

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

static enum count
function(struct lex *l, struct token t, uint32_t *end)
{
    struct lex ahead = *l;
    enum count what  = is_name(l, t, "FOUND_ROWS")  ? COUNT_FOUND
                       : is_name(l, t, "ROW_COUNT") ? COUNT_ROWS
                                                    : COUNT_NONE;
    if (what == COUNT_NONE || !token_is_op(lex_next(&ahead), '('))
        return COUNT_NONE;
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

static int64_t
value_of(const struct session *s, enum count what)
{
    switch (what) {
    case COUNT_ROWS:     return s->row_count;
    case COUNT_FOUND:    return (int64_t)s->found_rows;
    case COUNT_WARNINGS: return s->warnings;
    case COUNT_ERRORS:   return diagnostics_errors(s);
    case COUNT_OWN:
    case COUNT_NONE:     break;
    }
    __builtin_unreachable();
}

bool
query_fill_counts(struct query_run *q)
{
    struct session *s      = q->s;
    struct buf      text   = { 0 };
    uint32_t        at     = 0;
    bool            keeps  = false;
    struct token    before = { 0 };
    struct lex      l;
    struct call     call;

    if (q->command != QUERY_TEXT || q->plan->plan.kind != PLAN_ONE ||
        !(q->digest_flags & (DIGEST_ROW_COUNT | DIGEST_FOUND_ROWS | DIGEST_SYSTEM_VAR)))
        return false;
    lex_init(&l, q->text, s->lex);
    while (next_call(&l, &before, &call)) {
        keeps = keeps || call.what == COUNT_WARNINGS || call.what == COUNT_ERRORS;
        if (call.what == COUNT_FOUND && session_held(s, s->found_rows_at) != NULL)
            continue; /* its backend is asked */
        buf_append(&text, q->text.ptr + at, call.start - at);
        /* Both arguments matter for the column's type only: a BIGINT. */
        if (call.what == COUNT_OWN)
            buf_append_text(&text, own_literal(s, call.own));
        else
            buf_printf(&text, "IFNULL(%lld,9223372036854775807)",
                       (long long)value_of(s, call.what));
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
    return keeps;
}

/* --- LAST_INSERT_ID(expression) ------------------------------------------ */

static bool
sets_insert_id(const struct query_run *q)
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

static void
id_read(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg *leg = container_of(x, struct leg, begin);
    struct cell cell;
    uint64_t    id = 0;

    (void)b;
    if (m->kind == RESULT_IS_ROW && row_text_decode(m->message.payload, 1, &cell)) {
        for (size_t i = 0; i < cell.bytes.len; i++)
            id = id * 10 + (uint64_t)(cell.bytes.ptr[i] - '0');
        leg->q->s->last_insert_id = id;
    }
    if (last)
        leg_over(leg, NULL);
}

static void
id_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, begin);

    (void)b, (void)why;
    leg->backend = NULL; /* the client has its answer */
    leg_over(leg, NULL);
}

bool
query_read_insert_id(struct leg *leg)
{
    static const struct exchange_ops ops = { .on_message = id_read, .on_lost = id_lost };
    struct query_run                *q   = leg->q;

    if (q->plan == NULL || q->command == QUERY_PREPARE || leg->x.reader.error != 0 ||
        !sets_insert_id(q))
        return false;
    leg->state = LEG_ASKING;
    backend_resume(leg->backend);
    backend_send(leg->backend, COM_QUERY, SPAN("SELECT LAST_INSERT_ID()"), &leg->begin, &ops);
    return true;
}
