/* table_locks.c - LOCK TABLES is one connection's, to the shard where the tables are. What comes
 * behind it may be meant for another: UNLOCK TABLES goes where the lock is, reads go on,
 * and what a server would refuse, or answer by giving the lock back, is refused here.
 */
#include "workers/query/query.h"

enum { ERR_NOT_LOCKED = 1100 /* ER_TABLE_NOT_LOCKED */ };

static uint32_t
locked_shard(const struct query_run *q)
{
    const struct routes *r = q->routes->routes;

    for (uint32_t i = 0; i < r->n_shards; i++)
        if (r->shards[i].id == q->s->pins.locked_on)
            return i;
    return ROUTES_NONE;
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
    if (plan->unpin == PIN_LOCK_TABLES) {
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
    if (!plan->is_write)
        return true;
    query_refuse(q, ERR_NOT_LOCKED, "The table was not locked with LOCK TABLES (shardd: it is on "
                 "another shard than those that were)");
    return false;
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
