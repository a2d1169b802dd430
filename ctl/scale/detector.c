/* detector.c - see detector.h. */
#include "ctl/scale/detector.h"

#include <math.h>

const struct metric_info metrics[METRICS_N] = {
#define METRIC_ROW(name, setting, unit, work, help) \
    [METRIC_##name] = { setting, unit, help, work },
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

static unsigned
count(uint64_t bits, unsigned of)
{
    return (unsigned)__builtin_popcountll(of < 64 ? bits & ((UINT64_C(1) << of) - 1) : bits);
}

static void
look_at(struct detector *d, const struct detector_rules *r, enum metric m, double value)
{
    bool     above  = value > r->limit[m];
    bool     below  = value < r->clear * r->limit[m];
    uint32_t bit    = UINT32_C(1) << m;
    double   weight = 2.0 / (r->hot_of + 1);

    d->above[m] = d->above[m] << 1 | (r->limit[m] > 0 && above);
    d->below[m] = d->below[m] << 1 | (r->limit[m] <= 0 || below);
    if (!isnan(value))
        d->mean[m] = d->seen == 0 || isnan(d->mean[m])
                         ? value : weight * value + (1 - weight) * d->mean[m];
    if (!(d->hot & bit) && count(d->above[m], r->hot_of) >= r->hot_n)
        d->hot |= bit;
    else if ((d->hot & bit) && count(d->below[m], r->hot_of) >= r->hot_n)
        d->hot &= ~bit;
}

/* Statements are known, and all of work that is known is low. A server that idles while nobody
 * can say what is sent to it may be about to be used. */
static bool
is_low(const struct detector_rules *r, const double value[METRICS_N])
{
    bool known = false;

    if (r->limit[METRIC_STATEMENTS] > 0 && isnan(value[METRIC_STATEMENTS]))
        return false;
    for (int m = 0; m < METRICS_N; m++) {
        if (!metrics[m].work || r->limit[m] <= 0 || isnan(value[m]) || m == METRIC_LATENCY)
            continue;
        if (value[m] >= r->cold * r->limit[m])
            return false;
        known = true;
    }
    return known;
}

void
detector_add(struct detector *d, const struct detector_rules *r, const double value[METRICS_N])
{
    if (d->seen == 0)
        for (int m = 0; m < METRICS_N; m++)
            d->mean[m] = NAN;
    for (int m = 0; m < METRICS_N; m++)
        look_at(d, r, (enum metric)m, value[m]);
    d->cold = d->cold << 1 | is_low(r, value);
    d->seen++;
}

bool
detector_is_cold(const struct detector *d, const struct detector_rules *r)
{
    return d->hot == 0 && d->seen >= r->cold_of && count(d->cold, r->cold_of) >= r->cold_n;
}

unsigned
detector_above(const struct detector *d, const struct detector_rules *r, enum metric m)
{
    return count(d->above[m], r->hot_of);
}

enum metric
detector_worst(const struct detector *d, const struct detector_rules *r)
{
    enum metric worst = METRICS_N;
    double      most  = 0;

    for (int m = 0; m < METRICS_N; m++) {
        double part = r->limit[m] > 0 ? d->mean[m] / r->limit[m] : 0;

        if ((d->hot >> m & 1) && (worst == METRICS_N || part > most)) {
            worst = (enum metric)m;
            most  = part;
        }
    }
    return worst;
}

void
detector_reset(struct detector *d)
{
    *d = (struct detector){ 0 };
}
