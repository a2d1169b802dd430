/* provision_local.c - the life of a private mariadbd; see the picture in the header. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision_local.h"
#include "ctl/provision/server.h"
#include "ctl/provision/spawn.h"

enum {
    BACKOFF_FIRST_MS = 200,
    BACKOFF_LAST_MS  = 10000,
    STEADY_MS        = 30000, /* alive that long: the next death starts at the first backoff */
    STOP_PATIENCE_MS = 60000,
};

enum local_state { LOCAL_STOPPED, LOCAL_ALIVE, LOCAL_BACKOFF, LOCAL_STOPPING };

struct local_server {
    json_t          *shard; /* owned */
    char            *directory;
    enum local_state state;
    pid_t            pid;
    bool             is_child; /* else taken over */
    bool             held;
    int              pidfd;    /* of one that was taken over, else -1 */
    int              backoff_ms;
    int64_t          since_ms; /* in this state */
};

bool
local_is(pid_t pid, const char *needle)
{
    char   path[64], line[4096];
    FILE  *in;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
    in = fopen(path, "re");
    if (!in)
        return false;
    n = fread(line, 1, sizeof(line), in);
    fclose(in);
    return memmem(line, n, needle, strlen(needle)) != NULL;
}

pid_t
local_find(const char *pid_file, const char *needle)
{
    FILE *in  = fopen(pid_file, "re");
    long  pid = 0;

    if (!in)
        return 0;
    if (fscanf(in, "%ld", &pid) != 1 || pid <= 1)
        pid = 0;
    fclose(in);
    return pid > 0 && local_is((pid_t)pid, needle) ? (pid_t)pid : 0;
}

static void
forget_process(struct local_server *s)
{
    if (s->pidfd >= 0)
        close(s->pidfd);
    s->pidfd = -1;
    s->pid   = 0;
}

static void
enter(struct local_server *s, enum local_state state)
{
    s->state    = state;
    s->since_ms = spawn_now_ms();
}

/* Is it `DIR/mariadbd --defaults-file=CONF`? */
static bool
is_server(const char *pid, const char *conf)
{
    static const char program[] = "/mariadbd", option[] = "--defaults-file=";
    char              path[300], line[4096] = "";
    FILE             *in;
    size_t            n, at;

    snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    in = fopen(path, "re");
    if (!in)
        return false;
    n = fread(line, 1, sizeof(line) - 1, in);
    fclose(in);
    at = strlen(line);
    if (at < strlen(program) || strcmp(line + at - strlen(program), program) != 0 || at >= n)
        return false;
    return strncmp(line + at + 1, option, strlen(option)) == 0 &&
           strcmp(line + at + 1 + strlen(option), conf) == 0;
}

/* The pidfd of `pid` when it is that server, else -1. It is looked at again behind the
 * opening: the number may be another process's by then. */
