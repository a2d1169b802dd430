/* servers.c - see servers.h. */
#include "workers/backend/servers.h"

#include <stdlib.h>

#include "core/balance/budget.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"

enum { LOOK_US = 2000 /* at others' decisions */ };

struct servers {
    struct server_group **groups; /* owned; by shard id */
    uint32_t              n;
    struct server       **gone;   /* owned; still under way somewhere */
    uint32_t              n_gone;
    struct budget         budget, hedges;
    uint64_t              random;
    uint64_t              since_us; /* the routes are in use since then */
    uint64_t              look_us;  /* at others' decisions, of which so many were seen: */
    uint64_t              n_decisions;
};

/* --- the groups ------------------------------------------------------------ */

static int
by_shard(const void *a, const void *b)
{
    const struct server_group *const *x = a, *const *y = b;

    return (*x)->shard_id < (*y)->shard_id ? -1 : (*x)->shard_id > (*y)->shard_id;
}

static struct server_group *
find_group(const struct context *ctx, uint32_t shard_id)
{
    const struct servers *all  = ctx->servers;
    uint32_t              from = 0, to = all != NULL ? all->n : 0;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (all->groups[mid]->shard_id == shard_id)
            return all->groups[mid];
        if (all->groups[mid]->shard_id < shard_id)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

struct server_group *
servers_nth(struct context *ctx, uint32_t i)
{
    return ctx->servers != NULL && i < ctx->servers->n ? ctx->servers->groups[i] : NULL;
}

static struct server *
find_server(const struct server_group *g, uint32_t id)
{
    for (uint32_t i = 0; g != NULL && i < g->n; i++)
        if (g->server[i]->id == id)
            return g->server[i];
    return NULL;
}

struct server *
servers_find(struct context *ctx, uint32_t shard_id, uint32_t id)
{
    return find_server(find_group(ctx, shard_id), id);
}

static struct servers *
servers_of(struct context *ctx)
{
    if (ctx->servers != NULL)
        return ctx->servers;
    ctx->servers         = mem_alloc(sizeof(*ctx->servers));
    ctx->servers->random = clock_us() * 2 + ctx->number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    return ctx->servers;
}

bool
servers_news(struct context *ctx, uint64_t n_decisions)
{
    bool news = ctx->servers->n_decisions != n_decisions;

    ctx->servers->n_decisions = n_decisions;
    return news;
}

uint64_t
servers_random(struct context *ctx)
{
    return pick_random(&ctx->servers->random);
}

static void
retire(struct servers *all, struct server *s)
{
    s->gone = true;
    probe_stop(&s->probe);
    all->gone                = mem_resize(all->gone, (all->n_gone + 1) * sizeof(*all->gone));
    all->gone[all->n_gone++] = s;
}

static void
free_gone(struct servers *all)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < all->n_gone; i++)
        if (all->gone[i]->pick.outstanding == 0)
            free(all->gone[i]);
        else
            all->gone[kept++] = all->gone[i];
    all->n_gone = kept;
}

static struct server *
take_server(struct server_group *old, const struct route_replica *r)
{
    for (uint32_t i = 0; old != NULL && i < old->n; i++)
        if (old->server[i] != NULL && old->server[i]->id == r->id) {
            struct server *s = old->server[i];
            old->server[i]   = NULL;
            return s;
        }
    struct server *s = mem_alloc(sizeof(*s));

    s->id            = r->id;
    s->pick.since_us = clock_us();
    return s;
}

/* Somebody wants it to serve again: it does so little by little. */
static void
rest(struct context *ctx, struct server *s)
{
    uint64_t ms  = ctx->conf.replica_cooldown_ms;
    uint64_t now = ring_now_us(ctx->ring);

    s->rests_us      = now + ms * 1000;
    s->pick.since_us = s->rests_us;
    if (ms != 0)
        breaker_rest(&s->breaker, now / 1000, now / 1000 + ms, 0);
}

