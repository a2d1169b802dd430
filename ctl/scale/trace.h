/* trace.h - recorded or made-up load of many shards: a text file.
 *
 *   # shardd trace                            lines that begin with # say nothing
 *   time shard statements cpu storage key     the columns, in any order; time and shard must be
 *   1700000000 shard-1 9500 0.71 0.40 -       separated by spaces, tabs or commas; -: not known
 *   1700000000 shard-2 300 0.02 0.38 -        times in seconds, not descending
 *   1700000060 shard-1 ...
 *
 * Columns: statements (per second), cpu, memory, storage (of a server, 0 to 1), connections,
 * latency (95th percentile, seconds), bytes (of the tables), key (of the statements, how many
 * are about the hottest key: 0 to 1). `shardctl scaler trace` writes what was measured like
 * that, `shardctl scaler simulate --trace` reads it.
 */
#ifndef CTL_SCALE_TRACE_H
#define CTL_SCALE_TRACE_H

#include <stdio.h>

#include "core/base/err.h"
#include "ctl/scale/policy.h"

enum { TRACE_SHARDS_MAX = 1000, TRACE_POINTS_MAX = 20 * 1000 * 1000 };

/* The metrics, and behind them: */
enum { TRACE_BYTES = METRICS_N, TRACE_KEY, TRACE_VALUES_N };

struct trace_point {
    int64_t  at_s;
    uint32_t shard;
    float    value[TRACE_VALUES_N]; /* NAN: not known */
};

struct trace {
    size_t              n_shards, n, room;
    char              (*name)[POLICY_NAME_MAX]; /* of shards */
    struct trace_point *point;                  /* by time */
};

/* False with file, line and what is wrong there; trace_free() in any case. */
bool trace_read(struct trace *t, FILE *in, const char *file, struct err *err) must_check;
void trace_free(struct trace *t);

/* The line with the columns, and a point's line. */
void trace_write_head(FILE *out);
void trace_write_point(FILE *out, const struct trace *t, const struct trace_point *p);
void trace_write(FILE *out, const struct trace *t);

/* "daily", "weekly", "growth", "steps", "flapping", "noise", "key", "idle": a load of that shape
 * on `shards` shards for `hours`, a point each `every_s`; about `mean` statements per second on
 * each. The same for the same seed. False: there is no such shape; `err` names those there are. */
bool trace_generate(struct trace *t, const char *shape, unsigned shards, double hours,
                    unsigned every_s, double mean, uint64_t seed, struct err *err) must_check;

#endif
