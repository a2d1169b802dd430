/* deadlock_graph.h - who waits for whom over all shards, and who has to give way.
 *
 *        shard 1                    shard 2
 *     A ------> B        +       B ------> A       a deadlock that no server sees
 *        waits                      waits
 *
 * A node is a transaction on several shards, with all connections it holds, or
 * a single connection that belongs to none. A wait leads from the connection
 * that waits to one that has, or asked earlier for, what it waits for.
 *
 * The shards are asked one after the other, so one look may show waits that
 * never were there at the same time. Waits of the same statement that two looks
 * in a row show were there all the time between them: the first look saw the last
 * of them before the second saw the first. Only those make a deadlock.
 */
#ifndef CTL_JOB_DEADLOCK_GRAPH_H
#define CTL_JOB_DEADLOCK_GRAPH_H

#include "shm/slots.h"

/* A transaction on several shards whose client waits for an answer. */
struct deadlock_txn {
    uint64_t client;
    uint64_t spread_us; /* when it came to its second shard; the same client's next
                           transaction has another one */
    uint64_t n_members;
    uint64_t member[CLIENT_PARTICIPANTS_MAX]; /* participant_word() */
};

struct deadlock_wait {
    uint64_t waiter, blocker; /* participant_word(), both of one shard */
    uint64_t query;           /* the server's number of the statement that waits */
};

struct deadlock_view {
    struct deadlock_txn  *txn;  /* owned */
    struct deadlock_wait *wait; /* owned */
    uint32_t              n_txns, n_waits;
};

void deadlock_view_fini(struct deadlock_view *view);
void deadlock_view_add_txn(struct deadlock_view *view, const struct deadlock_txn *txn);
void deadlock_view_add_wait(struct deadlock_view *view, const struct deadlock_wait *wait);

/* What both show, with the transactions as `now` has them; owned by the caller. Sorts both. */
struct deadlock_view deadlock_view_both(struct deadlock_view *before, struct deadlock_view *now);

/* The transactions, as indexes in view->txn, without which no circle of waits leads
 * over more than one shard: the youngest of each circle. Circles on one shard are its
 * server's. `victims` has room for view->n_txns. Returns how many. */
uint32_t deadlock_find(const struct deadlock_view *view, uint32_t *victims) must_check;

/* Is the connection one of the transaction's? */
bool deadlock_txn_has(const struct deadlock_txn *txn, uint64_t member);

#endif
