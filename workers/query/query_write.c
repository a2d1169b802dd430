/* query_write.c - UPDATE, DELETE and INSERT on several shards.
 *
 *   no transaction open:  BEGIN on the first, XA START on the others, the statement
 *                         everywhere, then the commit protocol of txn.c
 *   inside one:           a savepoint everywhere first, so that a statement that
 *                         fails on one shard is undone on the others
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/row.h"
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"
#include "workers/query/own_vars.h"
#include "workers/query/returning.h"
#include "workers/query/txn.h"
#include "workers/query/write.h"

enum { ERR_DEADLOCK = 1213, COUNTS = 4 };

struct writing {
    uint32_t first;     /* leg that goes first and alone counts, or ROUTES_NONE */
    uint64_t insert_id;
    uint32_t n_undo;
    bool     numbered;  /* the first one gives the rows' numbers to its copies, */
    uint64_t number;    /* this one first */
    uint64_t step;
    struct returning *returning; /* NULL: no rows are wanted */
};

static struct writing *
writing_of(const struct query_run *q)
{
    return q->local;
}

/* --- "Rows matched: 3  Changed: 2  Warnings: 0" ---------------------------
 * An UPDATE of a table with system versioning: "... Changed: 2  Inserted: 2  Warnings: 0". */

void
query_add_counts(struct span info, uint64_t *counts, size_t n_counts)
{
    size_t n = 0;

    for (size_t i = 0; i < info.len && n < n_counts; i++) {
        if (info.ptr[i] < '0' || info.ptr[i] > '9')
            continue;
        uint64_t value = 0;
        for (; i < info.len && info.ptr[i] >= '0' && info.ptr[i] <= '9'; i++)
            value = value * 10 + (uint64_t)(info.ptr[i] - '0');
        counts[n++] += value;
    }
}

/* A server says nothing about an INSERT of one row. */
static void
add_one_row(const struct query_run *q, const struct leg *leg, uint64_t *counts)
{
    if (leg->info.len != 0)
        return;
    counts[0] += leg->n_rows;
    counts[2] += leg->warnings;
    if (leg->affected > 1)
        counts[1] += leg->affected - 1;
    else if (leg->affected == 0 && q->plan->plan.insert->ignores)
        counts[1] += leg->n_rows;
}

/* The words of the first, the numbers of all. */
static struct span
add_up_info(struct query_run *q)
{
    const struct writing *w              = writing_of(q);
    uint64_t              counts[COUNTS] = { 0 };
    struct span           words          = { 0 };
    char                  text[128];

    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (w->first != ROUTES_NONE && i != w->first)
            continue;
        if (q->legs[i].info.len != 0)
            words = q->legs[i].info;
        query_add_counts(q->legs[i].info, counts, COUNTS);
    }
    bool rows   = q->plan->plan.kind == PLAN_INSERT && q->plan->plan.insert->n_rows > 1;
    bool insert = rows || (words.len != 0 && words.ptr[0] == 'R' && words.len > 2 &&
                           words.ptr[2] == 'c');
    if (words.len == 0 && !insert)
        return words;
    for (uint32_t i = 0; rows && i < q->n_legs; i++)
        add_one_row(q, &q->legs[i], counts);
    bool      versions = words.len != 0 && memmem(words.ptr, words.len, "Inserted", 8) != NULL;
    uint64_t *warnings = &counts[versions ? 3 : 2];
    if (w->first == ROUTES_NONE)
        *warnings -= q->n_repeated < *warnings ? q->n_repeated : *warnings;
    int len = snprintf(text, sizeof(text), "%s: %llu  %s: %llu",
                       insert ? "Records" : "Rows matched", (unsigned long long)counts[0],
                       insert ? "Duplicates" : "Changed", (unsigned long long)counts[1]);
    if (versions)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "  Inserted: %llu",
                        (unsigned long long)counts[2]);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "  Warnings: %llu",
                    (unsigned long long)*warnings);
    return arena_copy(&q->arena, (struct span){ (uint8_t *)text, (size_t)len });
}

