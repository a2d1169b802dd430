/* provision_docker.c - shards in containers, see docker.h.
 *
 * Container and volume have one name, PREFIX-shard-N. The image is the official one of MariaDB, or
 * one with its contract: it makes a datadir in /var/lib/mysql when there is none, with the
 * account of MARIADB_ROOT_PASSWORD_HASH, and then runs the given mariadbd. The daemon starts a
 * server again when it ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/docker.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/server.h"
#include "ctl/provision/spawn.h"

#define INIT_FILE "shardd-init.sql"

enum {
    CALL_MS   = 30000,
    PULL_MS   = 15 * 60000,
    STOP_S    = 120,
    GONE_MS   = 30000,
    RESTARTS  = 3, /* so many in a row: it will not come up by itself */
    LOG_LINES = 30,
};

static unsigned
ask(struct cluster *c, const char *method, const char *path, const json_t *body, json_t **answer,
    struct err *err)
{
    return docker_call(provision_setting(c, "docker_socket"), method, path, body, CALL_MS, answer,
                       err);
}

/* For a call whose answer nobody reads. */
static unsigned
order(struct cluster *c, const char *method, const char *path, const char *what, struct err *err)
{
    json_t  *answer;
    unsigned status = ask(c, method, path, NULL, &answer, err);

    if (status / 100 != 2 && status != 304)
        docker_refused(what, status, answer, err);
    json_decref(answer);
    return status;
}

static const char *
name_of(const struct provisioned *p)
{
    return model_text(p->server, "container");
}

static void
plan(struct provisioned *p)
{
    char name[64] = "shardd-";

    provision_name(p->c, p->server, name + strlen(name), sizeof(name) - strlen(name));
    model_set(p->server, "container", name);
}

/* --- removing ------------------------------------------------------------------------ */

/* Asks until it is gone; another removal may be on its way. */
static bool
remove_thing(struct cluster *c, const char *path, const char *what, struct err *err)
{
    int64_t deadline = spawn_now_ms() + GONE_MS;

    for (;;) {
        unsigned status = order(c, "DELETE", path, what, err);

        if (status == 404)
            return true;
        if (status != 204 && status != 409)
            return false;
        if (spawn_now_ms() > deadline)
            return status == 204 || docker_refused(what, status, NULL, err);
        usleep(status == 204 ? 1000 : 50000);
    }
}

/* Orderly where the rows may be wanted again, else at once. */
static bool
destroy(struct provisioned *p, bool kept, struct err *err)
{
    bool keep = kept && strcmp(provision_setting(p->c, "docker_volumes"), "keep") == 0;
    char path[256];
    struct err ignored;

    if (!name_of(p)[0])
        return true;
    if (keep) {
        json_t *answer;

        snprintf(path, sizeof(path), "/containers/%.80s/stop?t=%d", name_of(p), STOP_S);
        docker_call(provision_setting(p->c, "docker_socket"), "POST", path, NULL,
                    (STOP_S + 30) * 1000, &answer, &ignored);
        json_decref(answer);
    }
    snprintf(path, sizeof(path), "/containers/%.80s?force=1", name_of(p));
    if (!remove_thing(p->c, path, "remove the container", err))
        return false;
    if (keep) {
        log_info("the volume %s of the removed shard %s is kept; 'docker volume rm' removes it",
                 name_of(p), model_text(p->server, "name"));
        return true;
    }
    snprintf(path, sizeof(path), "/volumes/%.80s", name_of(p));
    return remove_thing(p->c, path, "remove the volume", err);
}

/* --- making ---------------------------------------------------------------------------- */

