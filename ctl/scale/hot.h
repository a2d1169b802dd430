/* hot.h - where the heat is: from the workers' slots (shm/heat.h) to load.h. */
#ifndef CTL_SCALE_HOT_H
#define CTL_SCALE_HOT_H

#include <jansson.h>

#include "ctl/scale/load.h"
#include "shm/slots.h"

struct hot;

struct hot *hot_new(void);
void        hot_free(struct hot *h);

/* Looks at all slots; `slots` may be NULL. */
void hot_look(struct hot *h, const struct slots *slots);

/* Tells what there was between looks. `map`: the catalog's ranges/map, for whose keys are. */
void hot_put(struct hot *h, const json_t *map, struct load *l);

/* The catalog's ranges/map as ranges, whose `shard` is the shard's id; the caller frees them. */
struct route_range *hot_ranges(const json_t *map, uint32_t *n) must_check;

#endif
