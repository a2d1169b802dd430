/* api_check.c - fsck, explain, top: questions about a cluster. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/recover.h"
#include "ctl/job/explain.h"
#include "ctl/job/fsck.h"
#include "shm/slots.h"

enum { INTERVAL_MIN_MS = 100, INTERVAL_MAX_MS = 10000 };

unsigned
api_fsck(struct request *r)
{
    const char      *database = request_text(r, "database");
    struct sql_error error;

    if (database && !request_knows_database(r, database))
        return request_no_such(r, "database", database);
    r->answer = fsck_run(r->cluster, database, model_flag(r->body, "repair"), &error);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_recover(struct request *r)
{
    struct sql_error error;

    r->answer = recover_run(r->cluster, r->who, model_flag(r->body, "force"),
                            model_flag(r->body, "apply"), &error);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_explain(struct request *r)
{
    const char      *sql = request_text(r, "sql"), *database = request_text(r, "database");
    struct sql_error error;

    if (!sql)
        return request_refuse(r, 400, "the body lacks \"sql\"");
    if (database && database[0] && !request_knows_database(r, database))
        return request_no_such(r, "database", database);
    r->answer = explain_run(r->cluster, span_of(sql), database ? database : "", &error);
    return request_done(r, r->answer != NULL, &error);
}

/* The counters at one moment. */
struct look {
    uint64_t         at_ms;
    struct slots_sum sum;
    uint64_t         statements[SLOTS_WORKERS_MAX];
    uint64_t         shard[ROUTES_SHARDS_MAX][SHARD_COUNTERS_N];
};

static uint64_t
statements_of(const _Atomic uint64_t *counter)
{
    uint64_t n = 0;

    for (int i = COUNTER_STATEMENTS_SELECT; i <= COUNTER_STATEMENTS_OTHER; i++)
        n += atomic_load_explicit(&counter[i], memory_order_relaxed);
    return n;
}

static bool
look(struct cluster *c, const json_t *shards, struct look *out)
{
    const struct slots *slots = publish_slots(c->publisher);
    const char         *key;
    json_t             *shard;
    size_t              k = 0;

    out->at_ms = slots_now_ms();
    if (slots) {
        slots_sum(slots, &out->sum);
        for (uint32_t i = 0; i < slots->n_workers; i++)
            out->statements[i] = statements_of(slots_at(slots, i)->counter);
        json_object_foreach((json_t *)(uintptr_t)shards, key, shard)
            slots_sum_shard(slots, (uint32_t)model_number(shard, "id"), out->shard[k++]);
    }
    publish_slots_done(c->publisher);
    return slots != NULL;
}

static double
per_second(uint64_t before, uint64_t after, double seconds)
{
    return after > before ? (double)(after - before) / seconds : 0.0;
}

/* What was recorded between the two looks. */
static struct histogram_sum *
between(const struct look *a, const struct look *b)
{
    static const enum latency kinds[] = { LATENCY_ONE, LATENCY_SCATTER, LATENCY_WRITE,
                                          LATENCY_LOCAL };
    struct histogram_sum *h = mem_alloc(sizeof(*h));

    for (size_t k = 0; k < countof(kinds); k++) {
        const struct histogram_sum *x = &a->sum.latency[kinds[k]], *y = &b->sum.latency[kinds[k]];

        h->count += y->count - x->count;
        h->sum_ns += y->sum_ns - x->sum_ns;
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
            h->bucket[i] += y->bucket[i] - x->bucket[i];
    }
    return h;
}

static json_t *
top_workers(struct cluster *c, const struct look *a, const struct look *b, double seconds)
{
    const struct slots *slots = publish_slots(c->publisher);
    json_t             *list  = json_array();

    for (uint32_t i = 0; slots && i < slots->n_workers; i++) {
        const struct slot *slot = slots_at(slots, i);

        if (slot_alive(slot, slots_now_ms(), 0))
            json_array_append_new(list, json_pack("{s:i, s:f, s:I, s:I}", "worker", (int)i,
                "statements_per_s", per_second(a->statements[i], b->statements[i], seconds),
                "clients", (json_int_t)atomic_load(&slot->counter[COUNTER_CLIENTS_OPEN]),
                "backends", (json_int_t)atomic_load(&slot->counter[COUNTER_BACKENDS_OPEN])));
    }
    publish_slots_done(c->publisher);
    return list;
}

