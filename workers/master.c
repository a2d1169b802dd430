/* master.c - see master.h.
 *
 *   STARTING --all serve--> RUNNING --TERM--> DRAINING --all gone--> end
 *                              |                  | drain_s
 *                              +--QUIT, INT--> QUITTING --1 s--> SIGKILL
 *
 * No data passes here, so plain poll() will do.
 */
#include "workers/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "core/base/log.h"
#include "workers/watch.h"

enum {
    QUIT_MS  = 1000, /* from SIGQUIT to SIGKILL */
    GRACE_MS = 2000, /* workers end drain_s by themselves; this is for those that do not */
};

enum master_state { MASTER_STARTING, MASTER_RUNNING, MASTER_DRAINING, MASTER_QUITTING };

enum { FD_SIGNALS, FD_CONTROL, PRIVATE_FDS };

struct master {
    struct conf       conf;
    const char       *path;
    struct watch      watch;
    enum master_state state;
    int               fd[PRIVATE_FDS]; /* owned; -1: none */
    uint64_t          deadline_ms;     /* of draining or quitting */
    uint64_t          watchdog_ms, watchdog_at_ms; /* 0: none */
    unsigned          said_serving, said_routed;   /* of the last STATUS */
    bool              killed;
};

/* --- systemd -------------------------------------------------------------- */

/* Only when it has changed. */
static void
say_status(struct master *m)
{
    unsigned n       = m->watch.n_seats;
    unsigned serving = watch_serving(&m->watch, false), routed = watch_serving(&m->watch, true);

    if (m->state != MASTER_RUNNING || (serving == m->said_serving && routed == m->said_routed))
        return;
    m->said_serving = serving;
    m->said_routed  = routed;
    if (serving == n && routed < n)
        sd_notify(0, "STATUS=waiting for routes: is the controller (shardctl serve) running?");
    else
        sd_notifyf(0, "STATUS=%u of %u workers serve", routed, n);
}

static void
feed_watchdog(struct master *m, uint64_t now_ms)
{
    if (m->watchdog_ms == 0 || now_ms < m->watchdog_at_ms || !watch_beating(&m->watch, now_ms))
        return;
    sd_notify(0, "WATCHDOG=1");
    m->watchdog_at_ms = now_ms + m->watchdog_ms;
}

static void
become_ready(struct master *m)
{
    if (m->state != MASTER_STARTING || !m->watch.served)
        return;
    m->state        = MASTER_RUNNING;
    m->said_serving = m->said_routed = UINT32_MAX;
    sd_notify(0, "READY=1");
    log_info("%u workers listen on %s%s%s%s%s", m->watch.n_seats, m->conf.listen,
             m->conf.socket[0] ? " and " : "", m->conf.socket,
             m->conf.http[0] ? ", HTTP on " : "", m->conf.http);
}

/* --- the control socket --------------------------------------------------- */

