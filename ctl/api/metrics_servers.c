/* metrics_servers.c - primaries, replicas and changes of roles, for Prometheus. What servers say
 * is as it was seen last: a scrape asks nobody. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/api/metrics.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_watch.h"

static void
head(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

/* metric{shard="..."[,key="..."]} value */
static void
row(struct buf *out, const char *metric, const char *shard, const char *key, const char *text,
    double value)
{
    buf_printf(out, "%s{shard=\"", metric);
    metrics_label(out, shard);
    if (key) {
        buf_printf(out, "\",%s=\"", key);
        metrics_label(out, text);
    }
    buf_printf(out, "\"} %.15g\n", value);
}

/* --- primaries ---------------------------------------------------------------------- */

static void
watched(struct buf *out, json_t *watch)
{
    const char *id;
    json_t     *one;

    head(out, "shardctl_primary_up", "gauge",
         "1 when the primary of a shard that has replicas answers the controller.");
    json_object_foreach(watch, id, one)
        row(out, "shardctl_primary_up", model_text(one, "shard"), NULL, "",
            model_flag(one, "answers"));
    head(out, "shardctl_primary_silent_seconds", "gauge", "For how long it has not answered.");
    json_object_foreach(watch, id, one)
        row(out, "shardctl_primary_silent_seconds", model_text(one, "shard"), NULL, "",
            (double)model_number(one, "silent_ms") / 1000);
    head(out, "shardctl_failovers_failed_total", "counter",
         "Attempts to replace it since the controller started that came to nothing.");
    json_object_foreach(watch, id, one)
        row(out, "shardctl_failovers_failed_total", model_text(one, "shard"), NULL, "",
            (double)model_number(one, "failed"));
}

static void
changes(struct buf *out, json_t *shards)
{
    static const char *const kinds[] = { "planned", "lost", "forced" };
    const char              *id;
    json_t                  *shard;

    head(out, "shardctl_failovers_total", "counter", "Changes of the shard's primary, by kind.");
    json_object_foreach(shards, id, shard)
        for (size_t k = 0; k < countof(kinds); k++)
            row(out, "shardctl_failovers_total", model_text(shard, "name"), "kind", kinds[k],
                (double)model_number(json_object_get(shard, "failover_counts"), kinds[k]));
    head(out, "shardctl_failover_last_timestamp_seconds", "gauge",
         "When its primary changed last.");
    json_object_foreach(shards, id, shard)
        if (json_array_size(json_object_get(shard, "failovers")) > 0)
            row(out, "shardctl_failover_last_timestamp_seconds", model_text(shard, "name"), NULL,
                "", (double)model_number(json_array_get(json_object_get(shard, "failovers"), 0),
                                         "at_ms") / 1000);
    head(out, "shardctl_failover_last_pause_seconds", "gauge",
         "For how long statements waited then.");
    json_object_foreach(shards, id, shard) {
        json_t *last = json_array_get(json_object_get(shard, "failovers"), 0);

        if (json_object_get(last, "pause_ms"))
            row(out, "shardctl_failover_last_pause_seconds", model_text(shard, "name"), NULL, "",
                json_number_value(json_object_get(last, "pause_ms")) / 1000);
    }
}

/* --- replicas -------------------------------------------------------------------------- */

static double
count(json_t *replicas, int64_t shard, const char *state)
{
    const char *id;
    json_t     *one;
    int         n = 0;

    json_object_foreach(replicas, id, one) {
        const char *is = model_text(one, "suspect")[0] ? "suspect" : model_text(one, "state");

        n += model_number(one, "shard") == shard && strcmp(is, state) == 0;
    }
    return n;
}

static void
roles(struct buf *out, json_t *shards, json_t *replicas)
{
    static const char *const states[] = { "serving", "draining", "disabled", "suspect" };
    const char              *id;
    json_t                  *shard;

    head(out, "shardctl_shard_epoch", "gauge", "Grows whenever the shard's primary changes.");
    json_object_foreach(shards, id, shard)
        row(out, "shardctl_shard_epoch", model_text(shard, "name"), NULL, "",
            (double)model_number(shard, "epoch"));
    head(out, "shardctl_shard_semi_sync", "gauge", "1 when commits wait for a replica.");
    json_object_foreach(shards, id, shard)
        row(out, "shardctl_shard_semi_sync", model_text(shard, "name"), NULL, "",
            model_flag(shard, "semi_sync"));
    head(out, "shardctl_shard_replicas", "gauge",
         "Replicas by state; suspect: of no use any more since it was replaced.");
    json_object_foreach(shards, id, shard)
        for (size_t i = 0; i < countof(states); i++)
            row(out, "shardctl_shard_replicas", model_text(shard, "name"), "state", states[i],
                count(replicas, model_number(shard, "id"), states[i]));
}

static void
flag(struct buf *out, json_t *seen, const char *metric, const char *help, const char *member)
{
    const char *id;
    json_t     *one;

    head(out, metric, "gauge", help);
    json_object_foreach(seen, id, one)
        if (!model_flag(one, "suspect"))
            row(out, metric, model_text(one, "shard"), "replica", model_text(one, "replica"),
                model_flag(one, member));
}

static void
sights(struct buf *out, json_t *seen)
{
    const char *id;
    json_t     *one;

    flag(out, seen, "shardctl_replica_up", "1 when the replica answers the controller.",
         "answers");
    flag(out, seen, "shardctl_replica_replicates", "1 when it gets events and applies them.",
         "replicates");
    head(out, "shardctl_replica_lag_seconds", "gauge",
         "How far it is behind, as its server says.");
    json_object_foreach(seen, id, one)
        if (!model_flag(one, "suspect") && json_is_integer(json_object_get(one, "lag_s")))
            row(out, "shardctl_replica_lag_seconds", model_text(one, "shard"), "replica",
                model_text(one, "replica"), (double)model_number(one, "lag_s"));
}

void
metrics_servers(struct buf *out, struct cluster *c, json_t *shards)
{
    json_t *replicas = catalog_all(c->catalog, CATALOG_REPLICA);
    json_t *watch    = c->failover ? failover_watch_show(c->failover) : json_object();
    json_t *seen     = c->failover ? failover_watch_replicas(c->failover) : json_object();

    watched(out, watch);
    changes(out, shards);
    roles(out, shards, replicas);
    sights(out, seen);
    json_decref(replicas);
    json_decref(watch);
    json_decref(seen);
}
