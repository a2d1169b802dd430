/* lookup.c - see lookup.h. */
#include "workers/query/lookup.h"

#include "core/mysql/row.h"
#include "workers/query/leg.h"

#define ARM  "SET @`shardd lookup` = x''"
#define TAKE "SET STATEMENT sql_select_limit = 18446744073709551615" \
             " FOR SELECT CAST(@`shardd lookup` AS BINARY)"

/* --- before the statement -------------------------------------------------- */

/* What travels behind it must not run when it failed: nobody would be told. */
static void
armed(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct sql_error why;

    (void)bytes;
    if (last && result_error(&x->reader, &why))
        backend_close(b, &why);
}

static void
arm_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)x, (void)b, (void)why; /* the statement behind it hears the same */
}

static const struct exchange_ops arm_ops = { .on_bytes = armed, .on_lost = arm_lost };

bool
lookup_arm(struct leg *leg)
{
    const struct query_run *q = leg->q;
    struct held            *h = session_held(q->s, leg->shard_id);

    if (!q->keeps_lookups || leg->is_engine || h == NULL)
        return false;
    h->armed = true;
    backend_send(leg->backend, COM_QUERY, SPAN(ARM), &leg->arm, &arm_ops);
    return false;
}

/* --- behind it ------------------------------------------------------------- */

static void
keep(struct taking *t, struct span bytes)
{
    if (t->n == t->cap) {
        uint32_t     cap  = t->cap == 0 ? 16 : 2 * t->cap;
        struct span *more = arena_alloc(t->arena, cap * sizeof(*more));
        if (t->n > 0)
            memcpy(more, t->parts, t->n * sizeof(*more));
        t->parts = more;
        t->cap   = cap;
    }
    t->parts[t->n++] = arena_copy(t->arena, bytes);
}

static void
take_row(struct leg *leg, struct span payload)
{
    struct cell cell;

    if (!row_text_decode(payload, 1, &cell))
        sql_error_set(&leg->error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable row");
    else if (cell.is_null)
        sql_error_set(&leg->error, SQL_NOT_SUPPORTED, "shardd: the statement changes more rows of "
                      "a table with a lookup than can be followed at once: change them in parts, "
                      "of some thousands");
    else if (cell.bytes.len != 0)
        keep(leg->q->taking, cell.bytes);
}

static void
told(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    if (m->kind == RESULT_IS_ROW)
        take_row(leg, m->message.payload);
    else if (m->kind == RESULT_IS_ERR && !reply_err_decode(m->message.payload, &leg->error))
        sql_error_set(&leg->error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
    if (!last)
        return;
    struct sql_error why = leg->error;
    leg_over(leg, why.code != 0 ? &why : NULL);
}

static const struct exchange_ops take_ops = { .on_message = told, .on_lost = leg_lost };

static void
ask(struct leg *leg)
{
    backend_send(leg->backend, COM_QUERY, SPAN(TAKE), &leg->x, &take_ops);
}

static void
all_told(struct query_run *q)
{
    if (q->failed)
        query_fail(q, &q->error);
    else
        query_ok(q, 0, 0, 0, (struct span){ 0 });
}

static void
start(struct query_run *q, const struct shard_set *shards, void (*ready)(struct leg *leg))
{
    legs_make(q, shards);
    q->leg_ready = ready;
    q->all_over  = all_told;
    for (uint32_t i = 0; i < q->n_legs; i++)
        leg_start(&q->legs[i]);
}

void
lookup_take(struct query_run *q)
{
    const struct routes *r      = q->routes->routes;
    struct session      *s      = q->s;
    struct shard_set     shards = { 0 };

    for (uint32_t i = 0; i < r->n_shards; i++) {
        struct held *h = session_held(s, r->shards[i].id);
        if (h == NULL || !h->armed)
            continue;
        h->armed = false;
        shard_set_add(&shards, i);
    }
    if (shards.n == 0) {
        query_ok(q, 0, 0, 0, (struct span){ 0 });
        return;
    }
    start(q, &shards, ask);
}

static void
find(struct leg *leg)
{
    leg_send(leg, &take_ops);
}

void
lookup_find(struct query_run *q)
{
    struct shard_set shards;
    struct sql_error error;

    if (plan_route(&q->plan->plan, q->routes->routes, &q->values, query_any_shard(q), &shards,
                   &error))
        start(q, &shards, find);
    else
        query_fail(q, &error);
}
