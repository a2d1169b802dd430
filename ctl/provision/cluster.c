/* cluster.c - opening a home, and what its parts share. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/proc.h"
#include "ctl/catalog/audit_log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/engines.h"
#include "ctl/provision/patience.h"
#include "ctl/provision/schema.h"
#include "ctl/provision/spawn.h"

enum {
    SOCKET_NAME_MAX = 18, /* the longest name a socket gets behind RUN: "/controller.sock" */
    ENDING_MS       = 10000,
    ENDING_LOOK_MS  = 20,
};

static bool
default_home(char *out, size_t room, struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (geteuid() == 0)
        snprintf(out, room, "/var/lib/shardd");
    else if (state && state[0] == '/')
        snprintf(out, room, "%s/shardd", state);
    else if (home && home[0] == '/')
        snprintf(out, room, "%s/.local/state/shardd", home);
    else
        return err_set(err, "there is no $HOME; say --home DIRECTORY");
    return true;
}

static bool
absolute(const char *home, char *out, size_t room, struct err *err)
{
    char here[PATH_MAX] = "", real[PATH_MAX];
    int  n;

    if (home[0] != '/' && !getcwd(here, sizeof(here)))
        return err_set(err, "cannot tell the current directory: %s", strerror(errno));
    n = snprintf(out, room, "%s%s%s", here, here[0] ? "/" : "", home);
    if (n < 0 || (size_t)n >= room)
        return err_set(err, "the path of the home is too long");
    /* One spelling, so that instance and socket are the same however it is written. */
    if (realpath(out, real) && strlen(real) < room)
        memcpy(out, real, strlen(real) + 1);
    return true;
}

bool
cluster_paths(const char *home, struct cluster_paths *out, struct err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char        given[CLUSTER_PATH_MAX], instance[SEGMENT_INSTANCE_MAX];

    if (!home && !default_home(given, sizeof(given), err))
        return false;
    if (!absolute(home ? home : given, out->home, sizeof(out->home), err))
        return false;

    snprintf(out->run, sizeof(out->run), "%s", out->home);
    if (strlen(out->run) + SOCKET_NAME_MAX >= sizeof(out->socket)) {
        segment_instance(out->home, instance);
        if (runtime && runtime[0] == '/' && strlen(runtime) < 40)
            snprintf(out->run, sizeof(out->run), "%s/shardd-%s", runtime, instance);
        else
            snprintf(out->run, sizeof(out->run), "/tmp/shardd-%u-%s", (unsigned)geteuid(),
                     instance);
    }
    snprintf(out->socket, sizeof(out->socket), "%.90s/controller.sock", out->run);
    snprintf(out->control, sizeof(out->control), "%.90s/shardd.sock", out->run);
    snprintf(out->clients, sizeof(out->clients), "%.90s/mysql.sock", out->run);
    return true;
}

/* A directory in /tmp could have been put there by somebody else. */
static bool
own_directory(const char *path, struct err *err)
{
    struct stat st;

    if (!spawn_mkdir(path, err))
        return false;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return err_set(err, "%s does not belong to the user who runs this (uid %u)", path,
                       (unsigned)geteuid());
    return true;
}

pid_t
cluster_owner(const struct cluster_paths *paths)
{
    char  path[CLUSTER_PATH_MAX + 16];
    FILE *in;
    long  pid  = 0;
    bool  held = false;

    snprintf(path, sizeof(path), "%s/lock", paths->home);
    in = fopen(path, "re");
    if (!in)
        return 0;
    held = flock(fileno(in), LOCK_SH | LOCK_NB) != 0;
    if (held && fscanf(in, "%ld", &pid) != 1)
        pid = 0;
    fclose(in);
    return held ? (pid_t)pid : 0;
}

/* One that was killed gives its memory back first, and what it has open a while later: when its
 * last thread has ended, and what it was just about to start has become another program. */
static bool
is_ending(pid_t pid)
{
    char             path[32], program[8];
    struct proc_stat stat;

    snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
    return !proc_stat_read(pid, &stat) || stat.state == 'Z' ||
           (readlink(path, program, sizeof(program)) < 0 && errno == ENOENT);
}

