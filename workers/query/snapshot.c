/* snapshot.c - see snapshot.h. */
#include "workers/query/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/row.h"
#include "core/route/xid.h"
#include "core/sql/literal.h"
#include "workers/backend/reaper.h"
#include "workers/query/gate.h"
#include "workers/query/leg.h"
#include "workers/query/txn.h"

enum {
    ERR_LOCK_WAIT = 1205, /* ER_LOCK_WAIT_TIMEOUT: try again */
    ERR_LOST      = 1927,
    AGAIN_MS      = 20,
    SAYS_PER_LEG  = 3,
    RECOVER_CELLS = 4, /* formatID, gtrid_length, bqual_length, data */
};

enum phase { PHASE_LOOK, PHASE_OPEN, PHASE_CHECK };

struct said {
    struct exchange  x;
    struct snapshot *snapshot;
    bool             opens; /* its warnings are the client's */
};

/* A prepared branch of a transaction whose decision is on `home`. */
struct seen {
    uint32_t home;
    bool     asked; /* or not worth asking about */
    uint32_t worker; /* its row, and its word among the undecided there */
    uint64_t word;
    char     gtrid[XID_GTRID_MAX + 1];
};

/* A question to a home shard. Outlives the snapshot when nobody waits any more. */
struct inquiry {
    struct inquiry    *next;
    struct snapshot   *snapshot; /* NULL: it is over */
    struct pool_waiter waiter;
    struct exchange    x;
    struct buf         text;
};

struct snapshot {
    struct query_run    *q;
    struct snapshot_spec spec;
    char                 begin[96];
    void               (*opened)(struct query_run *q, const struct sql_error *error);
    struct gate_ask      ask;
    struct timer         again;
    char                *next_transaction; /* owned: for the next try */
    enum phase           phase;
    uint32_t             n_open, n_said;
    bool                 starting, failed, over, doubt;
    struct sql_error     error;
    uint64_t             started_us, mark, looked_us;
    struct seen         *seen; /* owned */
    uint32_t             n_seen;
    struct inquiry      *inquiries;
    struct said          said[];
};

static void next(struct snapshot *sn);
static void start(struct snapshot *sn);

/* --- the end -------------------------------------------------------------- */

static void
let_go(struct snapshot *sn)
{
    struct query_run *q = sn->q;

    sn->over = true;
    gate_open(q->ctx->gate, &sn->ask);
    timer_stop(ring_timers(q->ctx->ring), &sn->again);
    for (struct inquiry *i = sn->inquiries; i != NULL; i = i->next)
        i->snapshot = NULL;
    sn->inquiries = NULL;
}

static void
snapshot_free(struct snapshot *sn)
{
    sn->q->opening = NULL;
    free(sn->seen);
    free(sn->next_transaction);
    free(sn);
}

void
snapshot_abandon(struct query_run *q)
{
    struct snapshot *sn = q->opening;

    if (sn == NULL)
        return;
    let_go(sn);
    for (uint32_t i = 0; i < q->s->n_held; i++) {
        const struct held *h = &q->s->held[i];
        /* An answer is under way that nobody will read. */
        if (h->role != HELD_PIN && h->backend != NULL && !list_empty(&h->backend->fifo))
            reaper_kill(q->ctx, h->shard_id, h->backend->login.thread_id);
    }
    session_abort(q->s); /* we still hear of the lost answers */
    snapshot_free(sn);
}

static void
fail(struct snapshot *sn, const struct sql_error *why)
{
    struct query_run *q     = sn->q;
    struct sql_error  error = *why;
    void (*opened)(struct query_run *, const struct sql_error *) = sn->opened;

    slot_count(q->ctx->slot, COUNTER_SNAPSHOTS_FAILED);
    snapshot_abandon(q);
    opened(q, &error);
}

static void
succeed(struct snapshot *sn)
{
    struct query_run *q = sn->q;
    void (*opened)(struct query_run *, const struct sql_error *) = sn->opened;

    q->s->snapshot = !sn->spec.implicit;
    q->s->begin    = mem_strdup(sn->begin);
    if (sn->spec.shards.n > 1) {
        slot_count(q->ctx->slot, COUNTER_SNAPSHOTS_OPENED);
        histogram_record(&q->ctx->slot->latency[LATENCY_SNAPSHOT],
                         (ring_now_us(q->ctx->ring) - sn->started_us) * 1000);
    }
    let_go(sn);
    snapshot_free(sn);
    opened(q, NULL);
}

