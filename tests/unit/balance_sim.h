/* balance_sim.h - statements and servers that exist as numbers only, to compare ways of choosing
 * a server. Used by test_balance_simulate.c and bench/bench_balance.c.
 *
 * Statements come by chance, as many per second as the servers can do a part of. A server works
 * on so many at a time; the others wait in its queue. How long the work takes is drawn from a
 * distribution like that of point selects: most within a factor of three, and a long tail.
 */
#ifndef TESTS_UNIT_BALANCE_SIM_H
#define TESTS_UNIT_BALANCE_SIM_H

#include <math.h>
#include <stdlib.h>

#include "core/balance/breaker.h"
#include "core/balance/pick.h"
#include "core/base/base.h"

enum sim_policy { SIM_ROUND_ROBIN, SIM_RANDOM, SIM_LEAST, SIM_PICK, SIM_POLICIES };

enum { SIM_SERVERS = 50, SIM_LANES = 4, SIM_SECOND = 1000000, SIM_QUEUE = 1 << 20 };

/* A server's trouble, between two moments. */
struct sim_trouble {
    uint32_t server;
    uint64_t from_us, to_us;
    double   times;   /* as slow as it is otherwise */
    uint32_t percent; /* of statements that fail, at once */
};

struct sim_story {
    const char        *name;
    double             load; /* of all the servers can do */
    uint64_t           us;   /* how long */
    uint32_t           n_troubles;
    struct sim_trouble trouble[10];
};

struct sim_result {
    uint32_t n, errors;
    double   p50_us, p99_us, p999_us;
    uint32_t share[SIM_SERVERS]; /* statements */
    uint32_t worst_turn;         /* most that a server got in a row */
};

struct sim_statement {
    uint64_t       came_us;
    uint64_t       done_us;
    uint32_t       server;
    bool           fails;
    breaker_ticket ticket;
};

struct sim_server {
    struct pick_server pick;
    struct breaker     breaker;
    uint64_t           free_us[SIM_LANES]; /* when each connection has done its work */
};

struct sim {
    const struct sim_story *story;
    enum sim_policy         policy;
    struct sim_server       server[SIM_SERVERS];
    struct sim_statement   *heap; /* under way, by done_us; owned */
    uint32_t                n_heap;
    uint32_t                turn, last, in_a_row;
    uint64_t                random;
    double                 *took; /* owned */
    struct sim_result       result;
};

static const struct breaker_rules sim_rules = {
    .errors = 5, .ratio_percent = 30, .ratio_least = 20, .window_ms = 10000,
    .open_ms = 1000, .open_max_ms = 30000, .trials = 3,
};

/* us at 0, 5, 10 ... 95, 99, 99.9, 100 per cent. */
static const double sim_quantiles[] = {
    52, 68, 74, 79, 84, 89, 94, 99, 105, 112, 119, 127, 137, 148, 161, 178, 200, 233, 289, 416,
    1050, 3200, 9000,
};

static inline double
sim_chance(struct sim *s)
{
    return (double)(pick_random(&s->random) >> 11) / (double)(UINT64_C(1) << 53);
}

static inline double
sim_between(const double *at, double part)
{
    return at[0] + (at[1] - at[0]) * part;
}

static inline double
sim_latency(struct sim *s)
{
    double x = sim_chance(s) * 100;

    if (x < 95)
        return sim_between(&sim_quantiles[(int)(x / 5)], x / 5 - floor(x / 5));
    if (x < 99)
        return sim_between(&sim_quantiles[19], (x - 95) / 4);
    if (x < 99.9)
        return sim_between(&sim_quantiles[20], (x - 99) / 0.9);
    return sim_between(&sim_quantiles[21], (x - 99.9) / 0.1);
}

static inline double
sim_mean(void)
{
    double sum = 0;

    for (int i = 0; i < 19; i++)
        sum += 0.05 * (sim_quantiles[i] + sim_quantiles[i + 1]) / 2;
    return sum + 0.04 * (sim_quantiles[19] + sim_quantiles[20]) / 2 +
           0.009 * (sim_quantiles[20] + sim_quantiles[21]) / 2 +
           0.001 * (sim_quantiles[21] + sim_quantiles[22]) / 2;
}

