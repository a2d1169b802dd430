/* worker.c - see worker.h.
 *
 *   SERVING --SIGTERM--> LEAVING ---------+ no clients left,
 *      |                                  | or drain_s passed
 *      +--a newer master--> SUPERSEDED ---+--> end
 *      +--SIGQUIT---------> QUITTING -----+ the sockets are closed
 *
 * One turn: the ring's events, then the heartbeat, new routes, and mail.
 */
#include "workers/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/route/cache.h"
#include "workers/backend/pool.h"
#include "workers/client/client.h"
#include "workers/follow.h"
#include "workers/http.h"
#include "workers/query/gate.h"
#include "workers/query/report.h"
#include "workers/query/statement_time.h"

enum {
    TURN_MS       = 100,
    TICK_MS       = 100,
    GIVE_TICKS    = 100, /* from one look at how much memory is held to the next */
    FLOOD         = 512,  /* clients that may hear "too many connections" at a time */
    STALL_US      = 50000, /* a turn that everybody notices */
    FAREWELL_MS   = 500,  /* for the last words to clients and servers */
    PLAN_BYTES    = 16384, /* of memory per entry of the plan cache, at most on average */
};

enum worker_state { WORKER_SERVING, WORKER_SUPERSEDED, WORKER_LEAVING, WORKER_QUITTING };

struct worker;

/* Where clients come in. */
struct door {
    struct worker  *worker;
    struct listener listener;
    int             fd;
    bool            open;
};

enum { DOORS_MAX = 2 }; /* the setting listen, and socket */

struct worker {
    struct context             ctx;
    const struct worker_start *start;
    enum worker_state          state;
    struct follow              follow;
    struct http                http;
    struct door                doors[DOORS_MAX];
    struct ring_watch          poke, signals;
    struct timer               tick, deadline;
    int                        signal_fd;
    bool                       orphan, poked, late; /* late: drain_s has passed */
    uint64_t                   mails[SLOTS_WORKERS_MAX]; /* cursors, by sender */
    uint64_t                   turns, cpu_ns, evicted;   /* counted so far */
    struct mem_rest            memory;
};

/* --- clients -------------------------------------------------------------- */

static void
pause_doors(struct worker *w, bool pause)
{
    for (int i = 0; i < DOORS_MAX; i++) {
        if (!w->doors[i].open)
            continue;
        if (pause)
            listener_pause(&w->doors[i].listener);
        else
            listener_resume(&w->doors[i].listener);
    }
}

/* Past the limit a client is told so, but a flood of them waits in the kernel's
 * queue, so that descriptors for servers are left. */
static void
on_accept(struct listener *listener, struct ring_file file, const struct sock_addr *peer)
{
    struct worker *w = container_of(listener, struct door, listener)->worker;

    client_open(&w->ctx, file, peer);
    if (w->ctx.n_clients >= w->ctx.conf.max_clients + FLOOD)
        pause_doors(w, true);
}

/* What has been accepted by the kernel but not by us would be cut by closing the socket.
 * Another worker may empty the same queue (of a Unix socket) at the same time, so nobody
 * waits in accept(). */
