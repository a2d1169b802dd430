/* query_merge.c - a read on several shards: one answer out of many.
 *
 *   legs --messages--> merge (core/route/merge) --rows--> client
 *
 * Backpressure goes both ways: a leg that the merge does not want now is
 * paused, and when the client is slow nothing is pulled, so queues fill, so
 * legs are not wanted. Whatever a leg still has when the merge is done (LIMIT)
 * is read and dropped: its backend may be needed by the transaction.
 */
#include <stdlib.h>

#include "workers/query/row_cursor.h"
#include "workers/query/diagnostics.h"
#include "workers/query/into.h"
#include "workers/query/leg.h"
#include "workers/query/limits.h"
#include "workers/query/own_vars.h"
#include "workers/query/replica.h"
#include "workers/query/snapshot.h"
#include "workers/query/txn.h"

struct merging {
    struct query_run     *q;
    struct merge     *merge; /* NULL until a leg's columns are complete */
    struct merge_args args;
    struct task       pump;
    bool              pumping_later;
    bool              over;      /* the merge is done or has failed */
    bool              failed;
    bool              unmergeable; /* ... as no merge can be made for the columns' types */
    bool              undecided;   /* whether it is small, see decide() */
    bool              small;
    struct span       text;        /* as the client wrote it, and its parameters */
    const struct param_value *params;
    uint32_t          n_params;
    bool              legs_over;
    bool              answering;
    bool              opening;   /* a cursor: rows come later, when they are fetched */
    struct sql_error  error;
    uint32_t          n_columns; /* of a leg's answer */
    struct span      *columns;   /* n_columns for each leg; then those of the first complete one */
    uint32_t         *n_got;     /* per leg: columns so far */
    uint64_t          n_rows;
    struct into      *into;      /* NULL: the rows are for the client */
    uint32_t          warnings;
};

static void pump(struct merging *m);

/* --- the answer ---------------------------------------------------------- */

static void
send_columns(struct merging *m)
{
    struct query_run *q       = m->q;
    struct buf   *out     = stream_out(q->client);
    uint32_t      visible = m->n_columns - q->plan->plan.merge->n_hidden;

    reply_column_count_encode(out, &q->seq, q->s->capabilities, visible);
    for (uint32_t i = 0; i < visible; i++) {
        size_t at = packet_begin(out);
        buf_append_span(out, m->columns[i]);
        packet_end(out, at, &q->seq);
    }
    if (!m->opening && !(q->s->capabilities & CLIENT_DEPRECATE_EOF)) {
        struct eof eof = { .status = session_status(q->s) };
        reply_eof_encode(out, &q->seq, &eof);
    }
    query_flush(q);
}

/* The columns, and then the rows wait for COM_STMT_FETCH. */
static void
answer_cursor(struct query_run *q)
{
    struct merging *m  = q->merging;
    struct session *s  = q->s;
    struct ok       ok = { .status   = session_status(s) | SERVER_STATUS_CURSOR_EXISTS,
                           .warnings = (uint16_t)(m->warnings < UINT16_MAX ? m->warnings
                                                                           : UINT16_MAX) };

    row_cursor_merges(q, m->merge);
    m->merge = NULL;
    send_columns(m);
    reply_end_encode(stream_out(q->client), &q->seq, s->capabilities, &ok);
    query_flush(q);
    s->row_count = -1;
    s->warnings  = m->warnings;
    query_done(q);
}

static void
answer(struct query_run *q)
{
    struct merging *m  = q->merging;
    struct session *s  = q->s;
    struct ok       ok = { .status = session_status(s) | q->more_status };

    histogram_record(&q->ctx->slot->latency[LATENCY_SCATTER],
                     (ring_now_us(q->ctx->ring) - q->started_us) * 1000);
    slot_add(q->ctx->slot, COUNTER_ROWS_RELAYED, m->n_rows);
    if (m->failed) {
        /* Between two rows an error is in its place. */
        slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
        reply_err_encode(stream_out(q->client), &q->seq, s->capabilities, &m->error);
        query_flush(q);
        s->row_count = -1;
        q->failed    = true;
        diagnostics_error(s, &m->error);
        if (m->into != NULL)
            into_failed(m->into, &m->error);
        query_done(q);
        return;
    }
    m->warnings -= q->n_repeated;
    if (!q->plan->plan.keeps_found_rows)
        s->found_rows = merge_total(m->merge);
    if (m->into != NULL) {
        into_answer(m->into, m->warnings);
        return;
    }
    if (m->opening) {
        answer_cursor(q);
        return;
    }
    ok.warnings = (uint16_t)(m->warnings < UINT16_MAX ? m->warnings : UINT16_MAX);
    if (q->more)
        ok.status |= SERVER_MORE_RESULTS_EXISTS;
    reply_end_encode(stream_out(q->client), &q->seq, s->capabilities, &ok);
    query_flush(q);
    s->row_count = -1;
    s->warnings  = m->warnings;
    query_done(q);
}

