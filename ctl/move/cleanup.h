/* cleanup.h - rows that a move leaves behind, removed slowly.
 *
 *   reader   SELECT primary key, key: of the rows whose key is in the set, or (no index begins
 *            with the key column) of all rows in primary key order
 *              |  routing code: only what does not belong there; into a parcel
 *              v
 *   writer   DELETE by primary key and key, some hundreds in a transaction, as the mover
 *
 * Nobody must write the rows meanwhile: the streams of the move are stopped before.
 */
#ifndef CTL_MOVE_CLEANUP_H
#define CTL_MOVE_CLEANUP_H

#include <stdatomic.h>

#include "ctl/move/move.h"

struct cleanup {
    uint64_t    rows_per_s;    /* 0: no limit */
    atomic_ullong removed;     /* so far */
    atomic_bool   stop;
};

/* Old rows on the sources (the sets out_): deleted in small transactions, by key, and only what
 * does not belong there by the routes after the move. Then copies of tables that no longer live
 * somewhere are dropped. May be repeated. False with code 1317: told to stop. */
bool cleanup_sources(struct move *m, struct cleanup *how, struct sql_error *error) must_check;

/* Copied rows on the targets (the sets in_), of a move that is given up: only what does not
 * belong there by the routes before it. */
bool cleanup_targets(struct move *m, struct cleanup *how, struct sql_error *error) must_check;

/* Rows of one table that were copied from `source` to `target`, of a copy that is begun anew. */
bool cleanup_copied(const struct move *m, const struct move_table *t, uint32_t source,
                    uint32_t target, const atomic_bool *stop, struct sql_error *error) must_check;

#endif
