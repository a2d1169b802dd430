/* run.h - the job "move": from the plan to the last row that is removed.
 *
 *   prepare -> copy -> follow <-> verify
 *                        |  ^
 *                        v  | not in time
 *                      cutover -----> reverse ----> complete ----> remove --> done
 *                     (decided)          |          (old rows go)  (a drained shard)
 *                                        v
 *                                      back -----> cancel ---------------> done, reversed
 *   prepare ... cutover -----------------------> cancel ---------------> cancelled, failed
 *                                         (copied rows go)
 *
 * One thread does all of it, one move at a time. The phase is in the job's record before it
 * begins, and a controller that starts goes on with it; within a phase everything may be
 * repeated. Servers that are away are waited for. The record has besides what job.h says:
 *
 *   phase     as above          move      the spec, see layout.h and move.h
 *   options   {cutover: "auto|manual", max_pause_ms, cut_transactions, reverse, verify,
 *              max_wait_s (for transactions that hold up the end; 0: for ever),
 *              throttle: as in throttle.h, windows: [as in window.h, ...], compress}
 *   asked     {cancel|cutover|reverse|complete|cut|verify: true} what people want next
 *   end       the state it gets when the cancel phase is over; absent: cancelled
 *   switched  the rows have their new owners
 *   waits_for why the phases complete and cancel do not end: a sentence
 *   verified  {rows, seconds, missing, extra, different, examples}
 *   last_cutover  {error, step, parked_ms} the last try, or the one that worked
 */
#ifndef CTL_MOVE_RUN_H
#define CTL_MOVE_RUN_H

#include "ctl/job/job.h"

/* One per controller: c->moves. Goes on with what was interrupted. */
void moves_start(struct cluster *c);

/* Stops at once; the next start goes on. */
void moves_stop(struct cluster *c);

/* As if the controller had ended: nothing moves, and no server is asked, until moves_release(). The
 * move goes on from its record then, with the servers that shards have by then. False: it has not
 * stopped within `wait_ms`, and goes on. Not under the change lock. */
bool moves_hold(struct cluster *c, unsigned wait_ms) must_check;
void moves_release(struct cluster *c);

/* `request` as in layout.h, with the options above as members. Checks everything, makes shards
 * that are needed, and returns when the job is recorded: {"job": number, "move": the spec}, for
 * the caller to free. With "dry_run" nothing is made, and "job" is 0. */
json_t *moves_begin(struct cluster *c, const char *who, json_t *request,
                    struct sql_error *error);

/* The verb "table" (layout.h): an empty table becomes it at once, {"job": 0}. */
json_t *moves_table(struct cluster *c, const char *who, json_t *request,
                    struct sql_error *error);

/* "pause", "resume", "cancel", "cutover", "reverse", "complete", "cut" (transactions that hold up
 * the end), "verify", or "throttle" with words as in throttle.h. `number` 0: the one
 * that runs, and becomes its. A job that is held for a moment, or has just begun, is waited for.
 * Returns when it is recorded. Not with change_lock. */
bool moves_ask(struct cluster *c, int64_t *number, const char *what, const char *throttle,
               struct sql_error *error) must_check;

/* The record of any job, for people: of a move with "progress", and without what is long. The
 * caller owns it; NULL: there is no such job. */
json_t *moves_show(struct cluster *c, int64_t number);

/* The number of the move that runs; 0: none does. */
int64_t moves_running(struct cluster *c);

#endif
