/* snapshot.h - sessions on one server that all see it as of one position of its binlog.
 *
 *   side:     BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT       commits wait, a few ms
 *   sessions: START TRANSACTION WITH CONSISTENT SNAPSHOT
 *   side:     position = @@gtid_binlog_pos; XA RECOVER; BACKUP STAGE END
 *
 * No branch is prepared: that is it, from = position. Else this position is `from`; when none of
 * those branches is left, all is done again, and the branches that are prepared at the new
 * position have their rows in the binlog between `from` and `position`, and their XA COMMIT
 * behind it. (A `from` that is read without holding commits would not do: XA PREPARE is in the
 * binlog a moment before XA RECOVER tells of it.)
 */
#ifndef CTL_MOVE_SNAPSHOT_H
#define CTL_MOVE_SNAPSHOT_H

#include <stdatomic.h>

#include "ctl/move/move.h"

enum { SNAPSHOT_SESSIONS_MAX = 16, SNAPSHOT_BRANCHES_MS = 15000 };

struct snapshot {
    unsigned      n;
    struct server session[SNAPSHOT_SESSIONS_MAX];
    char          from[GTID_TEXT_MAX], position[GTID_TEXT_MAX];
    json_t       *prepared; /* owned: {xid as in XA RECOVER's data, hex in capitals: true} */
    double        held_ms;  /* how long commits waited, at the most */
};

/* With `n` sessions on the shard. Commits are held back for at most `hold_ms` (rounded up to
 * seconds if the server loses us then), else it is an error, as when branches stay prepared for
 * SNAPSHOT_BRANCHES_MS or `*stop` (may be NULL) becomes true: all may be tried again. */
bool move_snapshot_open(struct snapshot *s, const struct move *m, uint32_t shard, unsigned n,
                   unsigned hold_ms, const atomic_bool *stop,
                   struct sql_error *error) must_check;

/* The same of this server, the shard's or (`replica`) one that replicates it: then the position
 * is one of the shard's log, too. A replica's own log begins where it was made; what it has of
 * domains that were silent since then is only in its gtid_slave_pos. */
bool move_snapshot_open_on(struct snapshot *s, const struct move *m, const json_t *server,
                           bool replica, unsigned n, unsigned hold_ms, const atomic_bool *stop,
                           struct sql_error *error) must_check;
void move_snapshot_close(struct snapshot *s);

#endif
