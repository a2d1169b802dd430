/* metrics.c - see metrics.h. */
#include "workers/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/version.h"

#define NOW(word) atomic_load_explicit(&(word), memory_order_relaxed)

/* Upper bounds in microseconds: three a decade, closer where statements are. */
static const uint64_t bounds_us[] = {
    10,    25,    50,     100,    250,    500,     1000,    2500,    5000,     10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
};

static void
head(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static const char *
type_of(enum counter_role role)
{
    return role == COUNTER_TOTAL ? "counter" : "gauge";
}

/* A gauge is a difference of sums read one after the other: it may be below 0
 * for a moment, which would be a huge number without a sign. */
static void
value(struct buf *out, const struct counter_info *info, uint64_t n)
{
    if (info->scale < 1.0)
        buf_printf(out, " %.15g\n", (double)n * info->scale);
    else if (info->role == COUNTER_GAUGE)
        buf_printf(out, " %lld\n", (long long)((int64_t)n < 0 ? 0 : n));
    else
        buf_printf(out, " %llu\n", (unsigned long long)n);
}

/* --- counters and latencies ----------------------------------------------- */

static void
counters(struct buf *out, const struct slots_sum *sum)
{
    for (int i = 0; i < COUNTERS_N; i++) {
        const struct counter_info *info = &counter_info[i];
        if (info->help[0] != 0)
            head(out, info->metric, type_of(info->role), info->help);
        buf_append_text(out, info->metric);
        if (info->labels[0] != 0)
            buf_printf(out, "{%s}", info->labels);
        value(out, info, sum->counter[i]);
    }
}

static void
latency(struct buf *out, const struct latency_info *info, const struct histogram_sum *sum)
{
    const char *comma = info->labels[0] != 0 ? "," : "";
    const char *open  = info->labels[0] != 0 ? "{" : "", *close = info->labels[0] != 0 ? "}" : "";

    for (size_t i = 0; i < countof(bounds_us); i++)
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", info->metric, info->labels, comma,
                   (double)bounds_us[i] / 1e6,
                   (unsigned long long)histogram_at_most(sum, bounds_us[i] * 1000));
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", info->metric, info->labels, comma,
               (unsigned long long)sum->count);
    buf_printf(out, "%s_sum%s%s%s %.15g\n", info->metric, open, info->labels, close,
               (double)sum->sum_ns * 1e-9);
    buf_printf(out, "%s_count%s%s%s %llu\n", info->metric, open, info->labels, close,
               (unsigned long long)sum->count);
}

static void
latencies(struct buf *out, const struct slots_sum *sum)
{
    for (int i = 0; i < LATENCIES_N; i++) {
        if (latency_info[i].help[0] != 0)
            head(out, latency_info[i].metric, "histogram", latency_info[i].help);
        latency(out, &latency_info[i], &sum->latency[i]);
    }
}

/* --- shards and engines ---------------------------------------------------- */

struct shard_sum {
    uint32_t    id;
    struct span name;
    uint64_t    counter[SHARD_COUNTERS_N];
};

static int
by_id(const void *a, const void *b)
{
    const struct shard_sum *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void
add_record(struct shard_sum *sums, uint32_t n, const struct slot_shard *record)
{
    uint64_t id = NOW(record->id);

    if (id == 0 || id > UINT32_MAX)
        return;
    struct shard_sum  key = { .id = (uint32_t)(id - 1) };
    struct shard_sum *sum = bsearch(&key, sums, n, sizeof(*sums), by_id);
    for (int i = 0; sum != NULL && i < SHARD_COUNTERS_N; i++)
        sum->counter[i] += NOW(record->counter[i]);
}

/* One pass over the records, however many shards there are. */
static struct shard_sum *
sum_servers(const struct slots *slots, const struct route_shard *all, uint32_t n)
{
    struct shard_sum *sums = mem_alloc(n * sizeof(*sums));

    for (uint32_t i = 0; i < n; i++)
        sums[i] = (struct shard_sum){ .id = all[i].id, .name = all[i].name };
    qsort(sums, n, sizeof(*sums), by_id);
    for (uint32_t worker = 0; worker < slots->n_workers; worker++)
        for (uint32_t i = 0; i < ROUTES_SHARDS_MAX; i++)
            add_record(sums, n, &slots_at(slots, worker)->shard[i]);
    return sums;
}

/* The names and help texts are those of shards: "shard" becomes `what` in them. */
static const char *
renamed(const char *text, const char *what, char *out, size_t room)
{
    size_t at = 0;

    for (out[0] = 0; *text != 0 && at + 1 < room;) {
        /* Not in "shardd". */
        bool word = strncmp(text, "shard", 5) == 0 && text[5] != 'd';
        int  n    = word ? snprintf(out + at, room - at, "%s", what)
                         : snprintf(out + at, room - at, "%c", *text);
        at += (size_t)n;
        text += word ? 5 : 1;
    }
    return out;
}

static void
label(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '\\' || c == '"')
            buf_append_byte(out, '\\');
        if (c == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append_byte(out, c);
    }
}

