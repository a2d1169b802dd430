/* api_fence.c - fences by hand: for tests, and for whoever has to take down one that a dead
 * controller has left. Moves raise and lower their own.
 */
#include <stdlib.h>

#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/fence.h"

enum { WAIT_MS = 1000 };

/* --- the map ---------------------------------------------------------------- */

/* The index of the range that begins at `start`, or of the first one behind it. */
static size_t
find_start(const json_t *ranges, const char *start)
{
    size_t i = 0;

    while (i < json_array_size(ranges) &&
           strcmp(json_string_value(json_array_get(json_array_get(ranges, i), 0)), start) < 0)
        i++;
    return i;
}

static bool
begins_at(const json_t *ranges, size_t i, const char *start)
{
    const char *is = json_string_value(json_array_get(json_array_get(ranges, i), 0));

    return is && strcmp(is, start) == 0;
}

/* Ranges begin at these, too; their owners stay. */
static void
cut_map(json_t *ranges, const json_t *starts)
{
    json_t *start;
    size_t  k;

    json_array_foreach((json_t *)(uintptr_t)starts, k, start) {
        const char *text = json_string_value(start);
        size_t      i    = text ? find_start(ranges, text) : 0;
        if (i == 0 || begins_at(ranges, i, text))
            continue;
        json_t *owner = json_array_get(json_array_get(ranges, i - 1), 1);
        json_array_insert_new(ranges, i, json_pack("[s, O]", text, owner));
    }
}

/* [["<start>", shard id], ...]: the ranges that begin there are theirs. */
static void
give_map(json_t *ranges, const json_t *owners)
{
    json_t *pair;
    size_t  k;

    json_array_foreach((json_t *)(uintptr_t)owners, k, pair) {
        const char *text = json_string_value(json_array_get(pair, 0));
        size_t      i    = text ? find_start(ranges, text) : 0;
        if (text && begins_at(ranges, i, text))
            json_array_set(json_array_get(ranges, i), 1, json_array_get(pair, 1));
    }
}

/* One change of the catalog, with or without the fence. */
static bool
change_map(struct cluster *c, const json_t *cut, const json_t *owners, bool lower, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "shardctl");
    json_t                *map    = catalog_read(change, CATALOG_RANGES, "map", NULL);

    cut_map(json_object_get(map, "ranges"), cut);
    give_map(json_object_get(map, "ranges"), owners);
    catalog_put(change, CATALOG_RANGES, "map", map, CATALOG_ANY);
    json_decref(map);
    if (lower)
        fence_put(change, NULL);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0 && publish_now(c->publisher, WAIT_MS, NULL, err);
}

/* --- requests ---------------------------------------------------------------- */

unsigned
api_fence_show(struct request *r)
{
    json_t *map  = catalog_get(r->cluster->catalog, CATALOG_RANGES, "map", NULL);
    json_t *move = catalog_get(r->cluster->catalog, CATALOG_META, "move", NULL);

    json_t *meta = catalog_get(r->cluster->catalog, CATALOG_META, "cluster", NULL);

    r->answer = json_pack("{s:I, s:O, s:o}", "generation",
                          (json_int_t)model_number(meta, "generation"), "ranges",
                          json_object_get(map, "ranges"), "move",
                          move ? json_incref(move) : json_object());
    json_decref(meta);
    json_decref(map);
    json_decref(move);
    return 200;
}

static unsigned
lower(struct request *r)
{
    const json_t *owners = json_object_get(r->body, "owners");
    struct err    err;
    bool ok = owners ? change_map(r->cluster, NULL, owners, true, &err)
                     : fence_lower(r->cluster, WAIT_MS, &err);

    return ok ? 200 : request_refuse(r, 503, "%s", err.text);
}

static unsigned
raise(struct request *r)
{
    const json_t      *cut   = json_object_get(r->body, "split");
    int64_t            wait  = model_number(r->body, "wait_ms");
    struct fence       fence = { .ranges = json_object_get(r->body, "ranges"),
                                 .shards = json_object_get(r->body, "shards"),
                                 .tables = json_object_get(r->body, "tables"),
                                 .cut    = model_flag(r->body, "cut") };
    struct fence_times times;
    struct err         err;

    if (cut && !change_map(r->cluster, cut, NULL, false, &err))
        return request_refuse(r, 503, "%s", err.text);
    if (fence_raise(r->cluster, &fence, (uint64_t)(wait > 0 ? wait : WAIT_MS), &times, &err) !=
        FENCE_UP)
        return request_refuse(r, 409, "%s", err.text);
    r->answer = json_pack("{s:I, s:I}", "acknowledged_us", (json_int_t)times.acknowledged_us,
                          "drained_us", (json_int_t)times.drained_us);
    return 200;
}

static unsigned
ease(struct request *r)
{
    struct fence fence = { .shards = json_object_get(r->body, "shards") };
    struct err   err;

    return fence_ease(r->cluster, &fence, (uint32_t)model_number(r->body, "ease"), WAIT_MS, &err)
               ? 200 : request_refuse(r, 503, "%s", err.text);
}

unsigned
api_fence_set(struct request *r)
{
    unsigned status;

    pthread_mutex_lock(&r->cluster->change_lock);
    if (model_flag(r->body, "lower"))
        status = lower(r);
    else
        status = model_number(r->body, "ease") > 0 ? ease(r) : raise(r);
    pthread_mutex_unlock(&r->cluster->change_lock);
    return status;
}
