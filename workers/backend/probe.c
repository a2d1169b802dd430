/* probe.c - how far servers are, and whether they answer: see servers.h.
 *
 *   each replica_probe_ms, a bit earlier or later (replica_probe_jitter):
 *   primary: SELECT @@gtid_binlog_pos --> G, of the moment when it was asked
 *      then each replica: SELECT @@gtid_slave_pos --> it has G: it covers that moment
 *
 * A replica that does not answer in time is left alone at once, and statements that wait for it
 * are sent elsewhere. While the primary does not answer nothing new is proven. Each
 * replica_login_ms the connection for it is made anew, so that a server that takes no new ones is
 * found out: TCP, login, answer.
 *
 * No row is written for it. A row with the time tells how late replication is as long as somebody
 * writes it, needs a right to do so on each primary, and compares clocks; positions tell the same
 * of a primary on which nothing happens.
 */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/mysql/wire.h"
#include "workers/backend/servers.h"

static void hurry(struct timer *timer);

enum { PROBES_PER_MS = 1, HURRY_MS = 2, ERR_SILENT = 1430 /* ER_QUERY_ON_FOREIGN_DATA_SOURCE */ };

/* --- one question ------------------------------------------------------------- */

static struct timers *
timers_of(const struct probe *p)
{
    return ring_timers(p->ctx->ring);
}

static void
finish(struct probe *p, bool well)
{
    if (!p->asking)
        return;
    p->stage   = well ? PROBE_WELL : p->stage;
    p->asking  = false;
    p->backend = NULL;
    timer_stop(timers_of(p), &p->deadline);
    pool_cancel(&p->waiter);
    p->done(p, well);
}

/* The next one logs in. */
static void
close_old(const struct probe *p, struct backend *b)
{
    uint64_t ms = p->ctx->conf.replica_login_ms;

    if (ms != 0 && b->state == BACKEND_IDLE && ring_now_ms(p->ctx->ring) >= b->opened_ms + ms)
        backend_close(b, NULL);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct probe *p = container_of(x, struct probe, x);

    if (m->kind == RESULT_IS_ROW) {
        struct cursor c     = cursor_of(m->message.payload);
        bool          null  = false;
        struct span   value = wire_nullable_bytes(&c, &null);
        p->len              = value.len;
        p->good             = !null && !c.bad && value.len <= sizeof(p->text);
        if (p->good)
            memcpy(p->text, value.ptr, value.len);
    }
    if (!last)
        return;
    pool_release(b);
    close_old(p, b);
    finish(p, x->reader.error == 0 && p->good);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    (void)b, (void)why;
    finish(container_of(x, struct probe, x), false);
}

static void
ask(struct probe *p, struct backend *b)
{
    static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };
    bool replica = p->server_id >= ROUTES_REPLICA_ID;

    p->backend  = b;
    p->good     = false;
    p->stage    = PROBE_ANSWER;
    p->asked_us = clock_us();
    backend_send(b, COM_QUERY, replica ? SPAN("SELECT @@gtid_slave_pos")
                                       : SPAN("SELECT @@gtid_binlog_pos"), &p->x, &ops);
}

static void
got_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    struct probe *p = container_of(w, struct probe, waiter);

    (void)why;
    if (b != NULL) {
        ask(p, b);
        return;
    }
    p->stage = pool_service(p->ctx, p->server_id)->failed_login ? PROBE_LOGIN : PROBE_CONNECT;
    finish(p, false);
}

/* What it waits for. */
static enum probe_stage
stage_of(const struct pool *pool)
{
    LIST_EACH(at, &pool->opening)
        if (container_of(at, struct backend, node)->state == BACKEND_LOGIN)
            return PROBE_LOGIN;
    return PROBE_CONNECT;
}

/* Who gave it back late may not give it to somebody else. */
static void
too_late(struct timer *timer)
{
    struct probe   *p = container_of(timer, struct probe, deadline);
    struct backend *b = p->backend;

    if (b != NULL) {
        backend_close(b, NULL); /* on_lost() comes from it */
        return;
    }
    p->stage = p->waiter.pool != NULL ? stage_of(p->waiter.pool) : PROBE_CONNECT;
    finish(p, false);
}

