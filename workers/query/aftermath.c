/* aftermath.c - see aftermath.h. */
#include "workers/query/aftermath.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/row.h"
#include "core/mysql/wire.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/set_transaction.h"
#include "workers/query/settings.h"
#include "workers/query/track.h"

/* In this order: what comes later would overwrite what comes earlier. */
enum after {
    AFTER_WARNINGS, AFTER_FOUND_ROWS, AFTER_INSERT_ID, AFTER_TRANSACTION, AFTER_SETTINGS,
    AFTER_MEANING, AFTER_NAMES, AFTER_VALUES, AFTER_LOCKS, AFTER_DONE,
};

enum { USERVAR_BYTES_MAX = 1 << 20 };

struct aftermath {
    struct leg    *leg;
    enum after     step, until;
    bool           failed;  /* the answer of the step was an error, or none */
    struct settings *settings; /* in the query's arena; NULL: not asked */
    struct buf     names;   /* of user variables: a list (see uservars.h) */
    uint32_t       n_columns, n_seen;
    struct column *columns; /* in the query's arena */
    bool           inexact; /* some variable cannot be told to another server */
    bool           got_row;
    void         (*done)(struct leg *leg);
};

static void run(struct aftermath *a);

/* --- what has to be asked ------------------------------------------------ */

static bool
ask_warnings(struct aftermath *a, struct buf *text)
{
    const struct result_reader *r = &a->leg->x.reader;

    buf_append_text(text, "SHOW WARNINGS");
    return (r->warnings != 0 || r->error != 0) && !a->leg->q->keeps_diagnostics;
}

static bool
ask_found_rows(struct aftermath *a, struct buf *text)
{
    const struct plan *plan = &a->leg->q->plan->plan;

    buf_append_text(text, "SELECT FOUND_ROWS() LIMIT 1");
    /* SET @a = (SELECT ...) */
    if (plan->kind == PLAN_SET)
        return !plan->keeps_diagnostics;
    bool unknown = (a->leg->q->digest_flags & DIGEST_CALC_FOUND_ROWS) || plan->asks_found_rows ||
                   (plan->has_offset && a->leg->x.reader.n_rows == 0);
    /* INTO tells nothing, ANALYZE what it did; what fails leaves the number as it was. */
    bool keeps = (a->leg->q->digest_flags & DIGEST_INTO) != 0 || plan->asks_found_rows; /* DO */
    return (unknown && a->leg->x.reader.had_rows) ||
           (!plan->is_write && keeps && a->leg->x.reader.error == 0);
}

static bool
ask_insert_id(struct aftermath *a, struct buf *text)
{
    const struct query_run *q = a->leg->q;

    buf_append_text(text, "SELECT LAST_INSERT_ID() LIMIT 1");
    return q->plan->plan.runs_code ||
           (a->leg->x.reader.error == 0 &&
            (a->leg->x.reader.insert_id == 0 || q->plan->plan.selects_into_table) &&
            query_sets_insert_id(q));
}

/* Behind its error a block has told nothing: what is said again is told again. */
static bool
ask_transaction(const struct aftermath *a, struct buf *text)
{
    buf_append_text(text, "SET session_track_transaction_info = CHARACTERISTICS");
    return a->leg->backend->tells_transaction && a->leg->x.reader.error != 0 &&
           set_next_by_code(a->leg);
}

static bool
ask_settings(struct aftermath *a, struct buf *text)
{
    if (!settings_may_have_changed(a->leg))
        return false;
    settings_ask(a->leg, text, &a->settings);
    return true;
}

static bool
ask_meaning(const struct aftermath *a, struct buf *text)
{
    if (a->settings != NULL)
        settings_ask_meaning(a->settings, text);
    return a->settings != NULL;
}

static bool
ask_names(struct aftermath *a, struct buf *text)
{
    buf_append_text(text, "SELECT VARIABLE_NAME FROM information_schema.USER_VARIABLES"
                          " LIMIT 10000");
    return a->leg->q->plan->plan.runs_code;
}

static bool
ask_values(struct aftermath *a, struct buf *text)
{
    const struct query_run *q = a->leg->q;

    if (q->plan->plan.assigns)
        uservars_names(q->text, q->s->lex, &a->names);
    if (buf_len(&a->names) == 0)
        return false;
    uservars_ask(buf_unread(&a->names), text);
    return true;
}

static void
locks_ended(const struct leg *leg)
{
    struct session *s = leg->q->s;

    pins_remove(&s->pins, s->ctx->slot, PIN_USER_LOCK);
    session_tell_locks(s, leg->shard_id);
}

