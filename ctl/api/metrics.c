/* metrics.c - see metrics.h. */
#include "ctl/api/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/base/memory.h"
#include "core/base/proc.h"
#include "core/base/version.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/job/job.h"
#include "ctl/move/run.h"
#include "ctl/provision/spawn.h"
#include "ctl/scale/scaler.h"

static void
head(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

void
metrics_label(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            buf_append_byte(out, '\\');
        if (*text == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append_byte(out, (uint8_t)*text);
    }
}

static void
one(struct buf *out, const char *metric, const char *type, const char *help, double value)
{
    head(out, metric, type, help);
    buf_printf(out, "%s %.15g\n", metric, value);
}

/* metric{name="value"} number */
static void
labelled(struct buf *out, const char *metric, const char *name, const char *value, double number)
{
    buf_printf(out, "%s{%s=\"", metric, name);
    metrics_label(out, value);
    buf_printf(out, "\"} %.15g\n", number);
}

/* --- the controller -------------------------------------------------------------- */

static double
cpu_seconds(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void
process(struct buf *out, struct cluster *c)
{
    json_t *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);

    head(out, "shardctl_build_info", "gauge", "Always 1; the version is in the label.");
    labelled(out, "shardctl_build_info", "version", SHARDD_VERSION, 1);
    one(out, "shardctl_ready", "gauge", "1 once everything has started.",
        atomic_load(&c->ready) ? 1 : 0);
    one(out, "shardctl_uptime_seconds", "gauge", "Since the controller was started.",
        (double)(spawn_now_ms() - c->started_ms) / 1000);
    one(out, "shardctl_routes_generation", "gauge", "Generation of the routes in the catalog.",
        (double)model_number(meta, "generation"));
    one(out, "shardctl_deadlocks_total", "counter",
        "Deadlocks between shards that were broken since the start.",
        (double)atomic_load(&c->deadlocks));
    one(out, "process_cpu_seconds_total", "counter", "CPU time of the controller.",
        cpu_seconds());
    one(out, "process_resident_memory_bytes", "gauge", "Memory of the controller.",
        (double)proc_resident());
    json_decref(meta);
}

/* --- jobs and moves --------------------------------------------------------------- */

static void
jobs(struct buf *out, struct cluster *c)
{
    static const char *const words[] = { "running", "paused", "stuck" };
    json_t                  *list = job_list(c, 0, true), *record;
    size_t                   i;

    head(out, "shardctl_jobs", "gauge", "Jobs that are not finished, by state.");
    for (size_t w = 0; w < countof(words); w++) {
        int n = 0;

        json_array_foreach(list, i, record)
            n += strcmp(model_text(record, "state"), words[w]) == 0;
        labelled(out, "shardctl_jobs", "state", words[w], n);
    }
    json_decref(list);
}

static double
real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void
moves(struct buf *out, struct cluster *c)
{
    int64_t job    = moves_running(c);
    json_t *record = job > 0 ? moves_show(c, job) : NULL;
    json_t *p      = json_object_get(record, "progress");

    one(out, "shardctl_move_running", "gauge", "1 while rows move between shards.", job > 0);
    one(out, "shardctl_move_rows", "gauge", "Rows that the running move has copied.",
        real(p, "rows"));
    one(out, "shardctl_move_rows_expected", "gauge", "Rows that it has to copy, as estimated.",
        real(p, "rows_total"));
    one(out, "shardctl_move_rows_per_second", "gauge", "Rows that it copies per second.",
        real(p, "rows_per_s"));
    one(out, "shardctl_move_lag_seconds", "gauge", "How far its targets are behind.",
        real(p, "lag_s"));
    head(out, "shardctl_move_phase", "gauge", "1 for the phase of the running move.");
    if (record)
        labelled(out, "shardctl_move_phase", "phase", model_text(record, "phase"), 1);
    json_decref(record);
}

/* --- the scaler -------------------------------------------------------------------- */

static void
forecasts(struct buf *out, const char *name, const char *help, const json_t *shards,
          const char *number)
{
    const json_t *shard;
    size_t        i;

    head(out, name, "gauge", help);
    json_array_foreach(shards, i, shard) {
        const json_t *f = json_object_get(shard, "statements");

        if (json_is_object(f))
            labelled(out, name, "shard", model_text(shard, "name"), real(f, number));
    }
}

static void
scaler_states(struct buf *out, const json_t *shown)
{
    static const char *const modes[] = { "off", "advise", "auto" };
    static const char *const words[] = { "hot", "cold", "moving", "sick" };
    json_t                  *shards  = json_object_get(shown, "shards"), *shard;
    size_t                   i;

    head(out, "shardctl_scaler_mode", "gauge", "1 for the mode it is in.");
    for (size_t m = 0; m < countof(modes); m++)
        labelled(out, "shardctl_scaler_mode", "mode", modes[m],
                 strcmp(model_text(shown, "mode"), modes[m]) == 0);
    head(out, "shardctl_scaler_shards", "gauge", "Shards as the scaler sees them, by state.");
    for (size_t w = 0; w < countof(words); w++) {
        int n = 0;

        json_array_foreach(shards, i, shard) {
            const json_t *is = json_object_get(shard, words[w]);

            n += json_is_true(is) || json_object_size(is) > 0 ||
                 (json_is_string(is) && json_string_length(is) > 0);
        }
        labelled(out, "shardctl_scaler_shards", "state", words[w], n);
    }
    forecasts(out, "shardctl_scaler_forecast_statements_per_second",
              "The highest rate of the shard that is foreseen.", shards, "peak");
    forecasts(out, "shardctl_scaler_forecast_error_ratio",
              "How far such forecasts were off on average.", shards, "error");
}

static void
scaler_decided(struct buf *out, struct scaler *s)
{
    static const char *const labels[] = { "action", "state" };
    json_t                  *list     = scaler_counts(s), *row;
    size_t                   i;

    head(out, "shardctl_scaler_decisions_total", "counter",
         "Decisions since the controller started, by what they are and how they stand or ended.");
    json_array_foreach(list, i, row)
        buf_printf(out, "shardctl_scaler_decisions_total{%s=\"%s\",%s=\"%s\"} %lld\n", labels[0],
                   model_text(row, labels[0]), labels[1], model_text(row, labels[1]),
                   (long long)model_number(row, "n"));
    json_decref(list);
}

static void
scaler(struct buf *out, struct scaler *s)
{
    json_t *shown = scaler_show(s);

    scaler_states(out, shown);
    scaler_decided(out, s);
    one(out, "shardctl_scaler_stopped", "gauge",
        "1 when it has stopped itself, until 'shardctl scaler resume'.",
        model_text(shown, "stopped")[0] ? 1 : 0);
    one(out, "shardctl_scaler_moves_today", "gauge", "Moves of the last 24 hours.",
        (double)model_number(shown, "moves_today"));
    one(out, "shardctl_scaler_checked_timestamp_seconds", "gauge", "When it looked last.",
        (double)model_number(shown, "checked_s"));
    json_decref(shown);
}

/* --- the audit --------------------------------------------------------------------- */

static void
audit(struct buf *out, struct cluster *c)
{
    struct audit_ends ends;

    catalog_audit_ends(c->catalog, &ends);
    one(out, "shardctl_audit_lines_total", "counter", "Lines ever written to the audit log.",
        (double)ends.head.seq);
    one(out, "shardctl_event_streams", "gauge", "Clients that listen to events.",
        atomic_load(&c->streams));
}

/* --- shards ------------------------------------------------------------------------ */

static void
shard_states(struct buf *out, json_t *shards)
{
    static const char *const words[] = { "up", "draining" };
    const char              *key;
    json_t                  *shard;

    head(out, "shardctl_shards", "gauge", "Shards by state.");
    for (size_t w = 0; w < countof(words); w++) {
        int n = 0;

        json_object_foreach(shards, key, shard)
            n += strcmp(model_text(shard, "state"), words[w]) == 0;
        labelled(out, "shardctl_shards", "state", words[w], n);
    }
}

static void
key_space(struct buf *out, struct cluster *c, json_t *shards)
{
    json_t     *map = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    json_t     *shares = api_shares(map), *shard;
    const char *key;

    head(out, "shardctl_shard_ranges", "gauge", "Ranges of the key space that the shard owns.");
    json_object_foreach(shards, key, shard)
        labelled(out, "shardctl_shard_ranges", "shard", model_text(shard, "name"),
                 api_ranges_of(map, model_number(shard, "id")));
    head(out, "shardctl_shard_keys_ratio", "gauge", "Its share of the key space.");
    json_object_foreach(shards, key, shard)
        labelled(out, "shardctl_shard_keys_ratio", "shard", model_text(shard, "name"),
                 real(shares, key));
    json_decref(shares);
    json_decref(map);
}

void
metrics_controller(struct buf *out, struct cluster *c)
{
    json_t *shards = catalog_all(c->catalog, CATALOG_SHARD);

    process(out, c);
    jobs(out, c);
    moves(out, c);
    shard_states(out, shards);
    key_space(out, c, shards);
    metrics_servers(out, c, shards);
    if (c->monitor)
        metrics_load(out, c->monitor);
    if (c->scaler)
        scaler(out, c->scaler);
    audit(out, c);
    json_decref(shards);
}
