/* returning.c - see returning.h. */
#include "workers/query/returning.h"

struct kept_row {
    struct kept_row *next;
    struct span      payload;
};

struct kept_rows {
    struct kept_row *first, *last;
    uint32_t         n;
};

struct returning {
    struct query_run *q;
    uint32_t          n_columns, n_got;
    const struct leg *speaker; /* whose columns are the answer's */
    struct span      *columns;
    struct kept_rows *rows;    /* of each leg */
    size_t            bytes;
};

struct returning *
returning_new(struct query_run *q)
{
    struct returning *r = arena_alloc(&q->arena, sizeof(*r));

    *r = (struct returning){
        .q    = q,
        .rows = arena_alloc(&q->arena, q->n_legs * sizeof(*r->rows)),
    };
    q->cursor_flags = CURSOR_TYPE_NO_CURSOR;
    return r;
}

static bool
keep_row(struct returning *r, uint32_t leg, struct span payload, struct sql_error *error)
{
    struct kept_rows *rows = &r->rows[leg];
    struct kept_row  *row;

    r->bytes += payload.len + sizeof(*row);
    if (r->bytes > r->q->ctx->conf.merge_memory_bytes)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: the rows of RETURNING take more than merge_memory_bytes "
                             "(%llu)%s: write fewer rows at a time, or raise the setting",
                             (unsigned long long)r->q->ctx->conf.merge_memory_bytes,
                             r->q->s->in_txn ? "" : "; they were written");
    row          = arena_alloc(&r->q->arena, sizeof(*row));
    row->next    = NULL;
    row->payload = arena_copy(&r->q->arena, payload);
    if (rows->first == NULL)
        rows->first = row;
    else
        rows->last->next = row;
    rows->last = row;
    rows->n++;
    return true;
}

bool
returning_take(struct returning *r, const struct leg *leg, const struct leg *only,
               const struct result_message *m, struct sql_error *error)
{
    if (only != NULL && only != leg)
        return true;
    if (m->kind == RESULT_IS_COUNT && r->speaker == NULL) {
        r->speaker   = leg;
        r->n_columns = leg->x.reader.n_columns;
        r->columns   = arena_alloc(&r->q->arena, (r->n_columns + 1) * sizeof(*r->columns));
    }
    if (m->kind == RESULT_IS_COLUMN && r->speaker == leg && r->n_got < r->n_columns)
        r->columns[r->n_got++] = arena_copy(&r->q->arena, m->message.payload);
    return m->kind != RESULT_IS_ROW || keep_row(r, leg->number, m->message.payload, error);
}

static void
send_payload(struct query_run *q, struct span payload)
{
    struct buf *out = stream_out(q->client);
    size_t      at  = packet_begin(out);

    buf_append_span(out, payload);
    packet_end(out, at, &q->seq);
    if (buf_len(out) > 64 << 10)
        query_flush(q);
}

static void
send_next(struct returning *r, uint32_t leg)
{
    struct kept_rows *rows = &r->rows[leg];

    send_payload(r->q, rows->first->payload);
    rows->first = rows->first->next;
}

/* Each row of the statement gave one row: they go out in the statement's order. */
static bool
send_in_order(struct returning *r)
{
    struct query_run *q = r->q;

    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->inserting == NULL || r->rows[i].n != q->legs[i].n_rows)
            return false;
    for (uint32_t row = 0; row < q->plan->plan.insert->n_rows; row++)
        send_next(r, query_insert_leg(q, row));
    return true;
}

void
returning_answer(struct returning *r, uint32_t warnings)
{
    struct query_run *q  = r->q;
    struct session   *s  = q->s;
    struct ok         ok = { .status = session_status(s) };
    uint64_t          n  = 0;

    for (uint32_t i = 0; i < q->n_legs; i++)
        n += r->rows[i].n;
    reply_column_count_encode(stream_out(q->client), &q->seq, s->capabilities, r->n_columns);
    for (uint32_t i = 0; i < r->n_got; i++)
        send_payload(q, r->columns[i]);
    if (!(s->capabilities & CLIENT_DEPRECATE_EOF)) {
        struct eof eof = { .status = session_status(s) };
        reply_eof_encode(stream_out(q->client), &q->seq, &eof);
    }
    if (!send_in_order(r))
        for (uint32_t i = 0; i < q->n_legs; i++)
            while (r->rows[i].first != NULL)
                send_next(r, i);
    ok.warnings = (uint16_t)(warnings < UINT16_MAX ? warnings : UINT16_MAX);
    if (q->more)
        ok.status |= SERVER_MORE_RESULTS_EXISTS;
    reply_end_encode(stream_out(q->client), &q->seq, s->capabilities, &ok);
    query_flush(q);
    slot_add(q->ctx->slot, COUNTER_ROWS_RELAYED, n);
    s->row_count     = -1;
    s->warnings      = warnings;
    query_done(q);
}
