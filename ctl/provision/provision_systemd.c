/* provision_systemd.c - servers as instances of the template unit shardd-mariadb@.service.
 *
 *   /var/lib/shardd/mariadb/PREFIX-KIND-N/   my.cnf, init.sql, data/, mysql.sock
 *   shardd-mariadb@PREFIX-KIND-N.service     systemd starts it again when it ends
 *
 * Limits are properties of the unit in this boot, which systemd keeps in drop-ins below
 * /run/systemd/system.control; the catalog has them for the next. So nothing is written where
 * the controller, an ordinary user, must not write: systemctl asks systemd by D-Bus, and
 * systemd/shardd.rules lets it. Units are not enabled: the controller starts them.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/server.h"
#include "ctl/provision/spawn.h"

/* As the unit has them. */
#define DIRECTORY "/var/lib/shardd/mariadb"
#define TEMPLATE  "shardd-mariadb@"
#define ACCOUNT   "shardd"

enum { RESTARTS = 3, NAME_MAX_LEN = 64 };

static const char *
unit_of(const struct provisioned *p)
{
    return model_text(p->server, "unit");
}

static void
plan(struct provisioned *p)
{
    char name[NAME_MAX_LEN], text[NAME_MAX_LEN + 64];

    provision_name(p->c, p->server, name, sizeof(name));
    snprintf(text, sizeof(text), TEMPLATE "%s.service", name);
    model_set(p->server, "unit", text);
    snprintf(text, sizeof(text), DIRECTORY "/%s", name);
    model_set(p->server, "directory", text);
}

/* --- systemctl --------------------------------------------------------------------- */

/* `systemctl VERB UNIT [MORE...]`; NULL ends `more`. */
static bool
systemctl(const char *verb, const char *option, const char *unit, const char *const more[],
          struct err *err)
{
    char        program[CLUSTER_PATH_MAX];
    const char *argv[16] = { program, "--no-ask-password", verb };
    size_t      n        = 3;

    if (!spawn_find("systemctl", program, sizeof(program)))
        return err_set(err, "systemctl is not there: this machine does not run systemd");
    if (option)
        argv[n++] = option;
    argv[n++] = unit;
    for (size_t i = 0; more && more[i] && n + 1 < countof(argv); i++)
        argv[n++] = more[i];
    return spawn_run(argv, err);
}