static void
empty_queue(struct door *door)
{
    struct pollfd    queue = { .fd = door->fd, .events = POLLIN };
    struct timeval   wait  = { .tv_usec = 1000 };
    struct sock_addr peer;

    (void)setsockopt(door->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    while (poll(&queue, 1, 0) == 1) {
        peer.len = sizeof(peer.addr);
        int fd = accept4(door->fd, (struct sockaddr *)&peer.addr, &peer.len, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        client_open(&door->worker->ctx, (struct ring_file){ fd, false }, &peer);
    }
}

static void
on_listener_closed(struct listener *listener)
{
    struct door *door = container_of(listener, struct door, listener);

    empty_queue(door);
    close(door->fd);
    door->open = false;
}

static void
open_door(struct worker *w, struct door *door, int fd)
{
    *door = (struct door){ .worker = w, .fd = fd, .open = fd >= 0 };
    if (fd >= 0)
        listener_open(&door->listener, w->ctx.ring, fd, true, on_accept, on_listener_closed);
}

static bool
is_listening(const struct worker *w)
{
    return w->doors[0].open || w->doors[1].open;
}

static void
cut_clients(struct worker *w)
{
    LIST_EACH_SAFE(at, &w->ctx.clients)
        client_close(container_of(at, struct client, node), COUNTER_CLOSED_SHUTDOWN, NULL);
}

/* --- leaving -------------------------------------------------------------- */

static void
stop_accepting(struct worker *w)
{
    slot_enter(w->ctx.slot, SLOT_DRAINING);
    for (int i = 0; i < DOORS_MAX; i++)
        if (w->doors[i].open)
            listener_close(&w->doors[i].listener);
}

static void
too_late(struct timer *timer)
{
    struct worker *w = container_of(timer, struct worker, deadline);

    if (w->ctx.n_clients > 0)
        log_warn("drain_s has passed: cutting %u clients", w->ctx.n_clients);
    w->late = true;
    cut_clients(w);
}

static void
leave(struct worker *w)
{
    if (w->state >= WORKER_LEAVING)
        return;
    if (w->state == WORKER_SERVING)
        stop_accepting(w);
    w->state       = WORKER_LEAVING;
    w->ctx.leaving = true;
    pool_drain(&w->ctx);
    client_drain_all(&w->ctx);
    timer_start(ring_timers(w->ctx.ring), &w->deadline, (uint64_t)w->ctx.conf.drain_s * 1000,
                too_late);
}

/* Clients are cut by our end. The sockets would linger in the ring for a moment
 * after it, and whoever connects then would hang. */
static void
quit(struct worker *w)
{
    w->state       = WORKER_QUITTING;
    w->ctx.leaving = true;
    stop_accepting(w);
    http_stop(&w->http);
}

/* Its clients are served on, even idle ones: nobody told them to go. */
static void
look_for_successor(struct worker *w)
{
    const struct worker_start *start = w->start;

    if (!w->orphan && getppid() != start->master) {
        w->orphan = true;
        log_warn("the master is gone; serving on");
    }
    if (!w->orphan || w->state != WORKER_SERVING ||
        (slots_epoch(start->slots) == start->master_epoch &&
         !slots_master_gone(start->slots, w->ctx.conf.instance)))
        return;
    log_info("there is a new master: accepting nobody, %u clients are left", w->ctx.n_clients);
    w->state = WORKER_SUPERSEDED;
    stop_accepting(w);
    http_stop(&w->http);
}

/* --- settings ------------------------------------------------------------- */

/* The process list and the ring's table were made for so many. */
static void
limit_clients(struct worker *w)
{
    unsigned files = w->start->n_files, spare = WORKER_FILES_SPARE;

    if (spare > files / 4)
        spare = files / 4;
    uint32_t most = files - spare < w->start->slots->n_clients ? files - spare
                                                               : w->start->slots->n_clients;
    if (w->ctx.conf.max_clients <= most)
        return;
    log_warn("max_clients is %u until the next start", most);
    w->ctx.conf.max_clients = most;
}

/* The master has checked the file and said what has changed. */
static void
reload(struct worker *w)
{
    struct conf          loaded;
    struct conf_mistakes mistakes = { 0 };
    struct buf           changed = { 0 }, restart = { 0 };
    struct err           err;

    if (conf_load(w->start->path, &loaded, &mistakes)) {
        conf_reload(&w->ctx.conf, &loaded, &changed, &restart);
        limit_clients(w);
        if (!secure_load(&w->ctx.secure, &w->ctx.conf, &err))
            log_debug("TLS stays as it was: %s", err.text);
    }
    buf_fini(&changed);
    buf_fini(&restart);
    buf_fini(&mistakes.lines);
}

/* --- what wakes us -------------------------------------------------------- */

static void
name_log(const struct worker *w)
{
    char name[32];

    snprintf(name, sizeof(name), "worker %u", w->start->row);
    log_init(name, w->ctx.conf.log_level, conf_log_format(&w->ctx.conf));
}

static void
on_signal(struct ring_watch *watch)
{
    struct worker          *w = container_of(watch, struct worker, signals);
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP:
            reload(w);
            name_log(w);
            break;
        case SIGTERM: leave(w); break;
        default: quit(w); break;
        }
    }
}

static void
on_poke(struct ring_watch *watch)
{
    container_of(watch, struct worker, poke)->poked = true;
}

static void
deliver(struct worker *w, const struct mail *mail)
{
    if (mail->kind != MAIL_REPORT)
        client_kill(&w->ctx, mail->target, mail->kind == MAIL_KILL_QUERY);
    else if (mail->target <= REPORT_DIGESTS)
        report_tell(&w->ctx, (enum report)mail->target);
}

