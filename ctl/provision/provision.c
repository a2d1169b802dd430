/* provision.c - see provision.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/server.h"
#include "ctl/provision/spawn.h"

enum { LOOK_MS = 100 };

static const struct provisioner *const provisioners[] = { &provisioner_local, &provisioner_docker,
                                                          &provisioner_systemd,
                                                          &provisioner_static };

const struct provision_option provision_options[] = {
    { "provisioner", "provisioner", "local" },
    { "docker-socket", "docker_socket", "/var/run/docker.sock" },
    { "docker-image", "docker_image", "mariadb:10.11" },
    { "docker-network", "docker_network", "host" },
    { "docker-volumes", "docker_volumes", "keep" },
    { "discover", "discover", "on" },
};
const size_t provision_n_options = countof(provision_options);

const struct provisioner *
provision_at(size_t i)
{
    return i < countof(provisioners) ? provisioners[i] : NULL;
}

const struct provisioner *
provision_find(const char *name)
{
    for (size_t i = 0; i < countof(provisioners); i++)
        if (strcmp(provisioners[i]->name, name) == 0)
            return provisioners[i];
    return NULL;
}

struct provisioned
provision_of(struct cluster *c, json_t *server)
{
    const struct provisioner *by = provision_find(model_text(server, "provisioner"));

    return (struct provisioned){ .c = c, .by = by ? by : &provisioner_static, .server = server };
}

const char *
provision_setting(const struct cluster *c, const char *name)
{
    const char *text = model_text(c->provision, name);

    for (size_t i = 0; !text[0] && i < provision_n_options; i++)
        if (strcmp(provision_options[i].name, name) == 0)
            text = provision_options[i].fallback;
    return text;
}

/* --- names ------------------------------------------------------------------------- */

enum { PREFIX_LEN = 8 };

void
provision_name(const struct cluster *c, const json_t *server, char *out, size_t room)
{
    snprintf(out, room, "%.*s-%s-%d", PREFIX_LEN, c->uuid, model_server_kind(server),
             model_server_number(server));
}

int64_t
provision_number(const struct cluster *c, const char *name, const char *before)
{
    static const struct {
        const char *kind;
        int64_t     first;
    } kinds[] = { { "shard", 0 }, { "replica", ROUTES_REPLICA_ID } };
    size_t len = strlen(before);
    char   start[64], *end;
    long   number;

    for (size_t i = 0; i < countof(kinds) && strncmp(name, before, len) == 0; i++) {
        const char *at = name + len;

        snprintf(start, sizeof(start), "%.*s-%s-", PREFIX_LEN, c->uuid, kinds[i].kind);
        if (strncmp(at, start, strlen(start)) != 0)
            continue;
        at += strlen(start);
        number = strtol(at, &end, 10);
        return at[0] >= '1' && at[0] <= '9' && *end == '\0' ? kinds[i].first + number : -1;
    }
    return -1;
}

/* --- wishes ------------------------------------------------------------------------ */

int64_t
provision_size(const char *text)
{
    static const char units[] = "KMGT";
    char             *end;
    double            number = strtod(text, &end);
    const char       *unit   = *end ? strchr(units, *end) : NULL;

    if (text[0] < '0' || text[0] > '9' || (*end && (!unit || end[1])))
        return 0;
    for (const char *at = units; unit && at <= unit; at++)
        number *= 1024;
    return number >= 1 && number < 1e15 ? (int64_t)number : 0;
}

int64_t
provision_milli(const char *text)
{
    char  *end;
    double number = strtod(text, &end);

    if (text[0] < '0' || text[0] > '9' || *end || number > 10000)
        return 0;
    return (int64_t)(number * 1000 + 0.5);
}

/* What mariadbd with the settings of a shard does not start below. */
enum { MEMORY_MIN = 256 << 20, MILLI_MIN = 10 };

static bool
set_limits(const struct provisioner *by, const struct provision_wish *wish, json_t *server,
           struct err *err)
{
    int64_t memory = provision_size(wish->memory), milli = provision_milli(wish->cpus);

    if (!by->limits && (wish->cpus[0] || wish->memory[0]))
        return err_set(err, "a server of the provisioner %s has no limits; --cpus and --memory go "
                            "with --provisioner docker and systemd", by->name);
    if (wish->memory[0] && memory < MEMORY_MIN)
        return err_set(err, "--memory %.40s: it is a size from 256M", wish->memory);
    if (wish->cpus[0] && milli < MILLI_MIN)
        return err_set(err, "--cpus %.40s: it is a number from 0.01", wish->cpus);
    if (memory)
        json_object_set_new(server, "memory_bytes", json_integer(memory));
    if (milli)
        json_object_set_new(server, "milli_cpus", json_integer(milli));
    return true;
}

bool
provision_plan(struct cluster *c, const struct provision_wish *wish, json_t *server,
               struct err *err)
{
    const char *name = wish->provisioner[0] ? wish->provisioner
                                            : provision_setting(c, "provisioner");
    struct provisioned p = { .c = c, .by = provision_find(name), .server = server };

