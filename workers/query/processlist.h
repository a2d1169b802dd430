/* processlist.h - SHOW PROCESSLIST and information_schema.PROCESSLIST: clients of shardd.
 *
 * The statement still runs on a server, so that WHERE, ORDER BY and functions mean what they
 * always mean; but the table it reads is one of rows written into its text, one for each
 * client of every worker.
 */
#ifndef WORKERS_QUERY_PROCESSLIST_H
#define WORKERS_QUERY_PROCESSLIST_H

#include "workers/query/query.h"

/* Rewrites q->text when it reads the list of processes. */
void processlist_fill(struct query_run *q);

/* What a statement waits for, if shardd knows; else "". */
const char *processlist_state(const struct client_info *info);

#endif
