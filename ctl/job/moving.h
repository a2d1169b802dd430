/* moving.h - what else may be changed while rows move (ctl/move/run.h), and what must wait.
 *
 * Called under the cluster's change lock: then a move that begins later sees what was changed.
 */
#ifndef CTL_JOB_MOVING_H
#define CTL_JOB_MOVING_H

#include "ctl/job/job.h"

/* The record of the move that is not at its end, to be owned; NULL: there is none. */
json_t *moving_record(struct cluster *c);

/* False with a sentence: the table takes part in a move. `table` NULL: any of the database. */
bool moving_allows(struct cluster *c, const char *database, const char *table,
                   struct sql_error *error) must_check;

/* False with a sentence: rows move, and shards must stay as they are. */
bool moving_allows_shards(struct cluster *c, const char *what,
                          struct sql_error *error) must_check;

/* False with a sentence: the table is becoming another kind, or goes to another home with its
 * database (`table` NULL: only that), and nothing new is to use it until it has. */
bool moving_allows_use(struct cluster *c, const char *database, const char *table,
                       struct sql_error *error) must_check;

/* The same of all tables that these foreign keys (facts.h) refer to. */
bool moving_allows_foreign(struct cluster *c, const json_t *foreign,
                           struct sql_error *error) must_check;

#endif
