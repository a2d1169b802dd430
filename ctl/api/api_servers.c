/* api_servers.c - how the servers of a shard are seen: by the controller, the workers, replicas. */
#include <stdio.h>

#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_watch.h"
#include "shm/slots.h"

/* The least well of the workers' views counts. */
static const char *
breaker_word(const struct server_sum *sum)
{
    return sum->n_open > 0 ? "open" : sum->n_half_open > 0 ? "half-open" : "closed";
}

void
api_show_health(struct cluster *c, int64_t server, json_t *out)
{
    const struct slots *slots = publish_slots(c->publisher);
    struct server_sum   sum   = { .n = 0 };

    if (slots)
        slots_sum_server(slots, (uint32_t)server, &sum);
    publish_slots_done(c->publisher);
    if (sum.n == 0)
        return; /* no worker knows it */
    json_object_set_new(out, "score", json_integer((json_int_t)sum.score));
    json_object_set_new(out, "score_errors", json_integer((json_int_t)sum.score_errors));
    json_object_set_new(out, "score_latency", json_integer((json_int_t)sum.score_latency));
    model_set(out, "breaker", breaker_word(&sum));
    json_object_set_new(out, "latency_us", json_integer((json_int_t)sum.latency_us));
    json_object_set_new(out, "outstanding", json_integer((json_int_t)sum.outstanding));
    json_object_set_new(out, "reads", json_integer((json_int_t)sum.reads));
    json_object_set_new(out, "errors", json_integer((json_int_t)sum.errors));
}

/* Workers hold a shard for down when its server does not take connections. */
static void
show_circuit(struct cluster *c, int64_t shard, json_t *out)
{
    const struct slots *slots = publish_slots(c->publisher);
    uint64_t            sum[SHARD_COUNTERS_N] = { 0 };

    if (slots)
        slots_sum_shard(slots, (uint32_t)shard, sum);
    publish_slots_done(c->publisher);
    json_object_set_new(out, "workers_that_hold_it_for_down",
                        json_integer((json_int_t)sum[SHARD_COUNTER_DOWN]));
}

/* By how much the best of them is. That is how long statements would wait for it, or less, if the
 * primary were lost now. */
static void
show_behind(struct cluster *c, const char *shard, json_t *out)
{
    json_t     *seen = c->failover ? failover_watch_replicas(c->failover) : NULL, *one;
    int64_t     least = -1, lag;
    const char *id;

    json_object_foreach(seen, id, one) {
        if (strcmp(model_text(one, "shard"), shard) != 0 || model_flag(one, "suspect") ||
            !model_flag(one, "replicates") || !json_is_integer(json_object_get(one, "lag_s")))
            continue;
        lag   = model_number(one, "lag_s");
        least = least < 0 || lag < least ? lag : least;
    }
    if (least >= 0)
        json_object_set_new(out, "behind_s", json_integer(least));
    json_decref(seen);
}

void
api_show_watch(struct cluster *c, const json_t *shard, json_t *out)
{
    json_t *all = c->failover ? failover_watch_show(c->failover) : NULL, *one;
    json_t *watch = json_object(), *last = json_array_get(json_object_get(shard, "failovers"), 0);
    char    id[24], own[32];
    static const char *const members[] = { "answers", "silent_ms", "workers_ms", "replicas_hear",
                                           "verdict", "failed" };

    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    one = json_object_get(all, id);
    for (size_t i = 0; i < countof(members); i++)
        if (json_object_get(one, members[i]))
            json_object_set(watch, members[i], json_object_get(one, members[i]));
    show_behind(c, model_text(shard, "name"), watch);
    show_circuit(c, model_number(shard, "id"), watch);
    json_object_set_new(out, "watch", watch);
    snprintf(own, sizeof(own), "server-%d", model_server_number(shard));
    model_set(out, "primary", model_text(shard, "server_name")[0] ? model_text(shard, "server_name")
                                                                  : own);
    json_object_set_new(out, "last_failover", last ? json_incref(last) : json_null());
    api_show_health(c, model_server_id(shard), out);
    json_decref(all);
}
