/* simulate.h - what the scaler would have done with a load: the real detector, forecasts and
 * policy, with shards, moves and time that are made up.
 *
 * A shard of the simulation has parts of the trace's shards: at first each has all of its own; a
 * split gives equal parts of them away (but the hottest key, which cannot be parted), a merge
 * brings parts together. What a shard does is the sum of its parts, its latency that of the
 * trace less what the parts that left have taken with them. A move lasts as its bytes want it.
 *
 * Pure but for memory.
 */
#ifndef CTL_SCALE_SIMULATE_H
#define CTL_SCALE_SIMULATE_H

#include <jansson.h>

#include "ctl/scale/trace.h"

struct simulate_options {
    double bytes_per_s; /* how fast rows move; 0: 50 MB */
    double move_min_s;  /* a move lasts at least so long; 0: 30 */
};

/* Runs the policy over `t`. The mode is auto, whatever `s` says. Returns, to be owned,
 *   {"hours", "points", "shards": {"first", "last", "most"}, "splits", "merges", "hints",
 *    "held": {reason: n}, "hot_before", "hot": shard-minutes above a limit without and with
 *    the scaler, "forecast_error": mean, or null,
 *    "timeline": [{"time", "shards", "statements", "hottest", "moves"} ...] at most 500,
 *    "decisions": [{"time", "action", "why", "held", "shard", "text" ...} ...]} */
json_t *simulate_run(const struct trace *t, const struct scale_settings *s,
                     const struct simulate_options *o);

#endif
