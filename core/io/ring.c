/* ring.c - see ring.h: opening, receive buffers, and turns. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/io/ring_internal.h"

static_assert(RING_NOTIFIED == IORING_CQE_F_NOTIF, "flag values travel as they are");

/* As Linux 6.9 defines it; liburing 2.3 does not know it yet. */
enum { REGISTER_NAPI = 27 };
struct napi {
    uint32_t busy_poll_us;
    uint8_t  prefer_busy_poll;
    uint8_t  pad[3];
    uint64_t reserved;
};

/* --- open --- */

static struct ring_config
with_defaults(const struct ring_config *config)
{
    struct ring_config c = *config;

    c.entries           = c.entries ? c.entries : 4096;
    c.n_files           = c.n_files ? c.n_files : 16384;
    c.n_recv_buffers    = c.n_recv_buffers ? c.n_recv_buffers : 256;
    c.recv_buffer_bytes = c.recv_buffer_bytes ? c.recv_buffer_bytes : 16 * 1024;
    return c;
}

static bool
setup_failed(int error, struct err *err)
{
    switch (-error) {
    case EPERM:
        return err_set(err, "io_uring is disabled here: see sysctl kernel.io_uring_disabled, "
                            "or the seccomp profile of the container");
    case ENOSYS:
        return err_set(err, "this kernel has no io_uring, or a seccomp profile hides it; "
                            "Linux 6.1 or newer is needed");
    case EINVAL:
        return err_set(err, "this kernel's io_uring is too old: Linux 6.1 or newer is needed");
    case ENOMEM:
        return err_set(err, "no memory for io_uring: raise RLIMIT_MEMLOCK (ulimit -l, "
                            "LimitMEMLOCK=) or give CAP_IPC_LOCK");
    default:
        return err_set(err, "io_uring: %s", strerror(-error));
    }
}

/* DEFER_TASKRUN: completions are made when we ask for them, not by interrupting
 * us. It excludes SQPOLL, where another thread submits. */
static bool
setup(struct ring *ring, struct err *err)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_SINGLE_ISSUER,
        .cq_entries = ring->config.entries * 4,
    };

    if (ring->config.sqpoll_idle_ms > 0) {
        params.flags |= IORING_SETUP_SQPOLL;
        params.sq_thread_idle = ring->config.sqpoll_idle_ms;
        ring->features.sqpoll = true;
    } else {
        params.flags |= IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN;
    }
    int error = io_uring_queue_init_params(ring->config.entries, &ring->uring, &params);
    return error == 0 || setup_failed(error, err);
}

static void
probe(struct ring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);

    if (probe == NULL)
        return;
    ring->features.zerocopy = io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
    ring->features.zerocopy_reports = (ring->uring.features & FEATURE_LINUX_6_3) != 0;
    io_uring_free_probe(probe);
}

static void
start_napi(struct ring *ring)
{
    struct napi napi = { .busy_poll_us     = ring->config.napi_busy_poll_us,
                         .prefer_busy_poll = 1 };

    if (napi.busy_poll_us > 0)
        ring->features.napi =
            syscall(SYS_io_uring_register, ring->uring.ring_fd, REGISTER_NAPI, &napi, 1) == 0;
}

static void *
map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static size_t
buffers_bytes(const struct ring *ring)
{
    return (size_t)ring->config.n_recv_buffers * ring->config.recv_buffer_bytes;
}

static void
provide(struct ring *ring, unsigned id)
{
    uint8_t *bytes = ring->buffers + (size_t)id * ring->config.recv_buffer_bytes;

    io_uring_buf_ring_add(ring->buf_ring, bytes, ring->config.recv_buffer_bytes, (unsigned short)id,
                          (int)ring->config.n_recv_buffers - 1, 0);
    io_uring_buf_ring_advance(ring->buf_ring, 1);
}

static bool
make_buffers(struct ring *ring, struct err *err)
{
    unsigned n = ring->config.n_recv_buffers;

    if (n > 32768 || (n & (n - 1)) != 0)
        return err_set(err, "the number of receive buffers must be a power of 2, at most 32768");

    ring->buf_ring_bytes = n * sizeof(struct io_uring_buf);
    ring->buf_ring       = map(ring->buf_ring_bytes);
    ring->buffers        = map(buffers_bytes(ring));
    if (ring->buf_ring == NULL || ring->buffers == NULL)
        return err_set(err, "no memory for %u receive buffers of %u bytes", n,
                       ring->config.recv_buffer_bytes);

    struct io_uring_buf_reg reg = { .ring_addr    = (uintptr_t)ring->buf_ring,
                                    .ring_entries = n,
                                    .bgid         = RECV_GROUP };
    int error = io_uring_register_buf_ring(&ring->uring, &reg, 0);
    if (error != 0)
        return setup_failed(error, err);
    io_uring_buf_ring_init(ring->buf_ring);
    for (unsigned id = 0; id < n; id++)
        provide(ring, id);
    return true;
}

