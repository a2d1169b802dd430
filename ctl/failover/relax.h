/* relax.h - settings of a server that are others for a moment, so that its applier gets on.
 *
 *     relax_begin   noted in the catalog, then set on the server
 *     relax_end     set back on the server, then the note goes
 *
 * So whoever is killed between them, or does not reach the server any more, leaves a note, and
 * relax_end_all() of the next controller sets back what it says.
 *
 *     RELAX_ORDER   gtid_strict_mode off: what stands in its own log already is applied once more
 *     RELAX_DISK    sync_binlog and innodb_flush_log_at_trx_commit: not each of many transactions
 *                   has to be on its disk before the next one. All of them are when it ends
 *
 * All of it under roles_lock.
 */
#ifndef CTL_FAILOVER_RELAX_H
#define CTL_FAILOVER_RELAX_H

#include "ctl/provision/cluster.h"
#include "ctl/provision/server.h"

enum relax { RELAX_ORDER, RELAX_DISK, RELAX_KINDS };

/* `s`: a replica, whose settings were the strict ones. False with `error`: they are as they were,
 * or the note stands. */
bool relax_begin(struct cluster *c, struct server *s, enum relax kind,
                 struct sql_error *error) must_check;
bool relax_end(struct cluster *c, struct server *s, enum relax kind,
               struct sql_error *error) must_check;

/* What was left of any server, by anybody. A server that does not answer keeps its note. */
void relax_end_all(struct cluster *c);

#endif