/* "NAME=value" lines of `systemctl show`, as an object of texts to be owned. */
static json_t *
show(const char *unit, struct err *err)
{
    static const char properties[] =
        "--property=LoadState,ActiveState,SubState,MainPID,NRestarts,Result,MemoryMax,"
        "CPUQuotaPerSecUSec,ControlGroup";
    char        program[CLUSTER_PATH_MAX];
    const char *argv[] = { program, "show", unit, properties, NULL };
    struct buf  out    = { 0 };
    json_t     *shown  = NULL;
    char       *state  = NULL;

    if (!spawn_find("systemctl", program, sizeof(program)))
        err_set(err, "systemctl is not there: this machine does not run systemd");
    else if (spawn_read(argv, &out, err))
        shown = json_object();
    buf_append_byte(&out, '\0');
    for (char *line = shown ? strtok_r((char *)out.bytes + out.start, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        char *equals = strchr(line, '=');

        if (!equals)
            continue;
        *equals = '\0';
        model_set(shown, line, equals + 1);
    }
    buf_fini(&out);
    return shown;
}

static bool
is_state(const json_t *shown, const char *state)
{
    return strcmp(model_text(shown, "ActiveState"), state) == 0;
}

/* --- removing ------------------------------------------------------------------------- */

/* Only what systemd calls inactive is no longer in the way of its folder. */
static bool
stop(struct provisioned *p, struct err *err)
{
    struct err first;
    json_t    *shown;
    bool       stopped, asked = systemctl("stop", NULL, unit_of(p), NULL, &first);

    shown = show(unit_of(p), err);
    if (!shown)
        return false;
    stopped = is_state(shown, "inactive") || is_state(shown, "failed");
    json_decref(shown);
    return stopped || err_set(err, "the unit %s does not stop: %s", unit_of(p),
                              asked ? "see journalctl" : first.text);
}

static bool
destroy(struct provisioned *p, bool kept, struct err *err)
{
    struct err ignored;

    (void)kept;
    if (!unit_of(p)[0])
        return true;
    if (!stop(p, err))
        return false;
    /* What systemd remembers of it; without the right to have that forgotten it is until the
     * next boot. */
    if (!systemctl("reset-failed", NULL, unit_of(p), NULL, &ignored) ||
        !systemctl("revert", NULL, unit_of(p), NULL, &ignored))
        log_debug("%s", ignored.text);
    return spawn_remove_tree(model_text(p->server, "directory"), err);
}

/* --- making ----------------------------------------------------------------------------- */

/* What root made for the unit's account. */
static bool
give_away(const char *directory, struct err *err)
{
    char        program[CLUSTER_PATH_MAX];
    const char *argv[] = { program, "-R", ACCOUNT ":" ACCOUNT, directory, NULL };

    if (geteuid() != 0)
        return true;
    if (!getpwnam(ACCOUNT))
        return err_set(err, "there is no user " ACCOUNT "; systemd-sysusers makes it");
    return (spawn_find("chown", program, sizeof(program)) ||
            err_set(err, "the program chown is not there")) &&
           spawn_run(argv, err);
}

static bool
create(struct provisioned *p, struct err *err)
{
    char    directory[NAME_MAX_LEN + 64], socket[NAME_MAX_LEN + 80];
    json_t *shown = show(unit_of(p), err);
    bool    there = strcmp(model_text(shown, "LoadState"), "loaded") == 0;

    if (!shown)
        return false;
    json_decref(shown);
    if (!there)
        return err_set(err, "systemd does not know " TEMPLATE ".service; 'make install' installs "
                            "it, and 'systemctl daemon-reload' makes it known");
    /* A copy: its object is written. */
    snprintf(directory, sizeof(directory), "%s", model_text(p->server, "directory"));
    snprintf(socket, sizeof(socket), "%s/mysql.sock", directory);
    return destroy(p, false, err) &&
           local_create_in(p->c->path.home, directory, socket, p->server, err) &&
           give_away(directory, err);
}

static bool
limit(struct provisioned *p, struct err *err)
{
    int64_t     memory = model_number(p->server, "memory_bytes");
    int64_t     milli  = model_number(p->server, "milli_cpus");
    char        max[40], quota[40];
    const char *more[3] = { NULL };
    size_t      n       = 0;

    snprintf(max, sizeof(max), "MemoryMax=%lld", (long long)memory);
    snprintf(quota, sizeof(quota), "CPUQuota=%lld%%", (long long)(milli + 9) / 10);
    if (memory)
        more[n++] = max;
    if (milli)
        more[n++] = quota;
    return n == 0 || systemctl("set-property", "--runtime", unit_of(p), more, err);
}

/* Its start may take as long as recovery does: it is waited for elsewhere. */
static bool
start(struct provisioned *p, struct err *err)
{
    return limit(p, err) && systemctl("start", "--no-block", unit_of(p), NULL, err);
}

/* What the server said last; "" where we may not read the journal. */
static void
last_words(const char *unit, char *out, size_t room)
{
    char        program[CLUSTER_PATH_MAX];
    const char *argv[] = { program, "--unit", unit, "--lines=30", "--output=cat", "--no-pager",
                           "--quiet", NULL };
    struct buf  lines  = { 0 };
    struct err  ignored;

    out[0] = '\0';
    if (spawn_find("journalctl", program, sizeof(program)) && spawn_read(argv, &lines, &ignored))
        provision_telling(buf_unread(&lines), out, room);
    buf_fini(&lines);
}

static bool
has_failed(struct provisioned *p, const json_t *shown, struct err *err)
{
    char line[300];

    if (!is_state(shown, "failed") && atoi(model_text(shown, "NRestarts")) < RESTARTS)
        return false;
    last_words(unit_of(p), line, sizeof(line));
    err_set(err, "the unit %s has failed (%s): %s", unit_of(p), model_text(shown, "Result"),
            line[0] ? line : "see journalctl");
    return true;
}

static bool
lives(struct provisioned *p, struct err *err)
{
    json_t *shown = show(unit_of(p), err);
    bool    good  = shown && !has_failed(p, shown, err);

    json_decref(shown);
    return good;
}

static bool
wait_ready(struct provisioned *p, int wait_ms, struct err *err)
{
    char what[300];

    snprintf(what, sizeof(what), "the unit %s", unit_of(p));
    return provision_wait(p, what, lives, wait_ms, err);
}

static void
keep(struct provisioned *p)
{
    (void)p;
}

/* "1.5s" of CPU per second, "1min 30s", "500ms"; "infinity" and what is not understood is 0. */
static int64_t
quota(const char *text)
{
    static const struct {
        const char *unit;
        double      milli;
    } units[] = { { "ms", 1 }, { "us", 0.001 }, { "min", 60000 }, { "s", 1000 } };
    double sum = 0;

    while (*text) {
        char  *end;
        double number = strtod(text, &end);
        size_t i      = 0;

        if (end == text)
            return 0;
        while (i < countof(units) && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
            i++;
        if (i == countof(units))
            return 0;
        sum += number * units[i].milli;
        text = end + strlen(units[i].unit);
        text += *text == ' ';
    }
    return (int64_t)(sum + 0.5);
}

/* As systemd names it, where this process may not look at the other's. */
static void
own_cgroup(const char *path, struct provision_facts *out)
{
    snprintf(out->cgroup, sizeof(out->cgroup), "/sys/fs/cgroup%s", path);
    if (!path[0] || access(out->cgroup, F_OK) != 0)
        out->cgroup[0] = '\0';
    memcpy(out->memory_cgroup, out->cgroup, sizeof(out->cgroup));
}

static bool
describe(struct provisioned *p, struct provision_facts *out, struct err *err)
{
    json_t    *shown = show(unit_of(p), err);
    const char *memory = model_text(shown, "MemoryMax");

    if (!shown)
        return false;
    snprintf(out->state, sizeof(out->state), "%s",
             is_state(shown, "active") ? "running" : model_text(shown, "ActiveState"));
    snprintf(out->health, sizeof(out->health), "%s",
             is_state(shown, "active") ? "healthy"
                                       : is_state(shown, "activating") ? "starting" : "unhealthy");
    out->pid          = (pid_t)atol(model_text(shown, "MainPID"));
    out->memory_bytes = memory[0] >= '0' && memory[0] <= '9' ? atoll(memory) : 0;
    out->milli_cpus   = quota(model_text(shown, "CPUQuotaPerSecUSec"));
    provision_folder(p, out->directory, sizeof(out->directory), err);
    provision_look(out);
    if (!out->cgroup[0])
        own_cgroup(model_text(shown, "ControlGroup"), out);
    json_decref(shown);
    return true;
}

static bool
settle(struct provisioned *p, struct err *err)
{
    return give_away(model_text(p->server, "directory"), err);
}

static bool
restart(struct provisioned *p, struct err *err)
{
    return systemctl("restart", NULL, unit_of(p), NULL, err);
}

static bool
renew(struct provisioned *p, struct err *err)
{
    return local_write_settings(p->server, err) &&
           give_away(model_text(p->server, "directory"), err);
}

/* --- what there is -------------------------------------------------------------------------- */

/* The value of NAME among "NAME=value NAME=value"; systemd quotes what has a space in it, which
 * nothing of ours has. */
static void
variable(const char *environment, const char *name, char *out, size_t room)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *at = environment; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");

        if (strncmp(at, name, len) == 0 && at[len] == '=')
            snprintf(out, room, "%.*s", (int)(word - len - 1), at + len + 1);
        at += word;
    }
}

