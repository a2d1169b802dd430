/* find.h - a read by a column with a lookup: first the lookup is asked where the rows are.
 *
 *   SELECT key FROM lookup WHERE v IN (...) --> the shards of these keys --> the statement there
 *
 * Both see what the session's transaction has written.
 */
#ifndef WORKERS_CLIENT_FIND_H
#define WORKERS_CLIENT_FIND_H

#include <stdbool.h>

struct client;
struct query_run;

/* Whether `q`, which is to run, is such a read. */
bool client_finds(const struct query_run *q);

/* Run it; it is the function's from here on. */
void client_find(struct client *c, struct query_run *q);

/* The client is gone. */
void client_find_free(struct client *c);

#endif