static bool
pull(struct cluster *c, const char *image, struct err *err)
{
    char       name[256], tag[128];
    struct buf path = { 0 };
    json_t    *answer;
    unsigned   status;

    log_info("the image %s is not there; pulling it", image);
    docker_image(image, name, tag);
    buf_append_text(&path, "/images/create?fromImage=");
    docker_quote(&path, name);
    buf_append_text(&path, "&tag=");
    docker_quote(&path, tag);
    status = docker_call(provision_setting(c, "docker_socket"), "POST", buf_cstr(&path), NULL,
                         PULL_MS, &answer, err);
    if (status != 200)
        docker_refused("pull the image (see --docker-image)", status, answer, err);
    json_decref(answer);
    buf_fini(&path);
    return status == 200;
}

/* With a network of its own a container has the usual port, which is published on another. */
static json_t *
container_body(struct provisioned *p)
{
    const char *network  = provision_setting(p->c, "docker_network");
    json_t     *inside   = json_copy(p->server), *body;
    struct buf  settings = { 0 };

    if (strcmp(network, "host") != 0) {
        model_set(inside, "host", "0.0.0.0");
        json_object_set_new(inside, "port", json_integer(3306));
    }
    local_shard_settings(inside, &settings);
    if (model_is_replica(p->server))
        buf_append_text(&settings, "init-file=/var/lib/mysql/" INIT_FILE "\n");
    body = docker_container(p->server, p->c->uuid, p->c->instance, buf_cstr(&settings),
                            provision_setting(p->c, "docker_image"), network);
    buf_fini(&settings);
    json_decref(inside);
    return body;
}

static bool
create_container(struct provisioned *p, struct err *err)
{
    json_t  *body = container_body(p), *answer = NULL;
    char     path[128];
    unsigned status;
    bool     pulled;

    snprintf(path, sizeof(path), "/containers/create?name=%.80s", name_of(p));
    status = ask(p->c, "POST", path, body, &answer, err);
    pulled = status != 404 || pull(p->c, model_text(body, "Image"), err);
    if (status == 404 && pulled) {
        json_decref(answer);
        status = ask(p->c, "POST", path, body, &answer, err);
    }
    if (status != 201 && pulled)
        docker_refused("create the container", status, answer, err);
    json_decref(answer);
    json_decref(body);
    return status == 201;
}

static bool
create(struct provisioned *p, struct err *err)
{
    char secret[USER_SECRET_LEN + 1];
    int  port;

    if (!destroy(p, false, err))
        return false;
    user_secret(secret);
    model_set(p->server, "user", "root");
    model_set(p->server, "secret", secret);
    model_set(p->server, "socket", "");
    model_set(p->server, "host", "127.0.0.1");
    port = local_free_port();
    if (port <= 0)
        return err_set(err, "there is no free TCP port on 127.0.0.1");
    json_object_set_new(p->server, "port", json_integer(port));
    return create_container(p, err);
}

static bool
start(struct provisioned *p, struct err *err)
{
    char     path[128];
    unsigned status;

    snprintf(path, sizeof(path), "/containers/%.80s/start", name_of(p));
    status = order(p->c, "POST", path, "start the container", err);
    return status == 204 || status == 304;
}

/* --- looking ---------------------------------------------------------------------------- */

static json_t *
inspect(struct provisioned *p, struct err *err)
{
    char     path[128];
    json_t  *answer;
    unsigned status;

    snprintf(path, sizeof(path), "/containers/%.80s/json", name_of(p));
    status = ask(p->c, "GET", path, NULL, &answer, err);
    if (status == 200)
        return answer;
    docker_refused("show the container", status, answer, err);
    json_decref(answer);
    return NULL;
}

/* Returns false. */
static bool
ended(struct provisioned *p, const json_t *shown, struct err *err)
{
    json_t    *state = json_object_get(shown, "State");
    struct buf frames = { 0 }, lines = { 0 };
    struct err ignored;
    char       path[128], line[300];

    snprintf(path, sizeof(path), "/containers/%.80s/logs?stdout=1&stderr=1&tail=%d", name_of(p),
             LOG_LINES);
    docker_bytes(provision_setting(p->c, "docker_socket"), path, CALL_MS, &frames, &ignored);
    docker_logs(buf_unread(&frames), &lines);
    provision_telling(buf_unread(&lines), line, sizeof(line));
    buf_fini(&frames);
    buf_fini(&lines);
    return err_set(err, "its container %.60s ended%s with status %d: %s", name_of(p),
                   model_flag(state, "OOMKilled") ? " for want of memory" : "",
                   (int)model_number(state, "ExitCode"), line[0] ? line : "its log is empty");
}

