/* views.h - transactions that are older than the sets of a move.
 *
 * A statement that reads a set (core/route/table.h, `hide`) fails with 1412 in a transaction
 * whose view of the server is older than the set: so the routes name a set only when the
 * transactions are over that were open when it was made.
 */
#ifndef CTL_MOVE_VIEWS_H
#define CTL_MOVE_VIEWS_H

#include "ctl/move/move.h"

/* The clients' transactions that are open on the move's shards now; NULL with `error`. */
json_t *views_note(const struct move *m, struct sql_error *error) must_check;

/* How many of those are still open; the oldest of them as a clause for people, "" when there is
 * none: "connection 12 of app on shard-1, for 34 s". False with `error`: a shard does not say. */
enum { VIEWS_TEXT_MAX = 200 };
bool views_left(const struct move *m, const json_t *noted, size_t *left,
                char oldest[VIEWS_TEXT_MAX], struct sql_error *error) must_check;

/* Those that are still open end: their connections to the shards are closed, and the clients get
 * an error. */
bool views_end(const struct move *m, const json_t *noted, struct sql_error *error) must_check;

#endif
