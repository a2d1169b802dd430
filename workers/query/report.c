/* report.c - see report.h. */
#include "workers/query/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/mysql/result_writer.h"
#include "core/mysql/wire.h"
#include "workers/query/diagnostics.h"

enum { LOOK_MS = 5, PATIENCE_US = 1000000, PLANS_MAX = 1 << 16 };

struct reporting {
    struct timer timer;
    struct query_run *q;
    enum report  which;
    uint64_t     since_us;
    uint32_t     n_heard;
    struct buf  *text; /* [workers], owned */
    bool        *heard; /* [workers] */
};

/* --- telling -------------------------------------------------------------- */

static void
tell_pools(const struct context *ctx, struct buf *out)
{
    LIST_EACH(at, &ctx->pools) {
        const struct pool *p = container_of(at, struct pool, node);
        wire_put_u32(out, p->key.shard_id);
        wire_put_lenenc_bytes(out, p->key.service ? SPAN("(shardd)") : span_of(p->key.user));
        wire_put_u32(out, p->n_open);
        wire_put_u32(out, p->n_idle);
        wire_put_u32(out, p->n_waiting);
        wire_put_u32(out, ctx->conf.pool_max);
    }
}

struct seen {
    const struct cache_key *key;
    const struct plan_ref  *plan;
};

struct all_seen {
    struct seen *items;
    uint32_t     n;
};

static void
see(void *ctx, const struct cache_key *key, const struct plan_ref *plan)
{
    struct all_seen *all = ctx;

    if (all->n < PLANS_MAX)
        all->items[all->n++] = (struct seen){ key, plan };
}

static int
most_used_first(const void *left, const void *right)
{
    uint64_t a = ((const struct seen *)left)->plan->uses;
    uint64_t b = ((const struct seen *)right)->plan->uses;

    return a < b ? 1 : a > b ? -1 : 0;
}

/* As many of the most used as there is room for. */
static void
tell_digests(const struct context *ctx, struct buf *out)
{
    struct cache_stats stats;

    cache_stats(ctx->plans, &stats);
    uint32_t        room = stats.entries < PLANS_MAX ? stats.entries : PLANS_MAX;
    struct all_seen all  = { mem_alloc((room + 1) * sizeof(*all.items)), 0 };

    cache_each(ctx->plans, see, &all);
    qsort(all.items, all.n, sizeof(*all.items), most_used_first);
    for (uint32_t i = 0; i < all.n; i++) {
        const struct seen *s = &all.items[i];
        if (buf_len(out) + s->key->schema.len + s->key->text.len + 32 >
            report_room(REPORT_DIGESTS))
            continue;
        wire_put_lenenc_bytes(out, s->key->schema);
        wire_put_u8(out, (uint8_t)s->plan->plan.kind);
        wire_put_u64(out, s->plan->uses);
        wire_put_lenenc_bytes(out, s->key->text);
    }
    free(all.items);
}

void
report_tell(const struct context *ctx, enum report which)
{
    struct buf text = { 0 };

    if (which == REPORT_POOLS)
        tell_pools(ctx, &text);
    else
        tell_digests(ctx, &text);
    report_write(ctx->slots, ctx->slot, which, buf_unread(&text));
    buf_fini(&text);
}

/* --- showing -------------------------------------------------------------- */

#define TEXT(name)   { name, MYSQL_TYPE_VAR_STRING, 0 }
#define NUMBER(name) { name, MYSQL_TYPE_LONGLONG, 0 }

static const struct result_column pool_columns[] = {
    NUMBER("Worker"), NUMBER("Shard_id"), TEXT("User"), NUMBER("Open"), NUMBER("Idle"),
    NUMBER("Waiting"), NUMBER("Limit"), TEXT("Server"),
};

static const struct result_column digest_columns[] = {
    NUMBER("Worker"), TEXT("Schema"), TEXT("Plan"), NUMBER("Uses"), TEXT("Digest"),
};

static void
show_pool(struct result_writer *w, uint32_t worker, struct cursor *c, const struct routes *r)
{
    uint32_t    shard = wire_u32(c);
    struct span user  = wire_lenenc_bytes(c);

    result_writer_number(w, worker);
    result_writer_number(w, shard);
    result_writer_text(w, user);
    for (int i = 0; i < 4; i++)
        result_writer_number(w, wire_u32(c));
    const struct route_shard *server = routes_server(r, shard);
    result_writer_text(w, server != NULL ? server->name : SPAN("(gone)"));
}

