/* query_set.c - SET: accepted by a server first, then remembered for all.
 *
 *   the text --> a server (every backend the session holds, else any one)
 *            --> read back what became of it --> vars, and what they mean here
 *
 * Values are read back from the server that evaluated them (SET @d = NOW(),
 * SET sql_mode = CONCAT(@@sql_mode, ...)), so that what is replayed elsewhere is
 * a constant. A SET that was accepted before in the same state is not asked
 * again: connections that all begin with the same words cost nothing.
 */
#include <xxhash.h>

#include "workers/query/aftermath.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/meaning.h"
#include "workers/query/own_vars.h"
#include "workers/query/park.h"
#include "workers/query/set_transaction.h"
#include "workers/query/statement_vars.h"
#include "workers/query/track.h"
#include "workers/query/txn.h"

enum { KNOWN_STATES = 256, CELLS_MAX = MEANING_CELLS + 64, VARS_MAX = 1024,
       ERR_TOO_BIG_SELECT = 1104 };

/* By their hashes. */
static struct meaning known[KNOWN_STATES];

struct setting_run {
    struct query_run      *q;
    struct vars        vars;      /* what the session's will be */
    struct meaning     meaning;
    struct exchange    x;         /* the read-back */
    uint32_t           n_columns;
    struct column     *columns;
    uint32_t           n_seen;
    uint32_t           warnings;
    struct span        answer;    /* of the first server, in the arena: what it tells */
    bool               big;       /* max_join_size is too small for the read-back */
    struct sql_error    error;    /* what the server said */
};

static const struct set_spec *
spec_of(const struct query_run *q)
{
    return q->plan->plan.set;
}

/* What is told of a SET depends on its words too. */
static uint64_t
told_by(const struct query_run *q)
{
    if (!(q->s->capabilities & CLIENT_SESSION_TRACK))
        return 0;
    return XXH3_64bits(q->text.ptr, q->text.len) | 1;
}

static struct meaning *
known_state(const struct setting_run *r)
{
    uint64_t hash = (r->vars.hash + told_by(r->q)) * UINT64_C(0x9e3779b97f4a7c15) +
                    r->q->s->charset + 1;

    return &known[hash % KNOWN_STATES];
}

static bool
is_known(const struct setting_run *r)
{
    const struct meaning *m = known_state(r);

    return m->known && m->vars_hash == r->vars.hash && m->charset == r->q->s->charset &&
           m->text_hash == told_by(r->q);
}

/* --- what is replayed ---------------------------------------------------- */

/* LAST_INSERT_ID() is the session's, and no backend is told. */
static bool
is_insert_id(const struct setting *item)
{
    return item->kind == SETTING_SYSTEM && (span_equal(item->name, SPAN("last_insert_id")) ||
                                            span_equal(item->name, SPAN("identity")));
}

/* "isolation level", "@a,@b", "names": a later SET of the same replaces this one. */
static struct span
key_of(struct query_run *q)
{
    const struct set_spec *spec = spec_of(q);
    struct buf             key  = { 0 };

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        if (item->kind == SETTING_USER || is_insert_id(item))
            continue;
        if (item->kind == SETTING_NAMES || item->kind == SETTING_CHARSET)
            buf_append_text(&key, "names");
        else
            buf_append_span(&key, item->name);
        buf_append_text(&key, ",");
    }
    struct span copy = arena_copy(&q->arena, buf_unread(&key));
    buf_fini(&key);
    return copy;
}

static bool
is_names(const struct setting *item)
{
    return item->kind == SETTING_NAMES || item->kind == SETTING_CHARSET;
}

/* SET NAMES and SET CHARACTER SET, as the first cells of the read-back tell what they did. */
static void
say_names(struct buf *out, const struct setting *item, const struct cell *cells)
{
    const int len[] = { (int)cells[2].bytes.len, (int)cells[5].bytes.len };

    if (item->kind == SETTING_NAMES)
        buf_printf(out, "NAMES %.*s COLLATE %.*s", len[0], cells[2].bytes.ptr, len[1],
                   cells[5].bytes.ptr);
    else
        buf_printf(out, "character_set_client = %.*s, character_set_results = %.*s, "
                   "collation_connection = %.*s", len[0], cells[2].bytes.ptr, len[0],
                   cells[2].bytes.ptr, len[1], cells[5].bytes.ptr);
}

