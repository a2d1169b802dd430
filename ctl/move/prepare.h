/* prepare.h - may these rows move, and all that is made before the first one does. */
#ifndef CTL_MOVE_PREPARE_H
#define CTL_MOVE_PREPARE_H

#include "ctl/move/move.h"

/* Everything that would lose rows later, asked of the servers that take part in the spec (see
layout.h). False with a sentence that says what to do. */
bool prepare_check(struct cluster *c, const json_t *spec, struct sql_error *error) must_check;

/* Bookkeeping and sets on all shards. May be repeated. */
bool prepare_servers(const struct move *m, struct sql_error *error) must_check;

/* Routes with "hide in_" of all tables, and the map cut where the new one is. Takes the change
 * lock. Published, but statements by older routes may still be under way. */
bool prepare_hide(struct move *m, struct sql_error *error) must_check;

/* Routes that hide nothing, the map joined again; after the rows of the wrong side are gone. */
bool prepare_unhide(struct move *m, struct sql_error *error) must_check;

#endif
