/* measure.c - see measure.h. Counters of a worker that was replaced go on (shm/slots.h); those
 * of a segment that was made anew begin at 0, which is taken for a first look. */
#include "ctl/scale/measure.h"

#include <stdlib.h>

#include "core/base/memory.h"

#define NOW(word) atomic_load_explicit(&(word), memory_order_relaxed)

/* One shard's counters, summed over the workers. */
struct record {
    uint64_t id; /* + 1, as in the slots */
    uint64_t counter[SHARD_COUNTERS_N];
    uint32_t latency[LATENCY_BUCKETS];
};

struct look {
    uint64_t       at_ms; /* 0: there was none */
    uint32_t       n;
    struct record *record; /* by id */
};

struct measure {
    struct look now, before;
};

struct measure *
measure_new(void)
{
    return mem_alloc(sizeof(struct measure));
}

void
measure_free(struct measure *m)
{
    free(m->now.record);
    free(m->before.record);
    free(m);
}

static int
by_id(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void
add(struct record *to, const struct record *from)
{
    for (int c = 0; c < SHARD_COUNTERS_N; c++)
        to->counter[c] += from->counter[c];
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        to->latency[i] += from->latency[i];
}

static void
copy(struct look *look, const struct slot *slot, uint32_t *room)
{
    for (uint32_t i = 0; i < ROUTES_SHARDS_MAX; i++) {
        const struct slot_shard *from = &slot->shard[i];
        struct record            one  = { .id = NOW(from->id) };

        if (one.id == 0)
            continue;
        for (int c = 0; c < SHARD_COUNTERS_N; c++)
            one.counter[c] = NOW(from->counter[c]);
        for (int b = 0; b < LATENCY_BUCKETS; b++)
            one.latency[b] = NOW(from->latency[b]);
        if (look->n == *room) {
            *room        = *room ? *room * 2 : 64;
            look->record = mem_resize(look->record, *room * sizeof(*look->record));
        }
        look->record[look->n++] = one;
    }
}

/* One record per shard. */
static void
join(struct look *look)
{
    uint32_t n = 0;

    if (look->n == 0)
        return;
    qsort(look->record, look->n, sizeof(*look->record), by_id);
    for (uint32_t i = 0; i < look->n; i++) {
        if (n > 0 && look->record[n - 1].id == look->record[i].id)
            add(&look->record[n - 1], &look->record[i]);
        else
            look->record[n++] = look->record[i];
    }
    look->n = n;
}

void
measure_look(struct measure *m, const struct slots *slots)
{
    uint32_t room = 0;

    free(m->before.record);
    m->before = m->now;
    m->now    = (struct look){ .at_ms = 0 };
    if (!slots)
        return;
    m->now.at_ms = slots_now_ms();
    for (uint32_t worker = 0; worker < slots->n_workers; worker++)
        copy(&m->now, slots_at(slots, worker), &room);
    join(&m->now);
}

static const struct record *
find(const struct look *look, uint32_t id)
{
    struct record key = { .id = (uint64_t)id + 1 };

    return look->n ? bsearch(&key, look->record, look->n, sizeof(key), by_id) : NULL;
}

/* Statements are counted when they are sent, latencies when they are answered. */
static void
fill_latency(const struct record *a, const struct record *b, struct shard_load *out)
{
    uint32_t count[LATENCY_BUCKETS];
    uint64_t n = 0, ns = b->counter[SHARD_COUNTER_NS] - a->counter[SHARD_COUNTER_NS];

    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        count[i] = b->latency[i] - a->latency[i];
        n += count[i];
    }
    if (n == 0)
        return;
    out->latency_mean_us = (double)ns / 1e3 / (double)n;
    out->latency_p50_us  = latency_quantile(count, 0.5);
    out->latency_p95_us  = latency_quantile(count, 0.95);
    out->latency_p99_us  = latency_quantile(count, 0.99);
}

static void
fill(const struct record *a, const struct record *b, double seconds, struct shard_load *out)
{
    uint64_t n = b->counter[SHARD_COUNTER_STATEMENTS] - a->counter[SHARD_COUNTER_STATEMENTS];

    out->statements_per_s = (double)n / seconds;
    out->errors_per_s     = (double)(b->counter[SHARD_COUNTER_ERRORS] -
                                 a->counter[SHARD_COUNTER_ERRORS]) / seconds;
    fill_latency(a, b, out);
}

static bool
grew(const struct record *a, const struct record *b)
{
    for (int c = 0; c < SHARD_COUNTERS_N; c++)
        if (shard_counter_info[c].role == COUNTER_TOTAL && b->counter[c] < a->counter[c])
            return false;
    return true;
}

/* A gauge is a sum of words read one after the other. */
static double
gauge(const struct record *r, enum shard_counter c)
{
    return (int64_t)r->counter[c] < 0 ? 0 : (double)r->counter[c];
}

void
measure_take(const struct measure *m, uint32_t id, struct shard_load *out)
{
    static const struct record none;
    const struct record       *a = find(&m->before, id), *b = find(&m->now, id);

    if (m->now.at_ms == 0 || m->before.at_ms == 0 || m->now.at_ms <= m->before.at_ms)
        return;
    out->seconds = (double)(m->now.at_ms - m->before.at_ms) / 1000;
    if (!a)
        a = &none; /* workers met it since */
    if (!b)
        b = &none; /* or never */
    if (!grew(a, b))
        return;
    fill(a, b, out->seconds, out);
    out->connections = gauge(b, SHARD_COUNTER_OPEN);
    out->waiting     = gauge(b, SHARD_COUNTER_WAITING);
}
