/* statement_vars.c - see statement_vars.h. */
#include "workers/query/statement_vars.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/sql/reading.h"
#include "core/sql/sql_mode.h"
#include "workers/query/leg.h"
#include "workers/query/meaning.h"
#include "workers/query/own_vars.h"
#include "workers/query/park.h"

enum { ITEMS_MAX = 32, CELLS_MAX = MEANING_CELLS + ITEMS_MAX };

struct settings_run {
    struct query_run *q;
    struct exchange   x;
    bool              asks_old;   /* the second question is under way */
    uint32_t          n_columns;
    struct column     columns[CELLS_MAX];
    uint32_t          n_seen;     /* of them */
    bool              seen;       /* a row */
    struct meaning    meaning;
    struct span       key;        /* of vars.h; in the query's arena, as all three */
    struct span       set, undo;
    struct span       new_mode;   /* sql_mode */
    bool              reads_otherwise;
    struct sql_error  error;
};

static const struct set_spec *
spec_of(const struct query_run *q)
{
    return q->plan->plan.set;
}

/* --- the text ------------------------------------------------------------ */

static bool
is_word(const struct lex *l, struct token t, struct span word)
{
    return (t.kind == TOK_KEYWORD || t.kind == TOK_IDENT) &&
           span_equal_nocase(token_text(l, t), word);
}

/* "name = value" up to the comma or FOR behind it, which is returned. */
static struct token
take_setting(struct lex *l, struct buf *set)
{
    struct token name = lex_next(l), t = lex_next(l);
    uint32_t     from = (uint32_t)l->at;
    int          depth = 0;

    if ((name.kind != TOK_IDENT && name.kind != TOK_KEYWORD && name.kind != TOK_QUOTED) ||
        (!token_is_op(t, '=') && !token_is_op(t, OP_ASSIGN)))
        return (struct token){ .kind = TOK_BAD };
    do {
        t = lex_next(l);
        depth += token_is_op(t, '(') ? 1 : token_is_op(t, ')') ? -1 : 0;
    } while (t.kind != TOK_END && t.kind != TOK_BAD && t.kind != TOK_PARAM &&
             (depth > 0 || (!token_is_op(t, ',') && !is_word(l, t, SPAN("FOR")))));
    if (!token_is_op(t, ',') && !is_word(l, t, SPAN("FOR")))
        return (struct token){ .kind = TOK_BAD };
    buf_append_text(set, buf_len(set) == 0 ? "SET @@SESSION." : ", @@SESSION.");
    buf_append_span(set, token_text(l, name));
    buf_append_text(set, " = ");
    buf_append(set, l->text + from, t.start - from);
    return t;
}

bool
statement_vars_find(struct span text, struct lex_options options, struct span *words,
                    struct span *statement, struct buf *set)
{
    struct lex   l;
    struct token t;

    if (text.len < 3 || (text.ptr[0] | 0x20) != 's' || (text.ptr[1] | 0x20) != 'e')
        return false;
    lex_init(&l, text, options);
    if (!is_word(&l, lex_next(&l), SPAN("SET")) || !is_word(&l, lex_next(&l), SPAN("STATEMENT")))
        return false;
    do {
        t = take_setting(&l, set);
    } while (token_is_op(t, ','));
    if (t.kind == TOK_BAD || l.had_exec_comment || l.in_comment)
        return false;
    *words = (struct span){ text.ptr, l.at };
    t      = lex_next(&l);
    if (t.kind == TOK_END || t.kind == TOK_BAD)
        return false;
    *statement = span_from(text, t.start);
    return true;
}

/* --- the session's states -------------------------------------------------- */

static void
copy_var(void *ctx, struct span name, struct span text)
{
    vars_set(ctx, name, text);
}

static struct statement_vars *
remember(struct session *s)
{
    struct statement_vars *old = mem_alloc(sizeof(*old));

    *old = (struct statement_vars){
        .lex                = s->lex,
        .zero_is_number     = s->zero_is_number,
        .own_commit         = s->own_commit,
        .own_snapshot_reads = s->own_snapshot_reads,
        .own_consistency    = s->own_consistency,
        .modes              = s->modes,
    };
    vars_move(&old->vars, &s->vars);
    vars_each(&old->vars, copy_var, &s->vars);
    s->modes = NULL;
    if (old->modes != NULL) {
        s->modes  = mem_alloc(sizeof(*s->modes));
        *s->modes = *old->modes;
    }
    return s->before = old;
}

