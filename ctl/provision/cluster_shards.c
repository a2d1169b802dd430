/* cluster_shards.c - the servers of a cluster: making, starting, watching, stopping. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/failpoint.h"
#include "ctl/provision/schema.h"
#include "ctl/provision/spawn.h"

enum { READY_MS = 60000, HUNG_MS = 5000 };

static bool
explain(struct err *err, const struct sql_error *error)
{
    return err_set(err, "%s (error %u)", error->message, error->code);
}

/* Those that lack: IF NOT EXISTS alone would wait for whoever holds LOCK TABLES in one. */
static bool
create_databases(struct server *s, const json_t *databases, struct sql_error *error)
{
    json_t     *rows = server_rows(s, error, "SHOW DATABASES"), *row, *database;
    json_t     *have = json_object();
    const char *name;
    bool        ok = rows != NULL;
    size_t      i;

    json_array_foreach(rows, i, row)
        json_object_set_new_nocheck(have, server_cell(row, 0), json_true());
    json_object_foreach((json_t *)(uintptr_t)databases, name, database) {
        const char *collation = model_text(database, "collation");

        if (ok && !json_object_get(have, name))
            ok = server_run(s, error, "CREATE DATABASE IF NOT EXISTS %s %s%s", server_name(name),
                            collation[0] ? "COLLATE " : "", collation);
    }
    json_decref(rows);
    json_decref(have);
    return ok;
}

bool
cluster_ensure_shard(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    struct server s         = { .mysql = NULL };
    json_t       *databases = catalog_all(c->catalog, CATALOG_DATABASE);
    json_t       *users     = catalog_all(c->catalog, CATALOG_USER), *user;
    const char   *name;
    bool          ok = server_open(&s, shard, error) &&
              schema_ensure(&s, c->service_secret, error) &&
              create_databases(&s, databases, error);

    json_object_foreach(users, name, user)
        ok = ok && account_ensure(&s, user, databases, error);
    server_close(&s);
    json_decref(databases);
    json_decref(users);
    return ok;
}

void
cluster_keep_local(struct cluster *c, struct local_server *server)
{
    pthread_mutex_lock(&c->local_lock);
    c->local[c->n_local++] = server;
    pthread_mutex_unlock(&c->local_lock);
}

bool
cluster_put_shard(struct cluster *c, json_t *shard, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    char                   id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    catalog_put(change, CATALOG_SHARD, id, shard, CATALOG_NEW);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0;
}

void
cluster_abandon_local(struct local_server *server, const json_t *shard)
{
    struct err ignored;

    local_stop(server);
    while (local_tick(server, spawn_now_ms()))
        usleep(20000);
    local_close(server);
    if (!local_destroy(shard, &ignored))
        log_warn("%s", ignored.text);
}

json_t *
cluster_plan_shard(struct cluster *c, int64_t id, const char *name,
                   const struct provision_wish *wish, struct err *err)
{
    json_t *shard = json_object(), *other;
    char    own_name[32];
    bool    ok;

    snprintf(own_name, sizeof(own_name), "shard-%lld", (long long)id);
    model_set(shard, "name", name[0] ? name : own_name);
    model_set(shard, "state", "up");
    json_object_set_new(shard, "id", json_integer(id));
    other = cluster_shard(c, model_text(shard, "name"));
    ok    = other ? err_set(err, "there is a shard named %s already; choose another name",
                            model_text(shard, "name"))
                  : provision_plan(c, wish, shard, err);
    json_decref(other);
    if (ok)
        return shard;
    json_decref(shard);
    return NULL;
}

static bool
has_room(struct cluster *c, struct err *err)
{
    json_t *all = catalog_all(c->catalog, CATALOG_SHARD);
    size_t  n   = json_object_size(all);

    json_decref(all);
    return n < ROUTES_SHARDS_MAX ||
           err_set(err, "there are %d shards, more cannot be", ROUTES_SHARDS_MAX);
}

