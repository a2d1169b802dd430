/* ring.h - the only door to io_uring. ring_internal.h alone includes liburing.h.
 *
 * One ring per worker, made after the fork by the thread that uses it. A turn:
 *
 *   ring_turn():  tasks --> sends of streams with output --> ONE io_uring_enter
 *                 --> clock --> done() of every completion --> due timers
 *
 * Whoever wants something from the kernel embeds a `struct op` and says what
 * to call when it is done. The op's address travels as user_data, so an op
 * must stay where it is until it is no longer armed - also when the wish was
 * cancelled: the kernel answers every op, and an object may be freed only
 * when none of its ops is armed.
 *
 * Every callback (done, fire, run, and all of stream.h and listener.h) runs
 * from ring_turn(), never from inside the call that asked for it.
 */
#ifndef CORE_IO_RING_H
#define CORE_IO_RING_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/list.h"
#include "core/io/spare.h"
#include "core/io/timer.h"

struct ring;
struct op;
struct sock_addr;

/* `result` is what the system call would have returned, or -errno. `flags` are
 * for ring_received() and RING_NOTIFIED. op->armed says whether more will come
 * (multishot, zero-copy notification). */
typedef void op_done(struct op *op, int result, uint32_t flags);

struct op {
    op_done *done;
    bool     armed; /* the kernel will still call back; owned by ring.c */
};

/* Zero means the default for each. */
struct ring_config {
    unsigned entries;           /* of the submission queue; 4096. The completion queue is 4x */
    unsigned n_files;           /* direct descriptors = connections + spare; 16384. Needs as
                                   large a RLIMIT_NOFILE */
    unsigned n_recv_buffers;    /* shared by all streams, a power of 2, <= 32768; 256 */
    unsigned recv_buffer_bytes; /* 16 KiB */
    unsigned zerocopy_bytes;    /* sends from this size on without copying; 0: never. Pays on
                                   real NICs from some 10 KiB on, costs on loopback */
    unsigned sqpoll_idle_ms;    /* > 0: a kernel thread submits, and naps after this */
    unsigned spin_us;           /* > 0: look for completions so long before sleeping; spin.h */
    unsigned coalesce_us;       /* > 0: where much is under way, see ring_expect(), wait so long
                                   for several completions at once; coalesce.h */
    unsigned silent_s;          /* of stream_connect()'s sockets: sock_limit_silence() */
    unsigned napi_busy_poll_us; /* > 0: busy-poll the NIC; ignored before Linux 6.9 */
    void   (*woke)(void *context); /* in each turn, behind the sleep and before anything that has
                                      come is handled: what others wrote into shared memory
                                      before they sent something is seen there. NULL: nobody */
    void    *woke_context;
};

/* What this kernel has beyond the floor (Linux 6.1). */
struct ring_features {
    bool zerocopy; /* SEND_ZC */
    bool zerocopy_reports; /* ... tells when it copied after all: Linux 6.2 */
    bool napi;     /* NAPI busy poll was asked for and is on */
    bool sqpoll;
};

/* Only grow; for the worker's counters. */
struct ring_stats {
    uint64_t turns, enters, completions;
    uint64_t turn_us; /* how long the last whole turn took, without its sleep */
    uint64_t recv_bytes, send_bytes, sends, zerocopy_sends;
    uint64_t recv_starved; /* a receive found no free buffer: n_recv_buffers is small */
    uint64_t accept_failed;
};

/* On success `*out` is owned by the caller and belongs to the calling thread.
 * Fails with a sentence for the operator: io_uring disabled (sysctl, seccomp),
 * too old a kernel, RLIMIT_MEMLOCK, RLIMIT_NOFILE. */
bool ring_open(struct ring **out, const struct ring_config *config, struct err *err) must_check;

/* Everything still armed is cancelled without calling done(). NULL is fine. */
void ring_close(struct ring *ring);

/* One turn (see above); sleeps at most `timeout_ms` (-1: until something
 * happens), less when a timer is due, not at all when a task waits. Returns
 * the number of completions handled, or -errno when the ring itself is broken
 * (which is fatal). A signal ends the sleep and is no error. */
int ring_turn(struct ring *ring, int timeout_ms) must_check;

/* So many clients are busy, each of which will complete something soon. */
void ring_expect(struct ring *ring, uint32_t clients);