/* What the shard's counters say from now on is about this server. */
static void
take_primary(struct context *ctx, struct server_group *g, const struct route_shard *shard)
{
    struct server *s = &g->primary;

    if (s->record == NULL || g->epoch != shard->epoch) {
        s->breaker    = (struct breaker){ 0 };
        s->pick       = (struct pick_server){ .weight = 1, .since_us = clock_us() };
        s->silent     = 0;
        s->heard_us   = 0;
        g->positions.n = 0;
    }
    s->id      = shard->id;
    s->group   = g;
    s->primary = true;
    s->record  = slot_server(ctx->slot, shard->server);
    if (g->counters != NULL)
        return;
    g->counters     = slot_shard(ctx->slot, shard->id);
    g->n_statements = atomic_load(&g->counters->counter[SHARD_COUNTER_STATEMENTS]);
    g->n_lost       = atomic_load(&g->counters->counter[SHARD_COUNTER_LOST]);
    g->ns           = atomic_load(&g->counters->counter[SHARD_COUNTER_NS]);
}

/* Of the servers that a shard has now, those that it had are kept with what is known of them. */
static struct server_group *
make_group(struct context *ctx, const struct routes *r, const struct route_shard *shard,
           struct server_group *old)
{
    struct server_group *g = old != NULL ? old : mem_alloc(sizeof(*g));
    struct server       *server[ROUTES_SHARD_REPLICAS_MAX] = { NULL };
    uint32_t             n = 0;

    if (old == NULL)
        list_init(&g->asking);
    for (uint32_t i = 0; i < shard->n_replicas && n < ROUTES_SHARD_REPLICAS_MAX; i++, n++) {
        const struct route_replica *at = &r->replicas[shard->first_replica + i];
        server[n]         = take_server(old, at);
        if (at->state == REPLICA_SERVING && server[n]->state != REPLICA_SERVING)
            rest(ctx, server[n]);
        server[n]->group  = g;
        server[n]->state  = at->state;
        server[n]->record = slot_server(ctx->slot, at->id);
        server[n]->pick.weight = at->weight;
        g->local[n] = at->zone.len != 0 && span_equal(at->zone, span_of(ctx->conf.zone));
    }
    for (uint32_t i = 0; i < g->n; i++)
        if (g->server[i] != NULL)
            retire(ctx->servers, g->server[i]);
    take_primary(ctx, g, shard);
    g->ctx      = ctx;
    g->shard_id = shard->id;
    g->epoch    = shard->epoch;
    g->n        = n;
    memcpy(g->server, server, n * sizeof(server[0]));
    return g;
}

static void
drop_group(struct servers *all, struct context *ctx, struct server_group *g)
{
    group_tell_all(g);
    timer_stop(ring_timers(ctx->ring), &g->timer);
    timer_stop(ring_timers(ctx->ring), &g->hurry);
    probe_stop(&g->primary.probe);
    for (uint32_t i = 0; i < g->n; i++) {
        retire(all, g->server[i]);
        g->server[i]->group = NULL;
    }
    free(g);
}

static bool
still_there(const struct routes *r, uint32_t shard_id)
{
    for (uint32_t i = 0; i < r->n_shards; i++)
        if (r->shards[i].id == shard_id)
            return r->shards[i].n_replicas != 0;
    return false;
}

void
servers_install(struct context *ctx, const struct routes *r, bool other)
{
    if (ctx->servers == NULL && r->n_replicas == 0)
        return;
    struct servers       *all    = servers_of(ctx);
    struct server_group **groups = mem_alloc((r->n_shards + 1) * sizeof(struct server_group *));
    uint32_t              n      = 0;

    if (other)
        all->since_us = clock_us();
    all->look_us = all->n_decisions = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (!still_there(r, all->groups[i]->shard_id)) {
            drop_group(all, ctx, all->groups[i]);
            all->groups[i] = NULL;
        }
    for (uint32_t i = 0; i < r->n_shards; i++) {
        struct server_group *old = NULL;
        for (uint32_t k = 0; k < all->n && old == NULL; k++)
            if (all->groups[k] != NULL && all->groups[k]->shard_id == r->shards[i].id)
                old = all->groups[k];
        if (r->shards[i].n_replicas != 0)
            groups[n++] = make_group(ctx, r, &r->shards[i], old);
    }
    free(all->groups);
    qsort(groups, n, sizeof(struct server_group *), by_shard);
    all->groups = groups;
    all->n      = n;
    free_gone(all);
    for (uint32_t i = 0; i < n; i++)
        group_start(groups[i]); /* it is asked at once: nothing is read there before */
}

