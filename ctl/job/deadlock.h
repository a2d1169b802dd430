/* deadlock.h - ends transactions that wait for one another on different shards.
 *
 *   slots: do two transactions on several shards wait for a statement for 50 ms?
 *   yes, every 110 ms:
 *     their shards: who waits for whom (information_schema.INNODB_LOCK_WAITS)
 *     a circle over several shards, in this look and in the last one
 *       --> KILL QUERY ID of its youngest transaction's waiting statements;
 *           its worker rolls it back everywhere and tells the client 1213
 *
 * Waits without a circle are left to innodb_lock_wait_timeout, circles on one
 * shard to its server. A transaction on more than CLIENT_PARTICIPANTS_MAX shards
 * is known on so many of them.
 *
 * InnoDB keeps what it shows in these tables for 100 ms, and as long as somebody
 * reads them more often than that. So before each look our own connection to the
 * shard begins a transaction or ends it; until the tables show that, they are old
 * and the shard is left out of the look.
 */
#ifndef CTL_JOB_DEADLOCK_H
#define CTL_JOB_DEADLOCK_H

#include "ctl/provision/cluster.h"

struct deadlock;

/* A thread that works until deadlock_stop(). */
struct deadlock *deadlock_start(struct cluster *c);
void             deadlock_stop(struct deadlock *d);

#endif
