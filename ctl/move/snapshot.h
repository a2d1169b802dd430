/* snapshot.h - sessions on one server that all see it as of one position of its binlog.
 *
 *   scout:    from  = @@gtid_binlog_pos; XA RECOVER; wait until none of these is left
 *   side:     BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT       commits wait, a few ms
 *   sessions: START TRANSACTION WITH CONSISTENT SNAPSHOT
 *   side:     position = @@gtid_binlog_pos; XA RECOVER; BACKUP STAGE END
 *
 * Branches that are prepared at the position have their rows in the binlog between `from`
 * and `position`, and their XA COMMIT behind it.
 */
#ifndef CTL_MOVE_SNAPSHOT_H
#define CTL_MOVE_SNAPSHOT_H

#include "ctl/move/move.h"

enum { SNAPSHOT_SESSIONS_MAX = 16 };

struct snapshot {
    unsigned      n;
    struct server session[SNAPSHOT_SESSIONS_MAX];
    char          from[MOVE_POSITION_MAX], position[MOVE_POSITION_MAX];
    json_t       *prepared; /* owned: {xid as in XA RECOVER's data, hex: true} */
    double        held_ms;  /* how long commits waited */
};

/* With `n` sessions on the shard. Commits are held back for at most `hold_ms` (then it is an
 * error that may be tried again). */
bool snapshot_open(struct snapshot *s, const struct move *m, uint32_t shard, unsigned n,
                   unsigned hold_ms, struct sql_error *error) must_check;
void snapshot_close(struct snapshot *s);

#endif
