/* balance_sim.h - statements and servers that exist as numbers only, to compare ways of choosing
 * a server. Used by test_balance_simulate.c and bench/bench_balance.c.
 *
 *   statements --by chance--> one of 4 workers --its policy--> a server: 2 at a time, a queue
 *                                 ^                               |
 *                                 '--- how long it took, errors --'
 *
 * Statements come by chance, as many per second as the servers can do a part of. How long the work
 * takes is drawn from what was recorded of a real server in the tenth of a second in which it
 * begins (balance_trace.h). Each worker knows what it sees itself, as in shardd, and tells
 * the others only whom to leave alone; this holds for all policies that look at anything.
 *
 * Two policies know more: one weighs servers by a forecast (ctl/scale/forecast.h) made of their
 * mean time in each tenth of eight periods before, as a controller could publish it; the other by
 * what will be, which no forecast can beat.
 */
#ifndef TESTS_UNIT_BALANCE_SIM_H
#define TESTS_UNIT_BALANCE_SIM_H

#include <math.h>

#include "core/balance/breaker.h"
#include "core/balance/pick.h"
#include "ctl/scale/forecast.h"
#include "tests/unit/balance_stories.h"

enum sim_policy {
    SIM_RANDOM, SIM_ROUND_ROBIN, SIM_LEAST, SIM_PICK, SIM_FORECAST, SIM_ORACLE, SIM_POLICIES
};

static const char *const sim_policy_names[SIM_POLICIES] = {
    "random", "round robin", "least connections", "two choices", "with a forecast",
    "knowing the future",
};

enum { SIM_LANES = 2, SIM_WORKERS = 4, SIM_QUEUE = 1 << 20, SIM_PERIODS = 8, SIM_FAIL_US = 20,
       SIM_BEGIN_US = 800000, SIM_LATE_US = 5000, SIM_WEIGHT = 1000 };

struct sim_result {
    uint32_t n, errors, late; /* that took over SIM_LATE_US */
    double   p50_us, p99_us, p999_us, mean_us;
    uint32_t share[SIM_SERVERS]; /* statements */
    uint32_t worst_turn;         /* most that a server got of one worker in a row */
};

struct sim_statement {
    uint64_t       came_us, done_us;
    uint32_t       server, worker;
    bool           fails;
    breaker_ticket ticket;
};

/* A server as a worker knows it. */
struct sim_view {
    struct pick_server pick;
    struct breaker     breaker;
};

struct sim_worker {
    struct sim_view view[SIM_SERVERS];
    uint32_t        turn, last, in_a_row;
};

struct sim {
    const struct sim_story *story;
    enum sim_policy         policy;
    struct sim_worker       worker[SIM_WORKERS];
    uint64_t                free_us[SIM_SERVERS][SIM_LANES]; /* when each has done its work */
    struct forecast        *forecast[SIM_SERVERS];           /* owned; or NULL */
    uint64_t                start_us, tenth; /* when statements begin; the last that was weighed */
    struct sim_statement   *heap;            /* under way, by done_us; owned */
    uint32_t                n_heap;
    uint64_t                random;
    double                 *took; /* owned */
    struct sim_result       result;
};

static const struct breaker_rules sim_rules = {
    .errors = 5, .ratio_percent = 30, .ratio_least = 20, .window_ms = 10000,
    .open_ms = 1000, .open_max_ms = 30000, .trials = 3,
};

static inline double
sim_chance(struct sim *s)
{
    return (double)(pick_random(&s->random) >> 11) / (double)(UINT64_C(1) << 53);
}

/* --- what a server is like ----------------------------------------------------- */

struct sim_state {
    const double *us;
    double        mean;
    uint32_t      percent; /* that fails */
};

static inline uint64_t
sim_delay(const struct sim_story *story, uint32_t server, uint64_t period)
{
    uint64_t state = (server + 1) * 7919 + period * 104729 + 1;

    for (int i = 0; i < 4; i++)
        pick_random(&state);
    return story->late_us == 0 ? 0 : pick_random(&state) % story->late_us;
}

