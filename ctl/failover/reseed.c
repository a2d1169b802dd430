/* reseed.c - see reseed.h. */
#include "ctl/failover/reseed.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover.h"
#include "ctl/job/replica.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"

enum { PERIOD_MS = 1000, AGAIN_MS = 15000 };

struct reseed {
    struct cluster *c;
    struct sight   *sight;
    struct ticker   ticker;
    json_t         *after; /* owned; {"<replica's id>": ms before which it is not tried again} */
};

static bool
is_useless(struct reseed *r, const json_t *replica, const char *id)
{
    json_t *seen;
    bool    is = model_text(replica, "suspect")[0] != '\0';

    if (is || !r->sight)
        return is;
    seen = sight_show(r->sight);
    is   = model_number(json_object_get(seen, id), "stopped_ms") > RESEED_STOPPED_MS;
    json_decref(seen);
    return is;
}

/* There has to be somebody to copy. */
static bool
is_wanted(struct reseed *r, const json_t *replica)
{
    json_t            *shard = cluster_shard_by_id(r->c, model_number(replica, "shard"));
    struct provisioned p     = provision_of(r->c, (json_t *)(uintptr_t)replica);
    bool               is    = strcmp(model_text(shard, "reseed"), "auto") == 0 &&
              provision_is_ours(&p) && failover_answers(shard);

    json_decref(shard);
    return is;
}

static void
again(struct reseed *r, const char *id, const json_t *replica)
{
    struct sql_error error;
    const char      *name = model_text(replica, "name");

    log_info("replica %s is made anew", name);
    if (replica_reseed(r->c, "controller", name, &error)) {
        log_info("replica %s has been made anew", name);
        json_object_del(r->after, id);
        return;
    }
    log_warn("replica %s could not be made anew: %s", name, error.message);
    json_object_set_new(r->after, id, json_integer(spawn_now_ms() + AGAIN_MS));
}

static void
look(struct reseed *r)
{
    json_t     *all = catalog_all(r->c->catalog, CATALOG_REPLICA), *replica;
    const char *id;

    json_object_foreach(all, id, replica)
        if (!ticker_is_stopping(&r->ticker) &&
            spawn_now_ms() >= model_number(r->after, id) && is_useless(r, replica, id) &&
            is_wanted(r, replica))
            again(r, id, replica);
    json_decref(all);
}

static void *
run(void *context)
{
    struct reseed *r = context;

    while (!ticker_wait(&r->ticker, PERIOD_MS))
        look(r);
    return NULL;
}

struct reseed *
reseed_start(struct cluster *c, struct sight *sight)
{
    struct reseed *r = mem_alloc(sizeof(*r));

    r->c     = c;
    r->sight = sight;
    r->after = json_object();
    if (ticker_start(&r->ticker, run, r))
        return r;
    log_error("nobody makes replicas anew: there is no thread for it");
    json_decref(r->after);
    free(r);
    return NULL;
}

void
reseed_stop(struct reseed *r)
{
    if (!r)
        return;
    ticker_stop(&r->ticker);
    json_decref(r->after);
    free(r);
}