static void
enter(struct settings_run *r)
{
    struct session        *s   = r->q->s;
    struct statement_vars *old = remember(s);

    vars_set(&s->vars, r->key, r->set);
    buf_append_span(&old->undo, r->undo);
    old->reads_otherwise = r->reads_otherwise;
    s->zero_is_number    = r->meaning.zero_is_number;
    if (s->modes == NULL)
        s->modes = mem_alloc(sizeof(*s->modes));
    *s->modes = r->meaning.modes;
}

/* The words of sql_mode need no escapes. */
void
statement_vars_read_as(struct session *s, uint16_t reading)
{
    struct statement_vars *old    = remember(s);
    struct buf             merged = { 0 }, set = { 0 };

    buf_printf(&old->undo, "SET SESSION sql_mode = '%s'", old->modes->sql_mode);
    sql_mode_read_as(span_of(old->modes->sql_mode), reading, &merged);
    buf_printf(&set, "SET SESSION sql_mode = '%s'", buf_cstr(&merged));
    vars_set(&s->vars, SPAN("sql_mode,"), buf_unread(&set));
    snprintf(s->modes->sql_mode, sizeof(s->modes->sql_mode), "%s", buf_cstr(&merged));
    s->modes->reading    = reading;
    s->lex               = reading_options(s->lex, reading);
    old->reads_otherwise = true;
    buf_fini(&merged);
    buf_fini(&set);
}

/* What is held and has heard the new values must hear the old ones. One that still has others to
 * hear has not been used since. */
static void
note_held(struct session *s)
{
    const struct statement_vars *old = s->before;
    uint64_t                     now = s->vars.hash;

    for (uint32_t i = 0; i < s->n_held && buf_len(&old->undo) != 0; i++) {
        struct held *h = &s->held[i];
        if (h->backend == NULL || h->undo != NULL || h->backend->vars_hash == old->vars.hash)
            continue;
        h->undo      = mem_strndup(buf_unread(&old->undo).ptr, buf_len(&old->undo));
        h->undo_hash = h->backend->vars_hash == now ? old->vars.hash : 1;
    }
}

void
statement_vars_leave(struct session *s)
{
    struct statement_vars *old = s->before;

    if (old == NULL)
        return;
    note_held(s);
    vars_fini(&s->vars);
    vars_move(&s->vars, &old->vars);
    free(s->modes);
    s->modes              = old->modes;
    old->modes            = NULL;
    s->lex                = old->lex;
    s->zero_is_number     = old->zero_is_number;
    s->own_commit         = old->own_commit;
    s->own_snapshot_reads = old->own_snapshot_reads;
    s->own_consistency    = old->own_consistency;
    statement_vars_free(s);
}

void
statement_vars_free(struct session *s)
{
    if (s->before == NULL)
        return;
    vars_fini(&s->before->vars);
    buf_fini(&s->before->undo);
    free(s->before->modes);
    free(s->before);
    s->before = NULL;
}

/* --- the second answer: the values of before -------------------------------- */

static bool
is_name(const struct setting *item, const char *name)
{
    return span_equal(item->name, span_of(name));
}

static bool
sets(const struct set_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->n; i++)
        if (is_name(&spec->items[i], name))
            return true;
    return false;
}

/* What cannot be read, or says something else each time that it is. */
static const struct setting *
unreadable(const struct set_spec *spec)
{
    static const char *const names[] = { "rand_seed1", "rand_seed2", "insert_id",
                                         "last_insert_id", "identity", "gtid_seq_no",
                                         "skip_replication" };

    for (uint32_t i = 0; i < spec->n; i++)
        for (size_t k = 0; k < countof(names); k++)
            if (is_name(&spec->items[i], names[k]))
                return &spec->items[i];
    return NULL;
}

static struct span
keep(struct query_run *q, struct buf *text)
{
    struct span copy = arena_copy(&q->arena, buf_unread(text));

    buf_fini(text);
    return copy;
}

