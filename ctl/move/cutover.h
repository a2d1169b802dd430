/* cutover.h - the switch: the rows' new places become true for everybody, at once.
 *
 *   checks, sessions; the journal readied                     |
 *   fence raised, drained                                     |
 *   LOCK TABLES ... READ on the sources, no branch prepared   | all within max_pause_ms,
 *   F = @@gtid_binlog_pos; flows held at F                    | else all is undone
 *   the reverse flows' positions written                      |
 *   JOURNAL, one row on one server: decided   (journal.h)     |
 *   sequences; catalog: new map, "hide out_", no fence; published; unlocked
 *   journal rows on all that take part
 *
 * A controller that is killed before the journal's row is written lowers the fence and follows
 * on; after it, cutover_finish() goes on to the end, and may be repeated. Who finds a job in
 * its cutover asks cutover_decided() until that can tell, and then calls cutover_finish() or
 * cutover_undo().
 *
 * All of these take the cluster's change_lock, so that schema and shards stay as they are: the
 * caller must not hold it.
 *
 * Failpoints (failpoint.h): cutover-checked, cutover-ready, cutover-eased, cutover-fenced,
 * cutover-locked, cutover-position, cutover-held, cutover-reverse, cutover-journal,
 * cutover-sequences, cutover-catalog, cutover-published, cutover-told.
 */
#ifndef CTL_MOVE_CUTOVER_H
#define CTL_MOVE_CUTOVER_H

#include "ctl/move/flow.h"

struct cutover {
    unsigned max_pause_ms;     /* 200 by default */
    bool     cut_transactions; /* end clients' transactions that are in the way, with 1213 */
    double   parked_ms;        /* out: between raising and lowering the fence */
    char     step[64];         /* out: where it failed */
    bool     unknown;          /* out: the deciding server was lost while it decided: the fence
                                  stands; go on as after a restart */
    bool     stale;            /* out: flows of ours may have another position than `stream` has,
                                  and stay held: stop them, so that others begin with that */
};

/* Once, while the move is prepared: what the tables look like goes into m->spec as
 * "definitions", which the caller makes durable. A switch is refused when a table looks
 * otherwise by then. */
bool cutover_note(struct move *m, struct sql_error *error) must_check;

/* `flows` by the order of move_sources(). False with the error: nothing is switched and all
 * goes on as before; `*decided`: the journal was written, call cutover_finish() until it works.
 * After success the flows stay held: stop them. */
bool cutover_run(struct move *m, struct flow **flows, struct cutover *how, bool *decided,
                 struct sql_error *error) must_check;

/* Whether the switch to m->after is decided. False: not known yet, a server does not answer. */
bool cutover_decided(struct move *m, bool *decided, struct sql_error *error) must_check;

/* After the journal: sequences, catalog, publication, the journal's other rows. */
bool cutover_finish(struct move *m, struct sql_error *error) must_check;

/* Before the journal, for a controller that finds a fence: down with it. False also when it
 * turns out to be decided. */
bool cutover_undo(struct move *m, struct sql_error *error) must_check;

/* When the move has ended: sequences of tables that have none any more go; `in`: of a move that was
 * given up. May be repeated. */
bool cutover_sequences_forget(const struct move *m, bool in, struct sql_error *error) must_check;

#endif
