/* shard_agent.c - where the numbers of a shard's machine are: see ctl/scale/collect_agent.c. */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/job/shard.h"

static bool
is_url(const char *text)
{
    return strlen(text) < 1000 &&
           (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0);
}

bool
shard_is_agent(const char *url, struct sql_error *error)
{
    return !url[0] || is_url(url) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: '%s' is no address of metrics: say "
                         "http://HOST:9100/metrics, or '' for none", url);
}

/* Workers have nothing to do with it: no generation is raised, nothing is published. */
bool
shard_set_agent(struct cluster *c, const char *who, const char *name, const char *url,
                struct sql_error *error)
{
    struct job job;
    bool       ok;
    char       id[24];

    if (!shard_is_agent(url, error) ||
        !job_begin(&job, c, "shard", who, "change a shard's agent", "", "", error))
        return false;
    json_t *shard = cluster_need_shard(c, name, error);
    ok            = shard != NULL;
    if (ok) {
        struct catalog_change *write = catalog_begin(c->catalog, who);

        model_set(shard, "agent", url);
        snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
        catalog_put(write, CATALOG_SHARD, id, shard, CATALOG_ANY);
        ok = job_commit(write, error);
    }
    json_decref(shard);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