/* The snapshot was for this statement. */
static void
let_go(struct query_run *q, const struct sql_error *error)
{
    (void)error; /* what was read was read */
    answer(q);
}

/* The client has heard nothing yet: rows that cannot be merged are brought together. */
static void
gather_instead(struct query_run *q)
{
    q->text     = q->merging->text;
    q->params   = q->merging->params;
    q->n_params = q->merging->n_params;
    q->plan->plan.unmergeable = q->plan->plan.unmergeable || q->merging->unmergeable;
    query_merge_free(q);
    q->failed        = false;
    q->gathers_small = true;
    diagnostics_clear(q->s);
    query_again(q);
}

static void
gather_behind(struct query_run *q, const struct sql_error *error)
{
    (void)error; /* what was read was read */
    gather_instead(q);
}

static void
leave(struct merging *m)
{
    if (m->q->s->implicit)
        txn_rollback(m->q, gather_behind);
    else
        gather_instead(m->q);
}

static bool
can_gather(const struct query_run *q)
{
    return q->plan->plan.gather != NULL && q->cursor_flags == CURSOR_TYPE_NO_CURSOR &&
           routes_engine(q->routes->routes, q->s->id) != ROUTES_NONE;
}

static void
stop(struct merging *m, const struct sql_error *why)
{
    if (m->over)
        return;
    m->over = true;
    if (why != NULL) {
        m->failed = true;
        m->error  = *why;
    }
    /* What is left is read and dropped. */
    for (uint32_t i = 0; i < m->q->n_legs; i++)
        if (m->q->legs[i].backend != NULL)
            backend_resume(m->q->legs[i].backend);
}

static void
pump_later(struct task *task)
{
    struct merging *m = container_of(task, struct merging, pump);

    m->pumping_later = false;
    pump(m);
}

/* Rows come in bursts: pull once for all that arrived in this turn. */
static void
pump_soon(struct merging *m)
{
    if (m->pumping_later)
        return;
    m->pumping_later = true;
    ring_post(m->q->ctx->ring, &m->pump);
}

static void
wait_for_legs(struct merging *m)
{
    struct query_run *q = m->q;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg *leg = &q->legs[i];
        if (leg->backend == NULL || leg->state != LEG_RUNNING)
            continue;
        if (merge_wants(m->merge, i))
            backend_resume(leg->backend);
        else
            backend_pause(leg->backend);
    }
}

/* Which of a group's rows a column that is not grouped by is of depends on how a server reads
 * them, and the shards took rows with unlike values. Where all rows are few they are brought
 * together and read as on one server. */
static bool
decide(struct merging *m)
{
    enum { FEW = 2000 }; /* copies of so many are kept in the order of the primary key */

    m->undecided = false;
    m->small     = merge_rows(m->merge) <= FEW;
    if (m->small)
        stop(m, NULL);
    else
        send_columns(m);
    return !m->small;
}

