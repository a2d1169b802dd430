/* row_cursor.c - see row_cursor.h. */
#include "workers/query/row_cursor.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/leg.h"

enum { ERR_LOST = 1927 /* ER_CONNECTION_KILLED */ };

/* What lies on one shard. */
struct part {
    uint32_t shard_id, statement;
    uint64_t thread_id; /* of the connection there; servers do not use numbers again */
    bool     open;
    uint64_t n_rows, bytes; /* fetched */
};

struct row_cursor {
    struct session    *session;
    struct merge      *merge;  /* NULL: one part, whose rows pass as they are */
    struct arena       arena;  /* with a merge: what it refers to, of the query that began it */
    struct plan_ref   *plan;
    struct routes_ref *routes;
    bool               over;
    uint32_t           n_parts;
    struct part        parts[]; /* by number of the leg */
};

/* --- a cursor begins and ends --------------------------------------------- */

bool
row_cursor_exists(const struct leg *leg)
{
    const struct result_reader *r = &leg->x.reader;

    return leg->q->cursor_flags != CURSOR_TYPE_NO_CURSOR && r->error == 0 &&
           (r->status & SERVER_STATUS_CURSOR_EXISTS) != 0;
}

static struct row_cursor *
row_cursor_new(const struct query_run *q)
{
    struct row_cursor *c = mem_alloc(sizeof(*c) + q->n_legs * sizeof(c->parts[0]));

    c->session = q->s;
    c->n_parts = q->n_legs;
    q->s->n_cursors++;
    pins_add(&q->s->pins, q->ctx->slot, PIN_CURSOR);
    return c;
}

bool
row_cursor_take(struct leg *leg)
{
    struct query_run *q = leg->q;
    struct backend   *b = leg->backend;

    if (!row_cursor_exists(leg)) {
        backend_close_statement(b, leg->statement);
        return false;
    }
    if (q->cursor == NULL)
        q->cursor = row_cursor_new(q);
    q->cursor->parts[leg->number] = (struct part){ .shard_id  = leg->shard_id,
                                                   .statement = leg->statement,
                                                   .thread_id = b->login.thread_id,
                                                   .open      = true };
    if (session_held(q->s, leg->shard_id) == NULL)
        leg_hold(leg, HELD_PIN);
    return true;
}

void
row_cursor_merges(struct query_run *q, struct merge *merge)
{
    q->cursor->merge = merge;
}

struct row_cursor *
row_cursor_keep(struct query_run *q)
{
    struct row_cursor *c = q->cursor;

    q->cursor = NULL;
    if (c == NULL || q->failed) {
        row_cursor_free(c);
        return NULL;
    }
    if (c->merge != NULL) {
        c->arena  = q->arena;
        c->plan   = q->plan;
        c->routes = q->routes;
        q->arena  = (struct arena){ 0 };
        q->plan   = NULL;
        q->routes = NULL;
    }
    return c;
}

/* NULL: it is gone, and what it had with it. */
static struct backend *
backend_of(const struct row_cursor *c, const struct part *part)
{
    const struct held *h = session_held(c->session, part->shard_id);

    return h != NULL && h->backend != NULL && h->backend->login.thread_id == part->thread_id
               ? h->backend : NULL;
}

static void
close_part(const struct row_cursor *c, struct part *part)
{
    struct backend *b = backend_of(c, part);

    if (part->open && b != NULL)
        backend_close_statement(b, part->statement);
    part->open = false;
}

void
row_cursor_free(struct row_cursor *c)
{
    if (c == NULL)
        return;
    struct session *s = c->session;
    for (uint32_t i = 0; i < c->n_parts; i++)
        close_part(c, &c->parts[i]);
    merge_free(c->merge);
    plan_ref_release(c->plan);
    routes_drop(c->routes);
    arena_fini(&c->arena);
    free(c);
    if (--s->n_cursors == 0)
        pins_remove(&s->pins, s->ctx->slot, PIN_CURSOR);
    if (s->n_held != 0 && s->pins.set == 0 && !s->in_txn)
        session_unpinned(s);
}