static void
probe_start(struct probe *p, struct context *ctx, uint32_t server_id,
            void (*done)(struct probe *p, bool well))
{
    if (p->asking)
        return;
    p->ctx          = ctx;
    p->server_id    = server_id;
    p->done         = done;
    p->asking       = true;
    p->asked_us     = clock_us();
    p->waiter.ready = got_backend;
    timer_start(timers_of(p), &p->deadline, ctx->conf.replica_probe_timeout_ms, too_late);
    struct backend *b = pool_acquire(pool_service(ctx, server_id), &p->waiter);
    if (b != NULL)
        ask(p, b);
}

void
probe_stop(struct probe *p)
{
    if (!p->asking)
        return;
    struct backend *b = p->backend;

    p->asking = false;
    timer_stop(timers_of(p), &p->deadline);
    pool_cancel(&p->waiter);
    if (b != NULL)
        backend_close(b, NULL);
}

/* --- a shard ------------------------------------------------------------------ */

static struct backend *
any_backend(const struct context *ctx, uint32_t id)
{
    LIST_EACH(at, &ctx->pools) {
        struct pool *pool    = container_of(at, struct pool, node);
        struct list *lists[] = { &pool->idle, &pool->opening, &pool->busy, &pool->shared };
        for (size_t i = 0; pool->key.shard_id == id && i < countof(lists); i++)
            if (!list_empty(lists[i]))
                return container_of(lists[i]->next, struct backend, node);
    }
    return NULL;
}

static uint32_t
count_backends(const struct context *ctx, uint32_t id)
{
    uint32_t n = 0;

    LIST_EACH(at, &ctx->pools) {
        const struct pool *pool = container_of(at, struct pool, node);
        n += pool->key.shard_id == id ? pool->n_open : 0;
    }
    return n;
}

/* Statements that wait for it, for an answer or for a connection, hear that it is lost and go
 * elsewhere; what they do then may change any list. */
static void
cut_off(struct context *ctx, uint32_t id)
{
    struct backend  *b;
    struct sql_error why;

    sql_error_set(&why, ERR_SILENT, "shardd: %s does not answer", backend_name(ctx, id));
    for (uint32_t n = count_backends(ctx, id); n > 0 && (b = any_backend(ctx, id)) != NULL; n--)
        backend_close(b, &why);
}

/* Those for whom it is far enough are told; whoever came meanwhile waits on. */
static void
tell(struct server *s)
{
    struct server_group *g = s->group;
    struct list          far;

    list_init(&far);
    LIST_EACH_SAFE(at, &g->asking)
        if (container_of(at, struct server_ask, node)->since_us <= s->covers_us) {
            list_remove(at);
            list_append(&far, at);
        }
    while (!list_empty(&far)) {
        struct server_ask *ask = container_of(far.next, struct server_ask, node);
        servers_forget(ask);
        ask->told(ask);
    }
}

/* What an answer, or none, tells of any server. */
static void
heard(struct server *s, bool well)
{
    struct context      *ctx    = s->probe.ctx;
    struct breaker_rules rules  = servers_rules(ctx);
    uint64_t             now_ms = ring_now_ms(ctx->ring);

    if (s->probe_ticket != 0)
        breaker_ended(&s->breaker, &rules, now_ms, s->probe_ticket, well, servers_random(ctx));
    s->probe_ticket = 0;
    s->silent       = well ? 0 : s->silent + 1;
    s->stage        = well ? s->stage : s->probe.stage;
    if (well)
        s->heard_us = s->probe.asked_us;
    else
        breaker_trip(&s->breaker, &rules, now_ms, servers_random(ctx));
}

/* How far it is, by what the primary has said. */
static void
measure(struct server *s)
{
    const struct positions *known = &s->group->positions;
    struct position         has;

    s->covers_us = s->lag_us = s->behind = 0;
    if (known->n == 0 ||
        !position_parse((struct span){ (uint8_t *)s->probe.text, s->probe.len }, &has))
        return;
    s->covers_us = positions_covered(known, &has);
    s->behind    = position_behind(&has, &known->at[known->n - 1].position);
    if (s->behind != 0 && s->covers_us != 0)
        s->lag_us = s->probe.asked_us - s->covers_us;
}

static void
probed(struct probe *p, bool well)
{
    struct server     *s      = container_of(p, struct server, probe);
    struct context    *ctx    = p->ctx;
    enum breaker_state before = s->breaker.state;

    heard(s, well);
    if (well) {
        measure(s);
        server_publish(s);
        tell(s);
    } else
        servers_lost(ctx, s->id);
    server_changed(s, before, "it does not answer");
    if (!well)
        cut_off(ctx, s->id);
}

