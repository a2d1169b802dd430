/* into.h - SELECT ... INTO @a, @b from several shards: the one row becomes the variables.
 *
 *   merged rows --> the first is kept, a second is an error --> the session's variables
 *
 * What a server's variable would be is known from the column (number or string) and, of a
 * string, from hidden columns with its character set and collation.
 */
#ifndef WORKERS_QUERY_INTO_H
#define WORKERS_QUERY_INTO_H

#include "workers/query/query.h"

struct into;

/* In the query's arena. Rows in binary form would lose the numbers' types, so the parameters
 * of a prepared statement become literals. NULL: the query is refused. */
struct into *into_new(struct query_run *q);

/* The columns of a row, hidden ones behind the others. */
bool into_columns(struct into *i, const struct span *columns, uint32_t n,
                  struct sql_error *error) must_check;

/* A merged row. False and `error`: there are several, or a value cannot be kept. */
bool into_row(struct into *i, struct span row, struct sql_error *error) must_check;

/* The statement fails with this: SHOW WARNINGS tells more. */
void into_failed(struct into *i, const struct sql_error *error);

/* All rows have come. */
void into_answer(struct into *i, uint32_t warnings);

#endif
