/* measure.h - what workers counted about each shard, between one look at their slots and the
 * next. */
#ifndef CTL_SCALE_MEASURE_H
#define CTL_SCALE_MEASURE_H

#include "ctl/scale/load.h"
#include "shm/slots.h"

struct measure;

struct measure *measure_new(void);
void            measure_free(struct measure *m);

/* Looks at all slots; `slots` may be NULL: no data plane ever ran. */
void measure_look(struct measure *m, const struct slots *slots);

/* What happened to this shard between the last two looks; nothing is filled in when there was
 * one look only. `seconds` is that of the measurement. */
void measure_take(const struct measure *m, uint32_t id, struct shard_load *out);

#endif
