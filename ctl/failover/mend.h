/* mend.h - an applier that has stopped at a branch of XA goes on where nothing can be lost by it.
 *
 * A replica is not crash-safe with XA (MariaDB 10.5 to 11.8): a transaction that prepares or ends a
 * branch gets into its own binary log, into its engine and into gtid_slave_pos one after the other,
 * and one that is killed between them applies the transaction again. And a primary that is killed
 * between log and engine has the branch still when it is back: its end is in the log once more.
 *
 *     error                        known by                           then
 *     1950  out of sequence        the GTID that is the last of its   applied without
 *                                  own log: the engine lacks it       gtid_strict_mode
 *     1440  the branch is there    its own log is ahead of what it    passed over
 *                                  has applied: it was prepared
 *     1397  none to XA COMMIT      the same: it was committed; or     passed over
 *                                  its log has that XA COMMIT before
 *     1397  none to XA ROLLBACK                                       passed over
 *
 * All else is for people, or for reseed.h.
 */
#ifndef CTL_FAILOVER_MEND_H
#define CTL_FAILOVER_MEND_H

#include "ctl/provision/cluster.h"
#include "ctl/provision/replication.h"

/* `status`: of a server whose applier has stopped. Whether it goes on. Under roles_lock: nobody
 * else may start or stop it meanwhile. */
bool mend_applier(struct cluster *c, struct server *s, const struct replication_status *status);

/* The statement at the end of the server's words for an error of the applier; NULL: there is none,
 * or not all of it. `room` as large as `problem`. */
const char *mend_statement(const char *problem, char *out, size_t room);

/* Of "... GTID A which would ... with existing GTID B, ...": whether both are `last`, one of the
 * GTIDs of a server's own log. */
bool mend_is_last(const char *problem, const char *last);

#endif
