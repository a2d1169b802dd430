/* replica.c - see replica.h. */
#include "workers/query/replica.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/hedge.h"
#include "workers/query/seen.h"

/* How often a causal session waits for a replica, at most. Sessions that write every fourth
 * statement read from replicas, and take for a statement (10.11, 2 CPUs): at 0 ms 68 % and 1.5
 * times as long as at 500 ms, at 20 ms 45 % and 1.3 times, at 100 ms 9 % and 1.1 times, at 500 ms
 * 2 %. Those that write now and then read 99 % there, whatever it is. */
enum { WAIT_PAUSE_US = 100000 };

enum { RETRIES = 2, ERR_READ_ONLY = 1792 /* ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION */ };

/* --- what is asked for --------------------------------------------------------- */

static enum consistency
by_default(const struct session *s, const struct routes *r)
{
    uint32_t user, database;

    user = routes_user(r, span_of(s->user));
    if (user != ROUTES_NONE && r->users[user].consistency != CONSISTENCY_UNSET)
        return (enum consistency)r->users[user].consistency;
    database = s->schema != NULL ? routes_database(r, span_of(s->schema)) : ROUTES_NONE;
    if (database != ROUTES_NONE && r->databases[database].consistency != CONSISTENCY_UNSET)
        return (enum consistency)r->databases[database].consistency;
    return CONSISTENCY_STRONG;
}

enum consistency
session_consistency(struct session *s, const struct routes *r)
{
    if (s->own_consistency != CONSISTENCY_UNSET)
        return (enum consistency)s->own_consistency;
    if (s->default_generation != r->generation || s->default_users != r->users_generation) {
        s->default_consistency = (uint8_t)by_default(s, r);
        s->default_generation  = r->generation;
        s->default_users       = r->users_generation;
    }
    return (enum consistency)s->default_consistency;
}

void
replica_track(struct session *s)
{
    if (s->seen != NULL)
        return;
    s->seen = mem_alloc(sizeof(*s->seen));
    if (s->touched)
        seen_note_all(s->seen); /* of what was before nothing is known */
}

void
replica_take(struct query_run *q)
{
    struct session *s = q->s;

    q->consistency = q->plan->plan.consistency != CONSISTENCY_UNSET
                         ? q->plan->plan.consistency
                         : session_consistency(s, q->routes->routes);
    if (q->consistency != CONSISTENCY_CAUSAL)
        return;
    replica_track(s);
    q->may_wait = ring_now_us(q->ctx->ring) >= s->seen->asked_us + WAIT_PAUSE_US;
}

const char *
replica_refuses(const struct session *s, const struct plan *plan, enum consistency c)
{
    bool read_only = s->in_txn ? s->read_only : session_is_read_only(s);

    if (c <= CONSISTENCY_STRONG)
        return "consistency is strong";
    if (plan->primary_why != NULL)
        return plan->primary_why;
    if (s->in_txn && (s->implicit || s->snapshot))
        return "it is part of a snapshot of all shards";
    if ((s->in_txn || !s->autocommit) && !read_only)
        return "its transaction is not READ ONLY";
    if (s->pins.set != 0)
        return "something ties the session to its connections";
    if (!s->in_txn && s->next_transaction != NULL)
        return "SET TRANSACTION was said before it";
    return NULL;
}

static bool
may_have_one(const struct query_run *q)
{
    const struct session *s = q->s;

    return (q->command == QUERY_TEXT || q->command == QUERY_EXECUTE) && q->plan != NULL &&
           (s->in_txn || s->n_held == 0) && q->fixed_s == 0 &&
           replica_refuses(s, &q->plan->plan, q->consistency) == NULL;
}

