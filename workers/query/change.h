/* change.h - a write on copies, and the statements for the shards that come of it; see
 * core/route/gather.h.
 *
 *   the gathering, its rows locked --> the client's statement on the engine, its answer kept
 *        --> what it has left behind --> which rows are others now --> statements
 *
 * The caller has opened a transaction, runs the statements in it, and answers the client.
 */
#ifndef WORKERS_QUERY_CHANGE_H
#define WORKERS_QUERY_CHANGE_H

#include "core/base/arena.h"
#include "core/route/gather.h"

struct gathering;
struct query_run;

struct change_statement {
    struct span              text;
    uint64_t                 rows; /* of its VALUES, or that it has to match; 0: it asks for
                                      numbers of sequences, which the next one has holes for: */
    uint32_t                 n_holes;
    const uint32_t          *holes; /* [n_holes), ascending */
    struct change_statement *next;
};

struct change_list {
    struct change_statement *first, *last;
};

/* The caller's, before the statement starts. */
struct changing {
    struct arena      *arena;       /* of what follows */
    bool               one_insert;  /* the new rows are wanted as one statement */
    bool               versions;    /* UPDATE: rows that stay as they are get a version, too */
    uint64_t           n_rows;
    struct change_list now, behind; /* those come when all of these are done */
    struct sql_error   error;       /* the answer is worth nothing */
};

/* A table that the statement writes has generated columns; false for what is no such write. */
bool change_has_generated(const struct query_run *q);

/* --- between the files of query_gather --- */

/* The copies are described: false, and it has failed. */
bool gather_plan_changes(struct gathering *g) must_check;

/* All rows are there: what the engine is told next. */
void gather_keep_before(struct gathering *g, struct buf *text, uint32_t i);
bool gather_keeps_before(const struct gathering *g, uint32_t i);

/* The engine has answered the statement; gather_ended() is called. */
void gather_read_changes(struct gathering *g);

#endif
