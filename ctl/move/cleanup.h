/* cleanup.h - rows that a move leaves behind, removed slowly. */
#ifndef CTL_MOVE_CLEANUP_H
#define CTL_MOVE_CLEANUP_H

#include "ctl/move/move.h"

struct cleanup {
    uint64_t    rows_per_s;    /* 0: no limit */
    atomic_ullong removed;     /* so far */
    atomic_bool   stop;
};

/* Old rows on the sources (the sets out_): deleted in small transactions, by key, and only what
 * does not belong there by the routes after the move. Then copies of tables that no longer live
 * somewhere. May be repeated. */
bool cleanup_sources(struct move *m, struct cleanup *how, struct sql_error *error) must_check;

/* Copied rows on the targets (the sets in_), of a move that is given up: only what does not
 * belong there by the routes before it. */
bool cleanup_targets(struct move *m, struct cleanup *how, struct sql_error *error) must_check;

#endif