static void
take_mail(struct worker *w)
{
    struct mail mail;

    w->poked = false;
    for (uint32_t row = 0; row < w->start->slots->n_workers; row++) {
        if (row == w->start->row)
            continue;
        while (mail_take(slots_at(w->start->slots, row), &w->mails[row], &mail))
            deliver(w, &mail);
    }
}

static uint64_t
cpu_time_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void
count(struct worker *w)
{
    struct slot       *slot  = w->ctx.slot;
    uint64_t           turns = ring_stats(w->ctx.ring)->turns, cpu_ns = cpu_time_ns();
    struct cache_stats plans;

    slot_add(slot, COUNTER_LOOP_TURNS, turns - w->turns);
    slot_add(slot, COUNTER_LOOP_BUSY_NS, cpu_ns - w->cpu_ns);
    w->turns  = turns;
    w->cpu_ns = cpu_ns;
    cache_stats(w->ctx.plans, &plans);
    slot_set(slot, COUNTER_PLAN_CACHE_ENTRIES, plans.entries);
    slot_add(slot, COUNTER_PLAN_CACHE_EVICTED, plans.evictions - w->evicted);
    w->evicted = plans.evictions;
}

/* 10 times a second: whatever nobody pokes us for. */
static void
on_tick(struct timer *timer)
{
    struct worker *w = container_of(timer, struct worker, tick);

    timer_start(ring_timers(w->ctx.ring), timer, TICK_MS, on_tick);
    look_for_successor(w);
    follow_tick(&w->follow);
    count(w);
    statement_time_tick(&w->ctx);
    ring_expect(w->ctx.ring, w->ctx.n_active);
    w->ctx.n_active = 0;
    if (++w->ctx.ticks % GIVE_TICKS == 0)
        mem_give_back(&w->memory);
    w->poked = true;
    if (w->ctx.n_clients < w->ctx.conf.max_clients + FLOOD / 2)
        pause_doors(w, false);
    if (w->state == WORKER_LEAVING && !w->late)
        client_drain_all(&w->ctx);
}

/* --- start, loop, end ----------------------------------------------------- */

static bool
open_signals(struct worker *w, struct err *err)
{
    sigset_t set;

    signal(SIGINT, SIG_IGN); /* Ctrl-C is for the master */
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signal_fd >= 0 || err_set(err, "cannot read signals: %s", strerror(errno));
}

static void
look(void *follow)
{
    follow_look(follow);
}

static bool
open_ring(struct worker *w, struct err *err)
{
    const struct conf *conf   = &w->ctx.conf;
    struct ring_config config = {
        .entries           = conf->ring_entries,
        .n_files           = w->start->n_files,
        .n_recv_buffers    = conf->recv_buffers,
        .recv_buffer_bytes = conf->recv_buffer_bytes,
        .zerocopy_bytes    = conf->zerocopy_bytes > UINT32_MAX ? 0 : (unsigned)conf->zerocopy_bytes,
        .sqpoll_idle_ms    = conf->sqpoll_ms,
        .napi_busy_poll_us = conf->napi_us,
        .spin_us           = conf->spin_us,
        .coalesce_us       = conf->coalesce_us,
        .silent_s          = conf->tcp_silent_s,
        .woke              = look,
        .woke_context      = &w->follow,
    };

    return ring_open(&w->ctx.ring, &config, err);
}

static void
fill_context(struct worker *w)
{
    const struct worker_start *start = w->start;
    struct context            *ctx   = &w->ctx;

    ctx->slots       = start->slots;
    ctx->number      = start->row;
    ctx->epoch       = start->epoch;
    ctx->pokes       = start->pokes;
    ctx->kill        = client_kill;
    ctx->plans       = cache_new(ctx->conf.plan_cache_entries,
                                 (size_t)ctx->conf.plan_cache_entries * PLAN_BYTES);
    ctx->n_free_rows = start->slots->n_clients;
    ctx->free_rows   = mem_alloc(ctx->n_free_rows * sizeof(*ctx->free_rows));
    for (uint32_t i = 0; i < ctx->n_free_rows; i++)
        ctx->free_rows[i] = ctx->n_free_rows - 1 - i; /* the lowest rows are taken first */
    list_init(&ctx->pools);
    list_init(&ctx->closing);
    list_init(&ctx->clients);
    ctx->gate = gate_new(ctx);
}

