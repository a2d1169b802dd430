/* counters.c - the tables of counters.h as data. */
#include "shm/counters.h"

/* A row whose metric is in seconds is counted in nanoseconds. */
#define SCALE_OF(metric) \
    (sizeof(metric) > sizeof("_seconds_total") && \
     __builtin_strcmp(metric + sizeof(metric) - sizeof("_seconds_total"), \
                      "_seconds_total") == 0 ? 1e-9 : 1.0)

const struct counter_info counter_info[COUNTERS_N] = {
#define ROW(name, role, metric, labels, help) \
    [COUNTER_##name] = { "shardd_" metric, labels, help, COUNTER_##role, SCALE_OF(metric) },
    COUNTERS(ROW)
#undef ROW
};

const struct latency_info latency_info[LATENCIES_N] = {
#define ROW(name, metric, labels, help) \
    [LATENCY_##name] = { "shardd_" metric, labels, help },
    LATENCIES(ROW)
#undef ROW
};

const struct counter_info shard_counter_info[SHARD_COUNTERS_N] = {
#define ROW(name, role, metric, help) \
    [SHARD_COUNTER_##name] = { "shardd_" metric, "", help, COUNTER_##role, SCALE_OF(metric) },
    SHARD_COUNTERS(ROW)
#undef ROW
};