static void
too_late(struct gate_ask *ask, bool was_closed)
{
    struct snapshot *sn = container_of(ask, struct snapshot, ask);
    struct sql_error why;

    if (was_closed)
        sql_error_set(&why, ERR_LOCK_WAIT, "shardd: a shard did not open its snapshot within "
                      "snapshot_wait_ms (%u ms); try again when all shards answer",
                      sn->q->ctx->conf.snapshot_wait_ms);
    else
        sql_error_set(&why, ERR_LOCK_WAIT, "shardd: a commit on several shards did not end within "
                      "snapshot_wait_ms (%u ms), so no snapshot can be taken now; try again",
                      sn->q->ctx->conf.snapshot_wait_ms);
    fail(sn, &why);
}

/* --- once more ------------------------------------------------------------ */

static void
try_again(struct timer *timer)
{
    start(container_of(timer, struct snapshot, again));
}

static void
rolled_back(struct query_run *q, const struct sql_error *error)
{
    struct snapshot *sn = q->opening;

    (void)error;
    q->s->next_transaction = sn->next_transaction;
    sn->next_transaction   = NULL;
    timer_start(ring_timers(q->ctx->ring), &sn->again, AGAIN_MS, try_again);
}

/* A commit is in doubt: the resolver ends it soon. */
static void
repeat(struct snapshot *sn)
{
    struct query_run *q    = sn->q;
    struct session   *s    = q->s;
    uint64_t          wait = (uint64_t)q->ctx->conf.snapshot_wait_ms * 1000;
    struct sql_error  why;

    if (ring_now_us(q->ctx->ring) - sn->started_us > wait) {
        sql_error_set(&why, ERR_LOCK_WAIT, "shardd: a commit on several shards is in doubt and "
                      "being resolved (shardctl txn list), so no snapshot can be taken now; try "
                      "again");
        fail(sn, &why);
        return;
    }
    slot_count(q->ctx->slot, COUNTER_SNAPSHOTS_REPEATED);
    if (s->next_transaction != NULL)
        sn->next_transaction = mem_strdup(s->next_transaction);
    txn_rollback(q, rolled_back);
}

/* --- what is said on the session's backends ------------------------------- */

static void
set_failed(struct snapshot *sn, const struct sql_error *why)
{
    if (!sn->failed)
        sn->error = *why;
    sn->failed = true;
}

static void
answered(struct snapshot *sn)
{
    if (--sn->n_open == 0 && !sn->starting)
        next(sn);
}

