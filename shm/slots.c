/* slots.c - see slots.h. */
#include "shm/slots.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"

#define NOW(word)        atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

enum { STRANGERS_MAX = 240 };

/* Behind the segment's header, in its first page; only the master writes it. */
struct control {
    _Atomic uint64_t epoch, master_pid;
    _Atomic uint64_t n_workers, n_clients, stride;
    _Atomic uint64_t n_strangers, stranger[STRANGERS_MAX]; /* pids, see slots_has_strangers() */
};

enum { CONTROL_AT = SEGMENT_HEADER / 2, PAGE = 4096 };

static struct control *
control_of(const struct slots *s)
{
    return (struct control *)(s->seg.base + CONTROL_AT);
}

static struct slot *
slot_of(const struct slots *s, uint32_t worker)
{
    assert(worker < s->n_workers);
    return (struct slot *)(s->seg.base + SEGMENT_HEADER + worker * s->stride);
}

uint64_t
slots_now_ms(void)
{
    return clock_us() / 1000;
}

static size_t
stride_for(uint32_t n_clients)
{
    size_t bytes = sizeof(struct slot) + n_clients * sizeof(struct client_row);

    return (bytes + PAGE - 1) / PAGE * PAGE + reports_bytes();
}

/* Memory for what every worker writes; rows of clients get theirs when they are
 * first used. */
static bool
back(const struct slots *s, size_t offset, size_t len, struct err *err)
{
    int failed = segment_back(&s->seg, offset, len);

    return failed == 0 ||
           err_set(err, "no room for %zu bytes of worker slots in /dev/shm: %s",
                   len, strerror(-failed));
}