/* CLOCK_MONOTONIC as it was when this turn woke up. */
uint64_t ring_now_ms(const struct ring *ring);
uint64_t ring_now_us(const struct ring *ring);

struct timers *ring_timers(struct ring *ring);
const struct ring_features *ring_features(const struct ring *ring);
const struct ring_config *ring_config_of(const struct ring *ring); /* defaults filled in */
struct ring_stats *ring_stats(struct ring *ring);

/* --- tasks: call run() at the start of the next turn, before it submits --- */

struct task;
typedef void task_run(struct task *task);

/* Embedded; task_init() once. */
struct task {
    struct list node;
    task_run   *run;
};

static inline void
task_init(struct task *task, task_run *run)
{
    list_init(&task->node);
    task->run = run;
}

/* Posting twice is posting once. A task posted by a task runs one turn later. */
void ring_post(struct ring *ring, struct task *task);

static inline void
task_drop(struct task *task)
{
    list_remove(&task->node);
}

/* --- descriptors of any kind: eventfd, pidfd, signalfd, control sockets --- */

/* done(revents) once. */
void ring_poll(struct ring *ring, struct op *op, int fd, unsigned events);

/* done(revents) at each new event, as long as op->armed: see ring_watch_fd(). */
void ring_poll_multishot(struct ring *ring, struct op *op, int fd, unsigned events);

/* done(bytes) once; `bytes` must stay until then. The descriptor must not be
 * O_NONBLOCK (it would answer -EAGAIN instead of waiting). */
void ring_read(struct ring *ring, struct op *op, int fd, void *bytes, unsigned len);

/* done(-ECANCELED), or whatever overtook it, still comes if op->armed. */
void ring_cancel(struct ring *ring, struct op *op);

struct ring_watch;
typedef void ring_watch_fired(struct ring_watch *watch);

/* Calls fired() each time `fd` becomes readable, until ring_unwatch().
 * Edge-triggered: an eventfd need not be read at all (every write fires); from
 * other descriptors read everything. */
struct ring_watch {
    struct op         op; /* op.armed: the memory is still needed */
    struct ring      *ring;
    ring_watch_fired *fired;
    int               fd;
    bool              stopped;
};

void ring_watch_fd(struct ring *ring, struct ring_watch *watch, int fd, ring_watch_fired *fired);
void ring_unwatch(struct ring_watch *watch);

/* --- what stream.c and listener.c are made of; nobody else needs these --- */

/* A descriptor: an index into the ring's own table, or an ordinary fd. */
struct ring_file {
    int  fd;
    bool direct;
};

enum { RING_NOTIFIED = 1U << 3 }; /* flag: the kernel let go of zero-copy memory */
#define RING_COPIED INT32_MIN     /* result of such a notification: it copied after all */

/* Multishot; bytes come in the ring's buffers: see ring_received(). */
void ring_recv(struct ring *ring, struct op *op, struct ring_file file);

/* The received bytes of a completion with result > 0; give them back with
 * ring_recycle(same flags), in the same turn. */
struct span ring_received(struct ring *ring, int result, uint32_t flags);
void ring_recycle(struct ring *ring, uint32_t flags);

/* `bytes` must stay until the op is no longer armed. */
void ring_send(struct ring *ring, struct op *op, struct ring_file file, struct span bytes);
void ring_send_zerocopy(struct ring *ring, struct op *op, struct ring_file file,
                        struct span bytes);

/* done(index of a direct descriptor), again and again; each must be closed. */
void ring_accept(struct ring *ring, struct op *op, int fd);

/* done(index) once, with the peer's address in `peer` (which must stay). */
void ring_accept_peer(struct ring *ring, struct op *op, int fd, struct sock_addr *peer);

/* Takes a slot of the direct table for `*fd`, done(1) and the index in `*fd`.
 * The ordinary fd stays open. -ENFILE: the table is full. */
void ring_install(struct ring *ring, struct op *op, int *fd);

void ring_connect(struct ring *ring, struct op *op, struct ring_file file,
                  const struct sock_addr *peer);
void ring_shutdown(struct ring *ring, struct op *op, struct ring_file file); /* SHUT_WR */

/* Nobody is told; the ops on it must be done. */
void ring_close_file(struct ring *ring, struct ring_file file);

/* As ring_post(), but after all tasks: only for arming sends, no callbacks. */
void ring_post_flush(struct ring *ring, struct task *task);

struct spares *ring_spares(struct ring *ring);

#endif