static void
servers(struct buf *out, const struct slots *slots, const struct route_shard *all, uint32_t n,
        const char *what)
{
    char metric[128], help[256];

    if (n == 0)
        return;
    struct shard_sum *sums = sum_servers(slots, all, n);
    for (int c = 0; c < SHARD_COUNTERS_N; c++) {
        const struct counter_info *info = &shard_counter_info[c];
        renamed(info->metric, what, metric, sizeof(metric));
        renamed(info->help, what, help, sizeof(help));
        head(out, metric, type_of(info->role), help);
        for (uint32_t i = 0; i < n; i++) {
            buf_printf(out, "%s{%s=\"", metric, what);
            label(out, sums[i].name);
            buf_append_text(out, "\"}");
            value(out, info, sums[i].counter[c]);
        }
    }
    free(sums);
}

/* --- replicas -------------------------------------------------------------- */

enum replica_metric {
    REPLICA_SCORE, REPLICA_LAG, REPLICA_FRESH, REPLICA_BEHIND, REPLICA_LATENCY,
    REPLICA_OUTSTANDING, REPLICA_OPEN, REPLICA_READS, REPLICA_ERRORS, REPLICA_OPENED,
    REPLICA_METRICS,
};

static double
age(uint64_t covers_us, uint64_t now_us)
{
    if (covers_us == 0)
        return NAN;
    return now_us > covers_us ? (double)(now_us - covers_us) / 1e6 : 0;
}

static double
replica_value(const struct server_sum *sum, enum replica_metric which, uint64_t now_us)
{
    switch (which) {
    case REPLICA_SCORE:       return (double)sum->score;
    case REPLICA_LAG:
        return sum->covers_us != 0 && sum->behind == 0 ? 0 : age(sum->covers_us, now_us);
    case REPLICA_FRESH:       return age(sum->covers_us, now_us);
    case REPLICA_BEHIND:      return sum->covers_us == 0 ? NAN : (double)sum->behind;
    case REPLICA_LATENCY:     return (double)sum->latency_us / 1e6;
    case REPLICA_OUTSTANDING: return (double)sum->outstanding;
    case REPLICA_OPEN:        return sum->n_open;
    case REPLICA_READS:       return (double)sum->reads;
    case REPLICA_ERRORS:      return (double)sum->errors;
    case REPLICA_OPENED:      return (double)sum->opened;
    case REPLICA_METRICS:     break;
    }
    return 0;
}

static void
replicas(struct buf *out, const struct slots *slots, const struct routes *r, uint64_t now_us)
{
    static const struct {
        const char *metric, *type, *help;
    } rows[REPLICA_METRICS] = {
        { "shardd_replica_score", "gauge",
          "Health from 0 to 100: the lowest that a worker gives." },
        { "shardd_replica_lag_seconds", "gauge",
          "How late the replica is, 0 when it had all when it was asked; NaN: not known." },
        { "shardd_replica_fresh_seconds", "gauge",
          "Since when it may lack something: it was asked then, or later; NaN: not known." },
        { "shardd_replica_behind", "gauge",
          "Transactions that it lacked when it was asked; NaN: not known." },
        { "shardd_replica_latency_seconds", "gauge",
          "How long its answers take, as the choice of a server sees it." },
        { "shardd_replica_outstanding", "gauge", "Reads that wait for its answers." },
        { "shardd_replica_breakers_open", "gauge", "Workers that leave it alone." },
        { "shardd_replica_reads_total", "counter", "Reads sent to the replica." },
        { "shardd_replica_errors_total", "counter", "Reads that failed there." },
        { "shardd_replica_breakers_opened_total", "counter",
          "How often a worker began to leave it alone." },
    };
    struct server_sum *sums = mem_alloc((r->n_replicas + 1) * sizeof(*sums));

    for (uint32_t k = 0; k < r->n_replicas; k++)
        slots_sum_server(slots, r->replicas[k].id, &sums[k]);
    for (int i = 0; i < REPLICA_METRICS; i++) {
        head(out, rows[i].metric, rows[i].type, rows[i].help);
        for (uint32_t k = 0; k < r->n_replicas; k++) {
            double n = replica_value(&sums[k], (enum replica_metric)i, now_us);
            buf_printf(out, "%s{replica=\"", rows[i].metric);
            label(out, r->replicas[k].name);
            buf_append_text(out, "\",shard=\"");
            label(out, r->shards[r->replicas[k].shard].name);
            if (isnan(n))
                buf_append_text(out, "\"} NaN\n");
            else
                buf_printf(out, "\"} %.15g\n", n);
        }
    }
    free(sums);
}

