/* servers.c - what workers tell of servers: see slots.h. */
#include "core/balance/breaker.h"
#include "core/base/clock.h"
#include "shm/slots.h"

#define NOW(word)        atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

static void
forget_probes(struct slot_server *one)
{
    PUT(one->told_us, 0);
    PUT(one->asked_us, 0);
    PUT(one->heard_us, 0);
    PUT(one->silent, 0);
    PUT(one->stage, PROBE_WELL);
    PUT(one->covers_us, 0);
    PUT(one->lag_us, 0);
    PUT(one->behind, 0);
    PUT(one->breaker, BREAKER_CLOSED);
    PUT(one->latency_us, 0);
    PUT(one->outstanding, 0);
    PUT(one->score, 100);
    PUT(one->score_errors, 0);
    PUT(one->score_latency, 0);
}

struct slot_server *
slot_server(struct slot *slot, uint32_t id)
{
    uint64_t            used = NOW(slot->servers);
    struct slot_server *one  = NULL;

    for (uint32_t i = 0; i < used; i++) {
        uint64_t has = NOW(slot->server[i].id);
        if (has == (uint64_t)id + 1)
            return &slot->server[i];
        if (has == 0 && one == NULL)
            one = &slot->server[i];
    }
    if (one == NULL && used == SLOT_SERVERS)
        return &slot->server[SLOT_SERVERS - 1];
    if (one == NULL) {
        one = &slot->server[used];
        PUT(slot->servers, used + 1);
    }
    forget_probes(one);
    PUT(one->decided_us, 0);
    PUT(one->until_us, 0);
    PUT(one->failed, 0);
    PUT(one->reads, 0);
    PUT(one->errors, 0);
    PUT(one->opened, 0);
    atomic_store_explicit(&one->id, (uint64_t)id + 1, memory_order_release);
    return one;
}

void
slot_keep_servers(struct slot *slot, const uint32_t *ids, uint32_t n)
{
    uint64_t used = NOW(slot->servers);

    for (uint32_t i = 0; i < used; i++) {
        uint64_t has  = NOW(slot->server[i].id);
        bool     kept = has == 0;
        for (uint32_t k = 0; k < n && !kept; k++)
            kept = has == (uint64_t)ids[k] + 1;
        if (!kept)
            PUT(slot->server[i].id, 0);
    }
}

void
slot_clear_servers(struct slot *slot)
{
    uint64_t used = NOW(slot->servers);

    for (uint32_t i = 0; i < used; i++)
        forget_probes(&slot->server[i]);
}

const struct slot_server *
slot_find_server(const struct slot *slot, uint32_t id)
{
    uint64_t used = NOW(slot->servers);

    for (uint32_t i = 0; i < used; i++)
        if (NOW(slot->server[i].id) == (uint64_t)id + 1)
            return &slot->server[i];
    return NULL;
}

static void
add_probes(struct server_sum *sum, const struct slot_server *one, uint64_t now_us)
{
    uint64_t asked = NOW(one->asked_us), heard = NOW(one->heard_us), silent = NOW(one->silent);

    if (heard > sum->heard_us) {
        sum->heard_us = heard;
        sum->lag_us   = NOW(one->lag_us);
        sum->behind   = NOW(one->behind);
    }
    if (asked == 0 || NOW(one->told_us) + SERVER_TOLD_US < now_us)
        return;
    if (sum->n_asking++ == 0 || silent < sum->silent)
        sum->silent = silent;
    sum->n_silent += silent != 0;
    if (silent != 0 && asked >= sum->asked_us)
        sum->stage = (enum probe_stage)NOW(one->stage);
    sum->asked_us = asked > sum->asked_us ? asked : sum->asked_us;
}

static void
add(struct server_sum *sum, const struct slot_server *one, uint64_t now_us)
{
    uint64_t score = NOW(one->score), covers = NOW(one->covers_us);

    if (sum->n == 0 || score < sum->score) {
        sum->score         = score;
        sum->score_errors  = NOW(one->score_errors);
        sum->score_latency = NOW(one->score_latency);
    }
    add_probes(sum, one, now_us);
    sum->covers_us = covers > sum->covers_us ? covers : sum->covers_us;
    sum->n_open += NOW(one->breaker) == BREAKER_OPEN;
    sum->n_half_open += NOW(one->breaker) == BREAKER_HALF_OPEN;
    sum->latency_us += NOW(one->latency_us);
    sum->outstanding += NOW(one->outstanding);
    sum->reads += NOW(one->reads);
    sum->errors += NOW(one->errors);
    sum->opened += NOW(one->opened);
    sum->n++;
}

void
slots_sum_server(const struct slots *s, uint32_t id, struct server_sum *out)
{
    uint64_t now_us = clock_us();

    memset(out, 0, sizeof(*out));
    for (uint32_t worker = 0; worker < s->n_workers; worker++) {
        const struct slot        *slot = slots_at(s, worker);
        const struct slot_server *one  = slot_find_server(slot, id);
        if (one != NULL && NOW(slot->life.state) != SLOT_EMPTY)
            add(out, one, now_us);
    }
    if (out->n != 0)
        out->latency_us /= out->n;
}
