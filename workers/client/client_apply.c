/* client_apply.c - see apply.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/route/gather.h"
#include "core/route/lookup_text.h"
#include "core/sql/sql_mode.h"
#include "workers/client/apply_state.h"
#include "workers/client/client.h"
#include "workers/query/diagnostics.h"

enum { ERR_DUPLICATE = 1062 /* ER_DUP_ENTRY */ };

static void go_on(struct client_apply *k);

void
client_apply_free(struct client *c)
{
    struct client_apply *k = c->apply;

    if (k == NULL)
        return;
    c->apply = NULL;
    if (k->q != NULL)
        query_free(k->q);
    diagnostics_kept_fini(&k->kept);
    buf_fini(&k->sink.out);
    buf_fini(&k->answer);
    arena_fini(&k->arena);
    free(k);
}

/* Its rows are found on an engine. */
static bool
changes(const struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    return plan->change != NULL && gather_needed(plan, q->routes->routes, &q->values);
}

bool
client_applies(const struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    if (q->command == QUERY_PREPARE || plan->kind == PLAN_EXPAND || plan->kind == PLAN_REFUSE)
        return false;

    return plan->keeps_lookups || changes(q);
}

/* CHANGE_INSERT: the shards have the answer, or its parts. */
static enum change_verb
verb_of(const struct query_run *q)
{
    const struct change_spec *change = changes(q) ? q->plan->plan.change : NULL;

    return change == NULL || change->answers ? CHANGE_UPDATE : change->verb;
}

/* --- the answer ----------------------------------------------------------- */

static void
finish(struct client_apply *k)
{
    struct client    *c = k->client;
    struct session   *s = &c->session;
    struct query_run *q = k->q;

    if (k->failed) {
        diagnostics_error(s, &k->error);
        s->row_count = -1;
        reply_err_encode(stream_out(k->out), &c->reader.next_seq, s->capabilities, &k->error);
    } else {
        diagnostics_put_back(s, &k->kept);
        bool rows = k->returning && buf_len(&k->answer) > PACKET_HEADER_BYTES &&
                    buf_unread(&k->answer).ptr[PACKET_HEADER_BYTES] != REPLY_OK;
        if (rows)
            apply_send_rows(k);
        else
            apply_send_ok(k);
    }
    q->seq    = c->reader.next_seq;
    q->failed = k->failed;
    q->cut    = false;
    k->q      = NULL;
    void (*done)(struct query_run *q) = k->done;
    if (k->out == &c->stream)
        stream_flush(&c->stream);
    client_apply_free(c);
    done(q);
}

/* --- statements of ours --------------------------------------------------- */

void
apply_fail(struct client_apply *k, const struct sql_error *error)
{
    if (!k->failed)
        k->error = *error;
    k->failed = true;
}

void
apply_fail_with(struct client_apply *k, const char *text)
{
    struct sql_error error;

    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: %s", text);
    apply_fail(k, &error);
}

/* In such a sql_mode a zero date is stored, and remarked upon each time. */
static bool
remarks_zeroes(const struct session *s)
{
    struct span mode = s->modes != NULL ? span_of(s->modes->sql_mode) : (struct span){ 0 };

    return (sql_mode_has(mode, "NO_ZERO_DATE") || sql_mode_has(mode, "NO_ZERO_IN_DATE")) &&
           !sql_mode_has(mode, "STRICT_TRANS_TABLES") && !sql_mode_has(mode, "STRICT_ALL_TABLES");
}

static bool
begins(struct span text, struct span word)
{
    return text.len > word.len && memcmp(text.ptr, word.ptr, word.len) == 0;
}

/* Rows that were locked cannot have changed, and values that were stored once need no words: else
 * it is a mistake of ours, or the shards', and nothing of it may stay. Only what is generated
 * may be remarked upon whatever is written, and zero dates. */
static void
check_counts(struct client_apply *k, const struct ok *ok)
{
    uint64_t counts[APPLY_COUNTS] = { 0 };
    bool     update         = begins(k->at->text, SPAN("UPDATE"));
    bool     replace        = begins(k->at->text, SPAN("REPLACE"));
    char     text[160];

    query_add_counts(ok->info, counts, APPLY_COUNTS);
    uint64_t found = update ? counts[0] : ok->affected_rows;
    bool     remarks = k->generates || remarks_zeroes(&k->client->session);
    bool as_many = found == k->at->rows || (replace && found > k->at->rows);
    if (k->insert_id == 0 && !update)
        k->insert_id = ok->insert_id;
    if (as_many && (ok->warnings == 0 || remarks))
        return;
    snprintf(text, sizeof(text), "of %llu rows that the statement changes the shards changed "
             "%llu, with %u warnings: it is undone", (unsigned long long)k->at->rows,
             (unsigned long long)found, ok->warnings);
    apply_fail_with(k, text);
}

