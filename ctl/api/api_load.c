/* api_load.c - what the monitor measured. */
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/monitor.h"

enum { POINTS_MAX = LOAD_HOURS_MAX, TABLES_SHOWN = 50 };

static json_t *
number(double value)
{
    return isnan(value) || isinf(value) ? json_null() : json_real(value);
}

static json_t *
show(const struct shard_load *m)
{
    json_t *out = json_pack("{s:s, s:I, s:I, s:f}", "shard", m->name, "id", (json_int_t)m->id,
                            "at_ms", (json_int_t)m->at_ms, "seconds", m->seconds);

    for (int i = 0; i < LOAD_FIELDS_N; i++)
        json_object_set_new(out, load_fields[i].name, number(m->value[i]));
    json_object_set_new(out, "disk", number(shard_load_disk(m)));
    return out;
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

    if (!measured(r))
        return 503;
    all = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*all));
    n   = load_latest(monitor_load(m), all, ROUTES_SHARDS_MAX);
    for (size_t i = 0; i < n; i++) {
        row = show(&all[i]);
        json_object_set_new(row, "collectors", monitor_show(m, all[i].id));
        json_array_append_new(list, row);
    }
    free(all);
    r->answer = json_pack("{s:f, s:o}", "interval_s", (double)monitor_interval_ms(m) / 1000,
                          "shards", list);
    return 200;
}

unsigned
api_load_set(struct request *r)
{
    json_t    *interval = json_object_get(r->body, "interval_s");
    struct err err;

    if (!measured(r))
        return 503;
    if (!json_is_number(interval))
        return request_refuse(r, 400, "say \"interval_s\": how often to measure, in seconds");
    if (!monitor_set_interval(r->cluster->monitor, "shardctl",
                              (int)fmin(json_number_value(interval) * 1000, 1e9), &err))
        return request_refuse(r, 400, "%s", err.text);
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

/* ?grain=raw|minute|hour&since_s=N: no older than N seconds. */
unsigned
api_load_history(struct request *r)
{
    const char        *since = json_string_value(json_object_get(r->query, "since_s"));
    json_t            *shard, *points = json_array();
    struct shard_load *all;
    enum load_grain    grain;
    int64_t            from = since ? ((int64_t)time(NULL) - atoll(since)) * 1000 : 0;

    if (!measured(r))
        return 503;
    if (!grain_of(r, &grain))
        return request_refuse(r, 400, "grain is raw, minute or hour");
    shard = cluster_shard(r->cluster, r->part[1]);
    if (!shard)
        return request_no_such(r, "shard", r->part[1]);

    uint32_t     id = (uint32_t)model_number(shard, "id");
    struct load *l  = monitor_load(r->cluster->monitor);
    all             = mem_alloc(POINTS_MAX * sizeof(*all));
    size_t n        = load_history(l, id, grain, from, all, POINTS_MAX);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(points, show(&all[i]));
    r->answer = json_pack("{s:s, s:o, s:o}", "shard", model_text(shard, "name"), "points", points,
                          "tables", tables_of(l, id));
    free(all);
    json_decref(shard);
    return 200;
}
