/* query_gather_load.c - the engine's tables are made and filled; see gather.h.
 *
 *   neutral, CREATE x n, LOAD  --said at once-->  wanted: lines, lines, the end --> its OK
 *        then for each further table  LOAD  --> ...  --> restore --> the leg's other steps
 *
 * A MEMORY table that has grown too large is moved to disk between two loads. A load that
 * stored another number of rows than it was sent, or had anything to remark, has failed: a
 * server that reads a file never refuses a value.
 */
#include <stdlib.h>

#include "core/mysql/row.h"
#include "workers/query/gather.h"

enum {
    PACKET_BYTES = 64 << 10, /* to the engine */
    ORDERED_ROWS = 2000,     /* are kept in the order of their primary key */
    ERR_FULL     = 1114,     /* ER_RECORD_FILE_FULL */
    ERR_ENGINE   = 1105,     /* ER_UNKNOWN_ERROR */
    N_CELLS      = 3,        /* of SHOW WARNINGS */
};

static struct source *
now_loaded(const struct gathering *g)
{
    return g->at < g->spec->n_tables ? &g->sources[g->at] : NULL;
}

static void
engine_failed(struct gathering *g, const struct sql_error *why)
{
    struct sql_error error;

    slot_shard_add(g->engine.backend != NULL ? g->engine.backend->counters
                                             : slot_shard(g->q->ctx->slot, g->engine.shard_id),
                   SHARD_COUNTER_ERRORS, 1);
    sql_error_set(&error, why->code == ERR_FULL ? ERR_FULL : ERR_ENGINE, "shardd: %s could not "
                  "take the rows of the statement: %.300s",
                  backend_name(g->q->ctx, g->engine.shard_id), why->message);
    gather_stop(g, &error);
}

static void
lost(struct gathering *g, const struct sql_error *why)
{
    g->engine.backend = NULL;
    g->engine.lost    = true;
    if (g->q->finished || g->failed)
        return;
    gather_forget(&g->neutral);
    gather_forget(&g->restore);
    gather_forget(&g->engine.x);
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        gather_forget(&g->sources[i].create);
    gather_enter(g);
    slot_count(g->q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
    gather_stop(g, why);
    gather_leave(g);
}

/* --- what was not stored as it was sent ----------------------------------- */

static void
remarked(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct gathering *g = container_of(x, struct gathering, restore);
    struct cell       cells[N_CELLS];

    (void)b;
    if (g->failed)
        return;
    gather_enter(g);
    if (m->kind == RESULT_IS_ROW && row_text_decode(m->message.payload, N_CELLS, cells) &&
        g->error.code == 0)
        sql_error_set(&g->error, ERR_ENGINE, "%.*s", (int)cells[2].bytes.len, cells[2].bytes.ptr);
    if (last) {
        struct sql_error why = g->error;
        if (why.code == 0)
            sql_error_set(&why, ERR_ENGINE, "it stored another number of rows than it was sent");
        engine_failed(g, &why);
    }
    gather_leave(g);
}

static void
remarks_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b;
    lost(container_of(x, struct gathering, restore), why);
}

static const struct exchange_ops remark_ops = {
    .on_message = remarked,
    .on_lost    = remarks_lost,
};

/* --- loading -------------------------------------------------------------- */

static void load_next(struct gathering *g);

static void
on_loaded(struct gathering *g, struct source *source)
{
    const struct result_reader *r = &g->engine.x.reader;
    struct sql_error            why;

    g->loading = false;
    g->wanted  = false;
    if (result_error(r, &why)) {
        engine_failed(g, &why);
        return;
    }
    if (r->affected_rows != source->n_sent || r->warnings != 0) {
        backend_send(g->engine.backend, COM_QUERY, SPAN("SHOW WARNINGS LIMIT 1"), &g->restore,
                     &remark_ops);
        return;
    }
    source->n_stored += source->n_sent;
    source->n_sent = 0;
    load_next(g);
}

static void
load_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b, (void)bytes;
    if (!last || g->failed)
        return;
    gather_enter(g);
    on_loaded(g, now_loaded(g));
    gather_leave(g);
}

