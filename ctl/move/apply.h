/* apply.h - rows of one source's log onto one target, in order, by a thread of its own.
 *
 *   follow.c --items--> bounded queue --batches--> BEGIN                          on the target
 *                                                  stream: position := the batch's end
 *                                                  keys that must be hidden: INSERT IGNORE
 *                                                  BINLOG '...' ...
 *                                                  stash
 *                          keys that will be hidden ------------> on the source, committed
 *                                                  COMMIT
 *
 * A queue that is full makes the log wait; where there are other targets as well its items go
 * into a file, so that a target that is away or slow is behind alone.
 *
 * A batch is several transactions of the source. It is repeated as a whole after a deadlock or a
 * lost connection, unless `stream` says that its COMMIT went through.
 *
 * Branches of XA: their rows wait in `stash`, and by name in memory. A name that was committed
 * stays as a mark for some thousands of others, because a source that was killed can log the same
 * XA COMMIT again.
 *
 *   (none) --PREPARE--> STASHED --COMMIT, applied--> DONE --a repeated COMMIT--> DONE
 *                         |  \--ROLLBACK, or found to be lost--> (none)
 *                         \--COMMIT in front of a snapshot that does not see it--> DEFERRED
 *                                DEFERRED --once a snapshot sees it, or there are no more--> DONE
 */
#ifndef CTL_MOVE_APPLY_H
#define CTL_MOVE_APPLY_H

#include "core/base/list.h"
#include "ctl/move/copy.h"
#include "ctl/move/parcel.h"

/* "FORMAT.BYTES OF GTRID.HEX OF BOTH" */
enum { BRANCH_NAME_MAX = 288 };

enum item_kind {
    ITEM_ROWS,
    ITEM_PREPARE,
    ITEM_COMMIT,
    ITEM_ROLLBACK,
    ITEM_ADVANCE,  /* the position alone */
    ITEM_RESOLVE,  /* what is DEFERRED and not in `prepared` is applied */
    ITEM_LOST,     /* the source has no prepared branch with rows of ours: what is STASHED with
                      rows was lost there, in a crash behind the log's XA PREPARE */
    ITEM_FORMAT,   /* the source's log changes its format */
};

struct item {
    struct list     node;
    enum item_kind  kind;
    struct parcel   parcel;            /* ROWS, PREPARE; FORMAT: the event's bytes */
    char            branch[BRANCH_NAME_MAX];
    bool            unknown_is_fine;   /* COMMIT: of what was over before anything was copied */
    bool            defer;             /* COMMIT: the snapshot that comes does not see it */
    json_t         *prepared;          /* RESOLVE; owned; NULL: there are no more snapshots */
    uint64_t        arrived_us;        /* clock_us() */
    size_t          weight;            /* bytes in the queue */
    bool            filed;             /* its rows are in a file: see apply_spool.c */
    unsigned        n_position;
    struct gtid     position[];        /* all that is applied with it */
};

/* With the position `at`. */
struct item *item_new(enum item_kind kind, const struct gtid_set *at);
void         item_free(struct item *i);

struct apply;

struct apply_spec {
    const struct move *move;
    uint32_t           source, target;
    bool               spools; /* it must not hold up other targets: what does not fit into the
                                  queue waits in a file */
    const struct copy *copy;  /* rows that it does not cover are left out; NULL: all are in */
    void             (*wake)(void *context); /* from its thread: something has changed */
    void              *context;
};

struct apply_status {
    struct gtid_set  committed;
    bool             idle;      /* nothing is queued or under way */
    bool             failed, retries;
    struct sql_error error;     /* of the two above */
    uint64_t         transactions, rows;
    unsigned         stashed;
    uint64_t         oldest_us; /* since when the oldest item waits to be in; 0: none does */
    uint64_t         batch_us;  /* how long the last one took */
};

/* Connects, reads `stream` and `stash`, and waits for items. `start`: the position when `stream`
 * has none; then what `stash` has is of another life, and removed. NULL: *error. */
struct apply *apply_start(const struct apply_spec *spec, const char *start,
                          struct sql_error *error) must_check;

/* Ends the thread at once and frees it; fine with NULL. */
void apply_stop(struct apply *a);

/* Takes the item, and waits while the queue is full. False: it has failed or is stopping. */
bool apply_push(struct apply *a, struct item *i) must_check;

void apply_status(struct apply *a, struct apply_status *out);

/* While it is idle: see ITEM_LOST. False: it has failed or is stopping. */
bool apply_lost(struct apply *a) must_check;

/* While it is idle: `stream` was written by the copy; and another answer to what is covered. */
void apply_reload(struct apply *a, const struct copy *copy);

/* From any thread: what waits for a server or for room returns, for apply_stop(). */
void apply_interrupt(struct apply *a);

#endif
