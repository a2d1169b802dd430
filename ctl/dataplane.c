/* dataplane.c - settings, start, readiness and restart of shardd. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/conf/conf.h"
#include "ctl/catalog/model.h"
#include "ctl/dataplane.h"
#include "ctl/provision/patience.h"
#include "ctl/provision/spawn.h"

enum {
    LOG_TAIL         = 64 << 10,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_LAST_MS  = 5000,
    STEADY_MS        = 30000,
    DRAIN_MS         = 8000, /* then SIGQUIT, */
    QUIT_MS          = 4000, /* then SIGKILL */
    PATH_ROOM        = CLUSTER_PATH_MAX + 32,
};

enum dataplane_state { DATAPLANE_ABSENT, DATAPLANE_STARTING, DATAPLANE_READY, DATAPLANE_BACKOFF };

struct dataplane {
    struct cluster      *cluster;
    enum dataplane_state state;
    char                 conf[PATH_ROOM], log[PATH_ROOM], pid_file[PATH_ROOM];
    char                 notify[108];
    int                  notify_fd;
    pid_t                pid;
    bool                 is_child, was_ready;
    int                  backoff_ms;
    int64_t              since_ms;
};

static bool
port_is_free(int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    bool               ok;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ok = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1) == 0;
    close(fd);
    return ok;
}

/* The kernel closes the sockets of an io_uring a moment after its process was killed. */
static bool
port_becomes_free(int port)
{
    enum { PATIENCE_MS = 3000, STEP_MS = 50 };

    struct patience wait = patience_of(NULL, PATIENCE_MS, STEP_MS);
    bool            is   = port_is_free(port);

    while (!is && patience_wait(&wait))
        is = port_is_free(port);
    return is;
}

static bool
check_port(int port, const char *option, struct err *err)
{
    if (port < 1 || port > 65535)
        return err_set(err, "%s %d: a port is 1 to 65535", option, port);
    return port_becomes_free(port) ||
           err_set(err, "port %d on 127.0.0.1 is taken by another program; stop it, or choose "
                        "another port with %s", port, option);
}

/* Whether one of the lines is "name = ...". */
static bool
sets(const json_t *settings, const char *name)
{
    size_t  len = strlen(name), i;
    json_t *line;

    json_array_foreach((json_t *)(uintptr_t)settings, i, line) {
        const char *text = json_string_value(line);
        text += strspn(text, " \t");
        if (strncmp(text, name, len) == 0 && strchr(" \t=:", text[len]))
            return true;
    }
    return false;
}

static void
settings_text(struct dataplane *d, const struct dataplane_options *o, struct buf *out)
{
    struct cluster *c = d->cluster;
    json_t         *line;
    size_t          i;

    buf_append_text(out, "# Written by shardctl up at each start; see shardd.conf(5). Settings of\n"
                         "# your own: shardctl up --set 'name = value'.\n");
    buf_printf(out, "instance = \"%s\";\nlisten = \"%s\";\nhttp = \"%s\";\n", c->instance,
               c->listen, c->http);
    if (o->workers > 0)
        buf_printf(out, "workers = %d;\n", o->workers);
    if (!sets(o->settings, "socket"))
        buf_printf(out, "socket = \"%s\";\n", c->path.clients);
    buf_printf(out, "controller = \"%s\";\ncontrol = \"%s\";\n", c->path.socket,
               c->path.control);
    json_array_foreach((json_t *)(uintptr_t)o->settings, i, line)
        buf_printf(out, "%s;\n", json_string_value(line));
}

static bool
read_file(const char *path, struct buf *out)
{
    FILE  *in = fopen(path, "re");
    size_t n;

    if (!in)
        return false;
    do {
        n = fread(buf_reserve(out, 4096), 1, 4096, in);
        buf_commit(out, n);
    } while (n > 0);
    fclose(in);
    return true;
}

/* Writes the file when it differs, and has shardd's own reader check it. */
static bool
write_settings(struct dataplane *d, const struct dataplane_options *o, bool *changed,
               struct err *err)
{
    struct buf           text = { 0 }, before = { 0 };
    struct conf_mistakes mistakes = { 0 };
    struct conf          conf;
    FILE                *out = NULL;
    bool                 ok;