static void
pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        log_warn("cannot stay on CPU %d: %s", cpu, strerror(errno));
}

/* Whoever has chosen a class for us, in the unit file say, has it; the niceness stays. */
static void
schedule(enum conf_class how)
{
    static const struct sched_param none;

    if (how == CLASS_BATCH && sched_getscheduler(0) == SCHED_OTHER &&
        sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        log_warn("cannot be scheduled as batch: %s", strerror(errno));
}

static bool
worker_open(struct worker *w, struct err *err)
{
    const struct worker_start *start = w->start;

    name_log(w);
    pin(start->cpu);
    schedule(w->ctx.conf.scheduling);
    /* A new master cannot see us before we have our slot, and may give it away. */
    if (getppid() != start->master || slots_epoch(start->slots) != start->master_epoch)
        return err_set(err, "the master is gone already");
    w->ctx.slot = slots_take(start->slots, start->row, err);
    if (w->ctx.slot == NULL || !open_signals(w, err) || !open_ring(w, err))
        return false;
    limit_clients(w);
    fill_context(w);
    slot_process(w->ctx.slot, start->epoch);
    for (uint32_t row = 0; row < start->slots->n_workers; row++)
        w->mails[row] = mail_cursor(slots_at(start->slots, row));
    ring_watch_fd(w->ctx.ring, &w->poke, start->pokes[start->row], on_poke);
    ring_watch_fd(w->ctx.ring, &w->signals, w->signal_fd, on_signal);
    follow_init(&w->follow, &w->ctx);
    gate_look(w->ctx.gate);
    slot_enter(w->ctx.slot, SLOT_UNREADY);
    follow_tick(&w->follow);
    open_door(w, &w->doors[0], start->listen_fd);
    open_door(w, &w->doors[1], start->local_fd);
    if (start->http_fd >= 0)
        http_open(&w->http, &w->ctx, start->http_fd);
    mem_give_back(&w->memory);
    timer_start(ring_timers(w->ctx.ring), &w->tick, TICK_MS, on_tick);
    return true;
}

static bool
turn(struct worker *w)
{
    int n = ring_turn(w->ctx.ring, TURN_MS);

    if (n < 0) {
        log_error("io_uring: %s", strerror(-n));
        return false;
    }
    uint64_t took_us = ring_stats(w->ctx.ring)->turn_us;
    histogram_record(&w->ctx.slot->latency[LATENCY_TURN], took_us * 1000);
    if (took_us > STALL_US)
        slot_count(w->ctx.slot, COUNTER_LOOP_STALLS);
    slot_beat(w->ctx.slot, ring_now_ms(w->ctx.ring));
    follow_look(&w->follow);
    if (w->poked) {
        take_mail(w);
        gate_look(w->ctx.gate);
    }
    return true;
}

static bool
is_finished(const struct worker *w)
{
    if (w->state == WORKER_SERVING || is_listening(w))
        return false;
    return w->state == WORKER_QUITTING ? !w->http.open : w->ctx.n_clients == 0;
}

/* Servers hear a polite goodbye; clients that were cut get their last bytes. */
static bool
say_goodbye(struct worker *w)
{
    uint64_t               end  = ring_now_ms(w->ctx.ring) + FAREWELL_MS;
    const _Atomic uint64_t *open = &w->ctx.slot->counter[COUNTER_BACKENDS_OPEN];
    bool                   good = true;

    w->ctx.leaving = true;
    pool_drain(&w->ctx);
    http_stop(&w->http);
    while (good && ring_now_ms(w->ctx.ring) < end &&
           (w->http.open || !list_empty(&w->ctx.closing) ||
            atomic_load_explicit(open, memory_order_relaxed) > 0))
        good = turn(w);
    return good;
}

_Noreturn void
worker_main(const struct worker_start *start)
{
    struct err     err;
    struct worker *w = mem_alloc(sizeof(*w));
    bool           good;

    w->start     = start;
    w->ctx.conf  = *start->conf;
    w->ctx.secure = *start->secure;
    if (!worker_open(w, &err)) {
        log_error("cannot start: %s", err.text);
        exit(1);
    }
    do
        good = turn(w);
    while (good && !is_finished(w));
    if (good && w->state != WORKER_QUITTING)
        good = say_goodbye(w);
    exit(good ? 0 : 1);
}