/* Without it workers notice new routes up to 100 ms later: no reason to stop. */
static int
open_control(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct stat        st;

    if (path[0] == 0)
        return -1;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path); /* a dead master's: the segment says that we are alone */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
        chmod(path, 0660) == 0)
        return fd;
    log_warn("no control socket at %s (%s): new routes are noticed within 100 ms instead of at "
             "once", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void
hear_control(struct master *m)
{
    char byte;
    bool any = false;

    while (recv(m->fd[FD_CONTROL], &byte, sizeof(byte), 0) >= 0)
        any = true;
    if (any)
        watch_poke(&m->watch);
}

/* --- signals -------------------------------------------------------------- */

static void
say_mistakes(struct conf_mistakes *mistakes)
{
    const char *line = buf_cstr(&mistakes->lines);

    while (*line != 0) {
        size_t len = strcspn(line, "\n");
        log_error("%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
    log_error("the settings stay as they were");
}

static void
take_over(struct master *m, const struct conf *loaded)
{
    struct buf changed = { 0 }, restart = { 0 };
    struct err err;
    uint32_t   workers = m->conf.workers;

    conf_reload(&m->conf, loaded, &changed, &restart);
    m->conf.workers = workers;
    log_init("master", m->conf.log_level, conf_log_format(&m->conf));
    log_info("settings read: %s", buf_len(&changed) ? buf_cstr(&changed) : "nothing has changed");
    if (buf_len(&restart) > 0)
        log_warn("changed, but used only after a restart: %s", buf_cstr(&restart));
    if (!secure_load(&m->watch.secure, &m->conf, &err))
        log_error("TLS stays as it was: %s", err.text);
    buf_fini(&changed);
    buf_fini(&restart);
}

static void
reload(struct master *m)
{
    struct conf          loaded;
    struct conf_mistakes mistakes = { 0 };

    if (m->state > MASTER_RUNNING)
        return;
    if (m->state == MASTER_RUNNING)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)slots_now_ms() * 1000);
    if (!conf_load(m->path, &loaded, &mistakes))
        say_mistakes(&mistakes);
    else {
        take_over(m, &loaded);
        watch_signal(&m->watch, SIGHUP);
    }
    buf_fini(&mistakes.lines);
    if (m->state == MASTER_RUNNING)
        sd_notify(0, "READY=1");
}

/* Only workers keep sockets from here on, as long as they serve them. */
static void
stop(struct master *m, enum master_state state, int signal, uint64_t within_ms)
{
    if (m->state >= state)
        return;
    log_info("%s", state == MASTER_DRAINING ? "stopping when clients have finished"
                                            : "stopping at once");
    m->state          = state;
    m->watch.stopping = true;
    m->deadline_ms    = slots_now_ms() + within_ms;
    sd_notify(0, "STOPPING=1\nSTATUS=stopping");
    sockets_close(&m->watch.listen, m->watch.listen.n);
    sockets_close(&m->watch.local, m->watch.local.n);
    sockets_close(&m->watch.http, m->watch.http.n);
    watch_signal(&m->watch, signal);
}

static void
hear_signals(struct master *m)
{
    struct signalfd_siginfo info;

    while (read(m->fd[FD_SIGNALS], &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP: reload(m); break;
        case SIGTERM:
            stop(m, MASTER_DRAINING, SIGTERM, (uint64_t)m->conf.drain_s * 1000 + GRACE_MS);
            break;
        default: stop(m, MASTER_QUITTING, SIGQUIT, QUIT_MS); break;
        }
    }
}

static bool
open_signals(struct master *m, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        m->fd[FD_SIGNALS] = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return m->fd[FD_SIGNALS] >= 0 || err_set(err, "cannot read signals: %s", strerror(errno));
}

/* --- life ----------------------------------------------------------------- */

static int
sleep_ms(const struct master *m, uint64_t now_ms)
{
    uint64_t sleep = (uint64_t)watch_sleep_ms(&m->watch, now_ms);

    if (m->watchdog_ms > 0 && m->watchdog_at_ms < now_ms + sleep)
        sleep = m->watchdog_at_ms > now_ms ? m->watchdog_at_ms - now_ms : 1;
    return (int)sleep;
}

static void
wait_for_events(struct master *m)
{
    struct pollfd fds[PRIVATE_FDS + 2 * SLOTS_WORKERS_MAX];

    for (int i = 0; i < PRIVATE_FDS; i++)
        fds[i] = (struct pollfd){ .fd = m->fd[i], .events = POLLIN };
    unsigned n = PRIVATE_FDS + watch_fill(&m->watch, fds + PRIVATE_FDS, 2 * SLOTS_WORKERS_MAX);

    if (poll(fds, n, sleep_ms(m, slots_now_ms())) <= 0)
        return;
    if (fds[FD_SIGNALS].revents != 0)
        hear_signals(m);
    if (fds[FD_CONTROL].revents != 0)
        hear_control(m);
}

/* False when there is nothing left to do. */
static bool
turn(struct master *m)
{
    wait_for_events(m);
    uint64_t now_ms = slots_now_ms();

    watch_tick(&m->watch, now_ms);
    become_ready(m);
    say_status(m);
    feed_watchdog(m, now_ms);
    if (m->watch.failed && m->state == MASTER_STARTING)
        stop(m, MASTER_QUITTING, SIGQUIT, QUIT_MS);
    if (m->state < MASTER_DRAINING)
        return true;
    if (now_ms > m->deadline_ms && !m->killed) {
        log_warn("killing the workers that are left");
        watch_signal(&m->watch, SIGKILL);
        m->killed = true;
    }
    return watch_alive(&m->watch) > 0;
}

static bool
master_open(struct master *m, struct err *err)
{
    uint64_t usec = 0;

    if (!open_signals(m, err) || !watch_open(&m->watch, &m->conf, m->path, err))
        return false;
    m->conf.workers          = m->watch.n_seats;
    m->fd[FD_CONTROL]        = open_control(m->conf.control);
    m->watch.private_fds     = m->fd;
    m->watch.n_private       = PRIVATE_FDS;
    if (sd_watchdog_enabled(0, &usec) > 0)
        m->watchdog_ms = usec / 2000;
    return true;
}

bool
master_run(const struct conf *conf, const char *path)
{
    struct master m = { .conf = *conf, .path = path, .fd = { -1, -1 } };
    struct err    err;

    if (!master_open(&m, &err)) {
        log_error("%s", err.text);
        return false;
    }
    while (turn(&m))
        ;
    if (m.fd[FD_CONTROL] >= 0)
        unlink(m.conf.control);
    for (int i = 0; i < PRIVATE_FDS; i++)
        if (m.fd[i] >= 0)
            close(m.fd[i]);
    bool failed = m.watch.failed && !m.watch.served;
    watch_close(&m.watch);
    log_info("stopped");
    return !failed;
}
