/* own_vars.c - see own_vars.h. */
#include "workers/query/own_vars.h"

#include <stdio.h>

#include "core/mysql/result_writer.h"
#include "core/sql/literal.h"
#include "workers/query/replica.h"
#include "workers/query/token.h"

enum { ERR_UNKNOWN_VARIABLE = 1193, ERR_LOCAL_VARIABLE = 1228, ERR_WRONG_VALUE = 1231 };

static const char *const names[OWN_VARS_N] = {
    [OWN_COMMIT]         = "shardd_commit",
    [OWN_SNAPSHOT_READS] = "shardd_snapshot_reads",
    [OWN_CONSISTENCY]    = "shardd_consistency",
    [OWN_TOKEN]          = "shardd_causal_token",
};

static const char *const commits[] = { "atomic", "best_effort", "single" };

enum conf_commit
session_commit(const struct session *s)
{
    if (s->own_commit != 0)
        return (enum conf_commit)(s->own_commit - 1);
    return s->user_commit != 0 ? (enum conf_commit)(s->user_commit - 1) : s->ctx->conf.commit;
}

bool
session_snapshot_reads(const struct session *s)
{
    return s->own_snapshot_reads != 0 ? s->own_snapshot_reads == 2 : s->ctx->conf.snapshot_reads;
}

enum own_var
own_find(struct span name)
{
    int v = 0;

    while (v < OWN_VARS_N && !span_equal_nocase(name, span_of(names[v])))
        v++;
    return (enum own_var)v;
}

static const char *
value_of(struct session *s, enum own_var v)
{
    switch (v) {
    case OWN_COMMIT:         return commits[session_commit(s)];
    case OWN_SNAPSHOT_READS: return session_snapshot_reads(s) ? "ON" : "OFF";
    case OWN_CONSISTENCY:
        return consistency_name(session_consistency(s, s->ctx->routes->routes));
    case OWN_TOKEN:          return token_print(s);
    case OWN_VARS_N:         break;
    }
    return "";
}

const char *
own_literal(struct session *s, enum own_var v)
{
    static char quoted[TOKEN_TEXT + 2];

    if (v == OWN_SNAPSHOT_READS)
        return session_snapshot_reads(s) ? "1" : "0";
    snprintf(quoted, sizeof(quoted), "'%s'", value_of(s, v));
    return quoted;
}

/* --- SET ------------------------------------------------------------------ */

static bool
is_ours(const struct setting *item)
{
    return item->kind == SETTING_SYSTEM && item->name.len >= 7 &&
           span_equal_nocase((struct span){ item->name.ptr, 7 }, SPAN("shardd_"));
}

static struct span
unquoted(const struct setting *item)
{
    struct span text = item->value.n == 1 ? item->value.pieces[0].text : (struct span){ 0 };

    if (text.len >= 2 && (text.ptr[0] == '\'' || text.ptr[0] == '"') &&
        text.ptr[text.len - 1] == text.ptr[0])
        text = (struct span){ text.ptr + 1, text.len - 2 };
    return text;
}

/* 1 + the value; 0: it is none. DEFAULT, also as a word, is -1. */
static int
read_value(enum own_var v, const struct setting *item)
{
    static const char *const booleans[] = { "OFF", "ON", "0", "1", "FALSE", "TRUE" };
    struct span              text       = unquoted(item);
    enum consistency         c          = consistency_find(text);
    uint64_t                 us;

    if (item->value_kind == VALUE_DEFAULT)
        return -1;
    if (v == OWN_CONSISTENCY)
        return c != CONSISTENCY_UNSET ? (int)c + 1 : 0;
    if (v == OWN_TOKEN)
        return token_read(text, &us) ? 1 : 0;
    for (size_t i = 0; v == OWN_COMMIT && i < countof(commits); i++)
        if (span_equal_nocase(text, span_of(commits[i])))
            return (int)i + 1;
    for (size_t i = 0; v == OWN_SNAPSHOT_READS && i < countof(booleans); i++)
        if (span_equal_nocase(text, span_of(booleans[i])))
            return (int)(i % 2) + 1;
    return 0;
}

static void
set_item(struct session *s, const struct setting *item)
{
    enum own_var v     = own_find(item->name);
    int          value = read_value(v, item);
    uint8_t      kept  = value < 0 ? 0 : (uint8_t)value;

    switch (v) {
    case OWN_COMMIT:         s->own_commit = kept; break;
    case OWN_SNAPSHOT_READS: s->own_snapshot_reads = kept; break;
    case OWN_CONSISTENCY:
        s->own_consistency = kept == 0 ? CONSISTENCY_UNSET : (uint8_t)(kept - 1);
        if (s->own_consistency == CONSISTENCY_CAUSAL)
            replica_track(s);
        break;
    case OWN_TOKEN:
        if (value > 0)
            token_take(s, unquoted(item));
        break;
    case OWN_VARS_N: break;
    }
}

