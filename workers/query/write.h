/* write.h - a change of rows on several shards, all or nothing. */
#ifndef WORKERS_QUERY_WRITE_H
#define WORKERS_QUERY_WRITE_H

#include "workers/query/query.h"

/* q->legs are made, with their texts. Runs them (`first`, unless ROUTES_NONE, is the
 * number of the leg that goes before the others and alone counts), adds up, commits
 * when no transaction was open, answers. `insert_id` is told to the client when it
 * is not 0. */
void write_run(struct query_run *q, uint32_t first, uint64_t insert_id);

/* The same without starting any leg: the caller does that, leg by leg, and gives those
 * that have nothing to do up with leg_over(). */
void write_prepare(struct query_run *q, uint32_t first);

/* What happens when all legs are over: commit or undo, and the answer. */
void write_finish(struct query_run *q);

/* With commit = "single": the statement would write on a second shard. */
void write_refuse_second(const struct query_run *q, struct sql_error *error);

#endif