/* Waits for a holder that ends just now. */
static bool
lock_home(struct cluster *c)
{
    struct patience p = patience_of(NULL, ENDING_MS, ENDING_LOOK_MS);
    pid_t           owner;

    while (flock(c->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        owner = cluster_owner(&c->path);
        if ((owner > 0 && !is_ending(owner)) || !patience_wait(&p))
            return false;
    }
    return true;
}

static bool
take_lock(struct cluster *c, struct err *err)
{
    char path[CLUSTER_PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/lock", c->path.home);
    c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->lock_fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    if (!lock_home(c))
        return err_set(err, "a controller already runs for %s (pid %ld); stop it with "
                            "'shardctl down --home %s'", c->path.home,
                       (long)cluster_owner(&c->path), c->path.home);
    if (ftruncate(c->lock_fd, 0) != 0 || dprintf(c->lock_fd, "%ld\n", (long)getpid()) < 0)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    return true;
}

static bool
write_meta(struct cluster *c, const char *instance, struct err *err)
{
    struct catalog_change *change;
    char                   uuid[USER_SECRET_LEN + 1], secret[USER_SECRET_LEN + 1];
    json_t                *meta;

    user_secret(uuid);
    user_secret(secret);
    meta = json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:b}", "format",
                     CLUSTER_FORMAT, "uuid", uuid, "instance", instance, "generation", 1,
                     "users_generation", 1, "next_shard", 1, "next_engine", 1, "next_sequence",
                     1, "next_job", 1, "service_user", SCHEMA_SERVICE_USER, "service_secret",
                     secret, "lower_case", false);
    change = catalog_begin(c->catalog, "controller");
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_NEW);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

/* Catalogs without a format are of format 1: they know nothing of engines. */
static bool
migrate(struct cluster *c, json_t *meta, struct err *err)
{
    int64_t                format = json_object_get(meta, "format") ? model_number(meta, "format")
                                                                    : 1;
    struct catalog_change *change;

    if (format > CLUSTER_FORMAT)
        return err_set(err, "the catalog in %s is of a newer release (format %lld, this one "
                            "knows %d); use that release's shardctl", c->path.home,
                       (long long)format, CLUSTER_FORMAT);
    if (format == CLUSTER_FORMAT)
        return true;
    if (!json_object_get(meta, "next_engine"))
        json_object_set_new(meta, "next_engine", json_integer(1));
    json_object_set_new(meta, "format", json_integer(CLUSTER_FORMAT));
    change = catalog_begin(c->catalog, "controller");
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    return catalog_commit(change, err) == 0;
}

static bool
open_catalog(struct cluster *c, const char *instance, struct err *err)
{
    char    path[CLUSTER_PATH_MAX + 16], own[SEGMENT_INSTANCE_MAX];
    json_t *meta;
    bool    ok;

    snprintf(path, sizeof(path), "%s/catalog.db", c->path.home);
    c->catalog = catalog_open(path, err);
    if (!c->catalog)
        return false;
    meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    if (!meta) {
        segment_instance(c->path.home, own);
        if (!write_meta(c, instance ? instance : own, err))
            return false;
        meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    }
    snprintf(c->instance, sizeof(c->instance), "%s", model_text(meta, "instance"));
    snprintf(c->service_secret, sizeof(c->service_secret), "%s",
             model_text(meta, "service_secret"));
    snprintf(c->uuid, sizeof(c->uuid), "%s", model_text(meta, "uuid"));
    c->provision = json_deep_copy(json_object_get(meta, "provision"));
    ok = migrate(c, meta, err);
    json_decref(meta);
    return ok;
}

static bool
open_audit(struct cluster *c, struct err *err)
{
    char dir[CLUSTER_PATH_MAX + 16];

    snprintf(dir, sizeof(dir), "%s/audit", c->path.home);
    c->audit = audit_log_open(c->catalog, dir, 0, 0, err);
    return c->audit != NULL;
}