    if (!p.by)
        return err_set(err, "there is no provisioner %.60s; there are local, docker, systemd and "
                            "static", name);
    if (!p.by->makes)
        return err_set(err, "the provisioner %s makes no servers: say which one it is with "
                            "--static HOST:PORT, or --adopt when it has data", name);
    model_set(server, "provisioner", p.by->name);
    if (!set_limits(p.by, wish, server, err))
        return false;
    p.by->plan(&p);
    return true;
}

bool
provision_is_ours(const struct provisioned *p)
{
    return p->by->makes && !model_flag(p->server, "found");
}

json_t *
provision_trace(const json_t *server)
{
    static const char *const members[] = { "id", "server_id", "shard", "name", "provisioner",
                                           "directory", "container", "unit", "found" };
    json_t *trace = json_object();

    for (size_t i = 0; i < countof(members); i++)
        if (json_object_get(server, members[i]))
            json_object_set(trace, members[i], json_object_get(server, members[i]));
    return trace;
}

void
provision_telling(struct span lines, char *out, size_t room)
{
    bool found = false;

    out[0] = '\0';
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t         len = end ? (size_t)(end - lines.ptr) : lines.len;
        bool           bad = memmem(lines.ptr, len, "ERROR", 5) != NULL;

        if (len > 0 && (bad || !found))
            snprintf(out, room, "%.*s", (int)len, (const char *)lines.ptr);
        found = found || bad;
        lines.ptr += len + (end != NULL);
        lines.len -= len + (end != NULL);
    }
}

/* --- facts ------------------------------------------------------------------------- */

/* A line is "NUMBER:CONTROLLER,CONTROLLER:PATH"; with version 2 there are no controllers. */
static bool
has_controller(const char *line, size_t len, const char *controller)
{
    const char *from = memchr(line, ':', len), *to;
    size_t      n    = strlen(controller);

    if (!from)
        return false;
    from++;
    to = memchr(from, ':', len - (size_t)(from - line));
    for (const char *at = from; to && at < to; at++) {
        size_t word = strcspn(at, ",:");

        if (word == n && strncmp(at, controller, n) == 0)
            return true;
        at += word;
    }
    return to == from && n == 0;
}

static void
cgroup_line(const char *lines, const char *controller, char *out, size_t room)
{
    out[0] = '\0';
    for (const char *at = lines; *at;) {
        size_t len = strcspn(at, "\n");

        if (has_controller(at, len, controller)) {
            const char *path = strchr(strchr(at, ':') + 1, ':') + 1;
            int         n    = (int)(len - (size_t)(path - at));

            if (n > 1)
                snprintf(out, room, "%s%s%.*s", controller[0] ? "/" : "", controller, n, path);
            return;
        }
        at += len + (at[len] == '\n');
    }
}

void
provision_cgroup(const char *lines, const char *controller, char *out, size_t room)
{
    char path[400];

    cgroup_line(lines, controller, path, sizeof(path));
    if (!path[0])
        cgroup_line(lines, "", path, sizeof(path));
    snprintf(out, room, "%s%s", path[0] ? "/sys/fs/cgroup" : "", path);
}

static void
look_at_cgroup(struct provision_facts *f)
{
    char   path[64], lines[4096];
    FILE  *in;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%ld/cgroup", (long)f->pid);
    in = f->pid > 0 ? fopen(path, "re") : NULL;
    if (!in)
        return;
    n        = fread(lines, 1, sizeof(lines) - 1, in);
    lines[n] = '\0';
    fclose(in);
    provision_cgroup(lines, "cpu", f->cgroup, sizeof(f->cgroup));
    provision_cgroup(lines, "memory", f->memory_cgroup, sizeof(f->memory_cgroup));
}

bool
provision_folder(struct provisioned *p, char *out, size_t room, struct err *err)
{
    (void)err;
    snprintf(out, room, "%s/data", model_text(p->server, "directory"));
    return true;
}

void
provision_look(struct provision_facts *f)
{
    struct statvfs fs;

    look_at_cgroup(f);
    f->disk_bytes = f->disk_free_bytes = -1;
    if (!f->directory[0] || statvfs(f->directory, &fs) != 0)
        return;
    f->disk_bytes      = (int64_t)(fs.f_blocks * fs.f_frsize);
    f->disk_free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
}

bool
provision_wait(struct provisioned *p, const char *what,
               bool (*lives)(struct provisioned *p, struct err *err), int wait_ms, struct err *err)
{
    int64_t deadline = spawn_now_ms() + wait_ms;

    for (;;) {
        struct server    s = { .mysql = NULL };
        struct sql_error error;

        if (server_open(&s, p->server, &error)) {
            server_close(&s);
            return true;
        }
        if (!lives(p, err))
            return false;
        if (spawn_now_ms() >= deadline)
            return err_set(err, "%s runs and does not answer after %d s: %s", what,
                           wait_ms / 1000, error.message);
        usleep(LOOK_MS * 1000);
    }
}

bool
provision_describe(struct cluster *c, const json_t *server, struct provision_facts *out,
                   struct err *err)
{
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)server);

    *out = (struct provision_facts){ .disk_bytes = -1, .disk_free_bytes = -1 };
    out->milli_cpus   = model_number(server, "milli_cpus");
    out->memory_bytes = model_number(server, "memory_bytes");
    return p.by->describe(&p, out, err);
}
