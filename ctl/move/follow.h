/* follow.h - one source's log, transaction by transaction, to the appliers of its targets.
 *
 *   GTID  [BEGIN]  TABLE_MAP ROWS ...  XID           applied
 *   GTID  ...  QUERY COMMIT | QUERY ROLLBACK         applied | dropped
 *   GTID  ...  SAVEPOINT a  ...  ROLLBACK TO a ...   what is between is dropped
 *   GTID  ...  XA_PREPARE                            waits for:
 *   GTID  QUERY XA COMMIT | XA ROLLBACK
 *   GTID  QUERY ALTER ...                            stops us when it concerns what moves
 *
 * Nothing of a transaction is passed on before its end, so that reading can begin anew at the last
 * end at any time. What the job itself has written here (by its server id) only moves the
 * position: so forward and reverse never loop.
 */
#ifndef CTL_MOVE_FOLLOW_H
#define CTL_MOVE_FOLLOW_H

#include "ctl/move/apply.h"

struct follow;

struct follow_target {
    uint32_t        shard;
    struct apply   *apply;   /* borrowed */
    struct gtid_set start;   /* it has all up to there */
    bool            unknown_is_fine; /* see struct item */
};

/* How far reading is. No sign of it is always there and always true: a log that is written all the
 * time has no heartbeats; its events have the time that their sessions want (SET timestamp), in
 * whole seconds; and a slow line pauses as well. */
struct follow_seen {
    bool     any;       /* a transaction or a heartbeat: the server has found where to begin */
    uint32_t timestamp; /* of the last event by its server's clock; 0: none */
    uint64_t end_us;    /* clock_us() of the last heartbeat: nothing more to read; 0: none */
    uint64_t pause_us;  /* when nothing came last, for as long as follow_next() waited; 0: never */
};

/* `targets` are copied. */
struct follow *follow_new(const struct move *m, uint32_t source,
                          const struct follow_target *targets, unsigned n);
void           follow_free(struct follow *f);

/* From the last end of a transaction, or from where the one that is least far is. The format of
 * the log has been passed on when it returns. */
bool follow_open(struct follow *f, const atomic_bool *stop, struct sql_error *error) must_check;
void follow_close(struct follow *f);

enum follow_step {
    FOLLOW_ON,     /* an event */
    FOLLOW_QUIET,  /* there is nothing at the moment */
    FOLLOW_LIMIT,  /* what comes next is behind the limit */
    FOLLOW_ENDED,  /* an error; passing (see lost.h) or not; or an applier has failed */
};

/* Where to stop (NULL: nowhere), with what the snapshot there does not see (borrowed; or NULL). */
void follow_limit(struct follow *f, const struct gtid_set *limit, const json_t *prepared);

/* One event. Quiet also after `wait_ms`. */
enum follow_step follow_next(struct follow *f, unsigned wait_ms,
                             struct sql_error *error) must_check;

/* All up to the limit has been passed on. */
bool follow_at_limit(const struct follow *f);

/* Passes the position on, when there is anything to tell; `all`: also when only what the job
 * itself wrote has passed. */
bool follow_advance(struct follow *f, bool all) must_check;

/* Tells the appliers that branches which were deferred are seen by the snapshot that comes, but
 * for those that are prepared there; NULL: no snapshot comes any more. */
bool follow_resolve(struct follow *f, const json_t *prepared) must_check;

/* No target has unknown branches any more that are fine: see struct item. */
void follow_known(struct follow *f);

/* Where it is, and the last that could change rows on a target. */
const struct gtid_set *follow_position(const struct follow *f);
const struct gtid_set *follow_effect(const struct follow *f);

/* How near the log's end it is. */
const struct follow_seen *follow_seen(const struct follow *f);

/* From any thread, while it is open; a nudge ends one wait of follow_next(). */
void follow_interrupt(struct follow *f);
void follow_nudge(struct follow *f);

#endif