/* --- the end ------------------------------------------------------------- */

/* Of rows that bring their own numbers a server tells the last one's. */
static uint64_t
last_number(const struct query_run *q)
{
    const struct insert_spec *spec = q->plan->plan.insert;
    uint64_t                  id   = 0;

    if (q->inserting == NULL || q->plan->plan.kind != PLAN_INSERT)
        return 0;
    for (uint32_t row = spec->n_rows; row > 0 && id == 0; row--)
        id = q->legs[query_insert_leg(q, row - 1)].insert_id;
    return id;
}

static void
answer_ok(struct query_run *q)
{
    const struct writing *w        = writing_of(q);
    uint64_t              affected = 0;
    uint32_t              warnings = 0;
    uint64_t              id       = w->insert_id;

    if (id == 0 && w->first == ROUTES_NONE)
        id = last_number(q);
    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct leg *leg = &q->legs[i];
        if (w->first != ROUTES_NONE && i != w->first)
            continue;
        affected += leg->affected;
        warnings += leg->warnings;
        if (id == 0)
            id = leg->insert_id;
    }
    histogram_record(&q->ctx->slot->latency[LATENCY_WRITE],
                     (ring_now_us(q->ctx->ring) - q->started_us) * 1000);
    if (q->loading != NULL) {
        query_load_answer(q, affected);
        return;
    }
    if (query_is_numbered(q, id, affected, w->insert_id != 0 || w->numbered))
        q->s->last_insert_id = id;
    if (w->returning != NULL) {
        returning_answer(w->returning, warnings - q->n_repeated);
        return;
    }
    query_ok(q, affected, id, warnings - q->n_repeated, add_up_info(q));
}

static void
committed(struct query_run *q, const struct sql_error *error)
{
    if (error != NULL)
        query_fail(q, error);
    else
        answer_ok(q);
}

/* Nothing is left of the statement. */
static void
fail(struct query_run *q)
{
    if (session_broken(q->s) || !query_insert_again(q))
        query_fail(q, &q->error);
}

static void
rolled_back(struct query_run *q, const struct sql_error *error)
{
    (void)error;
    fail(q);
}

static void
undone(struct query_run *q)
{
    if (--writing_of(q)->n_undo == 0 && !q->finished)
        fail(q);
}

static void
undo_answered(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    (void)bytes;
    if (!last)
        return;
    leg->backend = NULL;
    /* Half a statement would stay: the transaction must not commit. */
    if (result_error(&x->reader, &why))
        backend_close(b, &why);
    undone(leg->q);
}

static void
undo_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b, (void)why;
    leg->backend = NULL;
    undone(leg->q);
}

static const struct exchange_ops undo_ops = { .on_bytes = undo_answered, .on_lost = undo_lost };

static void
undo_statement(struct query_run *q)
{
    struct writing *w = writing_of(q);

    w->n_undo = 1; /* ours, so that the last answer cannot come too early */
    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg        *leg = &q->legs[i];
        const struct held *h   = session_held(q->s, leg->shard_id);
        if (!leg->ok || h == NULL || h->backend == NULL)
            continue;
        w->n_undo++;
        leg->backend = h->backend; /* whoever stops the statement now must close it */
        backend_send(h->backend, COM_QUERY, SPAN("ROLLBACK TO SAVEPOINT `shardd statement`"),
                     &leg->x, &undo_ops);
    }
    undone(q);
}

void
write_finish(struct query_run *q)
{
    struct session *s = q->s;

    if (!q->failed) {
        if (s->implicit)
            txn_commit(q, committed);
        else
            answer_ok(q);
        return;
    }
    slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
    if (q->inserting != NULL && writing_of(q)->first == ROUTES_NONE)
        query_insert_first_error(q);
    txn_deadlock(q, &q->error);
    if (s->implicit || txn_is_over(s, q->error.code))
        /* The server that saw the deadlock rolled everything back there. */
        txn_rollback(q, rolled_back);
    else
        undo_statement(q);
}