/* When this server's turn is, since then: false, it is not. */
static inline bool
sim_since(const struct sim_story *story, const struct sim_trouble *t, uint32_t server, uint64_t now,
          uint64_t *since)
{
    uint64_t from   = t->from_us + (server - t->first) / t->every * t->apart_us;
    uint64_t period = 0;

    if (server < t->first || (server - t->first) % t->every != 0 ||
        (server - t->first) / t->every >= t->n || now < from)
        return false;
    *since = now - from;
    if (story->period_us != 0) {
        period = *since / story->period_us;
        *since %= story->period_us;
    }
    uint64_t delay = sim_delay(story, server, period);
    if (*since < delay)
        return false;
    *since -= delay;
    return *since < t->down_us + TRACE_TENTHS * TRACE_TENTH_US;
}

static inline struct sim_state
sim_state(const struct sim_story *story, uint32_t server, uint64_t now)
{
    const struct trace *trace = &traces()[TRACE_WELL];
    uint64_t            tenth = now / TRACE_TENTH_US + server * 7, since;
    struct sim_state    state = { 0 };

    for (size_t i = 0; i < countof(story->trouble) && story->trouble[i].n != 0; i++) {
        const struct sim_trouble *t = &story->trouble[i];
        if (!sim_since(story, t, server, now, &since))
            continue;
        state.percent = since < t->down_us ? 100 : t->percent;
        trace         = &traces()[t->trace];
        tenth         = since < t->down_us ? 0 : (since - t->down_us) / TRACE_TENTH_US;
        break;
    }
    state.us   = trace->us[tenth % TRACE_TENTHS];
    state.mean = trace->mean[tenth % TRACE_TENTHS];
    return state;
}