static json_t *
top_shards(const json_t *shards, const struct look *a, const struct look *b, double seconds)
{
    json_t     *list = json_array(), *shard;
    const char *key;
    size_t      k = 0;

    json_object_foreach((json_t *)(uintptr_t)shards, key, shard) {
        const uint64_t *x = a->shard[k], *y = b->shard[k];
        uint64_t        n  = y[SHARD_COUNTER_STATEMENTS] - x[SHARD_COUNTER_STATEMENTS];
        uint64_t        ns = y[SHARD_COUNTER_NS] - x[SHARD_COUNTER_NS];

        k++;
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:I, s:I}", "shard",
            model_text(shard, "name"), "statements_per_s", (double)n / seconds, "mean_ms",
            n ? (double)ns / 1e6 / (double)n : 0.0, "errors_per_s",
            per_second(x[SHARD_COUNTER_ERRORS], y[SHARD_COUNTER_ERRORS], seconds),
            "backends", (json_int_t)y[SHARD_COUNTER_OPEN],
            "waiting", (json_int_t)y[SHARD_COUNTER_WAITING]));
    }
    return list;
}

static json_t *
top_answer(struct cluster *c, const json_t *shards, const struct look *a, const struct look *b)
{
    double                seconds = (double)(b->at_ms - a->at_ms) / 1000.0;
    struct histogram_sum *h       = between(a, b);
    uint64_t              n = 0, errors_a = 0, errors_b = 0;
    json_t               *answer;

    for (size_t i = 0; i < SLOTS_WORKERS_MAX; i++)
        n += b->statements[i] - a->statements[i];
    for (int i = COUNTER_ERRORS_SHARDD; i <= COUNTER_ERRORS_LIMIT; i++) {
        errors_a += a->sum.counter[i];
        errors_b += b->sum.counter[i];
    }
    answer = json_pack("{s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:o, s:o}",
        "seconds", seconds, "statements_per_s", (double)n / seconds,
        "errors_per_s", per_second(errors_a, errors_b, seconds),
        "p50_ms", (double)histogram_quantile(h, 0.5) / 1e6,
        "p99_ms", (double)histogram_quantile(h, 0.99) / 1e6,
        "clients", (json_int_t)b->sum.counter[COUNTER_CLIENTS_OPEN],
        "backends", (json_int_t)b->sum.counter[COUNTER_BACKENDS_OPEN],
        "parked", (json_int_t)b->sum.counter[COUNTER_PARKED],
        "workers", top_workers(c, a, b, seconds), "shards", top_shards(shards, a, b, seconds));
    free(h);
    return answer;
}

/* Looks twice, ?interval_ms=1000 apart. */
unsigned
api_top(struct request *r)
{
    const char  *wanted   = json_string_value(json_object_get(r->query, "interval_ms"));
    int          interval = wanted ? atoi(wanted) : 1000;
    json_t      *shards   = catalog_all(r->cluster->catalog, CATALOG_SHARD);
    struct look *a = mem_alloc(sizeof(*a)), *b = mem_alloc(sizeof(*b));
    unsigned     status = 200;

    if (interval < INTERVAL_MIN_MS)
        interval = INTERVAL_MIN_MS;
    if (interval > INTERVAL_MAX_MS)
        interval = INTERVAL_MAX_MS;
    if (!look(r->cluster, shards, a))
        status = request_refuse(r, 503, "no shardd of this instance has run yet; start it");
    if (status == 200) {
        usleep((useconds_t)interval * 1000);
        look(r->cluster, shards, b);
        r->answer = top_answer(r->cluster, shards, a, b);
    }
    json_decref(shards);
    free(a);
    free(b);
    return status;
}
