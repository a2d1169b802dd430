/* servers.c - what workers tell of replicas: see slots.h. */
#include "core/balance/breaker.h"
#include "shm/slots.h"

#define NOW(word)        atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

struct slot_server *
slot_server(struct slot *slot, uint32_t id)
{
    struct slot_server *one = NULL;

    for (uint32_t i = 0; i < SLOT_SERVERS; i++) {
        uint64_t has = NOW(slot->server[i].id);
        if (has == (uint64_t)id + 1)
            return &slot->server[i];
        if (has == 0 && one == NULL)
            one = &slot->server[i];
    }
    if (one == NULL)
        return &slot->server[SLOT_SERVERS - 1];
    PUT(one->told_us, 0);
    PUT(one->heard_us, 0);
    PUT(one->covers_us, 0);
    PUT(one->breaker, BREAKER_CLOSED);
    PUT(one->latency_us, 0);
    PUT(one->outstanding, 0);
    PUT(one->score, 100);
    PUT(one->score_errors, 0);
    PUT(one->score_latency, 0);
    PUT(one->reads, 0);
    PUT(one->errors, 0);
    PUT(one->opened, 0);
    atomic_store_explicit(&one->id, (uint64_t)id + 1, memory_order_release);
    return one;
}

void
slot_keep_servers(struct slot *slot, const uint32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < SLOT_SERVERS; i++) {
        uint64_t has  = NOW(slot->server[i].id);
        bool     kept = has == 0;
        for (uint32_t k = 0; k < n && !kept; k++)
            kept = has == (uint64_t)ids[k] + 1;
        if (!kept)
            PUT(slot->server[i].id, 0);
    }
}

static const struct slot_server *
find(const struct slot *slot, uint32_t id)
{
    for (uint32_t i = 0; i < SLOT_SERVERS; i++)
        if (NOW(slot->server[i].id) == (uint64_t)id + 1)
            return &slot->server[i];
    return NULL;
}

static void
add(struct server_sum *sum, const struct slot_server *one)
{
    uint64_t score = NOW(one->score), heard = NOW(one->heard_us), covers = NOW(one->covers_us);

    if (sum->n == 0 || score < sum->score) {
        sum->score         = score;
        sum->score_errors  = NOW(one->score_errors);
        sum->score_latency = NOW(one->score_latency);
    }
    sum->heard_us  = heard > sum->heard_us ? heard : sum->heard_us;
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
    memset(out, 0, sizeof(*out));
    for (uint32_t worker = 0; worker < s->n_workers; worker++) {
        const struct slot        *slot = slots_at(s, worker);
        const struct slot_server *one  = find(slot, id);
        if (one != NULL && NOW(slot->life.state) != SLOT_EMPTY)
            add(out, one);
    }
    if (out->n != 0)
        out->latency_us /= out->n;
}
