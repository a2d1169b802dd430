/* table_locks.c - LOCK TABLES is one connection's, to the shard where the tables are. What comes
 * behind it may be meant for another: UNLOCK TABLES and what has no table go where the lock is,
 * sharded tables are never locked and so refused, and so is what a server would answer by giving
 * the lock back. Without autocommit the locked connection is in the transaction from its first
 * statement on: a server begins no branch (XA START) where tables are locked.
 */
#include "workers/query/query.h"

enum { ERR_NOT_LOCKED = 1100 /* ER_TABLE_NOT_LOCKED */ };

#define ELSEWHERE "it is on another shard than those that were"

static uint32_t
locked_shard(const struct query_run *q)
{
    const struct routes *r = q->routes->routes;

    for (uint32_t i = 0; i < r->n_shards; i++)
        if (r->shards[i].id == q->s->pins.locked_on)
            return i;
    return ROUTES_NONE;
}

static bool
refuse_unlocked(struct query_run *q, const char *where)
{
    query_refuse(q, ERR_NOT_LOCKED, "The table was not locked with LOCK TABLES (shardd: %s)",
                 where);
    return false;
}

/* Rows of tables: SHOW, functions and the like may look elsewhere. */
static bool
names_tables(const struct plan *plan)
{
    return plan->is_write || (!plan->keeps_diagnostics && !plan->begins_nothing);
}

bool
table_locks_allow(struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    if (!pins_has(&q->s->pins, PIN_LOCK_TABLES) || !plan->sharded || q->command == QUERY_PREPARE ||
        plan->pin == PIN_LOCK_TABLES)
        return true;
    return refuse_unlocked(q, "sharded tables cannot be");
}

void
table_locks_join(struct session *s)
{
    struct held *h = session_held(s, s->pins.locked_on);

    if (pins_has(&s->pins, PIN_LOCK_TABLES) && h != NULL)
        h->role = HELD_PLAIN;
}

bool
table_locks_commit(const struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    return plan->implicit_commit ||
           (plan->unpin == PIN_LOCK_TABLES && pins_has(&q->s->pins, PIN_LOCK_TABLES));
}

bool
table_locks_route(struct query_run *q, struct shard_set *shards)
{
    const struct plan *plan = &q->plan->plan;
    uint32_t           at   = locked_shard(q);

    if (!pins_has(&q->s->pins, PIN_LOCK_TABLES) || at == ROUTES_NONE)
        return true;
    if (plan->unpin == PIN_LOCK_TABLES || plan->target.kind == TARGET_ANY) {
        *shards = (struct shard_set){ 0 };
        shard_set_add(shards, at);
        shards->first = at;
        return true;
    }
    if (shards->n == 1 && shards->first == at)
        return true;
    if (plan->pin == PIN_LOCK_TABLES) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: the session has locked tables on another shard "
                     "than these are on: UNLOCK TABLES first");
        return false;
    }
    return !names_tables(plan) || refuse_unlocked(q, ELSEWHERE);
}

/* What can be locked is on one shard, and needs no gathering. */
bool
table_locks_gather(struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    return !pins_has(&q->s->pins, PIN_LOCK_TABLES) || plan->information != 0 ||
           !names_tables(plan) || refuse_unlocked(q, ELSEWHERE);
}

bool
table_locks_begin(struct query_run *q)
{
    if (!pins_has(&q->s->pins, PIN_LOCK_TABLES))
        return true;
    query_refuse(q, SQL_NOT_SUPPORTED, "shardd: a transaction begins by giving back locked tables: "
                 "UNLOCK TABLES first, or SET autocommit = 0 instead of BEGIN");
    return false;
}
