/* api_load.c - what the monitor measured. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "ctl/api/exporter.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/collect.h"
#include "ctl/scale/hot.h"
#include "ctl/scale/monitor.h"

enum { POINTS_MAX = LOAD_HOURS_MAX, TABLES_SHOWN = 50 };

static json_t *
number(double value)
{
    return isnan(value) || isinf(value) ? json_null() : json_real(value);
}

static json_t *
show(const struct shard_load *m, const char *what)
{
    json_t *out = json_pack("{s:s, s:I, s:I, s:f}", what, m->name, "id", (json_int_t)m->id,
                            "at_ms", (json_int_t)m->at_ms, "seconds", m->seconds);

    for (int i = 0; i < LOAD_FIELDS_N; i++)
        json_object_set_new(out, load_fields[i].name, number(m->value[i]));
    json_object_set_new(out, "disk", number(shard_load_disk(m)));
    return out;
}

/* How it follows, and the numbers of its server. */
static json_t *
show_replica(struct monitor *m, const struct replica_load *r)
{
    struct shard_load one;
    json_t           *row;

    if (!load_latest_of(monitor_load(m), r->id, &one))
        shard_load_init(&one, r->id, r->name);
    row = show(&one, "replica");
    model_set(row, "replica", r->name);
    model_set(row, "problem", r->problem);
    json_object_set_new(row, "wanted", json_boolean(r->wanted));
    json_object_set_new(row, "answers", json_boolean(r->answers));
    json_object_set_new(row, "follows", json_boolean(r->follows));
    json_object_set_new(row, "lag_s", number(r->lag_s));
    json_object_set_new(row, "collectors", monitor_show(m, r->id));
    return row;
}

static json_t *
show_replicas(struct monitor *m, uint32_t id)
{
    struct replica_load all[ROUTES_SHARD_REPLICAS_MAX];
    size_t              n    = load_replicas(monitor_load(m), id, all, countof(all));
    json_t             *list = json_array();

    for (size_t i = 0; i < n && i < countof(all); i++)
        json_array_append_new(list, show_replica(m, &all[i]));
    return list;
}

/* False, and the answer says it: nothing is measured here. */
static bool
measured(struct request *r)
{
    if (r->cluster->monitor)
        return true;
    request_refuse(r, 503, "the monitor does not run; see the controller's log");
    return false;
}

unsigned
api_load(struct request *r)
{
    struct monitor    *m = r->cluster->monitor;
    struct shard_load *all;
    json_t            *list = json_array(), *row;
    size_t             n;
    char              *metrics;

    if (!measured(r))
        return 503;
    all = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*all));
    n   = load_latest(monitor_load(m), all, ROUTES_SHARDS_MAX);
    for (size_t i = 0; i < n; i++) {
        row = show(&all[i], "shard");
        json_object_set_new(row, "collectors", monitor_show(m, all[i].id));
        json_object_set_new(row, "replicas", show_replicas(m, all[i].id));
        json_array_append_new(list, row);
    }
    free(all);
    metrics   = exporter_address(r->cluster->exporter);
    r->answer = json_pack("{s:f, s:s, s:o}", "interval_s", (double)monitor_interval_ms(m) / 1000,
                          "metrics", metrics, "shards", list);
    free(metrics);
    return 200;
}

unsigned
api_load_set(struct request *r)
{
    json_t     *interval = json_object_get(r->body, "interval_s");
    const char *metrics  = request_text(r, "metrics");
    struct err  err;

    if (!measured(r))
        return 503;
    if (!metrics && !json_is_number(interval))
        return request_refuse(r, 400, "say \"interval_s\": how often to measure, in seconds; or "
                              "\"metrics\": where /metrics is");
    if (metrics && !exporter_listen(r->cluster->exporter, r->who, metrics, &err))
        return request_refuse(r, 400, "%s", err.text);
    if (interval && !monitor_set_interval(r->cluster->monitor, r->who,
                              (int)fmin(json_number_value(interval) * 1000, 1e9), &err))
        return request_refuse(r, 400, "%s", err.text);
    return 200;
}

static json_t *
show_keys(struct load *l, uint32_t id)
{
    struct load_key *keys = mem_alloc(LOAD_KEYS_MAX * sizeof(*keys));
    size_t           n    = load_keys(l, id, keys, LOAD_KEYS_MAX);
    json_t          *list = json_array();

    for (size_t i = 0; i < n; i++) {
        char    hash[24];
        json_t *row = json_pack("{s:I, s:f, s:f, s:f}", "shard_id", (json_int_t)keys[i].shard,
                                "per_s", keys[i].per_s, "error", keys[i].error, "share",
                                keys[i].share);
        snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)keys[i].hash);
        model_set(row, "hash", hash);
        model_set(row, "table", keys[i].table);
        model_set(row, "key", keys[i].key);
        json_array_append_new(list, row);
    }
    free(keys);
    return list;
}

/* The ranges that have any heat, with the shard's id. */
static json_t *
show_ranges(const float *heat, const struct route_range *ranges, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        uint64_t last  = i + 1 < n ? ranges[i + 1].start - 1 : UINT64_MAX;
        double   per_s = load_heat_of(heat, NULL, 0, ranges[i].start, last);
        char     first[24], end[24];

        if (!(per_s > 0))
            continue;
        snprintf(first, sizeof(first), "%016llx", (unsigned long long)ranges[i].start);
        snprintf(end, sizeof(end), "%016llx", (unsigned long long)last);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:f}", "start", first, "last", end,
                                              "shard_id", (json_int_t)ranges[i].shard, "per_s",
                                              per_s));
    }
    return list;
}

