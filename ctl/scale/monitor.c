/* monitor.c - see monitor.h. */
#include "ctl/scale/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/ticker.h"
#include "ctl/scale/collect.h"
#include "ctl/scale/history.h"
#include "ctl/scale/hot.h"
#include "ctl/scale/measure.h"

enum { FIRST_MS = 1000 };

struct monitor {
    struct cluster *cluster;
    struct load    *load;
    struct collect *collect;
    struct measure *measure;
    struct hot     *hot;
    struct history *history;
    atomic_int      interval_ms;
    struct ticker   ticker;
};

static int64_t
unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
by_id(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void
forget_others(struct monitor *m, json_t *servers)
{
    uint32_t   *ids = mem_alloc((json_object_size(servers) + 1) * sizeof(*ids));
    const char *key;
    json_t     *server;
    size_t      n = 0;

    json_object_foreach(servers, key, server)
        ids[n++] = collect_id(server);
    qsort(ids, n, sizeof(*ids), by_id);
    load_keep(m->load, ids, n);
    free(ids);
}

static void
look_at_slots(struct monitor *m)
{
    const struct slots *slots = publish_slots(m->cluster->publisher);

    measure_look(m->measure, slots);
    hot_look(m->hot, slots);
    publish_slots_done(m->cluster->publisher);
}

static void
show_heat(struct monitor *m)
{
    json_t *map = catalog_get(m->cluster->catalog, CATALOG_RANGES, "map", NULL);

    hot_put(m->hot, map, m->load);
    json_decref(map);
}

static void
keep(struct monitor *m, const struct shard_load *one)
{
    struct shard_load minute, hour;
    unsigned          full = load_put(m->load, one, &minute, &hour);

    history_put(m->history, LOAD_RAW, one);
    if (full & 1u << LOAD_MINUTE)
        history_put(m->history, LOAD_MINUTE, &minute);
    if (full & 1u << LOAD_HOUR)
        history_put(m->history, LOAD_HOUR, &hour);
}

/* The catalog's shards, each with its replicas, and these beside them, by collect_id(). */
static json_t *
all_servers(struct monitor *m)
{
    json_t     *servers  = catalog_all(m->cluster->catalog, CATALOG_SHARD), *shard;
    json_t     *replicas = catalog_all(m->cluster->catalog, CATALOG_REPLICA), *replica;
    const char *key;
    char        id[24];

    json_object_foreach(replicas, key, replica) {
        snprintf(id, sizeof(id), "%lld", (long long)model_number(replica, "shard"));
        shard = json_object_get(servers, id);
        if (shard && !json_object_get(shard, "replicas"))
            json_object_set_new(shard, "replicas", json_array());
        json_array_append(json_object_get(shard, "replicas"), replica);
        snprintf(id, sizeof(id), "%u", collect_id(replica));
        json_object_set(servers, id, replica);
    }
    json_decref(replicas);
    return servers;
}

/* What its shard's collector knows of it. */
static void
take_lag(struct monitor *m, const json_t *replica, struct shard_load *one)
{
    struct replica_load all[ROUTES_SHARD_REPLICAS_MAX];
    size_t n = load_replicas(m->load, (uint32_t)model_number(replica, "shard"), all,
                             countof(all));

    for (size_t i = 0; i < n && i < countof(all); i++)
        if (all[i].id == one->id)
            one->lag_s = all[i].lag_s;
}

static void
measure_one(struct monitor *m, const json_t *server, int64_t now)
{
    struct shard_load one;

    shard_load_init(&one, collect_id(server), model_text(server, "name"));
    one.at_ms   = now;
    one.seconds = (double)atomic_load(&m->interval_ms) / 1000;
    measure_take(m->measure, one.id, &one);
    collect_take(m->collect, one.id, &one);
    if (model_is_replica(server))
        take_lag(m, server, &one);
    keep(m, &one);
}

static void
tick(struct monitor *m)
{
    json_t     *servers = all_servers(m), *server;
    int64_t     now     = unix_ms();
    const char *key;

    look_at_slots(m);
    collect_sync(m->collect, servers, atomic_load(&m->interval_ms));
    forget_others(m, servers);
    history_begin(m->history);
    json_object_foreach(servers, key, server)
        measure_one(m, server, now);
    history_end(m->history, now, atomic_load(&m->interval_ms));
    json_decref(servers);
    show_heat(m);
}

/* What is counted is counted from here on. */
static void
begin(struct monitor *m)
{
    json_t *servers = all_servers(m);

    look_at_slots(m);
    collect_sync(m->collect, servers, atomic_load(&m->interval_ms));
    json_decref(servers);
}

/* The first comes soon, when collectors have their answers; the others at whole multiples of
 * the interval of the clock, so that all controllers' points agree. */
static bool
is_due(const struct monitor *m, int64_t last, int64_t now)
{
    int64_t interval = atomic_load(&m->interval_ms);

    return last == 0 || now < last || now / interval != last / interval;
}

/* The interval may be changed meanwhile: no sleep is longer than a second. */
static unsigned
until_next(const struct monitor *m)
{
    int64_t interval = atomic_load(&m->interval_ms), left = interval - unix_ms() % interval;

    return (unsigned)(left < FIRST_MS ? left : FIRST_MS);
}

static void *
run(void *context)
{
    struct monitor *m    = context;
    int64_t         last = 0;

    begin(m);
    for (unsigned wait = FIRST_MS; !ticker_wait(&m->ticker, wait); wait = until_next(m)) {
        if (!is_due(m, last, unix_ms()))
            continue;
        tick(m);
        last = unix_ms();
    }
    return NULL;
}

static int
remembered(struct cluster *c)
{
    json_t *meta     = catalog_get(c->catalog, CATALOG_META, "monitor", NULL);
    int     interval = (int)model_number(meta, "interval_ms");

    json_decref(meta);
    return interval >= MONITOR_INTERVAL_MIN_MS && interval <= MONITOR_INTERVAL_MAX_MS
               ? interval : MONITOR_INTERVAL_MS;
}

static void
forget(struct monitor *m)
{
    if (m->collect)
        collect_stop(m->collect);
    history_close(m->history);
    measure_free(m->measure);
    hot_free(m->hot);
    load_free(m->load);
    free(m);
}

struct monitor *
monitor_start(struct cluster *c)
{
    struct monitor *m = mem_alloc(sizeof(*m));

    m->cluster = c;
    m->load    = load_new();
    m->history = history_open(c->path.home, m->load);
    m->measure = measure_new();
    m->hot     = hot_new();
    m->collect = collect_start(c, m->load);
    atomic_store(&m->interval_ms, remembered(c));
    if (m->collect && ticker_start(&m->ticker, run, m))
        return m;
    log_error("the load of shards is not measured: there is no thread for it");
    forget(m);
    return NULL;
}

void
monitor_stop(struct monitor *m)
{
    if (!m)
        return;
    ticker_stop(&m->ticker);
    forget(m);
}

struct load *
monitor_load(struct monitor *m)
{
    return m->load;
}

json_t *
monitor_show(struct monitor *m, uint32_t id)
{
    return collect_show(m->collect, id);
}

int
monitor_interval_ms(struct monitor *m)
{
    return atomic_load(&m->interval_ms);
}

bool
monitor_set_interval(struct monitor *m, const char *who, int ms, struct err *err)
{
    if (ms < MONITOR_INTERVAL_MIN_MS || ms > MONITOR_INTERVAL_MAX_MS)
        return err_set(err, "the interval is between %d and %d s",
                       MONITOR_INTERVAL_MIN_MS / 1000, MONITOR_INTERVAL_MAX_MS / 1000);

    struct catalog_change *change = catalog_begin(m->cluster->catalog, who);
    json_t                *meta   = catalog_read(change, CATALOG_META, "monitor", NULL);
    if (!meta)
        meta = json_object();
    json_object_set_new(meta, "interval_ms", json_integer(ms));
    catalog_put(change, CATALOG_META, "monitor", meta, CATALOG_ANY);
    json_decref(meta);
    if (catalog_commit(change, err) != 0)
        return false;
    atomic_store(&m->interval_ms, ms);
    return true;
}
