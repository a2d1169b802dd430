/* detector.h - is a shard hot, or cold: thresholds, over several measurements, with hysteresis.
 *
 *                 N of the last M above the limit
 *      not hot ------------------------------------> hot        for each metric
 *              <------------------------------------
 *                 N of the last M below clear x limit
 *
 * A shard is cold when in so many of the last measurements every metric of work (not of what
 * is stored) lay below cold x limit, statements among them. A metric that was not measured says
 * nothing: neither that the limit is passed nor that it is kept. Pure, no allocation.
 */
#ifndef CTL_SCALE_DETECTOR_H
#define CTL_SCALE_DETECTOR_H

#include "core/base/base.h"

/* X(name, setting, unit, work, help): how a metric is called, in sentences and in settings.
 * work: less of it is left when rows go to another shard. What servers hold in memory is not. */
#define METRICS(X) \
    X(STATEMENTS,  "statements",  "/s", 1, "statements per second") \
    X(CPU,         "cpu",         "",   1, "CPU of what the server may use") \
    X(MEMORY,      "memory",      "",   0, "memory of what the server may use") \
    X(STORAGE,     "storage",     "",   0, "disk that is used") \
    X(CONNECTIONS, "connections", "",   1, "connections of the server") \
    X(LATENCY,     "latency",     "s",  1, "95th percentile of latency")

enum metric {
#define METRIC_ENUM(name, setting, unit, work, help) METRIC_##name,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
    METRICS_N
};

struct metric_info {
    const char *name, *unit, *help;
    bool        work;
};

extern const struct metric_info metrics[METRICS_N];

enum { DETECTOR_WINDOW_MAX = 64 };

struct detector_rules {
    double   limit[METRICS_N];      /* base units; 0: not looked at */
    double   clear, cold;           /* parts of a limit, cold < clear <= 1 */
    unsigned hot_n, hot_of;         /* hot_n <= hot_of <= DETECTOR_WINDOW_MAX */
    unsigned cold_n, cold_of;
};

/* Zeroed: nothing was seen. */
struct detector {
    uint64_t above[METRICS_N], below[METRICS_N]; /* the last measurements, the newest in bit 0 */
    uint64_t cold;
    uint64_t seen;        /* measurements ever */
    uint32_t hot;         /* a bit per metric */
    double   mean[METRICS_N]; /* of about the last hot_of; NAN: not measured */
};

/* Takes a measurement; NAN: not measured. */
void detector_add(struct detector *d, const struct detector_rules *r,
                  const double value[METRICS_N]);

static inline bool
detector_is_hot(const struct detector *d, enum metric m)
{
    return d->hot >> m & 1;
}

bool detector_is_cold(const struct detector *d, const struct detector_rules *r);

/* In how many of the last hot_of measurements `m` was above its limit. */
unsigned detector_above(const struct detector *d, const struct detector_rules *r, enum metric m);

/* The metric that is hot and, for its limit, the highest; METRICS_N: none is hot. */
enum metric detector_worst(const struct detector *d, const struct detector_rules *r);

/* All is forgotten: the shard has other rows now. */
void detector_reset(struct detector *d);

#endif