/* A branch of a transaction that is decided on a shard of ours. */
static void
see(struct snapshot *sn, const struct cell *cells)
{
    const struct routes *r    = sn->q->routes->routes;
    uint64_t             len  = 0;
    struct span          data = cells[3].bytes;
    struct xid           xid;
    bool                 known = false;

    if (!literal_u64(cells[1].bytes, &len) || len > XID_GTRID_MAX || len > data.len ||
        !xid_decode((struct span){ data.ptr, (size_t)len }, &xid))
        return;
    for (uint32_t i = 0; i < r->n_shards; i++)
        known = known || r->shards[i].id == xid.home;
    if (!known && strcmp(xid.instance, sn->q->ctx->conf.instance) != 0)
        return;
    sn->doubt = sn->doubt || !known;
    sn->seen  = mem_resize(sn->seen, (sn->n_seen + 1) * sizeof(*sn->seen));
    struct seen *seen = &sn->seen[sn->n_seen++];
    *seen = (struct seen){ .home = xid.home, .worker = xid.worker,
                           .word = gate_word(xid.epoch, xid.counter) };
    memcpy(seen->gtrid, data.ptr, (size_t)len);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct said     *said = container_of(x, struct said, x);
    struct snapshot *sn   = said->snapshot;
    struct cell      cells[RECOVER_CELLS];
    struct sql_error why;

    (void)b;
    if (m->kind == RESULT_IS_ROW && sn->phase == PHASE_LOOK && !sn->over &&
        row_text_decode(m->message.payload, RECOVER_CELLS, cells))
        see(sn, cells);
    if (!last || sn->over)
        return;
    if (result_error(&x->reader, &why))
        set_failed(sn, &why);
    if (said->opens)
        sn->q->warnings = x->reader.warnings;
    answered(sn);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct snapshot *sn = container_of(x, struct said, x)->snapshot;

    (void)b;
    if (sn->over)
        return;
    set_failed(sn, why);
    answered(sn);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

static void
say(struct snapshot *sn, const struct held *h, const char *text, bool opens)
{
    struct said *said = &sn->said[sn->n_said++];

    *said = (struct said){ .snapshot = sn, .opens = opens };
    sn->n_open++;
    backend_send(h->backend, COM_QUERY, span_of(text), &said->x, &ops);
}

/* A branch has no START TRANSACTION: its first read opens its view, also of a table of
 * ours without rows. The right to it comes with a role, see txn.c. */
static void
say_open(struct snapshot *sn, const struct held *h)
{
    if (h->role == HELD_PLAIN) {
        if (sn->spec.implicit)
            say(sn, h, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", false);
        say(sn, h, sn->begin, true);
        return;
    }
    say(sn, h, "SET ROLE " ROLE_OURS_NAME, false);
    say(sn, h, "CALL shardd.open_view()", false);
    h->backend->role = ROLE_NONE;
    say(sn, h, "SET ROLE NONE", false);
}

static void
say_everywhere(struct snapshot *sn, enum phase phase)
{
    struct query_run *q = sn->q;
    struct sql_error  why;

    sn->phase    = phase;
    sn->n_said   = 0;
    sn->starting = true;
    for (uint32_t i = 0; i < q->n_legs && !sn->failed; i++) {
        const struct held *h = session_held(q->s, q->legs[i].shard_id);
        if (h == NULL || h->backend == NULL) {
            sql_error_set(&why, ERR_LOST, "shardd: %s was lost while its snapshot was opened: "
                          "try again", backend_name(q->ctx, q->legs[i].shard_id));
            set_failed(sn, &why);
        } else if (phase == PHASE_LOOK) {
            say(sn, h, "XA RECOVER", false);
        } else {
            say_open(sn, h);
        }
    }
    sn->starting = false;
    if (sn->n_open == 0)
        next(sn);
}

/* --- what is decided ------------------------------------------------------ */

static void
inquiry_over(struct inquiry *i, const struct sql_error *why)
{
    struct snapshot *sn = i->snapshot;

    if (sn != NULL) {
        struct inquiry **at = &sn->inquiries;
        while (*at != i)
            at = &(*at)->next;
        *at = i->next;
        if (why != NULL)
            set_failed(sn, why);
    }
    buf_fini(&i->text);
    free(i);
    if (sn != NULL)
        answered(sn);
}

static void
inquiry_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct inquiry  *i = container_of(x, struct inquiry, x);
    struct cell      cell;
    uint64_t         n = 0;
    struct sql_error why;

    if (m->kind == RESULT_IS_ROW && i->snapshot != NULL &&
        (!row_text_decode(m->message.payload, 1, &cell) || !literal_u64(cell.bytes, &n) || n > 0))
        i->snapshot->doubt = true;
    if (!last)
        return;
    pool_release(b);
    inquiry_over(i, result_error(&x->reader, &why) ? &why : NULL);
}

static void
inquiry_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b;
    inquiry_over(container_of(x, struct inquiry, x), why);
}

static void
inquiry_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    static const struct exchange_ops inquiry_ops = { .on_message = inquiry_message,
                                                     .on_lost    = inquiry_lost };
    struct inquiry                  *i = container_of(w, struct inquiry, waiter);

    if (b == NULL)
        inquiry_over(i, why);
    else
        backend_send(b, COM_QUERY, buf_unread(&i->text), &i->x, &inquiry_ops);
}

static void
inquire(struct snapshot *sn, uint32_t home)
{
    struct inquiry *i = mem_alloc(sizeof(*i));

    *i = (struct inquiry){ .next = sn->inquiries, .snapshot = sn };
    buf_append_text(&i->text, "SELECT COUNT(*) FROM shardd.decision WHERE state = 'commit' AND "
                              "xid IN (''");
    for (uint32_t k = 0; k < sn->n_seen; k++)
        if (sn->seen[k].home == home) {
            buf_printf(&i->text, ",'%s'", sn->seen[k].gtrid);
            sn->seen[k].asked = true;
        }
    buf_append_text(&i->text, ")");
    sn->inquiries   = i;
    i->waiter.ready = inquiry_backend;
    sn->n_open++;
    struct backend *b = pool_acquire(pool_service(sn->q->ctx, home), &i->waiter);
    if (b != NULL)
        inquiry_backend(&i->waiter, b, NULL);
}

static void
check(struct snapshot *sn)
{
    sn->phase    = PHASE_CHECK;
    sn->starting = true;
    for (uint32_t k = 0; k < sn->n_seen && !sn->doubt; k++)
        if (!sn->seen[k].asked)
            inquire(sn, sn->seen[k].home);
    sn->starting = false;
    if (sn->n_open == 0)
        next(sn);
}

