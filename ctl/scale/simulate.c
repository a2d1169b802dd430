/* simulate.c - time passes, loads come and go. */
#include "ctl/scale/simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/scale/simulate_step.h"

enum { LINES_MAX = 500, BYTES_PER_S = 50 * 1000 * 1000, MOVE_MIN_S = 30 };

struct sim_shard *
sim_add(struct sim *m, const char *name)
{
    struct sim_shard *s = &m->shard[m->n++];

    *s        = (struct sim_shard){ .id = m->next_id++ };
    s->parent = s->id;
    if (name)
        snprintf(s->name, sizeof(s->name), "%s", name);
    else
        snprintf(s->name, sizeof(s->name), "new-%u", s->id);
    watch_init(&s->watch, &m->s);
    if (m->n > m->most)
        m->most = m->n;
    return s;
}

/* --- what shards have to do ---------------------------------------------------------- */

static double
known(float value)
{
    return isnan(value) ? 0 : (double)value;
}

/* Of the load of its source: the key's and its share of the rest. */
static double
weight(const struct sim *m, const struct sim_part *p)
{
    double key = known(m->now[p->source].value[TRACE_KEY]);

    return (p->key ? key : 0) + p->of * (1 - key);
}

/* Sums count from the parts that are known; none known: not known. */
static void
sum_up(const struct sim *m, struct sim_shard *s, enum metric metric)
{
    double sum = 0;
    bool   any = false;

    for (size_t i = 0; i < s->n; i++) {
        float value = m->now[s->part[i].source].value[metric];

        any = any || !isnan(value);
        sum += known(value) * (metric == METRIC_STORAGE ? s->part[i].of
                                                        : weight(m, &s->part[i]));
    }
    s->value[metric] = any ? sum : (double)NAN;
}

/* Statements wait for one another: what left does not wait here any more. */
static double
latency_of(const struct sim *m, const struct sim_shard *s)
{
    double most = NAN;

    for (size_t i = 0; i < s->n; i++) {
        uint32_t source = s->part[i].source;
        float    value  = m->now[source].value[METRIC_LATENCY], calm = m->calm[source];
        double   now    = (double)calm + (double)(value - calm) * weight(m, &s->part[i]);

        if (!isnan(value))
            most = isnan(most) ? now : fmax(most, now);
    }
    return most;
}

static void
load_shard(const struct sim *m, struct sim_shard *s)
{
    double most = 0, memory = NAN;

    sum_up(m, s, METRIC_STATEMENTS);
    sum_up(m, s, METRIC_CPU);
    sum_up(m, s, METRIC_STORAGE);
    sum_up(m, s, METRIC_CONNECTIONS);
    s->value[METRIC_LATENCY] = latency_of(m, s);
    s->bytes = s->key_share = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct trace_point *p   = &m->now[s->part[i].source];
        double                    key = s->part[i].key ? known(p->value[TRACE_KEY]) *
                                        known(p->value[METRIC_STATEMENTS]) : 0;

        s->bytes += s->part[i].of * known(p->value[TRACE_BYTES]);
        memory = isnan(memory) ? (double)p->value[METRIC_MEMORY]
                               : fmax(memory, (double)p->value[METRIC_MEMORY]);
        if (key > most) {
            most          = key;
            s->key_source = s->part[i].source;
        }
    }
    s->value[METRIC_MEMORY] = memory;
    if (s->value[METRIC_STATEMENTS] > 0)
        s->key_share = most / s->value[METRIC_STATEMENTS];
}

void
sim_load(struct sim *m)
{
    for (size_t i = 0; i < m->n; i++)
        load_shard(m, &m->shard[i]);
}

/* --- time ---------------------------------------------------------------------------- */

static bool
is_above(const struct sim *m, const double *value)
{
    for (int i = 0; i < METRICS_N; i++)
        if (m->rules.limit[i] > 0 && value[i] > m->rules.limit[i])
            return true;
    return false;
}

/* Shard-minutes above a limit: as the trace has it, and as it became. */
static void
count_hot(struct sim *m, int64_t now_s)
{
    double seconds = m->last_s > 0 ? (double)(now_s - m->last_s) : 0;

    for (size_t i = 0; i < m->n; i++)
        if (is_above(m, m->shard[i].value))
            m->hot_s += seconds;
    for (size_t i = 0; i < m->t->n_shards; i++) {
        double value[METRICS_N];

        for (int k = 0; k < METRICS_N; k++)
            value[k] = (double)m->now[i].value[k];
        if (is_above(m, value))
            m->hot_before_s += seconds;
    }
    m->last_s = now_s;
}