bool
replica_forbids(struct query_run *q)
{
    const struct plan *plan   = &q->plan->plan;
    bool               writes = plan->is_write || plan->insert != NULL || plan->load != NULL;

    if (!q->s->on_replicas || q->command == QUERY_PREPARE || plan->kind == PLAN_TXN ||
        plan->kind == PLAN_SHARDD || plan->implicit_commit)
        return false;
    if (writes) {
        query_refuse(q, ERR_READ_ONLY, "Cannot execute statement in a READ ONLY transaction");
        return true;
    }
    bool stronger = plan->consistency != CONSISTENCY_UNSET && plan->consistency < q->s->on_replicas;
    if (plan->pin == PIN_NONE && !plan->locks && !plan->opaque && !stronger &&
        (plan->kind == PLAN_SET || !plan->assigns))
        return false;
    query_refuse(q, SQL_NOT_SUPPORTED, "shardd: the transaction reads from a replica, which cannot "
                 "do this for the shard: SET shardd_consistency = 'strong' before such a "
                 "transaction, or end it first");
    return true;
}

/* --- where it goes ---------------------------------------------------------------- */

static struct server *
choose(const struct leg *leg, struct server *skip)
{
    struct query_run  *q    = leg->q;
    struct server_wish wish = { .skip = skip };
    uint32_t           id   = q->routes->routes->shards[leg->shard].id;

    if (q->consistency == CONSISTENCY_CAUSAL)
        seen_wish(q->s->seen, id, &wish);
    return servers_choose(q->ctx, id, &wish);
}

struct server *
replica_other(const struct leg *leg)
{
    return choose(leg, leg->use.server);
}

static void
go_to(struct leg *leg, struct server *server)
{
    const struct routes *r = leg->q->routes->routes;

    leg->shard_id = server != NULL ? server->id : r->shards[leg->shard].id;
    if (server != NULL)
        server_begin(&leg->use, server);
}

static void
start(struct leg *leg, struct server *server)
{
    slot_count(leg->q->ctx->slot, server != NULL ? COUNTER_READS_REPLICA : COUNTER_READS_PRIMARY);
    go_to(leg, server);
    if (server != NULL)
        hedge_arm(leg);
    leg_start(leg);
}

static void
told(struct server_ask *ask)
{
    struct leg *leg = container_of(ask, struct leg, ask);

    start(leg, choose(leg, NULL));
}

/* For a session that no replica is good enough for, one may soon be. */
static bool
waits(struct leg *leg)
{
    struct query_run *q = leg->q;

    if (!q->may_wait)
        return false;
    leg->ask.told = told;
    if (!servers_ask(q->ctx, leg->shard_id, &leg->ask))
        return false;
    q->s->seen->asked_us = ring_now_us(q->ctx->ring);
    leg->state           = LEG_WAITING;
    return true;
}

/* The transaction is on some server of the shard already. */
static bool
is_settled(struct leg *leg)
{
    struct query_run *q  = leg->q;
    uint32_t          id = q->routes->routes->shards[leg->shard].id;

    if (!q->s->in_txn)
        return false;
    if (leg->shard_id == id)
        return session_held(q->s, id) != NULL;
    struct server *server = servers_find(q->ctx, id, leg->shard_id);
    if (server != NULL)
        server_begin(&leg->use, server);
    return true;
}

void
replica_start(struct leg *leg)
{
    struct query_run *q      = leg->q;
    struct server    *server = NULL;

    if (is_settled(leg) || q->consistency <= CONSISTENCY_STRONG || !may_have_one(q)) {
        leg_start(leg);
        return;
    }
    server = choose(leg, NULL);
    if (server != NULL || !waits(leg))
        start(leg, server);
}

/* --- what goes wrong ----------------------------------------------------------------- */

