/* flow.h - all that moves from one source to its targets: a thread that copies, then follows.
 *
 *   COPYING <--> catching up between cycles
 *      |
 *      v
 *   FOLLOWING <--> HELD at a position (for verifying, and for the switch)
 *      |
 *      +--> FAILED: diverged, DDL, purged binlog ...: flow_status() says why
 *
 * Whatever ends the process, flow_start() goes on from what the targets' tables say.
 */
#ifndef CTL_MOVE_FLOW_H
#define CTL_MOVE_FLOW_H

#include <stdatomic.h>

#include "ctl/move/copy.h"
#include "ctl/move/pace_rule.h"

struct flow;

enum flow_state { FLOW_COPYING, FLOW_FOLLOWING, FLOW_HELD, FLOW_FAILED };

struct flow_status {
    enum flow_state    state;
    struct copy_status copy;
    char               position[GTID_TEXT_MAX]; /* that all targets have */
    double             lag_s;      /* age of the oldest change known that the targets have not yet;
                                      about 0 at the source's end, by what timestamps say */
    double             pause_s;    /* the same if pauses in what the source sends mean its end */
    bool               heard;      /* the source sends its log, so that lag_s means something */
    uint64_t           transactions, rows; /* applied since the start */
    unsigned           stashed;    /* branches prepared and not ended */
    char               slowed[PACE_REASON_MAX]; /* why the copy is held back; "": it is not */
    struct sql_error   error;      /* FAILED */
    bool               retries;    /* a server is away: it goes on by itself when it is back */
};

/* `copy`: rows are copied first unless that is done; else only followed from the position in
 * `stream` (a reverse flow: the position was written by the cutover). */
struct flow *flow_start(const struct move *m, uint32_t source, bool copy,
                        struct sql_error *error);

/* Stops its threads; a later flow_start() goes on. */
void flow_stop(struct flow *f);

/* Applies everything up to exactly `position` (a GTID position of the source) and nothing
 * behind it, and stays there until flow_release(). `position` NULL: where it is. Held already, it
 * goes on to exactly `position`: so that it is not past a position that is asked for later, hold
 * it first. Transactions that change nothing on the targets do not count: it may be past
 * `position` by these. False after `wait_ms`, or when `*stop` (may be NULL) becomes true: then it
 * follows on as before; and when it is past the position, or has failed, or copies still. */
bool flow_hold(struct flow *f, const char *position, unsigned wait_ms, const atomic_bool *stop,
               struct sql_error *error) must_check;
void flow_release(struct flow *f);

/* While it is held at a position in front of which the source had no prepared branch with rows of
 * ours any more: those that are prepared in the log and not ended are lost, and forgotten. False
 * after `wait_ms`. */
bool flow_forget_lost(struct flow *f, unsigned wait_ms, struct sql_error *error) must_check;

void flow_status(struct flow *f, struct flow_status *out);

/* How fast it may copy, and a pause. From any thread. */
void flow_throttle(struct flow *f, const struct throttle *how, bool paused);

#endif
