/* information.h - information_schema as one server would have it.
 *
 *   privileges   the account's name is the client's, not that on the servers; text only
 *   the others   every shard is asked, core/route/information.h adds up, and the
 *                statement runs on one shard with the rows in place of the table
 */
#ifndef WORKERS_QUERY_INFORMATION_H
#define WORKERS_QUERY_INFORMATION_H

#include "workers/query/query.h"

/* At the start of every statement: the client's account. */
void information_account(struct query_run *q);

/* query_relay(), and before it the other shards are asked where that is wanted. */
void information_relay(struct query_run *q, uint32_t shard);

#endif