/* NULL: it has nothing to do with this cluster. */
static json_t *
one(struct cluster *c, const char *unit, const char *start, const char *environment, bool running)
{
    static const char *const said[][2] = { { "shard", "SHARDD_NAME" }, { "host", "SHARDD_HOST" },
                                           { "port", "SHARDD_PORT" }, { "user", "SHARDD_USER" },
                                           { "file", "SHARDD_PASSWORD_FILE" } };
    char    stem[NAME_MAX_LEN + 64], text[512];
    int64_t id;
    json_t *entry;

    snprintf(stem, sizeof(stem), "%.*s", (int)strcspn(unit, "."), unit);
    id = provision_number(c, stem, TEMPLATE);
    variable(environment, "SHARDD_CLUSTER", text, sizeof(text));
    if (id < 0 && strcmp(text, c->uuid) != 0 && strcmp(text, c->instance) != 0)
        return NULL;
    entry = json_pack("{s:s, s:s, s:I, s:b}", "name", unit, "ref", start, "id", (json_int_t)id,
                      "running", running);
    for (size_t i = 0; i < countof(said); i++) {
        variable(environment, said[i][1], text, sizeof(text));
        model_set(entry, said[i][0], text);
    }
    return entry;
}

/* What `systemctl show` said of one unit. InvocationID is another for each of its starts. */
struct block {
    char unit[256], start[300], environment[2048], state[32];
};