/* The first thing wrong with the item is told. */
static bool
item_ok(struct query_run *q, const struct setting *item)
{
    enum own_var v    = own_find(item->name);
    struct span  text = unquoted(item);

    if (!is_ours(item))
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: set shardd's own variables in a SET of their "
                     "own: '%.*s' is the servers'", (int)item->name.len, item->name.ptr);
    else if (v == OWN_VARS_N)
        query_refuse(q, ERR_UNKNOWN_VARIABLE, "Unknown system variable '%.*s'",
                     (int)item->name.len, item->name.ptr);
    else if (item->scope == SCOPE_GLOBAL)
        query_refuse(q, ERR_LOCAL_VARIABLE, "Variable '%s' is a SESSION variable and can't be "
                     "used with SET GLOBAL", names[v]);
    else if (read_value(v, item) == 0)
        query_refuse(q, ERR_WRONG_VALUE, "Variable '%s' can't be set to the value of '%.*s'",
                     names[v], (int)text.len, text.ptr);
    else
        return true;
    return false;
}

bool
own_is_set(const struct set_spec *spec)
{
    for (uint32_t i = 0; i < spec->n; i++)
        if (is_ours(&spec->items[i]))
            return true;
    return false;
}

bool
own_alone(const struct plan *plan)
{
    if (plan->kind != PLAN_SET)
        return false;
    for (uint32_t i = 0; i < plan->set->n; i++)
        if (!is_ours(&plan->set->items[i]))
            return false;
    return true;
}

bool
own_set(struct query_run *q)
{
    const struct set_spec *spec = q->plan->plan.set;
    bool                   any  = own_is_set(spec);

    for (uint32_t i = 0; any && i < spec->n; i++)
        if (!item_ok(q, &spec->items[i]))
            return true;
    for (uint32_t i = 0; any && i < spec->n; i++)
        set_item(q->s, &spec->items[i]);
    if (any)
        query_ok(q, 0, 0, 0, (struct span){ 0 });
    return any;
}

/* --- SHOW VARIABLES LIKE -------------------------------------------------- */

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool
is_like(const char *name, struct span pattern)
{
    for (; pattern.len > 0; pattern = span_from(pattern, 1)) {
        uint8_t c = pattern.ptr[0];
        if (c == '%') {
            for (size_t i = 0; i <= strlen(name); i++)
                if (is_like(name + i, span_from(pattern, 1)))
                    return true;
            return false;
        }
        bool any = c == '_';
        if (c == '\\' && pattern.len > 1) {
            pattern = span_from(pattern, 1);
            c       = pattern.ptr[0];
        }
        if (*name == 0 || (!any && lower(c) != (uint8_t)*name))
            return false;
        name++;
    }
    return *name == 0;
}

/* The pattern behind the last LIKE. */
static struct span
pattern_of(const struct query_run *q)
{
    struct lex   l;
    struct token t;
    struct span  found = { 0 };
    bool         like  = false;

    lex_init(&l, q->text, q->s->lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        struct span text = token_text(&l, t);
        if (like && t.kind == TOK_STRING && text.len >= 2)
            found = (struct span){ text.ptr + 1, text.len - 2 };
        like = t.kind == TOK_KEYWORD && span_equal_nocase(text, SPAN("LIKE"));
    }
    return found;
}

bool
own_show(struct query_run *q)
{
    static const struct result_column columns[] = { { "Variable_name", MYSQL_TYPE_VAR_STRING, 0 },
                                                    { "Value", MYSQL_TYPE_VAR_STRING, 0 } };
    struct span                       pattern   = pattern_of(q);
    struct result_writer              w;
    unsigned                          status = session_status(q->s);

    if (pattern.len < 6 || !span_equal_nocase((struct span){ pattern.ptr, 6 }, SPAN("shardd")))
        return false;
    result_writer_begin(&w, stream_out(q->client), &q->seq, q->s->capabilities, columns,
                        countof(columns));
    for (int v = 0; v < OWN_VARS_N; v++)
        if (is_like(names[v], pattern)) {
            result_writer_text(&w, span_of(names[v]));
            result_writer_text(&w, span_of(value_of(q->s, (enum own_var)v)));
        }
    if (q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    result_writer_end(&w, (uint16_t)status, 0);
    query_flush(q);
    query_done(q);
    return true;
}