static void
ask_one(struct server_group *g, struct server *s, void (*done)(struct probe *p, bool well))
{
    struct breaker_rules rules = servers_rules(g->ctx);

    if (s->probe.asking)
        return;
    if (s->breaker.state != BREAKER_CLOSED && s->probe_ticket == 0)
        s->probe_ticket = breaker_began(&s->breaker, &rules, ring_now_ms(g->ctx->ring));
    probe_start(&s->probe, g->ctx, s->id, done);
}

static void
ask_replicas(struct server_group *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->server[i]->state != REPLICA_DISABLED)
            ask_one(g, g->server[i], probed);
}

/* The shard's statements since the last time are its primary's doing. */
static void
count_statements(struct server_group *g)
{
    struct server       *s     = &g->primary;
    struct breaker_rules rules = servers_rules(g->ctx);
    const _Atomic uint64_t *counter = g->counters->counter;
    uint64_t n    = atomic_load_explicit(&counter[SHARD_COUNTER_STATEMENTS], memory_order_relaxed);
    uint64_t lost = atomic_load_explicit(&counter[SHARD_COUNTER_LOST], memory_order_relaxed);
    uint64_t ns   = atomic_load_explicit(&counter[SHARD_COUNTER_NS], memory_order_relaxed);
    struct breaker_window seen = { .well  = (uint32_t)(n - g->n_statements),
                                   .badly = (uint32_t)(lost - g->n_lost) };

    breaker_count(&s->breaker, &rules, ring_now_ms(g->ctx->ring), seen);
    if (seen.well != 0)
        ewma_note(&s->pick.latency, ring_now_us(g->ctx->ring), (ns - g->ns) / 1000 / seen.well);
    slot_server_add(&s->record->reads, seen.well);
    slot_server_add(&s->record->errors, seen.badly);
    g->n_statements = n;
    g->n_lost       = lost;
    g->ns           = ns;
}

static void
primary_probed(struct probe *p, bool well)
{
    struct server       *s      = container_of(p, struct server, probe);
    struct server_group *g      = s->group;
    enum breaker_state   before = s->breaker.state;
    struct position      position;

    heard(s, well);
    count_statements(g);
    server_publish(s);
    server_changed(s, before, "it does not answer");
    if (well && g->primary_epoch == g->epoch &&
        position_parse((struct span){ (uint8_t *)p->text, p->len }, &position))
        positions_add(&g->positions, p->asked_us, &position);
    ask_replicas(g);
    if (!list_empty(&g->asking))
        timer_start(ring_timers(g->ctx->ring), &g->hurry, HURRY_MS, hurry);
}

static void
ask_primary(struct server_group *g)
{
    if (g->primary.probe.asking)
        return;
    g->primary_epoch = g->epoch;
    ask_one(g, &g->primary, primary_probed);
}

/* The primary once more for those who came after it was asked, replicas until they are there. */
static void
hurry(struct timer *timer)
{
    struct server_group *g = container_of(timer, struct server_group, hurry);

    if (list_empty(&g->asking))
        return;
    if (g->primary.probe.asked_us <
        container_of(g->asking.prev, struct server_ask, node)->since_us) {
        ask_primary(g);
        return;
    }
    ask_replicas(g);
    timer_start(ring_timers(g->ctx->ring), timer, HURRY_MS, hurry);
}

void
group_hurry(struct server_group *g)
{
    if (!g->primary.probe.asking && !timer_running(&g->hurry))
        ask_primary(g);
}

/* So many shards that asking them all would be work: more seldom. */
static uint64_t
interval(struct server_group *g)
{
    const struct routes *r  = g->ctx->routes->routes;
    uint64_t             ms = g->ctx->conf.replica_probe_ms, least = r->n_replicas / PROBES_PER_MS;

    ms = ms > least ? ms : least;
    uint64_t jitter = ms * g->ctx->conf.replica_probe_jitter / 100;

    return ms - jitter / 2 + servers_random(g->ctx) % (jitter + 1);
}

static void
tick(struct timer *timer)
{
    struct server_group *g = container_of(timer, struct server_group, timer);

    if (g->ctx->leaving)
        return;
    timer_start(ring_timers(g->ctx->ring), timer, interval(g), tick);
    servers_look(g->ctx); /* also where nobody reads */
    ask_primary(g);
}

void
group_start(struct server_group *g)
{
    g->primary.probe.ctx = g->ctx;
    for (uint32_t i = 0; i < g->n; i++)
        g->server[i]->probe.ctx = g->ctx;
    timer_start(ring_timers(g->ctx->ring), &g->timer, 0, tick);
}
