/* sequence.c - see sequence.h. */
#include "workers/query/sequence.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/backend/backend.h"

enum { BLOCK_MIN = 16, BLOCK_MAX = 4096, ERR_READ_AUTO_INCREMENT = 1467, ERR_OUT_OF_RANGE = 1690 };

struct sequence {
    struct sequence   *next;
    struct context    *ctx;
    uint64_t           id;
    uint32_t           shard_id;
    uint64_t           at, end;  /* numbers in hand: [at, end) */
    uint64_t           high;     /* every number below was taken from the row, by us or others */
    uint32_t           block;    /* how many to take next time */
    struct list        requests; /* the first one is being served */
    bool               asking;
    bool               raising;
    uint64_t           raise_to; /* the next number of the row, at least */
    bool               fresh;    /* what is being taken is for the first request alone */
    uint32_t           taking;   /* numbers asked for by the statement under way */
    struct pool_waiter waiter;
    struct backend    *backend;
    struct exchange    x;
};

struct sequences {
    struct sequence *first;
};

static void serve(struct sequence *s);

static struct sequence *
sequence_get(struct context *ctx, uint64_t id, uint32_t shard_id)
{
    if (ctx->sequences == NULL)
        ctx->sequences = mem_alloc(sizeof(*ctx->sequences));
    for (struct sequence *s = ctx->sequences->first; s != NULL; s = s->next)
        if (s->id == id) {
            if (!s->asking)
                s->shard_id = shard_id; /* the row moves with its database's home */
            return s;
        }
    struct sequence *s = mem_alloc(sizeof(*s));

    s->ctx      = ctx;
    s->id       = id;
    s->shard_id = shard_id;
    s->block    = BLOCK_MIN;
    s->next     = ctx->sequences->first;
    list_init(&s->requests);
    ctx->sequences->first = s;
    return s;
}

static struct sequence_request *
front(struct sequence *s)
{
    return list_empty(&s->requests)
               ? NULL
               : container_of(s->requests.next, struct sequence_request, node);
}

static void
answer(struct sequence *s, uint64_t first, const struct sql_error *error)
{
    struct sequence_request *r = front(s);

    if (r == NULL)
        return;
    list_remove(&r->node);
    r->ready(r, first, error);
}

static void
failed(struct sequence *s, const struct sql_error *why)
{
    s->asking = false;
    answer(s, 0, why);
    serve(s);
}

/* A block lies behind what is in hand when nobody else took one in between. */
static void
took(struct sequence *s, uint64_t first)
{
    slot_count(s->ctx->slot, COUNTER_SEQUENCE_BLOCKS);
    if (s->fresh) {
        /* Whoever asked may have gone; the next one asks for itself. */
        const struct sequence_request *r = front(s);
        if (r != NULL && r->fresh && r->count <= s->taking)
            answer(s, first, NULL);
        return;
    }
    if (s->at == s->end || first != s->end)
        s->at = first;
    s->end  = first + s->taking;
    s->high = s->end;
    if (s->block < BLOCK_MAX)
        s->block *= 2;
}

static void
raised(struct sequence *s)
{
    s->at = s->end = 0;
    s->high = s->raise_to;
}

static void
on_answer(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct sequence *s = container_of(x, struct sequence, x);
    struct sql_error why;

    (void)bytes;
    if (!last)
        return;
    s->backend = NULL;
    if (result_error(&x->reader, &why)) {
        if (why.code == ERR_OUT_OF_RANGE && !s->raising)
            sql_error_set(&why, ERR_READ_AUTO_INCREMENT,
                          "Failed to read auto-increment value from storage engine");
        pool_release(b);
        failed(s, &why);
        return;
    }
    if (!s->raising && x->reader.affected_rows != 1) {
        sql_error_set(&why, ERR_READ_AUTO_INCREMENT, "shardd: sequence %llu has no row on %s: "
                      "run shardctl fsck", (unsigned long long)s->id,
                      backend_name(s->ctx, s->shard_id));
        pool_release(b);
        failed(s, &why);
        return;
    }
    if (s->raising)
        raised(s);
    else
        took(s, x->reader.insert_id);
    s->asking = false;
    pool_release(b);
    serve(s);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct sequence *s = container_of(x, struct sequence, x);

    (void)b;
    s->backend = NULL;
    failed(s, why);
}