/* The statement with the values that it had: what other backends hear. */
static void
say_constants(struct buf *out, const struct setting_run *r, const struct cell *cells)
{
    const struct set_spec *spec      = spec_of(r->q);
    const char            *separator = "SET ";
    uint32_t               column    = MEANING_CELLS;

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        if (is_insert_id(item))
            column++;
        if (item->kind == SETTING_USER || is_insert_id(item))
            continue;
        buf_append_text(out, separator);
        separator = ", ";
        if (is_names(item)) {
            say_names(out, item, cells);
            continue;
        }
        buf_printf(out, "SESSION %.*s = ", (int)item->name.len, item->name.ptr);
        meaning_say_value(out, &r->columns[column], &cells[column], r->q->s->lex);
        column++;
    }
}

static void
take_insert_id(struct setting_run *r, const struct cell *cells)
{
    const struct set_spec *spec   = spec_of(r->q);
    uint32_t               column = MEANING_CELLS;

    for (uint32_t i = 0; i < spec->n; i++) {
        if (spec->items[i].kind == SETTING_USER || is_names(&spec->items[i]))
            continue;
        if (is_insert_id(&spec->items[i]))
            r->q->s->last_insert_id = meaning_number(cells[column]);
        column++;
    }
}

static void
copy_var(void *ctx, struct span name, struct span text)
{
    vars_set(ctx, name, text);
}

/* What the session's variables will be with `text` among them; empty: what they are. */
static void
set_vars(struct setting_run *r, struct span text)
{
    vars_clear(&r->vars);
    vars_each(&r->q->s->vars, copy_var, &r->vars);
    if (text.len != 0)
        vars_set(&r->vars, key_of(r->q), text);
}

/* --- the end ------------------------------------------------------------- */

static void
adopt(struct setting_run *r)
{
    struct session *s     = r->q->s;
    struct span     track = r->q->track;

    r->meaning.known     = true;
    r->meaning.vars_hash = r->vars.hash;
    r->meaning.charset   = s->charset;
    r->meaning.text_hash = told_by(r->q);
    if (r->warnings == 0 && track.len <= MEANING_TRACK) { /* who says it again hears them again */
        memcpy(r->meaning.track, track.ptr != NULL ? track.ptr : r->meaning.track, track.len);
        r->meaning.n_track = (uint8_t)track.len;
        *known_state(r)    = r->meaning;
    }
    vars_fini(&s->vars);
    vars_move(&s->vars, &r->vars);
    meaning_apply(s, &r->meaning);
    set_overrides_next(s, spec_of(r->q));
}

static void
all_over(struct query_run *q)
{
    struct setting_run *r = q->local;

    vars_fini(&r->vars); /* the answer may start the client's next statement, and q is gone */
    if (q->failed)
        query_fail(q, &q->error);
    else
        query_ok(q, 0, 0, r->warnings, (struct span){ 0 });
}

/* --- user variables ------------------------------------------------------ */

static bool
sets_system(const struct query_run *q)
{
    const struct set_spec *spec = spec_of(q);

    for (uint32_t i = 0; i < spec->n; i++)
        if (spec->items[i].kind != SETTING_USER)
            return true;
    return false;
}

/* User variables; and whatever a function does. */
static bool
leaves_more(const struct query_run *q)
{
    return q->plan->plan.assigns || q->plan->plan.runs_code;
}

static void
variables_known(struct leg *leg)
{
    struct setting_run *r = leg->q->local;
    struct sql_error    why;

    if (!leg->q->cut) {
        leg_over(leg, r->error.code != 0 ? &r->error : NULL);
        return;
    }
    leg->q->cut = false; /* the client has not heard anything yet */
    sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: cannot read back what SET did");
    leg_over(leg, &why);
}

/* --- the read-back ------------------------------------------------------- */

static void
take_row(struct setting_run *r, struct span payload)
{
    struct cell cells[CELLS_MAX];
    struct buf  text = { 0 };

    if (r->n_seen != r->n_columns || !row_text_decode(payload, r->n_columns, cells))
        return;
    meaning_read(&r->meaning, cells);
    r->meaning.known = true;
    if (!spec_of(r->q)->replayable) {
        say_constants(&text, r, cells);
        take_insert_id(r, cells);
        set_vars(r, buf_unread(&text));
        buf_fini(&text);
    }
}

