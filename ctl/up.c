/* up.c - start everything in order, watch it, stop it in the reverse order.
 *
 *   lock, catalog, segment -> servers -> first objects -> routes -> REST -> shardd -> READY
 *                                 +----> engine, in a thread of its own ---------------^
 *
 * Every child is in a session of its own, so that a Ctrl-C reaches only this
 * process, and outlives it when it is killed; the next start takes it over.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/api/api.h"
#include "ctl/api/exporter.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/dataplane.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl.h"
#include "ctl/job/deadlock.h"
#include "ctl/job/discover.h"
#include "ctl/failover/failover.h"
#include "ctl/failover/failover_watch.h"
#include "ctl/job/repair.h"
#include "ctl/job/replica.h"
#include "ctl/job/resolver.h"
#include "ctl/move/run.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/engines.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/spawn.h"
#include "ctl/scale/monitor.h"
#include "ctl/scale/scaler.h"
#include "ctl/up.h"
#include "ctl/up_say.h"
#include "ctl/up_settings.h"

enum { TICK_MS = 100, SHARDD_READY_MS = 30000, ENGINES_WAIT_MS = 15000,
       SETTLE_AGAIN_MS = 5000 };

static volatile sig_atomic_t interrupts; /* SIGINT and SIGTERM seen */

static void
on_interrupt(int signal)
{
    (void)signal;
    interrupts++;
}

static bool
hurried(void)
{
    return interrupts > 1;
}

static bool
stop_wanted(struct cluster *c)
{
    return interrupts > 0 || atomic_load(&c->stopping);
}

/* Shards for a home that has none. */
static bool
make_shards(struct cluster *c, int n, struct err *err)
{
    static const struct provision_wish plain = { "", "", "" };
    char                               text[64];

    for (int i = 1; i <= n; i++) {
        json_t *shard;
        bool    ok;

        if (stop_wanted(c))
            return err_set(err, "interrupted");
        snprintf(text, sizeof(text), "making shard %d of %d", i, n);
        up_progress(text);
        shard = cluster_plan_shard(c, cluster_number(c, "next_shard"), "", &plain, err);
        ok    = shard && cluster_make_shard(c, shard, NULL, NULL, err);
        json_decref(shard);
        if (!ok)
            return false;
    }
    return true;
}

/* Schema, accounts and databases of every shard, as the catalog has them. */
static bool
ensure_shards(struct cluster *c, struct err *err)
{
    json_t          *all = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char      *id;
    struct sql_error error;
    bool             ok = true;

    json_object_foreach(all, id, shard) {
        if (!ok || cluster_ensure_shard(c, shard, &error))
            continue;
        if (strcmp(model_text(shard, "provisioner"), "local") == 0 &&
            !cluster_may_be_replaced(c, model_server_id(shard)))
            ok = err_set(err, "%s", error.message);
        else
            log_warn("%s", error.message); /* one of the user's own servers may be down */
    }
    json_decref(all);
    return ok;
}

/* Those that a shard lacks: a start before may have been interrupted. */
static bool
make_replicas(struct cluster *c, int n, struct err *err)
{
    static const struct replica_wish plain = { .name = "", .provisioner = "", .address = "" };
    json_t          *all = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char      *id;
    struct sql_error error;
    bool             ok = true;

    if (n > 0)
        up_progress("making replicas");
    json_object_foreach(all, id, shard) {
        json_t *have = cluster_replicas(c, model_number(shard, "id"));

        for (int i = (int)json_array_size(have); ok && i < n; i++)
            ok = !stop_wanted(c) &&
                 replica_add(c, "controller", model_text(shard, "name"), &plain, &error);
        json_decref(have);
    }
    json_decref(all);
    return ok || err_set(err, "%s", stop_wanted(c) ? "interrupted" : error.message);
}

