/* cutover_step.h - what the parts of the switch share; private to ctl/move. */
#ifndef CTL_MOVE_CUTOVER_STEP_H
#define CTL_MOVE_CUTOVER_STEP_H

#include "core/base/clock.h"
#include "ctl/move/cutover.h"
#include "ctl/provision/fence.h"
#include "ctl/move/journal.h"

/* A server that takes part. */
struct cutover_server {
    uint32_t      id;
    bool          source, target;
    struct server work; /* for questions and for the bookkeeping */
    unsigned long work_thread; /* the server's number of that session */
    struct server lock; /* of a source: has the tables' locks */
    uint32_t      n_rows_to; /* of a source: targets that get rows from it */
    char          position[GTID_TEXT_MAX]; /* F of a source; and of a target, where the way
                                                  back begins: read while applications write
                                                  nothing of what moves */
};

struct cutover_run {
    struct move           *m;
    struct flow          **flows; /* by `source` */
    struct cutover        *how;
    struct cutover_server *server; /* owned; sources first, as move_sources() has them */
    size_t                 n_servers, n_sources;
    uint64_t               began_us, until_us; /* of the pause */
    uint64_t               step_us;            /* when the step in work began */
    struct buf             times;              /* "fence 3.1, locks 0.4, ..." in ms; owned */
    uint64_t               mark;               /* changes when a worker dies */
    char                   ready[JOURNAL_WHAT_MAX];
    uint64_t               n_before;           /* connections in use when the fence came */
    bool                   eased, fenced, held, staged;
    bool                   written; /* positions of streams, on sources that do not decide */
    bool                   mixed; /* a source is a target as well */
    struct sql_error      *error;

    /* Cuts connections when the time is over, so that no answer is waited for longer. */
    pthread_t       watchdog;
    pthread_mutex_t lock;
    pthread_cond_t  wake;
    bool            watching, done, late;
    bool            deciding; /* then only the session that decides: the locks stay */
};

/* Says where it is, for the error, and whether there is time left. */
bool cutover_step(struct cutover_run *r, const char *name) must_check;
unsigned cutover_left_ms(const struct cutover_run *r);

/* cutover_check.c: is the cluster what the move was made for? */
bool cutover_check(struct move *m, struct sql_error *error) must_check;

/* cutover_calm.c: returns at a moment with few transactions, or makes them few; soon in any
 * case. */
void cutover_calm(struct cutover_run *r);

/* cutover_each.c: on all of some servers at the same time. False with the first one's error. */
typedef bool (*cutover_which)(const struct cutover_server *s);
typedef bool (*cutover_fn)(struct cutover_run *r, struct cutover_server *s,
                           struct sql_error *error);
bool cutover_each(struct cutover_run *r, cutover_which which, cutover_fn fn) must_check;
bool cutover_is_source(const struct cutover_server *s);
bool cutover_is_mixed(const struct cutover_server *s);
bool cutover_takes_part(const struct cutover_server *s);

/* cutover_back.c: where the way back begins, and the decision, ready for its COMMIT. */
bool cutover_back(struct cutover_run *r, struct sql_error *error) must_check;

/* cutover_lock.c: nothing writes the rows that move. */
bool cutover_open(struct cutover_run *r) must_check;
void cutover_close(struct cutover_run *r);
/* What the watchdog has cut off in the middle may be done by its server all the same, later: the
 * sessions of `work` are ended there, and this waits until they have, or some seconds. */
void cutover_end_work(struct cutover_run *r);
bool cutover_lock(struct cutover_run *r) must_check;
void cutover_unlock(struct cutover_run *r);
/* Of those that are sources and targets: what is applied there must not wait for our locks. */
void cutover_unlock_mixed(struct cutover_run *r);
bool cutover_lock_mixed(struct cutover_run *r) must_check;
/* The positions, of sources behind the last prepared branch; then of those that are both, again. */
bool cutover_positions(struct cutover_run *r) must_check;
bool cutover_positions_mixed(struct cutover_run *r) must_check;
bool cutover_quiet_workers(struct cutover_run *r) must_check;
bool cutover_late_writers(struct cutover_run *r) must_check;

/* cutover_catalog.c: what a fence for this move is; the owner must cutover_fence_fini() it. */
void cutover_fence(const struct move *m, const json_t *map, struct fence *out);
void cutover_fence_fini(struct fence *f);

/* The map is cut where the new one will be, with the owners as they are. */
bool cutover_cut_map(struct move *m, struct sql_error *error) must_check;

/* The one change. May be repeated. */
bool cutover_catalog(struct move *m, struct sql_error *error) must_check;

/* cutover_sequence.c: numbers that AUTO_INCREMENT gave out are not given out again. */
bool cutover_sequences(const struct move *m, struct sql_error *error) must_check;

#endif
