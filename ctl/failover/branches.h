/* branches.h - prepared branches that a replica has and its primary has not.
 *
 * A primary that is killed between the two can have XA PREPARE in its binary log and no branch when
 * it is back. The replicas prepare it then, and nobody ends it there: it holds its locks until the
 * applier waits for one, for ever. Nobody was told that such a branch is prepared, so its
 * transaction is never committed: it is rolled back on the replica, past the binary log.
 */
#ifndef CTL_FAILOVER_BRANCHES_H
#define CTL_FAILOVER_BRANCHES_H

#include "ctl/provision/cluster.h"

/* XA RECOVER of a server as a set {xid in words of SQL: row}; NULL: no answer. To be owned. */
json_t *branches_of(struct server *s);

/* `old`: the branches of this replica, as branches_of(), that were there long ago and are still.
 * Those that its primary never had are rolled back. It waits for some seconds where there are
 * such. */
void branches_keep(struct cluster *c, const json_t *replica, json_t *old);

/* The applier of this replica does not come on, and its primary is dead: branches whose
 * transactions are aborted are rolled back there. Whether there were any. */
bool branches_unblock(struct cluster *c, struct server *s);

#endif
