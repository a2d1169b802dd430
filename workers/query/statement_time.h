/* statement_time.h - how long statements take, by digest: for GET /v1/statements. */
#ifndef WORKERS_QUERY_STATEMENT_TIME_H
#define WORKERS_QUERY_STATEMENT_TIME_H

#include "workers/query/query.h"

enum { STATEMENT_TELL_MS = 3000 };

/* A new plan is of this statement: its name is kept with it. */
void statement_time_name(struct plan_ref *plan, const struct cache_key *key);

/* The statement is over. */
void statement_time_note(const struct query_run *q);

/* From time to time: tells what is new. */
void statement_time_tick(struct context *ctx);

#endif
