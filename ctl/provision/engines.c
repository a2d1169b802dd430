/* engines.c - see engines.h.
 *
 * Lock order: the cluster's change_lock, then `lock` here, then those of catalog and publisher.
 * `lock` is held while an engine is asked, ANSWER_S at most: so one that is silent holds up one
 * change, and is left to the thread from then on. Whoever finds the thread at that goes on
 * after WAIT_MS, and the thread looks at all engines again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/engine_sync.h"
#include "ctl/provision/engines.h"
#include "ctl/provision/patience.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"

enum {
    ANSWER_S      = 2,
    WAIT_MS       = 200,   /* of a change, for the thread that asks one that may be silent */
    LOOK_MS       = 100,
    RETRY_LAST_MS = 5000,
    STARTS_MS     = 20,    /* between looks at a process that may be starting */
    TELL_AT       = 50,    /* of failures: it had its time */
    CHECK_MS      = 60000, /* a server that somebody else set up anew is found by then */
    READY_MS      = 60000,
    AGREE_MS      = 5000,
};

/* What is known of an engine of the catalog. */
struct engine {
    int64_t  id;
    uint64_t synced;   /* engine_wanted_hash() of what it has; 0: not known */
    pid_t    pid;      /* then, when it is a process of ours */
    bool     tried;    /* at least once */
    int      fails;    /* one after the other */
    int      pause_ms; /* before the next try of the thread */
    int64_t  next_ms, checked_ms;
    char     problem[256]; /* "": none */
};

struct engines {
    struct cluster *c;
    struct ticker   ticker;
    pthread_mutex_t lock;
    atomic_bool     again;   /* somebody could not wait for the lock */
    bool            begun;   /* the catalog has been read */
    bool            make;    /* the first one is still to be made */
    struct engine   engine[ROUTES_ENGINES_MAX];
    size_t          n;
};

/* --- bringing them up to date ------------------------------------------------ */

static struct engine *
find(struct engines *e, int64_t id)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->engine[i].id == id)
            return &e->engine[i];
    return NULL;
}

/* The list as the catalog has it. */
static void
adjust(struct engines *e, json_t *all)
{
    const char *name;
    json_t     *object;
    char        id[24];

    for (size_t i = 0; i < e->n;) {
        snprintf(id, sizeof(id), "%lld", (long long)e->engine[i].id);
        if (json_object_get(all, id))
            i++;
        else
            e->engine[i] = e->engine[--e->n];
    }
    json_object_foreach(all, name, object)
        if (!find(e, model_number(object, "id")) && e->n < countof(e->engine))
            e->engine[e->n++] = (struct engine){ .id = model_number(object, "id") };
}

static void
failed(struct engine *g, const char *name, bool starts, const char *why)
{
    snprintf(g->problem, sizeof(g->problem), "%.250s", why);
    g->fails++;
    if (starts && g->fails < TELL_AT) {
        g->next_ms = spawn_now_ms() + STARTS_MS;
        return;
    }
    g->pause_ms = g->pause_ms < LOOK_MS ? LOOK_MS : g->pause_ms * 2;
    g->pause_ms = g->pause_ms < RETRY_LAST_MS ? g->pause_ms : RETRY_LAST_MS;
    g->next_ms  = spawn_now_ms() + g->pause_ms;
    if (g->fails == TELL_AT)
        log_warn("engine %s: %s", name, why);
}

static void
sync_one(struct engines *e, struct engine *g, const json_t *object, const json_t *wanted,
         uint64_t hash)
{
    struct server    s = { .mysql = NULL, .answer_s = ANSWER_S };
    struct sql_error error;
    pid_t            pid = cluster_local_pid(e->c, g->id);

    if (server_open(&s, object, &error) && engine_sync(&s, wanted, &error)) {
        if (g->fails >= TELL_AT)
            log_info("engine %s: it is up to date again", model_text(object, "name"));
        g->synced     = hash;
        g->pid        = pid;
        g->checked_ms = spawn_now_ms();
        g->problem[0] = '\0';
        g->pause_ms = g->fails = 0;
    } else {
        g->synced = 0;
        failed(g, model_text(object, "name"), pid > 0, error.message);
    }
    g->tried = true;
    server_close(&s);
}

/* `all` of those whose time has come, else only those without a problem. */
static void
follow(struct engines *e, bool again)
{
    json_t     *all    = catalog_all(e->c->catalog, CATALOG_ENGINE), *object;
    json_t     *wanted = json_object_size(all) > 0 ? engine_wanted(e->c) : NULL;
    uint64_t    hash   = wanted ? engine_wanted_hash(wanted) : 0;
    const char *name;

    adjust(e, all);
    json_object_foreach(all, name, object) {
        struct engine *g = find(e, model_number(object, "id"));

        if (!g || g->synced == hash)
            continue;
        if (again ? g->next_ms <= spawn_now_ms() : !g->problem[0])
            sync_one(e, g, object, wanted, hash);
    }
    json_decref(all);
    json_decref(wanted);
}