static bool
bring_up(struct provisioned *p, cluster_fill_fn fill, void *context, struct err *err)
{
    struct sql_error error;

    failpoint("shard-planned");
    if (!p->by->create(p, err))
        return false;
    failpoint("shard-created");
    if (!p->by->start(p, err))
        return false;
    failpoint("shard-started");
    if (!p->by->wait_ready(p, READY_MS, err))
        return false;
    failpoint("shard-ready");
    if (!cluster_ensure_shard(p->c, p->server, &error) ||
        (fill && !fill(p->c, p->server, context, &error)))
        return explain(err, &error);
    failpoint("shard-filled");
    if (!cluster_put_shard(p->c, p->server, err))
        return false;
    failpoint("shard-recorded");
    return true;
}

bool
cluster_make_shard(struct cluster *c, json_t *shard, cluster_fill_fn fill, void *context,
                   struct err *err)
{
    struct provisioned p = provision_of(c, shard);
    struct err         left;

    if (!has_room(c, err))
        return false;
    if (bring_up(&p, fill, context, err)) {
        p.by->keep(&p);
        return true;
    }
    if (!p.by->destroy(&p, false, &left))
        log_warn("shard %s, which could not be made: %s", model_text(shard, "name"), left.text);
    return false;
}

bool
cluster_remove_server(struct cluster *c, const json_t *shard, bool kept, struct err *err)
{
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)shard);

    failpoint("shard-leaving");
    return !provision_is_ours(&p) || p.by->destroy(&p, kept, err);
}

struct local_server *
cluster_release_local(struct cluster *c, int64_t id)
{
    struct local_server *server = NULL;

    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local && !server; i++)
        if (local_shard(c->local[i]) == id) {
            server      = c->local[i];
            c->local[i] = c->local[--c->n_local];
        }
    pthread_mutex_unlock(&c->local_lock);
    return server;
}

void
cluster_hold_local(struct cluster *c, int64_t id, bool hold)
{
    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++)
        if (local_shard(c->local[i]) == id)
            local_hold(c->local[i], hold);
    pthread_mutex_unlock(&c->local_lock);
}

void
cluster_renew_local(struct cluster *c, const json_t *server)
{
    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++)
        if (local_shard(c->local[i]) == model_server_id(server))
            local_renew_object(c->local[i], server);
    pthread_mutex_unlock(&c->local_lock);
}

void
cluster_renew(struct cluster *c, const json_t *server)
{
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)server);
    struct err         err;

    if (provision_is_ours(&p) && p.by->renew && !p.by->renew(&p, &err))
        log_warn("%s: its settings are those of before: %s", model_text(server, "name"), err.text);
}

/* 1: it has stopped; 0: not yet; -1: there is none. */
static int
has_stopped(struct cluster *c, int64_t id, bool first, struct local_server **out)
{
    int is = -1;

    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++) {
        struct local_server *s = c->local[i];

        if (local_shard(s) != id)
            continue;
        if (first)
            local_stop(s);
        *out = s;
        is   = !local_tick(s, spawn_now_ms());
    }
    pthread_mutex_unlock(&c->local_lock);
    return is;
}

bool
cluster_restart_local(struct cluster *c, int64_t id, struct err *err)
{
    struct local_server *s = NULL;
    int                  stopped = has_stopped(c, id, true, &s);
    bool                 ok;

    while (stopped == 0) {
        usleep(20000);
        stopped = has_stopped(c, id, false, &s);
    }
    if (stopped < 0)
        return err_set(err, "the controller does not look after this server");
    pthread_mutex_lock(&c->local_lock);
    ok = local_start(s, err);
    pthread_mutex_unlock(&c->local_lock);
    return ok;
}

bool
cluster_remove_local(struct cluster *c, const json_t *shard, struct err *err)
{
    struct local_server *server = cluster_release_local(c, model_server_id(shard));

    if (!server) /* one that nobody looks after may run all the same: a controller was killed */
        return local_remove_left(model_text(shard, "directory"), err);
    local_stop(server);
    while (local_tick(server, spawn_now_ms()))
        usleep(20000);
    local_close(server);
    return local_destroy(shard, err);
}

bool
cluster_cut_ranges(struct cluster *c, struct err *err)
{
    json_t                *all = catalog_all(c->catalog, CATALOG_SHARD), *shard, *map;
    int64_t                ids[ROUTES_SHARDS_MAX];
    size_t                 n = 0;
    const char            *name;
    struct catalog_change *change;

    json_object_foreach(all, name, shard)
        if (n < countof(ids))
            ids[n++] = model_number(shard, "id");
    json_decref(all);
    map    = model_ranges_new(ids, n, CLUSTER_RANGES_PER_SHARD);
    change = catalog_begin(c->catalog, "controller");
    catalog_put(change, CATALOG_RANGES, "map", map, CATALOG_NEW);
    cluster_bump(c, change, "generation");
    json_decref(map);
    return catalog_commit(change, err) == 0;
}

