/* history.h - what was measured, on disk, so that it survives the controller.
 *
 *   HOME/load.db    point (shard, grain, at) -> seconds and values; the fields' names
 *
 * A bounded SQLite file of its own, without fsync: a controller that is killed loses nothing,
 * a power cut perhaps all of it, and then a new one is begun. Nothing depends on it: when it
 * cannot be written (the disk is full) that is said once, tried again each time, and the
 * controller goes on with what is in memory.
 */
#ifndef CTL_SCALE_HISTORY_H
#define CTL_SCALE_HISTORY_H

#include "ctl/scale/load.h"

struct history;

/* In this folder; what is there comes into `l`. Never fails, see above. */
struct history *history_open(const char *folder, struct load *l);
void            history_close(struct history *h);

/* What is put between begin and end is written at once, or not at all. */
void history_begin(struct history *h);
void history_put(struct history *h, enum load_grain grain, const struct shard_load *m);

/* What is older than LOAD_..._MAX of its grain goes; `interval_ms` is that of raw ones. */
void history_end(struct history *h, int64_t now_ms, int interval_ms);

#endif