static void
pump(struct merging *m)
{
    struct query_run     *q      = m->q;
    struct buf       *out    = stream_out(q->client);
    enum merge_status status = MERGE_WAIT;
    bool              counted = query_counts_rows(q);
    struct span       row;

    if (m->opening && m->legs_over && !m->over && q->cursor == NULL) {
        m->opening = false; /* the servers have sent the rows at once */
        send_columns(m);
    }
    while (!m->over && !q->paused && m->merge != NULL && !m->opening) {
        status = merge_next(m->merge, &row);
        if (m->undecided && (status == MERGE_ROW || status == MERGE_DONE) && !decide(m))
            break;
        if (status != MERGE_ROW)
            break;
        if (m->into != NULL) {
            m->n_rows++;
            if (!into_row(m->into, row, &m->error)) {
                struct sql_error error = m->error;
                stop(m, &error);
            }
            continue;
        }
        struct sql_error why;
        if (counted && !query_may_send_row(q, row.len, &why)) {
            stop(m, &why);
            break;
        }
        size_t at = packet_begin(out);
        buf_append_span(out, row);
        packet_end(out, at, &q->seq);
        m->n_rows++;
        /* Looking at the mark for each row would be wasteful; for each 64 KiB it is not. */
        if (buf_len(out) > 64 << 10)
            query_flush(q);
    }
    if (buf_len(out) != 0)
        query_flush(q);
    if (!m->over && status == MERGE_DONE)
        stop(m, NULL);
    if (!m->over && status == MERGE_ERROR)
        stop(m, merge_error(m->merge));
    if (!m->over && status == MERGE_AGAIN)
        pump_soon(m);
    if ((m->over || m->opening) && m->legs_over && !m->answering) {
        m->answering = true;
        if (m->unmergeable || (m->small && !m->failed)) {
            leave(m);
            return;
        }
        if (m->failed)
            txn_deadlock(q, &m->error);
        if (q->s->implicit)
            txn_rollback(q, let_go);
        else
            txn_settle(q, m->failed ? m->error.code : 0, answer);
    } else if (!m->over && m->merge != NULL && !m->opening)
        wait_for_legs(m);
}

/* --- the legs ------------------------------------------------------------ */

/* For temporary files. It lives as long as the merge does. */
static const char *
folder(struct query_run *q)
{
    const struct conf *conf = &q->ctx->conf;
    const char        *end  = strrchr(conf->control, '/');
    struct span        text = span_of(conf->merge_folder);
    if (text.len == 0)
        text = end == NULL || end == conf->control
                   ? SPAN("/")
                   : (struct span){ (const uint8_t *)conf->control,
                                    (size_t)(end - conf->control) };
    return arena_cstr(&q->arena, text);
}

/* The first leg with all its columns speaks for all. */
static void
begin_merge(struct merging *m, const struct leg *leg)
{
    struct query_run    *q = m->q;
    struct sql_error error;

    m->columns += (size_t)leg->number * m->n_columns;
    m->merge = merge_new(q->plan->plan.merge, &m->args, m->columns, m->n_columns, q->n_legs,
                         q->command == QUERY_EXECUTE ? MERGE_BINARY : MERGE_TEXT,
                         (size_t)q->ctx->conf.merge_memory_bytes, &error);
    if (m->merge != NULL)
        merge_may_spill(m->merge, folder(q), q->ctx->conf.merge_disk_bytes);
    if (m->merge != NULL && m->into != NULL &&
        !into_columns(m->into, m->columns, m->n_columns, &error))
        stop(m, &error);
    else if (m->merge == NULL) {
        m->unmergeable = error.code == SQL_NOT_SUPPORTED && can_gather(q);
        stop(m, &error);
    } else if (m->into == NULL && !m->opening) {
        m->undecided = q->plan->plan.merge->loose && can_gather(q);
        if (!m->undecided)
            send_columns(m);
    }
}

static void
take_column(struct merging *m, struct leg *leg, struct span payload)
{
    uint32_t n = m->n_got[leg->number]++;

    if (m->merge != NULL || m->over)
        return;
    m->columns[(size_t)leg->number * m->n_columns + n] = arena_copy(&m->q->arena, payload);
    if (n + 1 == m->n_columns)
        begin_merge(m, leg);
}

static void
take_count(struct merging *m, const struct leg *leg)
{
    uint32_t         n = leg->x.reader.n_columns;
    struct sql_error why;

    if (m->columns == NULL) {
        m->n_columns = n;
        m->columns   = arena_alloc(&m->q->arena, (size_t)n * m->q->n_legs * sizeof(*m->columns));
    } else if (n != m->n_columns) {
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the shards' tables differ: %u columns on "
                      "one, %u on another: run shardctl fsck", m->n_columns, n);
        stop(m, &why);
    }
}

