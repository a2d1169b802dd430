/* status.h - status variables: what is the proxy's own, and what a session has none of. */
#ifndef WORKERS_QUERY_STATUS_H
#define WORKERS_QUERY_STATUS_H

#include "core/route/information.h"
#include "workers/query/query.h"

/* Whether the servers' values of a variable are added up. Not in a session's when a server
 * counts it for each of its connections: those are of many clients. */
bool status_counts(struct span name, bool session);

/* Clients, statements and bytes are those of shardd. */
void status_own(const struct query_run *q, struct information *rows, bool session);

#endif
