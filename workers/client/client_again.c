/* client_again.c - statements that waited for rows to move are planned anew; transactions that
 * are in the way of a move end.
 *
 * What a client's statement was made of is still there: its text, its parameters, the schema
 * it runs in. Only the plan is another one, and may be of another kind.
 */
#include "workers/client/client.h"
#include "workers/query/park.h"

void
client_plan_anew(struct client *c, struct query_run *q)
{
    uint32_t n_params = q->values.n_params;
    bool     prepared = q->command == QUERY_EXECUTE || q->command == QUERY_NAMED ||
                    q->command == QUERY_PREPARE;

    q->plan            = client_find_plan(c, q, q->values.text, prepared);
    q->values.n_params = n_params;
    if (q->command == QUERY_NAMED)
        client_named_fit(c, q);
}

void
client_elsewhere(struct query_run *q)
{
    struct client *c = q->owner;

    plan_ref_release(q->plan);
    client_plan_anew(c, q);
    if (client_applies(q)) {
        c->query = NULL;
        client_apply(c, q);
    } else
        query_again(q);
}

void
client_again(struct query_run *q)
{
    struct client *c = q->owner;

    q->routes = routes_hold(c->ctx);
    q->owning = NULL;
    if (q->command == QUERY_OTHER) {
        query_again(q);
        return;
    }
    client_owned(q);
}

void
client_owned(struct query_run *q)
{
    struct client *c = q->owner;

    q->found = (struct shard_set){ 0 };
    client_plan_anew(c, q);
    if (client_refuses_past(c, q))
        return;
    if (q->plan->plan.kind == PLAN_ONCE && c->once == NULL && c->bulk == NULL) {
        c->query = NULL;
        client_once(c, q);
    } else if (client_applies(q) && c->apply == NULL && c->bulk == NULL) {
        c->query = NULL;
        client_apply(c, q);
    } else
        query_again(q);
}

/* --- transactions that are in the way -------------------------------------- */

/* As after a deadlock: all of it is undone, and the next statement hears that, unless this one
 * does. A commit that has begun goes on. */
static void
cut(struct client *c)
{
    struct session  *s   = &c->session;
    bool             ran = c->query != NULL;
    struct sql_error why;

    if (ran && c->query->committing != NULL)
        return;
    slot_count(c->ctx->slot, COUNTER_FENCE_CUTS);
    park_explain_cut(&why);
    if (ran)
        query_kill(c->query, &why);
    if (c->state == CLIENT_CLOSING || c->query != NULL)
        return; /* what it had sent behind that fails: the transaction is broken */
    session_abort(s);
    if (s->pins.set != 0 && park_is_old(s, c->ctx->routes->routes))
        session_unpin(s);
    s->cut = !ran;
}

bool
client_any_old(struct context *ctx)
{
    const struct routes *r   = ctx->routes->routes;
    bool                 any = false;

    if (!r->fenced)
        return false;
    LIST_EACH_SAFE(at, &ctx->clients) {
        struct client *c = container_of(at, struct client, node);
        if (c->session.n_held == 0 || !park_is_old(&c->session, r))
            continue;
        if (r->cut)
            cut(c);
        any = any || park_is_old(&c->session, r);
        if (any && !r->cut)
            break;
    }
    return any;
}

uint32_t
client_n_eased(const struct context *ctx)
{
    uint32_t n = 0;

    LIST_EACH(at, &ctx->clients)
        n += park_is_eased(&container_of(at, struct client, node)->session, ctx->routes->routes);
    return n;
}