struct span
ring_received(struct ring *ring, int result, uint32_t flags)
{
    size_t id = flags >> IORING_CQE_BUFFER_SHIFT;

    assert((flags & IORING_CQE_F_BUFFER) != 0 && id < ring->config.n_recv_buffers);
    return (struct span){ ring->buffers + id * ring->config.recv_buffer_bytes, (size_t)result };
}

void
ring_recycle(struct ring *ring, uint32_t flags)
{
    provide(ring, flags >> IORING_CQE_BUFFER_SHIFT);
}

static bool
make_files(struct ring *ring, struct err *err)
{
    int error = io_uring_register_files_sparse(&ring->uring, ring->config.n_files);

    if (error == -EMFILE)
        return err_set(err, "a table of %u connections needs as large a limit of open files: "
                            "raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)", ring->config.n_files);
    return error == 0 || setup_failed(error, err);
}

static void
read_clock(struct ring *ring)
{
    ring->timers.now_ms = (ring->now_us = clock_us()) / 1000;
}

static void
unmap(struct ring *ring)
{
    if (ring->buf_ring != NULL)
        munmap(ring->buf_ring, ring->buf_ring_bytes);
    if (ring->buffers != NULL)
        munmap(ring->buffers, buffers_bytes(ring));
    free(ring);
}

bool
ring_open(struct ring **out, const struct ring_config *config, struct err *err)
{
    struct ring *ring = mem_alloc(sizeof(*ring));

    ring->config   = with_defaults(config);
    ring->spin     = (struct spin){ .us = ring->config.spin_us };
    ring->coalesce = (struct coalesce){ .us = ring->config.coalesce_us };
    list_init(&ring->tasks);
    list_init(&ring->flushes);
    read_clock(ring);
    timers_init(&ring->timers, ring->timers.now_ms);

    if (!setup(ring, err)) {
        unmap(ring);
        return false;
    }
    if (!make_files(ring, err) || !make_buffers(ring, err)) {
        io_uring_queue_exit(&ring->uring);
        unmap(ring);
        return false;
    }
    probe(ring);
    start_napi(ring);
    io_uring_register_ring_fd(&ring->uring); /* saves a lookup; works without */
    *out = ring;
    return true;
}

void
ring_close(struct ring *ring)
{
    if (ring == NULL)
        return;

    /* The kernel must be through with everybody's memory before we return. */
    struct io_uring_sync_cancel_reg all = {
        .flags   = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
        .timeout = { .tv_sec = 1, .tv_nsec = 0 },
    };
    io_uring_submit(&ring->uring);
    io_uring_register_sync_cancel(&ring->uring, &all);
    io_uring_queue_exit(&ring->uring);
    spare_fini(&ring->spares);
    unmap(ring);
}

/* --- a turn --- */

/* Runs what is on the list now; what these post waits for the next turn. */
static void
run_tasks(struct list *tasks)
{
    struct list now;

    if (list_empty(tasks))
        return;
    list_init(&now);
    list_append(tasks, &now);
    list_remove(tasks);
    while (!list_empty(&now)) {
        struct task *task = container_of(now.next, struct task, node);

        list_remove(&task->node);
        task->run(task);
    }
}

static uint64_t
sleep_ms(const struct ring *ring, int timeout_ms)
{
    if (!list_empty(&ring->tasks))
        return 0;
    uint64_t until_timer = timers_sleep_ms(&ring->timers, ring->timers.now_ms);
    uint64_t wanted      = timeout_ms < 0 ? UINT64_MAX : (uint64_t)timeout_ms;
    return until_timer < wanted ? until_timer : wanted;
}

/* Submits; sleeps no more when something has come or `*error` is not 0. */
static bool
spin(struct ring *ring, int *error)
{
    uint64_t until = clock_us() + ring->spin.us;

    *error = io_uring_submit_and_get_events(&ring->uring);
    while (io_uring_cq_ready(&ring->uring) == 0 && *error >= 0 && clock_us() < until)
        *error = io_uring_get_events(&ring->uring);
    return spin_ended(&ring->spin, io_uring_cq_ready(&ring->uring) > 0) || *error < 0;
}

