/* query_relay.c - one shard answers, and its bytes are the client's.
 *
 * Where the client cannot take the bytes as they are (a prepared statement's
 * id, a result in the middle of several, an error that may mean a deadlock between
 * shards), the answer passes message by message with headers of our own; else it is
 * never looked into.
 */
#include <stdlib.h>

#include "core/mysql/wire.h"
#include "workers/query/aftermath.h"
#include "workers/query/row_cursor.h"
#include "workers/query/diagnostics.h"
#include "workers/query/hedge.h"
#include "workers/backend/reaper.h"
#include "workers/query/leg.h"
#include "workers/query/replica.h"
#include "workers/query/set_transaction.h"
#include "workers/query/limits.h"
#include "workers/query/track.h"
#include "workers/query/txn.h"

static struct leg *
leg_of(struct exchange *x)
{
    return container_of(x, struct leg, x);
}

/* --- what the answer did to the session ---------------------------------- */

static void
note_write(struct leg *leg)
{
    struct held *h = session_held(leg->q->s, leg->shard_id);

    const struct plan *plan = &leg->q->plan->plan;

    /* A change of no row may have fired triggers; what we know nothing about (CALL) may
     * have written even when it failed. */
    if (h != NULL && (plan->is_write ? leg->x.reader.error == 0 : !plan->is_read && !plan->locks))
        h->wrote = true;
}

static void
pin(struct leg *leg)
{
    struct session    *s    = leg->q->s;
    const struct plan *plan = &leg->q->plan->plan;

    if (leg->x.reader.error != 0)
        return;
    if (plan->unpin == PIN_TEMPORARY_TABLE ? pins_drop_tables(&s->pins, plan)
                                           : plan->unpin != PIN_NONE)
        pins_remove(&s->pins, s->ctx->slot, plan->unpin);
    if (plan->pin == PIN_NONE)
        return;
    pins_add(&s->pins, s->ctx->slot, plan->pin);
    if (plan->pin == PIN_LOCK_TABLES)
        s->pins.locked_on = leg->shard_id;
    if (plan->pin == PIN_TEMPORARY_TABLE)
        pins_add_tables(&s->pins, plan);
    leg->backend->dirty = true;
    if (session_held(s, leg->shard_id) == NULL)
        leg_hold(leg, HELD_PIN);
    session_tell_locks(s, leg->shard_id);
}

/* A schema that the routes do not know, and a server does. */
static void
follow_schema(struct leg *leg)
{
    struct query_run *q = leg->q;

    if (q->payload.ptr[0] != COM_INIT_DB || leg->x.reader.error != 0)
        return;
    /* The pool this backend came from may be the one for sessions without. */
    leg->backend->dirty = leg->backend->dirty || !leg->backend->pool->key.has_schema;
    backend_set_schema(leg->backend, span_from(q->payload, 1));
    session_set_schema(q->s, span_from(q->payload, 1));
    client_schema(q->ctx->slot, q->s->row, span_from(q->payload, 1));
}

static void
note_pace(const struct leg *leg)
{
    const struct query_run     *q = leg->q;
    const struct result_reader *r = &leg->x.reader;

    if (q->plan == NULL || !q->plan->plan.stateless || q->command == QUERY_PREPARE)
        return;
    if (r->error == 0 && r->warnings == 0)
        pace_note(&q->plan->pace,
                  (ring_now_us(q->ctx->ring) - leg->sent_us) / pool_n_busy(leg->backend->pool),
                  r->n_bytes);
    else
        pace_slow(&q->plan->pace);
}

static void
finish(struct leg *leg)
{
    struct query_run *q = leg->q;

    leg_read_outcome(leg, &leg->x.reader);
    note_pace(leg);
    if (leg->x.reader.error != 0) {
        slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
        slot_shard_add(leg->backend->counters, SHARD_COUNTER_ERRORS, 1);
        q->failed = true;
    }
    query_relay_remember(leg);
    if (q->command == QUERY_OTHER) {
        follow_schema(leg);
    } else if (q->command == QUERY_PREPARE) {
        leg_keep_prepared(leg);
    } else {
        note_write(leg);
        pin(leg);
        if (q->cursor_flags != CURSOR_TYPE_NO_CURSOR)
            (void)row_cursor_take(leg);
        leg->backend->unclean |= q->plan->plan.opaque;
        /* Behind an error nobody says whether it has left a transaction open. */
        leg->backend->dirty |= q->plan->plan.opaque && leg->x.reader.error != 0;
    }
    bool ran = q->command != QUERY_OTHER && q->command != QUERY_PREPARE;
    /* Else the answer may have no status; and behind an error nobody says it: see aftermath.c. */
    if (ran && leg->x.reader.error == 0) {
        query_relay_txn(leg);
        set_next_heard(leg);
    }
    aftermath_take(leg);
}

