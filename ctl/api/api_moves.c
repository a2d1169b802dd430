/* api_moves.c - rows that move, jobs, and the map of ranges. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/move/run.h"
#include "ctl/scale/monitor.h"

static uint64_t
start_at(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(json_array_get(list, i), 0));

    return strtoull(text ? text : "", NULL, 16);
}

/* What each range weighs by the statements that go there. False: nothing was measured yet. */
static bool
weigh_by_load(struct request *r, struct sql_error *error)
{
    struct load    *load = r->cluster->monitor ? monitor_load(r->cluster->monitor) : NULL;
    float          *heat = mem_alloc(LOAD_PARTS * sizeof(*heat));
    struct load_key hot[LOAD_KEYS_MAX];
    json_t         *map  = catalog_get(r->cluster->catalog, CATALOG_RANGES, "map", NULL);
    json_t         *list = json_object_get(map, "ranges"), *weights = json_object();
    bool            ok   = load && load_heat(load, heat);
    size_t          n    = json_array_size(list);
    size_t          n_hot = ok ? load_keys(load, ROUTES_NONE, hot, LOAD_KEYS_MAX) : 0;

    for (size_t i = 0; ok && i < n; i++) {
        uint64_t last = i + 1 < n ? start_at(list, i + 1) - 1 : UINT64_MAX;
        double   is   = load_heat_of(heat, hot, n_hot, start_at(list, i), last);

        json_object_set_new(weights, json_string_value(json_array_get(json_array_get(list, i), 0)),
                            json_real(is));
    }
    json_object_set_new(r->body, "weights", weights);
    json_decref(map);
    free(heat);
    return ok || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no load has been measured yet; "
                               "try again in half a minute");
}

unsigned
api_move_begin(struct request *r)
{
    struct sql_error error;

    if (strcmp(model_text(r->body, "by"), "load") == 0 && !weigh_by_load(r, &error))
        return request_done(r, false, &error);
    r->answer = moves_begin(r->cluster, r->who, r->body, &error);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_job_show(struct request *r)
{
    char   *end;
    int64_t number = strtoll(r->part[1], &end, 10);
    json_t *record = *end == '\0' && number > 0 ? moves_show(r->cluster, number) : NULL;

    if (!record)
        return request_no_such(r, "job", r->part[1]);
    r->answer = record;
    return 200;
}

/* POST /v1/jobs/N/WHAT; N may be 0: the move that runs. */
unsigned
api_job_ask(struct request *r)
{
    char            *end;
    int64_t          number = strtoll(r->part[1], &end, 10);
    struct sql_error error;

    if (*end != '\0' || number < 0)
        return request_no_such(r, "job", r->part[1]);
    if (!moves_ask(r->cluster, &number, r->part[2],
                   model_text(r->body, "throttle"), &error))
        return request_done(r, false, &error);
    r->answer = json_pack("{s:I}", "job", (json_int_t)number);
    return 200;
}

/* Sets "share" (of the key space) of each shard, by id. */
json_t *
api_shares(const json_t *map)
{
    json_t *list = json_object_get(map, "ranges"), *pair, *shares = json_object();
    size_t  i, n = json_array_size(list);

    json_array_foreach(list, i, pair) {
        uint64_t end  = i + 1 < n ? start_at(list, i + 1) : UINT64_MAX;
        double   part = (double)(end - start_at(list, i)) / 18446744073709551616.0;
        char     id[24];

        snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_array_get(pair, 1)));
        json_object_set_new(shares, id,
                            json_real(json_real_value(json_object_get(shares, id)) + part));
    }
    return shares;
}

unsigned
api_range_list(struct request *r)
{
    json_t *map  = catalog_get(r->cluster->catalog, CATALOG_RANGES, "map", NULL);
    json_t *list = json_object_get(map, "ranges"), *pair, *out = json_array();
    json_t *shards = catalog_all(r->cluster->catalog, CATALOG_SHARD);
    size_t  i, n = json_array_size(list);

    json_array_foreach(list, i, pair) {
        uint64_t first = start_at(list, i);
        uint64_t last  = i + 1 < n ? start_at(list, i + 1) - 1 : UINT64_MAX;
        char     id[24], text[2][17];

        snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_array_get(pair, 1)));
        snprintf(text[0], sizeof(text[0]), "%016llx", (unsigned long long)first);
        snprintf(text[1], sizeof(text[1]), "%016llx", (unsigned long long)last);
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:f}", "first", text[0], "last",
                              text[1], "shard",
                              model_text(json_object_get(shards, id), "name"), "percent",
                              100 * (double)(last - first) / 18446744073709551616.0));
    }
    json_decref(map);
    json_decref(shards);
    r->answer = json_pack("{s:o}", "ranges", out);
    return 200;
}