bool
row_cursor_is_over(const struct row_cursor *c)
{
    return c->over;
}

/* --- COM_STMT_FETCH ------------------------------------------------------- */

struct fetching {
    uint32_t         n_sent, n_asked; /* rows to the client; answers under way */
    bool            *asked;           /* by number of the part */
    bool             finished, failed;
    struct sql_error error;
};

static struct fetching *
fetching_of(const struct query_run *q)
{
    return q->local;
}

static struct part *
part_of(const struct leg *leg)
{
    return &leg->q->cursor->parts[leg->number];
}

/* They stay the session's. */
static void
let_go(struct query_run *q)
{
    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (q->legs[i].backend != NULL)
            backend_resume(q->legs[i].backend);
        q->legs[i].backend = NULL;
        q->legs[i].state   = LEG_OVER;
    }
}

static void
ask(struct leg *leg, uint32_t rows, const struct exchange_ops *ops)
{
    struct backend *b = leg->backend;

    fetch_encode(backend_out(b), part_of(leg)->statement, rows);
    backend_expect(b, &leg->x, ops, RESULT_FETCH);
    backend_flush(b);
}

/* The server has sent its last row, and closed the cursor. */
static void
end_part(struct leg *leg)
{
    if (leg->x.reader.status & SERVER_STATUS_LAST_ROW_SENT)
        close_part(leg->q->cursor, part_of(leg));
}

/* --- of one shard --- */

static void
one_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg       *leg = container_of(x, struct leg, x);
    struct query_run *q   = leg->q;

    (void)b;
    buf_append_span(stream_out(q->client), bytes);
    query_flush(q);
    if (!last)
        return;
    if (x->reader.error != 0) {
        slot_count(q->ctx->slot, COUNTER_ERRORS_SERVER);
        q->failed       = true;
        q->cursor->over = true;
    } else
        end_part(leg);
    q->cursor->over |= !part_of(leg)->open;
    let_go(q);
    query_done(q);
}

static void
one_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend         = NULL;
    leg->state           = LEG_OVER;
    leg->q->cursor->over = true;
    if (!leg->q->finished)
        query_fail(leg->q, why);
}

static const struct exchange_ops one_ops = { .on_bytes = one_bytes, .on_lost = one_lost };

/* --- of several --- */

static void pump(struct query_run *q);

static void
fail(struct query_run *q, const struct sql_error *why)
{
    struct fetching *f = fetching_of(q);

    q->cursor->over = true;
    f->finished     = true;
    if (f->failed)
        return;
    f->failed = true;
    f->error  = *why;
}

static void
many_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg       *leg  = container_of(x, struct leg, x);
    struct query_run *q    = leg->q;
    struct fetching  *f    = fetching_of(q);
    struct part      *part = part_of(leg);
    struct sql_error  why;

    (void)b;
    if (m->kind == RESULT_IS_ROW) {
        merge_row(q->cursor->merge, leg->number, m->message.payload);
        part->n_rows++;
        part->bytes += m->message.payload.len;
    }
    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &why))
            sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
        fail(q, &why);
    }
    if (!last)
        return;
    f->asked[leg->number] = false;
    f->n_asked--;
    if (m->kind == RESULT_IS_END)
        end_part(leg);
    if (!part->open)
        merge_end(q->cursor->merge, leg->number);
    pump(q);
}

static void
many_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    if (leg->q->finished)
        return;
    fetching_of(leg->q)->n_asked--;
    fail(leg->q, why);
    pump(leg->q);
}

static const struct exchange_ops many_ops = { .on_message = many_message, .on_lost = many_lost };

/* As many rows as a leg's queue takes, as far as that is known. */
static uint32_t
batch(const struct part *part)
{
    enum { FIRST = 4, MOST = 4096 };

    if (part->n_rows == 0)
        return FIRST;
    uint64_t fit = MERGE_QUEUE_BYTES / (part->bytes / part->n_rows + 1);
    return fit < 1 ? 1 : fit < MOST ? (uint32_t)fit : MOST;
}