/* --- relaying bytes ------------------------------------------------------ */

/* The answer is an error, whole: it is asked elsewhere. */
static bool
ask_elsewhere(struct leg *leg, struct backend *b, uint16_t code)
{
    if (code == 0 || leg->q->answered || leg->use.server == NULL)
        return false;
    leg->backend = NULL;
    if (replica_again(leg, code)) {
        pool_release(b);
        return true;
    }
    leg->backend = b;
    return false;
}

/* Of a replica's answer nothing is passed on before it is complete or long. False: the bytes
 * are due, and those before them are with the client. */
static bool
hold_back(struct leg *leg, struct span bytes, bool last)
{
    struct query_run *q = leg->q;

    if (last && ask_elsewhere(leg, leg->backend, leg->x.reader.error))
        return true;
    if (!last && buf_len(&leg->answer) + bytes.len <= REPLICA_HOLD_BYTES) {
        buf_append_span(&leg->answer, bytes);
        return true;
    }
    hedge_end(q);
    buf_append_span(stream_out(q->client), buf_unread(&leg->answer));
    buf_fini(&leg->answer);
    return false;
}

static void
relay_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg   *leg = leg_of(x);
    struct query_run *q   = leg->q;

    (void)b;
    if (leg->use.server != NULL && !q->answered && hold_back(leg, bytes, last))
        return;
    buf_append_span(stream_out(q->client), bytes);
    query_flush(q);
    if (last)
        finish(leg);
}

void
query_relay_take(struct leg *leg)
{
    buf_append_span(stream_out(leg->q->client), buf_unread(&leg->answer));
    buf_fini(&leg->answer);
    query_flush(leg->q);
    finish(leg);
}

static void
relay_infile(struct exchange *x, struct backend *b)
{
    (void)b;
    leg_of(x)->q->infile = leg_of(x);
}

/* The server has taken enough of the file for more to come. */
static void
relay_room(struct exchange *x, struct backend *b)
{
    struct query_run *q = leg_of(x)->q;

    (void)b;
    if (!q->file_full)
        return;
    q->file_full = false;
    q->ops->room(q);
}