static bool
ask_locks(struct aftermath *a, struct buf *text)
{
    const struct query_run *q = a->leg->q;
    struct session         *s = q->s;
    bool                    ended;

    if (q->plan->plan.pin != PIN_USER_LOCK ||
        pins_locks(&s->pins, q->text, s->lex, text, &ended))
        return q->plan->plan.pin == PIN_USER_LOCK;
    if (ended)
        locks_ended(a->leg);
    return false;
}

/* --- the answers --------------------------------------------------------- */

static uint64_t
number_of(const struct cell *cell)
{
    uint64_t n = 0;

    for (size_t i = 0; !cell->is_null && i < cell->bytes.len; i++)
        n = n * 10 + (uint64_t)(cell->bytes.ptr[i] - '0');
    return n;
}

static void
take_number(struct aftermath *a, struct span payload)
{
    struct session *s = a->leg->q->s;
    struct cell     cell;

    if (!row_text_decode(payload, 1, &cell))
        return;
    a->got_row = true;
    switch ((int)a->step) {
    case AFTER_FOUND_ROWS: s->found_rows = number_of(&cell); break;
    case AFTER_INSERT_ID:  s->last_insert_id = number_of(&cell); break;
    case AFTER_NAMES:      wire_put_lenenc_bytes(&a->names, cell.bytes); break;
    default:
        if (number_of(&cell) == 0) {
            buf_fini(&s->pins.locks);
            locks_ended(a->leg);
        }
        break;
    }
}

/* An error may have company, which its packet does not tell. */
static void
take_warning(struct aftermath *a, struct span payload)
{
    struct session *s = a->leg->q->s;

    if (a->leg->x.reader.error != 0) {
        if (!a->got_row)
            diagnostics_clear(s);
        s->warnings++;
    }
    a->got_row = true;
    diagnostics_row(a->leg, payload);
}

static void
take_values(struct aftermath *a, struct span payload)
{
    struct session *s     = a->leg->q->s;
    struct cell    *cells = mem_alloc(a->n_columns * sizeof(*cells));

    if (s->uservars.owner == 0)
        s->uservars.owner = ++s->ctx->next_uservars;
    if (a->n_seen == a->n_columns && row_text_decode(payload, a->n_columns, cells)) {
        a->got_row = true;
        a->inexact = !uservars_take(&s->uservars, buf_unread(&a->names), a->columns, cells) ||
                     s->uservars.bytes > USERVAR_BYTES_MAX;
    }
    free(cells);
}

static void
take_column(struct aftermath *a, struct span payload)
{
    struct query_run *q = a->leg->q;

    if (a->n_seen < a->n_columns &&
        reply_column_decode(arena_copy(&q->arena, payload), q->s->capabilities,
                            &a->columns[a->n_seen]))
        a->n_seen++;
}

static void
take_row(struct aftermath *a, struct span payload)
{
    switch ((int)a->step) {
    case AFTER_WARNINGS: take_warning(a, payload); return;
    case AFTER_VALUES:   take_values(a, payload); return;
    case AFTER_SETTINGS: settings_take(a->settings, payload); return;
    case AFTER_MEANING:  a->got_row = settings_adopt(a->settings, payload); return;
    default:             take_number(a, payload); return;
    }
}

/* Whether a transaction is open, and what the next one is to be. */
static void
take_transaction(struct aftermath *a, struct span payload)
{
    struct leg *leg = a->leg;
    struct ok   ok  = { 0 };

    if (a->step != AFTER_TRANSACTION)
        return;
    a->failed = !reply_ok_decode(payload, leg->q->s->capabilities | CLIENT_SESSION_TRACK, &ok);
    track_note(leg->q, ok.track);
    leg->x.reader.status = ok.status;
    query_relay_txn(leg);
    set_next_heard(leg);
}

static void
take(struct aftermath *a, const struct result_message *m)
{
    switch ((int)m->kind) {
    case RESULT_IS_OK: take_transaction(a, m->message.payload); return;
    case RESULT_IS_COUNT:
        a->n_columns = a->leg->begin.reader.n_columns;
        a->n_seen    = 0;
        a->columns   = arena_alloc(&a->leg->q->arena, a->n_columns * sizeof(*a->columns));
        return;
    case RESULT_IS_COLUMN: take_column(a, m->message.payload); return;
    case RESULT_IS_ROW:
        take_row(a, m->message.payload);
        return;
    case RESULT_IS_ERR: a->failed = true; return;
    default: return;
    }
}

/* --- the end ------------------------------------------------------------- */