static void
show_digest(struct result_writer *w, uint32_t worker, struct cursor *c)
{
    struct span schema = wire_lenenc_bytes(c);
    uint8_t     kind   = wire_u8(c);
    uint64_t    uses   = wire_u64(c);

    result_writer_number(w, worker);
    result_writer_text(w, schema);
    result_writer_text(w, span_of(kind <= PLAN_REFUSE ? plan_kind_name((enum plan_kind)kind)
                                                      : "?"));
    result_writer_number(w, (int64_t)uses);
    result_writer_text(w, wire_lenenc_bytes(c));
}

static uint16_t
warn_of_missing(const struct reporting *ask)
{
    struct session *s = ask->q->s;
    uint16_t        n = 0;
    char            text[128];

    for (uint32_t w = 0; w < s->ctx->slots->n_workers; w++) {
        if (ask->heard[w])
            continue;
        snprintf(text, sizeof(text), "shardd: worker %u did not answer and is missing here", w);
        diagnostics_add(s, SPAN("Warning"), SQL_UNKNOWN_ERROR, span_of(text));
        n++;
    }
    s->warnings = n;
    return n;
}

static void
forget(struct reporting *ask)
{
    timer_stop(ring_timers(ask->q->ctx->ring), &ask->timer);
    for (uint32_t w = 0; w < ask->q->ctx->slots->n_workers; w++)
        buf_fini(&ask->text[w]);
    free(ask->text);
    free(ask->heard);
    ask->q->reporting = NULL;
}

static void
answer(struct reporting *ask)
{
    struct query_run    *q       = ask->q;
    bool                 digests = ask->which == REPORT_DIGESTS;
    unsigned             status  = session_status(q->s);
    struct result_writer w;

    result_writer_begin(&w, stream_out(q->client), &q->seq, q->s->capabilities,
                        digests ? digest_columns : pool_columns,
                        digests ? countof(digest_columns) : countof(pool_columns));
    for (uint32_t worker = 0; worker < q->ctx->slots->n_workers; worker++) {
        struct cursor c = cursor_of(buf_unread(&ask->text[worker]));
        while (cursor_left(&c) != 0) {
            if (digests)
                show_digest(&w, worker, &c);
            else
                show_pool(&w, worker, &c, q->routes->routes);
        }
    }
    if (q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    result_writer_end(&w, (uint16_t)status, warn_of_missing(ask));
    forget(ask);
    query_flush(q);
    query_done(q);
}

/* --- asking --------------------------------------------------------------- */

static void
look(struct timer *timer)
{
    struct reporting    *ask   = container_of(timer, struct reporting, timer);
    struct query_run    *q     = ask->q;
    const struct slots  *slots = q->ctx->slots;

    for (uint32_t w = 0; w < slots->n_workers; w++)
        if (!ask->heard[w] &&
            (report_read(slots, w, ask->which, ask->since_us, &ask->text[w]) ||
             !slot_alive(slots_at(slots, w), 0, 0))) { /* most rows are nobody's */
            ask->heard[w] = true;
            ask->n_heard++;
        }
    if (ask->n_heard == slots->n_workers || clock_us() > ask->since_us + PATIENCE_US)
        answer(ask);
    else
        timer_start(ring_timers(q->ctx->ring), timer, LOOK_MS, look);
}

static void
ask_others(const struct context *ctx, enum report which)
{
    uint64_t one = 1;

    mail_post(ctx->slot, (struct mail){ MAIL_REPORT, which });
    for (uint32_t w = 0; w < ctx->slots->n_workers; w++)
        if (w != ctx->number && write(ctx->pokes[w], &one, sizeof(one)) < 0)
            slot_count(ctx->slot, COUNTER_ERRORS_SHARDD); /* it looks by itself in 100 ms */
}

void
report_show(struct query_run *q, enum report which)
{
    uint32_t          n   = q->ctx->slots->n_workers;
    struct reporting *ask = arena_alloc(&q->arena, sizeof(*ask));

    *ask = (struct reporting){
        .q        = q,
        .which    = which,
        .since_us = clock_us(),
        .text     = mem_alloc(n * sizeof(*ask->text)),
        .heard    = mem_alloc(n * sizeof(*ask->heard)),
    };
    q->reporting = ask;
    report_tell(q->ctx, which);
    ask_others(q->ctx, which);
    look(&ask->timer);
}

void
report_abandon(struct query_run *q)
{
    if (q->reporting != NULL)
        forget(q->reporting);
}
