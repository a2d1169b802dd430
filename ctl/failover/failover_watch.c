/* failover_watch.c - see failover_watch.h. */
#include "ctl/failover/failover_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover.h"
#include "ctl/provision/replication.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"

enum {
    PERIOD_MS    = 500,
    CONFIRM_MS   = 2000,
    QUIET_MS     = 60000,
    AGAIN_MS     = 3000,  /* after a failover that came to nothing */
    KEEP_EVERY_MS = 2000, /* servers are looked at, whether they are what they should be */
    ANSWER_S     = 1,
};

struct failover_watch {
    struct cluster *c;
    struct ticker   ticker;
    json_t         *since;  /* {shard id: ms since when it does not answer} */
    json_t         *after;  /* {shard id: ms before which nothing is done about it} */
    int64_t         kept_ms;
};

bool
failover_answers(const json_t *server)
{
    struct server    s = { .answer_s = ANSWER_S };
    struct sql_error ignored;
    char             one[8];
    bool ok = server_open(&s, server, &ignored) &&
              server_value(&s, one, sizeof(one), &ignored, "SELECT 1");

    server_close(&s);
    return ok;
}

/* Another observer, elsewhere: one that is connected has heard it within seconds. */
static bool
is_heard(const json_t *replica)
{
    struct server             s = { .answer_s = ANSWER_S };
    struct replication_status status;
    struct sql_error          ignored;
    bool ok = server_open(&s, replica, &ignored) && replication_status(&s, &status, &ignored) &&
              status.io;

    server_close(&s);
    return ok;
}

/* Somebody else hears it: then it is us who are cut off. */
static bool
is_heard_by_any(struct failover_watch *w, const json_t *shard)
{
    json_t *all = cluster_replicas(w->c, model_number(shard, "id")), *one;
    bool    is  = false;
    size_t  i;

    json_array_foreach(all, i, one)
        is = is || (!model_text(one, "suspect")[0] && is_heard(one));
    json_decref(all);
    return is;
}

static bool
may_be_replaced(struct failover_watch *w, const json_t *shard)
{
    return roles_wait(w->c, shard) && strcmp(model_text(shard, "failover"), "manual") != 0;
}

static void
replace(struct failover_watch *w, const json_t *shard, const char *id)
{
    struct sql_error error;
    const char      *name   = model_text(shard, "name");
    json_t          *answer = failover_lost(w->c, "controller", name, "",
                                            "it did not answer, and no replica heard it", &error);
    int64_t          pause  = answer ? QUIET_MS : AGAIN_MS;

    if (answer)
        log_warn("shard %s: its primary did not answer; %s has taken its place", name,
                 model_text(answer, "to"));
    else
        log_error("shard %s: its primary does not answer, and is not replaced: %s", name,
                  error.message);
    json_decref(answer);
    json_object_set_new(w->after, id, json_integer(spawn_now_ms() + pause));
    json_object_del(w->since, id);
}

static void
look_at(struct failover_watch *w, const char *id, const json_t *shard)
{
    int64_t now = spawn_now_ms(), since;

    if (!may_be_replaced(w, shard) || failover_answers(shard)) {
        json_object_del(w->since, id);
        return;
    }
    if (!json_object_get(w->since, id)) {
        json_object_set_new(w->since, id, json_integer(now));
        log_warn("shard %s: its primary does not answer", model_text(shard, "name"));
    }
    since = model_number(w->since, id);
    if (now - since < CONFIRM_MS || now < model_number(w->after, id) ||
        is_heard_by_any(w, shard))
        return;
    replace(w, shard, id);
}

static void *
run(void *context)
{
    struct failover_watch *w = context;

    while (!ticker_wait(&w->ticker, PERIOD_MS)) {
        json_t     *all = catalog_all(w->c->catalog, CATALOG_SHARD), *shard;
        const char *id;

        json_object_foreach(all, id, shard)
            if (!ticker_is_stopping(&w->ticker))
                look_at(w, id, shard);
        json_decref(all);
        if (spawn_now_ms() - w->kept_ms < KEEP_EVERY_MS ||
            pthread_mutex_trylock(&w->c->roles_lock) != 0)
            continue;
        roles_keep_all(w->c, false);
        pthread_mutex_unlock(&w->c->roles_lock);
        w->kept_ms = spawn_now_ms();
    }
    return NULL;
}

struct failover_watch *
failover_watch_start(struct cluster *c)
{
    struct failover_watch *w = mem_alloc(sizeof(*w));

    w->c     = c;
    w->since = json_object();
    w->after = json_object();
    if (ticker_start(&w->ticker, run, w))
        return w;
    log_error("nobody watches primaries: there is no thread for it");
    json_decref(w->since);
    json_decref(w->after);
    free(w);
    return NULL;
}

void
failover_watch_stop(struct failover_watch *w)
{
    if (!w)
        return;
    ticker_stop(&w->ticker);
    json_decref(w->since);
    json_decref(w->after);
    free(w);
}
