/* collect_replicas.c - how well a shard's replicas follow it: how many do, how far the slowest is
 * behind. Nobody is asked: failover_watch.h looks at all replicas every two seconds. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_watch.h"
#include "ctl/scale/collect.h"

/* Why it does not follow; one that does not say is asked for in vain. */
static const char *
problem_of(const json_t *replica, const json_t *seen)
{
    const char *suspect = model_text(replica, "suspect"), *said = model_text(seen, "problem");

    if (suspect[0])
        return suspect;
    return said[0] ? said : model_flag(seen, "answers") ? "it does not replicate"
                                                        : "it does not answer";
}

static void
describe(const json_t *replica, const json_t *seen, struct replica_load *out)
{
    const json_t *lag = json_object_get(seen, "lag_s");

    *out = (struct replica_load){ .lag_s = NAN };
    snprintf(out->name, sizeof(out->name), "%s", model_text(replica, "name"));
    out->id      = collect_id(replica);
    out->wanted  = strcmp(model_text(replica, "state"), "disabled") != 0;
    out->answers = model_flag(seen, "answers");
    out->follows = !model_text(replica, "suspect")[0] && out->answers &&
                   model_flag(seen, "replicates") && json_is_number(lag);
    if (out->follows)
        out->lag_s = json_number_value(lag);
    else
        snprintf(out->problem, sizeof(out->problem), "%s", problem_of(replica, seen));
}

static void
add(const struct replica_load *r, struct shard_load *out)
{
    if (!r->wanted)
        return;
    out->replicas_wanted++;
    out->replicas_following += r->follows;
    if (r->follows && !(out->lag_s >= r->lag_s))
        out->lag_s = r->lag_s;
}

/* One that was not looked at yet is left out. */
static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    struct failover_watch *watch    = about->cluster->failover;
    json_t                *replicas = json_object_get(about->shard, "replicas"), *replica, *seen;
    struct replica_load   *list;
    size_t                 i, n = 0;

    (void)state;
    if (!watch)
        return err_set(err, "nobody looks at replicas; see the controller's log");
    list = mem_alloc((json_array_size(replicas) + 1) * sizeof(*list));
    seen = failover_watch_replicas(watch);
    out->replicas_wanted = out->replicas_following = 0;
    json_array_foreach(replicas, i, replica) {
        char          id[24];
        const json_t *one;

        snprintf(id, sizeof(id), "%lld", (long long)model_number(replica, "id"));
        if (!(one = json_object_get(seen, id)))
            continue;
        describe(replica, one, &list[n]);
        add(&list[n++], out);
    }
    load_put_replicas(about->load, out->id, list, n);
    json_decref(seen);
    free(list);
    return true;
}

const struct collector collect_replicas = { "replicas", 0, false, run, NULL };
