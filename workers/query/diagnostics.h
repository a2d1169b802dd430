/* diagnostics.h - what SHOW WARNINGS and SHOW ERRORS tell: the session's own.
 *
 * Each backend with warnings is asked for them at once, before a commit or somebody
 * else's statement wipes them out, and the session keeps the rows. So it keeps an error.
 *
 *   leg answered --warnings--> LEG_ASKING --SHOW WARNINGS--> over
 */
#ifndef WORKERS_QUERY_DIAGNOSTICS_H
#define WORKERS_QUERY_DIAGNOSTICS_H

#include "workers/query/query.h"

/* A statement begins that has none yet. */
void diagnostics_clear(struct session *s);
void diagnostics_fini(struct session *s);

/* The statement failed with this: the only row. */
void diagnostics_error(struct session *s, const struct sql_error *error);

/* A further row, of a statement that no backend ran for us: DDL's warnings, notes of our own. */
void diagnostics_add(struct session *s, struct span level, uint16_t code, struct span message);

/* A row of SHOW WARNINGS; query_ok() says how many there are. */
void diagnostics_copy(struct session *s, struct span payload);

/* Those of the parts of a statement, put together. All zeroes: none. */
struct diagnostics_kept {
    struct buf rows; /* owned */
    uint32_t   n, warnings;
};

/* What the session has is taken from it; what was taken is given back. */
void diagnostics_keep(struct session *s, struct diagnostics_kept *kept);
void diagnostics_put_back(struct session *s, struct diagnostics_kept *kept);
void diagnostics_kept_fini(struct diagnostics_kept *kept);

/* How many of the rows are errors. */
int64_t diagnostics_errors(const struct session *s);

/* Keep the leg's warnings (if it has some) and then call leg_over(leg, NULL). Rows beyond
 * what a server would keep are dropped. */
void diagnostics_take(struct leg *leg);

/* "... at row 2": rows of an INSERT split by shard get the numbers they have in the
 * client's statement. `message` is changed in place; room for `size` bytes. */
void diagnostics_renumber(const struct leg *leg, char *message, size_t size);

/* A row of SHOW WARNINGS about the leg's statement. */
void diagnostics_row(struct leg *leg, struct span payload);

/* Run SHOW WARNINGS, SHOW ERRORS and SHOW COUNT(*) of them. False: not one of these. */
bool diagnostics_show(struct query_run *q);

#endif