static void
read_line(struct block *b, const char *line, size_t len)
{
    const struct {
        const char *name;
        char       *out;
        size_t      room;
    } members[] = { { "Id=", b->unit, sizeof(b->unit) },
                    { "InvocationID=", b->start, sizeof(b->start) },
                    { "Environment=", b->environment, sizeof(b->environment) },
                    { "ActiveState=", b->state, sizeof(b->state) } };

    for (size_t i = 0; i < countof(members); i++) {
        size_t n = strlen(members[i].name);

        if (len >= n && strncmp(line, members[i].name, n) == 0)
            snprintf(members[i].out, members[i].room, "%.*s", (int)(len - n), line + n);
    }
}

/* Blocks with empty lines between. */
static json_t *
read_blocks(struct cluster *c, const char *text)
{
    json_t      *all = json_array(), *entry;
    struct block b   = { .unit = "" };

    for (;;) {
        size_t len = strcspn(text, "\n");

        read_line(&b, text, len);
        if ((len == 0 || !text[len]) && b.unit[0]) {
            entry = one(c, b.unit, b.start, b.environment, strcmp(b.state, "active") == 0);
            if (entry)
                json_array_append_new(all, entry);
            b = (struct block){ .unit = "" };
        }
        if (!text[len])
            return all;
        text += len + 1;
    }
}

/* The units that systemd has loaded: who was stopped is not there any more. */
static json_t *
list(struct cluster *c, struct err *err)
{
    char        program[CLUSTER_PATH_MAX];
    const char *argv[] = { program, "show", "--property=Id,InvocationID,Environment,ActiveState",
                           "shardd-*.service", NULL };
    struct buf  lines  = { 0 };
    json_t     *all    = NULL;

    if (access("/run/systemd/system", F_OK) != 0 ||
        !spawn_find("systemctl", program, sizeof(program))) {
        err_set(err, "this machine does not run systemd");
        return NULL;
    }
    if (spawn_read(argv, &lines, err))
        all = read_blocks(c, buf_cstr(&lines));
    buf_fini(&lines);
    return all;
}

/* The first line of the file that the unit names. */
static void
secret(struct cluster *c, const json_t *entry, char *out, size_t room)
{
    FILE *in = fopen(model_text(entry, "file"), "re");

    (void)c;
    out[0] = '\0';
    if (!in)
        return;
    if (fgets(out, (int)room, in))
        out[strcspn(out, "\r\n")] = '\0';
    fclose(in);
}

const struct provisioner provisioner_systemd = {
    .name = "systemd", .makes = true, .limits = true, .plan = plan, .create = create,
    .start = start, .wait_ready = wait_ready, .keep = keep, .destroy = destroy,
    .describe = describe, .folder = provision_folder, .settle = settle, .restart = restart,
    .renew = renew, .handle = "unit", .seldom = 3, .list = list, .secret = secret,
};