/* What a new cluster has: database app, user app with password app. */
static bool
make_first_objects(struct cluster *c, struct err *err)
{
    static const struct database_options options = { .if_not_exists = true };
    char             verifier[USER_VERIFIER_LEN + 1];
    struct sql_error error;

    json_t *user = catalog_get(c->catalog, CATALOG_USER, "app", NULL);
    bool    have = user != NULL;

    json_decref(user);
    user_verifier(AUTH_NATIVE, "app", verifier);
    if ((have || admin_user_add(c, "controller", "app", AUTH_NATIVE, verifier, ADMIN_USER_ADMIN,
                                NULL, &error)) &&
        admin_database_create(c, "controller", "app", &options, NULL, &error))
        return true;
    return err_set(err, "%s", error.message);
}

static bool
mark_made(struct cluster *c, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);

    json_object_set_new(meta, "made", json_true());
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

/* A first start may have been interrupted anywhere: each part is made when it
 * is not there, and "made" is noted when all of it is. */
static bool
make_cluster(struct cluster *c, const struct up_options *o, struct err *err)
{
    json_t *meta   = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    json_t *shards = catalog_all(c->catalog, CATALOG_SHARD);
    json_t *map    = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    int     have   = (int)json_object_size(shards);
    bool    ok     = true;
    char    text[64];

    if (o->shards > 0 && model_flag(meta, "made") && o->shards_given && o->shards != have) {
        snprintf(text, sizeof(text), "the cluster has %d shards since its first start", have);
        up_progress(text);
    }
    if (!model_flag(meta, "made") && !map)
        local_sweep(c->path.home, "shard", shards); /* a start before was interrupted */
    if (o->shards > 0 && !model_flag(meta, "made"))
        ok = (map || make_shards(c, o->shards - have, err)) &&
             (map || cluster_cut_ranges(c, err)) && make_first_objects(c, err) &&
             make_replicas(c, o->replicas, err) && mark_made(c, err);
    json_decref(meta);
    json_decref(shards);
    json_decref(map);
    return ok;
}

/* Threads that look after the cluster. */
struct keepers {
    struct resolver *resolver;
    struct deadlock *deadlock;
    struct repair   *repair;
    struct discover *discover;
    int64_t          again_ms;  /* when settle_later() may try again */
    struct err       unsettled; /* what it has said last */
};

/* What the controller before this one had begun; after another one, when it has gone. */
static bool
settle(struct cluster *c, struct resolver *r, struct err *err)
{
    roles_keep_all(c, true, true);
    ddl_recover(c); /* before a database whose DROP had begun is made again where it lacks */
    if (!ensure_shards(c, err))
        return false;
    resolver_settled(r);
    return true;
}

/* No routes without a shard. */
static bool
publish(struct cluster *c, struct err *err)
{
    json_t *map = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    bool    ok  = !map || publish_now(c->publisher, 0, NULL, err);

    json_decref(map);
    return ok;
}

static bool
start_servers(struct cluster *c, const struct up_options *o, struct keepers *k, struct err *err)
{
    up_progress("starting the servers of the shards");
    if (!cluster_start_local(c, err))
        return false;
    engines_start(c, o->with_shardd && !o->no_engine); /* beside the shards */
    k->resolver = resolver_new(c);
    if (!resolver_may_settle(k->resolver)) /* whoever is on duty knows the routes */
        return true;
    return settle(c, k->resolver, err) && make_cluster(c, o, err) && publish(c, err);
}

/* After another controller has gone, when it has left all as it knows it. */
static void
settle_later(struct cluster *c, struct keepers *k)
{
    struct err err;
    int64_t    now = spawn_now_ms();

    if (now < k->again_ms || !resolver_may_settle(k->resolver))
        return;
    if (settle(c, k->resolver, &err) && publish(c, &err))
        return;
    k->again_ms = now + SETTLE_AGAIN_MS;
    if (strcmp(k->unsettled.text, err.text) != 0)
        log_error("this controller cannot begin yet, and tries again: %s", err.text);
    k->unsettled = err;
}

