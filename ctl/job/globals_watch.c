/* globals_watch.c - see globals.h: servers that have started again, and new ones. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/globals.h"

enum { ANSWER_S = 5 };

/* A connection that lasts as long as the server: a new one may be to a server that was
 * started anew. */
struct watched {
    json_t       *shard; /* owned: the connection's object */
    struct server s;
    int64_t       version; /* of what it was given; -1: nothing */
};

struct globals_watch {
    struct cluster *cluster;
    struct watched  at[ROUTES_SHARDS_MAX + ROUTES_ENGINES_MAX];
    size_t          n;
};

struct globals_watch *
globals_watch_new(struct cluster *c)
{
    struct globals_watch *w = mem_alloc(sizeof(*w));

    w->cluster = c;
    return w;
}

static void
forget(struct globals_watch *w, size_t i)
{
    server_close(&w->at[i].s);
    json_decref(w->at[i].shard);
    w->at[i] = w->at[--w->n];
}

static struct watched *
watched_of(struct globals_watch *w, json_t *shard)
{
    for (size_t i = 0; i < w->n; i++) {
        if (model_number(w->at[i].shard, "id") != model_number(shard, "id"))
            continue;
        if (json_equal(w->at[i].shard, shard))
            return &w->at[i];
        forget(w, i); /* another address, say */
        break;
    }
    w->at[w->n] = (struct watched){ .shard = json_incref(shard), .version = -1 };
    return &w->at[w->n++];
}

static void
give(struct watched *at, const json_t *all)
{
    json_t          *values = json_object_get(all, "values"), *value;
    const char      *name;
    struct sql_error error;

    json_object_foreach(values, name, value)
        if (!server_run(&at->s, &error, "SET GLOBAL %s = %s", name, json_string_value(value)))
            log_warn("%s does not take the global variable %s: %s", model_text(at->shard, "name"),
                     name, error.message);
    at->version = model_number(all, "version");
}

/* True while its server answers. */
static bool
reach(struct watched *at)
{
    struct sql_error ignored;

    if (at->s.mysql && !server_run(&at->s, &ignored, "DO 0"))
        server_close(&at->s);
    if (at->s.mysql)
        return true;
    at->version    = -1;
    at->s.answer_s = ANSWER_S;
    return server_open(&at->s, at->shard, &ignored);
}

/* Not in the middle of a SET GLOBAL: what was before would come behind it. */
static void
bring_up_to_date(struct cluster *c, struct watched *at)
{
    json_t *all;

    if (pthread_mutex_trylock(&c->change_lock) != 0)
        return;
    all = catalog_get(c->catalog, CATALOG_META, "globals", NULL);
    if (all)
        give(at, all);
    json_decref(all);
    pthread_mutex_unlock(&c->change_lock);
}

static void
drop_removed(struct globals_watch *w, const json_t *shards)
{
    for (size_t i = w->n; i-- > 0;) {
        char id[24];

        snprintf(id, sizeof(id), "%lld", (long long)model_number(w->at[i].shard, "id"));
        if (!json_object_get(shards, id))
            forget(w, i);
    }
}

void
globals_watch_look(struct globals_watch *w)
{
    struct cluster *c = w->cluster;
    json_t         *shards, *engines, *shard, *all;
    const char     *id;

    all = catalog_get(c->catalog, CATALOG_META, "globals", NULL);
    if (!all)
        return;
    shards  = catalog_all(c->catalog, CATALOG_SHARD);
    engines = catalog_all(c->catalog, CATALOG_ENGINE);
    json_object_update(shards, engines); /* their numbers are their own */
    json_decref(engines);
    drop_removed(w, shards);
    json_object_foreach(shards, id, shard) {
        struct watched *at = watched_of(w, shard);

        if (reach(at) && at->version != model_number(all, "version"))
            bring_up_to_date(c, at);
    }
    json_decref(shards);
    json_decref(all);
}

void
globals_watch_free(struct globals_watch *w)
{
    while (w && w->n > 0)
        forget(w, w->n - 1);
    free(w);
}
