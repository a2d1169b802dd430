/* policy_merge.c - two shards with little to do become one. */
#include <math.h>

#include "ctl/scale/policy_step.h"

enum { TRIES = 8 }; /* shards that could go, and may have no partner */

static double
known(double value)
{
    return isnan(value) ? 0 : value;
}

/* How much of the limits it takes, of whichever takes most: work only. */
static double
fill_of(const struct policy *p, const struct policy_shard *a, const struct policy_shard *b)
{
    double most = 0;

    for (int m = 0; m < METRICS_N; m++) {
        double both = known(a->mean[m]) + (b ? known(b->mean[m]) : 0);

        if (metrics[m].work && m != METRIC_LATENCY && p->rules.limit[m] > 0)
            most = fmax(most, both / p->rules.limit[m]);
    }
    return most;
}

/* What both will have together soon; forecasts that were bad count as well: they may be right. */
static double
foreseen(const struct policy *p, const struct policy_shard *a, const struct policy_shard *b)
{
    double limit = p->rules.limit[METRIC_STATEMENTS];

    return limit > 0 ? ((a->statements.ready ? a->statements.peak : 0) +
                        (b->statements.ready ? b->statements.peak : 0)) / limit
                     : 0;
}

/* The disk of `to`, when the rows of `from` are there too. */
static bool
has_room(const struct policy *p, const struct policy_shard *from, const struct policy_shard *to)
{
    double all   = to->disk_used + to->disk_free;
    double limit = p->rules.limit[METRIC_STORAGE];

    if (isnan(all) || isnan(from->bytes) || limit <= 0)
        return true;
    return (to->disk_used + from->bytes) / all < p->rules.clear * limit;
}

static bool
may_merge(const struct policy_shard *s)
{
    return s->cold && s->ranges > 0 && !s->moving && s->hot == 0 && !s->sick[0];
}

static bool
rests(const struct policy *p, const struct policy_shard *s)
{
    return s->moved_s > 0 && p->w->now_s < s->moved_s + (int64_t)p->s->cooldown_s;
}

/* As a whole: what they have, what they will have, and their disks. */
static bool
fit(const struct policy *p, const struct policy_shard *from, const struct policy_shard *to)
{
    double most = p->s->merge_to / 100;

    return fill_of(p, from, to) < most && foreseen(p, from, to) < most && has_room(p, from, to);
}

/* Where the rows of `from` go: beside it, else where there is least to do. */
static size_t
partner_of(const struct policy *p, size_t from)
{
    const struct policy_shard *all = p->w->shard, *s = &all[from];
    size_t                     best = p->w->n;

    for (size_t i = 0; i < p->w->n; i++) {
        if (i == from || !may_merge(&all[i]) || rests(p, &all[i]) || !fit(p, s, &all[i]))
            continue;
        if (all[i].id == s->beside)
            return i;
        if (best == p->w->n || fill_of(p, &all[i], NULL) < fill_of(p, &all[best], NULL))
            best = i;
    }
    return best;
}

static bool
is_among(const size_t *list, size_t n, size_t one)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == one)
            return true;
    return false;
}

/* The one that can go, and has least to do, but for those in `not`. */
static size_t
coldest(const struct policy *p, bool homes, const size_t *not, size_t n_not)
{
    const struct policy_shard *all  = p->w->shard;
    size_t                     best = p->w->n;
    double                     least = 0;

    for (size_t i = 0; i < p->w->n; i++) {
        double fill;

        if (!may_merge(&all[i]) || all[i].home != homes || rests(p, &all[i]) ||
            is_among(not, n_not, i))
            continue;
        fill = fill_of(p, &all[i], NULL);
        if (best == p->w->n || fill < least || (fill <= least && all[i].bytes < all[best].bytes)) {
            best  = i;
            least = fill;
        }
    }
    return best;
}

/* The first of the coldest that has a partner; `homes`: of those where a database is at home. */
static bool
find_pair(const struct policy *p, bool homes, size_t *from, size_t *to)
{
    size_t tried[TRIES];

    for (size_t n = 0; n < TRIES; n++) {
        *from = coldest(p, homes, tried, n);
        if (*from == p->w->n)
            return false;
        *to = partner_of(p, *from);
        if (*to < p->w->n)
            return true;
        tried[n] = *from;
    }
    return false;
}

static unsigned
shards_with_rows(const struct policy *p)
{
    unsigned idle = 0;

    for (size_t i = 0; i < p->w->n; i++)
        idle += p->w->shard[i].ranges == 0;
    return p->w->n_shards > idle ? p->w->n_shards - idle : 0;
}

void
policy_merges(struct policy *p)
{
    const struct policy_world *w = p->w;
    size_t                     from, to;
    struct decision           *d;

    if (p->s->cold <= 0 || shards_with_rows(p) <= (unsigned)p->s->min_shards ||
        (!find_pair(p, false, &from, &to) && !find_pair(p, true, &from, &to)))
        return;
    d         = policy_add(p, POLICY_MERGE, WHY_COLD, from);
    d->other  = to;
    d->metric = METRIC_STATEMENTS;
    d->value  = fill_of(p, &w->shard[from], &w->shard[to]);
    d->limit  = p->s->merge_to / 100;
    policy_text(d, "%s and %s have been below %.0f%% of all limits in %u of %u measurements, and "
                "would take %.0f%% of the nearest limit together, less than %.0f%%; bring the "
                "rows of %s to %s and remove it", w->shard[from].name, w->shard[to].name,
                p->s->cold, p->rules.cold_n, p->rules.cold_of, 100 * d->value, p->s->merge_to,
                w->shard[from].name, w->shard[to].name);
}
