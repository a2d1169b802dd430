/* heat.h - the keys that statements name, on their way into the worker's slot (shm/heat.h). */
#ifndef WORKERS_QUERY_HEAT_H
#define WORKERS_QUERY_HEAT_H

#include "workers/query/query.h"

/* For q->values.watch, while this statement is routed. */
struct key_watch *heat_watch(const struct query_run *q);

#endif