/* Where each shard would be cut into halves of equal heat. */
static json_t *
show_cuts(struct load *l, const float *heat, const struct route_range *ranges, uint32_t n,
          json_t *shards)
{
    struct load_key *keys = mem_alloc(LOAD_KEYS_MAX * sizeof(*keys));
    size_t           n_keys = load_keys(l, ROUTES_NONE, keys, LOAD_KEYS_MAX);
    json_t          *list = json_array(), *shard;
    const char      *id;

    json_object_foreach(shards, id, shard) {
        char     text[24];
        uint64_t at;
        double   got;

        if (!load_cut(heat, keys, n_keys, ranges, n, (uint32_t)model_number(shard, "id"), 0.5,
                      &at, &got))
            continue;
        snprintf(text, sizeof(text), "%016llx", (unsigned long long)at);
        json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "shard",
                                              model_text(shard, "name"), "at", text, "share",
                                              got));
    }
    free(keys);
    return list;
}

/* The names beside the ids. */
static void
name_shards(json_t *list, const json_t *shards)
{
    json_t *row;
    size_t  i;

    json_array_foreach(list, i, row) {
        char id[24];

        snprintf(id, sizeof(id), "%lld", (long long)model_number(row, "shard_id"));
        model_set(row, "shard", model_text(json_object_get(shards, id), "name"));
    }
}

unsigned
api_heat(struct request *r)
{
    struct load *l;
    float       *heat;

    if (!measured(r))
        return 503;
    l    = monitor_load(r->cluster->monitor);
    heat = mem_alloc(LOAD_PARTS * sizeof(*heat));
    load_heat(l, heat); /* all 0 when there is none yet */

    json_t             *shards = catalog_all(r->cluster->catalog, CATALOG_SHARD);
    json_t             *map = catalog_get(r->cluster->catalog, CATALOG_RANGES, "map", NULL);
    uint32_t            n;
    struct route_range *ranges = hot_ranges(map, &n);
    json_t *keys = show_keys(l, ROUTES_NONE), *list = show_ranges(heat, ranges, n);

    name_shards(keys, shards);
    name_shards(list, shards);
    r->answer = json_pack("{s:o, s:o, s:o}", "keys", keys, "ranges", list, "halves",
                          show_cuts(l, heat, ranges, n, shards));
    json_decref(shards);
    json_decref(map);
    free(ranges);
    free(heat);
    return 200;
}

static bool
grain_of(const struct request *r, enum load_grain *out)
{
    static const char *const words[LOAD_GRAINS_N] = { "raw", "minute", "hour" };
    const char              *word = json_string_value(json_object_get(r->query, "grain"));

    *out = LOAD_RAW;
    for (int i = 0; word && i < LOAD_GRAINS_N; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (enum load_grain)i;
            return true;
        }
    return word == NULL;
}

static json_t *
tables_of(struct load *l, uint32_t id)
{
    struct table_load *tables = mem_alloc(TABLES_SHOWN * sizeof(*tables));
    size_t             n      = load_tables(l, id, tables, TABLES_SHOWN);
    json_t            *list   = json_array();

    for (size_t i = 0; i < n && i < TABLES_SHOWN; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "table", tables[i].name, "rows",
                                              number(tables[i].rows), "bytes",
                                              number(tables[i].bytes)));
    free(tables);
    return list;
}

static json_t *
points_of(struct load *l, uint32_t id, enum load_grain grain, int64_t from_ms, const char *what)
{
    struct shard_load *all    = mem_alloc(POINTS_MAX * sizeof(*all));
    size_t             n      = load_history(l, id, grain, from_ms, all, POINTS_MAX);
    json_t            *points = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(points, show(&all[i], what));
    free(all);
    return points;
}

/* ?grain=raw|minute|hour&since_s=N: no older than N seconds. Of a shard, or of a replica. */
unsigned
api_load_history(struct request *r)
{
    const char     *since = json_string_value(json_object_get(r->query, "since_s"));
    const char     *what  = "shard";
    json_t         *server;
    enum load_grain grain;
    int64_t         from = since ? ((int64_t)time(NULL) - atoll(since)) * 1000 : 0;

    if (!measured(r))
        return 503;
    if (!grain_of(r, &grain))
        return request_refuse(r, 400, "grain is raw, minute or hour");
    if (!(server = cluster_shard(r->cluster, r->part[1]))) {
        what   = "replica";
        server = cluster_replica(r->cluster, r->part[1]);
    }
    if (!server)
        return request_refuse(r, 404, "there is no shard or replica '%s'; see 'shardctl load'",
                              r->part[1]);

    uint32_t     id = collect_id(server);
    struct load *l  = monitor_load(r->cluster->monitor);
    r->answer = json_pack("{s:s, s:o, s:o}", what, model_text(server, "name"), "points",
                          points_of(l, id, grain, from, what), "tables", tables_of(l, id));
    json_decref(server);
    return 200;
}
