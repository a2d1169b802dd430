/* client_find.c - see find.h. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/client/client.h"
#include "workers/client/find.h"
#include "workers/query/lookup.h"

struct client_find {
    struct query_run *q;
    struct arena      arena;
    struct taking     taking;
    struct stream     sink; /* nobody reads it */
};

bool
client_finds(const struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    return plan->lookup != NULL && plan->kind == PLAN_SCATTER && q->found.n == 0 &&
           (q->command == QUERY_TEXT || (q->command == QUERY_EXECUTE && q->cursor_flags == 0)) &&
           plan_lookup_usable(plan, q->routes->routes, &q->values);
}

void
client_find_free(struct client *c)
{
    struct client_find *k = c->find;

    if (k == NULL)
        return;
    c->find = NULL;
    if (k->q != NULL)
        query_free(k->q);
    buf_fini(&k->sink.out);
    arena_fini(&k->arena);
    free(k);
}

/* A key that cannot be read leaves all shards. */
static void
set_shards(struct query_run *q, const struct taking *t)
{
    const struct routes *r    = q->routes->routes;
    struct shard_set     none = { 0 };

    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t shard;
        if (!plan_lookup_shard(&q->plan->plan, r, t->parts[i], &shard)) {
            q->found = none;
            return;
        }
        shard_set_add(&q->found, shard);
    }
    if (t->n == 0) /* some shard says that there is no row */
        shard_set_add(&q->found, query_any_shard(q));
}

static void
found(struct query_run *finder)
{
    struct client      *c      = finder->owner;
    struct client_find *k      = c->find;
    struct query_run   *q      = k->q;
    struct sql_error    error  = finder->error;
    bool                failed = finder->failed, cut = finder->cut;
    bool                same   = finder->routes == NULL ||
                finder->routes->routes->generation == q->routes->routes->generation;

    c->query = NULL;
    query_free(finder);
    if (c->state == CLIENT_CLOSING)
        return;
    if (cut) {
        client_hang_up(c, COUNTER_CLOSED_BACKEND);
        return;
    }
    k->q = NULL;
    /* What was planned under other routes goes to all shards. */
    if (!failed && same)
        set_shards(q, &k->taking);
    client_find_free(c);
    if (!failed) {
        client_start(c, q);
        return;
    }
    client_take(c, q);
    query_fail(q, &error);
}

static const struct query_ops find_ops = { .done = found, .again = client_again };

void
client_find(struct client *c, struct query_run *q)
{
    struct client_find *k    = mem_alloc(sizeof(*k));
    struct buf          text = { 0 };
    struct sql_error    error;

    *k = (struct client_find){ .q = q };
    if (!query_render_alone(q, &q->plan->plan.lookup->text, &text, &error)) {
        buf_fini(&text);
        free(k);
        client_start(c, q);
        return;
    }
    struct query_run *finder = client_query(c, QUERY_TEXT);
    c->find           = k;
    k->taking         = (struct taking){ .arena = &k->arena, .finds = true };
    k->sink.ring      = c->ctx->ring;
    k->sink.state     = STREAM_OPEN;
    finder->text      = arena_copy(&k->arena, buf_unread(&text));
    finder->values.text = finder->text;
    finder->one_off   = finder->ours = finder->silent = true;
    finder->seq       = 1;
    finder->ops       = &find_ops;
    finder->client    = &k->sink;
    finder->taking    = &k->taking;
    finder->plan      = client_find_plan(c, finder, finder->text, false);
    buf_fini(&text);
    client_start(c, finder);
}