static void
load_wanted(struct exchange *x, struct backend *b)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b;
    if (g->failed)
        return;
    gather_enter(g);
    g->wanted = true;
    g->full   = false;
    g->seq    = x->reader.next_seq;
    gather_push(g);
    gather_flow(g);
    gather_leave(g);
}

static void
load_room(struct exchange *x, struct backend *b)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b;
    if (g->failed)
        return;
    gather_enter(g);
    g->full = false;
    gather_push(g);
    gather_flow(g);
    gather_leave(g);
}

static void
load_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b;
    lost(container_of(x, struct gathering, engine.x), why);
}

static const struct exchange_ops load_ops = {
    .on_bytes  = load_bytes,
    .on_infile = load_wanted,
    .on_room   = load_room,
    .on_lost   = load_lost,
};

static void
say_load(struct gathering *g)
{
    struct buf text = { 0 };

    gather_load_text(&now_loaded(g)->copy, &text);
    g->loading = true;
    backend_send(g->engine.backend, COM_QUERY, buf_unread(&text), &g->engine.x, &load_ops);
    buf_fini(&text);
}

static void
send_lines(struct gathering *g, struct source *source)
{
    struct buf *out = backend_out(g->engine.backend);

    while (buf_len(&source->lines) != 0) {
        struct span bytes = buf_unread(&source->lines);
        if (bytes.len > PACKET_BYTES)
            bytes.len = PACKET_BYTES;
        size_t at = packet_begin(out);
        buf_append_span(out, bytes);
        packet_end(out, at, &g->seq);
        buf_consume(&source->lines, bytes.len);
    }
    g->full = !backend_flush(g->engine.backend);
}

static void
end_load(struct gathering *g, struct source *source)
{
    struct backend *b  = g->engine.backend;
    size_t          at = packet_begin(backend_out(b));

    packet_end(backend_out(b), at, &g->seq);
    source->n_sent  = source->n_lines;
    source->n_lines = 0;
    g->wanted = false;
    g->full   = false;
    backend_flush(b);
    backend_infile_sent(b);
}

/* For a table that is kept in order, or in memory. */
static bool
is_too_large(const struct gathering *g, const struct source *source)
{
    if (source->copy.primary && source->n_stored + source->n_lines > ORDERED_ROWS)
        return true;
    return source->engine == GATHER_MEMORY &&
           (source->n_stored + source->n_lines) * source->width >
               g->q->ctx->conf.gather_memory_bytes;
}

void
gather_push(struct gathering *g)
{
    struct source *source = now_loaded(g);

    if (!g->wanted || g->failed || source == NULL)
        return;
    bool all = source_is_read(source);
    if (buf_len(&source->lines) >= PACKET_BYTES || (all && buf_len(&source->lines) != 0))
        send_lines(g, source);
    if (all || is_too_large(g, source)) {
        if (!all)
            send_lines(g, source);
        end_load(g, source);
    }
}

/* --- tables --------------------------------------------------------------- */

static void
said(struct gathering *g, struct exchange *x, bool last)
{
    struct sql_error why;

    if (!last || g->failed || !result_error(&x->reader, &why))
        return;
    gather_enter(g);
    engine_failed(g, &why);
    gather_leave(g);
}

static void
neutral_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)b, (void)bytes;
    said(container_of(x, struct gathering, neutral), x, last);
}

static void
neutral_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b;
    lost(container_of(x, struct gathering, neutral), why);
}

static const struct exchange_ops neutral_ops = {
    .on_bytes = neutral_bytes,
    .on_lost  = neutral_lost,
};

static void
create_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    (void)b, (void)bytes;
    said(container_of(x, struct source, create)->g, x, last);
}

static void
create_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b;
    lost(container_of(x, struct source, create)->g, why);
}

static const struct exchange_ops create_ops = {
    .on_bytes = create_bytes,
    .on_lost  = create_lost,
};

