/* watch.c - see watch.h. */
#include "workers/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"

enum {
    TICK_MS       = 100,
    STARTING_MS   = 5,     /* a tick until all have served */
    ASLEEP_MS     = 2000,  /* a tick so late means that we were */
    QUICK_MS      = 1000,  /* a worker that lived shorter has crashed quickly */
    QUICK_FREE    = 5,     /* so many are restarted at once, */
    BACKOFF_MS    = 100,   /* then after this, doubled each time, */
    BACKOFF_MAX_MS = 5000, /* up to this */
    ROWS_PER_SEAT = 3,     /* two dead masters' orphans and our own workers */
    NOFILE_SPARE  = 512,
};

static void
look_at_heart(struct watch *w, struct process *p, uint32_t row, uint64_t now_ms)
{
    const struct slot *slot = slots_at(&w->slots, row);

    process_watch(p, row, atomic_load_explicit(&slot->life.heartbeat_ms, memory_order_relaxed),
                  now_ms, now_ms - w->ticked_ms > ASLEEP_MS);
}

/* --- orphans -------------------------------------------------------------- */

static bool
slot_has_orphan(const struct slots *slots, uint32_t row, const char *instance, pid_t *pid)
{
    *pid = (pid_t)atomic_load_explicit(&slots_at(slots, row)->life.pid, memory_order_acquire);
    return *pid > 0 && process_is_worker(*pid, instance);
}

/* Before we have the segment: does anybody work with it? The port is theirs. */
static bool
look_for_others(const char *instance, bool *orphans, struct err *err)
{
    struct slots slots;
    struct err   ignored;
    char         path[128];
    pid_t        pid;

    snprintf(path, sizeof(path), "/dev/shm/shardd-%s-slots", instance);
    *orphans = access(path, F_OK) == 0;
    if (!slots_open(&slots, instance, &ignored))
        return true; /* there is none, or slots_create() will say what is wrong */
    *orphans   = false;
    int writer = segment_writer(&slots.seg);
    for (uint32_t row = 0; row < slots.n_workers; row++)
        *orphans = *orphans || slot_has_orphan(&slots, row, instance, &pid);
    slots_close(&slots);
    return writer == 0 || err_set(err, "another shardd already runs for instance '%s': process %d",
                                  instance, writer);
}

static void
adopt_orphans(struct watch *w)
{
    unsigned n = 0;
    pid_t    pid;

    for (uint32_t row = 0; row < w->slots.n_workers; row++) {
        struct process *p = &w->orphans[row];
        const struct slot *slot = slots_at(&w->slots, row);
        if (atomic_load_explicit(&slot->life.pid, memory_order_relaxed) == 0)
            continue;
        if (slot_has_orphan(&w->slots, row, w->conf->instance, &pid))
            p->pidfd = pidfd_open(pid, 0);
        if (p->pidfd < 0) {
            slots_bury(&w->slots, row);
            continue;
        }
        p->pid     = pid;
        p->beat_at = slots_now_ms();
        n++;
    }
    if (n > 0)
        log_info("%u workers of a former master go on serving their clients", n);
}

/* --- seats ---------------------------------------------------------------- */

static bool
row_is_free(const struct watch *w, uint32_t row)
{
    if (w->orphans[row].pidfd >= 0)
        return false;
    for (unsigned i = 0; i < w->n_seats; i++)
        if (w->seats[i].row == row)
            return false;
    return true;
}

/* The oldest orphans make room when even three times as many rows are taken. */
static void
ask_oldest_orphan(struct watch *w)
{
    struct process *oldest = NULL;
    uint64_t        least  = UINT64_MAX;

    for (uint32_t row = 0; row < w->slots.n_workers; row++) {
        const struct slot *slot  = slots_at(&w->slots, row);
        uint64_t           epoch = atomic_load_explicit(&slot->life.epoch, memory_order_relaxed);
        if (w->orphans[row].pidfd < 0 || w->orphans[row].asked || epoch >= least)
            continue;
        oldest = &w->orphans[row];
        least  = epoch;
    }
    if (oldest == NULL)
        return;
    log_warn("no room for another worker: process %d of a former master must leave",
             (int)oldest->pid);
    process_signal(oldest, SIGTERM);
    oldest->asked = true;
}

static bool
take_row(struct watch *w, struct seat *seat)
{
    for (uint32_t row = 0; row < w->slots.n_workers && seat->row == ROUTES_NONE; row++)
        if (row_is_free(w, row))
            seat->row = row;
    if (seat->row == ROUTES_NONE)
        ask_oldest_orphan(w);
    return seat->row != ROUTES_NONE;
}

/* In hundredths of a second, so that it fits 32 bits and still differs from
 * those of all processes that had the row before, whichever master's. */