/* Of one that is well. */
static inline double
sim_mean(void)
{
    double sum = 0;

    for (int i = 0; i < TRACE_TENTHS; i++)
        sum += traces()[TRACE_WELL].mean[i];
    return sum / TRACE_TENTHS;
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

/* --- weights of the policies that know more ----------------------------------- */

static int
sim_compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* What each will take is put against what is usual among them. */
static inline void
sim_weigh(struct sim *s, const double *us)
{
    double sorted[SIM_SERVERS];

    memcpy(sorted, us, sizeof(sorted));
    qsort(sorted, SIM_SERVERS, sizeof(sorted[0]), sim_compare);
    for (int i = 0; i < SIM_SERVERS; i++) {
        double part = us[i] > sorted[SIM_SERVERS / 2] ? sorted[SIM_SERVERS / 2] / us[i] : 1;
        for (int w = 0; w < SIM_WORKERS; w++)
            s->worker[w].view[i].pick.weight = part > 0.01 ? (uint32_t)(part * SIM_WEIGHT)
                                                           : SIM_WEIGHT / 100;
    }
}

/* The tenth before this one has been seen; what will this one and the next be? */
static inline void
sim_foretell(struct sim *s, uint64_t tenth)
{
    double us[SIM_SERVERS];

    for (uint32_t i = 0; i < SIM_SERVERS; i++) {
        us[i] = sim_mean();
        for (unsigned ahead = 1; ahead <= 2; ahead++) {
            uint64_t              then = (tenth + ahead - 1) * TRACE_TENTH_US;
            struct forecast_point p;
            double                value = us[i];
            if (s->policy == SIM_ORACLE)
                value = sim_state(s->story, i, then).mean;
            else if (forecast_at(s->forecast[i], ahead, &p))
                value = p.value;
            us[i] = value > us[i] ? value : us[i];
        }
    }
    sim_weigh(s, us);
}

static inline void
sim_learn(struct sim *s, uint64_t tenth)
{
    for (uint32_t i = 0; i < SIM_SERVERS && s->policy == SIM_FORECAST; i++)
        forecast_add(s->forecast[i], sim_state(s->story, i, tenth * TRACE_TENTH_US).mean);
}

static inline void
sim_advance(struct sim *s, uint64_t now)
{
    if (s->policy < SIM_FORECAST || now / TRACE_TENTH_US == s->tenth)
        return;
    sim_learn(s, s->tenth);
    s->tenth = now / TRACE_TENTH_US;
    sim_foretell(s, s->tenth);
}

/* --- who gets it ------------------------------------------------------------ */

/* More servers than a list has room for: a part of them by chance. */
static inline uint32_t
sim_pick(struct sim *s, struct sim_worker *w, uint64_t now)
{
    uint32_t         first = (uint32_t)(pick_random(&s->random) >> 33) % SIM_SERVERS;
    struct pick_list all = { 0 }, well = { 0 };

    for (uint32_t i = 0; i < PICK_MAX; i++) {
        struct sim_view *v = &w->view[(first + i) % SIM_SERVERS];
        pick_add(&all, &v->pick, false);
        if (breaker_allows(&v->breaker, &sim_rules, now / 1000))
            pick_add(&well, &v->pick, false);
    }
    const struct pick_server *p = pick(pick_panics(well.n, all.n, 50) ? &all : &well, now,
                                       SIM_SECOND, &s->random);
    return (uint32_t)(container_of(p, struct sim_view, pick) - w->view);
}

/* Of equals the next one in turn. */
static inline uint32_t
sim_least(struct sim_worker *w)
{
    uint32_t best = w->turn = (w->turn + 1) % SIM_SERVERS;

    for (uint32_t k = 1, i = best; k < SIM_SERVERS; k++) {
        i = i + 1 < SIM_SERVERS ? i + 1 : 0;
        if (w->view[i].pick.outstanding < w->view[best].pick.outstanding)
            best = i;
    }
    return best;
}

static inline uint32_t
sim_choose(struct sim *s, struct sim_worker *w, uint64_t now)
{
    switch (s->policy) {
    case SIM_RANDOM:      return (uint32_t)(pick_random(&s->random) >> 33) % SIM_SERVERS;
    case SIM_ROUND_ROBIN: return w->turn = (w->turn + 1) % SIM_SERVERS;
    case SIM_LEAST:       return sim_least(w);
    case SIM_PICK:
    case SIM_FORECAST:
    case SIM_ORACLE:      return sim_pick(s, w, now);
    case SIM_POLICIES:    break;
    }
    abort();
}

static inline void
sim_count(struct sim *s, struct sim_worker *w, uint32_t server)
{
    s->result.share[server]++;
    w->in_a_row = server == w->last ? w->in_a_row + 1 : 1;
    w->last     = server;
    if (w->in_a_row > s->result.worst_turn)
        s->result.worst_turn = w->in_a_row;
}

static inline void
sim_start(struct sim *s, uint64_t now)
{
    uint32_t             number = (uint32_t)(pick_random(&s->random) >> 33) % SIM_WORKERS;
    struct sim_worker   *w      = &s->worker[number];
    struct sim_statement q      = { .came_us = now, .server = sim_choose(s, w, now),
                                    .worker = number };
    struct sim_view     *v      = &w->view[q.server];
    uint64_t            *lane   = &s->free_us[q.server][0];

    for (uint32_t i = 1; i < SIM_LANES; i++)
        if (s->free_us[q.server][i] < *lane)
            lane = &s->free_us[q.server][i];
    if (*lane < now)
        *lane = now;
    struct sim_state state = sim_state(s->story, q.server, *lane);
    q.fails   = sim_chance(s) * 100 < state.percent;
    q.done_us = q.fails ? now + SIM_FAIL_US
                        : (*lane += (uint64_t)trace_draw(state.us, sim_chance(s)));
    q.ticket  = breaker_began(&v->breaker, &sim_rules, now / 1000);
    pick_began(&v->pick, now);
    sim_count(s, w, q.server);
    sim_push(s, q);
}

/* As servers_tell.c. */
static inline void
sim_tell(struct sim *s, const struct sim_statement *q, const struct breaker *b)
{
    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        struct breaker *other = &s->worker[i].view[q->server].breaker;
        if (i != q->worker && b->state == BREAKER_OPEN)
            breaker_rest(other, q->done_us / 1000, b->until_ms, b->failed);
        else if (i != q->worker && b->state == BREAKER_CLOSED)
            breaker_hasten(other, q->done_us / 1000);
    }
}

