/* query_counts.c - ROW_COUNT(), FOUND_ROWS(), CONNECTION_ID(), USER() are the session's.
 *
 * The backend that will answer may have run somebody else's statement last. So
 * the numbers are written into the text; a column of the answer that has one of them in it
 * keeps its name.
 */
#include "core/sql/lex.h"
#include "core/mysql/row.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/own_vars.h"
#include "workers/query/user_locks.h"

enum { NAME_MAX_BYTES = 255 };

enum count {
    COUNT_NONE, COUNT_ROWS, COUNT_FOUND, COUNT_WARNINGS, COUNT_ERRORS, COUNT_ID, COUNT_OWN,
    COUNT_USER, COUNT_ACCOUNT, COUNT_LOCK,
};

struct call {
    enum count   what;
    enum own_var own; /* COUNT_OWN */
    uint32_t     end; /* in the text */
    bool         alone; /* the whole column */
};

/* A pass over a text. An item is a column of the outermost SELECT. */
struct fill {
    struct session *s;
    struct span           from;
    struct span           holders; /* see user_locks.h */
    struct buf           *out;
    uint32_t              at;      /* copied so far */
    int                   depth;   /* of parentheses */
    bool                  in_items, starts; /* the next token begins an item */
    uint32_t              item;    /* where it began */
    bool                  changed; /* something in it was replaced */
    struct token          before, last; /* tokens */
    bool                  keeps;
};

static bool
is_name(const struct lex *l, struct token t, const char *name)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(l, t), span_of(name));
}

static bool
is_one_of(const struct lex *l, struct token t, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_name(l, t, names[i]))
            return true;
    return false;
}

/* --- calls --------------------------------------------------------------- */

/* @@warning_count, @@session.warning_count; l stands behind @@. */
static void
find_variable(struct lex l, struct call *out)
{
    struct token t = lex_next(&l);

    if (is_name(&l, t, "SESSION") || is_name(&l, t, "LOCAL")) {
        if (!token_is_op(lex_next(&l), '.'))
            return;
        t = lex_next(&l);
    }
    out->end  = t.end;
    out->what = is_name(&l, t, "warning_count") ? COUNT_WARNINGS
                : is_name(&l, t, "error_count") ? COUNT_ERRORS
                : is_name(&l, t, "pseudo_thread_id") ? COUNT_ID
                                                     : COUNT_NONE;
    if (out->what == COUNT_NONE && own_find(token_text(&l, t)) != OWN_VARS_N) {
        out->what = COUNT_OWN;
        out->own  = own_find(token_text(&l, t));
    }
}

/* To behind the parenthesis that closes the one l stands behind. */
static bool
find_closing(struct lex l, uint32_t *end)
{
    int          depth = 1;
    struct token t;

    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        depth += token_is_op(t, '(') ? 1 : token_is_op(t, ')') ? -1 : 0;
        *end = t.end;
        if (depth == 0)
            return true;
    }
    return false;
}

static bool
is_user(const struct lex *l, struct token t)
{
    return is_name(l, t, "USER") || is_name(l, t, "SESSION_USER") || is_name(l, t, "SYSTEM_USER");
}

static void
find_function(const struct fill *f, struct lex l, struct token t, struct call *out)
{
    enum count what = is_name(&l, t, "FOUND_ROWS")  ? COUNT_FOUND
                      : is_name(&l, t, "ROW_COUNT") ? COUNT_ROWS
                      : is_name(&l, t, "CONNECTION_ID") ? COUNT_ID
                      : is_name(&l, t, "CURRENT_USER")  ? COUNT_ACCOUNT
                      : is_user(&l, t)                  ? COUNT_USER
                      : is_name(&l, t, "IS_USED_LOCK") && f->holders.len != 0 ? COUNT_LOCK
                                                                              : COUNT_NONE;
    if (what == COUNT_NONE)
        return;
    if (!token_is_op(lex_next(&l), '(')) { /* CURRENT_USER is a function without them too */
        out->end  = t.end;
        out->what = what == COUNT_ACCOUNT ? what : COUNT_NONE;
        return;
    }
    struct lex   inside = l;
    struct token close  = lex_next(&l);
    out->end = close.end;
    if (what == COUNT_LOCK ? find_closing(inside, &out->end) : token_is_op(close, ')'))
        out->what = what;
}