static void
relay_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg   *leg = leg_of(x);
    struct query_run *q   = leg->q;

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    if (q->finished)
        return;
    if (q->stopped) {
        struct sql_error said = leg->error;
        leg_over(leg, &said);
        return;
    }
    if (q->infile == leg) {
        /* The client is talking: query_file() swallows the rest and then answers. */
        leg->error = *why;
        slot_count(q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
        relay_room(x, b);
        return;
    }
    /* A plain read that has told the client nothing can be asked again: of a replica by
     * leg_over(). */
    if (leg->use.server == NULL && !q->answered && !leg->retried && !q->s->in_txn &&
        q->s->pins.set == 0 &&
        (q->command == QUERY_PREPARE || (q->plan != NULL && q->plan->plan.is_read))) {
        slot_count(q->ctx->slot, COUNTER_RETRIES);
        leg->retried = true;
        leg->state   = LEG_NEW;
        leg->lost    = false;
        leg_start(leg);
        return;
    }
    slot_count(q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
    leg_over(leg, why);
}

/* --- relaying messages --------------------------------------------------- */

/* Where the status flags lie in an OK packet: behind two lengths-encoded numbers. */
static size_t
ok_status_offset(struct span payload)
{
    static const uint8_t extra[] = { [0xfc - 0xfb] = 2, [0xfd - 0xfb] = 3, [0xfe - 0xfb] = 8 };
    size_t               at      = 1;

    for (int i = 0; i < 2 && at < payload.len; i++) {
        uint8_t first = payload.ptr[at];
        at += 1 + (first >= 0xfb && first < 0xff ? extra[first - 0xfb] : 0u);
    }
    return at;
}

static size_t
status_offset(const struct query_run *q, const struct result_message *m)
{
    struct span payload = m->message.payload;

    if (m->kind == RESULT_IS_OK ||
        (m->kind == RESULT_IS_END && (q->s->capabilities & CLIENT_DEPRECATE_EOF)))
        return ok_status_offset(payload);
    if (m->kind == RESULT_IS_END || m->kind == RESULT_IS_EOF)
        return 3;
    return SIZE_MAX;
}

/* False: pass it on as it is. */
static bool
replace_error(struct leg *leg, struct span payload)
{
    struct query_run *q = leg->q;
    struct sql_error  error;

    if (!reply_err_decode(payload, &error))
        return false;
    txn_translate(q, &error);
    if (error.code == leg->x.reader.error)
        return false;
    leg->x.reader.error = error.code;
    reply_err_encode(stream_out(q->client), &q->seq, q->s->capabilities, &error);
    return true;
}

/* An engine knows nothing of the session's transaction. */
static uint16_t
told_status(const struct leg *leg, unsigned status)
{
    const unsigned own = SERVER_STATUS_IN_TRANS | SERVER_STATUS_IN_TRANS_READONLY |
                         SERVER_STATUS_AUTOCOMMIT;

    if (leg->is_engine)
        status = (status & ~own) | session_status(leg->q->s);
    else if (session_is_spread(leg->q->s)) /* in a branch the server still has it as before */
        status = leg->q->s->autocommit ? status | SERVER_STATUS_AUTOCOMMIT
                                       : status & ~(unsigned)SERVER_STATUS_AUTOCOMMIT;
    if (leg->q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    if (leg->backend->tells_changes || leg->backend->tells_transaction)
        /* where the client is to hear it, it has entries */
        status &= ~(unsigned)SERVER_SESSION_STATE_CHANGED;
    return (uint16_t)status;
}

/* The answer tells of the session more than the client asked for, or in a way that it has not
 * agreed to. */
static bool
relay_tracked(struct leg *leg, const struct result_message *m)
{
    struct query_run *q       = leg->q;
    uint64_t          theirs  = q->s->capabilities | CLIENT_SESSION_TRACK;
    struct span       payload = m->message.payload;
    bool              end     = m->kind == RESULT_IS_END;
    struct ok         ok;

    if ((m->kind != RESULT_IS_OK && !(end && q->s->capabilities & CLIENT_DEPRECATE_EOF)) ||
        !reply_ok_decode(payload, theirs, &ok) || ok.track.len == 0)
        return false;
    track_note(q, ok.track);
    ok.status = told_status(leg, ok.status);
    ok.track  = track_filter(&q->arena, q->s, ok.track);
    if (end)
        reply_end_encode(stream_out(q->client), &q->seq, q->s->capabilities, &ok);
    else
        reply_ok_encode(stream_out(q->client), &q->seq, q->s->capabilities, &ok);
    return true;
}

static void
relay_as_it_is(struct leg *leg, const struct result_message *m)
{
    struct query_run *q   = leg->q;
    struct buf       *out = stream_out(q->client);
    size_t            at  = packet_begin(out);
    size_t            pay = buf_len(out);

    buf_append_span(out, m->message.payload);
    uint8_t *payload = out->bytes + out->start + pay;
    size_t   status  = status_offset(q, m);
    if (status < m->message.payload.len - 1) {
        uint16_t told = told_status(leg, wire_load_u16(payload + status));
        payload[status]     = (uint8_t)told;
        payload[status + 1] = (uint8_t)(told >> 8);
    }
    if (m->kind == RESULT_IS_PREPARED && reply_prepare_decode(m->message.payload, &q->prepared))
        for (int i = 0; i < 4; i++)
            payload[1 + i] = (uint8_t)(q->client_statement >> (8 * i));
    packet_end(out, at, &q->seq);
}

void
query_relay_message(struct leg *leg, const struct result_message *m)
{
    struct query_run *q = leg->q;

    if (!relay_tracked(leg, m) &&
        (m->kind != RESULT_IS_ERR || !replace_error(leg, m->message.payload)))
        relay_as_it_is(leg, m);
    query_flush(q);
    if (m->kind == RESULT_IS_ERR && result_over(&leg->x.reader))
        leg->x.reader.error = leg->x.reader.error != 0 ? leg->x.reader.error : SQL_UNKNOWN_ERROR;
}

void
query_cut_answer(struct query_run *q, const struct sql_error *why)
{
    q->stopped = true;
    reply_err_encode(stream_out(q->client), &q->seq, q->s->capabilities, why);
    query_flush(q);
    diagnostics_error(q->s, why);
    q->s->row_count = -1;
}

/* The client has its error. What the server still has to say is dropped: with its
 * connection where nothing is lost by that, else when it has been said. */
static void
stop_answer(struct leg *leg, const struct sql_error *why)
{
    struct query_run *q = leg->q;
    struct backend   *b = leg->backend;

    query_cut_answer(q, why);
    leg->error = *why;
    if (session_held(q->s, leg->shard_id) != NULL)
        return;
    reaper_kill(q->ctx, leg->shard_id, b->login.thread_id);
    backend_close(b, why);
}

static void
finish_stopped(struct leg *leg)
{
    struct sql_error why = leg->error;

    if (leg->x.reader.error == 0)
        query_relay_txn(leg);
    leg_over(leg, &why);
}

static void ready(struct leg *leg);

static void
relay_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg       *leg = leg_of(x);
    struct query_run *q   = leg->q;

    (void)b;
    if (m->kind == RESULT_IS_ROW && !q->stopped && query_counts_rows(q)) {
        struct sql_error why;
        if (!query_may_send_row(q, m->message.payload.len, &why)) {
            stop_answer(leg, &why);
            return;
        }
    }
    if (q->stopped) {
        if (last)
            finish_stopped(leg);
        return;
    }
    if (m->kind == RESULT_IS_ERR && last && ask_elsewhere(leg, b, x->reader.error))
        return;
    if (q->command == QUERY_PREPARE && m->kind == RESULT_IS_ERR &&
        leg_may_prepare_again(leg, x->reader.error)) {
        ready(leg);
        return;
    }
    query_relay_message(leg, m);
    if (last)
        finish(leg);
}

static const struct exchange_ops byte_ops = {
    .on_bytes  = relay_bytes,
    .on_infile = relay_infile,
    .on_room   = relay_room,
    .on_lost   = relay_lost,
};

static const struct exchange_ops message_ops = {
    .on_message = relay_message,
    .on_infile  = relay_infile,
    .on_room    = relay_room,
    .on_lost    = relay_lost,
};

static void
ready(struct leg *leg)
{
    query_fill_locks(leg);
    leg_send(leg, &byte_ops);
}

/* Whether the answer may tell of the session, which is not for every client. */
static bool
may_tell(const struct query_run *q)
{
    return q->command == QUERY_OTHER ? q->payload.ptr[0] == COM_INIT_DB
                                     : q->plan != NULL && q->plan->plan.runs_code;
}

static void
sent(struct leg *leg)
{
    struct query_run *q = leg->q;

    leg->sent_us = ring_now_us(q->ctx->ring);
    if (leg->shared != NULL) /* its answer is looked at when it is whole */
        return;
    if (may_tell(q) || q->more || q->command == QUERY_PREPARE || q->seq != leg->x.reader.next_seq ||
        (q->command != QUERY_OTHER && session_is_spread(q->s)) || query_counts_rows(q))
        leg->x.ops = &message_ops;
}

static void
answered(struct query_run *q)
{
    struct leg *leg = &q->legs[0];

    if (!leg->ok && !q->stopped)
        query_fail(q, &leg->error);
    else
        query_done(q);
}

static void
ended(struct query_run *q, const struct sql_error *error)
{
    q->cut |= error != NULL; /* its answer is with the client */
    answered(q);
}

static void
all_over(struct query_run *q)
{
    struct leg *leg = &q->legs[0];

    histogram_record(&q->ctx->slot->latency[LATENCY_ONE],
                     (ring_now_us(q->ctx->ring) - q->started_us) * 1000);
    if (q->ended && q->s->in_txn && !session_broken(q->s)) {
        txn_commit(q, ended);
        return;
    }
    txn_settle(q, leg->ok ? leg->x.reader.error : leg->error.code, answered);
}

void
query_relay(struct query_run *q, uint32_t shard)
{
    struct shard_set one = { 0 };

    if (txn_is_second_writer(q, q->routes->routes->shards[shard].id)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: the transaction has written on another shard "
                     "and the commit mode \"single\" allows one");
        return;
    }
    if (txn_may_end_in_part(q, q->routes->routes->shards[shard].id)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: the transaction has written on several shards, "
                     "and what is called may end it, or begin another, on one of them alone: "
                     "COMMIT first, or make it a procedure that leaves transactions to its caller");
        return;
    }
    shard_set_add(&one, shard);
    one.first    = shard;
    q->leg_ready = ready;
    q->leg_sent  = sent;
    q->all_over  = all_over;
    legs_make(q, &one);
    q->legs[0].waiter.may_share = query_may_share(q);
    if (q->consistency != CONSISTENCY_UNSET)
        replica_start(&q->legs[0]);
    else
        leg_start(&q->legs[0]);
}
