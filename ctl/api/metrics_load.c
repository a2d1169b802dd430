/* metrics_load.c - what the monitor measured of shards and replicas, for Prometheus. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/api/metrics.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/monitor.h"

/* A replica, by the name of its shard. */
struct follower {
    char              shard[64];
    struct shard_load last;
};

/* The fields of load.h in base units, behind shardctl_shard_ and shardctl_replica_. */
static const struct field {
    enum load_field field;
    const char     *metric;
    double          scale;
} fields[] = {
    { LOAD_statements_per_s,  "statements_per_second", 1 },
    { LOAD_errors_per_s,      "errors_per_second", 1 },
    { LOAD_latency_mean_us,   "latency_mean_seconds", 1e-6 },
    { LOAD_latency_p50_us,    "latency_p50_seconds", 1e-6 },
    { LOAD_latency_p95_us,    "latency_p95_seconds", 1e-6 },
    { LOAD_latency_p99_us,    "latency_p99_seconds", 1e-6 },
    { LOAD_connections,       "connections", 1 },
    { LOAD_waiting,           "waiting", 1 },
    { LOAD_threads_connected, "threads_connected", 1 },
    { LOAD_threads_running,   "threads_running", 1 },
    { LOAD_max_connections,   "threads_limit", 1 },
    { LOAD_cpu,               "cpu_ratio", 1 },
    { LOAD_cpu_limit,         "cpu_limit_cores", 1 },
    { LOAD_memory,            "memory_ratio", 1 },
    { LOAD_memory_limit,      "memory_limit_bytes", 1 },
    { LOAD_disk_used,         "disk_used_bytes", 1 },
    { LOAD_disk_free,         "disk_free_bytes", 1 },
    { LOAD_buffer_pool,       "buffer_pool_ratio", 1 },
    { LOAD_buffer_pool_miss,  "buffer_pool_miss_ratio", 1 },
    { LOAD_rows,              "rows", 1 },
    { LOAD_bytes,             "data_bytes", 1 },
    { LOAD_lag_s,             "replica_lag_seconds", 1 },
};

