/* explain.h - where would a statement go, and why? By the planner of the workers. */
#ifndef CTL_JOB_EXPLAIN_H
#define CTL_JOB_EXPLAIN_H

#include "ctl/job/job.h"

/* {"plan": kind, "target": kind, "shards": [names], "reason": why, "detail": one
 * line, "error": {"code", "message"} when it would be refused}; `database`: the
 * current one, "" none. NULL with `error` when there are no routes. */
json_t *explain_run(struct cluster *c, struct span sql, const char *database,
                    struct sql_error *error);

#endif