static inline void
sim_end(struct sim *s)
{
    struct sim_statement q = sim_pop(s);
    struct sim_view     *v = &s->worker[q.worker].view[q.server];
    enum breaker_state   before = v->breaker.state;
    double               took   = (double)(q.done_us - q.came_us);

    pick_ended(&v->pick, q.done_us, true);
    breaker_ended(&v->breaker, &sim_rules, q.done_us / 1000, q.ticket, !q.fails,
                  pick_random(&s->random));
    if (before != v->breaker.state)
        sim_tell(s, &q, &v->breaker);
    if (before != BREAKER_CLOSED && v->breaker.state == BREAKER_CLOSED)
        v->pick = (struct pick_server){ .outstanding = v->pick.outstanding, .since_us = q.done_us,
                                        .silent_us = q.done_us, .weight = v->pick.weight };
    pick_note(&v->pick, !q.fails);
    if (!q.fails)
        ewma_note(&v->pick.latency, q.done_us, q.done_us - q.came_us);
    s->result.errors += q.fails;
    s->result.late += took > SIM_LATE_US;
    s->took[s->result.n++] = took;
}

/* --- a story ----------------------------------------------------------------------- */

static inline struct sim *
sim_new(const struct sim_story *story, enum sim_policy policy, uint64_t seed, size_t room)
{
    struct sim *s      = calloc(1, sizeof(*s));
    unsigned    period = (unsigned)(story->period_us / TRACE_TENTH_US);

    *s = (struct sim){ .story = story, .policy = policy, .random = seed * 2 + 1,
                       .start_us = SIM_BEGIN_US + SIM_PERIODS * story->period_us };
    s->heap  = calloc(SIM_QUEUE, sizeof(*s->heap));
    s->took  = calloc(room, sizeof(*s->took));
    s->tenth = s->start_us / TRACE_TENTH_US;
    for (int i = 0; i < SIM_SERVERS; i++) {
        for (int w = 0; w < SIM_WORKERS; w++)
            s->worker[w].view[i].pick.weight = SIM_WEIGHT;
        if (policy == SIM_FORECAST)
            s->forecast[i] = forecast_new(4, &period, period != 0);
    }
    for (uint64_t tenth = 0; tenth < s->tenth; tenth++)
        sim_learn(s, tenth);
    if (policy >= SIM_FORECAST)
        sim_foretell(s, s->tenth);
    return s;
}

static inline struct sim_result
sim_free(struct sim *s)
{
    struct sim_result r = s->result;

    qsort(s->took, r.n, sizeof(*s->took), sim_compare);
    r.p50_us  = s->took[r.n / 2];
    r.p99_us  = s->took[(size_t)r.n * 99 / 100];
    r.p999_us = s->took[(size_t)r.n * 999 / 1000];
    for (uint32_t i = 0; i < r.n; i++)
        r.mean_us += s->took[i] / r.n;
    for (int i = 0; i < SIM_SERVERS; i++)
        forecast_free(s->forecast[i]);
    free(s->took);
    free(s->heap);
    free(s);
    return r;
}

static inline struct sim_result
sim_run(const struct sim_story *story, enum sim_policy policy, uint64_t seed)
{
    double      gap  = sim_mean() / (SIM_SERVERS * SIM_LANES * story->load);
    size_t      room = (size_t)((double)story->us / gap * 1.2) + 1000;
    struct sim *s    = sim_new(story, policy, seed, room);
    double      now  = (double)s->start_us, end = now + (double)story->us;

    for (size_t k = 0; now < end && k < room; k++) {
        while (s->n_heap > 0 && s->heap[0].done_us <= (uint64_t)now)
            sim_end(s);
        sim_advance(s, (uint64_t)now);
        sim_start(s, (uint64_t)now);
        now += -log(1 - sim_chance(s)) * gap;
    }
    while (s->n_heap > 0)
        sim_end(s);
    return sim_free(s);
}

#endif