void
engines_follow(struct cluster *c)
{
    struct timespec until = wake_after_ms(WAIT_MS);

    if (!c->engines)
        return;
    if (pthread_mutex_clocklock(&c->engines->lock, CLOCK_MONOTONIC, &until) != 0) {
        atomic_store(&c->engines->again, true);
        return;
    }
    follow(c->engines, false);
    pthread_mutex_unlock(&c->engines->lock);
}

/* One look at all; `who` gets one that has not got it. */
static bool
agree(struct engines *e, char who[64])
{
    json_t     *all    = catalog_all(e->c->catalog, CATALOG_ENGINE), *object;
    json_t     *wanted = json_object_size(all) > 0 ? engine_wanted(e->c) : NULL;
    uint64_t    hash   = wanted ? engine_wanted_hash(wanted) : 0;
    bool        yes    = true;
    const char *id;

    adjust(e, all);
    json_object_foreach(all, id, object) {
        struct engine *g    = find(e, model_number(object, "id"));
        bool           ours = strcmp(model_text(object, "provisioner"), "local") == 0;

        if (!g || (ours && cluster_local_pid(e->c, g->id) <= 0))
            continue;
        if (g->synced != hash)
            sync_one(e, g, object, wanted, hash);
        if (g->synced != hash) {
            snprintf(who, 64, "%.60s", model_text(object, "name"));
            yes = false;
        }
    }
    json_decref(all);
    json_decref(wanted);
    return yes;
}

bool
engines_agree(struct cluster *c, char who[64])
{
    struct patience wait = patience_of(NULL, AGREE_MS, LOOK_MS);
    bool            yes  = !c->engines;

    while (!yes) {
        pthread_mutex_lock(&c->engines->lock);
        yes = agree(c->engines, who);
        pthread_mutex_unlock(&c->engines->lock);
        if (!yes && !patience_wait(&wait))
            break;
    }
    return yes;
}

void
engines_problem(struct cluster *c, int64_t id, char out[256])
{
    struct engine *g;

    out[0] = '\0';
    if (!c->engines)
        return;
    pthread_mutex_lock(&c->engines->lock);
    if ((g = find(c->engines, id)) != NULL)
        snprintf(out, 256, "%s", g->problem);
    pthread_mutex_unlock(&c->engines->lock);
}

/* --- new ones ------------------------------------------------------------------ */

static bool
name_it(struct cluster *c, const char *name, json_t *engine, struct err *err)
{
    int64_t number = cluster_number(c, "next_engine");
    json_t *all    = catalog_all(c->catalog, CATALOG_ENGINE), *other;
    size_t  n      = json_object_size(all);
    char    own_name[32];

    json_decref(all);
    if (n >= ROUTES_ENGINES_MAX)
        return err_set(err, "there are %d engines, more cannot be", ROUTES_ENGINES_MAX);
    snprintf(own_name, sizeof(own_name), "engine-%lld", (long long)number);
    model_set(engine, "name", name[0] ? name : own_name);
    model_set(engine, "state", "up");
    json_object_set_new(engine, "id", json_integer(ROUTES_ENGINE_ID + number));
    if (!(other = cluster_engine(c, model_text(engine, "name"))))
        return true;
    json_decref(other);
    return err_set(err, "there is an engine named %s already; choose another name",
                   model_text(engine, "name"));
}

json_t *
engines_new(struct cluster *c, const char *name, struct err *err)
{
    json_t *engine = json_object();

    if (name_it(c, name, engine, err))
        return engine;
    json_decref(engine);
    return NULL;
}

/* Without a map of ranges there are no routes yet; the first publication has the engine too. */
static void
publish(struct cluster *c)
{
    json_t    *map = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    struct err ignored;

    json_decref(map);
    if (map)
        cluster_publish(c, &ignored);
}

bool
engines_put(struct cluster *c, const char *who, json_t *engine, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    char                   id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(engine, "id"));
    catalog_put(change, CATALOG_ENGINE, id, engine, CATALOG_NEW);
    json_object_set_new(meta, "engine_made", json_true());
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    cluster_bump(c, change, "generation");
    if (catalog_commit(change, err) != 0)
        return false;
    publish(c);
    return true;
}

bool
engines_sync_new(struct cluster *c, const json_t *engine, struct sql_error *error)
{
    struct server    s      = { .mysql = NULL, .answer_s = ANSWER_S };
    json_t          *wanted = engine_wanted(c);
    bool             ok     = server_open(&s, engine, error) && engine_sync(&s, wanted, error);

    server_close(&s);
    json_decref(wanted);
    return ok;
}

