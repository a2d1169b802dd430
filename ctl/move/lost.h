/* lost.h - which errors of a server pass by themselves. */
#ifndef CTL_MOVE_LOST_H
#define CTL_MOVE_LOST_H

#include "core/base/err.h"

/* A lost connection, a server that starts or stops, a lock: try again. */
bool lost_is_passing(const struct sql_error *error);

/* Only a lock: the connection is as good as before. */
bool lost_is_lock(const struct sql_error *error);

/* What a server says that has no room left, with the words what to do. Other errors stay. */
void lost_explain(struct sql_error *error, const char *shard);

#endif