static void
add_inserted(struct client_apply *k, const struct ok *ok)
{
    uint64_t counts[APPLY_COUNTS] = { 0 };

    query_add_counts(ok->info, counts, APPLY_COUNTS);
    k->records += k->at->rows;
    k->affected += ok->affected_rows;
    if (ok->info.len != 0)
        k->duplicates += counts[1];
    else if (k->q->plan->plan.change->ignore)
        k->duplicates += k->at->rows - ok->affected_rows;
    else if (ok->affected_rows > 1)
        k->duplicates += ok->affected_rows - 1;
    if (k->insert_id == 0)
        k->insert_id = ok->insert_id;
}

/* A server keeps a version of each row that it has found; the engine has not told which ones get
 * the values that they have. */
static void
check_versions(struct client_apply *k, const struct ok *ok)
{
    uint64_t         counts[APPLY_COUNTS] = { 0 };
    struct sql_error error;

    query_add_counts(ok->info, counts, APPLY_COUNTS);
    if (!k->changing.versions || counts[0] == counts[1])
        return;
    sql_error_set(&error, SQL_NOT_SUPPORTED, "shardd: the table has system versioning, and rows "
                  "that get the values they have would get a version too, which cannot be made for "
                  "them on several shards: leave them out by a condition");
    apply_fail(k, &error);
}

/* RETURNING: what was written answers, or fails behind rows that it has answered. */
static void
keep_answer(struct client_apply *k)
{
    struct span      payload = apply_last_packet(buf_unread(&k->sink.out));
    struct sql_error error;

    if (payload.len != 0 && payload.ptr[0] == REPLY_ERR && reply_err_decode(payload, &error)) {
        apply_fail(k, &error);
        return;
    }
    buf_clear(&k->answer);
    buf_append_span(&k->answer, buf_unread(&k->sink.out));
}

static bool
asks_numbers(const struct client_apply *k)
{
    return (k->step == APPLY_NOW || k->step == APPLY_BEHIND) && k->at->rows == 0;
}

static void
read_answer(struct client_apply *k)
{
    if (asks_numbers(k)) {
        apply_take_numbers(k);
        return;
    }
    struct span      payload = span_from(buf_unread(&k->sink.out), PACKET_HEADER_BYTES);
    bool             writes  = k->step == APPLY_NOW || k->step == APPLY_BEHIND;
    bool             tells   = k->verb == CHANGE_INSERT && k->returning && writes;
    struct sql_error error;
    struct ok        ok;
    const struct sql_error *refused = writes && !k->plain ? k->q->plan->plan.change->duplicates
                                                          : NULL;

    if (payload.len != 0 && payload.ptr[0] == REPLY_ERR && reply_err_decode(payload, &error))
        apply_fail(k, error.code == ERR_DUPLICATE && refused != NULL ? refused : &error);
    else if (payload.len != 0 && payload.ptr[0] == REPLY_OK &&
             reply_ok_decode(payload, k->client->session.capabilities, &ok)) {
        if (k->step == APPLY_READ) {
            check_versions(k, &ok);
            keep_answer(k);
        } else if (writes && k->verb == CHANGE_INSERT)
            add_inserted(k, &ok);
        else if (writes)
            check_counts(k, &ok);
    } else if (payload.len != 0 && (tells || (k->step == APPLY_READ && k->returning)))
        keep_answer(k);
    else
        apply_fail_with(k, "a part of the statement was not answered as it should be");
    buf_clear(&k->sink.out);
}

/* --- lookups ---------------------------------------------------------------- */

/* What the shards have told as statements. */
static void
plan_lookups(struct client_apply *k, const struct routes *r)
{
    struct err err;

    k->lookups = LOOKUPS_WRITE;
    if (!k->failed && !lookup_statements(&k->arena, r, k->taking.parts, k->taking.n, &k->lookup,
                                         &err))
        apply_fail_with(k, err.text);
}

static void
check_lookup(struct client_apply *k, const struct ok *ok)
{
    if (!k->lookup->exact || ok->affected_rows == k->lookup->rows)
        return;
    apply_fail_with(k, "a lookup of the table lacks values that its rows have, and the statement "
                    "is undone: 'shardctl fsck' tells which, and 'shardctl fsck --repair' adds "
                    "them");
}

