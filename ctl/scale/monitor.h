/* monitor.h - the thread of the controller that measures the load of all shards and replicas.
 *
 *   each interval:  workers' slots --+
 *                                    +--> one struct shard_load for each --> load.h, disk
 *   in threads of their own:         |
 *     server status, sizes, process, agents: the last answers, when they are fresh
 *
 * Whatever asks over a network does so in threads of its own, with deadlines, so that the
 * interval is kept and a server that hangs costs its own numbers only.
 */
#ifndef CTL_SCALE_MONITOR_H
#define CTL_SCALE_MONITOR_H

#include "ctl/provision/cluster.h"
#include "ctl/scale/load.h"

enum {
    MONITOR_INTERVAL_MS     = 10000,
    MONITOR_INTERVAL_MIN_MS = 1000,
    MONITOR_INTERVAL_MAX_MS = 600000,
};

struct monitor;

/* NULL: there is no thread for it, which is logged. */
struct monitor *monitor_start(struct cluster *c);
void            monitor_stop(struct monitor *m); /* NULL is fine */

/* What was measured; lives as long as the monitor does. */
struct load *monitor_load(struct monitor *m);

/* [{"collector", "problem": "" or why it failed, "age_s": since it succeeded} ...] of a shard or
 * replica, owned by the caller. */
json_t *monitor_show(struct monitor *m, uint32_t id);

int  monitor_interval_ms(struct monitor *m);

/* How often to measure from now on, in milliseconds within the bounds above. Kept in the
 * catalog (meta/monitor). */
bool monitor_set_interval(struct monitor *m, const char *who, int ms, struct err *err) must_check;

#endif