static void
ask_more(struct query_run *q)
{
    struct fetching *f = fetching_of(q);
    struct sql_error why;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg  *leg  = &q->legs[i];
        struct part *part = part_of(leg);
        if (f->asked[i] || !part->open || !merge_wants(q->cursor->merge, i))
            continue;
        f->asked[i] = true;
        f->n_asked++;
        ask(leg, batch(part), &many_ops);
    }
    if (f->n_asked != 0)
        return;
    sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the cursor's rows end before their end");
    fail(q, &why);
}

static void
many_answer(struct query_run *q)
{
    struct fetching *f  = fetching_of(q);
    struct ok        ok = { .status = session_status(q->s) };

    let_go(q);
    if (f->failed) { /* between two rows an error is in its place */
        slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
        reply_err_encode(stream_out(q->client), &q->seq, q->s->capabilities, &f->error);
        q->failed = true;
    } else {
        ok.status |= q->cursor->over ? SERVER_STATUS_LAST_ROW_SENT : SERVER_STATUS_CURSOR_EXISTS;
        reply_end_encode(stream_out(q->client), &q->seq, q->s->capabilities, &ok);
    }
    query_flush(q);
    query_done(q);
}

/* Rows for the client; then more for the merge, or the end. */
static void
pump(struct query_run *q)
{
    struct fetching  *f      = fetching_of(q);
    struct buf       *out    = stream_out(q->client);
    enum merge_status status = MERGE_WAIT;
    struct span       row;

    while (!q->paused && !f->finished && f->n_sent < q->fetch_rows) {
        status = merge_next(q->cursor->merge, &row);
        if (status == MERGE_AGAIN)
            continue;
        if (status != MERGE_ROW)
            break;
        size_t at = packet_begin(out);
        buf_append_span(out, row);
        packet_end(out, at, &q->seq);
        f->n_sent++;
        if (buf_len(out) > 64 << 10)
            query_flush(q);
    }
    if (buf_len(out) != 0)
        query_flush(q);
    if (status == MERGE_ERROR)
        fail(q, merge_error(q->cursor->merge));
    if (status == MERGE_DONE)
        q->cursor->over = f->finished = true;
    f->finished |= f->n_sent == q->fetch_rows;
    if (!f->finished && !q->paused)
        ask_more(q);
    if (f->finished && f->n_asked == 0)
        many_answer(q);
}

void
row_cursor_resume(struct query_run *q)
{
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].backend != NULL)
            backend_resume(q->legs[i].backend);
    if (q->cursor->merge != NULL)
        pump(q);
}

/* --- the beginning --- */

static bool
has_its_parts(const struct row_cursor *c)
{
    for (uint32_t i = 0; i < c->n_parts; i++)
        if (c->parts[i].open && backend_of(c, &c->parts[i]) == NULL)
            return false;
    return true;
}

void
row_cursor_fetch(struct query_run *q)
{
    struct row_cursor *c = q->cursor;
    struct fetching   *f = arena_alloc(&q->arena, sizeof(*f));

    if (!has_its_parts(c)) {
        c->over = true;
        query_refuse(q, ERR_LOST, "shardd: a connection that had rows of the cursor is lost: "
                     "execute the statement again");
        return;
    }
    f->asked  = arena_alloc(&q->arena, c->n_parts * sizeof(*f->asked));
    q->local  = f;
    q->n_legs = c->n_parts;
    q->legs   = arena_alloc(&q->arena, c->n_parts * sizeof(*q->legs));
    for (uint32_t i = 0; i < c->n_parts; i++) {
        const struct part *part = &c->parts[i];
        q->legs[i] = (struct leg){ .q = q, .number = i, .shard_id = part->shard_id,
                                   .state   = part->open ? LEG_RUNNING : LEG_OVER,
                                   .backend = part->open ? backend_of(c, part) : NULL };
    }
    if (c->merge != NULL)
        pump(q);
    else
        ask(&q->legs[0], q->fetch_rows, &one_ops);
}