static bool
process_lives(uint64_t pid)
{
    return pid != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

struct strangers {
    uint64_t n, pid[STRANGERS_MAX];
};

static void
add_stranger(struct strangers *all, uint64_t pid)
{
    if (!process_lives(pid))
        return;
    if (all->n < STRANGERS_MAX)
        all->pid[all->n] = pid;
    all->n++;
}

/* Who still works by a segment that makes way, perhaps one of another build. */
static void
find_strangers(const struct segment *old, struct strangers *out)
{
    const struct slots    as     = { .seg = *old };
    const struct control *c      = control_of(&as);
    uint64_t              stride = NOW(c->stride), n = NOW(c->n_strangers);

    for (uint64_t i = 0; i < n && i < STRANGERS_MAX; i++)
        add_stranger(out, NOW(c->stranger[i]));
    for (uint64_t i = 0; i < NOW(c->n_workers) && i < SLOTS_WORKERS_MAX; i++) {
        uint64_t at = SEGMENT_HEADER + i * stride;
        if (stride % PAGE != 0 || at + sizeof(struct slot_life) > old->size)
            return;
        const struct slot_life *life = (const struct slot_life *)(old->base + at);
        add_stranger(out, NOW(life->pid));
    }
}

/* A segment of other dimensions than this one cannot be grown under its
 * workers: it makes way. Errors are left to the real attempt. */
static void
replace_if_other(const char *instance, size_t size, struct strangers *out)
{
    struct segment old;
    struct err     err;

    if (!segment_open(&old, SEGMENT_SLOTS, instance, &err))
        return;
    bool other = old.size != size && segment_writer(&old) == 0;
    if (other)
        find_strangers(&old, out);
    segment_close(&old);
    if (other)
        segment_unlink(SEGMENT_SLOTS, instance);
}

bool
slots_create(struct slots *s, const char *instance, uint32_t n_workers,
             uint32_t n_clients, struct err *err)
{
    struct slots made = { .n_workers = n_workers, .n_clients = n_clients,
                          .stride = stride_for(n_clients) };
    size_t           size      = SEGMENT_HEADER + n_workers * made.stride;
    struct strangers strangers = { 0 };

    assert(n_workers >= 1 && n_workers <= SLOTS_WORKERS_MAX);
    assert(n_clients >= 1 && n_clients <= SLOTS_CLIENTS_MAX);
    replace_if_other(instance, size, &strangers);
    if (!segment_create(&made.seg, SEGMENT_SLOTS, instance, size, NULL, err))
        return false;
    for (uint32_t i = 0; i < n_workers; i++)
        if (!back(&made, SEGMENT_HEADER + i * made.stride, sizeof(struct slot), err)) {
            slots_close(&made);
            return false;
        }

    struct control *c = control_of(&made);
    PUT(c->n_workers, n_workers);
    PUT(c->n_clients, n_clients);
    PUT(c->stride, made.stride);
    PUT(c->master_pid, (uint64_t)getpid());
    for (uint64_t i = 0; i < strangers.n && i < STRANGERS_MAX; i++)
        PUT(c->stranger[i], strangers.pid[i]);
    if (strangers.n > 0)
        PUT(c->n_strangers, strangers.n);
    atomic_store_explicit(&c->epoch, NOW(c->epoch) + 1, memory_order_release);
    *s = made;
    return true;
}

bool
slots_open(struct slots *s, const char *instance, struct err *err)
{
    struct slots opened = { 0 };

    if (!segment_open(&opened.seg, SEGMENT_SLOTS, instance, err))
        return false;

    struct control *c         = control_of(&opened);
    uint64_t        epoch     = atomic_load_explicit(&c->epoch, memory_order_acquire);
    uint64_t        n_workers = NOW(c->n_workers), n_clients = NOW(c->n_clients);
    bool good = epoch != 0 && n_workers >= 1 && n_workers <= SLOTS_WORKERS_MAX &&
                n_clients >= 1 && n_clients <= SLOTS_CLIENTS_MAX &&
                NOW(c->stride) == stride_for((uint32_t)n_clients) &&
                opened.seg.size == SEGMENT_HEADER + n_workers * NOW(c->stride);
    if (!good) {
        slots_close(&opened);
        return err_set(err, "the slots segment is not ready, or of another "
                       "build of shardd");
    }
    opened.n_workers = (uint32_t)n_workers;
    opened.n_clients = (uint32_t)n_clients;
    opened.stride    = stride_for(opened.n_clients);
    *s = opened;
    return true;
}

void
slots_close(struct slots *s)
{
    segment_close(&s->seg);
}

uint64_t
slots_epoch(const struct slots *s)
{
    return atomic_load_explicit(&control_of(s)->epoch, memory_order_acquire);
}

uint64_t
slots_master_pid(const struct slots *s)
{
    return NOW(control_of(s)->master_pid);
}

bool
slots_master_gone(const struct slots *s, const char *instance)
{
    char        path[128];
    struct stat named, mine;

    snprintf(path, sizeof(path), "/dev/shm/shardd-%s-slots", instance);
    return stat(path, &named) != 0 || fstat(s->seg.fd, &mine) != 0 ||
           named.st_ino != mine.st_ino || named.st_dev != mine.st_dev;
}

bool
slots_has_strangers(const struct slots *s)
{
    const struct control *c = control_of(s);
    uint64_t              n = NOW(c->n_strangers);

    for (uint64_t i = 0; i < n && i < STRANGERS_MAX; i++)
        if (process_lives(NOW(c->stranger[i])))
            return true;
    return n > STRANGERS_MAX;
}

const struct slot *
slots_at(const struct slots *s, uint32_t worker)
{
    return slot_of(s, worker);
}

/* Gauges, mail and rows end with the process that wrote them. The rows' counts
 * stay, so that a reader in the middle of one notices. */
static void
clear(struct slot *slot, uint32_t n_clients)
{
    uint64_t used = NOW(slot->rows);

    PUT(slot->gate.ask, 0);
    for (uint32_t i = 0; i < SLOTS_WORKERS_MAX; i++)
        PUT(slot->gate.honours[i], 0);
    for (uint32_t i = 0; i < GATE_UNDECIDED_MAX; i++)
        PUT(slot->gate.undecided[i], 0);
    for (uint32_t i = 0; i < SLOT_USERS; i++)
        PUT(slot->user[i].connections, 0);
    for (int i = 0; i < COUNTERS_N; i++)
        if (counter_info[i].role == COUNTER_GAUGE)
            PUT(slot->counter[i], 0);
    for (uint32_t shard = 0; shard < ROUTES_SHARDS_MAX; shard++)
        for (int i = 0; i < SHARD_COUNTERS_N; i++)
            if (shard_counter_info[i].role == COUNTER_GAUGE)
                PUT(slot->shard[shard].counter[i], 0);
    slot_clear_servers(slot);
    for (uint32_t row = 0; row < n_clients && row < used; row++) {
        struct client_row *r     = &slot->client[row];
        uint64_t           count = NOW(r->lock.count);
        PUT(r->word[0], 0);
        atomic_store_explicit(&r->lock.count, (count | 1) + 1, memory_order_release);
    }
}

struct slot *
slots_take(struct slots *s, uint32_t worker, struct err *err)
{
    assert(worker < s->n_workers);
    size_t offset = SEGMENT_HEADER + worker * s->stride;

    if (!back(s, offset, sizeof(struct slot), err))
        return NULL;
    if (s->seg.writer && mprotect(s->seg.base, s->seg.size, PROT_READ) != 0) {
        err_set(err, "cannot make the slots read-only: %s", strerror(errno));
        return NULL;
    }
    struct slot *slot = mmap(NULL, s->stride, PROT_READ | PROT_WRITE, MAP_SHARED,
                             s->seg.fd, (off_t)offset);
    if (slot == MAP_FAILED) {
        err_set(err, "cannot map worker slot %u: %s", worker, strerror(errno));
        return NULL;
    }

    uint64_t now = slots_now_ms();
    clear(slot, s->n_clients);
    PUT(slot->life.edition, 0);
    PUT(slot->life.generation, 0);
    PUT(slot->life.users_generation, 0);
    PUT(slot->life.drained, 0);
    PUT(slot->life.settled, 0);
    PUT(slot->life.process, 0);
    PUT(slot->life.epoch, slots_epoch(s));
    PUT(slot->life.started_ms, now);
    PUT(slot->life.heartbeat_ms, now);
    PUT(slot->life.state, SLOT_STARTING);
    atomic_store_explicit(&slot->life.pid, (uint64_t)getpid(), memory_order_release);
    return slot;
}

void
slots_bury(struct slots *s, uint32_t worker)
{
    struct slot *slot = slot_of(s, worker);

    PUT(slot->life.pid, 0);
    PUT(slot->life.state, SLOT_EMPTY);
    clear(slot, s->n_clients);
}

/* Life. */

void
slot_beat(struct slot *slot, uint64_t now_ms)
{
    PUT(slot->life.heartbeat_ms, now_ms);
}

void
slot_enter(struct slot *slot, enum slot_state state)
{
    PUT(slot->life.state, state);
}

void
slot_acknowledge(struct slot *slot, uint64_t edition, uint64_t generation,
                 uint64_t users_generation)
{
    PUT(slot->life.generation, generation);
    PUT(slot->life.users_generation, users_generation);
    atomic_store_explicit(&slot->life.edition, edition, memory_order_release);
}

void
slot_process(struct slot *slot, uint64_t epoch)
{
    atomic_store_explicit(&slot->life.process, epoch, memory_order_release);
}

void
slot_drained(struct slot *slot, uint64_t generation)
{
    atomic_store_explicit(&slot->life.drained, generation, memory_order_release);
}

void
slot_settled(struct slot *slot, uint64_t generation)
{
    atomic_store_explicit(&slot->life.settled, generation, memory_order_release);
}

bool
slot_alive(const struct slot *slot, uint64_t now_ms, uint64_t stale_ms)
{
    uint64_t pid  = atomic_load_explicit(&slot->life.pid, memory_order_acquire);
    uint64_t beat = NOW(slot->life.heartbeat_ms);

    if (pid == 0 || NOW(slot->life.state) == SLOT_EMPTY)
        return false;
    if (!process_lives(pid))
        return false;
    return stale_ms == 0 || now_ms < beat || now_ms - beat <= stale_ms;
}

bool
slots_acknowledged(const struct slots *s, uint64_t edition)
{
    for (uint32_t i = 0; i < s->n_workers; i++) {
        const struct slot *slot = slots_at(s, i);
        uint64_t used = atomic_load_explicit(&slot->life.edition, memory_order_acquire);
        if (used < edition && slot_alive(slot, 0, 0))
            return false;
    }
    return true;
}

bool
slots_drained(const struct slots *s, uint64_t generation)
{
    for (uint32_t i = 0; i < s->n_workers; i++) {
        const struct slot *slot = slots_at(s, i);
        uint64_t drained = atomic_load_explicit(&slot->life.drained, memory_order_acquire);
        if (drained < generation && slot_alive(slot, 0, 0))
            return false;
    }
    return true;
}

bool
slots_settled(const struct slots *s, uint64_t generation)
{
    for (uint32_t i = 0; i < s->n_workers; i++) {
        const struct slot *slot = slots_at(s, i);
        uint64_t settled = atomic_load_explicit(&slot->life.settled, memory_order_acquire);
        if (settled < generation && slot_alive(slot, 0, 0))
            return false;
    }
    return true;
}

/* Shards. */

struct slot_shard *
slot_shard(struct slot *slot, uint32_t id)
{
    struct slot_shard *free_one = NULL;

    for (uint32_t i = 0; i < ROUTES_SHARDS_MAX; i++) {
        struct slot_shard *shard = &slot->shard[i];
        uint64_t           has   = NOW(shard->id);
        if (has == (uint64_t)id + 1)
            return shard;
        if (has == 0 && free_one == NULL)
            free_one = shard;
    }
    if (free_one == NULL)
        return &slot->shard[ROUTES_SHARDS_MAX - 1];
    for (int i = 0; i < SHARD_COUNTERS_N; i++)
        PUT(free_one->counter[i], 0);
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        PUT(free_one->latency[i], 0);
    atomic_store_explicit(&free_one->id, (uint64_t)id + 1, memory_order_release);
    return free_one;
}

void
slot_keep_shards(struct slot *slot, const uint32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < ROUTES_SHARDS_MAX; i++) {
        uint64_t has  = NOW(slot->shard[i].id);
        bool     kept = has == 0;
        for (uint32_t k = 0; k < n && !kept; k++)
            kept = has == (uint64_t)ids[k] + 1;
        if (!kept)
            PUT(slot->shard[i].id, 0);
    }
}