struct cluster *
cluster_open(const struct cluster_paths *paths, const char *instance, struct err *err)
{
    struct cluster *c = mem_alloc(sizeof(*c));

    c->path       = *paths;
    c->lock_fd    = -1;
    c->started_ms = spawn_now_ms();
    user_secret(c->holder);
    pthread_mutex_init(&c->change_lock, NULL);
    pthread_mutex_init(&c->roles_lock, NULL);
    pthread_mutex_init(&c->local_lock, NULL);
    pthread_mutex_init(&c->duty_lock, NULL);
    if (!own_directory(c->path.home, err) || !own_directory(c->path.run, err) ||
        !take_lock(c, err) || !open_catalog(c, instance, err) || !open_audit(c, err))
        goto fail;
    c->publisher = publisher_open(c->catalog, c->instance, c->path.control, err);
    if (!c->publisher)
        goto fail;
    return c;

fail:
    cluster_close(c);
    return NULL;
}

void
cluster_close(struct cluster *c)
{
    if (!c)
        return;
    publisher_close(c->publisher);
    audit_log_close(c->audit);
    catalog_close(c->catalog);
    for (size_t i = 0; i < c->n_local; i++)
        local_close(c->local[i]);
    json_decref(c->provision);
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    pthread_mutex_destroy(&c->change_lock);
    pthread_mutex_destroy(&c->roles_lock);
    pthread_mutex_destroy(&c->local_lock);
    pthread_mutex_destroy(&c->duty_lock);
    free(c);
}

bool
cluster_publish(struct cluster *c, struct err *err)
{
    bool all = true;

    engines_follow(c); /* whom the routes let in, it must let in too */
    if (!publish_now(c->publisher, PUBLISH_WAIT_MS, &all, err)) {
        log_error("the routes could not be published: %s", err->text);
        return false;
    }
    if (!all)
        log_warn("not every worker took over the new routes within %d ms", PUBLISH_WAIT_MS);
    return true;
}

void
cluster_bump(struct cluster *c, struct catalog_change *change, const char *counter)
{
    json_t *meta = catalog_read(change, CATALOG_META, "cluster", NULL);

    (void)c;
    model_take_number(meta, counter);
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
}

int64_t
cluster_number(struct cluster *c, const char *key)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    int64_t                number = model_take_number(meta, key);
    struct err             err;

    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    if (catalog_commit(change, &err) != 0) {
        log_error("%s", err.text);
        return 0;
    }
    return number;
}

static json_t *
find_server(struct cluster *c, enum catalog_kind kind, const char *name, int64_t id)
{
    json_t     *all = catalog_all(c->catalog, kind), *server, *found = NULL;
    const char *key;

    json_object_foreach(all, key, server)
        if (name ? strcmp(model_text(server, "name"), name) == 0
                 : model_number(server, "id") == id)
            found = server;
    json_incref(found);
    json_decref(all);
    return found;
}

json_t *
cluster_shard(struct cluster *c, const char *name)
{
    return find_server(c, CATALOG_SHARD, name, 0);
}

json_t *
cluster_need_shard(struct cluster *c, const char *name, struct sql_error *error)
{
    json_t *shard = cluster_shard(c, name);

    if (!shard)
        sql_error_set(error, SQL_UNKNOWN_ERROR,
                      "shardd: there is no shard %s; see 'shardctl shard list'", name);
    return shard;
}

json_t *
cluster_engine(struct cluster *c, const char *name)
{
    return find_server(c, CATALOG_ENGINE, name, 0);
}

json_t *
cluster_replica(struct cluster *c, const char *name)
{
    return find_server(c, CATALOG_REPLICA, name, 0);
}

json_t *
cluster_replica_by_id(struct cluster *c, int64_t id)
{
    return find_server(c, CATALOG_REPLICA, NULL, id);
}

json_t *
cluster_replicas(struct cluster *c, int64_t shard)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_REPLICA), *replica, *list = json_array();
    const char *key;

    json_object_foreach(all, key, replica)
        if (model_number(replica, "shard") == shard)
            json_array_append(list, replica);
    json_decref(all);
    return list;
}

json_t *
cluster_shard_by_id(struct cluster *c, int64_t id)
{
    return find_server(c, CATALOG_SHARD, NULL, id);
}