static void
restore_bytes(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct gathering *g = container_of(x, struct gathering, restore);

    (void)b, (void)bytes;
    if (!last || g->failed)
        return;
    gather_enter(g);
    said(g, x, last);
    if (!g->failed)
        leg_go_on(&g->engine);
    gather_leave(g);
}

static const struct exchange_ops restore_ops = {
    .on_bytes = restore_bytes,
    .on_lost  = remarks_lost,
};

/* All is there: the connection becomes the session's. */
static void
finish(struct gathering *g)
{
    struct backend *b    = g->engine.backend;
    struct buf      text = { 0 };

    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        struct source *source = &g->sources[i];
        if (!gather_keeps_before(g, i))
            continue;
        buf_clear(&text);
        gather_keep_before(g, &text, i);
        backend_send(b, COM_QUERY, buf_unread(&text), &source->create, &create_ops);
    }
    buf_clear(&text);
    g->loaded    = true;
    b->vars_hash = 1; /* of no session: all of them are said again */
    gather_restore_text(g->q->s->charset, &text);
    backend_send(b, COM_QUERY, buf_unread(&text), &g->restore, &restore_ops);
    buf_fini(&text);
}

static void
spill(struct gathering *g, struct source *source)
{
    struct buf text = { 0 };

    if (source->engine == GATHER_MEMORY)
        slot_count(g->q->ctx->slot, COUNTER_GATHER_SPILLED);
    source->engine = source->copy.primary ? source->large : gather_disk_engine(&source->copy);
    gather_spill_text(&source->copy, source->engine, &text);
    source->copy.primary = false;
    backend_send(g->engine.backend, COM_QUERY, buf_unread(&text), &source->create, &create_ops);
    buf_fini(&text);
}

static bool
is_complete(const struct source *source)
{
    return source_is_read(source) && buf_len(&source->lines) == 0;
}

/* A load is over: the rest of its table, or the next one that has rows. */
static void
load_next(struct gathering *g)
{
    struct source *source = now_loaded(g);

    if (!is_complete(source)) {
        if (is_too_large(g, source))
            spill(g, source);
        say_load(g);
        return;
    }
    do {
        slot_count(g->q->ctx->slot, COUNTER_GATHER_TABLES);
        g->at++;
        source = now_loaded(g);
    } while (source != NULL && is_complete(source) && source->n_lines == 0);
    if (source == NULL)
        finish(g);
    else
        say_load(g);
    gather_flow(g);
}

/* --- the beginning -------------------------------------------------------- */

/* The connection is ours, and of no session. */
static void
fill(struct leg *leg)
{
    struct gathering *g    = container_of(leg, struct gathering, engine);
    struct backend   *b    = leg->backend;
    struct buf        text = { 0 };

    gather_enter(g);
    g->filling   = true;
    b->vars_hash = 1;
    command_text_encode(backend_out(b), COM_QUERY, span_of(gather_neutral()));
    backend_expect(b, &g->neutral, &neutral_ops, RESULT_QUERY);
    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        struct source *source = &g->sources[i];
        buf_clear(&text);
        gather_create_text(&source->copy, source->engine, &text);
        command_text_encode(backend_out(b), COM_QUERY, buf_unread(&text));
        backend_expect(b, &source->create, &create_ops, RESULT_QUERY);
    }
    buf_fini(&text);
    say_load(g);
    gather_leave(g);
}

static void
ready(struct leg *leg)
{
    struct gathering *g = container_of(leg, struct gathering, engine);

    gather_enter(g);
    g->engine_ready = true;
    gather_leave(g);
}

/* It ends so by an error only; ANSWERING: the statement could not be prepared. */
static void
over(struct leg *leg)
{
    struct gathering *g = container_of(leg, struct gathering, engine);

    if (g->q->finished || g->failed)
        return;
    if (g->state == GATHER_ANSWERING) {
        gather_refused(g, &leg->error);
        return;
    }
    gather_enter(g);
    gather_stop(g, &leg->error);
    gather_leave(g);
}

void
gather_fill(struct gathering *g)
{
    g->engine.fill  = fill;
    g->engine.ready = ready;
    g->engine.over  = over;
    leg_start(&g->engine);
}
