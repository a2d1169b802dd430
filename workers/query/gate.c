/* gate.c - see gate.h. */
#include "workers/query/gate.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/route/xid.h"
#include "shm/slots.h"

enum { LOOK_MS = 5 }; /* while the gate is closed: is whoever closed it alive? */

struct gate {
    struct context *ctx;

    /* Of the commits of this worker. */
    struct list  parked;
    uint32_t     n_inside;
    bool         closed;                       /* somebody asks: park */
    uint64_t     honoured[SLOTS_WORKERS_MAX];  /* by row; as in our slot */
    uint32_t     n_honoured;
    struct timer timer;
    bool         looking, again, lives_too;

    /* Of its snapshots. */
    struct list  waiting, group; /* gate_asks: for the next ask, of the one that is out */
    uint64_t     until_us;       /* the ask; 0: none is out */
    uint64_t     last_us;
    bool         is_closed;      /* all have answered */
    struct timer expiry;
    uint64_t     clean_mark;     /* gate_mark(); 0: never */
    uint64_t     clean_us;       /* before the look */
};

static void publish(struct gate *g);

struct gate *
gate_new(struct context *ctx)
{
    struct gate *g = mem_alloc(sizeof(*g));

    g->ctx = ctx;
    list_init(&g->parked);
    list_init(&g->waiting);
    list_init(&g->group);
    atomic_thread_fence(memory_order_seq_cst); /* our slot says that we live: see shm/gate.c */
    return g;
}

static void
poke(const struct gate *g, uint32_t row)
{
    const struct context *ctx = g->ctx;
    uint64_t              one = 1;

    /* Whoever cannot be poked looks by itself after 100 ms. */
    if (row != ctx->number && ctx->pokes != NULL &&
        write(ctx->pokes[row], &one, sizeof(one)) < 0)
        slot_count(ctx->slot, COUNTER_ERRORS_SHARDD);
}

static void
poke_all(const struct gate *g)
{
    for (uint32_t row = 0; row < g->ctx->slots->n_workers; row++)
        if (slot_alive(slots_at(g->ctx->slots, row), 0, 0))
            poke(g, row);
}

/* --- commits -------------------------------------------------------------- */

void
gate_prepare(struct gate *g, struct gate_passage *p, const char *gtrid)
{
    _Atomic uint64_t *undecided = g->ctx->slot->gate.undecided;
    struct xid        xid;

    if (!xid_decode(span_of(gtrid), &xid))
        return;
    for (uint32_t i = 0; i < GATE_UNDECIDED_MAX; i++)
        if (atomic_load_explicit(&undecided[i], memory_order_relaxed) == 0) {
            atomic_store_explicit(&undecided[i], gate_word(xid.epoch, xid.counter),
                                  memory_order_release);
            p->said = i + 1;
            return;
        }
}

static void
unsay(struct gate *g, struct gate_passage *p)
{
    if (p->said != 0)
        atomic_store_explicit(&g->ctx->slot->gate.undecided[p->said - 1], 0,
                              memory_order_release);
    p->said = 0;
}

void
gate_doubt(struct gate *g)
{
    _Atomic uint64_t *doubts = &g->ctx->slot->gate.doubts;

    atomic_store_explicit(doubts, atomic_load_explicit(doubts, memory_order_relaxed) + 1,
                          memory_order_release);
}

bool
gate_is_clean(const struct gate *g, uint64_t login_us)
{
    return g->clean_mark != 0 && login_us < g->clean_us &&
           g->clean_mark == gate_mark(g->ctx->slots);
}

void
gate_found_clean(struct gate *g, uint64_t mark, uint64_t looked_us)
{
    g->clean_mark = mark;
    g->clean_us   = looked_us;
}

static void
let_in(struct gate *g, struct gate_passage *p)
{
    unsay(g, p);
    p->inside = true;
    g->n_inside++;
}

bool
gate_enter(struct gate *g, struct gate_passage *p)
{
    if (!g->closed) {
        let_in(g, p);
        return true;
    }
    p->parked   = true;
    p->since_us = clock_us();
    list_init(&p->node);
    list_append(&g->parked, &p->node);
    return false;
}

void
gate_leave(struct gate *g, struct gate_passage *p)
{
    if (p->parked)
        list_remove(&p->node);
    if (p->inside)
        g->n_inside--;
    unsay(g, p);
    p->parked = p->inside = false;
    if (g->closed && g->n_inside == 0)
        gate_look(g);
}

/* Those that come meanwhile are not among them. */
static void
let_all_in(struct gate *g)
{
    struct list go;

    list_init(&go);
    LIST_EACH_SAFE(at, &g->parked) {
        struct gate_passage *p = container_of(at, struct gate_passage, node);
        list_remove(at);
        list_append(&go, at);
        let_in(g, p);
    }
    while (!list_empty(&go)) {
        struct gate_passage *p = container_of(go.next, struct gate_passage, node);
        list_remove(&p->node);
        list_init(&p->node);
        p->parked  = false;
        p->held_us = clock_us() - p->since_us;
        slot_count(g->ctx->slot, COUNTER_COMMITS_HELD);
        histogram_record(&g->ctx->slot->latency[LATENCY_COMMIT_HELD], p->held_us * 1000);
        p->opened(p);
    }
}

