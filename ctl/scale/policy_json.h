/* policy_json.h - the world, decisions and settings as they are recorded, and back. */
#ifndef CTL_SCALE_POLICY_JSON_H
#define CTL_SCALE_POLICY_JSON_H

#include <jansson.h>

#include "ctl/scale/policy.h"

/* To be owned. */
json_t *policy_world_json(const struct policy_world *w);
json_t *policy_shard_json(const struct policy_shard *s);
json_t *policy_decision_json(const struct decision *d, const struct policy_world *w);

/* A part of the world, to be recorded with `d`: the shards of `d`, those that are hot, and the
 * coldest others; at most `max` of them. Replayed it gives the same decision. */
json_t *policy_world_around(const struct policy_world *w, const struct decision *d, size_t max);

/* Fills `out`, whose shards are the caller's to free(). What is not there is unknown. */
void policy_world_read(struct policy_world *out, const json_t *object);

/* Decides once more with the settings and the world that were recorded. Returns what is
 * decided now for the shard of `decision` (as above, to be owned); NULL: nothing. */
json_t *policy_replay(const json_t *settings, const json_t *world, const json_t *decision);

#endif
