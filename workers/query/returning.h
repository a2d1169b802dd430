/* returning.h - INSERT and DELETE ... RETURNING where the answer is not one shard's as it is.
 *
 * Rows are kept until the statement has succeeded everywhere (and, outside of a
 * transaction, has committed): a client that read half of them cannot be told that
 * none was written. Their size counts against merge_memory_bytes.
 */
#ifndef WORKERS_QUERY_RETURNING_H
#define WORKERS_QUERY_RETURNING_H

#include "workers/query/query.h"

struct returning;

/* For this run of the statement; q->legs are made. */
struct returning *returning_new(struct query_run *q);

/* A message of the leg's answer. `only`: rows of other legs are copies of its own, or NULL.
 * False and `error`: the rows take too much memory. */
bool returning_take(struct returning *r, const struct leg *leg, const struct leg *only,
                    const struct result_message *m, struct sql_error *error) must_check;

/* The rows for the client, those of an INSERT in its own order, and done. */
void returning_answer(struct returning *r, uint32_t warnings);

#endif
