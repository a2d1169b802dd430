/* servers_tell.c - what workers tell one another, and the controller, of servers: see servers.h.
 *
 *   worker A: too many errors --> its breaker opens --> slot: decided_us, until_us, failed
 *   worker B: looks each LOOK_US --> a newer decision than the one it knows --> opens its own
 *
 * The newest decision counts, whoever made it; what was taken over from others is no decision, so
 * nothing goes in circles. Of a server that is well again the others do not believe it: they try
 * it themselves, but at once. That a worker dies or begins changes nothing: its decisions stay in
 * its slot, and a new worker finds those of all.
 */
#include "core/balance/score.h"
#include "core/base/log.h"
#include "workers/backend/servers.h"

#define NOW(word)        atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

/* --- decisions ------------------------------------------------------------------- */

void
server_decide(struct server *s)
{
    struct context *ctx  = s->probe.ctx;
    bool            open = s->breaker.state == BREAKER_OPEN;

    s->decided_us = ring_now_us(ctx->ring);
    PUT(s->record->until_us, open ? s->breaker.until_ms * 1000 : 0);
    PUT(s->record->failed, s->breaker.failed);
    PUT(s->record->decided_us, s->decided_us);
    atomic_store_explicit(&ctx->slot->server_decisions, NOW(ctx->slot->server_decisions) + 1,
                          memory_order_release);
}

/* Workers do not come back all at one moment. */
static uint64_t
until_ms(struct context *ctx, uint64_t until_us, uint64_t now_us)
{
    uint64_t left = (until_us - now_us) / 1000;

    return now_us / 1000 + left + servers_random(ctx) % (left / 4 + 1);
}

static void
take_over(struct context *ctx, struct server *s, const struct slot_server *theirs, uint32_t worker)
{
    uint64_t decided = NOW(theirs->decided_us), until = NOW(theirs->until_us);
    uint64_t now_us  = ring_now_us(ctx->ring);

    if (decided <= s->decided_us)
        return;
    s->decided_us = decided;
    if (until == 0) {
        breaker_hasten(&s->breaker, now_us / 1000);
        return;
    }
    if (until <= now_us ||
        (s->breaker.state == BREAKER_OPEN && s->breaker.until_ms * 1000 >= until))
        return;
    breaker_rest(&s->breaker, now_us / 1000, until_ms(ctx, until, now_us),
                 (uint32_t)NOW(theirs->failed));
    server_publish(s);
    log_info("%s is left alone for %llu ms: worker %u has found it ill",
             backend_name(ctx, s->id),
             (unsigned long long)(s->breaker.until_ms - now_us / 1000), worker);
}

static void
look_at(struct context *ctx, uint32_t worker)
{
    const struct slot   *slot = slots_at(ctx->slots, worker);
    struct server_group *g;

    for (uint32_t i = 0; (g = servers_nth(ctx, i)) != NULL; i++)
        for (uint32_t k = 0; k < g->n; k++) {
            const struct slot_server *theirs = slot_find_server(slot, g->server[k]->id);
            if (theirs != NULL)
                take_over(ctx, g->server[k], theirs, worker);
        }
}

void
servers_look(struct context *ctx)
{
    uint64_t sum = 0;

    for (uint32_t w = 0; w < ctx->slots->n_workers; w++)
        sum += atomic_load_explicit(&slots_at(ctx->slots, w)->server_decisions,
                                    memory_order_acquire);
    if (!servers_news(ctx, sum))
        return;
    for (uint32_t w = 0; w < ctx->slots->n_workers; w++)
        look_at(ctx, w);
}

/* --- for everybody to see ---------------------------------------------------------- */

static double
best_latency(const struct server_group *g, uint64_t now_us)
{
    double best = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        double us = ewma_value(&g->server[i]->pick.latency, now_us);
        if (us > 0 && (best == 0 || us < best))
            best = us;
    }
    return best;
}

/* A primary has other work than its replicas: it is as quick as it is. */
static struct score
score(struct server *s, uint64_t now_us)
{
    struct breaker_rules rules = servers_rules(s->probe.ctx);
    double               us    = ewma_value(&s->pick.latency, now_us);
    struct score_facts   facts = {
              .breaker = s->breaker.state,
              .seen    = breaker_seen(&s->breaker, &rules, now_us / 1000),
              .us      = us,
              .best_us = s->primary ? us : best_latency(s->group, now_us),
    };

    return score_of(&facts);
}

static void
publish_probes(const struct server *s)
{
    PUT(s->record->asked_us, s->probe.asked_us);
    PUT(s->record->heard_us, s->heard_us);
    PUT(s->record->silent, s->silent);
    PUT(s->record->stage, s->stage);
    PUT(s->record->covers_us, s->covers_us);
    PUT(s->record->lag_us, s->lag_us);
    PUT(s->record->behind, s->behind);
}

void
server_publish(struct server *s)
{
    uint64_t     now_us = ring_now_us(s->probe.ctx->ring);
    struct score points = score(s, now_us);

    publish_probes(s);
    PUT(s->record->breaker, s->breaker.state);
    PUT(s->record->latency_us, (uint64_t)ewma_value(&s->pick.latency, now_us));
    PUT(s->record->outstanding, s->pick.outstanding);
    PUT(s->record->score, points.value);
    PUT(s->record->score_errors, points.errors);
    PUT(s->record->score_latency, points.latency);
    PUT(s->record->told_us, now_us);
}