/* --- the way -------------------------------------------------------------- */

/* Live workers have prepared them and hold them back at the gate. What is nobody's must be
 * asked about. */
static void
sort_out(struct snapshot *sn)
{
    struct context *ctx   = sn->q->ctx;
    bool            clean = !sn->doubt && sn->q->n_legs == sn->q->routes->routes->n_shards;

    for (uint32_t i = 0; i < sn->n_seen; i++) {
        sn->seen[i].asked = gate_undecided(ctx->slots, sn->seen[i].worker, sn->seen[i].word);
        clean             = clean && sn->seen[i].asked;
    }
    if (clean)
        gate_found_clean(ctx->gate, sn->mark, sn->looked_us);
}

static void
next(struct snapshot *sn)
{
    bool gated = sn->spec.shards.n > 1;

    if (sn->failed) {
        struct sql_error why = sn->error;
        fail(sn, &why);
        return;
    }
    switch (sn->phase) {
    case PHASE_LOOK:
        sort_out(sn);
        say_everywhere(sn, PHASE_OPEN);
        return;
    case PHASE_OPEN:
        if (gated)
            check(sn);
        else
            succeed(sn);
        return;
    case PHASE_CHECK:
        if (!gate_open(sn->q->ctx->gate, &sn->ask))
            too_late(&sn->ask, true);
        else if (sn->doubt)
            repeat(sn);
        else
            succeed(sn);
        return;
    }
}

/* When the youngest of its connections was logged in; one that is lost is none. */
static uint64_t
youngest_us(const struct snapshot *sn)
{
    const struct query_run *q     = sn->q;
    uint64_t                login = 0;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct held *h = session_held(q->s, q->legs[i].shard_id);
        if (h != NULL && h->backend != NULL && h->backend->login_us > login)
            login = h->backend->login_us;
    }
    return login;
}

static void
closed(struct gate_ask *ask)
{
    struct snapshot *sn  = container_of(ask, struct snapshot, ask);
    struct context  *ctx = sn->q->ctx;

    sn->mark      = gate_mark(ctx->slots);
    sn->looked_us = ring_now_us(ctx->ring);
    say_everywhere(sn, gate_is_clean(ctx->gate, youngest_us(sn)) ? PHASE_OPEN : PHASE_LOOK);
}

static void
joined(struct query_run *q)
{
    struct snapshot *sn = q->opening;
    struct sql_error why;

    if (q->failed) {
        fail(sn, &q->error);
        return;
    }
    if (q->n_legs == 1) {
        say_everywhere(sn, PHASE_OPEN);
        return;
    }
    if (slots_has_strangers(q->ctx->slots) ||
        slots_master_gone(q->ctx->slots, q->ctx->conf.instance)) {
        sql_error_set(&why, ERR_LOCK_WAIT, "shardd: workers of an earlier shardd with other "
                      "settings still serve clients, whose commits cannot be held back; try "
                      "again when they are gone");
        fail(sn, &why);
        return;
    }
    gate_close(q->ctx->gate, &sn->ask);
}

/* The session holds the backend: whatever happens to it is heard there. */
static void
leg_joined(struct leg *leg)
{
    leg->backend = NULL;
    leg_over(leg, NULL);
}

static void
start(struct snapshot *sn)
{
    struct query_run *q = sn->q;
    struct session   *s = q->s;

    sn->doubt    = false;
    sn->n_seen   = 0;
    sn->ask      = (struct gate_ask){ .closed = closed, .expired = too_late };
    s->in_txn    = true;
    s->implicit  = sn->spec.implicit;
    s->read_only = sn->spec.read_only;
    q->leg_ready = leg_joined;
    q->leg_ended = NULL;
    q->all_over  = joined;
    legs_make(q, &sn->spec.shards);

    uint32_t n = q->n_legs;
    for (uint32_t i = 0; i < n; i++)
        leg_start(&q->legs[i]);
}

void
snapshot_open(struct query_run *q, const struct snapshot_spec *spec,
              void (*opened)(struct query_run *q, const struct sql_error *error))
{
    struct snapshot *sn =
        mem_alloc(sizeof(*sn) + SAYS_PER_LEG * spec->shards.n * sizeof(sn->said[0]));

    *sn = (struct snapshot){ .q = q, .spec = *spec, .opened = opened };
    snprintf(sn->begin, sizeof(sn->begin), "%s", spec->begin);
    sn->started_us = ring_now_us(q->ctx->ring);
    q->opening     = sn;
    start(sn);
}
