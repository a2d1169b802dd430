/* load_rows.c - see load.h: the rows of a client's file, their numbers and their shards. */
#include <stdio.h>

#include "core/base/memory.h"
#include "workers/query/load.h"
#include "workers/query/own_vars.h"
#include "workers/query/txn.h"
#include "workers/query/write.h"

enum { ROWS_BYTES = 1 << 20 /* of a part's row numbers */ };

static void
note_row(struct part *p, uint64_t row)
{
    uint64_t step = row - p->last_row;

    if (buf_len(&p->rows) >= ROWS_BYTES)
        return;
    for (; step >= 0x80; step >>= 7)
        buf_append_byte(&p->rows, (uint8_t)(step | 0x80));
    buf_append_byte(&p->rows, (uint8_t)step);
    p->last_row = row;
}

uint64_t
query_load_row(const struct leg *leg, uint64_t row)
{
    const struct loading *l    = leg->q->loading;
    struct span           rows = buf_unread(&l->parts[leg->number].rows);
    uint64_t              at   = 0, step = 0;
    unsigned              shift = 0;

    for (size_t i = 0; i < rows.len; i++) {
        step |= (uint64_t)(rows.ptr[i] & 0x7f) << shift;
        shift += 7;
        if (rows.ptr[i] >= 0x80)
            continue;
        at += step;
        step = shift = 0;
        if (--row == 0)
            return at;
    }
    return 0;
}

static void
put_row(struct loading *l, struct part *p, const struct row *row, uint64_t number)
{
    const uint8_t *bytes = buf_unread(&l->in).ptr + row->at;
    char           digits[24];

    if (!row->numbered) {
        buf_append(&p->out, bytes, row->len);
    } else {
        int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)row->number);
        buf_append(&p->out, bytes, row->from);
        buf_append(&p->out, digits, (size_t)len);
        if (l->spec->adds_number)
            buf_append_span(&p->out, l->spec->format.field_term);
        buf_append(&p->out, bytes + row->to, row->len - row->to);
    }
    note_row(p, number);
    if (p->open && buf_len(&p->out) >= LOAD_PACKET_BYTES)
        load_part_send(p);
}

/* With commit = "single" one shard gets lines, and it is the transaction's. */
static bool
may_write(struct loading *l, uint32_t shard)
{
    struct query_run *q = l->q;
    struct sql_error  error;

    if (session_commit(q->s) != COMMIT_SINGLE)
        return true;
    if (l->writer == ROUTES_NONE && !txn_is_second_writer(q, q->legs[shard].shard_id))
        l->writer = shard;
    if (l->writer == shard)
        return true;
    write_refuse_second(q, &error);
    load_stop(l, &error);
    return false;
}

static void
row_error(struct loading *l, uint64_t row, const struct sql_error *why)
{
    struct sql_error error;

    sql_error_set(&error, why->code, "shardd: row %llu of the file %s", (unsigned long long)row,
                  why->message);
    slot_count(l->q->ctx->slot, COUNTER_ROUTE_REFUSED);
    load_stop(l, &error);
}

/* Where the batch's rows go, now that all have their numbers. */
static void
place_rows(struct loading *l)
{
    struct query_run *q     = l->q;
    uint64_t          first = l->n_rows - l->n_batch + 1;
    struct sql_error  error;

    for (size_t i = 0; i < l->n_batch && !l->stopped; i++) {
        struct row *row = &l->rows[i];
        if (l->spec->reference) {
            for (uint32_t shard = 0; shard < q->n_legs; shard++)
                put_row(l, &l->parts[shard], row, first + i);
            continue;
        }
        if (!row->placed && !load_shard(l->spec, q->routes->routes, NULL, row->number,
                                        &row->shard, &error)) {
            row_error(l, first + i, &error);
            return;
        }
        if (!may_write(l, row->shard))
            return;
        struct part *p = &l->parts[row->shard];
        put_row(l, p, row, first + i);
        if (!p->started)
            load_part_start(l, row->shard);
    }
    if (l->stopped)
        return;
    if (l->spec->n_variables != 0 && l->n_batch != 0) {
        const struct row *row = &l->rows[l->n_batch - 1];
        buf_clear(&l->last);
        buf_append(&l->last, buf_unread(&l->in).ptr + row->at, row->len);
    }
    buf_consume(&l->in, l->taken);
    l->n_batch = l->taken = 0;
}