static bool
wait_ready(struct cluster *c, struct local_server *server, struct err *err)
{
    int64_t deadline = spawn_now_ms() + READY_MS;

    while (!local_wait_ready(server, LOOK_MS, err)) {
        if (local_pid(server) == 0 || spawn_now_ms() > deadline)
            return false;
        if (atomic_load(&c->stopping) || (c->engines && ticker_is_stopping(&c->engines->ticker)))
            return err_set(err, "interrupted");
    }
    return true;
}

/* The thread makes its engine beside other changes; only the catalog's is one of them. */
static bool
put_alone(struct cluster *c, const char *who, json_t *engine, bool locked, struct err *err)
{
    bool ok;

    if (!locked)
        pthread_mutex_lock(&c->change_lock);
    ok = engines_put(c, who, engine, err);
    if (!locked)
        pthread_mutex_unlock(&c->change_lock);
    return ok;
}

static bool
make(struct cluster *c, const char *who, const char *name, bool locked, struct err *err)
{
    json_t              *engine = engines_new(c, name, err);
    struct local_server *server = NULL;
    struct sql_error     error;
    bool                 ok     = engine && local_create(c->path.home, c->path.run, engine, err);

    if (ok) {
        server = local_open(engine);
        ok     = local_start(server, err) && wait_ready(c, server, err) &&
             (engines_sync_new(c, engine, &error) || err_set(err, "%s", error.message)) &&
             put_alone(c, who, engine, locked, err);
        if (ok)
            cluster_keep_local(c, server);
        else
            cluster_abandon_local(server, engine);
    }
    json_decref(engine);
    return ok;
}

bool
engines_make(struct cluster *c, const char *who, const char *name, struct err *err)
{
    return make(c, who, name, true, err);
}

/* --- the thread ----------------------------------------------------------------- */

/* What is left of engines that a killed controller was making or removing. */
static void
sweep(struct cluster *c)
{
    json_t *all = catalog_all(c->catalog, CATALOG_ENGINE);

    local_sweep(c->path.home, "engine", all);
    json_decref(all);
}

static void
make_first(struct engines *e)
{
    struct err err;

    if (!make(e->c, "controller", "", false, &err) && !ticker_is_stopping(&e->ticker))
        log_warn("there is no engine, so statements that need one are refused: %s; "
                 "'shardctl engine add' tries again", err.text);
    pthread_mutex_lock(&e->lock);
    e->make = false;
    pthread_mutex_unlock(&e->lock);
}

/* Is something to be done? An engine of ours that was started anew may know nobody. */
static bool
look(struct engines *e)
{
    int64_t now = spawn_now_ms();
    bool    any = atomic_exchange(&e->again, false);

    for (size_t i = 0; i < e->n; i++) {
        struct engine *g   = &e->engine[i];
        pid_t          pid = cluster_local_pid(e->c, g->id);

        if (g->synced && (pid != g->pid || now - g->checked_ms > CHECK_MS))
            g->synced = 0;
        any = any || (!g->synced && g->next_ms <= now);
    }
    return any;
}

bool
engines_pending(struct cluster *c)
{
    struct engines *e = c->engines;
    bool            pending;

    if (!e)
        return false;
    pthread_mutex_lock(&e->lock);
    pending = !e->begun || e->make;
    for (size_t i = 0; i < e->n && !pending; i++)
        pending = !e->engine[i].synced &&
                  (!e->engine[i].tried || cluster_local_pid(e->c, e->engine[i].id) > 0);
    pthread_mutex_unlock(&e->lock);
    return pending;
}

static void *
run(void *context)
{
    struct engines *e = context;

    pthread_mutex_lock(&e->lock);
    follow(e, true);
    e->begun = true;
    pthread_mutex_unlock(&e->lock);
    if (e->make)
        make_first(e);
    while (!ticker_wait(&e->ticker, engines_pending(e->c) ? STARTS_MS : LOOK_MS)) {
        pthread_mutex_lock(&e->lock);
        if (look(e))
            follow(e, true);
        pthread_mutex_unlock(&e->lock);
    }
    return NULL;
}

void
engines_start(struct cluster *c, bool make)
{
    struct engines *e    = mem_alloc(sizeof(*e));
    json_t         *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);

    e->c    = c;
    e->make = make && !model_flag(meta, "engine_made");
    json_decref(meta);
    sweep(c); /* before anybody can make one */
    pthread_mutex_init(&e->lock, NULL);
    c->engines = e;
    if (ticker_start(&e->ticker, run, e))
        return;
    log_error("there is no thread for the engines");
    c->engines = NULL;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void
engines_stop(struct cluster *c)
{
    struct engines *e = c->engines;

    if (!e)
        return;
    ticker_stop(&e->ticker);
    c->engines = NULL;
    pthread_mutex_destroy(&e->lock);
    free(e);
}
