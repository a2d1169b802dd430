/* together.c - see together.h. */
#include "workers/query/together.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "workers/query/limits.h"
#include "workers/query/park.h"

enum { BUCKETS = 256, TEXT_MAX = 16 << 10, ANSWER_MAX = 256 << 10 };

/* Equal reads. The one that runs answers into `sink`; `served` wait for its answer, `waiting`
 * came too late for it. */
struct joined {
    struct list       node;
    uint64_t          hash;
    struct query_run *runs;
    struct list       served, waiting; /* query_run.with */
    struct list       large; /* in together.large, or alone */
    struct stream     sink;
    struct stream    *client; /* where the answer of the one that runs goes in the end */
};

struct together {
    struct list bucket[BUCKETS];
    struct list large;    /* joined.large: answers that become their client's in the next turn */
    struct list starting; /* query_run.with: begin anew, or are done, in the next turn */
    struct task task;
};

static struct query_run *
of_list(struct list *at)
{
    return container_of(at, struct query_run, with);
}

/* --- who is equal --------------------------------------------------------- */

static bool
may_join(const struct query_run *q)
{
    const struct session *s = q->s;

    if (q->command != QUERY_TEXT || q->plan == NULL || !q->plan->plan.stateless ||
        q->ops->again == NULL || q->joins_nobody || q->limit_ms != 0 || q->fixed_s != 0)
        return false;
    if (s->in_txn || !s->autocommit || s->pins.set != 0 || s->n_held != 0 ||
        s->next_transaction != NULL || s->only_key != NULL || query_counts_rows(q) ||
        s->seen != NULL)
        return false;
    return !q->more && !q->quiet && !q->silent && q->seq == 1 && !q->keeps_diagnostics &&
           q->values.text.len <= TEXT_MAX;
}

static bool
same_settings(const struct vars *a, const struct vars *b)
{
    if (a->hash != b->hash || a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!span_equal(vars_nth(a, i), vars_nth(b, i)))
            return false;
    return true;
}