/* A value that no other server can be given holds the session where it is. */
static void
stay(struct leg *leg)
{
    struct session *s = leg->q->s;

    /* An engine is no place to stay: the session has lost it. */
    if (leg->is_engine) {
        leg->backend->dirty = leg->q->cut = true;
        return;
    }
    pins_add(&s->pins, s->ctx->slot, PIN_USER_VARIABLE);
    leg->backend->dirty = true;
    if (session_held(s, leg->shard_id) == NULL)
        leg_hold(leg, HELD_PIN);
}

static void
fini(struct aftermath *a)
{
    buf_fini(&a->names);
    if (a->settings != NULL)
        settings_fini(a->settings);
}

static void
end(struct aftermath *a)
{
    struct leg *leg = a->leg;

    fini(a);
    if (leg->backend != NULL && a->inexact)
        stay(leg);
    a->done(leg);
}

/* The client has its answer, but what the statement did to the session is not known. */
static void
give_up(struct aftermath *a)
{
    if (a->step != AFTER_WARNINGS)
        a->leg->q->cut = true;
    fini(a);
    a->done(a->leg);
}

static void
next(struct aftermath *a)
{
    struct leg     *leg = a->leg;
    struct session *s   = leg->q->s;

    bool needs_row = a->step == AFTER_VALUES || a->step == AFTER_MEANING;
    if (a->failed || (needs_row && !a->got_row)) {
        leg->backend->dirty = true;
        give_up(a);
        return;
    }
    if (a->step == AFTER_VALUES) {
        leg->backend->user_owner   = s->uservars.owner;
        leg->backend->user_version = s->uservars.version;
    }
    a->step++;
    run(a);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg *leg = container_of(x, struct leg, begin);

    (void)b;
    take(leg->after, m);
    if (last)
        next(leg->after);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, begin);

    (void)b, (void)why;
    leg->backend = NULL;
    leg->lost    = true;
    if (leg->q->finished)
        fini(leg->after);
    else
        give_up(leg->after);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

static bool
asks(struct aftermath *a, struct buf *text)
{
    switch (a->step) {
    case AFTER_WARNINGS:   return ask_warnings(a, text);
    case AFTER_FOUND_ROWS: return ask_found_rows(a, text);
    case AFTER_INSERT_ID:  return ask_insert_id(a, text);
    case AFTER_TRANSACTION: return ask_transaction(a, text);
    case AFTER_SETTINGS:   return ask_settings(a, text);
    case AFTER_MEANING:    return ask_meaning(a, text);
    case AFTER_NAMES:      return ask_names(a, text);
    case AFTER_VALUES:     return ask_values(a, text);
    case AFTER_LOCKS:      return ask_locks(a, text);
    case AFTER_DONE:       return false;
    }
    __builtin_unreachable();
}

static void
run(struct aftermath *a)
{
    struct leg *leg  = a->leg;
    struct buf  text = { 0 };

    while (a->step != a->until && !asks(a, &text)) {
        buf_clear(&text);
        a->step++;
    }
    if (a->step != a->until) {
        a->got_row = false;
        leg->state = LEG_ASKING;
        backend_resume(leg->backend);
        backend_send(leg->backend, COM_QUERY, buf_unread(&text), &leg->begin, &ops);
        buf_fini(&text);
        return;
    }
    buf_fini(&text);
    end(a);
}

static void
begin(struct leg *leg, enum after step, enum after until, void (*done)(struct leg *leg))
{
    struct aftermath *a = arena_alloc(&leg->q->arena, sizeof(*a));

    *a = (struct aftermath){ .leg = leg, .step = step, .until = until, .done = done };
    leg->after = a;
    run(a);
}

static void
over(struct leg *leg)
{
    leg_over(leg, NULL);
}

void
aftermath_take(struct leg *leg)
{
    const struct query_run *q = leg->q;

    if (q->plan == NULL || q->command == QUERY_PREPARE || q->command == QUERY_OTHER)
        leg_over(leg, NULL);
    else
        begin(leg, AFTER_WARNINGS, AFTER_DONE, over);
}

void
aftermath_take_then(struct leg *leg, void (*done)(struct leg *leg))
{
    begin(leg, AFTER_WARNINGS, AFTER_DONE, done);
}

void
aftermath_warnings(struct leg *leg, void (*done)(struct leg *leg))
{
    begin(leg, AFTER_WARNINGS, AFTER_FOUND_ROWS, done);
}

void
aftermath_variables(struct leg *leg, void (*done)(struct leg *leg))
{
    begin(leg, AFTER_FOUND_ROWS, AFTER_DONE, done);
}