static uint32_t
new_epoch(struct watch *w, uint32_t row)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t epoch = (uint32_t)((uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000);
    if (epoch == w->epochs[row])
        epoch++;
    w->epochs[row] = epoch;
    return epoch;
}

/* What the child must not hold: a dead worker's socket would look served. */
static void
close_others(struct watch *w, unsigned number)
{
    for (unsigned i = 0; i < w->n_private; i++)
        close(w->private_fds[i]);
    for (unsigned i = 0; i < w->n_seats; i++)
        process_end(&w->seats[i].process);
    for (uint32_t row = 0; row < w->slots.n_workers; row++)
        process_end(&w->orphans[row]);
    sockets_close(&w->listen, number);
    sockets_close(&w->local, number);
    sockets_close(&w->http, number);
}

static _Noreturn void
be_worker(struct watch *w, unsigned number, uint32_t epoch, pid_t master, uint64_t master_epoch)
{
    const struct seat  *seat  = &w->seats[number];
    struct worker_start start = {
        .conf         = w->conf,
        .path         = w->path,
        .secure       = &w->secure,
        .slots        = &w->slots,
        .pokes        = w->pokes,
        .row          = seat->row,
        .epoch        = epoch,
        .master       = master,
        .master_epoch = master_epoch,
        .n_files      = w->n_files,
        .listen_fd    = w->listen.fd[number],
        .local_fd     = w->local.fd[number],
        .http_fd      = w->http.fd[number],
        .cpu          = seat->cpu,
    };

    close_others(w, number);
    worker_main(&start);
}

static void
start_seat(struct watch *w, unsigned number, uint64_t now_ms)
{
    struct seat *seat = &w->seats[number];

    seat->start_at_ms = now_ms + BACKOFF_MS; /* should it fail now */
    if (!take_row(w, seat))
        return;
    uint32_t epoch        = new_epoch(w, seat->row);
    uint64_t master_epoch = slots_epoch(&w->slots);
    pid_t    master       = getpid(), pid = fork();
    if (pid == 0)
        be_worker(w, number, epoch, master, master_epoch);
    if (pid < 0) {
        log_error("cannot start a worker: %s", strerror(errno));
        return;
    }
    seat->process = (struct process){ .pid     = pid,
                                      .pidfd   = pidfd_open(pid, 0),
                                      .beat_at = now_ms };
    if (seat->process.pidfd < 0) {
        log_error("cannot watch worker %u: %s", seat->row, strerror(errno));
        kill(pid, SIGKILL); /* our own child, not reaped: the pid is its */
        waitpid(pid, NULL, 0);
        return;
    }
    seat->state      = SEAT_RUNNING;
    seat->started_ms = now_ms;
}

static void
say_how_it_ended(const struct seat *seat, const siginfo_t *info, bool wanted)
{
    if (info->si_code != CLD_EXITED)
        log_error("worker %u (process %d) was ended by signal %d (%s)", seat->row,
                  (int)seat->process.pid, info->si_status, strsignal(info->si_status));
    else if (info->si_status != 0 || !wanted)
        log_warn("worker %u (process %d) ended with status %d", seat->row,
                 (int)seat->process.pid, info->si_status);
}

static uint64_t
backoff_ms(const struct seat *seat)
{
    if (seat->crashes <= QUICK_FREE)
        return 0;
    unsigned doublings = seat->crashes - QUICK_FREE - 1;
    uint64_t wait      = doublings > 8 ? BACKOFF_MAX_MS : (uint64_t)BACKOFF_MS << doublings;

    return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

static void
seat_ended(struct watch *w, struct seat *seat, uint64_t now_ms)
{
    siginfo_t info = { 0 };

    if (waitid(P_PIDFD, (id_t)seat->process.pidfd, &info, WEXITED) != 0)
        log_warn("cannot reap worker %u: %s", seat->row, strerror(errno));
    say_how_it_ended(seat, &info, w->stopping);
    process_end(&seat->process);
    slots_bury(&w->slots, seat->row);

    bool crashed = info.si_code != CLD_EXITED || info.si_status != 0;
    if (!w->served && info.si_code == CLD_EXITED && info.si_status != 0)
        w->failed = true;
    seat->crashes     = crashed && now_ms - seat->started_ms < QUICK_MS ? seat->crashes + 1 : 0;
    seat->state       = SEAT_WAITING;
    seat->start_at_ms = now_ms + backoff_ms(seat);
    if (backoff_ms(seat) > 0 && !w->stopping)
        log_error("worker %u crashes again and again: the next start is in %llu ms", seat->row,
                  (unsigned long long)backoff_ms(seat));
}

/* --- opening -------------------------------------------------------------- */

/* The CPUs we may use, as the affinity says. */
static void
deal_cpus(struct watch *w, const cpu_set_t *cpus)
{
    int cpu = -1;

    for (unsigned i = 0; i < w->n_seats; i++) {
        do
            cpu++;
        while (cpu < CPU_SETSIZE && !CPU_ISSET((size_t)cpu, cpus));
        w->seats[i].cpu = cpu < CPU_SETSIZE ? cpu : -1;
    }
}

/* Steering by CPU takes the CPU's number modulo the seats. */
static enum sock_steer
choose_steer(const struct watch *w, bool pinned)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    bool match  = pinned && online == (long)w->n_seats &&
                 w->seats[w->n_seats - 1].cpu == online - 1;

    switch (w->conf->steer) {
    case STEER_CPU: return SOCK_STEER_CPU;
    case STEER_RANDOM: return SOCK_STEER_RANDOM;
    case STEER_AUTO: break;
    }
    return match ? SOCK_STEER_CPU : SOCK_STEER_RANDOM;
}

