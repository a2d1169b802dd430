/* sequences.h - SEQUENCEs of MariaDB go with their database to another home.
 *
 *   prepare    made on the new home: a table that is placed there may number its rows by one
 *   switch     while nobody asks for a number: each goes on there with the number that would have
 *              been next, and is defined as it is now
 *   afterwards dropped where the home is no more
 *
 * A number is never given twice: none is asked for between the fence and the routes without it,
 * and where the catalog has the new home nothing is carried any more, however often a controller
 * dies meanwhile. The old server is asked for the next one, so numbers in its cache are not left
 * out, unless it has forgotten the cache itself (as it does when tables are flushed).
 */
#ifndef CTL_MOVE_SEQUENCES_H
#define CTL_MOVE_SEQUENCES_H

#include "ctl/move/move.h"

/* May be repeated. */
bool sequences_make(const struct move *m, struct sql_error *error) must_check;

/* Behind the fence, before the catalog has the new homes. May be repeated. */
bool sequences_carry(const struct move *m, struct sql_error *error) must_check;

/* On the old homes; with `in` (the move was given up) on the new ones. May be repeated. */
bool sequences_drop(const struct move *m, bool in, struct sql_error *error) must_check;

#endif