/* --- the legs ------------------------------------------------------------ */

static void
start_others(struct query_run *q)
{
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].state == LEG_NEW)
            leg_start(&q->legs[i]);
}

/* Where the first one failed the others have nothing to do. */
static void
first_over(struct leg *leg)
{
    struct query_run     *q = leg->q;
    const struct writing *w = writing_of(q);

    if (w->first != leg->number)
        return;
    for (uint32_t i = 0; leg->ok && w->numbered && i < q->n_legs; i++)
        if (i != w->first)
            query_insert_copy(q, &q->legs[i], w->number, w->step);
    if (leg->ok)
        start_others(q);
    for (uint32_t i = 0; !leg->ok && i < q->n_legs; i++)
        if (q->legs[i].state == LEG_NEW)
            leg_over(&q->legs[i], &leg->error);
}

static void
part_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    leg_over(leg, why);
}

/* "12", as the server writes it. */
static uint64_t
number_of(struct cell cell)
{
    uint64_t n = 0;

    for (size_t i = 0; i < cell.bytes.len; i++)
        n = n * 10 + (uint64_t)(cell.bytes.ptr[i] - '0');
    return n;
}

static void
numbers_told(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct writing  *w   = writing_of(leg->q);
    struct cell      cells[2];
    struct sql_error why;

    (void)b;
    if (m->kind == RESULT_IS_ROW && row_text_decode(m->message.payload, 2, cells)) {
        w->number      = number_of(cells[0]);
        w->step        = number_of(cells[1]);
        leg->insert_id = w->number;
    }
    if (!last)
        return;
    if (w->number != 0 && w->step != 0) {
        x->reader.warnings = leg->warnings; /* a SELECT without tables leaves them there */
        diagnostics_take(leg);
        return;
    }
    sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the server does not say which numbers it gave "
                  "to the rows");
    leg_over(leg, &why);
}

static const struct exchange_ops number_ops = { .on_message = numbers_told, .on_lost = part_lost };

/* Copies of a reference table get the numbers that the first one's rows got. An OK
 * tells the first; of more, and behind RETURNING, the server has to be asked. */
static void
first_answered(struct leg *leg)
{
    struct query_run *q = leg->q;
    struct writing   *w = writing_of(q);

    w->number = leg->insert_id;
    if (!w->numbered || (q->plan->plan.insert->n_rows == 1 && w->returning == NULL)) {
        diagnostics_take(leg);
        return;
    }
    leg->state = LEG_ASKING;
    backend_resume(leg->backend);
    backend_send(leg->backend, COM_QUERY,
                 SPAN("SELECT LAST_INSERT_ID(), @@auto_increment_increment"), &leg->x,
                 &number_ops);
}

/* Triggers also fire for rows that stay as they are. */
static bool
may_have_written(const struct leg *leg)
{
    uint64_t counts[COUNTS] = { 0 };

    query_add_counts(leg->info, counts, COUNTS);
    return leg->affected > 0 || leg->x.reader.n_rows > 0 || counts[0] > 0 ||
           leg->q->plan->plan.kind == PLAN_INSERT;
}

static void
leg_result(struct leg *leg, struct sql_error *why)
{
    struct query_run     *q = leg->q;
    const struct writing *w = writing_of(q);
    struct held          *h = session_held(q->s, leg->shard_id);

    leg_read_outcome(leg, &leg->x.reader);
    if (h != NULL && why == NULL && may_have_written(leg))
        h->wrote = true;
    if (why != NULL) {
        diagnostics_renumber(leg, why->message, sizeof(why->message));
        leg_over(leg, why);
    } else if (w->first == leg->number) {
        first_answered(leg);
    } else if (w->first != ROUTES_NONE) {
        leg_over(leg, NULL); /* a copy says the same as the first one */
    } else {
        diagnostics_take(leg);
    }
}

