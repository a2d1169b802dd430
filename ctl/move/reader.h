/* reader.h - from which server of a shard rows are read when nothing is written there.
 *
 * A replica that has all that is asked for answers as its primary would, and leaves that to the
 * applications. It is asked what it has by GTID; time says nothing.
 */
#ifndef CTL_MOVE_READER_H
#define CTL_MOVE_READER_H

#include "ctl/move/move.h"

/* The object of a replica of the shard that replicates and has all up to `position` of its
 * primary's log, after `wait_ms` at the most; to be owned. NULL: there is none. */
json_t *reader_replica(const struct move *m, uint32_t shard, const char *position,
                       unsigned wait_ms);

#endif
