/* set_statement.h - SET STATEMENT name = value, ... FOR statement.
 *
 * Taken are the settings that only say how a server does its work (optimizer_switch,
 * sort_buffer_size, lock_wait_timeout ...) and max_statement_time: what is behind FOR is planned
 * as any statement, and each server hears the settings before its part of it. Others
 * (sql_mode, time_zone, sql_select_limit ...) are left to the planner, which refuses them.
 */
#ifndef WORKERS_QUERY_SET_STATEMENT_H
#define WORKERS_QUERY_SET_STATEMENT_H

#include "workers/query/leg.h"

/* The settings become the query's, and `text` what is behind FOR. Nothing happens to other
 * texts. */
void query_take_settings(struct query_run *q, struct span *text);

/* leg_send() of such a text: the server hears all of it. */
void leg_send_set(struct leg *leg, const struct exchange_ops *ops);

#endif