static void
leg_answered(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;
    struct ok        ok;

    (void)b, (void)bytes;
    if (!last)
        return;
    bool failed = result_error(&x->reader, &why);
    if (!failed && reply_ok_decode(result_last(&x->reader), CLIENT_SESSION_TRACK, &ok))
        leg->info = arena_copy(&leg->q->arena, ok.info);
    leg_result(leg, failed ? &why : NULL);
}

static const struct exchange_ops leg_ops = {
    .on_bytes  = leg_answered,
    .on_infile = query_load_wanted,
    .on_room   = query_load_room,
    .on_lost   = part_lost,
};

/* With RETURNING: rows are kept; the error of a leg is too, until its answer ends. */
static void
leg_returned(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg       *leg  = container_of(x, struct leg, x);
    struct query_run *q    = leg->q;
    struct writing   *w    = writing_of(q);
    const struct leg *only = w->first == ROUTES_NONE ? NULL : &q->legs[w->first];

    (void)b;
    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &leg->error))
            sql_error_set(&leg->error, SQL_UNKNOWN_ERROR,
                          "shardd: a shard sent an unreadable error");
    } else if (leg->error.code == 0 && !returning_take(w->returning, leg, only, m, &leg->error))
        q->s->doomed = q->s->in_txn; /* this shard has written */
    if (last) {
        struct sql_error why = leg->error;
        leg_result(leg, why.code != 0 ? &why : NULL);
    }
}

static const struct exchange_ops returning_ops = { .on_message = leg_returned,
                                                   .on_lost    = part_lost };

static void
leg_ready(struct leg *leg)
{
    leg_send(leg, writing_of(leg->q)->returning != NULL ? &returning_ops : &leg_ops);
}

void
write_refuse_second(const struct query_run *q, struct sql_error *error)
{
    sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the %s writes on several shards and the "
                  "setting commit = \"single\" allows one",
                  q->n_legs > 1 ? "statement" : "transaction");
}

void
write_prepare(struct query_run *q, uint32_t first)
{
    struct writing *w = arena_alloc(&q->arena, sizeof(*w));

    w->first     = first;
    w->step      = 1;
    q->local     = w;
    q->leg_ready = leg_ready;
    q->all_over  = write_finish;
    q->leg_ended = first_over;
}

void
write_run(struct query_run *q, uint32_t first, uint64_t insert_id)
{
    struct sql_error error;

    if (session_commit(q->s) == COMMIT_SINGLE &&
        (q->n_legs > 1 || txn_is_second_writer(q, q->legs[0].shard_id))) {
        for (uint32_t i = 0; i < q->n_legs; i++)
            buf_fini(&q->legs[i].text);
        write_refuse_second(q, &error);
        slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
        query_fail(q, &error);
        return;
    }
    if (!q->s->in_txn && q->n_legs > 1)
        txn_begin_implicit(q->s);
    write_prepare(q, first);
    struct writing *w = writing_of(q);
    w->insert_id      = insert_id;
    if (first != ROUTES_NONE && q->plan->plan.insert != NULL &&
        !query_insert_copies(q, &w->numbered, &error)) {
        query_fail(q, &error);
        return;
    }
    if (q->plan->plan.returning)
        w->returning = returning_new(q);
    if (first != ROUTES_NONE)
        leg_start(&q->legs[first]);
    else
        start_others(q);
}

void
query_write(struct query_run *q, const struct shard_set *shards)
{
    const struct plan *plan  = &q->plan->plan;
    uint32_t           first = ROUTES_NONE;

    if (!query_render(q))
        return;
    legs_make(q, shards);
    for (uint32_t i = 0; plan->reference_write && i < q->n_legs; i++)
        if (q->legs[i].shard == plan->target.home)
            first = i;
    write_run(q, first, 0);
}