static enum sock_steer
make_seats(struct watch *w)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
        CPU_SET(0, &cpus);
    unsigned n_cpus = (unsigned)CPU_COUNT(&cpus);
    bool     pinned = w->conf->pin_cpus;

    w->n_seats = w->conf->workers > 0 ? w->conf->workers : n_cpus;
    if (w->n_seats > SLOTS_WORKERS_MAX)
        w->n_seats = SLOTS_WORKERS_MAX;
    w->seats = mem_alloc(w->n_seats * sizeof(*w->seats));
    pinned   = pinned && w->n_seats <= n_cpus;
    for (unsigned i = 0; i < w->n_seats; i++)
        w->seats[i] = (struct seat){ .process = { .pidfd = -1 }, .row = ROUTES_NONE, .cpu = -1 };
    if (pinned)
        deal_cpus(w, &cpus);
    return choose_steer(w, pinned);
}

/* A ring's table of descriptors cannot be larger than our limit of open files. */
static void
plan_files(struct watch *w)
{
    unsigned wanted = w->conf->max_clients + WORKER_FILES_SPARE;
    uint64_t limit  = sock_raise_nofile(wanted + NOFILE_SPARE);

    w->n_files = limit < wanted ? (unsigned)limit : wanted;
    if (w->n_files < wanted)
        log_warn("the limit of open files (%llu) leaves room for %u clients per worker instead "
                 "of %u: raise it (LimitNOFILE=, ulimit -n)", (unsigned long long)limit,
                 w->n_files - w->n_files / 4, w->conf->max_clients);
}

static bool
make_pokes(struct watch *w, struct err *err)
{
    for (uint32_t row = 0; row < w->slots.n_workers; row++) {
        w->pokes[row] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (w->pokes[row] < 0)
            return err_set(err, "cannot make an eventfd: %s", strerror(errno));
    }
    return true;
}

static bool
open_sockets(struct watch *w, bool alone, struct err *err)
{
    static const unsigned  modes[] = { [ACCESS_ALL] = 0777, [ACCESS_GROUP] = 0770,
                                       [ACCESS_OWNER] = 0700 };
    const struct conf     *conf    = w->conf;
    struct sockets_options options = { .backlog   = conf->backlog,
                                       .unix_mode = modes[conf->socket_access],
                                       .silent_s  = conf->tcp_silent_s,
                                       .alone     = alone };

    return sockets_open(&w->listen, conf->listen, w->n_seats, &options, err) &&
           sockets_open(&w->local, conf->socket, w->n_seats, &options, err) &&
           sockets_open(&w->http, conf->http, w->n_seats, &options, err);
}

/* The sockets come first: from the moment our epoch appears the orphans accept
 * nobody, and whoever connects then must find us. */
bool
watch_open(struct watch *w, const struct conf *conf, const char *path, struct err *err)
{
    bool     orphans;
    uint32_t rows;

    *w = (struct watch){ .conf = conf, .path = path, .slots.seg.fd = -1 };
    for (int i = 0; i < SLOTS_WORKERS_MAX; i++) {
        w->orphans[i].pidfd = -1;
        w->pokes[i]         = -1;
    }
    enum sock_steer steer = make_seats(w);
    plan_files(w);
    if (!secure_load(&w->secure, conf, err) ||
        !look_for_others(conf->instance, &orphans, err) || !open_sockets(w, !orphans, err))
        goto fail;
    rows = w->n_seats * ROWS_PER_SEAT;
    if (!slots_create(&w->slots, conf->instance,
                      rows < SLOTS_WORKERS_MAX ? rows : SLOTS_WORKERS_MAX, conf->max_clients,
                      err) ||
        !make_pokes(w, err))
        goto fail;
    adopt_orphans(w);
    sockets_steer(&w->listen, steer);
    w->ticked_ms = slots_now_ms();
    return true;

fail:
    watch_close(w);
    return false;
}