/* Nothing of the leg's answer is in the merge yet. */
static bool
ask_elsewhere(struct leg *leg, struct backend *b)
{
    if (leg->use.server == NULL)
        return false;
    leg->backend = NULL;
    if (replica_again(leg, leg->x.reader.error)) {
        pool_release(b);
        return true;
    }
    leg->backend = b;
    return false;
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *msg, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct merging  *m   = leg->q->merging;
    struct sql_error why;

    if (msg->kind == RESULT_IS_ERR && !leg->heard && ask_elsewhere(leg, b))
        return;
    leg->heard = true;
    switch (msg->kind) {
    case RESULT_IS_COUNT:  take_count(m, leg); break;
    case RESULT_IS_COLUMN:
        take_column(m, leg, msg->message.payload);
        break;
    case RESULT_IS_ROW:
        if (!m->over)
            merge_row(m->merge, leg->number, msg->message.payload);
        break;
    case RESULT_IS_END:
        m->warnings += x->reader.warnings;
        leg_read_index_use(leg);
        if (!m->over && !row_cursor_exists(leg))
            merge_end(m->merge, leg->number);
        break;
    case RESULT_IS_ERR:
        if (!reply_err_decode(msg->message.payload, &why))
            sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
        txn_translate(leg->q, &why);
        stop(m, &why);
        break;
    case RESULT_IS_OK:
    case RESULT_IS_LOCAL_INFILE:
    case RESULT_IS_PREPARED:
    case RESULT_IS_PARAM:
    case RESULT_IS_TEXT:
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard answered a read without rows");
        stop(m, &why);
        break;
    case RESULT_IS_EOF:
    case RESULT_IS_PROGRESS: break;
    }
    if (!last && !m->over && m->merge != NULL && !m->opening &&
        !merge_wants(m->merge, leg->number))
        backend_pause(leg->backend);
    if (last && leg->q->cursor_flags != CURSOR_TYPE_NO_CURSOR)
        (void)row_cursor_take(leg);
    if (last)
        diagnostics_take(leg);
    pump_soon(m);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    if (leg->q->finished || (!leg->heard && replica_again(leg, why->code)))
        return;
    stop(leg->q->merging, why);
    leg_over(leg, why);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

static void
ready(struct leg *leg)
{
    leg_send(leg, &ops);
}

static void
all_over(struct query_run *q)
{
    struct merging *m = q->merging;

    m->legs_over = true;
    if (q->failed && !m->over)
        stop(m, &q->error); /* no backend, or not brought to the session's state */
    pump_soon(m);
}

/* --- the beginning ------------------------------------------------------- */

void
query_merge(struct query_run *q, const struct shard_set *shards)
{
    struct merging  *m = arena_alloc(&q->arena, sizeof(*m));
    struct sql_error error;

    m->q = q;
    task_init(&m->pump, pump_later);
    if (!plan_merge_args(&q->plan->plan, &q->values, &q->arena, &m->args, &error)) {
        query_fail(q, &error);
        return;
    }
    if (q->plan->plan.n_into != 0 && (m->into = into_new(q)) == NULL)
        return;
    m->text     = q->text;
    m->params   = q->params;
    m->n_params = q->n_params;
    if (!query_render(q))
        return;
    m->opening   = q->cursor_flags != CURSOR_TYPE_NO_CURSOR;
    q->merging   = m;
    q->leg_ready = ready;
    q->all_over  = all_over;
    legs_make(q, shards);
    m->n_got = arena_alloc(&q->arena, q->n_legs * sizeof(*m->n_got));
    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (q->consistency != CONSISTENCY_UNSET)
            replica_start(&q->legs[i]);
        else
            leg_start(&q->legs[i]);
    }
}

static void
opened(struct query_run *q, const struct sql_error *error)
{
    const struct shard_set *shards = q->local;

    if (error != NULL)
        query_fail(q, error);
    else
        query_merge(q, shards);
}

void
query_scatter(struct query_run *q, const struct shard_set *shards)
{
    const struct plan   *plan = &q->plan->plan;
    struct snapshot_spec spec = { .shards = *shards, .read_only = true, .implicit = true };

    bool reads = plan->is_read || plan->n_into != 0;

    if (!session_snapshot_reads(q->s) || q->s->in_txn || !reads || plan->locks) {
        query_merge(q, shards);
        return;
    }
    spec.begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    q->local   = arena_alloc(&q->arena, sizeof(*shards));
    memcpy(q->local, shards, sizeof(*shards));
    snapshot_open(q, &spec, opened);
}

void
query_merge_resume(struct query_run *q)
{
    pump_soon(q->merging);
}

void
query_merge_free(struct query_run *q)
{
    if (q->merging == NULL)
        return;
    task_drop(&q->merging->pump);
    merge_free(q->merging->merge);
    q->merging = NULL;
}
