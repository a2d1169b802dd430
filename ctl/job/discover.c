/* discover.c - see discover.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/discover.h"
#include "ctl/job/moving.h"
#include "ctl/job/shard.h"
#include "ctl/provision/ticker.h"

enum {
    PERIOD_MS = 3000,
    MISSING   = 2, /* looks in a row that do not see it: it has gone */
    ANSWER_S  = 2,
};

static const char who[] = "discovery";

struct discover {
    struct cluster *c;
    struct ticker   ticker;
    json_t *told;    /* owned; {what: true}: said in the log, or refused: once is enough */
    json_t *missing; /* owned; {shard's name: looks that did not see its server} */
};

/* Whether it is the first time that this is said of this thing. */
static bool
first_time(struct discover *d, const char *what, const char *of)
{
    char key[400];

    snprintf(key, sizeof(key), "%s %.300s", what, of);
    if (json_object_get(d->told, key))
        return false;
    json_object_set_new_nocheck(d->told, key, json_true());
    return true;
}

/* --- who comes --------------------------------------------------------------------------- */

static const char *
or_else(const json_t *entry, const char *key, const char *fallback)
{
    const char *text = model_text(entry, key);

    return text[0] ? text : fallback;
}

/* A server that does not answer yet may still be starting. */
static bool
answers(const json_t *entry, const char *secret)
{
    struct server    s = { .mysql = NULL, .answer_s = ANSWER_S };
    struct sql_error ignored;
    json_t *as = json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", model_text(entry, "name"), "host",
                           or_else(entry, "host", "127.0.0.1"), "port",
                           atoi(model_text(entry, "port")), "user", or_else(entry, "user", "root"),
                           "secret", secret);
    bool    ok = as && server_open(&s, as, &ignored);

    server_close(&s);
    json_decref(as);
    return ok;
}

static bool
is_name_free(struct cluster *c, const char *name)
{
    json_t *other = cluster_shard(c, name);

    json_decref(other);
    return !other;
}

static bool
rows_move(struct cluster *c)
{
    json_t *move = moving_record(c);

    json_decref(move);
    return move != NULL;
}

static void
join(struct discover *d, const struct provisioner *by, const json_t *entry, const char *secret)
{
    const char      *name = or_else(entry, "shard", model_text(entry, "name"));
    char             address[300];
    struct sql_error error;
    json_t          *more = json_pack("{s:s, s:s, s:b}", "provisioner", by->name, by->handle,
                                      model_text(entry, "name"), "found", true);

    snprintf(address, sizeof(address), "%.250s:%d", or_else(entry, "host", "127.0.0.1"),
             atoi(model_text(entry, "port")));
    if (shard_join(d->c, who, is_name_free(d->c, name) ? name : "", address,
                   or_else(entry, "user", "root"), secret, NULL, more, &error))
        log_info("%s %s is a shard now; 'shardctl reshard rebalance' brings rows to it", by->name,
                 model_text(entry, "name"));
    else
        log_warn("%s %s wants to be a shard, and cannot: %s", by->name, model_text(entry, "name"),
                 error.message);
    json_decref(more);
}

/* The shard whose server has this name, to be owned; NULL: there is none. */
static json_t *
shard_on(struct cluster *c, const struct provisioner *by, const char *name)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_SHARD), *shard, *found = NULL;
    const char *key;

    json_object_foreach(all, key, shard)
        if (strcmp(model_text(shard, "provisioner"), by->name) == 0 &&
            strcmp(model_text(shard, by->handle), name) == 0)
            found = shard;
    json_incref(found);
    json_decref(all);
    return found;
}

static void
look_at_guest(struct discover *d, const struct provisioner *by, const json_t *entry)
{
    json_t *shard = shard_on(d->c, by, model_text(entry, "name"));
    char    secret[256];

    json_decref(shard);
    if (shard || !model_flag(entry, "running") || rows_move(d->c) ||
        json_object_get(d->told, model_text(entry, "ref")))
        return;
    if (atoi(model_text(entry, "port")) <= 0) {
        if (first_time(d, "port", model_text(entry, "ref")))
            log_warn("%s %s wants to be a shard, and does not say on which port it is", by->name,
                     model_text(entry, "name"));
        return;
    }
    by->secret(d->c, entry, secret, sizeof(secret));
    if (answers(entry, secret)) {
        json_object_set_new_nocheck(d->told, model_text(entry, "ref"), json_true());
        join(d, by, entry, secret);
    } else if (first_time(d, "silent", model_text(entry, "ref"))) {
        log_info("%s %s wants to be a shard; waiting until it lets %s in", by->name,
                 model_text(entry, "name"), or_else(entry, "user", "root"));
    }
}

/* --- who goes ------------------------------------------------------------------------------ */

static bool
is_listed(const json_t *list, const char *name)
{
    json_t *entry;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
        if (strcmp(model_text(entry, "name"), name) == 0)
            return true;
    return false;
}

/* When it goes once more that is told again. */
static void
is_back(struct discover *d, const char *name)
{
    char key[400];

    snprintf(key, sizeof(key), "gone %.300s", name);
    json_object_del(d->told, key);
}