/* --- the choice -------------------------------------------------------------- */

struct breaker_rules
servers_rules(const struct context *ctx)
{
    const struct conf *c = &ctx->conf;

    return (struct breaker_rules){
        .errors        = c->breaker_errors,
        .ratio_percent = c->breaker_percent,
        .ratio_least   = 20,
        .window_ms     = 10000,
        .open_ms       = c->breaker_open_ms,
        .open_max_ms   = c->breaker_open_max_ms,
        .trials        = 3,
    };
}

static bool
has(const struct server *s, uint64_t since_us)
{
    return s->state == REPLICA_SERVING && s->covers_us != 0 && s->covers_us >= since_us;
}

/* What it was for the session before it still is: that may be less than others have. */
static bool
may_stay(const struct server *s, const struct server_wish *wish)
{
    return s->id == wish->stay && s->incarnation == wish->incarnation &&
           s->breaker.state == BREAKER_CLOSED;
}

/* The oldest that anything may be. */
static uint64_t
oldest_us(const struct context *ctx, uint64_t now_us)
{
    uint64_t lag_us = (uint64_t)ctx->conf.replica_lag_ms * 1000;
    uint64_t oldest = now_us > lag_us ? now_us - lag_us : 0;

    return ctx->servers->since_us > oldest ? ctx->servers->since_us : oldest;
}

struct server *
servers_choose(struct context *ctx, uint32_t shard_id, const struct server_wish *wish)
{
    struct server_group *g = find_group(ctx, shard_id);

    if (g == NULL)
        return NULL;
    struct breaker_rules rules  = servers_rules(ctx);
    uint64_t             now_us = ring_now_us(ctx->ring), oldest = oldest_us(ctx, now_us);
    if (now_us >= ctx->servers->look_us) {
        ctx->servers->look_us = now_us + LOOK_US;
        servers_look(ctx);
    }
    struct pick_list     fresh = { 0 }, well = { 0 };
    uint32_t             n = 0, n_well = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        struct server *s = g->server[i];
        if (now_us < s->rests_us)
            continue;
        bool allowed = breaker_allows(&s->breaker, &rules, now_us / 1000);
        n += s->state == REPLICA_SERVING; /* that one is late is no illness */
        n_well += s->state == REPLICA_SERVING && allowed;
        if (s == wish->skip || !has(s, oldest))
            continue;
        if (may_stay(s, wish))
            return s;
        if (s->covers_us < wish->since_us)
            continue;
        pick_add(&fresh, &s->pick, g->local[i]);
        if (allowed)
            pick_add(&well, &s->pick, g->local[i]);
    }
    bool panic = pick_panics(n_well, n, ctx->conf.replica_panic_percent);
    const struct pick_server *p = pick(panic ? &fresh : &well, now_us,
                                       (uint64_t)ctx->conf.replica_ramp_ms * 1000,
                                       &ctx->servers->random);
    return p != NULL ? container_of(p, struct server, pick) : NULL;
}

/* --- waiting until one is far enough ------------------------------------------------ */

static void
told(struct server_ask *ask)
{
    servers_forget(ask);
    ask->told(ask);
}

static void
waited(struct timer *timer)
{
    told(container_of(timer, struct server_ask, deadline));
}

bool
servers_ask(struct context *ctx, uint32_t shard_id, struct server_ask *ask)
{
    struct server_group *g    = find_group(ctx, shard_id);
    bool                 some = false;

    if (g == NULL || ctx->conf.replica_wait_ms == 0)
        return false;
    for (uint32_t i = 0; i < g->n; i++)
        some |= has(g->server[i], oldest_us(ctx, ring_now_us(ctx->ring))) &&
                g->server[i]->breaker.state == BREAKER_CLOSED;
    if (!some)
        return false;
    ask->group    = g;
    ask->since_us = clock_us();
    list_append(&g->asking, &ask->node);
    timer_start(ring_timers(ctx->ring), &ask->deadline, ctx->conf.replica_wait_ms, waited);
    group_hurry(g);
    return true;
}

