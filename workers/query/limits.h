/* limits.h - how long and how much a session may: the user's limits, the settings' where the
 * user has none, and what the session has set itself, when that is less.
 *
 *   a statement   the servers end it: they hear SET max_statement_time with the session's
 *                 other variables. Only what no server ends in time (it waits for a
 *                 connection, it was allowed more by its own SET) is ended from here.
 *   a client      see workers/client/client_limits.c
 *   an answer     stops with error 1226 between two rows
 */
#ifndef WORKERS_QUERY_LIMITS_H
#define WORKERS_QUERY_LIMITS_H

#include "workers/query/query.h"

/* The session begins: its variables are still empty. */
void limits_begin(struct session *s);

/* 0: none. */
uint64_t session_statement_ms(const struct session *s);
uint64_t session_idle_ms(const struct session *s);
uint64_t session_transaction_ms(const struct session *s);

/* The same for one statement, which SET STATEMENT may have given less. */
uint64_t query_limit_ms(const struct query_run *q);

/* Is it on servers, which end it when its time is over, or is its answer on the way? */
bool query_on_servers(const struct query_run *q);

/* Are its rows to be counted? */
bool query_counts_rows(const struct query_run *q);

/* One more row, of so many bytes, is due. False: it would be too many, and `why` is the
 * end of the answer. */
bool query_may_send_row(struct query_run *q, size_t bytes, struct sql_error *why) must_check;

#endif
