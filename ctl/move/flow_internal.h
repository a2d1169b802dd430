/* flow_internal.h - what the parts of a flow share; private to flow*.c.
 *
 *   flow.c          the thread and its lives, status
 *   flow_copy.c     snapshots, cycles of the copy, catching up between them
 *   flow_follow.c   following, and being held
 */
#ifndef CTL_MOVE_FLOW_INTERNAL_H
#define CTL_MOVE_FLOW_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "ctl/move/flow.h"
#include "ctl/move/follow.h"
#include "ctl/move/pace.h"

/* What flow_hold() asks. */
struct flow_hold {
    bool             wanted, here; /* here: wherever it is */
    unsigned         number;       /* of the request */
    unsigned         answered;     /* the last one with an answer */
    bool             good;
    struct gtid_set  position;
    struct sql_error error;
};

struct flow {
    const struct move *move;
    uint32_t           source;
    bool               copies, threadless;
    unsigned           n_targets;
    uint32_t          *targets;
    pthread_t          thread;
    atomic_bool        stop;
    struct pace        pace;

    pthread_mutex_t    lock; /* around all below; the thread alone changes the pointers */
    pthread_cond_t     changed;
    struct apply     **applies;
    struct follow     *follow;
    struct copy       *copy;
    struct copy_status copied; /* when there is no copy any more */
    enum flow_state    state;
    bool               retries;
    struct sql_error   error;
    double             clock_ahead; /* the source's, in seconds */
    struct follow_seen seen;        /* as of a moment ago; of this life */
    uint64_t           before_rows, before_transactions; /* of earlier lives */
    char               position[GTID_TEXT_MAX];
    struct flow_hold   hold;
    bool               paused;
    bool               follows; /* it reads the log: `follow` is open and stays so */
};

/* --- flow.c */
/* Appliers and follower; `start`: for targets that have nothing of the copy. */
bool flow_open(struct flow *f, const char *start, struct sql_error *error) must_check;
bool flow_failed(struct flow *f, struct sql_error *error);
bool flow_is_idle(struct flow *f, bool *failed) must_check;
void flow_enter(struct flow *f, enum flow_state state);
bool flow_note(struct flow *f, struct sql_error *error) must_check; /* false: one has failed */
void flow_wait(struct flow *f, unsigned ms); /* under the lock, until something changes */

/* --- flow_copy.c: true: all is copied, and what follows can be applied without asking the copy,
 * or it was told to stop. */
bool flow_copy(struct flow *f, struct sql_error *error) must_check;

/* --- flow_follow.c: true: told to stop. */
bool flow_follow(struct flow *f, struct sql_error *error) must_check;
/* Waits until the appliers have done all that they were given. */
bool flow_drain(struct flow *f, struct sql_error *error) must_check;

#endif