static bool
is_over(const json_t *shown)
{
    const char *status = model_text(json_object_get(shown, "State"), "Status");

    return strcmp(status, "exited") == 0 || strcmp(status, "dead") == 0 ||
           model_number(shown, "RestartCount") >= RESTARTS;
}

static bool
lives(struct provisioned *p, struct err *err)
{
    json_t *shown = inspect(p, err);
    bool    over  = shown && is_over(shown);

    if (over)
        ended(p, shown, err);
    json_decref(shown);
    return shown && !over;
}

static bool
wait_ready(struct provisioned *p, int wait_ms, struct err *err)
{
    char what[80];

    snprintf(what, sizeof(what), "its container %.60s", name_of(p));
    return provision_wait(p, what, lives, wait_ms, err);
}

static void
keep(struct provisioned *p)
{
    (void)p;
}

/* Where the volume is, when it is on this machine. */
static void
find_volume(struct provisioned *p, struct provision_facts *out)
{
    char       path[128];
    json_t    *answer;
    struct err ignored;

    snprintf(path, sizeof(path), "/volumes/%.80s", name_of(p));
    if (ask(p->c, "GET", path, NULL, &answer, &ignored) == 200)
        snprintf(out->directory, sizeof(out->directory), "%s", model_text(answer, "Mountpoint"));
    json_decref(answer);
}

static bool
describe(struct provisioned *p, struct provision_facts *out, struct err *err)
{
    json_t *shown = inspect(p, err), *state = json_object_get(shown, "State");
    json_t *host  = json_object_get(shown, "HostConfig");

    if (!shown)
        return false;
    snprintf(out->state, sizeof(out->state), "%s", model_text(state, "Status"));
    snprintf(out->health, sizeof(out->health), "%s",
             model_text(json_object_get(state, "Health"), "Status"));
    out->pid          = (pid_t)model_number(state, "Pid");
    out->memory_bytes = model_number(host, "Memory");
    out->milli_cpus   = model_number(host, "NanoCpus") / 1000000;
    json_decref(shown);
    find_volume(p, out);
    provision_look(out);
    return true;
}

/* A network other than the host's hides nothing of this: the daemon is on this machine. */
static bool
folder(struct provisioned *p, char *out, size_t room, struct err *err)
{
    struct provision_facts facts = { .directory = "" };

    find_volume(p, &facts);
    snprintf(out, room, "%s", facts.directory);
    return (out[0] && access(out, R_OK | W_OK | X_OK) == 0) ||
           err_set(err, "the volume %.60s is not in a folder that the controller may look into; to "
                        "copy a server in a container it runs as root on the daemon's machine",
                   name_of(p));
}

/* A copy has the accounts of the server that it is of: ours is made at each start. The files belong
 * to whoever filled the folder; the image gives them to its own account. */
static bool
settle(struct provisioned *p, struct err *err)
{
    char  path[CLUSTER_PATH_MAX + 32], data[CLUSTER_PATH_MAX];
    FILE *out;
    bool  ok;

    if (!folder(p, data, sizeof(data), err))
        return false;
    snprintf(path, sizeof(path), "%s/" INIT_FILE, data);
    out = fopen(path, "we");
    ok  = out && fprintf(out, "SET sql_log_bin = 0;\n"
                              "CREATE OR REPLACE USER root@localhost IDENTIFIED BY '%s';\n"
                              "GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;\n"
                              "CREATE OR REPLACE USER root@'%%' IDENTIFIED BY '%s';\n"
                              "GRANT ALL ON *.* TO root@'%%' WITH GRANT OPTION;\n",
                         model_text(p->server, "secret"), model_text(p->server, "secret")) > 0;
    if ((out && fclose(out) != 0) || !ok)
        return err_set(err, "cannot write %.300s", path);
    return true;
}

