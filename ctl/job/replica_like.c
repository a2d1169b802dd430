/* replica_like.c - a shard that is to take over from another has as many replicas as that one. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/replica_step.h"

/* How commits, failures and servers that were replaced are dealt with there. */
static bool
copy_settings(struct cluster *c, const char *who, json_t *shard, const json_t *other,
              struct sql_error *error)
{
    static const char *const settings[] = { "semi_sync", "failover", "reseed" };
    struct catalog_change   *change;
    struct job               job;
    char                     id[24];
    bool                     ok;

    if (!job_begin(&job, c, "shard", who, "set a shard as another", "", "", error))
        return false;
    for (size_t i = 0; i < countof(settings); i++)
        if (json_object_get(other, settings[i]))
            json_object_set(shard, settings[i], json_object_get(other, settings[i]));
    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    change = catalog_begin(c->catalog, who);
    catalog_put(change, CATALOG_SHARD, id, shard, CATALOG_ANY);
    ok = job_commit(change, error);
    if (ok)
        cluster_renew(c, shard);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* Those that are of use. */
static size_t
count(struct cluster *c, const json_t *shard)
{
    json_t *all = cluster_replicas(c, model_number(shard, "id")), *one;
    size_t  n   = 0, i;

    json_array_foreach(all, i, one)
        n += model_text(one, "suspect")[0] == '\0';
    json_decref(all);
    return n;
}

bool
replica_like(struct cluster *c, const char *who, const char *name, const char *other,
             struct sql_error *error)
{
    static const struct replica_wish plain = { .name = "", .provisioner = "", .address = "" };
    json_t *shard = cluster_shard(c, name), *neighbour = cluster_shard(c, other);
    size_t  n     = neighbour ? count(c, neighbour) : 0;
    bool    ok    = true;

    if (shard && n > 0)
        ok = copy_settings(c, who, shard, neighbour, error);
    for (size_t i = 0; shard && ok && i < n; i++)
        ok = replica_add(c, who, name, &plain, error);
    json_decref(shard);
    json_decref(neighbour);
    return ok;
}