static void
say_old(struct settings_run *r, const struct cell *cells)
{
    struct query_run      *q    = r->q;
    const struct set_spec *spec = spec_of(q);
    struct buf             text = { 0 };

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        buf_printf(&text, "%s %.*s = ", i == 0 ? "SET SESSION" : ",", (int)item->name.len,
                   item->name.ptr);
        if (is_name(item, "timestamp") && !vars_set_time(&q->s->vars))
            buf_append_text(&text, "DEFAULT");
        else
            meaning_say_value(&text, &r->columns[i + 1], &cells[i + 1], q->s->lex);
    }
    r->undo = keep(q, &text);
}

/* The statement was read under the old sql_mode, and so it is by every server. */
static void
take_mode(struct settings_run *r, struct span old)
{
    struct session_modes *modes = &r->meaning.modes;
    struct buf            merged = { 0 }, set = { 0 };
    struct literal_mode   quotes = { .charset = CHARSET_UTF8MB4_GENERAL_CI,
                                     .no_backslash_escapes = r->q->s->lex.no_backslash_escapes };

    switch (sql_mode_compare(r->new_mode, old)) {
    case SQL_MODE_ALIKE: return;
    case SQL_MODE_DIALECT:
        sql_error_set(&r->error, SQL_NOT_SUPPORTED, "shardd: SET STATEMENT cannot change sql_mode "
                      "to another dialect of SQL ('%.*s'): SET it for the session",
                      (int)(r->new_mode.len < 100 ? r->new_mode.len : 100), r->new_mode.ptr);
        return;
    case SQL_MODE_OTHER: break;
    }
    sql_mode_merge(r->new_mode, old, &merged);
    r->reads_otherwise = true;
    snprintf(modes->sql_mode, sizeof(modes->sql_mode), "%s", buf_cstr(&merged));
    modes->reading = sql_mode_reading(old);
    buf_printf(&set, "%.*s, sql_mode = ", (int)r->set.len, r->set.ptr);
    literal_quote(&set, buf_unread(&merged), &quotes);
    r->set = keep(r->q, &set);
    buf_fini(&merged);
}

/* --- the first answer: the new values --------------------------------------- */

static void
say_new(struct settings_run *r, const struct cell *cells)
{
    struct query_run      *q    = r->q;
    const struct set_spec *spec = spec_of(q);
    struct buf             set = { 0 }, key = { 0 };

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        uint32_t              at   = MEANING_CELLS + i;
        buf_printf(&set, "%s %.*s = ", i == 0 ? "SET SESSION" : ",", (int)item->name.len,
                   item->name.ptr);
        meaning_say_value(&set, &r->columns[at], &cells[at], q->s->lex);
        buf_printf(&key, "%.*s,", (int)item->name.len, item->name.ptr);
    }
    r->set      = keep(q, &set);
    r->key      = keep(q, &key);
    r->new_mode = arena_copy(&q->arena, cells[0].bytes);
}

static void
take_row(struct settings_run *r, struct span payload)
{
    struct cell cells[CELLS_MAX];

    if (r->n_seen != r->n_columns || !row_text_decode(payload, r->n_columns, cells))
        return;
    r->seen = true;
    if (r->asks_old) {
        say_old(r, cells);
        take_mode(r, cells[0].bytes);
    } else {
        meaning_read(&r->meaning, cells);
        say_new(r, cells);
    }
}

/* --- the questions ---------------------------------------------------------- */

static void on_message(struct exchange *x, struct backend *b, const struct result_message *m,
                       bool last);

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct settings_run *r = container_of(x, struct settings_run, x);

    (void)b;
    r->q->legs[0].backend = NULL;
    leg_over(&r->q->legs[0], why);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