static void
leave(struct discover *d, const struct provisioner *by, const json_t *shard)
{
    const char      *name = model_text(shard, "name");
    struct sql_error error;

    if (!model_flag(shard, "found") || !shard_owns_nothing(d->c, shard, &error)) {
        if (first_time(d, "gone", name))
            log_error("shard %s: its server, %s %s, has gone; its part of the data cannot be had "
                      "until it is back", name, by->name, model_text(shard, by->handle));
    } else if (!rows_move(d->c) && first_time(d, "left", name)) {
        if (shard_remove(d->c, who, name, &error))
            log_info("shard %s has left: its server, %s %s, has gone", name, by->name,
                     model_text(shard, by->handle));
        else
            log_warn("shard %s, whose server has gone, stays: %s", name, error.message);
    }
}

static void
look_for_missing(struct discover *d, const struct provisioner *by, const json_t *list)
{
    json_t     *all = catalog_all(d->c->catalog, CATALOG_SHARD), *shard;
    const char *key;

    json_object_foreach(all, key, shard) {
        const char *name = model_text(shard, "name");
        int64_t     n    = model_number(d->missing, name) + 1;

        if (strcmp(model_text(shard, "provisioner"), by->name) != 0)
            continue;
        if (is_listed(list, model_text(shard, by->handle))) {
            json_object_del(d->missing, name);
            is_back(d, name);
            continue;
        }
        json_object_set_new_nocheck(d->missing, name, json_integer(n));
        if (n >= MISSING)
            leave(d, by, shard);
    }
    json_decref(all);
}

/* --- what nobody wants --------------------------------------------------------------------- */

json_t *
discover_discarded(struct cluster *c, int64_t id, bool *kept)
{
    json_t *jobs = job_list(c, 0, false), *job, *made = NULL;
    bool    busy = false;
    size_t  i;

    json_array_foreach(jobs, i, job) {
        json_t     *trace = json_object_get(job, "made");
        const char *state = model_text(job, "state"), *what = model_text(job, "what");
        bool        removed = strcmp(what, SHARD_REMOVE) == 0;

        if (strcmp(model_text(job, "kind"), "shard") != 0)
            continue;
        busy = busy || strcmp(state, "running") == 0;
        if (made || !trace || model_number(trace, "id") != id)
            continue;
        if (removed || strcmp(state, "failed") == 0 || strcmp(state, "stuck") == 0) {
            made  = trace;
            *kept = removed;
        }
    }
    made = busy ? NULL : json_incref(made);
    json_decref(jobs);
    return made;
}

static bool
is_known(struct cluster *c, int64_t id)
{
    json_t *shard = cluster_shard_by_id(c, id);

    json_decref(shard);
    return shard != NULL;
}

/* Under the change lock nobody makes or removes a shard, so what the catalog lacks is left over. */
static void
look_at_orphan(struct discover *d, const struct provisioner *by, const json_t *entry)
{
    int64_t    id = model_number(entry, "id");
    struct err err;
    json_t    *made;
    bool       kept = true;

    if (is_known(d->c, id) || pthread_mutex_trylock(&d->c->change_lock) != 0)
        return;
    made = is_known(d->c, id) ? NULL : discover_discarded(d->c, id, &kept);
    if (made && !cluster_remove_server(d->c, made, kept, &err) &&
        first_time(d, "rest", model_text(entry, "name")))
        log_warn("%s %s is left over and cannot be removed: %s", by->name,
                 model_text(entry, "name"), err.text);
    else if (!made && !is_known(d->c, id) && first_time(d, "orphan", model_text(entry, "name")))
        log_warn("%s %s was made for shard number %lld of this cluster, which the catalog does not "
                 "have, and no record says why; look what is in it, then remove it", by->name,
                 model_text(entry, "name"), (long long)id);
    pthread_mutex_unlock(&d->c->change_lock);
    json_decref(made);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void
look(struct discover *d, const struct provisioner *by)
{
    struct err err;
    json_t    *list = by->list(d->c, &err), *entry;
    size_t     i;

    if (!list)
        return; /* no daemon: then it says nothing about who is there */
    json_array_foreach(list, i, entry) {
        if (ticker_is_stopping(&d->ticker))
            break;
        if (model_number(entry, "id") < 0)
            look_at_guest(d, by, entry);
        else if (model_number(entry, "id") < ROUTES_REPLICA_ID) /* replicas' jobs clean up */
            look_at_orphan(d, by, entry);
    }
    look_for_missing(d, by, list);
    json_decref(list);
}

static void *
run(void *context)
{
    struct discover *d = context;
    unsigned         n = 0;

    do {
        const struct provisioner *by;

        for (size_t i = 0; (by = provision_at(i)); i++)
            if (by->handle && n % by->seldom == 0 && !ticker_is_stopping(&d->ticker))
                look(d, by);
        n++;
    } while (!ticker_wait(&d->ticker, PERIOD_MS));
    return NULL;
}

struct discover *
discover_start(struct cluster *c)
{
    struct discover *d;

    if (strcmp(provision_setting(c, "discover"), "on") != 0)
        return NULL;
    d          = mem_alloc(sizeof(*d));
    d->c       = c;
    d->told    = json_object();
    d->missing = json_object();
    if (ticker_start(&d->ticker, run, d))
        return d;
    log_error("there is no thread that discovers servers");
    json_decref(d->told);
    json_decref(d->missing);
    free(d);
    return NULL;
}

void
discover_stop(struct discover *d)
{
    if (!d)
        return;
    ticker_stop(&d->ticker);
    json_decref(d->told);
    json_decref(d->missing);
    free(d);
}
