/* client_limits.c - how many connections a user may have, and how long a client may idle,
 * ask and keep a transaction.
 *
 *   commands --(touch nothing)--> timer fires --look--> due: act
 *                                      ^           \--> else: sleep on
 *                                      +-----------------+
 *
 * One timer per client: it is not started by each command, but sleeps until the next
 * deadline that there could be, and looks then what is really due.
 */
#include "core/base/memory.h"
#include "workers/client/client.h"
#include "workers/query/limits.h"

enum {
    ERR_TOO_MANY  = 1203, /* ER_TOO_MANY_USER_CONNECTIONS */
    ERR_RATE      = 1226, /* ER_USER_LIMIT_REACHED */
    ERR_KILLED    = 1927, /* ER_CONNECTION_KILLED */
    ERR_TIMEOUT   = 1969, /* ER_STATEMENT_TIMEOUT */
    ERR_IDLE      = 4031, /* ER_CLIENT_INTERACTION_TIMEOUT, MySQL's */
    NEVER_MS      = 60000, /* without limits: look again in case the settings change */
    GRACE_MS      = 1000,  /* for a server to end a statement by itself */
    AGAIN_MS      = 100,
};

/* --- connections ---------------------------------------------------------- */

bool
client_count(struct client *c, const struct route_user *user, struct sql_error *error)
{
    struct context   *ctx = c->ctx;
    uint64_t          key = user_key(user->name);
    uint64_t          most = user->limit[LIMIT_CONNECTIONS];
    uint64_t          rate = user->limit[LIMIT_CONNECTION_RATE];
    struct user_count count;

    if (!slot_user_enter(ctx->slots, ctx->slot, key, slots_now_ms(), &count)) {
        if (most == 0 && rate == 0)
            return true;
        slot_count(ctx->slot, COUNTER_REFUSED_USER_LIMIT);
        return sql_error_set(error, ERR_TOO_MANY, "shardd: the connections of user %s cannot be "
                             "counted: %d users are connected already", c->session.user,
                             SLOT_USERS);
    }
    bool many = most != 0 && count.connections > most;
    if (!many && (rate == 0 || count.per_second <= rate)) {
        c->user_key = key;
        return true;
    }
    slot_user_leave(ctx->slot, key, true);
    if (many) {
        slot_count(ctx->slot, COUNTER_REFUSED_USER_LIMIT);
        return sql_error_set(error, ERR_TOO_MANY, "User %s already has more than "
                             "'max_user_connections' active connections", c->session.user);
    }
    slot_count(ctx->slot, COUNTER_REFUSED_USER_RATE);
    return sql_error_set(error, ERR_RATE, "User '%s' has exceeded the 'connection_rate' resource "
                         "(current value: %llu) (shardd: new connections per second)",
                         c->session.user, (unsigned long long)rate);
}

void
client_uncount(struct client *c)
{
    if (c->user_key != 0)
        slot_user_leave(c->ctx->slot, c->user_key, false);
    c->user_key = 0;
}

/* --- time ----------------------------------------------------------------- */

enum due { DUE_NOTHING, DUE_IDLE, DUE_STATEMENT, DUE_TRANSACTION };

struct deadline {
    uint64_t at_ms;
    enum due due;
};

static void look(struct timer *timer);

static void
sleep_for(struct client *c, uint64_t ms)
{
    timer_start(ring_timers(c->ctx->ring), &c->timer, ms, look);
}

static void
sooner(struct deadline *d, uint64_t from_ms, uint64_t limit_ms, enum due due)
{
    if (limit_ms != 0 && from_ms + limit_ms < d->at_ms)
        *d = (struct deadline){ from_ms + limit_ms, due };
}