static void
read_lookup_answer(struct client_apply *k, const struct routes *r)
{
    struct span      payload = span_from(buf_unread(&k->sink.out), PACKET_HEADER_BYTES);
    struct sql_error error;
    struct ok        ok = { 0 };

    if (payload.len != 0 && payload.ptr[0] == REPLY_ERR && reply_err_decode(payload, &error))
        apply_fail(k, &error);
    else if (payload.len == 0 || payload.ptr[0] != REPLY_OK ||
             !reply_ok_decode(payload, k->client->session.capabilities, &ok))
        apply_fail_with(k, "a lookup was not written as it should be");
    buf_clear(&k->sink.out);
    if (k->lookups == LOOKUPS_TAKE) {
        plan_lookups(k, r);
    } else {
        if (!k->failed)
            check_lookup(k, &ok);
        k->lookup = k->lookup->next;
    }
}

static void
part_done(struct query_run *q)
{
    struct client       *c   = q->owner;
    struct client_apply *k   = c->apply;
    bool                 cut = q->cut;

    c->query = NULL;
    if (k->lookups >= LOOKUPS_TAKE && k->step != APPLY_UNDO) {
        if (c->state != CLIENT_CLOSING && !cut)
            read_lookup_answer(k, q->routes->routes);
        query_free(q);
        if (c->state == CLIENT_CLOSING)
            return;
        diagnostics_clear(&c->session);
        if (cut)
            client_hang_up(c, COUNTER_CLOSED_BACKEND);
        else
            go_on(k);
        return;
    }
    if (k->step == APPLY_READ) {
        k->q   = q;
        k->now_s = q->now_s != 0 ? q->now_s : k->now_s;
    } else {
        query_free(q);
    }
    if (c->state == CLIENT_CLOSING)
        return;
    if (cut && k->changing.error.code == 0) {
        client_hang_up(c, COUNTER_CLOSED_BACKEND);
        return;
    }
    if (k->step == APPLY_READ && k->changing.error.code != 0)
        apply_fail(k, &k->changing.error);
    bool numbers = asks_numbers(k);
    if (k->step == APPLY_READ || (k->verb == CHANGE_INSERT && !numbers))
        diagnostics_keep(&c->session, &k->kept);
    else
        diagnostics_clear(&c->session);
    read_answer(k);
    bool wrote = (k->step == APPLY_NOW && !numbers) || k->step == APPLY_BEHIND ||
                 (k->step == APPLY_READ && k->plain);
    if (wrote && !k->failed && k->keeps)
        k->lookups = LOOKUPS_DUE;
    go_on(k);
}

/* The client's statement has another plan now, which may be of the other kind. */
static void
run_anew(struct query_run *q)
{
    struct client       *c = q->owner;
    struct client_apply *k = c->apply;

    client_plan_anew(c, q);
    if (k->step == APPLY_READ) {
        k->plain     = !changes(q);
        k->verb      = verb_of(q);
        k->generates = change_has_generated(q);
        q->changing  = k->plain ? NULL : &k->changing;
    }
    query_again(q);
}

static void
part_again(struct query_run *q)
{
    struct client *c = q->owner;

    q->routes = routes_hold(c->ctx);
    q->owning = NULL;
    run_anew(q);
}

static void
part_elsewhere(struct query_run *q)
{
    plan_ref_release(q->plan);
    run_anew(q);
}

static const struct query_ops part_ops = { .done = part_done, .again = part_again,
                                           .elsewhere = part_elsewhere, .owned = run_anew };

static void
start_part(struct client_apply *k, struct query_run *q)
{
    q->ops     = &part_ops;
    q->client  = &k->sink;
    q->silent  = true;
    q->seq     = 1;
    q->more    = false;
    q->fixed_s = k->now_s;
    q->keeps_lookups = k->keeps && k->lookups == LOOKUPS_NONE;
    client_start(k->client, q);
}

static void
say(struct client_apply *k, struct span text, enum query_command command)
{
    struct query_run *q = client_query(k->client, command);

    q->ours        = k->lookups >= LOOKUPS_TAKE;
    q->taking      = k->lookups == LOOKUPS_TAKE ? &k->taking : NULL;
    q->text        = text;
    q->values.text = text;
    q->values.stored = true;
    q->one_off     = true;
    q->plan        = client_find_plan(k->client, q, text, command == QUERY_EXECUTE);
    start_part(k, q);
}

static void
read_rows(struct client_apply *k)
{
    struct query_run *q = k->q;

    k->q        = NULL;
    q->changing = k->plain ? NULL : &k->changing;
    start_part(k, q);
}

/* --- the steps ------------------------------------------------------------ */

