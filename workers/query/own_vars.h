/* own_vars.h - shardd's own session variables.
 *
 *   shardd_commit           atomic, best_effort, single; the user's, or the setting commit
 *   shardd_snapshot_reads   the setting snapshot_reads
 *   shardd_consistency      strong, causal, eventual; the user's, the database's, or strong
 *   shardd_causal_token     what the session has written and read, for another one to read no
 *                           older: what that sets it to
 *
 * SET, SELECT @@name and SHOW VARIABLES LIKE 'shardd%' answer here; no server has
 * heard of them. They are gone with COM_RESET_CONNECTION.
 */
#ifndef WORKERS_QUERY_OWN_VARS_H
#define WORKERS_QUERY_OWN_VARS_H

#include "workers/query/query.h"

enum own_var {
    OWN_COMMIT, OWN_SNAPSHOT_READS, OWN_CONSISTENCY, OWN_TOKEN, OWN_VARS_N,
};

/* OWN_VARS_N: there is none of that name. */
enum own_var own_find(struct span name);

/* As a literal: 'atomic', 1. Static, until the next call. */
const char *own_literal(struct session *s, enum own_var v);

/* What is in force for the session. */
enum conf_commit session_commit(const struct session *s);
bool             session_snapshot_reads(const struct session *s);

/* Whether some of the variables are ours. */
bool own_is_set(const struct set_spec *spec);

/* A SET of ours and of nothing else, which no server need know. */
bool own_alone(const struct plan *plan);

/* True when the SET was of ours, and is answered. */
bool own_set(struct query_run *q);

/* True when the SHOW VARIABLES LIKE asks for ours alone, and is answered. */
bool own_show(struct query_run *q);

#endif
