/* counters.c - the tables of counters.h as data. */
#include "shm/counters.h"

#define ROLE_TOTAL       COUNTER_TOTAL, 1.0
#define ROLE_GAUGE       COUNTER_GAUGE, 1.0
#define ROLE_NANOSECONDS COUNTER_TOTAL, 1e-9

const struct counter_info counter_info[COUNTERS_N] = {
#define ROW(name, role, metric, labels, help) \
    [COUNTER_##name] = { "shardd_" metric, labels, help, ROLE_##role },
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
    [SHARD_COUNTER_##name] = { "shardd_" metric, "", help, ROLE_##role },
    SHARD_COUNTERS(ROW)
#undef ROW
};