    settings_text(d, o, &text);
    *changed = !read_file(d->conf, &before) ||
               !span_equal(buf_unread(&text), buf_unread(&before));
    if (*changed)
        out = fopen(d->conf, "we");
    ok = !*changed ||
         (out && fwrite(text.bytes + text.start, 1, buf_len(&text), out) == buf_len(&text));
    if (out && fclose(out) != 0)
        ok = false;
    buf_fini(&text);
    buf_fini(&before);
    if (!ok)
        return err_set(err, "cannot write %s: %s", d->conf, strerror(errno));
    ok = conf_load(d->conf, &conf, &mistakes);
    if (ok)
        snprintf(d->cluster->socket, sizeof(d->cluster->socket), "%s", conf.socket);
    if (!ok)
        err_set(err, "%s", buf_cstr(&mistakes.lines));
    buf_fini(&mistakes.lines);
    return ok;
}

static bool
open_notify(struct dataplane *d, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    snprintf(d->notify, sizeof(d->notify), "%.90s/notify.sock", d->cluster->path.run);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", d->notify);
    unlink(d->notify);
    d->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->notify_fd < 0 ||
        bind(d->notify_fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
        return err_set(err, "cannot make the socket %s: %s", d->notify, strerror(errno));
    chmod(d->notify, 0600);
    return true;
}

static void
enter(struct dataplane *d, enum dataplane_state state)
{
    d->state    = state;
    d->since_ms = spawn_now_ms();
    if (state == DATAPLANE_READY)
        d->was_ready = true;
    atomic_store(&d->cluster->shardd_pid, d->pid);
}

static bool
alive(struct dataplane *d)
{
    int status;

    if (d->pid == 0)
        return false;
    if (d->is_child ? waitpid(d->pid, &status, WNOHANG) != d->pid
                    : local_is(d->pid, d->conf))
        return true;
    d->pid = 0;
    return false;
}

static bool
take_over(struct dataplane *d, bool changed)
{
    d->pid = local_find(d->pid_file, d->conf);
    if (d->pid == 0)
        return false;
    if (!changed) {
        enter(d, DATAPLANE_READY);
        return true;
    }
    dataplane_stop(d, NULL);
    return false;
}

struct dataplane *
dataplane_open(struct cluster *c, const struct dataplane_options *o, struct err *err)
{
    struct dataplane *d = mem_alloc(sizeof(*d));
    bool              changed;

    d->cluster    = c;
    d->notify_fd  = -1;
    d->backoff_ms = BACKOFF_FIRST_MS;
    snprintf(d->conf, sizeof(d->conf), "%s/shardd.conf", c->path.home);
    snprintf(d->log, sizeof(d->log), "%s/shardd.log", c->path.home);
    snprintf(d->pid_file, sizeof(d->pid_file), "%s/shardd.pid", c->path.home);
    snprintf(c->listen, sizeof(c->listen), "127.0.0.1:%d", o->port);
    snprintf(c->http, sizeof(c->http), "127.0.0.1:%d", o->http_port);
    if (!write_settings(d, o, &changed, err))
        goto fail;
    if (!take_over(d, changed) && (!check_port(o->port, "--port", err) ||
                                   !check_port(o->http_port, "--http-port", err)))
        goto fail;
    if (!open_notify(d, err))
        goto fail;
    return d;

fail:
    dataplane_close(d);
    return NULL;
}

bool
dataplane_start(struct dataplane *d, struct err *err)
{
    char        program[PATH_ROOM], notify[128];
    const char *argv[] = { program, "-c", d->conf, NULL };
    FILE       *out;

    if (d->state == DATAPLANE_READY)
        return true;
    if (!spawn_find("shardd", program, sizeof(program)))
        return err_set(err, "the program shardd is neither beside shardctl nor on $PATH");
    snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", d->notify);
    d->pid = spawn(argv, d->log, notify);
    if (d->pid < 0) {
        int rc = -d->pid;

        d->pid = 0;
        return err_set(err, "cannot start %s: %s", program, strerror(rc));
    }
    d->is_child = true;
    out         = fopen(d->pid_file, "we");
    if (out) {
        fprintf(out, "%ld\n", (long)d->pid);
        fclose(out);
    }
    enter(d, DATAPLANE_STARTING);
    return true;
}

static void
hear(struct dataplane *d)
{
    char    text[512];
    ssize_t n;

    while ((n = recv(d->notify_fd, text, sizeof(text) - 1, 0)) > 0) {
        text[n] = '\0';
        if (d->state == DATAPLANE_STARTING && strstr(text, "READY=1"))
            enter(d, DATAPLANE_READY);
    }
}

static void
died(struct dataplane *d)
{
    int64_t lived = spawn_now_ms() - d->since_ms;

    if (lived > STEADY_MS)
        d->backoff_ms = BACKOFF_FIRST_MS;
    log_warn("shardd ended; starting it again in %d ms (see %s)", d->backoff_ms, d->log);
    enter(d, DATAPLANE_BACKOFF);
}

static void
start_again(struct dataplane *d)
{
    struct err err;
    int        next = d->backoff_ms * 2;

    d->backoff_ms = next < BACKOFF_LAST_MS ? next : BACKOFF_LAST_MS;
    if (dataplane_start(d, &err))
        return;
    log_error("%s", err.text);
    enter(d, DATAPLANE_BACKOFF);
}

void
dataplane_tick(struct dataplane *d)
{
    hear(d);
    switch (d->state) {
    case DATAPLANE_ABSENT:
        break;
    case DATAPLANE_STARTING:
    case DATAPLANE_READY:
        if (!alive(d))
            died(d);
        break;
    case DATAPLANE_BACKOFF:
        if (spawn_now_ms() - d->since_ms >= d->backoff_ms)
            start_again(d);
        break;
    }
}

bool
dataplane_ready(const struct dataplane *d)
{
    return d->state == DATAPLANE_READY;
}

bool
dataplane_failed(const struct dataplane *d)
{
    return d->state == DATAPLANE_BACKOFF && !d->was_ready;
}

/* The message of the last error among these lines of JSON. */
static void
last_error(char *lines, struct err *out)
{
    char *state = NULL;

    err_set(out, "it said nothing");
    for (char *line = strtok_r(lines, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        json_t *entry = json_loads(line, 0, NULL);

        if (strcmp(model_text(entry, "level"), "error") == 0)
            err_set(out, "%s", model_text(entry, "message"));
        json_decref(entry);
    }
}

bool
dataplane_last_words(const struct dataplane *d, struct err *err)
{
    const char *home = d->cluster->path.home;
    char        path[CLUSTER_PATH_MAX + 16], *tail = mem_alloc(LOG_TAIL + 1);
    struct err  why;
    FILE       *log;

    snprintf(path, sizeof(path), "%s/shardd.log", home);
    log = fopen(path, "re");
    if (log) {
        if (fseek(log, -LOG_TAIL, SEEK_END) != 0)
            rewind(log);
        tail[fread(tail, 1, LOG_TAIL, log)] = '\0';
        fclose(log);
    }
    last_error(tail, &why);
    free(tail);
    return err_set(err, "shardd ended at once: %.300s; see %.150s/shardd.log", why.text, home);
}

static void
wait_end(struct dataplane *d, int wait_ms, bool (*hurry)(void))
{
    int64_t deadline = spawn_now_ms() + wait_ms;

    while (alive(d) && spawn_now_ms() < deadline && !(hurry && hurry()))
        usleep(5000);
}

void
dataplane_stop(struct dataplane *d, bool (*hurry)(void))
{
    if (alive(d)) {
        kill(d->pid, SIGTERM);
        wait_end(d, DRAIN_MS, hurry);
    }
    if (alive(d)) {
        kill(d->pid, SIGQUIT);
        wait_end(d, QUIT_MS, NULL);
    }
    if (alive(d)) {
        log_warn("shardd (pid %ld) does not stop; killing it", (long)d->pid);
        kill(d->pid, SIGKILL);
        wait_end(d, QUIT_MS, NULL);
    }
    enter(d, DATAPLANE_ABSENT);
}

void
dataplane_close(struct dataplane *d)
{
    if (!d)
        return;
    if (d->notify_fd >= 0) {
        close(d->notify_fd);
        unlink(d->notify);
    }
    free(d);
}
