/* api_status.c - what runs, and what is wrong: cluster, shards, jobs. */
#include <stdio.h>
#include <unistd.h>

#include "core/base/version.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/engines.h"
#include "ctl/provision/spawn.h"
#include "ctl/scale/scaler.h"
#include "shm/slots.h"

unsigned
api_shutdown(struct request *r)
{
    atomic_store(&r->cluster->stopping, true);
    return 200;
}

/* Without what only a controller needs, which has secrets. */
static json_t *
show_jobs(struct cluster *c, size_t limit, bool unfinished)
{
    json_t *list = job_list(c, limit, unfinished), *record;
    size_t  i;

    json_array_foreach(list, i, record) {
        json_object_del(record, "undo");
        json_object_del(record, "move"); /* long; see GET /v1/jobs/N */
    }
    return list;
}

unsigned
api_jobs(struct request *r)
{
    /* Who asks for pages gets to the oldest. */
    bool paged = json_object_size(r->query) > 0;

    r->answer = json_pack("{s:o}", "jobs", show_jobs(r->cluster, paged ? 0 : 100, false));
    return 200;
}

int
api_ranges_of(const json_t *map, int64_t shard)
{
    json_t *list = json_object_get(map, "ranges"), *pair;
    size_t  i;
    int     n = 0;

    json_array_foreach(list, i, pair)
        n += json_integer_value(json_array_get(pair, 1)) == shard;
    return n;
}

/* Asks the server; `answers` false and `problem` when it does not. */
static void
ask(json_t *shard, json_t *out)
{
    struct server    s = { .answer_s = 5 };
    struct sql_error error;
    char             version[64];

    if (server_open(&s, shard, &error) &&
        server_value(&s, version, sizeof(version), &error, "SELECT VERSION()")) {
        model_set(out, "version", version);
        json_object_set_new(out, "answers", json_true());
    } else {
        model_set(out, "problem", error.message);
        json_object_set_new(out, "answers", json_false());
    }
    server_close(&s);
}

static json_t *
show_shard(struct cluster *c, json_t *shard, const json_t *map)
{
    json_t *out = json_copy(shard), *shares = api_shares(map);
    int64_t id  = model_number(shard, "id");
    char    key[24];

    snprintf(key, sizeof(key), "%lld", (long long)id);
    json_object_set_new(out, "percent",
                        json_real(100 * json_real_value(json_object_get(shares, key))));
    json_decref(shares);

    json_object_del(out, "secret");
    json_object_set_new(out, "ranges", json_integer(api_ranges_of(map, id)));
    json_object_set_new(out, "pid", json_integer(cluster_local_pid(c, model_server_id(shard))));
    ask(shard, out);
    api_show_health(c, model_server_id(shard), out);
    return out;
}

static json_t *
show_shards(struct cluster *c)
{
    json_t     *all  = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    json_t     *map  = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    json_t     *list = json_array();
    const char *id;

    json_object_foreach(all, id, shard)
        json_array_append_new(list, show_shard(c, shard, map));
    json_decref(all);
    json_decref(map);
    return list;
}

unsigned
api_shard_list(struct request *r)
{
    r->answer = json_pack("{s:o}", "shards", show_shards(r->cluster));
    return 200;
}

static json_t *
show_engine(struct cluster *c, json_t *engine)
{
    json_t *out = json_copy(engine);
    int64_t id  = model_number(engine, "id");
    char    problem[256];

    json_object_del(out, "secret");
    json_object_set(out, "engine", json_object_get(engine, "name"));
    json_object_set_new(out, "pid", json_integer(cluster_local_pid(c, id)));
    ask(engine, out);
    engines_problem(c, id, problem);
    if (problem[0] && model_flag(out, "answers"))
        model_set(out, "problem", problem);
    return out;
}

static json_t *
show_engines(struct cluster *c)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_ENGINE), *engine, *list = json_array();
    const char *id;

    json_object_foreach(all, id, engine)
        json_array_append_new(list, show_engine(c, engine));
    json_decref(all);
    return list;
}

unsigned
api_engine_list(struct request *r)
{
    r->answer = json_pack("{s:o}", "engines", show_engines(r->cluster));
    return 200;
}

unsigned
api_engine_show(struct request *r)
{
    json_t *engine = cluster_engine(r->cluster, r->part[1]);

    if (!engine)
        return request_no_such(r, "engine", r->part[1]);
    r->answer = show_engine(r->cluster, engine);
    json_decref(engine);
    return 200;
}

static void
set_number(json_t *out, const char *key, int64_t value, int64_t unknown)
{
    if (value != unknown)
        json_object_set_new(out, key, json_integer(value));
}

static void
set_known(json_t *out, const char *key, const char *text)
{
    if (text[0])
        model_set(out, key, text);
}

