/* scaler_show.c - decisions and measurements for people. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/monitor.h"
#include "ctl/scale/scaler_step.h"

json_t *
scaler_decisions(struct cluster *c, size_t limit, int64_t before)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_DECISION), *d, *out = json_array();
    const char *name;

    json_object_foreach(all, name, d)
        if (before == 0 || model_number(d, "number") < before)
            json_array_insert(out, 0, d);
    json_decref(all);
    while (limit > 0 && json_array_size(out) > limit)
        json_array_remove(out, json_array_size(out) - 1);
    return out;
}

json_t *
scaler_explain(struct cluster *c, int64_t number)
{
    char    name[24];
    json_t *d, *inputs, *world, *again;

    snprintf(name, sizeof(name), "%010lld", (long long)number);
    d      = catalog_get(c->catalog, CATALOG_DECISION, name, NULL);
    inputs = catalog_get(c->catalog, CATALOG_INPUTS, name, NULL);
    if (!d || !inputs) {
        json_decref(d);
        json_decref(inputs);
        return NULL;
    }
    world = json_object_get(inputs, "world");
    again = policy_replay(json_object_get(inputs, "settings"), world, d);
    json_object_update(d, inputs);
    json_object_set_new(d, "replayed", again ? again : json_null());
    json_decref(inputs);
    return d;
}

static json_t *
number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *
point_of(const struct shard_load *m, const char *name)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time",
                     (json_int_t)(m->at_ms / 1000), "shard", name, "statements",
                     number(m->statements_per_s), "cpu", number(m->cpu), "memory",
                     number(m->memory), "storage", number(shard_load_disk(m)), "connections",
                     number(isnan(m->threads_connected) ? m->connections : m->threads_connected),
                     "latency", number(m->latency_p95_us / 1e6), "bytes", number(m->bytes));
}

json_t *
scaler_trace(struct cluster *c, bool hours)
{
    struct shard_load *points = mem_alloc(LOAD_HOURS_MAX * sizeof(*points));
    json_t            *shards = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    json_t            *list   = json_array();
    const char        *key;

    json_object_foreach(shards, key, shard) {
        size_t n = !c->monitor ? 0
                   : load_history(monitor_load(c->monitor), (uint32_t)model_number(shard, "id"),
                                  hours ? LOAD_HOUR : LOAD_MINUTE, 0, points, LOAD_HOURS_MAX);

        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, point_of(&points[i], model_text(shard, "name")));
    }
    json_decref(shards);
    free(points);
    return model_sorted(list, "time", false);
}