/* --- what the others ask -------------------------------------------------- */

static void
look_again(struct timer *timer)
{
    struct gate *g = container_of(timer, struct gate, timer);

    g->lives_too = true;
    gate_look(g);
}

/* The oldest ask of those that we honour; UINT64_MAX: none. */
static uint64_t
oldest_honoured(const struct gate *g)
{
    uint64_t oldest = UINT64_MAX;

    for (uint32_t row = 0; g->n_honoured > 0 && row < g->ctx->slots->n_workers; row++)
        if (g->honoured[row] != 0 && g->honoured[row] < oldest)
            oldest = g->honoured[row];
    return oldest;
}

static void
honour(struct gate *g, const uint64_t *asks)
{
    uint64_t before = oldest_honoured(g);
    bool     free   = before == UINT64_MAX || list_empty(&g->parked);

    if (g->n_inside > 0)
        return;
    for (uint32_t row = 0; row < g->ctx->slots->n_workers; row++) {
        if (asks[row] == 0 || g->honoured[row] != 0 || (!free && asks[row] > before))
            continue;
        g->honoured[row] = asks[row];
        g->n_honoured++;
        gate_honour(g->ctx->slot, row, asks[row]);
        poke(g, row);
    }
}

static void
look(struct gate *g)
{
    const struct slots *slots = g->ctx->slots;
    uint64_t            asks[SLOTS_WORKERS_MAX];
    uint64_t            now  = clock_us();
    uint32_t            held = g->n_honoured;
    bool                any  = false;

    for (uint32_t row = 0; row < slots->n_workers; row++) {
        asks[row] = gate_asked(slots, row, now, g->lives_too);
        any       = any || asks[row] != 0;
        if (g->honoured[row] != 0 && g->honoured[row] != asks[row]) {
            g->honoured[row] = 0;
            g->n_honoured--;
        }
    }
    g->closed = any;
    if (g->n_honoured == 0 && (held > 0 || !any))
        let_all_in(g);
    honour(g, asks);
}

static void
closed_at_last(struct gate *g)
{
    if (g->until_us == 0 || g->is_closed ||
        !gate_honoured(g->ctx->slots, g->ctx->number, g->until_us))
        return;
    g->is_closed = true;
    LIST_EACH_SAFE(at, &g->group)
        container_of(at, struct gate_ask, node)->closed(container_of(at, struct gate_ask, node));
}

void
gate_look(struct gate *g)
{
    struct timers *timers = ring_timers(g->ctx->ring);

    g->again = true;
    if (g->looking)
        return;
    g->looking = true;
    while (g->again) {
        g->again = false;
        look(g);
        closed_at_last(g);
        if (g->until_us == 0 && !list_empty(&g->waiting)) {
            publish(g);
            g->again = true;
        }
    }
    g->looking   = false;
    g->lives_too = false;
    if (g->closed)
        timer_start(timers, &g->timer, LOOK_MS, look_again);
    else
        timer_stop(timers, &g->timer);
}

/* --- what we ask ---------------------------------------------------------- */

static void
withdraw(struct gate *g)
{
    timer_stop(ring_timers(g->ctx->ring), &g->expiry);
    g->until_us  = 0;
    g->is_closed = false;
    gate_ask(g->ctx->slot, 0);
    poke_all(g);
}

static void
expire(struct timer *timer)
{
    struct gate *g   = container_of(timer, struct gate, expiry);
    bool         was = g->is_closed;
    struct list  late;

    list_init(&late);
    LIST_EACH_SAFE(at, &g->group) {
        list_remove(at);
        list_append(&late, at);
    }
    withdraw(g);
    while (!list_empty(&late)) {
        struct gate_ask *ask = container_of(late.next, struct gate_ask, node);
        list_remove(&ask->node);
        ask->waits = false;
        ask->expired(ask, was);
    }
    gate_look(g);
}

static void
publish(struct gate *g)
{
    uint64_t wait_us = (uint64_t)g->ctx->conf.snapshot_wait_ms * 1000;
    uint64_t until   = clock_us() + wait_us;

    LIST_EACH_SAFE(at, &g->waiting) {
        list_remove(at);
        list_append(&g->group, at);
    }
    g->until_us = until > g->last_us ? until : g->last_us + 1; /* no two are the same */
    g->last_us  = g->until_us;
    timer_start(ring_timers(g->ctx->ring), &g->expiry, g->ctx->conf.snapshot_wait_ms, expire);
    gate_ask(g->ctx->slot, g->until_us);
    poke_all(g);
}

void
gate_close(struct gate *g, struct gate_ask *ask)
{
    ask->waits = true;
    list_init(&ask->node);
    list_append(g->until_us != 0 && !g->is_closed ? &g->group : &g->waiting, &ask->node);
    gate_look(g);
}

bool
gate_open(struct gate *g, struct gate_ask *ask)
{
    bool good = g->is_closed && clock_us() < g->until_us;

    if (!ask->waits)
        return false;
    ask->waits = false;
    list_remove(&ask->node);
    if (g->until_us != 0 && list_empty(&g->group)) {
        withdraw(g);
        gate_look(g);
    }
    return good;
}
