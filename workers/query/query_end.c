/* query_end.c - see query.h: how a statement ends before its time, and its memory. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/backend/reaper.h"
#include "workers/query/hedge.h"
#include "workers/query/leg.h"
#include "workers/query/park.h"
#include "workers/query/replica.h"
#include "workers/query/report.h"
#include "workers/query/row_cursor.h"
#include "workers/query/snapshot.h"
#include "workers/query/together.h"
#include "workers/query/txn.h"

enum { SPARE_QUERIES = 256 };

static void
drop_legs(struct query_run *q, const struct sql_error *why)
{
    hedge_end(q);
    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg     *leg = &q->legs[i];
        struct backend *b   = leg->backend;

        pool_cancel(&leg->waiter);
        query_share_drop(leg);
        replica_drop(leg);
        if (leg->state != LEG_OVER)
            buf_fini(&leg->text);
        leg->state   = LEG_OVER;
        leg->backend = NULL;
        if (b == NULL)
            continue;
        /* An answer is under way that nobody will read. */
        if (!list_empty(&b->fifo))
            reaper_kill(q->ctx, leg->shard_id, b->login.thread_id);
        backend_close(b, why);
    }
}

void
query_abandon(struct query_run *q)
{
    q->finished = true;
    park_leave(q);
    together_leave(q);
    txn_abandon(q);
    snapshot_abandon(q);
    query_insert_abandon(q);
    query_load_abandon(q);
    query_gather_abandon(q);
    report_abandon(q);
    query_ddl_abandon(q);
    drop_legs(q, NULL);
    session_abort(q->s);
}

/* The client is sending its file: it listens when that is over. */
static void
swallow_file(struct query_run *q, const struct sql_error *why)
{
    q->error     = *why;
    q->file_lost = true;
    if (!q->file_full)
        return;
    q->file_full = false;
    q->ops->room(q);
}

bool
query_is_told(const struct query_run *q)
{
    return q->answered && q->n_legs == 1 && q->legs[0].state == LEG_ASKING;
}

void
query_kill(struct query_run *q, const struct sql_error *why)
{
    if (q->finished)
        return;
    if (park_is_parked(q)) { /* it did not begin: its transaction goes on */
        park_leave(q);
        query_fail(q, why);
        return;
    }
    if (together_waits(q)) {
        if (q->served)
            return;
        together_leave(q);
        query_fail(q, why);
        return;
    }
    /* Inside a commit it is too late: what is decided stays decided. */
    if (q->committing != NULL || q->file_lost)
        return;
    q->finished = true; /* what the lost backends say is not for the client */
    snapshot_abandon(q);
    query_insert_abandon(q);
    query_load_abandon(q);
    query_gather_abandon(q);
    report_abandon(q);
    query_ddl_abandon(q);
    drop_legs(q, why);
    if (q->s->implicit)
        session_abort(q->s); /* it ends with its statement */
    else if (q->s->in_txn)
        q->s->doomed = true;
    q->finished = false;
    if (q->infile != NULL)
        swallow_file(q, why);
    else
        query_fail(q, why);
}

struct query_run *
query_new(struct context *ctx)
{
    struct query_run *q     = ctx->spare_query;
    struct arena  arena = { 0 };

    if (q != NULL) {
        ctx->spare_query = q->next_spare;
        ctx->n_spare_queries--;
        arena = q->arena;
    } else
        q = mem_alloc(sizeof(*q));
    *q = (struct query_run){ .ctx = ctx, .arena = arena };
    return q;
}

void
query_free(struct query_run *q)
{
    struct context *ctx = q->ctx;

    query_merge_free(q);
    query_load_free(q);
    query_gather_free(q);
    if (q->command != QUERY_FETCH)
        row_cursor_free(q->cursor);
    plan_ref_release(q->plan);
    routes_drop(q->routes);
    if (ctx->n_spare_queries == SPARE_QUERIES) {
        arena_fini(&q->arena);
        free(q);
        return;
    }
    arena_reset(&q->arena);
    q->next_spare    = ctx->spare_query;
    ctx->spare_query = q;
    ctx->n_spare_queries++;
}

void
query_file(struct query_run *q, struct span packet, bool last)
{
    struct leg *leg = q->infile;

    if (last) {
        q->infile = NULL;
        q->seq    = (uint8_t)(packet.ptr[3] + 1); /* the answer counts on from the file */
    }
    if (q->file_lost) {
        if (last) {
            struct sql_error why = q->error;
            q->answered = false;
            query_fail(q, &why);
        }
        return;
    }
    if (q->loading != NULL) {
        query_load_file(q, packet, last);
        return;
    }
    if (leg->backend != NULL) {
        buf_append_span(backend_out(leg->backend), packet);
        q->file_full = !backend_flush(leg->backend) && !last;
        if (last)
            backend_infile_sent(leg->backend);
    } else if (last) {
        struct sql_error why = leg->error;
        q->answered = false; /* the server's question was, and that is over */
        leg_over(leg, &why);
    }
}