/* What the row just read wants. */
static bool
inspect(struct loading *l, struct row *row, size_t start)
{
    struct query_run       *q = l->q;
    const struct load_spec *spec = l->spec;
    enum insert_number      kind = INSERT_PLAIN;
    uint64_t                value = 0;
    struct sql_error        error;
    bool                    ok = true;

    if (spec->numbered)
        ok = load_inspect(spec, q->routes->routes, l->number, &kind, &value, &error);
    row->numbered = kind == INSERT_NUMBER;
    if (ok && row->numbered && spec->reference)
        ok = sql_error_set(&error, SQL_NOT_SUPPORTED, "leaves its AUTO_INCREMENT column to the "
                           "server: the copies of a reference table need the number");
    if (ok && row->numbered) {
        row->from = l->number != NULL ? l->number->from : start;
        row->to   = l->number != NULL ? l->number->to : start;
        l->request.count++;
    }
    if (kind == INSERT_RAISES && value > l->request.above)
        l->request.above = value;
    row->placed = l->key != NULL ? !(row->numbered && l->key == l->number) : spec->key_null;
    if (ok && row->placed && !spec->reference)
        ok = load_shard(spec, q->routes->routes, l->key, 0, &row->shard, &error);
    if (!ok)
        row_error(l, l->n_rows, &error);
    return ok;
}

static struct row *
new_row(struct loading *l)
{
    if (l->n_batch == l->cap) {
        l->cap  = l->cap == 0 ? 256 : 2 * l->cap;
        l->rows = mem_resize(l->rows, l->cap * sizeof(l->rows[0]));
    }
    struct row *row = &l->rows[l->n_batch++];
    *row = (struct row){ .shard = ROUTES_NONE };
    return row;
}

static enum load_status
next_record(struct loading *l, struct span in, size_t *start, size_t *used)
{
    const struct load_format *f = &l->spec->format;

    if (l->skip > 0 && f->line_term.len != 0)
        return load_skip_line(f, in, l->ended, used);
    return load_record(f, in, l->ended, l->wanted, l->n_wanted, l->fields, &l->room, start, used);
}

/* The whole records of `in` become the batch. */
void
load_take_rows(struct loading *l)
{
    l->request.count = 0;
    l->request.above = 0;

    struct span      in = buf_unread(&l->in);
    size_t           used, start = 0;
    struct sql_error error;

    while (l->taken < in.len) {
        enum load_status status = next_record(l, span_from(in, l->taken), &start, &used);
        if (status != LOAD_RECORD) {
            if (status == LOAD_END)
                l->taken = in.len;
            break;
        }
        l->taken += used;
        if (l->skip > 0) {
            l->skip--;
            continue;
        }
        struct row *row = new_row(l);
        row->at  = l->taken - used;
        row->len = used;
        l->n_rows++;
        if (!inspect(l, row, start))
            return;
    }
    l->tried = in.len - l->taken;
    if (l->tried > l->q->ctx->conf.max_packet_bytes) {
        sql_error_set(&error, SQL_NOT_SUPPORTED, "is longer than max_packet_bytes (%llu)",
                      (unsigned long long)l->q->ctx->conf.max_packet_bytes);
        row_error(l, l->n_rows + 1, &error);
    }
}

/* --- numbers ------------------------------------------------------------- */

static void
got_numbers(struct sequence_request *r, uint64_t first, const struct sql_error *error)
{
    struct loading *l = container_of(r, struct loading, request);

    l->waiting = false;
    load_enter(l);
    if (error != NULL) {
        load_stop(l, error);
    } else {
        if (r->count != 0 && l->first_id == 0)
            l->first_id = first;
        for (size_t i = 0; i < l->n_batch; i++)
            if (l->rows[i].numbered)
                l->rows[i].number = first++;
        place_rows(l);
    }
    if (l->inside == 1) /* it was not answered at once */
        load_run(l);
    load_leave(l);
}

static void
ask_numbers(struct loading *l)
{
    const struct routes      *r = l->q->routes->routes;
    const struct route_table *t = &r->tables[l->spec->table];

    l->request.sequence = t->sequence;
    l->request.shard_id = r->shards[r->databases[t->database].home].id;
    l->request.ready    = got_numbers;
    l->request.fresh    = true; /* a number that exists is no error to the server */
    l->waiting          = true;
    sequence_ask(l->q->ctx, &l->request);
}

void
load_deal_rows(struct loading *l)
{
    if (l->spec->numbered && !l->spec->reference &&
        (l->request.count != 0 || l->request.above != 0))
        ask_numbers(l);
    else
        place_rows(l);
}