static bool
same_name(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
equal(const struct query_run *left, const struct query_run *right)
{
    const struct session *a = left->s, *b = right->s;

    return span_equal(left->values.text, right->values.text) && same_name(a->user, b->user) &&
           same_name(a->schema, b->schema) && a->capabilities == b->capabilities &&
           left->consistency == right->consistency && a->charset == b->charset &&
           a->collation == b->collation &&
           a->own_snapshot_reads == b->own_snapshot_reads && same_settings(&a->vars, &b->vars);
}

/* --- lists ---------------------------------------------------------------- */

static void run_later(struct task *task);

static struct together *
together_of(struct context *ctx)
{
    if (ctx->together != NULL)
        return ctx->together;
    ctx->together = mem_alloc(sizeof(*ctx->together));
    for (int i = 0; i < BUCKETS; i++)
        list_init(&ctx->together->bucket[i]);
    list_init(&ctx->together->large);
    list_init(&ctx->together->starting);
    task_init(&ctx->together->task, run_later);
    return ctx->together;
}

static struct joined *
find(struct together *t, const struct query_run *q, uint64_t hash)
{
    LIST_EACH(at, &t->bucket[hash % BUCKETS]) {
        struct joined *j = container_of(at, struct joined, node);
        if (j->hash == hash && equal(j->runs, q))
            return j;
    }
    return NULL;
}

static void
forget(struct joined *j)
{
    list_remove(&j->node);
    list_remove(&j->large);
    buf_fini(&j->sink.out);
    free(j);
}

/* It holds no routes while it waits, so that new ones need not wait for it. */
static void
wait_for(struct query_run *q, struct joined *j)
{
    park_forget_route(q);
    q->joined = j;
    q->waits  = true;
    list_append(&j->waiting, &q->with);
}

static void
start_later(struct query_run *q)
{
    struct together *t = together_of(q->ctx);

    q->waits = true; /* for its turn */
    list_append(&t->starting, &q->with);
    ring_post(q->ctx->ring, &t->task);
}

static void
start_all(struct together *t)
{
    struct list now;

    list_init(&now);
    while (!list_empty(&t->starting)) {
        struct list *at = t->starting.next;
        list_remove(at);
        list_append(&now, at);
    }
    while (!list_empty(&now)) {
        struct query_run *q = of_list(now.next);
        list_remove(&q->with);
        q->waits = false;
        if (q->served) {
            query_flush(q);
            query_done(q);
        } else
            q->ops->again(q);
    }
}

/* --- the one that runs ---------------------------------------------------- */

static void
capture(struct joined *j, struct query_run *q)
{
    j->runs       = q;
    j->client     = q->client;
    j->sink.ring  = q->ctx->ring;
    j->sink.state = STREAM_OPEN;
    q->joined     = j;
    q->client     = &j->sink;
    q->silent     = true;
}

/* What it has answered so far is its client's, and so is the rest. */
static void
release(struct joined *j)
{
    struct query_run *q = j->runs;

    q->client = j->client;
    q->silent = false;
    q->joined = NULL;
    buf_append_span(stream_out(q->client), buf_unread(&j->sink.out));
    buf_clear(&j->sink.out);
}

static void
each_for_itself(struct list *list)
{
    while (!list_empty(list)) {
        struct query_run *q = of_list(list->next);
        list_remove(&q->with);
        q->joins_nobody = true;
        start_later(q);
        q->joined = NULL;
    }
}

static void
let_go(struct joined *j)
{
    struct query_run *q = j->runs;

    release(j);
    each_for_itself(&j->served);
    each_for_itself(&j->waiting);
    forget(j);
    query_flush(q);
}

static void
run_later(struct task *task)
{
    struct together *t = container_of(task, struct together, task);

    while (!list_empty(&t->large))
        let_go(container_of(t->large.next, struct joined, large));
    start_all(t);
}

/* The first of those who wait runs for all of them; nobody else is added to these. */
static void
next(struct joined *j)
{
    list_remove(&j->large);
    list_init(&j->large);
    if (list_empty(&j->waiting)) {
        forget(j);
        return;
    }
    struct query_run *q = of_list(j->waiting.next);
    list_remove(&q->with);
    while (!list_empty(&j->waiting)) {
        struct list *at = j->waiting.next;
        list_remove(at);
        list_append(&j->served, at);
    }
    capture(j, q);
    start_later(q);
}

bool
together_joins(struct query_run *q)
{
    if (q->joined != NULL || !q->ctx->conf.join_reads || !may_join(q))
        return false;
    struct together *t    = together_of(q->ctx);
    uint64_t         hash = XXH3_64bits(q->values.text.ptr, q->values.text.len);
    struct joined   *j    = find(t, q, hash);
    if (j != NULL) {
        wait_for(q, j);
        return true;
    }
    j       = mem_alloc(sizeof(*j));
    j->hash = hash;
    list_init(&j->served);
    list_init(&j->waiting);
    list_init(&j->large);
    list_append(&t->bucket[hash % BUCKETS], &j->node);
    capture(j, q);
    return false;
}

void
together_grown(struct query_run *q)
{
    struct joined *j = q->joined;

    if (j == NULL || buf_len(&j->sink.out) <= ANSWER_MAX || !list_empty(&j->large))
        return;
    list_append(&together_of(q->ctx)->large, &j->large); /* whoever flushes may go on writing */
    ring_post(q->ctx->ring, &q->ctx->together->task);
}

/* --- the end -------------------------------------------------------------- */

/* It is done in a turn of its own: what its client says next may be about any other. */
static void
serve(struct query_run *q, const struct session *from, struct span answer)
{
    q->joined = NULL;
    q->served = true;
    q->routes = routes_hold(q->ctx);
    q->s->found_rows = from->found_rows;
    q->s->row_count  = from->row_count;
    slot_count(q->ctx->slot, COUNTER_JOINED_READS);
    buf_append_span(stream_out(q->client), answer);
    start_later(q);
}

static bool
is_for_all(const struct query_run *q)
{
    return !q->failed && !q->cut && !q->stopped && q->error.code == 0 && q->s->warnings == 0 &&
           q->answered && q->n_legs != 0 && !q->s->in_txn;
}

void
together_done(struct query_run *q)
{
    struct joined *j = q->joined;

    if (j == NULL || j->runs != q)
        return;
    if (!is_for_all(q) || buf_len(&j->sink.out) == 0)
        each_for_itself(&j->served);
    while (!list_empty(&j->served)) {
        struct query_run *other = of_list(j->served.next);
        list_remove(&other->with);
        serve(other, q->s, buf_unread(&j->sink.out));
    }
    release(j);
    query_flush(q);
    next(j);
}

void
together_take_back(struct query_run *q)
{
    struct joined *j = q->joined;

    if (j == NULL || j->runs != q)
        return;
    buf_clear(&j->sink.out);
    q->answered = false;
    q->seq      = 1;
}

void
together_leave(struct query_run *q)
{
    struct joined *j = q->joined;

    if (q->waits) {
        list_remove(&q->with);
        q->waits  = false;
        q->routes = q->routes != NULL ? q->routes : routes_hold(q->ctx);
    }
    if (j != NULL && j->runs == q) {
        buf_clear(&j->sink.out);
        release(j);
        each_for_itself(&j->served);
        next(j);
    }
    q->joined = NULL;
}