/* Mail. */

void
mail_post(struct slot *own, struct mail mail)
{
    struct mailbox *box  = &own->mailbox;
    uint64_t        sent = NOW(box->sent);
    uint64_t        at   = sent % SLOT_MAILS;

    atomic_store_explicit(&box->kind[at], MAIL_NONE, memory_order_release);
    atomic_store_explicit(&box->target[at], mail.target, memory_order_release);
    atomic_store_explicit(&box->kind[at], mail.kind, memory_order_release);
    atomic_store_explicit(&box->sent, sent + 1, memory_order_release);
}

uint64_t
mail_cursor(const struct slot *sender)
{
    return atomic_load_explicit(&sender->mailbox.sent, memory_order_acquire);
}

/* A mail that is overwritten while it is read must not be delivered with the
 * kind of one and the target of another: it counts only if the writer had not
 * come round to its place before and after. */
bool
mail_take(const struct slot *sender, uint64_t *cursor, struct mail *out)
{
    const struct mailbox *box = &sender->mailbox;

    for (;;) {
        uint64_t sent = atomic_load_explicit(&box->sent, memory_order_acquire);
        if (*cursor >= sent) {
            *cursor = sent;
            return false;
        }
        if (sent - *cursor >= SLOT_MAILS)
            *cursor = sent - SLOT_MAILS + 1; /* the place before may be in work */

        uint64_t at     = *cursor % SLOT_MAILS;
        uint64_t kind   = atomic_load_explicit(&box->kind[at], memory_order_acquire);
        uint64_t target = atomic_load_explicit(&box->target[at], memory_order_acquire);
        uint64_t after  = atomic_load_explicit(&box->sent, memory_order_acquire);
        bool     whole  = after - *cursor < SLOT_MAILS &&
                     kind > MAIL_NONE && kind <= MAIL_REPORT;
        *cursor += 1;
        if (whole) {
            *out = (struct mail){ (enum mail_kind)kind, target };
            return true;
        }
    }
}

/* Sums. */

void
slots_sum(const struct slots *s, struct slots_sum *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t worker = 0; worker < s->n_workers; worker++) {
        const struct slot *slot = slots_at(s, worker);
        for (int i = 0; i < COUNTERS_N; i++)
            out->counter[i] += NOW(slot->counter[i]);
        for (int i = 0; i < LATENCIES_N; i++)
            histogram_add(&out->latency[i], &slot->latency[i]);
    }
}

void
slots_sum_shard(const struct slots *s, uint32_t id,
                uint64_t out[SHARD_COUNTERS_N])
{
    memset(out, 0, SHARD_COUNTERS_N * sizeof(*out));
    for (uint32_t worker = 0; worker < s->n_workers; worker++) {
        const struct slot *slot = slots_at(s, worker);
        for (uint32_t i = 0; i < ROUTES_SHARDS_MAX; i++) {
            if (NOW(slot->shard[i].id) != (uint64_t)id + 1)
                continue;
            for (int c = 0; c < SHARD_COUNTERS_N; c++)
                out[c] += NOW(slot->shard[i].counter[c]);
        }
    }
}