static void read_back(struct setting_run *r, struct backend *b);

static void
finish(struct setting_run *r, struct backend *b)
{
    struct leg      *leg = &r->q->legs[0];
    struct sql_error why;

    if (!r->meaning.known && !r->big && result_error(&r->x.reader, &why) &&
        why.code == ERR_TOO_BIG_SELECT) {
        r->big = true;
        read_back(r, b);
        return;
    }

    if (!r->meaning.known) {
        struct sql_error said = { 0 };
        bool             told = result_error(&r->x.reader, &said);
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: cannot read back what SET did%s%.300s",
                      told ? ": " : "", said.message);
        b->dirty = true;
        leg_over(leg, &why);
        return;
    }
    if (!meaning_allowed(&r->meaning, &why)) {
        b->dirty = true;
        leg_over(leg, &why);
        return;
    }
    adopt(r);
    b->vars_hash = r->q->s->vars.hash;
    if (leaves_more(r->q))
        aftermath_variables(leg, variables_known);
    else
        leg_over(leg, NULL);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct setting_run *r = container_of(x, struct setting_run, x);

    if (m->kind == RESULT_IS_COUNT) {
        r->n_columns = x->reader.n_columns;
        r->columns   = arena_alloc(&r->q->arena, r->n_columns * sizeof(*r->columns));
    }
    if (m->kind == RESULT_IS_COLUMN &&
        reply_column_decode(arena_copy(&r->q->arena, m->message.payload),
                            r->q->s->capabilities, &r->columns[r->n_seen]))
        r->n_seen++;
    if (m->kind == RESULT_IS_ROW && r->n_columns <= CELLS_MAX)
        take_row(r, m->message.payload);
    if (last)
        finish(r, b);
}

static void
read_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct setting_run *r = container_of(x, struct setting_run, x);

    (void)b;
    r->q->legs[0].backend = NULL;
    leg_over(&r->q->legs[0], why);
}

static const struct exchange_ops read_ops = { .on_message = on_message, .on_lost = read_lost };

static void
read_back(struct setting_run *r, struct backend *b)
{
    const struct set_spec *spec = spec_of(r->q);
    struct buf             text = { 0 };

    r->n_seen = 0;
    if (r->big)
        buf_append_text(&text, "SET STATEMENT sql_big_selects = 1 FOR ");
    buf_append_text(&text, meaning_question);
    for (uint32_t i = 0; !spec->replayable && i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        if (item->kind == SETTING_USER || is_names(item))
            continue;
        if (r->big && span_equal(item->name, SPAN("sql_big_selects"))) {
            buf_append_text(&text, ", 0"); /* it is because it is 0 that it is 1 now */
            continue;
        }
        buf_append_text(&text, ", @@SESSION.");
        buf_append_span(&text, item->name);
    }
    buf_append_text(&text, " LIMIT 1"); /* sql_select_limit may be 0 */
    backend_send(b, COM_QUERY, buf_unread(&text), &r->x, &read_ops);
    buf_fini(&text);
}

/* --- the statement itself ------------------------------------------------ */

static void
accepted(struct leg *leg)
{
    struct setting_run *r = leg->q->local;
    struct sql_error    why;

    if (leg->backend == NULL) {
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the server was lost after SET");
        leg_over(leg, &why);
    } else if (!sets_system(leg->q)) {
        aftermath_variables(leg, variables_known);
    } else if (spec_of(leg->q)->replayable && is_known(r)) {
        r->meaning = *known_state(r);
        finish(r, leg->backend);
    } else
        read_back(r, leg->backend);
}

static void
keep_answer(struct setting_run *r, const struct leg *leg, struct span bytes)
{
    struct buf all = { 0 };

    if (!(r->q->s->capabilities & CLIENT_SESSION_TRACK) || leg->number != 0)
        return;
    buf_append_span(&all, r->answer);
    buf_append_span(&all, bytes);
    r->answer = arena_copy(&r->q->arena, buf_unread(&all));
    buf_fini(&all);
}