/* --- processes ------------------------------------------------------------ */

static void
worker_states(struct buf *out, const struct slots *slots)
{
    static const char *const names[] = { NULL, "starting", "ready", "unready", "draining" };
    unsigned                 count[countof(names)] = { 0 };

    for (uint32_t worker = 0; worker < slots->n_workers; worker++) {
        uint64_t state = NOW(slots_at(slots, worker)->life.state);
        if (state < countof(names))
            count[state]++;
    }
    head(out, "shardd_workers", "gauge", "Worker processes by state.");
    for (size_t state = 1; state < countof(names); state++)
        buf_printf(out, "shardd_workers{state=\"%s\"} %u\n", names[state], count[state]);
}

enum worker_gauge { WORKER_GENERATION, WORKER_HEARTBEAT, WORKER_UPTIME, WORKER_GAUGES };

static double
worker_gauge(const struct slot_life *life, enum worker_gauge which, uint64_t now_ms)
{
    uint64_t since = which == WORKER_UPTIME ? NOW(life->started_ms) : NOW(life->heartbeat_ms);

    if (which == WORKER_GENERATION)
        return (double)NOW(life->generation);
    return now_ms > since ? (double)(now_ms - since) / 1000 : 0;
}

static void
workers(struct buf *out, const struct slots *slots, uint64_t now_ms)
{
    static const struct {
        const char *metric, *help;
    } rows[WORKER_GAUGES] = {
        { "shardd_worker_routes_generation", "Generation of the routes the worker uses." },
        { "shardd_worker_heartbeat_age_seconds", "Since the worker's last turn." },
        { "shardd_worker_uptime_seconds", "Since the worker was started." },
    };

    for (int i = 0; i < WORKER_GAUGES; i++) {
        head(out, rows[i].metric, "gauge", rows[i].help);
        for (uint32_t worker = 0; worker < slots->n_workers; worker++) {
            const struct slot_life *life = &slots_at(slots, worker)->life;
            if (NOW(life->state) != SLOT_EMPTY)
                buf_printf(out, "%s{worker=\"%u\"} %.15g\n", rows[i].metric, worker,
                           worker_gauge(life, (enum worker_gauge)i, now_ms));
        }
    }
}

static void
routes_info(struct buf *out, const struct routes *routes)
{
    head(out, "shardd_routes_generation", "gauge", "Generation of the routes; 0: none yet.");
    buf_printf(out, "shardd_routes_generation %llu\n",
               (unsigned long long)(routes != NULL ? routes->generation : 0));
    head(out, "shardd_shards", "gauge", "Shards in the routes.");
    buf_printf(out, "shardd_shards %u\n", routes != NULL ? routes->n_shards : 0);
    head(out, "shardd_engines", "gauge", "Engines in the routes.");
    buf_printf(out, "shardd_engines %u\n", routes != NULL ? routes->n_engines : 0);
}

void
metrics_render(struct buf *out, const struct slots *slots, const struct routes *routes,
               uint64_t now_ms)
{
    struct slots_sum *sum = mem_alloc(sizeof(*sum));

    slots_sum(slots, sum);
    head(out, "shardd_build_info", "gauge", "Always 1; the version is in the label.");
    buf_printf(out, "shardd_build_info{version=\"%s\"} 1\n", SHARDD_VERSION);
    routes_info(out, routes);
    worker_states(out, slots);
    workers(out, slots, now_ms);
    counters(out, sum);
    latencies(out, sum);
    if (routes != NULL) {
        servers(out, slots, routes->shards, routes->n_shards, "shard");
        servers(out, slots, routes->engines, routes->n_engines, "engine");
        replicas(out, slots, routes, clock_us());
    }
    free(sum);
}