static int
remembered(const json_t *meta, const char *key, int given, int fallback)
{
    if (given >= 0)
        return given;
    return json_object_get(meta, key) ? (int)model_number(meta, key) : fallback;
}

/* The options of shardd: as given, else as last time. The settings live as long as the
 * object that is returned. */
static json_t *
recall(struct cluster *c, const struct up_options *o, struct dataplane_options *out)
{
    json_t *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);

    out->port      = remembered(meta, "port", o->port, 7306);
    out->http_port = remembered(meta, "http_port", o->http_port, 7380);
    out->workers   = remembered(meta, "workers", o->workers, 0);
    if (o->settings)
        json_object_set(meta, "settings", (json_t *)(uintptr_t)o->settings);
    out->settings = json_object_get(meta, "settings");
    return meta;
}

/* Only what has worked: a port that was taken is not tried again for ever. */
static bool
remember(struct cluster *c, const struct dataplane_options *o, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "shardctl");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);

    json_object_set_new(meta, "port", json_integer(o->port));
    json_object_set_new(meta, "http_port", json_integer(o->http_port));
    json_object_set_new(meta, "workers", json_integer(o->workers));
    if (o->settings)
        json_object_set(meta, "settings", (json_t *)(uintptr_t)o->settings);
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

/* Where new servers come from: as given, else as last time. Before there are threads. */
static bool
settle_provision(struct cluster *c, const json_t *given, struct err *err)
{
    struct catalog_change *change;
    json_t                *meta;

    if (!c->provision)
        c->provision = json_object();
    if (json_object_size(given) == 0)
        return true;
    json_object_update(c->provision, (json_t *)(uintptr_t)given);
    change = catalog_begin(c->catalog, "shardctl");
    meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    json_object_set(meta, "provision", c->provision);
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

static bool
start_shardd(struct cluster *c, struct dataplane *d, struct err *err)
{
    int64_t          deadline = spawn_now_ms() + SHARDD_READY_MS;
    struct sql_error why;

    up_progress("starting shardd");
    if (!dataplane_start(d, err))
        return false;
    while (!dataplane_ready(d) && claim_on_duty(c, &why)) { /* else there are no routes yet */
        if (stop_wanted(c))
            return err_set(err, "interrupted");
        if (dataplane_failed(d))
            return dataplane_last_words(d, err);
        if (spawn_now_ms() > deadline)
            return err_set(err, "shardd is not ready after %d s; see %s/shardd.log",
                           SHARDD_READY_MS / 1000, c->path.home);
        usleep(5000);
        dataplane_tick(d);
        cluster_tick(c);
    }
    return true;
}

/* The cluster is of use without; whoever waits for it wants all of it. */
static void
wait_for_engines(struct cluster *c, struct dataplane *d)
{
    int64_t deadline = spawn_now_ms() + ENGINES_WAIT_MS;

    while (engines_pending(c) && !stop_wanted(c) && spawn_now_ms() < deadline) {
        usleep(5000);
        cluster_tick(c);
        if (d)
            dataplane_tick(d);
    }
}

static void
watch(struct cluster *c, struct dataplane *d, struct keepers *k)
{
    static const struct timespec pause = { .tv_nsec = TICK_MS * 1000000L };
    sigset_t                     child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while (!stop_wanted(c)) {
        cluster_tick(c);
        if (d)
            dataplane_tick(d);
        settle_later(c, k);
        sd_notify(0, "WATCHDOG=1");
        sigtimedwait(&child, NULL, &pause);
    }
    sd_notify(0, "STOPPING=1");
}

/* All that used the segments has ended; the next start makes them anew. With `serve`
 * they stay: shardd goes on with the routes of a controller that is away. */
static void
remove_segments(const char *instance)
{
    (void)segment_unlink(SEGMENT_ROUTES, instance);
    (void)segment_unlink(SEGMENT_SLOTS, instance);
}

static void
start_keepers(struct cluster *c, struct keepers *k)
{
    resolver_start(k->resolver);
    resolver_take(c->resolver);
    k->deadlock = deadlock_start(c);
    k->repair   = repair_start(c);
    moves_start(c);
    k->discover = discover_start(c);
    c->failover = failover_watch_start(c);
    c->monitor  = monitor_start(c);
    c->scaler   = scaler_start(c);
    c->exporter = exporter_open(c);
}

static void
stop_keepers(struct cluster *c, struct keepers *k)
{
    if (c) {
        exporter_close(c->exporter);
        c->exporter = NULL;
        scaler_stop(c->scaler);
        c->scaler = NULL;
        monitor_stop(c->monitor);
        c->monitor = NULL;
        moves_stop(c);
        failover_watch_stop(c->failover);
        c->failover = NULL;
    }
    discover_stop(k->discover);
    repair_stop(k->repair);
    deadlock_stop(k->deadlock);
    resolver_free(k->resolver);
}

static int
run(const struct up_options *o, int done_fd)
{
    struct dataplane_options shardd_options;
    struct keepers           keepers = { .resolver = NULL };
    struct dataplane        *d    = NULL;
    struct api              *api  = NULL;
    json_t                  *meta = NULL;
    struct err               err;
    int                      status = 1;
    struct cluster          *c      = cluster_open(&o->paths, o->instance, &err);

    if (!c || !settle_provision(c, o->provision, &err) || !up_settle_log(c, o->log, &err))
        goto fail;
    meta = recall(c, o, &shardd_options);
    if (o->with_shardd && !(d = dataplane_open(c, &shardd_options, &err)))
        goto fail;
    if (!start_servers(c, o, &keepers, &err))
        goto fail;
    start_keepers(c, &keepers);
    api = up_open_api(c, o->api, &err);
    if (!api || (d && (!start_shardd(c, d, &err) || !remember(c, &shardd_options, &err))))
        goto fail;
    wait_for_engines(c, d);

    atomic_store(&c->ready, true);
    sd_notify(0, "READY=1");
    if (d && o->json_fd >= 0)
        up_announce_json(c, o->json_fd);
    else if (d)
        up_announce(c, done_fd >= 0);
    if (done_fd >= 0)
        up_detach_output(c, done_fd);
    watch(c, d, &keepers);
    up_say(done_fd >= 0, "stopping");
    status = 0;

fail:
    if (status != 0)
        fprintf(stderr, "shardctl: %s\n", err.text);
    if (d)
        dataplane_stop(d, hurried);
    api_close(api);
    stop_keepers(c, &keepers);
    if (c) {
        engines_stop(c);
        cluster_stop_local(c);
    }
    dataplane_close(d);
    json_decref(meta);
    if (c && o->with_shardd && (d || status == 0))
        remove_segments(c->instance);
    cluster_close(c);
    if (status == 0)
        up_say(done_fd >= 0, "stopped; the data is kept, 'shardctl up' continues with it");
    return status;
}

static void
catch_signals(void)
{
    struct sigaction interrupt = { .sa_handler = on_interrupt };
    sigset_t         child;

    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    sigaction(SIGHUP, &interrupt, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL); /* taken by sigtimedwait() */
}

/* The first process waits until its child is ready, or ends with it. */
static int
wait_ready(pid_t pid, int fd)
{
    char    byte;
    ssize_t n;
    int     status = 0;

    while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
        if (interrupts > 0)
            kill(pid, SIGTERM);
    if (n == 1)
        return 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

int
up_run(const struct up_options *o)
{
    int   ends[2];
    pid_t pid;

    catch_signals();
    if (!o->detach)
        return run(o, -1);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 1;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        dup2(null, STDIN_FILENO);
        close(ends[0]);
        return run(o, ends[1]);
    }
    close(ends[1]);
    return pid > 0 ? wait_ready(pid, ends[0]) : 1;
}