void
watch_close(struct watch *w)
{
    for (unsigned i = 0; i < w->n_seats; i++)
        process_end(&w->seats[i].process);
    for (uint32_t row = 0; row < SLOTS_WORKERS_MAX; row++) {
        process_end(&w->orphans[row]);
        if (w->pokes[row] >= 0)
            close(w->pokes[row]);
    }
    sockets_close(&w->listen, w->listen.n);
    sockets_close(&w->local, w->local.n);
    sockets_close(&w->http, w->http.n);
    slots_close(&w->slots);
    secure_fini(&w->secure);
    free(w->seats);
    w->seats   = NULL;
    w->n_seats = 0;
}

/* --- watching ------------------------------------------------------------- */

unsigned
watch_fill(const struct watch *w, struct pollfd *fds, unsigned max)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_seats && n < max; i++)
        if (w->seats[i].state == SEAT_RUNNING)
            fds[n++] = (struct pollfd){ .fd = w->seats[i].process.pidfd, .events = POLLIN };
    for (uint32_t row = 0; row < w->slots.n_workers && n < max; row++)
        if (w->orphans[row].pidfd >= 0)
            fds[n++] = (struct pollfd){ .fd = w->orphans[row].pidfd, .events = POLLIN };
    return n;
}

static void
tick_seat(struct watch *w, unsigned number, uint64_t now_ms)
{
    struct seat *seat = &w->seats[number];

    if (seat->state == SEAT_RUNNING && process_ended(&seat->process))
        seat_ended(w, seat, now_ms);
    if (seat->state == SEAT_RUNNING)
        look_at_heart(w, &seat->process, seat->row, now_ms);
    else if (!w->stopping && !w->failed && now_ms >= seat->start_at_ms)
        start_seat(w, number, now_ms);
}

static void
tick_orphan(struct watch *w, uint32_t row, uint64_t now_ms)
{
    struct process *p = &w->orphans[row];

    if (p->pidfd < 0)
        return;
    if (!process_ended(p)) {
        look_at_heart(w, p, row, now_ms);
        return;
    }
    log_info("worker %u of a former master (process %d) has ended", row, (int)p->pid);
    process_end(p);
    slots_bury(&w->slots, row);
}

void
watch_tick(struct watch *w, uint64_t now_ms)
{
    for (uint32_t row = 0; row < w->slots.n_workers; row++)
        tick_orphan(w, row, now_ms);
    for (unsigned i = 0; i < w->n_seats; i++)
        tick_seat(w, i, now_ms);
    if (!w->served && watch_serving(w, false) == w->n_seats)
        w->served = true;
    w->ticked_ms = now_ms;
}

int
watch_sleep_ms(const struct watch *w, uint64_t now_ms)
{
    uint64_t sleep = w->served ? TICK_MS : STARTING_MS;

    for (unsigned i = 0; i < w->n_seats; i++) {
        const struct seat *seat = &w->seats[i];
        if (seat->state != SEAT_WAITING || w->stopping)
            continue;
        uint64_t due = seat->start_at_ms > now_ms ? seat->start_at_ms - now_ms : 0;
        sleep        = due < sleep ? due : sleep;
    }
    return (int)sleep;
}

void
watch_signal(struct watch *w, int signal)
{
    for (unsigned i = 0; i < w->n_seats; i++)
        process_signal(&w->seats[i].process, signal);
    for (uint32_t row = 0; row < w->slots.n_workers; row++)
        process_signal(&w->orphans[row], signal);
}

void
watch_poke(const struct watch *w)
{
    uint64_t one = 1;

    for (uint32_t row = 0; row < w->slots.n_workers; row++)
        if (write(w->pokes[row], &one, sizeof(one)) < 0 && errno != EAGAIN)
            log_warn("cannot wake worker %u: %s", row, strerror(errno));
}

unsigned
watch_alive(const struct watch *w)
{
    return watch_fill(w, (struct pollfd[2 * SLOTS_WORKERS_MAX]){ 0 }, 2 * SLOTS_WORKERS_MAX);
}

unsigned
watch_serving(const struct watch *w, bool with_routes)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_seats; i++) {
        if (w->seats[i].state != SEAT_RUNNING)
            continue;
        const struct slot *slot = slots_at(&w->slots, w->seats[i].row);
        uint64_t state = atomic_load_explicit(&slot->life.state, memory_order_relaxed);
        n += state == SLOT_READY || (state == SLOT_UNREADY && !with_routes);
    }
    return n;
}

bool
watch_beating(const struct watch *w, uint64_t now_ms)
{
    for (unsigned i = 0; i < w->n_seats; i++)
        if (w->seats[i].state == SEAT_RUNNING && process_hangs(&w->seats[i].process, now_ms))
            return false;
    return true;
}