static int
submit_and_wait_for(struct ring *ring, unsigned n, uint64_t us)
{
    struct io_uring_cqe     *cqe;
    struct __kernel_timespec ts = { .tv_sec  = (long long)(us / 1000000),
                                    .tv_nsec = (long long)(us % 1000000) * 1000 };

    return io_uring_submit_and_wait_timeout(&ring->uring, &cqe, n, &ts, NULL);
}

/* As spin(), asleep and until `n` have come. */
static bool
coalesce(struct ring *ring, unsigned n, int *error)
{
    *error = submit_and_wait_for(ring, n, ring->coalesce.us);
    unsigned came = io_uring_cq_ready(&ring->uring);

    coalesce_ended(&ring->coalesce, n, came);
    return came > 0 || (*error < 0 && *error != -ETIME);
}

/* The one system call of a turn; there are two where coalescing brought nothing. */
static int
submit_and_wait(struct ring *ring, uint64_t ms)
{
    unsigned n;
    int      error;

    ring->stats.enters++;
    if (ms == 0)
        return io_uring_submit_and_get_events(&ring->uring);
    if (ms > ring->coalesce.us / 1000 && (n = coalesce_for(&ring->coalesce)) > 1) {
        if (coalesce(ring, n, &error))
            return error;
    } else if (spin_wanted(&ring->spin) && spin(ring, &error)) {
        return error;
    }
    if (ms == UINT64_MAX)
        return io_uring_submit_and_wait(&ring->uring, 1);

    /* The clock was read when the turn before woke up: a timer never fires
     * early, and late by no more than the work of a turn. */
    return submit_and_wait_for(ring, 1, ms * 1000);
}

static void
complete(struct ring *ring, const struct io_uring_cqe *cqe)
{
    struct op *op     = (struct op *)(uintptr_t)cqe->user_data;
    int        result = cqe->res;
    uint32_t   flags  = cqe->flags;

    io_uring_cq_advance(&ring->uring, 1);
    if (op == NULL)
        return;
    op->armed = (flags & IORING_CQE_F_MORE) != 0;
    op->done(op, result, flags);
}

static bool
is_fatal(int error)
{
    return error < 0 && error != -ETIME && error != -EINTR && error != -EAGAIN &&
           error != -EBUSY;
}

int
ring_turn(struct ring *ring, int timeout_ms)
{
    run_tasks(&ring->tasks);
    run_tasks(&ring->flushes);

    ring->stats.turns++;
    uint64_t woke  = ring->now_us, ms = sleep_ms(ring, timeout_ms), until = clock_us();
    int      error = submit_and_wait(ring, ms);

    if (is_fatal(error))
        return error;
    read_clock(ring);
    ring->stats.turn_us = (ms != 0 ? until : ring->now_us) - woke;

    /* Only what is there now: what the callbacks cause belongs to the next turn. */
    unsigned             n = io_uring_cq_ready(&ring->uring);
    struct io_uring_cqe *cqe;

    if (ring->config.woke != NULL)
        ring->config.woke(ring->config.woke_context);
    for (unsigned i = 0; i < n && io_uring_peek_cqe(&ring->uring, &cqe) == 0; i++)
        complete(ring, cqe);
    ring->stats.completions += n;
    timers_expire(&ring->timers, ring->timers.now_ms);
    return (int)n;
}

void
ring_post(struct ring *ring, struct task *task)
{
    if (list_empty(&task->node))
        list_append(&ring->tasks, &task->node);
}

void
ring_post_flush(struct ring *ring, struct task *task)
{
    if (list_empty(&task->node))
        list_append(&ring->flushes, &task->node);
}

void
ring_expect(struct ring *ring, uint32_t clients)
{
    ring->coalesce.clients = clients;
}

uint64_t
ring_now_ms(const struct ring *ring)
{
    return ring->timers.now_ms;
}

uint64_t
ring_now_us(const struct ring *ring)
{
    return ring->now_us;
}

struct timers *
ring_timers(struct ring *ring)
{
    return &ring->timers;
}

const struct ring_features *
ring_features(const struct ring *ring)
{
    return &ring->features;
}

const struct ring_config *
ring_config_of(const struct ring *ring)
{
    return &ring->config;
}

struct ring_stats *
ring_stats(struct ring *ring)
{
    return &ring->stats;
}

struct spares *
ring_spares(struct ring *ring)
{
    return &ring->spares;
}