static void
add_line(struct sim *m, int64_t now_s)
{
    double sum = 0, most = 0;

    for (size_t i = 0; i < m->n; i++) {
        double load = m->shard[i].value[METRIC_STATEMENTS];

        sum += isnan(load) ? 0 : load;
        most = load > most ? load : most;
    }
    json_array_append_new(m->timeline, json_pack("{s:I, s:i, s:f, s:f, s:i}", "time",
                          (json_int_t)now_s, "shards", (int)m->n, "statements", sum, "hottest",
                          most, "moves", (int)m->n_moves));
}

static void
pass(struct sim *m, int64_t now_s)
{
    int64_t all = m->t->point[m->t->n - 1].at_s - m->t->point[0].at_s;

    sim_finish(m, now_s);
    sim_load(m);
    count_hot(m, now_s);
    for (size_t i = 0; i < m->n; i++)
        watch_add(&m->shard[i].watch, &m->s, &m->rules, now_s, m->shard[i].value);
    if (now_s >= m->next_check_s) {
        sim_decide(m, now_s);
        m->next_check_s = now_s + (int64_t)m->s.check_s;
    }
    if (now_s >= m->next_line_s || m->n_moves > 0) {
        if (json_array_size(m->timeline) < LINES_MAX)
            add_line(m, now_s);
        if (now_s >= m->next_line_s)
            m->next_line_s = now_s + all / (LINES_MAX / 2) + 1;
    }
}

static void
begin(struct sim *m)
{
    const struct trace *t = m->t;

    m->now   = mem_alloc(t->n_shards * sizeof(*m->now));
    m->calm  = mem_alloc(t->n_shards * sizeof(*m->calm));
    m->shard = mem_alloc(SIM_SHARDS_MAX * sizeof(*m->shard));
    for (uint32_t i = 0; i < t->n_shards; i++) {
        struct sim_shard *s = sim_add(m, t->name[i]);

        s->part    = mem_alloc(sizeof(*s->part));
        s->part[0] = (struct sim_part){ .source = i, .key = true, .of = 1 };
        s->n       = 1;
        m->calm[i] = NAN;
        for (int k = 0; k < TRACE_VALUES_N; k++)
            m->now[i].value[k] = NAN;
    }
    m->decisions = json_array();
    m->timeline  = json_array();
}

static void
end(struct sim *m)
{
    for (size_t i = 0; i < m->n; i++) {
        watch_fini(&m->shard[i].watch);
        free(m->shard[i].part);
    }
    free(m->shard);
    free(m->now);
    free(m->calm);
    free(m->begun);
}

static json_t *
summary(const struct sim *m, size_t first)
{
    const struct trace *t    = m->t;
    json_t             *held = json_object();
    double hours = (double)(t->point[t->n - 1].at_s - t->point[0].at_s) / 3600;

    for (int i = 1; i < POLICY_HOLDS_N; i++)
        if (m->held[i] > 0)
            json_object_set_new(held, policy_hold_name((enum policy_hold)i),
                                json_integer(m->held[i]));
    return json_pack("{s:f, s:I, s:{s:i, s:i, s:i}, s:i, s:i, s:i, s:o, s:f, s:f, s:o, s:o, s:o}",
                     "hours", hours, "points", (json_int_t)t->n, "shards", "first", (int)first,
                     "last", (int)m->n, "most", (int)m->most, "splits", (int)m->splits, "merges",
                     (int)m->merges, "hints", (int)m->hints, "held", held, "hot_before",
                     m->hot_before_s / 60, "hot", m->hot_s / 60, "forecast_error",
                     m->errors > 0 ? json_real(m->error_sum / m->errors) : json_null(),
                     "timeline", m->timeline, "decisions", m->decisions);
}

/* All points of one moment are there. */
static void
take(struct sim *m, const struct trace_point *p)
{
    float latency = p->value[METRIC_LATENCY], *calm = &m->calm[p->shard];

    m->now[p->shard] = *p;
    if (!isnan(latency) && !(*calm <= latency))
        *calm = latency;
}

json_t *
simulate_run(const struct trace *t, const struct scale_settings *s,
             const struct simulate_options *o)
{
    struct sim m = { .t = t, .s = *s, .o = *o, .next_id = 1 };
    json_t    *out;

    m.s.mode        = SCALE_AUTO;
    m.o.bytes_per_s = o->bytes_per_s > 0 ? o->bytes_per_s : BYTES_PER_S;
    m.o.move_min_s  = o->move_min_s > 0 ? o->move_min_s : MOVE_MIN_S;
    settings_rules(&m.s, &m.rules);
    begin(&m);
    for (size_t i = 0; i < t->n; i++) {
        take(&m, &t->point[i]);
        if (i + 1 == t->n || t->point[i + 1].at_s != t->point[i].at_s)
            pass(&m, t->point[i].at_s);
    }
    out = summary(&m, t->n_shards);
    end(&m);
    return out;
}