/* False at the first that cannot be started; engines and replicas are no reason to give up. */
static bool
start_kind(struct cluster *c, enum catalog_kind kind, struct err *err)
{
    json_t     *all = catalog_all(c->catalog, kind), *object;
    const char *name;
    bool        ok = true;

    json_object_foreach(all, name, object) {
        struct local_server *server;

        if (!ok || strcmp(model_text(object, "provisioner"), "local") != 0 ||
            model_text(object, "suspect")[0])
            continue;
        server = local_open(object);
        cluster_keep_local(c, server);
        ok = local_start(server, err);
        if (!ok && kind != CATALOG_SHARD) {
            log_warn("%s", err->text);
            ok = true;
        }
    }
    json_decref(all);
    return ok;
}

/* What restarts by itself is only asked to run, and may be away. */
static void
start_others(struct cluster *c)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char *name;
    struct err  err;

    json_object_foreach(all, name, shard) {
        struct provisioned p = provision_of(c, shard);

        if (!provision_is_ours(&p) || p.by == &provisioner_local)
            continue;
        if (!p.by->start(&p, &err) || !p.by->wait_ready(&p, READY_MS, &err))
            log_warn("shard %s: %s", model_text(shard, "name"), err.text);
    }
    json_decref(all);
}

bool
cluster_may_be_replaced(struct cluster *c, int64_t server)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    bool        can = false;
    const char *name;

    json_object_foreach(all, name, shard)
        if (model_server_id(shard) == server && model_flag(shard, "semi_sync")) {
            json_t *replicas = cluster_replicas(c, model_number(shard, "id"));

            can = json_array_size(replicas) > 0;
            json_decref(replicas);
        }
    json_decref(all);
    return can;
}

/* One that was replaced never runs again, whoever started it. */
static void
end_suspects(struct cluster *c)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_REPLICA), *replica;
    const char *name;

    json_object_foreach(all, name, replica) {
        struct local_server *server;

        if (strcmp(model_text(replica, "provisioner"), "local") != 0 ||
            !model_text(replica, "suspect")[0])
            continue;
        server = local_open(replica);
        local_hold(server, true);
        cluster_keep_local(c, server);
    }
    json_decref(all);
}

bool
cluster_start_local(struct cluster *c, struct err *err)
{
    bool   ok = start_kind(c, CATALOG_SHARD, err);
    size_t n  = c->n_local;

    ok = ok && start_kind(c, CATALOG_REPLICA, err) && start_kind(c, CATALOG_ENGINE, err);
    for (size_t i = 0; i < n && ok; i++) {
        bool other = cluster_may_be_replaced(c, local_shard(c->local[i]));

        ok = local_wait_ready(c->local[i], other ? HUNG_MS : READY_MS, err);
        if (!ok && other) {
            log_warn("%s", err->text);
            ok = true;
        }
    }
    if (ok)
        start_others(c);
    end_suspects(c);
    return ok;
}

pid_t
cluster_local_pid(struct cluster *c, int64_t id)
{
    pid_t pid = 0;

    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++)
        if (local_shard(c->local[i]) == id)
            pid = local_pid(c->local[i]);
    pthread_mutex_unlock(&c->local_lock);
    return pid;
}

void
cluster_tick(struct cluster *c)
{
    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++)
        local_tick(c->local[i], spawn_now_ms());
    pthread_mutex_unlock(&c->local_lock);
}

void
cluster_stop_local(struct cluster *c)
{
    bool any = true;

    pthread_mutex_lock(&c->local_lock);
    for (size_t i = 0; i < c->n_local; i++)
        local_stop(c->local[i]);
    while (any) {
        any = false;
        for (size_t i = 0; i < c->n_local; i++)
            if (local_tick(c->local[i], spawn_now_ms()))
                any = true;
        if (any)
            usleep(10000);
    }
    pthread_mutex_unlock(&c->local_lock);
}
