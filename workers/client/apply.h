/* apply.h - a write whose rows are found on an engine (PLAN_CHANGE; see
 * workers/query/change.h).
 *
 *   BEGIN, or a savepoint --> the rows, the statement on copies of them --> what came of it,
 *   statement by statement --> COMMIT, or nothing --> the engine's answer
 *
 * All or nothing: whatever fails undoes the rest.
 */
#ifndef WORKERS_CLIENT_APPLY_H
#define WORKERS_CLIENT_APPLY_H

#include <stdbool.h>

struct client;
struct query_run;

/* Whether `q`, which is to run, is such a write. */
bool client_applies(const struct query_run *q);

/* Run it; it is the function's from here on. */
void client_apply(struct client *c, struct query_run *q);

/* The client is gone, and what ran for it. */
void client_apply_free(struct client *c);

#endif