/* --- what is under way ------------------------------------------------------ */

static inline void
sim_swap(struct sim_statement *a, struct sim_statement *b)
{
    struct sim_statement t = *a;
    *a                     = *b;
    *b                     = t;
}

static inline void
sim_push(struct sim *s, struct sim_statement q)
{
    uint32_t i = s->n_heap++;

    if (i >= SIM_QUEUE)
        abort();
    s->heap[i] = q;
    for (; i > 0 && s->heap[i].done_us < s->heap[(i - 1) / 2].done_us; i = (i - 1) / 2)
        sim_swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static inline struct sim_statement
sim_pop(struct sim *s)
{
    struct sim_statement first = s->heap[0];

    s->heap[0] = s->heap[--s->n_heap];
    for (uint32_t i = 0, k; (k = 2 * i + 1) < s->n_heap; i = k) {
        if (k + 1 < s->n_heap && s->heap[k + 1].done_us < s->heap[k].done_us)
            k++;
        if (s->heap[i].done_us <= s->heap[k].done_us)
            break;
        sim_swap(&s->heap[i], &s->heap[k]);
    }
    return first;
}

/* --- who gets it ------------------------------------------------------------ */

/* More servers than a list has room for: a part of them by chance. */
static inline uint32_t
sim_pick(struct sim *s, uint64_t now)
{
    uint32_t         first = (uint32_t)(pick_random(&s->random) >> 33) % SIM_SERVERS;
    struct pick_list all = { 0 }, well = { 0 };

    for (uint32_t i = 0; i < PICK_MAX; i++) {
        struct sim_server *v = &s->server[(first + i) % SIM_SERVERS];
        pick_add(&all, &v->pick, false);
        if (breaker_allows(&v->breaker, &sim_rules, now / 1000))
            pick_add(&well, &v->pick, false);
    }
    const struct pick_server *p = pick(pick_panics(well.n, all.n, 50) ? &all : &well, now,
                                       SIM_SECOND, &s->random);
    return (uint32_t)(container_of(p, struct sim_server, pick) - s->server);
}

static inline uint32_t
sim_least(struct sim *s)
{
    uint32_t best = s->turn = (s->turn + 1) % SIM_SERVERS;

    for (uint32_t i = 0; i < SIM_SERVERS; i++)
        if (s->server[i].pick.outstanding < s->server[best].pick.outstanding)
            best = i;
    return best;
}

static inline uint32_t
sim_choose(struct sim *s, uint64_t now)
{
    switch (s->policy) {
    case SIM_ROUND_ROBIN: return s->turn = (s->turn + 1) % SIM_SERVERS;
    case SIM_RANDOM:      return (uint32_t)(pick_random(&s->random) >> 33) % SIM_SERVERS;
    case SIM_LEAST:       return sim_least(s);
    case SIM_PICK:        return sim_pick(s, now);
    case SIM_POLICIES:    break;
    }
    abort();
}

static inline const struct sim_trouble *
sim_trouble(const struct sim *s, uint32_t server, uint64_t now)
{
    for (uint32_t i = 0; i < s->story->n_troubles; i++) {
        const struct sim_trouble *t = &s->story->trouble[i];
        if (t->server == server && now >= t->from_us && now < t->to_us)
            return t;
    }
    return NULL;
}

static inline void
sim_start(struct sim *s, uint64_t now)
{
    struct sim_statement q = { .came_us = now, .server = sim_choose(s, now) };
    struct sim_server   *v = &s->server[q.server];
    const struct sim_trouble *t = sim_trouble(s, q.server, now);
    uint32_t                  lane = 0;
    double                    work = sim_latency(s) * (t != NULL ? t->times : 1);

    q.fails = t != NULL && sim_chance(s) * 100 < t->percent;
    if (q.fails)
        work = 20;
    for (uint32_t i = 1; i < SIM_LANES; i++)
        if (v->free_us[i] < v->free_us[lane])
            lane = i;
    v->free_us[lane] = (v->free_us[lane] > now ? v->free_us[lane] : now) + (uint64_t)work;
    q.done_us        = v->free_us[lane];
    q.ticket         = breaker_began(&v->breaker, &sim_rules, now / 1000);
    v->pick.outstanding++;
    s->result.share[q.server]++;
    s->in_a_row = q.server == s->last ? s->in_a_row + 1 : 1;
    s->last     = q.server;
    if (s->in_a_row > s->result.worst_turn)
        s->result.worst_turn = s->in_a_row;
    sim_push(s, q);
}

static inline void
sim_end(struct sim *s)
{
    struct sim_statement q = sim_pop(s);
    struct sim_server   *v = &s->server[q.server];
    enum breaker_state   before = v->breaker.state;

    v->pick.outstanding--;
    breaker_ended(&v->breaker, &sim_rules, q.done_us / 1000, q.ticket, !q.fails,
                  pick_random(&s->random));
    if (before != BREAKER_CLOSED && v->breaker.state == BREAKER_CLOSED)
        v->pick.since_us = q.done_us;
    if (q.fails)
        s->result.errors++;
    else
        ewma_note(&v->pick.latency, q.done_us, q.done_us - q.came_us);
    s->took[s->result.n++] = (double)(q.done_us - q.came_us);
}

static int
sim_compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static inline struct sim_result
sim_run(const struct sim_story *story, enum sim_policy policy, uint64_t seed)
{
    struct sim *s    = calloc(1, sizeof(*s));
    double      gap  = sim_mean() / (SIM_SERVERS * SIM_LANES * story->load);
    size_t      room = (size_t)((double)story->us / gap * 1.2) + 1000;
    double      now  = 1;

    *s = (struct sim){ .story = story, .policy = policy, .random = seed * 2 + 1 };
    s->heap = calloc(SIM_QUEUE, sizeof(*s->heap));
    s->took = calloc(room, sizeof(*s->took));
    for (int i = 0; i < SIM_SERVERS; i++)
        s->server[i].pick.weight = 1;
    for (size_t k = 0; now < (double)story->us && k < room; k++) {
        while (s->n_heap > 0 && s->heap[0].done_us <= (uint64_t)now)
            sim_end(s);
        sim_start(s, (uint64_t)now);
        now += -log(1 - sim_chance(s)) * gap;
    }
    while (s->n_heap > 0)
        sim_end(s);
    qsort(s->took, s->result.n, sizeof(*s->took), sim_compare);
    struct sim_result r = s->result;
    r.p50_us            = s->took[r.n / 2];
    r.p99_us            = s->took[(size_t)r.n * 99 / 100];
    r.p999_us           = s->took[(size_t)r.n * 999 / 1000];
    free(s->took);
    free(s->heap);
    free(s);
    return r;
}

static const struct sim_story sim_stories[] = {
    { "all are well", 0.6, SIM_SECOND / 2, 0, { { 0 } } },
    { "five are ten times as slow", 0.5, SIM_SECOND, 5,
      { { 3, SIM_SECOND / 4, SIM_SECOND, 10, 0 }, { 13, SIM_SECOND / 4, SIM_SECOND, 10, 0 },
        { 23, SIM_SECOND / 4, SIM_SECOND, 10, 0 }, { 33, SIM_SECOND / 4, SIM_SECOND, 10, 0 },
        { 43, SIM_SECOND / 4, SIM_SECOND, 10, 0 } } },
    { "one fails at once", 0.5, SIM_SECOND, 1,
      { { 7, SIM_SECOND / 4, SIM_SECOND, 1, 100 } } },
    { "one slow for a while and back", 0.5, SIM_SECOND, 1,
      { { 7, SIM_SECOND / 4, SIM_SECOND / 2, 20, 0 } } },
};

static const char *const sim_policy_names[] = { "round robin", "random", "least connections",
                                                "two choices" };

#endif