static void
enter(struct client_apply *k, enum apply_step step)
{
    k->step = step;
    if (step == APPLY_READ)
        read_rows(k);
    else if (k->texts[step] != NULL)
        say(k, span_of(k->texts[step]), QUERY_TEXT);
    else
        go_on(k);
}

/* RETURNING answers as the client's statement would: with its protocol. */
static void
write_next(struct client_apply *k, const struct change_statement *next)
{
    k->at = next;
    struct span text = next->n_holes != 0 ? apply_fill(k, next) : next->text;
    bool answers = k->returning && k->command == QUERY_EXECUTE && next->rows != 0;
    say(k, text, answers ? QUERY_EXECUTE : QUERY_TEXT);
}

/* True: something about lookups is under way. */
static bool
keep_lookups(struct client_apply *k)
{
    if (k->lookups == LOOKUPS_DUE) {
        k->lookups  = LOOKUPS_TAKE;
        k->taking.n = 0;
        say(k, SPAN("SELECT 1"), QUERY_TEXT);
        return true;
    }
    if (k->lookups == LOOKUPS_WRITE && k->lookup != NULL) {
        say(k, k->lookup->text, QUERY_TEXT);
        return true;
    }
    k->lookups = LOOKUPS_NONE;
    return false;
}

/* What was begun last is over. */
static void
go_on(struct client_apply *k)
{
    if (k->failed)
        k->lookups = LOOKUPS_NONE;
    else if (k->step != APPLY_UNDO && keep_lookups(k))
        return;
    if (k->failed && k->step != APPLY_UNDO) {
        if (k->step == APPLY_BEGIN)
            finish(k);
        else
            enter(k, APPLY_UNDO);
        return;
    }
    switch (k->step) {
    case APPLY_BEGIN: enter(k, APPLY_READ); return;
    case APPLY_READ:
        k->step = APPLY_NOW;
        k->at   = NULL;
        break;
    case APPLY_NOW: case APPLY_BEHIND: break;
    case APPLY_END: case APPLY_UNDO:
    case APPLY_STEPS: finish(k); return;
    }
    const struct change_statement *next = k->at == NULL ? k->changing.now.first : k->at->next;
    if (k->step == APPLY_BEHIND && k->at == NULL)
        next = k->changing.behind.first;
    if (next == NULL && k->step == APPLY_NOW) {
        k->step = APPLY_BEHIND;
        k->at   = NULL;
        next    = k->changing.behind.first;
    }
    if (next != NULL)
        write_next(k, next);
    else
        enter(k, APPLY_END);
}

/* --- the beginning -------------------------------------------------------- */

void
client_apply(struct client *c, struct query_run *q)
{
    static const char *const own[APPLY_STEPS] = {
        [APPLY_BEGIN] = "START TRANSACTION", [APPLY_END] = "COMMIT AND NO CHAIN NO RELEASE",
        [APPLY_UNDO] = "ROLLBACK AND NO CHAIN NO RELEASE",
    };
    static const char *const fresh[APPLY_STEPS] = {
        [APPLY_UNDO] = "ROLLBACK AND NO CHAIN NO RELEASE",
    };
    static const char *const within[APPLY_STEPS] = {
        [APPLY_BEGIN] = "SAVEPOINT `shardd apply`",
        [APPLY_END]  = "RELEASE SAVEPOINT `shardd apply`",
        [APPLY_UNDO] = "ROLLBACK TO SAVEPOINT `shardd apply`",
    };
    const struct session *s     = &c->session;
    const char *const    *texts = s->in_txn ? within : s->autocommit ? own : fresh;
    struct client_apply  *k     = mem_alloc(sizeof(*k));

    *k = (struct client_apply){
        .client = c, .out = q->client, .done = q->ops->done, .q = q,
        .verb = verb_of(q),
        .plain = !changes(q), .keeps = q->plan->plan.keeps_lookups,
        .returning = q->plan->plan.returning, .more = q->more, .command = q->command,
        .now_s = q->fixed_s != 0 ? q->fixed_s : clock_wall_s(), /* as of one moment, all of it */
        .generates = change_has_generated(q),
    };
    k->changing = (struct changing){ .arena = &k->arena, .one_insert = k->returning };
    k->taking.arena = &k->arena;
    for (uint32_t i = 0; i < c->session.n_held; i++)
        c->session.held[i].armed = false; /* of a statement that failed */
    k->sink.ring  = c->ctx->ring;
    k->sink.state = STREAM_OPEN;
    memcpy(k->texts, texts, sizeof(k->texts));
    c->apply = k;
    diagnostics_clear(&c->session); /* what is said around it keeps them */
    enter(k, APPLY_BEGIN);
}