/* Errors that are the server's and not the statement's. */
static bool
is_trouble(uint16_t code)
{
    static const uint16_t codes[] = {
        0, 1021, 1030, 1036, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1079, 1080, 1105, 1114,
        1152, 1158, 1159, 1160, 1161, 1184, 1194, 1195, 1203, 1205, 1226, 1290, 1429, 1430, 1927,
        2006, 2013,
    };

    for (size_t i = 0; i < countof(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Somebody wanted it to end. */
static bool
is_final(uint16_t code)
{
    return code == 1317 || code == 1969 || code == 3024;
}

/* What a replica says of tables may be of a moment ago, and its own trouble looks like anything: an
 * error counts when another server says it as well. */
bool
replica_again(struct leg *leg, uint16_t code)
{
    struct query_run *q       = leg->q;
    struct server    *failed  = leg->use.server;
    struct server    *next    = NULL;
    bool              trouble = is_trouble(code);

    if (failed == NULL || session_held(q->s, leg->shard_id) != NULL || leg->heard ||
        (q->answered && q->merging == NULL) || q->finished || q->stopped ||
        leg->n_retries >= RETRIES || is_final(code))
        return false;
    if (trouble && !servers_may_retry(q->ctx))
        return false;
    hedge_end(q);
    if (trouble && leg->n_retries == 0)
        next = choose(leg, failed);
    if (trouble)
        server_end(&leg->use, SERVER_BADLY, false);
    else if (leg->suspect.server == NULL) {
        leg->suspect = leg->use;
        leg->use     = (struct server_use){ 0 };
    } else
        server_end(&leg->use, SERVER_UNSAID, false);
    leg->n_retries++;
    slot_count(q->ctx->slot, COUNTER_RETRIES);
    if (leg->backend != NULL)
        pool_release(leg->backend);
    leg->backend = NULL;
    go_to(leg, next);
    leg->state            = LEG_NEW;
    leg->lost             = false;
    leg->counters         = NULL;
    leg->waiter.may_share = false;
    buf_fini(&leg->answer);
    leg_start(leg);
    return true;
}

/* --- the end --------------------------------------------------------------------------- */

enum server_outcome
replica_outcome(uint16_t error)
{
    return error != 0 && is_trouble(error) ? SERVER_BADLY : SERVER_WELL;
}

static enum server_outcome
outcome(const struct leg *leg)
{
    if (!leg->ok)
        return leg->q->finished || leg->q->stopped ? SERVER_UNSAID : SERVER_BADLY;
    return replica_outcome(leg->x.reader.error);
}

/* What is not for a replica by itself may run on the transaction's. */
static void
note_seen(const struct leg *leg)
{
    const struct query_run *q = leg->q;
    const struct held      *h = session_held(q->s, leg->shard_id);
    uint32_t                id = h != NULL ? h->of : leg->shard_id;

    if (leg->use.server != NULL)
        id = q->routes->routes->shards[leg->shard].id;
    seen_note(q->s->seen, id, leg->use.server);
}

void
replica_over(struct leg *leg)
{
    struct query_run *q = leg->q;

    if (q->s->seen != NULL && !leg->is_engine &&
        (leg->use.server == NULL || q->consistency == CONSISTENCY_CAUSAL))
        note_seen(leg);
    bool other_well = leg->ok && leg->x.reader.error == 0;
    server_end(&leg->use, outcome(leg), !q->slowed);
    server_end(&leg->suspect, other_well ? SERVER_BADLY : SERVER_UNSAID, false);
}

void
replica_blame(struct leg *leg, uint16_t code)
{
    server_end(&leg->use, is_trouble(code) ? SERVER_BADLY : SERVER_UNSAID, false);
}

void
replica_drop(struct leg *leg)
{
    servers_forget(&leg->ask);
    server_end(&leg->use, SERVER_UNSAID, false);
    server_end(&leg->suspect, SERVER_UNSAID, false);
}

void
replica_changed(struct session *s)
{
    s->touched = true;
    if (s->seen != NULL)
        seen_note_all(s->seen);
}

void
replica_committed(struct session *s, uint32_t shard_id)
{
    if (s->seen != NULL)
        seen_note(s->seen, shard_id, NULL);
}