static struct deadline
next_deadline(const struct client *c)
{
    const struct session *s = &c->session;
    struct deadline       d = { UINT64_MAX, DUE_NOTHING };

    if (c->state == CLIENT_IDLE)
        sooner(&d, c->active_ms, session_idle_ms(s), DUE_IDLE);
    if (c->query != NULL)
        sooner(&d, c->started_ms + (c->grace ? GRACE_MS : 0), query_limit_ms(c->query),
               DUE_STATEMENT);
    if (s->in_txn && s->txn_ms != 0)
        sooner(&d, s->txn_ms, session_transaction_ms(s), DUE_TRANSACTION);
    return d;
}

/* Whatever begins from now on is due no earlier than that, but for statements. */
static uint64_t
pause_ms(const struct client *c)
{
    uint64_t idle        = session_idle_ms(&c->session);
    uint64_t transaction = session_transaction_ms(&c->session);
    uint64_t ms          = idle != 0 ? idle : NEVER_MS;

    return transaction != 0 && transaction < ms ? transaction : ms;
}

static void
idle_too_long(struct client *c)
{
    struct sql_error why;

    sql_error_set(&why, ERR_IDLE, "The client was disconnected by the server because of "
                  "inactivity. (shardd: nothing was asked for %llu s)",
                  (unsigned long long)session_idle_ms(&c->session) / 1000);
    client_close(c, COUNTER_CLOSED_TIMEOUT, &why);
}

/* A commit goes to its end: what is decided stays decided. */
static void
transaction_too_long(struct client *c)
{
    struct sql_error why;

    if (c->query != NULL && c->query->committing != NULL) {
        sleep_for(c, AGAIN_MS);
        return;
    }
    sql_error_set(&why, ERR_KILLED, "Connection was killed (shardd: its transaction was open for "
                  "longer than %llu s, and is rolled back)",
                  (unsigned long long)session_transaction_ms(&c->session) / 1000);
    client_cut(c, COUNTER_CLOSED_TIMEOUT, &why);
}

static void
statement_too_long(struct client *c)
{
    struct query_run *q     = c->query;
    uint64_t          limit = query_limit_ms(q);
    struct sql_error  why;

    if (!c->grace && query_on_servers(q)) {
        c->grace = true;
        sleep_for(c, GRACE_MS);
        return;
    }
    sql_error_set(&why, ERR_TIMEOUT, "Query execution was interrupted (max_statement_time "
                  "exceeded) (shardd: it took longer than %llu.%03u s)",
                  (unsigned long long)limit / 1000, (unsigned)(limit % 1000));
    slot_count(c->ctx->slot, COUNTER_ERRORS_TIMEOUT);
    query_kill(q, &why);
    if (c->state == CLIENT_CLOSING)
        return;
    if (c->query == q)
        sleep_for(c, AGAIN_MS); /* its commit has begun */
    else
        client_watch(c);
}

static void
look(struct timer *timer)
{
    struct client  *c   = container_of(timer, struct client, timer);
    struct deadline d   = next_deadline(c);
    uint64_t        now = ring_now_ms(c->ctx->ring), pause = pause_ms(c);

    if (d.at_ms > now) {
        sleep_for(c, d.at_ms - now < pause ? d.at_ms - now : pause);
        return;
    }
    switch (d.due) {
    case DUE_IDLE:        idle_too_long(c); return;
    case DUE_STATEMENT:   statement_too_long(c); return;
    case DUE_TRANSACTION: transaction_too_long(c); return;
    case DUE_NOTHING:     return;
    }
}

static void
wake_within(struct client *c, uint64_t ms)
{
    if (!timer_running(&c->timer) || c->timer.due_ms > ring_now_ms(c->ctx->ring) + ms)
        sleep_for(c, ms);
}

void
client_watch(struct client *c)
{
    wake_within(c, pause_ms(c));
}

void
client_watch_statement(struct client *c)
{
    uint64_t ms = query_limit_ms(c->query);

    c->started_ms = ring_now_ms(c->ctx->ring);
    c->grace      = false;
    if (ms != 0)
        wake_within(c, ms);
}
