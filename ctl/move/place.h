/* place.h - tables and views where rows are to come and none of them is yet.
 *
 * A sharded or a reference table is on every shard before its rows are; a global one only at
 * home. What becomes another kind, or goes with its database to another home, is made there
 * empty, and dropped again where it has no business when the move has ended (cleanup.h).
 */
#ifndef CTL_MOVE_PLACE_H
#define CTL_MOVE_PLACE_H

#include "ctl/move/move.h"

/* May be repeated. */
bool place_make(const struct move *m, struct sql_error *error) must_check;

/* Views that go with their homes, where they are not any more: on the old home, or with `in`
 * (the move was given up) on the new one. May be repeated. */
bool place_drop_views(const struct move *m, bool in, struct sql_error *error) must_check;

#endif
