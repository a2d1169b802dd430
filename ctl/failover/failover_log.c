/* failover_log.c - see failover_log.h. */
#include "ctl/failover/failover_log.h"

#include "core/base/clock.h"
#include "ctl/catalog/model.h"

static int64_t
now_ms(void)
{
    return (int64_t)(clock_wall_s() * 1000);
}

static int64_t
at(const json_t *event)
{
    return model_number(event, "at_ms");
}

static json_t *
member(json_t *object, const char *key, json_t *fresh)
{
    if (json_object_get(object, key))
        json_decref(fresh);
    else
        json_object_set_new(object, key, fresh);
    return json_object_get(object, key);
}

void
failover_log_add(json_t *shard, const struct failover_event *e)
{
    json_t *list   = member(shard, "failovers", json_array());
    json_t *counts = member(shard, "failover_counts", json_object());

    json_array_insert_new(list, 0, json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "at_ms",
                                             (json_int_t)now_ms(),
                                             "from", e->from, "to", e->to, "kind", e->kind, "why",
                                             e->why, "who", e->who, "may_be_lost",
                                             e->may_be_lost));
    while (json_array_size(list) > FAILOVERS_KEPT)
        json_array_remove(list, json_array_size(list) - 1);
    json_object_set_new(counts, e->kind, json_integer(model_number(counts, e->kind) + 1));
}

void
failover_log_pause(json_t *shard, double pause_ms)
{
    json_object_set_new(json_array_get(json_object_get(shard, "failovers"), 0), "pause_ms",
                        json_real(pause_ms));
}

unsigned
failover_log_recent(const json_t *shard, int window_s, int64_t *last_ms)
{
    json_t  *list = json_object_get(shard, "failovers"), *event;
    int64_t  now = now_ms();
    unsigned n   = 0;
    size_t   i;

    *last_ms = 0;
    json_array_foreach(list, i, event) {
        int64_t ago = now - at(event);

        if (strcmp(model_text(event, "kind"), "lost") != 0 || ago > window_s * 1000ll)
            continue;
        if (n++ == 0)
            *last_ms = ago > 0 ? ago : 0;
    }
    return n;
}

json_t *
failover_log_list(struct cluster *c)
{
    json_t     *shards = catalog_all(c->catalog, CATALOG_SHARD), *shard, *event;
    json_t     *list   = json_array();
    const char *id;
    size_t      i;

    json_object_foreach(shards, id, shard)
        json_array_foreach(json_object_get(shard, "failovers"), i, event) {
            json_t *one = json_copy(event);

            json_object_set(one, "shard", json_object_get(shard, "name"));
            json_array_append_new(list, one);
        }
    json_decref(shards);
    return model_sorted(list, "at_ms", true);
}
