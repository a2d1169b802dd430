/* policy.c - from what is hot and cold to splits, merges and hints. */
#include "ctl/scale/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/scale/policy_step.h"

/* Work below so much of every limit is no reason for bad latency. */
#define LITTLE_WORK 0.5

static const char *const action_names[POLICY_ACTIONS_N] = { "split", "merge", "hint" };
static const char *const why_names[POLICY_WHYS_N] = {
#define POLICY_NAME(name, word) word,
    POLICY_WHYS(POLICY_NAME)
};
static const char *const hold_names[POLICY_HOLDS_N] = {
    POLICY_HOLDS(POLICY_NAME)
#undef POLICY_NAME
};

const char *
policy_action_name(enum policy_action a)
{
    return action_names[a];
}

const char *
policy_why_name(enum policy_why w)
{
    return why_names[w];
}

const char *
policy_hold_name(enum policy_hold h)
{
    return hold_names[h];
}

const char *
policy_value(enum metric m, double value, char out[64])
{
    switch (m) {
    case METRIC_STATEMENTS:
        snprintf(out, 64, "%.0f statements per second", value);
        break;
    case METRIC_CPU:
        snprintf(out, 64, "%.0f%% of its CPU", 100 * value);
        break;
    case METRIC_MEMORY:
        snprintf(out, 64, "%.0f%% of its memory", 100 * value);
        break;
    case METRIC_STORAGE:
        snprintf(out, 64, "%.0f%% of its disk", 100 * value);
        break;
    case METRIC_CONNECTIONS:
        snprintf(out, 64, "%.0f connections", value);
        break;
    case METRIC_LATENCY:
        snprintf(out, 64, "a 95th percentile of %.1f ms", 1000 * value);
        break;
    case METRICS_N:
        out[0] = '\0';
        break;
    }
    return out;
}

/* --- hot shards ---------------------------------------------------------------------- */

/* The metric that is hot and the highest for its limit, among those of `mask`. */
static enum metric
worst_of(const struct policy *p, const struct policy_shard *s, uint32_t mask)
{
    enum metric worst = METRICS_N;
    double      most  = 0;

    for (int m = 0; m < METRICS_N; m++) {
        double part = s->mean[m] / p->rules.limit[m];

        if (!((s->hot & mask) >> m & 1))
            continue;
        if (worst == METRICS_N || part > most) {
            worst = (enum metric)m;
            most  = part;
        }
    }
    return worst;
}

/* A split helps when there is work that can go elsewhere. */
static bool
has_little_work(const struct policy *p, const struct policy_shard *s)
{
    static const enum metric work[] = { METRIC_STATEMENTS, METRIC_CPU, METRIC_CONNECTIONS };

    for (size_t i = 0; i < countof(work); i++)
        if (p->rules.limit[work[i]] > 0 &&
            s->mean[work[i]] > LITTLE_WORK * p->rules.limit[work[i]])
            return false;
    return true;
}

static void
say_hot(const struct policy *p, const struct policy_shard *s, struct decision *d)
{
    char has[64], limit[64];

    d->value = s->mean[d->metric];
    d->limit = p->rules.limit[d->metric];
    policy_text(d, "%s has had more than %s in %u of %u measurements (%s on average)", s->name,
                policy_value(d->metric, d->limit, limit), s->above[d->metric], p->rules.hot_of,
                policy_value(d->metric, d->value, has));
}

static void
hint(struct policy *p, size_t shard, enum metric m, enum policy_why why)
{
    const struct policy_shard *s = &p->w->shard[shard];
    struct decision           *d = policy_add(p, POLICY_HINT, why, shard);

    d->metric = m;
    say_hot(p, s, d);
    if (why == WHY_MEMORY)
        policy_text(d, "; fewer rows do not make a server smaller: give it more memory, or a "
                       "smaller innodb_buffer_pool_size");
    else if (why == WHY_LATENCY)
        policy_text(d, ", although it has little to do: look for slow statements, locks, or a slow "
                       "disk ('shardctl top', SHOW SHARDD STATEMENTS); a split would not help");
    else
        policy_text(d, ", and %.0f%% of it is one key (%s): no split can part it; reads from "
                       "replicas or a cache help, or a shard of its own for this key "
                       "('shardctl reshard move')", 100 * s->key_share, s->key);
}

static void
split(struct policy *p, size_t shard, enum metric m)
{
    const struct policy_shard *s = &p->w->shard[shard];
    struct decision           *d = policy_add(p, POLICY_SPLIT, WHY_HOT, shard);

    d->metric = m;
    say_hot(p, s, d);
    policy_text(d, "; split it into %.0f by load", p->s->into);
}

