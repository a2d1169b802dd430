/* repair.h - what was promised of all shards and is not there yet on one, or not gone.
 *
 * Once a second: rights that a GRANT could not change everywhere (admin.h), and global
 * variables of servers that have started again or are new (globals.h). Now and then: tables of
 * CREATE TABLE ... SELECT whose worker died (ddl.h).
 */
#ifndef CTL_JOB_REPAIR_H
#define CTL_JOB_REPAIR_H

#include "ctl/provision/cluster.h"

struct repair;

/* A thread that works until repair_stop(). */
struct repair *repair_start(struct cluster *c);
void           repair_stop(struct repair *r);

#endif