/* Does the item end behind this token? `l` stands there. */
static bool
ends_item(struct lex l)
{
    static const char *const words[] = { "FROM", "INTO", "WHERE", "GROUP", "HAVING", "ORDER",
                                         "LIMIT", "PROCEDURE", "FOR", "LOCK", "UNION", "EXCEPT",
                                         "INTERSECT", "WINDOW" };
    struct token t = lex_next(&l);

    return t.kind == TOK_END || t.kind == TOK_BAD || token_is_op(t, ',') ||
           token_is_op(t, ';') || is_one_of(&l, t, words, countof(words));
}

/* --- what is said instead ------------------------------------------------ */

/* In the character set that the function has. */
static void
say_user(struct buf *out, const char *user, struct span host)
{
    buf_append_text(out, "_utf8mb3 x'");
    buf_append_hex(out, span_of(user));
    buf_append_text(out, "40");
    buf_append_hex(out, host);
    buf_append_text(out, "'");
}

/* Where there is a second argument it matters for the column's type only. */
static void
say(const struct fill *f, const struct call *call, struct span text)
{
    struct session *s         = f->s;
    struct buf           *out = f->out;

    switch (call->what) {
    case COUNT_ROWS:
        buf_printf(out, "IFNULL(%lld,9223372036854775807)", (long long)s->row_count);
        return;
    case COUNT_FOUND:
        buf_printf(out, "IFNULL(%lld,9223372036854775807)", (long long)s->found_rows);
        return;
    case COUNT_WARNINGS:
    case COUNT_ERRORS:
        buf_printf(out, "IFNULL(CAST(%lld AS UNSIGNED),18446744073709551615)",
                   call->what == COUNT_ERRORS ? (long long)diagnostics_errors(s)
                                              : (long long)s->warnings);
        return;
    case COUNT_ID:
        buf_printf(out, call->alone ? "%llu" : "IFNULL(%llu,2147483647)",
                   (unsigned long long)s->id);
        return;
    case COUNT_USER: say_user(out, s->user, session_host(s)); return;
    case COUNT_ACCOUNT: say_user(out, s->user, SPAN("%")); return;
    case COUNT_OWN: buf_append_text(out, own_literal(s, call->own)); return;
    case COUNT_LOCK:
        buf_append_text(out, "(CASE ");
        buf_append_span(out, text);
        buf_append_span(out, f->holders);
        buf_append_text(out, " ELSE ");
        buf_append_span(out, text);
        buf_append_text(out, " END)");
        return;
    case COUNT_NONE: break;
    }
}

/* Has the item a name of its own? Two operands side by side are a value and its alias. */
static bool
has_alias(const struct fill *f, const struct lex *l)
{
    struct token b = f->before, t = f->last;
    bool         name    = t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_STRING ||
                t.kind == TOK_KEYWORD;
    bool         operand = b.kind == TOK_IDENT || b.kind == TOK_QUOTED || token_is_op(b, ')') ||
                   token_is_literal(b.kind) || is_name(l, b, "END") || is_name(l, b, "NULL");

    return is_name(l, b, "AS") || (name && operand && !is_name(l, t, "END"));
}

static void
end_item(struct fill *f, const struct lex *l)
{
    struct span name = { f->from.ptr + f->item, f->last.end - f->item };

    if (f->changed && !has_alias(f, l) && name.len <= NAME_MAX_BYTES) {
        buf_append(f->out, f->from.ptr + f->at, f->last.end - f->at);
        f->at = f->last.end;
        buf_append_text(f->out, " AS ");
        literal_identifier(f->out, name);
    }
    f->changed = false;
}

/* --- the pass ------------------------------------------------------------ */

/* Follows where items begin and end; `t` is the next token. */
static void
track(struct fill *f, const struct lex *l, struct token t)
{
    static const char *const options[] = {
        "ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_SMALL_RESULT",
        "SQL_BIG_RESULT", "SQL_BUFFER_RESULT", "SQL_CACHE", "SQL_NO_CACHE", "SQL_CALC_FOUND_ROWS",
    };

    if (f->depth == 0 && is_name(l, t, "SELECT")) {
        f->in_items = f->starts = true;
        return;
    }
    if (f->depth == 0 && f->in_items && token_is_op(t, ',')) {
        f->starts = true;
        return;
    }
    if (f->starts && !is_one_of(l, t, options, countof(options))) {
        f->starts  = false;
        f->item    = t.start;
        f->changed = false;
    }
    f->depth += token_is_op(t, '(') ? 1 : token_is_op(t, ')') ? -1 : 0;
}