/* Is what `s` suffers from one key? Not of storage: rows of one key are no load. */
static bool
is_one_key(const struct policy *p, const struct policy_shard *s, enum metric m)
{
    return m != METRIC_STORAGE && s->key[0] && s->key_share * 100 >= p->s->hot_key;
}

static void
hot(struct policy *p, size_t i)
{
    const struct policy_shard *s = &p->w->shard[i];
    const uint32_t memory = 1u << METRIC_MEMORY, latency = 1u << METRIC_LATENCY;
    enum metric    m      = worst_of(p, s, ~(memory | latency));

    if (m == METRICS_N && (s->hot & latency) && !has_little_work(p, s))
        m = METRIC_LATENCY;
    if (m == METRICS_N)
        hint(p, i, s->hot & latency ? METRIC_LATENCY : METRIC_MEMORY,
             s->hot & latency ? WHY_LATENCY : WHY_MEMORY);
    else if (is_one_key(p, s, m))
        hint(p, i, m, WHY_KEY);
    else
        split(p, i, m);
}

/* A limit will be passed, and the forecasts have been good so far. */
static bool
foreseen(const struct policy *p, const struct policy_forecast *f, double limit)
{
    return f->ready && limit > 0 && f->error * 100 <= p->s->forecast_error &&
           p->s->forecast_error > 0 && f->low > limit;
}

static void
forecast(struct policy *p, size_t i, enum metric m, const struct policy_forecast *f)
{
    const struct policy_shard *s = &p->w->shard[i];
    struct decision           *d = policy_add(p, POLICY_SPLIT, WHY_FORECAST, i);
    char                       peak[64], limit[64];

    d->metric = m;
    d->value  = f->peak;
    d->limit  = p->rules.limit[m];
    policy_text(d, "%s will have %s in %lld min (nine of ten such forecasts were not below %.3g), "
                "more than %s; forecasts were off by %.0f%% on average; split it into %.0f by "
                "load before it is hot", s->name, policy_value(m, f->peak, peak),
                (long long)((f->in_s + 59) / 60), f->low, policy_value(m, d->limit, limit),
                100 * f->error, p->s->into);
}

static void
look_at(struct policy *p, size_t i)
{
    const struct policy_shard *s = &p->w->shard[i];

    if (s->ranges == 0 || s->moving)
        return;
    if (s->hot)
        hot(p, i);
    else if (foreseen(p, &s->statements, p->rules.limit[METRIC_STATEMENTS]))
        forecast(p, i, METRIC_STATEMENTS, &s->statements);
    else if (foreseen(p, &s->storage, p->rules.limit[METRIC_STORAGE]))
        forecast(p, i, METRIC_STORAGE, &s->storage);
}

/* The hottest first; hints behind. */
static int
by_heat(const void *a, const void *b)
{
    const struct decision *x = a, *y = b;
    double heat_x = x->limit > 0 ? x->value / x->limit : 0;
    double heat_y = y->limit > 0 ? y->value / y->limit : 0;

    if ((x->action == POLICY_HINT) != (y->action == POLICY_HINT))
        return x->action == POLICY_HINT ? 1 : -1;
    if (heat_x != heat_y)
        return heat_x > heat_y ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

/* --- all of it ----------------------------------------------------------------------- */

struct decision *
policy_add(struct policy *p, enum policy_action action, enum policy_why why, size_t shard)
{
    static _Thread_local struct decision beyond; /* what there is no room for */
    struct decision *d = p->n < p->max ? &p->out[p->n++] : &beyond;

    *d = (struct decision){ .action = action, .why = why, .shard = shard, .other = shard,
                            .metric = METRICS_N };
    return d;
}

void
policy_text(struct decision *d, const char *fmt, ...)
{
    size_t  len = strlen(d->text);
    va_list args;

    va_start(args, fmt);
    vsnprintf(d->text + len, sizeof(d->text) - len, fmt, args);
    va_end(args);
}

size_t
policy_decide(const struct scale_settings *s, const struct policy_world *w,
              struct decision *out, size_t max)
{
    struct policy p = { .s = s, .w = w, .out = out, .max = max };

    if (s->mode == SCALE_OFF)
        return 0;
    settings_rules(s, &p.rules);
    for (size_t i = 0; i < w->n; i++)
        look_at(&p, i);
    qsort(out, p.n, sizeof(*out), by_heat);
    policy_merges(&p);
    policy_sizes(&p);
    policy_hold(&p);
    return p.n;
}