static int
hold_server(const char *pid, const char *conf)
{
    int fd;

    if (!is_server(pid, conf))
        return -1;
    fd = pidfd_open((pid_t)atol(pid), 0);
    if (fd >= 0 && !is_server(pid, conf)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

pid_t
local_find_server(const char *directory, int *pidfd)
{
    char           conf[LOCAL_PATH_MAX];
    DIR           *dir = opendir("/proc");
    struct dirent *entry;
    pid_t          pid = 0;

    *pidfd = -1;
    snprintf(conf, sizeof(conf), "%s/my.cnf", directory);
    while (dir && !pid && (entry = readdir(dir))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        *pidfd = hold_server(entry->d_name, conf);
        if (*pidfd >= 0)
            pid = (pid_t)atol(entry->d_name);
    }
    if (dir)
        closedir(dir);
    return pid;
}

bool
local_ended(int pidfd)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    return poll(&end, 1, 0) == 1;
}

struct local_server *
local_open(const json_t *shard)
{
    struct local_server *s = mem_alloc(sizeof(*s));

    s->shard      = json_deep_copy(shard);
    s->directory  = mem_strdup(model_text(shard, "directory"));
    s->backoff_ms = BACKOFF_FIRST_MS;
    s->pid        = local_find_server(s->directory, &s->pidfd);
    enter(s, s->pid ? LOCAL_ALIVE : LOCAL_STOPPED);
    return s;
}

void
local_close(struct local_server *s)
{
    if (!s)
        return;
    forget_process(s);
    json_decref(s->shard);
    free(s->directory);
    free(s);
}

pid_t
local_pid(const struct local_server *s)
{
    return s->pid;
}

int64_t
local_shard(const struct local_server *s)
{
    return model_server_id(s->shard);
}

void
local_renew_object(struct local_server *s, const json_t *object)
{
    json_decref(s->shard);
    s->shard = json_deep_copy(object);
}

/* An orderly end removes the pid file. */
static bool
was_killed(const struct local_server *s)
{
    char path[LOCAL_PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/data", s->directory);
    if (access(path, F_OK) != 0)
        return true;
    snprintf(path, sizeof(path), "%s/mariadbd.pid", s->directory);
    return access(path, F_OK) == 0;
}

bool
local_start(struct local_server *s, struct err *err)
{
    char        program[LOCAL_PATH_MAX], option[LOCAL_PATH_MAX + 32], log[LOCAL_PATH_MAX];
    const char *argv[3] = { program, option, NULL };
    pid_t       pid;

    if (s->state == LOCAL_ALIVE || s->state == LOCAL_STOPPING)
        return true;
    if (!spawn_find("mariadbd", program, sizeof(program)))
        return err_set(err, "mariadbd is not installed; install the package mariadb-server-core");
    if (model_number(s->shard, "port") != 0 &&
        !local_port_free((int)model_number(s->shard, "port")))
        return err_set(err, "port %d of %s %s is taken by another program; stop that program",
                       (int)model_number(s->shard, "port"), model_server_kind(s->shard),
                       model_text(s->shard, "name"));
    if (model_is_engine(s->shard) && was_killed(s) && !local_renew(s->shard, err))
        return false;
    if (!local_write_settings(s->shard, err))
        return false;

    snprintf(option, sizeof(option), "--defaults-file=%s/my.cnf", s->directory);
    snprintf(log, sizeof(log), "%s/error.log", s->directory);
    pid = spawn(argv, log, NULL);
    if (pid < 0)
        return err_set(err, "cannot start %s: %s", program, strerror(-pid));
    s->pid      = pid;
    s->is_child = true;
    enter(s, LOCAL_ALIVE);
    return true;
}

void
local_hold(struct local_server *s, bool hold)
{
    s->held = hold;
    if (hold && s->pid != 0)
        kill(s->pid, SIGKILL);
}

void
local_stop(struct local_server *s)
{
    if (s->pid == 0) {
        enter(s, LOCAL_STOPPED);
        return;
    }
    kill(s->pid, SIGTERM);
    enter(s, LOCAL_STOPPING);
}

/* Reaps, and says whether the process is still there. One that we took over is
 * somebody else's to reap. */
static bool
alive(struct local_server *s)
{
    int status;

    if (s->pid == 0)
        return false;
    if (s->is_child ? waitpid(s->pid, &status, WNOHANG) != s->pid : !local_ended(s->pidfd))
        return true;
    forget_process(s);
    return false;
}

static void
died(struct local_server *s, int64_t now_ms)
{
    if (now_ms - s->since_ms > STEADY_MS)
        s->backoff_ms = BACKOFF_FIRST_MS;
    log_warn("%s %s: its server ended; starting it again in %d ms (see %s/error.log)",
             model_server_kind(s->shard), model_text(s->shard, "name"), s->backoff_ms,
             s->directory);
    enter(s, LOCAL_BACKOFF);
}

static void
start_again(struct local_server *s)
{
    struct err err;
    int        next = s->backoff_ms * 2;

    s->backoff_ms = next < BACKOFF_LAST_MS ? next : BACKOFF_LAST_MS;
    enter(s, LOCAL_STOPPED);
    if (local_start(s, &err))
        return;
    log_error("%s %s: %s", model_server_kind(s->shard), model_text(s->shard, "name"), err.text);
    enter(s, LOCAL_BACKOFF);
}

bool
local_tick(struct local_server *s, int64_t now_ms)
{
    switch (s->state) {
    case LOCAL_STOPPED:
        break;
    case LOCAL_ALIVE:
        if (!alive(s))
            died(s, now_ms);
        break;
    case LOCAL_BACKOFF:
        if (!s->held && now_ms - s->since_ms >= s->backoff_ms)
            start_again(s);
        break;
    case LOCAL_STOPPING:
        if (!alive(s))
            enter(s, LOCAL_STOPPED);
        else if (now_ms - s->since_ms > STOP_PATIENCE_MS)
            kill(s->pid, SIGKILL);
        break;
    }
    return s->pid != 0;
}

bool
local_wait_ready(struct local_server *s, int wait_ms, struct err *err)
{
    int64_t          deadline = spawn_now_ms() + wait_ms;
    struct server    server   = { .mysql = NULL };
    struct sql_error error    = { 0 };

    for (;;) {
        if (server_open(&server, s->shard, &error)) {
            server_close(&server);
            return true;
        }
        if (!alive(s))
            return err_set(err, "%s %s: its server ended at once; see %s/error.log",
                           model_server_kind(s->shard), model_text(s->shard, "name"),
                           s->directory);
        if (spawn_now_ms() >= deadline)
            return err_set(err, "%s %s does not answer after %d s (%s); see %s/error.log",
                           model_server_kind(s->shard), model_text(s->shard, "name"),
                           wait_ms / 1000, error.message, s->directory);
        usleep(20000);
    }
}
