/* forget.c - what a session holds on servers ends: COM_RESET_CONNECTION, COM_CHANGE_USER.
 *
 *   held backends --COM_RESET_CONNECTION--> all have answered --> back to their pools
 *
 * The client's answer waits for the servers': a lock or a transaction that it gives up is
 * gone when it hears so, as on one server. A connection that cannot be reset is closed.
 */
#include "workers/query/leg.h"

static void
reset_answered(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    (void)bytes;
    if (!last)
        return;
    if (result_error(&x->reader, &why)) {
        leg->backend = NULL;
        backend_close(b, &why);
    }
    leg_over(leg, NULL);
}

static void
reset_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b, (void)why;
    leg->backend = NULL;
    if (!leg->q->finished)
        leg_over(leg, NULL);
}

static const struct exchange_ops ops = { .on_bytes = reset_answered, .on_lost = reset_lost };

static void
all_reset(struct query_run *q)
{
    session_was_reset(q->s);
    query_done(q);
}

void
query_forget(struct query_run *q)
{
    struct session *s = q->s;

    q->legs     = arena_alloc(&q->arena, (s->n_held + 1) * sizeof(*q->legs));
    q->all_over = all_reset;
    for (uint32_t i = 0; i < s->n_held; i++) {
        struct backend *b   = s->held[i].backend;
        struct leg     *leg = &q->legs[q->n_legs];
        if (b == NULL)
            continue;
        *leg = (struct leg){ .q = q, .number = q->n_legs, .shard_id = s->held[i].shard_id,
                             .state = LEG_RUNNING, .backend = b };
        q->n_legs++;
        backend_set_schema(b, (struct span){ 0 }); /* its character set is forgotten */
        command_encode(backend_out(b), COM_RESET_CONNECTION);
        backend_expect(b, &leg->x, &ops, RESULT_SIMPLE);
        backend_flush(b);
    }
    if (q->n_legs == 0)
        all_reset(q);
}
