/* copy.h - the rows that leave one source, as of snapshots of it, in primary key order.
 *
 * In cycles, so that no snapshot lives long: a cycle copies for some seconds, several tables at
 * a time, and notes for each table the last primary key that was read ("last"). Between cycles
 * the flow catches up to the next snapshot's position, and applies of each table only what
 * copy_covers(). A table whose primary key cannot be ordered here as the server orders it (UUID,
 * ENUM, FLOAT, some collations) is copied whole in one cycle, however long that takes; of one that
 * was begun and not ended all is removed from the target and copied again. (Unless it was not
 * sharded before: then in one transaction.)
 *
 * Targets may have come differently far when one of them was lost: each is asked for itself.
 */
#ifndef CTL_MOVE_COPY_H
#define CTL_MOVE_COPY_H

#include <stdatomic.h>

#include "ctl/move/snapshot.h"

struct copy;
struct binlog_value; /* core/mysql/binlog_rows.h */

struct copy_status {
    uint64_t rows, rows_total; /* read on the source; the total is the server's estimate */
    uint64_t sent, bytes;      /* to targets */
    unsigned tables, tables_done;
    char     table[256];       /* one of those in work: "db.t" */
};

/* Reads from the targets how far an earlier controller came. */
struct copy *copy_open(const struct move *m, uint32_t source, struct sql_error *error);

/* Rows read and bytes sent per second at most, from all tables together (0: no limit), and a
 * pause, in which a cycle goes on to wait until its time is over. From any thread. */
void copy_throttle(struct copy *c, uint64_t rows_per_s, uint64_t bytes_per_s, bool paused);
void copy_close(struct copy *c);

/* One cycle of about `seconds`. False: an error, or `*stop` became true; what was noted on the
 * targets is consistent in any case, and a copy that is opened anew goes on from there (this one
 * can only be closed: it may not know of what a lost server committed). The
 * position of the snapshot is written to `stream` on every target before the first rows: the
 * flow has applied all up to there, and nothing behind it. A target that has no row in
 * `stream` has nothing of the copy. */
bool copy_cycle(struct copy *c, struct snapshot *s, unsigned seconds, const atomic_bool *stop,
                struct sql_error *error) must_check;

bool copy_is_done(const struct copy *c);

/* Whether the row with these values (all columns of the table's image, by column index) lies in
 * what has been copied to this target. Not while a cycle runs. */
bool copy_covers(const struct copy *c, unsigned table, uint32_t target,
                 const struct binlog_value *columns);

/* From any thread. */
void copy_status(const struct copy *c, struct copy_status *out);

#endif