/* The item ends behind f->last where `l` stands. */
static void
look_ahead(struct fill *f, const struct lex *l)
{
    struct lex   ahead = *l;
    struct token next  = lex_next(&ahead);

    if (!f->in_items || f->starts || f->depth != 0 || !ends_item(*l))
        return;
    end_item(f, l);
    f->in_items = token_is_op(next, ',');
}

static void
replace(struct fill *f, struct lex *l, struct token t, struct call *call)
{
    struct lex behind = *l;

    f->keeps = f->keeps || call->what == COUNT_WARNINGS || call->what == COUNT_ERRORS;
    while (behind.at < call->end)
        (void)lex_next(&behind);
    call->alone = f->in_items && f->depth == 0 && f->item == t.start && ends_item(behind);
    buf_append(f->out, f->from.ptr + f->at, t.start - f->at);
    say(f, call, (struct span){ f->from.ptr + t.start, call->end - t.start });
    f->at      = call->end;
    f->changed = true;
    /* Behind a call stands what stands behind a parenthesis. */
    *l      = behind;
    f->last = (struct token){ .kind = TOK_OP, .op = ')', .start = call->end - 1,
                              .end = call->end };
}

/* Of SET: what is assigned stays a variable. A server says that it is read only. */
static bool
is_assigned(const struct fill *f, struct lex l, const struct call *call)
{
    struct lex   from;
    struct token first, next;

    lex_init(&from, f->from, f->s->lex);
    first = lex_next(&from);
    if (f->depth != 0 || !token_is_keyword(first, KW_SET) ||
        is_name(&from, lex_next(&from), "STATEMENT") ||
        (!token_is_keyword(f->before, KW_SET) && !token_is_op(f->before, ',')))
        return false;
    while ((next = lex_next(&l)).kind != TOK_END && next.start < call->end)
        ;
    return token_is_op(next, '=') || token_is_op(next, OP_ASSIGN);
}

static bool
run(struct fill *f)
{
    struct lex   l;
    struct token t;

    lex_init(&l, f->from, f->s->lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        struct call call = { .what = COUNT_NONE };
        track(f, &l, t);
        f->before = f->last;
        f->last   = t;
        if (token_is_op(t, OP_SYSTEM_VAR))
            find_variable(l, &call);
        else
            find_function(f, l, t, &call);
        if (call.what != COUNT_NONE && !is_assigned(f, l, &call))
            replace(f, &l, t, &call);
        look_ahead(f, &l);
    }
    if (f->at != 0)
        buf_append(f->out, f->from.ptr + f->at, f->from.len - f->at);
    return f->at != 0;
}

static bool
fill(const struct query_run *q, struct span from, struct buf *out, bool *keeps)
{
    struct fill f = { .s = q->s, .from = from, .out = out };

    bool done = run(&f);
    *keeps    = *keeps || f.keeps;
    return done;
}

void
query_fill_locks(struct leg *leg)
{
    struct query_run *q       = leg->q;
    struct buf        holders = { 0 }, text = { 0 };
    struct fill       f       = { .s = q->s, .from = q->text, .out = &text };

    if (q->command == QUERY_PREPARE || (q->digest_flags & DIGEST_LOCK_FUNCTION) == 0)
        return;
    buf_printf(&holders, " WHEN %llu THEN %llu",
               (unsigned long long)leg->backend->login.thread_id,
               (unsigned long long)q->s->id);
    user_locks_holders(q, &holders);
    f.holders = buf_unread(&holders);
    if (run(&f))
        q->text = arena_copy(&q->arena, buf_unread(&text));
    buf_fini(&holders);
    buf_fini(&text);
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
    case PLAN_ONE: case PLAN_SCATTER: case PLAN_GATHER: case PLAN_WRITE: case PLAN_INSERT:
    case PLAN_SET: break;
    default: return false;
    }
    if (fill(q, q->text, &text, &keeps))
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
        !fill(leg->q, buf_unread(&leg->text), &text, &keeps)) {
        buf_fini(&text);
        return;
    }
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
    if (!(q->digest_flags & DIGEST_LAST_INSERT_ID) ||
        !(q->plan->plan.is_read || q->plan->plan.kind == PLAN_ONE ||
          q->plan->plan.kind == PLAN_SET))
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