static bool
restart(struct provisioned *p, struct err *err)
{
    char     path[128];
    json_t  *answer;
    unsigned status;

    snprintf(path, sizeof(path), "/containers/%.80s/restart?t=%d", name_of(p), STOP_S);
    status = docker_call(provision_setting(p->c, "docker_socket"), "POST", path, NULL,
                         (STOP_S + 30) * 1000, &answer, err);
    if (status != 204)
        docker_refused("restart the container", status, answer, err);
    json_decref(answer);
    return status == 204;
}

/* --- what there is ------------------------------------------------------------------------ */

/* One of /containers/json, as discover.c wants it. */
static json_t *
one(const json_t *container)
{
    json_t     *given  = json_object_get(container, "Labels");
    const char *number = model_text(given, DOCKER_SHARD);
    const char *name   = json_string_value(json_array_get(json_object_get(container, "Names"), 0));

    return json_pack("{s:s, s:s, s:I, s:b, s:s, s:s, s:s, s:s}", "ref",
                     model_text(container, "Id"), "name", name ? name + (name[0] == '/') : "", "id",
                     number[0] ? (json_int_t)atoll(number) : (json_int_t)-1, "running",
                     strcmp(model_text(container, "State"), "running") == 0, "shard",
                     model_text(given, DOCKER_NAME), "host", model_text(given, DOCKER_HOST), "port",
                     model_text(given, DOCKER_PORT), "user", model_text(given, DOCKER_USER));
}

static bool
append_labelled(struct cluster *c, const char *value, json_t *list, struct err *err)
{
    struct buf path   = { 0 };
    char       filter[256];
    json_t    *answer, *container;
    unsigned   status;
    size_t     i;

    snprintf(filter, sizeof(filter), "{\"label\": [\"%s=%.100s\"]}", DOCKER_CLUSTER, value);
    buf_append_text(&path, "/containers/json?all=1&filters=");
    docker_quote(&path, filter);
    status = ask(c, "GET", buf_cstr(&path), NULL, &answer, err);
    if (status == 200)
        json_array_foreach(answer, i, container)
            json_array_append_new(list, one(container));
    else
        docker_refused("list the containers", status, answer, err);
    json_decref(answer);
    buf_fini(&path);
    return status == 200;
}

static json_t *
list(struct cluster *c, struct err *err)
{
    json_t *all = json_array();

    if (append_labelled(c, c->uuid, all, err) &&
        append_labelled(c, c->instance, all, err))
        return all;
    json_decref(all);
    return NULL;
}

/* As the official image is told it. */
static void
secret(struct cluster *c, const json_t *entry, char *out, size_t room)
{
    static const char *const names[] = { "MARIADB_ROOT_PASSWORD=", "MYSQL_ROOT_PASSWORD=" };
    char       path[128];
    json_t    *answer, *variable;
    struct err ignored;
    size_t     i;

    out[0] = '\0';
    snprintf(path, sizeof(path), "/containers/%.80s/json", model_text(entry, "ref"));
    ask(c, "GET", path, NULL, &answer, &ignored);
    json_array_foreach(json_object_get(json_object_get(answer, "Config"), "Env"), i, variable)
        for (size_t k = 0; k < countof(names); k++) {
            const char *text = json_string_value(variable);

            if (text && strncmp(text, names[k], strlen(names[k])) == 0)
                snprintf(out, room, "%s", text + strlen(names[k]));
        }
    json_decref(answer);
}

const struct provisioner provisioner_docker = {
    .name = "docker", .makes = true, .limits = true, .plan = plan, .create = create,
    .start = start, .wait_ready = wait_ready, .keep = keep, .destroy = destroy,
    .describe = describe, .folder = folder, .settle = settle, .restart = restart,
    .handle = "container", .seldom = 1, .list = list, .secret = secret,
};