void
servers_forget(struct server_ask *ask)
{
    if (ask->group == NULL)
        return;
    list_remove(&ask->node);
    timer_stop(ring_timers(ask->group->ctx->ring), &ask->deadline);
    ask->group = NULL;
}

void
group_tell_all(struct server_group *g)
{
    while (!list_empty(&g->asking))
        told(container_of(g->asking.next, struct server_ask, node));
}

/* --- what becomes of it -------------------------------------------------------- */

void
server_changed(struct server *s, enum breaker_state before, const char *why)
{
    struct context *ctx = s->probe.ctx;

    if (s->breaker.state == before || s->gone)
        return;
    server_publish(s);
    if (s->breaker.state == BREAKER_OPEN)
        slot_server_add(&s->record->opened, 1);
    if (s->breaker.state == BREAKER_OPEN && s->primary)
        log_warn("%s: %s", backend_name(ctx, s->id), why);
    else if (s->breaker.state == BREAKER_OPEN)
        log_warn("%s is left alone for %llu ms: %s", backend_name(ctx, s->id),
                 (unsigned long long)(s->breaker.until_ms - s->breaker.since_ms), why);
    if (s->breaker.state == BREAKER_CLOSED) {
        s->pick.since_us = ring_now_us(ctx->ring);
        s->pick.latency  = (struct ewma){ 0 };
        s->pick.bad      = 0;
        log_info("%s is well again", backend_name(ctx, s->id));
    }
    if (s->breaker.state != BREAKER_HALF_OPEN && !s->primary)
        server_decide(s);
}

void
server_begin(struct server_use *use, struct server *s)
{
    struct context      *ctx   = s->probe.ctx;
    struct breaker_rules rules = servers_rules(ctx);

    *use = (struct server_use){ .server = s, .since_us = ring_now_us(ctx->ring) };
    use->ticket = breaker_began(&s->breaker, &rules, use->since_us / 1000);
    pick_began(&s->pick, use->since_us);
    slot_server_add(&s->record->reads, 1);
    budget_earn(&ctx->servers->budget, ctx->conf.retry_percent);
}

void
server_end(struct server_use *use, enum server_outcome outcome, bool timed)
{
    struct server *s = use->server;

    if (s == NULL)
        return;
    struct context      *ctx    = s->probe.ctx;
    struct breaker_rules rules  = servers_rules(ctx);
    uint64_t             now_us = ring_now_us(ctx->ring);
    enum breaker_state   before = s->breaker.state;

    use->server = NULL;
    pick_ended(&s->pick, now_us, outcome != SERVER_UNSAID);
    if (s->gone)
        return;
    if (outcome == SERVER_UNSAID)
        breaker_dropped(&s->breaker, use->ticket);
    else
        breaker_ended(&s->breaker, &rules, now_us / 1000, use->ticket, outcome == SERVER_WELL,
                      servers_random(ctx));
    if (outcome == SERVER_WELL && timed)
        ewma_note(&s->pick.latency, now_us, now_us - use->since_us);
    if (outcome != SERVER_UNSAID)
        pick_note(&s->pick, outcome == SERVER_WELL);
    if (outcome == SERVER_BADLY)
        slot_server_add(&s->record->errors, 1);
    server_changed(s, before, "too many of its statements failed");
}

bool
servers_may_retry(struct context *ctx)
{
    return budget_spend(&ctx->servers->budget, ring_now_ms(ctx->ring));
}

void
servers_earn_hedge(struct context *ctx)
{
    budget_earn(&ctx->servers->hedges, ctx->conf.hedge_percent);
}

bool
servers_may_hedge(struct context *ctx)
{
    return budget_spend(&ctx->servers->hedges, ring_now_ms(ctx->ring));
}

void
servers_lost(struct context *ctx, uint32_t id)
{
    for (uint32_t i = 0; ctx->servers != NULL && i < ctx->servers->n; i++) {
        struct server *s = find_server(ctx->servers->groups[i], id);
        if (s == NULL)
            continue;
        s->incarnation++;
        s->covers_us = 0;
        server_publish(s);
        return;
    }
}