static void
on_answer(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg         *leg = container_of(x, struct leg, x);
    struct setting_run *r   = leg->q->local;
    struct sql_error    why;

    keep_answer(r, leg, bytes);
    if (!last)
        return;
    r->warnings   = x->reader.warnings;
    leg->q->track = track_read(r->answer);
    if (result_error(&x->reader, &why)) {
        /* Of several assignments some may have happened before the one that failed. */
        if (spec_of(leg->q)->n > 1)
            b->vars_hash = 1;
        slot_count(leg->q->ctx->slot, COUNTER_ERRORS_SERVER);
        r->error = why;
        if (leaves_more(leg->q))
            aftermath_variables(leg, variables_known);
        else
            leg_over(leg, &why);
    } else if (r->warnings != 0) {
        diagnostics_clear(leg->q->s); /* of the statement before */
        aftermath_warnings(leg, accepted);
    } else {
        accepted(leg);
    }
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg_over(leg, why);
}

static const struct exchange_ops set_ops = { .on_bytes = on_answer, .on_lost = on_lost };

static void
ready(struct leg *leg)
{
    struct setting_run *r = leg->q->local;

    if (leg->number == 0) {
        r->answer = (struct span){ 0 };
        query_fill_locks(leg);
    }
    leg_send(leg, &set_ops);
}

static void
run(struct query_run *q)
{
    struct setting_run  *r   = q->local;
    const struct routes *rt  = q->routes->routes;
    struct session      *s   = q->s;
    uint32_t             any = query_any_shard(q);
    struct shard_set     one;
    struct sql_error     why;

    if (spec_of(q)->replayable && s->n_held == 0 && is_known(r)) {
        r->meaning = *known_state(r);
        q->track   = arena_copy(&q->arena, (struct span){ r->meaning.track, r->meaning.n_track });
        adopt(r);
        query_ok(q, 0, 0, 0, (struct span){ 0 });
        return;
    }
    if (!plan_route(&q->plan->plan, rt, &q->values, any, &one, &why)) {
        query_fail(q, &why);
        return;
    }
    if (!table_locks_route(q, &one) || park_if_fenced(q, &one, any))
        return;
    q->leg_ready = ready;
    q->all_over  = all_over;
    legs_make(q, &one);
    leg_start(&q->legs[0]);
}

static void
committed(struct query_run *q, const struct sql_error *error)
{
    if (error != NULL)
        query_fail(q, error);
    else
        run(q);
}

/* SET autocommit = 1 commits what is open without it. */
static bool
turns_autocommit_on(const struct query_run *q)
{
    const struct set_spec *spec = spec_of(q);

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        if (!span_equal(item->name, SPAN("autocommit")) || item->value.n != 1)
            continue;
        struct span value = item->value.pieces[0].text;
        return !span_equal(value, SPAN("0")) && !span_equal_nocase(value, SPAN("off")) &&
               !span_equal_nocase(value, SPAN("false"));
    }
    return false;
}

/* They are kept here and said to every backend that the session gets. */
static bool
too_many(struct query_run *q)
{
    const struct vars *v     = &q->s->vars;
    size_t             limit = (size_t)q->ctx->conf.max_packet_bytes;
    size_t             n     = q->plan->plan.assigns ? q->s->uservars.n : v->n;

    if (n < VARS_MAX && v->bytes + q->text.len <= limit)
        return false;
    query_refuse(q, SQL_UNKNOWN_ERROR, "shardd: the session has set too many variables (%zu, of "
                 "%zu bytes): at most %d are kept, and max_packet_bytes", n, v->bytes, VARS_MAX);
    return true;
}

void
query_set(struct query_run *q)
{
    struct setting_run *r = arena_alloc(&q->arena, sizeof(*r));
    struct session     *s = q->s;

    slot_count(q->ctx->slot, COUNTER_STATEMENTS_SET);
    if (q->sets_statement) {
        statement_vars_run(q);
        return;
    }
    if (s->before != NULL && sets_system(q)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: SET STATEMENT ... FOR, and a statement "
                     "prepared under another sql_mode, cannot run a SET of variables: write it as "
                     "a statement of its own");
        return;
    }
    if (own_set(q) || set_next_transaction(q) || too_many(q) || track_refuses(q))
        return;
    set_keeps_access(s, spec_of(q));
    r->q     = q;
    q->local = r;
    vars_init(&r->vars);
    if (spec_of(q)->replayable)
        set_vars(r, q->text);
    if (s->in_txn && !s->autocommit && turns_autocommit_on(q))
        txn_commit(q, committed);
    else
        run(q);
}