static void
head(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

/* metric{shard="..."[,replica="..."][,collector="..."]} value */
static void
row(struct buf *out, const char *metric, const char *shard, const char *replica,
    const char *collector, double value)
{
    buf_printf(out, "%s{shard=\"", metric);
    metrics_label(out, shard);
    if (replica) {
        buf_append_text(out, "\",replica=\"");
        metrics_label(out, replica);
    }
    if (collector)
        buf_printf(out, "\",collector=\"%s", collector);
    buf_printf(out, "\"} %.15g\n", value);
}

static bool
known(double value)
{
    return !isnan(value) && !isinf(value);
}

static void
field_head(struct buf *out, const struct field *f, const char *prefix, char metric[96])
{
    char help[256];

    snprintf(metric, 96, "%s%s", prefix, f->metric);
    snprintf(help, sizeof(help), "%s.", load_fields[f->field].help);
    head(out, metric, "gauge", help);
}

/* What was not measured has no line. */
static void
loads(struct buf *out, const struct shard_load *all, size_t n)
{
    for (size_t f = 0; f < countof(fields); f++) {
        char metric[96];

        field_head(out, &fields[f], "shardctl_shard_", metric);
        for (size_t i = 0; i < n; i++) {
            double value = all[i].value[fields[f].field];

            if (known(value))
                row(out, metric, all[i].name, NULL, NULL, value * fields[f].scale);
        }
    }
}

static void
hottest_keys(struct buf *out, struct load *l, const struct shard_load *all, size_t n)
{
    head(out, "shardctl_shard_hottest_key_ratio", "gauge",
         "Of the shard's statements with a key, the share of the most frequent one.");
    for (size_t i = 0; i < n; i++) {
        struct load_key key;

        if (load_keys(l, all[i].id, &key, 1) == 1)
            row(out, "shardctl_shard_hottest_key_ratio", all[i].name, NULL, NULL, key.share);
    }
}

static void
collectors_of(struct buf *out, struct monitor *m, const char *metric, uint32_t id,
              const char *shard, const char *replica)
{
    json_t *list = monitor_show(m, id), *one;
    size_t  k;

    json_array_foreach(list, k, one)
        row(out, metric, shard, replica, model_text(one, "collector"),
            model_text(one, "problem")[0] == '\0');
    json_decref(list);
}

static void
shards(struct buf *out, struct monitor *m, const struct shard_load *all, size_t n)
{
    head(out, "shardctl_shard_measured_timestamp_seconds", "gauge",
         "When the shard's load was measured last.");
    for (size_t i = 0; i < n; i++)
        row(out, "shardctl_shard_measured_timestamp_seconds", all[i].name, NULL, NULL,
            (double)all[i].at_ms / 1000);
    loads(out, all, n);
    hottest_keys(out, monitor_load(m), all, n);
    head(out, "shardctl_collector_up", "gauge",
         "1 when the collector's last question about the shard's primary was answered.");
    for (size_t i = 0; i < n; i++)
        collectors_of(out, m, "shardctl_collector_up", all[i].id, all[i].name, NULL);
}

/* --- replicas ------------------------------------------------------------------------- */

/* Of all shards; the caller owns them. */
static struct follower *
followers_of(struct load *l, const struct shard_load *all, size_t n, size_t *n_out)
{
    struct follower    *out = mem_alloc(sizeof(*out));
    struct replica_load list[ROUTES_SHARD_REPLICAS_MAX];

    *n_out = 0;
    for (size_t i = 0; i < n; i++) {
        size_t has = load_replicas(l, all[i].id, list, countof(list));

        has = has < countof(list) ? has : countof(list);
        out = mem_resize(out, (*n_out + has + 1) * sizeof(*out));
        for (size_t k = 0; k < has; k++) {
            struct follower *one = &out[(*n_out)++];

            if (!load_latest_of(l, list[k].id, &one->last))
                shard_load_init(&one->last, list[k].id, list[k].name);
            snprintf(one->shard, sizeof(one->shard), "%s", all[i].name);
            snprintf(one->last.name, sizeof(one->last.name), "%s", list[k].name);
        }
    }
    return out;
}

/* Rows and bytes are its primary's; how far it is behind, metrics_servers.c tells. */
static bool
is_of_replicas(enum load_field field)
{
    return field != LOAD_rows && field != LOAD_bytes && field != LOAD_lag_s;
}

static void
replicas(struct buf *out, struct monitor *m, const struct follower *all, size_t n)
{
    for (size_t f = 0; f < countof(fields); f++) {
        char metric[96];

        if (!is_of_replicas(fields[f].field))
            continue;
        field_head(out, &fields[f], "shardctl_replica_", metric);
        for (size_t i = 0; i < n; i++) {
            double value = all[i].last.value[fields[f].field];

            if (known(value))
                row(out, metric, all[i].shard, all[i].last.name, NULL, value * fields[f].scale);
        }
    }
    head(out, "shardctl_replica_collector_up", "gauge",
         "1 when the collector's last question about the replica was answered.");
    for (size_t i = 0; i < n; i++)
        collectors_of(out, m, "shardctl_replica_collector_up", all[i].last.id, all[i].shard,
                      all[i].last.name);
}

void
metrics_load(struct buf *out, struct monitor *m)
{
    struct shard_load *all = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*all));
    size_t             n   = load_latest(monitor_load(m), all, ROUTES_SHARDS_MAX), n_followers;
    struct follower   *followers = followers_of(monitor_load(m), all, n, &n_followers);

    head(out, "shardctl_monitor_interval_seconds", "gauge", "How often the load is measured.");
    buf_printf(out, "shardctl_monitor_interval_seconds %.15g\n",
               (double)monitor_interval_ms(m) / 1000);
    shards(out, m, all, n);
    replicas(out, m, followers, n_followers);
    free(followers);
    free(all);
}