/* LIMIT 1, because sql_select_limit may be 0. */
static void
ask(struct settings_run *r, bool old)
{
    const struct set_spec *spec = spec_of(r->q);
    struct buf             text = { 0 };

    r->asks_old = old;
    r->seen     = false;
    r->n_seen   = r->n_columns = 0;
    if (old)
        buf_append_text(&text, "SELECT @@SESSION.sql_mode");
    else {
        /* max_join_size may be too small for the question. */
        struct span words = { r->q->for_text.ptr, r->q->for_text.len - strlen("FOR") };
        buf_append_span(&text, words);
        if (!sets(spec, "sql_big_selects"))
            buf_append_text(&text, ", sql_big_selects = 1 ");
        buf_printf(&text, "FOR %s", meaning_question);
    }
    for (uint32_t i = 0; i < spec->n; i++)
        buf_printf(&text, ", @@%s%.*s", old ? "SESSION." : "", (int)spec->items[i].name.len,
                   spec->items[i].name.ptr);
    buf_append_text(&text, " LIMIT 1");
    backend_send(r->q->legs[0].backend, COM_QUERY, buf_unread(&text), &r->x, &ops);
    buf_fini(&text);
}

static void
answered(struct settings_run *r)
{
    struct leg       *leg = &r->q->legs[0];
    struct sql_error  why;

    if (result_error(&r->x.reader, &why)) {
        slot_count(r->q->ctx->slot, COUNTER_ERRORS_SERVER);
        leg_over(leg, &why);
    } else if (!r->seen) {
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: cannot read back what SET STATEMENT sets");
        leg_over(leg, &why);
    } else if (!r->asks_old && !meaning_allowed(&r->meaning, &why))
        leg_over(leg, &why);
    else if (!r->asks_old)
        ask(r, true);
    else
        leg_over(leg, r->error.code != 0 ? &r->error : NULL);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct settings_run *r = container_of(x, struct settings_run, x);

    (void)b;
    if (m->kind == RESULT_IS_COUNT)
        r->n_columns = x->reader.n_columns;
    if (m->kind == RESULT_IS_COLUMN && r->n_seen < CELLS_MAX && r->n_columns <= CELLS_MAX &&
        reply_column_decode(arena_copy(&r->q->arena, m->message.payload),
                            r->q->s->capabilities, &r->columns[r->n_seen]))
        r->n_seen++;
    if (m->kind == RESULT_IS_ROW && r->n_columns <= CELLS_MAX)
        take_row(r, m->message.payload);
    if (last)
        answered(r);
}

static void
ready(struct leg *leg)
{
    ask(leg->q->local, false);
}

static void
all_over(struct query_run *q)
{
    if (q->failed) {
        query_fail(q, &q->error);
        return;
    }
    enter(q->local);
    query_ok(q, 0, 0, 0, (struct span){ 0 });
}

static bool
assigns(const struct query_run *q)
{
    struct lex   l;
    struct token t;

    lex_init(&l, q->text, q->s->lex);
    do {
        t = lex_next(&l);
    } while (t.kind != TOK_END && t.kind != TOK_BAD && !token_is_op(t, OP_ASSIGN));
    return token_is_op(t, OP_ASSIGN);
}

static bool
is_possible(struct query_run *q)
{
    const struct set_spec *spec = spec_of(q);
    const struct setting  *bad  = unreadable(spec);

    if (bad != NULL)
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: SET STATEMENT cannot set %.*s, of which the "
                     "value before cannot be known: SET it for the session",
                     (int)bad->name.len, bad->name.ptr);
    else if (spec->n > ITEMS_MAX)
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: SET STATEMENT sets %d variables at the most",
                     ITEMS_MAX);
    else if (assigns(q))
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: SET STATEMENT cannot assign to user variables "
                     "in its values: SET them before");
    else
        return true;
    return false;
}

void
statement_vars_run(struct query_run *q)
{
    struct settings_run *r   = arena_alloc(&q->arena, sizeof(*r));
    uint32_t             any = query_any_shard(q);
    struct shard_set     one;
    struct sql_error     why;

    if (q->s->before == NULL && own_is_set(spec_of(q)))
        remember(q->s);
    if (own_set(q) || !is_possible(q))
        return;
    *r       = (struct settings_run){ .q = q };
    q->local = r;
    if (!plan_route(&q->plan->plan, q->routes->routes, &q->values, any, &one, &why)) {
        query_fail(q, &why);
        return;
    }
    if (park_if_fenced(q, &one, any))
        return;
    q->leg_ready = ready;
    q->all_over  = all_over;
    legs_make(q, &one);
    leg_start(&q->legs[0]);
}
