/* cutover.h - the switch: the rows' new places become true for everybody, at once.
 *
 *   fence raised, drained                                     |
 *   LOCK TABLES ... READ on the sources, no branch of ours    | all within max_pause_ms,
 *   F = @@gtid_binlog_pos; flows held at F                    | else all is undone
 *   the reverse flows' positions written                      |
 *   JOURNAL on all that take part  <- decided                 |
 *   catalog: new map, "hide out_", no fence; published; unlocked
 *
 * A controller that is killed before the journal's first row lowers the fence and follows on;
 * after it, cutover_finish() goes on to the end, and may be repeated.
 */
#ifndef CTL_MOVE_CUTOVER_H
#define CTL_MOVE_CUTOVER_H

#include "ctl/move/flow.h"

struct cutover {
    unsigned max_pause_ms;     /* 200 by default */
    bool     cut_transactions; /* end clients' transactions that are in the way, with 1213 */
    double   parked_ms;        /* out: between raising and lowering the fence */
    char     step[64];         /* out: where it failed */
};

/* `flows` by the order of move_sources(). False with the error: nothing is switched and all
 * goes on as before; `*decided`: the journal was written, call cutover_finish() until it works.
 * */
bool cutover_run(struct move *m, struct flow **flows, struct cutover *how, bool *decided,
                 struct sql_error *error) must_check;

/* Whether any server has the journal's row; an unreachable one is an error. */
bool cutover_decided(struct move *m, bool *decided, struct sql_error *error) must_check;

/* After the journal: the journal everywhere, catalog, publication. */
bool cutover_finish(struct move *m, struct sql_error *error) must_check;

/* Before the journal, for a controller that finds a fence: down with it. */
bool cutover_undo(struct move *m, struct sql_error *error) must_check;

#endif