/* What its provisioner knows: what is not known is left out. */
static json_t *
show_facts(struct cluster *c, const json_t *shard)
{
    struct provision_facts f;
    struct err             err;
    json_t                *out = json_object();

    if (!provision_describe(c, shard, &f, &err)) {
        model_set(out, "unknown", err.text);
        return out;
    }
    model_set(out, "runs", f.state);
    set_known(out, "health", f.health);
    set_number(out, "pid", f.pid, 0);
    set_known(out, "directory", f.directory);
    if (f.milli_cpus > 0)
        json_object_set_new(out, "cpus", json_real((double)f.milli_cpus / 1000));
    set_number(out, "memory", f.memory_bytes, 0);
    set_number(out, "disk", f.disk_bytes, -1);
    set_number(out, "disk_free", f.disk_free_bytes, -1);
    set_known(out, "cgroup", f.cgroup);
    set_known(out, "memory_cgroup", f.memory_cgroup);
    return out;
}

unsigned
api_shard_show(struct request *r)
{
    json_t *shard = cluster_shard(r->cluster, r->part[1]);
    json_t *map;

    if (!shard)
        return request_refuse(r, 404, "there is no shard '%s'; see 'shardctl shard list'",
                              r->part[1]);
    map       = catalog_get(r->cluster->catalog, CATALOG_RANGES, "map", NULL);
    r->answer = show_shard(r->cluster, shard, map);
    json_object_set_new(r->answer, "server", show_facts(r->cluster, shard));
    json_object_set_new(r->answer, "replicas",
                        api_replicas_of(r->cluster, model_number(shard, "id")));
    api_show_watch(r->cluster, shard, r->answer);
    json_decref(shard);
    json_decref(map);
    return 200;
}

static const char *const slot_words[] = {
    [SLOT_EMPTY] = "empty", [SLOT_STARTING] = "starting", [SLOT_READY] = "ready",
    [SLOT_UNREADY] = "not ready", [SLOT_DRAINING] = "draining",
};

static json_t *
show_worker(const struct slot *slot, uint32_t number)
{
    uint64_t state = atomic_load(&slot->life.state);

    return json_pack("{s:i, s:I, s:s, s:I, s:I, s:I}", "worker", (int)number, "pid",
                     (json_int_t)atomic_load(&slot->life.pid), "state",
                     state < countof(slot_words) ? slot_words[state] : "unknown", "generation",
                     (json_int_t)atomic_load(&slot->life.generation), "clients",
                     (json_int_t)atomic_load(&slot->counter[COUNTER_CLIENTS_OPEN]), "backends",
                     (json_int_t)atomic_load(&slot->counter[COUNTER_BACKENDS_OPEN]));
}

static json_t *
show_workers(struct cluster *c)
{
    const struct slots *slots = publish_slots(c->publisher);
    json_t             *list  = json_array();

    for (uint32_t i = 0; slots && i < slots->n_workers; i++)
        if (slot_alive(slots_at(slots, i), slots_now_ms(), 0))
            json_array_append_new(list, show_worker(slots_at(slots, i), i));
    publish_slots_done(c->publisher);
    return list;
}

/* {"mode", "stopped": why, "moving"}; null: it does not run. */
static json_t *
show_scaler(struct cluster *c)
{
    static const char *const members[] = { "mode", "stopped", "moving" };
    json_t *all = c->scaler ? scaler_show(c->scaler) : NULL;
    json_t *out = all ? json_object() : json_null();

    for (size_t i = 0; all && i < countof(members); i++)
        json_object_set(out, members[i], json_object_get(all, members[i]));
    json_decref(all);
    return out;
}

unsigned
api_status(struct request *r)
{
    struct cluster *c    = r->cluster;
    json_t         *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    struct sql_error standby;

    r->answer = json_pack(
        "{s:s, s:s, s:b, s:I, s:I, s:I, s:{s:i, s:s, s:s, s:s, s:s}, s:I, s:I, s:o, s:o, s:o, s:o}",
        "home", c->path.home,
        "instance", c->instance, "ready", atomic_load(&c->ready), "pid", (json_int_t)getpid(),
        "uptime_s", (json_int_t)((spawn_now_ms() - c->started_ms) / 1000), "generation",
        (json_int_t)model_number(meta, "generation"), "shardd", "pid",
        atomic_load(&c->shardd_pid), "listen", c->listen, "socket", c->socket, "http",
        c->http, "control", c->path.control, "users_generation",
        (json_int_t)model_number(meta, "users_generation"), "deadlocks",
        (json_int_t)atomic_load(&c->deadlocks), "workers", show_workers(c),
        "shards", show_shards(c), "engines", show_engines(c), "jobs", show_jobs(c, 0, true));
    json_decref(meta);
    json_object_set_new(r->answer, "scaler", show_scaler(c));
    model_set(r->answer, "version", SHARDD_VERSION);
    if (!claim_on_duty(c, &standby))
        model_set(r->answer, "standby", standby.message);
    return 200;
}