static const struct exchange_ops ops = { .on_bytes = on_answer, .on_lost = on_lost };

static void
say(struct sequence *s)
{
    char text[192];

    if (s->raising)
        snprintf(text, sizeof(text), "UPDATE shardd.sequence SET next_value = "
                 "GREATEST(next_value, %llu) WHERE id = %llu",
                 (unsigned long long)s->raise_to, (unsigned long long)s->id);
    else
        snprintf(text, sizeof(text), "UPDATE shardd.sequence SET next_value = "
                 "LAST_INSERT_ID(next_value) + %u WHERE id = %llu", s->taking,
                 (unsigned long long)s->id);
    backend_send(s->backend, COM_QUERY, span_of(text), &s->x, &ops);
}

static void
got_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    struct sequence *s = container_of(w, struct sequence, waiter);

    if (b == NULL) {
        failed(s, why);
        return;
    }
    s->backend = b;
    say(s);
}

static void
ask(struct sequence *s)
{
    s->asking           = true;
    s->waiter.ready     = got_backend;
    s->waiter.vars_hash = 0;
    s->waiter.schema    = (struct span){ 0 };

    struct backend *b = pool_acquire(pool_service(s->ctx, s->shard_id), &s->waiter);
    if (b != NULL)
        got_backend(&s->waiter, b, NULL);
}

/* What the request brings along must never be handed out again. */
static bool
must_raise(struct sequence *s, const struct sequence_request *r)
{
    if (r->above == 0)
        return false;
    if (r->above >= s->high)
        return s->high != UINT64_MAX; /* there is none behind the greatest */
    if (r->above >= s->at && r->above < s->end)
        s->at = r->above + 1;
    return false;
}

static void
serve(struct sequence *s)
{
    struct sequence_request *r;

    while (!s->asking && (r = front(s)) != NULL) {
        s->raising = must_raise(s, r);
        if (s->raising) {
            s->raise_to = r->above == UINT64_MAX ? UINT64_MAX : r->above + 1;
            ask(s);
            return;
        }
        s->fresh = r->fresh && r->count != 0;
        if (s->fresh || s->end - s->at < r->count) {
            s->taking = s->fresh || r->count > s->block ? r->count : s->block;
            ask(s);
            return;
        }
        uint64_t first = s->at;
        s->at += r->count;
        answer(s, first, NULL);
    }
}

void
sequence_ask(struct context *ctx, struct sequence_request *r)
{
    struct sequence *s = sequence_get(ctx, r->sequence, r->shard_id);

    list_init(&r->node);
    list_append(&s->requests, &r->node);
    serve(s);
}

bool
sequence_in_hand(const struct context *ctx, const struct sequence_request *r)
{
    const struct sequence *s = ctx->sequences != NULL ? ctx->sequences->first : NULL;

    while (s != NULL && s->id != r->sequence)
        s = s->next;
    return s != NULL && !s->asking && list_empty(&s->requests) && r->above < s->high &&
           (r->count == 0 || (!r->fresh && s->end - s->at >= r->count &&
                              (r->above < s->at || s->end - r->above > r->count)));
}

bool
sequence_asks_fenced(const struct context *ctx, const struct routes *routes)
{
    const struct sequence *s = ctx->sequences != NULL ? ctx->sequences->first : NULL;

    for (; s != NULL; s = s->next) {
        const struct route_shard *shard = s->asking ? routes_server(routes, s->shard_id) : NULL;
        if (shard != NULL && shard->fenced)
            return true;
    }
    return false;
}

void
sequence_drop_block(struct context *ctx, uint64_t sequence)
{
    struct sequence *s = ctx->sequences != NULL ? ctx->sequences->first : NULL;

    while (s != NULL && s->id != sequence)
        s = s->next;
    if (s != NULL)
        s->at = s->end;
}

void
sequence_forget(struct sequence_request *r)
{
    if (r->node.next != NULL)
        list_remove(&r->node);
}
