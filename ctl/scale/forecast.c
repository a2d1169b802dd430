/* forecast.c - exponential smoothing by several models, and which of them to believe. */
#include "ctl/scale/forecast.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

/* How a model learns: from an error e of one step, the level takes level * e, the trend
 * level * trend * e, the season season * e. A trend lasts for 1 / (1 - damping) steps. */
struct rates {
    double level, trend, damping, season;
};

static const struct rates plain[] = {
    { 1.00, 0.00, 0.00, 0 }, /* as it is now */
    { 0.15, 0.00, 0.00, 0 }, /* noise around a level */
    { 0.50, 0.10, 0.90, 0 },
    { 0.30, 0.10, 0.98, 0 },
    { 0.70, 0.30, 0.98, 0 }, /* a ramp */
};

static const struct rates seasonal[] = {
    { 0.10, 0.02, 0.90, 0.15 },
    { 0.40, 0.05, 0.90, 0.30 },
    { 0.05, 0.10, 0.98, 0.40 },
};

enum {
    MODELS_MAX = countof(plain) + FORECAST_PERIODS_MAX * countof(seasonal),
    JUDGED_MIN = 8,   /* forecasts whose time has come, before a model may speak */
    MEMORY_MIN = 48,  /* errors are averaged over about so many steps */
};

#define Z_NINE_OF_TEN 1.645
#define BETTER        0.93 /* a model must err less than so much of the other's to replace it */

/* An average that forgets; `weight` corrects its beginning. */
struct mean {
    double sum, weight;
};

struct model {
    const struct rates *rates;
    unsigned period;
    float   *season;   /* [period]; while the first period lasts: the values themselves, NAN */
    double   level, trend;
    uint64_t seen;     /* steps with a value */
    uint64_t judged;
    struct mean miss, square_1, square_h; /* |error| a horizon ahead; squares of both */
    struct mean size, within;             /* of the values it was judged by */
    float    told[FORECAST_HORIZON_MAX], low[FORECAST_HORIZON_MAX], high[FORECAST_HORIZON_MAX];
};

struct forecast {
    unsigned     horizon, n_models, speaker;
    uint64_t     step;  /* how many there were */
    double       keep;  /* of errors before, per step */
    struct model model[MODELS_MAX];
};

static void
mean_add(struct mean *m, double value, double keep)
{
    m->sum    = keep * m->sum + (1 - keep) * value;
    m->weight = keep * m->weight + (1 - keep);
}

static double
mean_of(const struct mean *m)
{
    return m->weight > 0 ? m->sum / m->weight : 0;
}

static void
add_model(struct forecast *f, const struct rates *rates, unsigned period)
{
    struct model *m = &f->model[f->n_models++];

    m->rates  = rates;
    m->period = period;
    for (unsigned i = 0; i < FORECAST_HORIZON_MAX; i++)
        m->told[i] = NAN;
    if (period == 0)
        return;
    m->season = mem_alloc(period * sizeof(*m->season));
    for (unsigned i = 0; i < period; i++)
        m->season[i] = NAN;
}

struct forecast *
forecast_new(unsigned horizon, const unsigned *periods, unsigned n_periods)
{
    struct forecast *f = mem_alloc(sizeof(*f));

    assert(horizon >= 1 && horizon <= FORECAST_HORIZON_MAX && n_periods <= FORECAST_PERIODS_MAX);
    f->horizon = horizon;
    f->keep    = 1 - 1.0 / (4 * horizon > MEMORY_MIN ? 4 * horizon : MEMORY_MIN);
    for (size_t i = 0; i < countof(plain); i++)
        add_model(f, &plain[i], 0);
    for (unsigned p = 0; p < n_periods; p++) {
        assert(periods[p] >= 2 && periods[p] <= FORECAST_PERIOD_MAX);
        for (size_t i = 0; i < countof(seasonal); i++)
            add_model(f, &seasonal[i], periods[p]);
    }
    return f;
}

void
forecast_free(struct forecast *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->n_models; i++)
        free(f->model[i].season);
    free(f);
}

/* --- one model ----------------------------------------------------------------------- */

/* Without a season there is nothing to wait for. */
static bool
has_begun(const struct forecast *f, const struct model *m)
{
    return m->seen > 0 && f->step >= m->period;
}

/* Step `ahead` from the one that is next (0). */
static double
season_at(const struct forecast *f, const struct model *m, unsigned ahead)
{
    return m->period > 0 ? (double)m->season[(f->step + ahead) % m->period] : 0;
}

/* What the model says for the step `ahead` steps after the last one. */
static double
tell(const struct forecast *f, const struct model *m, unsigned ahead)
{
    double d = m->rates->damping, trends = 0;

    if (m->trend != 0)
        trends = d == 1 ? ahead : d * (1 - pow(d, ahead)) / (1 - d);
    return m->level + trends * m->trend + season_at(f, m, ahead - 1);
}

/* Its standard error so far ahead: that of one step grows to that of the horizon. */
static double
spread(const struct forecast *f, const struct model *m, unsigned ahead)
{
    double one = mean_of(&m->square_1), all = mean_of(&m->square_h);
    double part = f->horizon > 1 ? (double)(ahead - 1) / (f->horizon - 1) : 1;

    return sqrt(one + (all > one ? all - one : 0) * part);
}

static struct forecast_point
point_at(const struct forecast *f, const struct model *m, unsigned ahead)
{
    double value = tell(f, m, ahead), wide = Z_NINE_OF_TEN * spread(f, m, ahead);

    return (struct forecast_point){ fmax(value, 0), fmax(value - wide, 0), fmax(value + wide, 0) };
}

/* The first period is over: its mean is the level, what differs from it the season. */
static void
begin_season(struct model *m)
{
    double   sum = 0;
    unsigned n   = 0;

    for (unsigned i = 0; i < m->period; i++)
        if (!isnan(m->season[i])) {
            sum += (double)m->season[i];
            n++;
        }
    m->level = n > 0 ? sum / n : 0;
    m->trend = 0;
    for (unsigned i = 0; i < m->period; i++)
        m->season[i] = isnan(m->season[i]) ? 0 : (float)((double)m->season[i] - m->level);
}

/* What was foretold for this step, a horizon ago, meets the truth. */
static void
judge(const struct forecast *f, struct model *m, double value)
{
    unsigned i   = (unsigned)(f->step % f->horizon);
    double   off = value - (double)m->told[i];

    if (isnan(m->told[i]) || isnan(value))
        return;
    mean_add(&m->miss, fabs(off), f->keep);
    mean_add(&m->square_h, off * off, f->keep);
    mean_add(&m->size, fabs(value), f->keep);
    if (m->judged >= JUDGED_MIN)
        mean_add(&m->within, value >= (double)m->low[i] && value <= (double)m->high[i], f->keep);
    m->judged++;
}

static void
learn(const struct forecast *f, struct model *m, double value)
{
    const struct rates *r = m->rates;
    double              error = value - tell(f, m, 1);

    m->level += r->damping * m->trend;
    m->trend *= r->damping;
    if (isnan(value))
        return;
    mean_add(&m->square_1, error * error, f->keep);
    m->level += r->level * error;
    m->trend += r->level * r->trend * error;
    if (m->period > 0)
        m->season[f->step % m->period] += (float)(r->season * (1 - r->level) * error);
}

/* One step; f->step is still the one that `value` is of. */
static void
model_add(const struct forecast *f, struct model *m, double value)
{
    judge(f, m, value);
    if (f->step < m->period)
        m->season[f->step] = (float)value;
    else if (m->seen == 0 && !isnan(value))
        m->level = value;
    else if (m->seen > 0)
        learn(f, m, value);
    if (!isnan(value))
        m->seen++;
}

static void
model_tell(const struct forecast *f, struct model *m)
{
    unsigned              i = (unsigned)((f->step - 1) % f->horizon);
    struct forecast_point p;

    if (m->period > 0 && f->step == m->period)
        begin_season(m);
    m->told[i] = NAN;
    if (!has_begun(f, m))
        return;
    p          = point_at(f, m, f->horizon);
    m->told[i] = (float)p.value;
    m->low[i]  = (float)p.low;
    m->high[i] = (float)p.high;
}

/* --- all of them --------------------------------------------------------------------- */

static bool
may_speak(const struct model *m)
{
    return m->judged >= JUDGED_MIN;
}

/* The one that errs least; the present one stays where that makes little difference. */
static void
choose(struct forecast *f)
{
    const struct model *now = &f->model[f->speaker];
    unsigned            best = f->speaker;

    for (unsigned i = 0; i < f->n_models; i++)
        if (may_speak(&f->model[i]) &&
            (!may_speak(&f->model[best]) ||
             mean_of(&f->model[i].miss) < mean_of(&f->model[best].miss)))
            best = i;
    if (best != f->speaker &&
        (!may_speak(now) || mean_of(&f->model[best].miss) < BETTER * mean_of(&now->miss)))
        f->speaker = best;
}

void
forecast_add(struct forecast *f, double value)
{
    if (!isfinite(value) || value > 1e30)
        value = NAN;
    else if (value < 0)
        value = 0;
    for (unsigned i = 0; i < f->n_models; i++)
        model_add(f, &f->model[i], value);
    f->step++;
    for (unsigned i = 0; i < f->n_models; i++)
        model_tell(f, &f->model[i]);
    choose(f);
}

static void
scale_model(struct model *m, unsigned horizon, double of)
{
    m->level *= of;
    m->trend *= of;
    m->miss.sum *= of;
    m->size.sum *= of;
    m->square_1.sum *= of * of;
    m->square_h.sum *= of * of;
    for (unsigned i = 0; i < m->period; i++)
        m->season[i] *= (float)of;
    for (unsigned i = 0; i < horizon; i++) {
        m->told[i] *= (float)of;
        m->low[i] *= (float)of;
        m->high[i] *= (float)of;
    }
}

void
forecast_scale(struct forecast *f, double of)
{
    for (unsigned i = 0; i < f->n_models; i++)
        scale_model(&f->model[i], f->horizon, of);
}

struct forecast *
forecast_copy(const struct forecast *f)
{
    struct forecast *out = mem_alloc(sizeof(*out));

    *out = *f;
    for (unsigned i = 0; i < f->n_models; i++) {
        size_t bytes = f->model[i].period * sizeof(float);

        if (bytes == 0)
            continue;
        out->model[i].season = mem_alloc(bytes);
        memcpy(out->model[i].season, f->model[i].season, bytes);
    }
    return out;
}

bool
forecast_at(const struct forecast *f, unsigned ahead, struct forecast_point *out)
{
    const struct model *m = &f->model[f->speaker];

    if (!may_speak(m) || ahead < 1 || ahead > f->horizon)
        return false;
    *out = point_at(f, m, ahead);
    return true;
}

void
forecast_view(const struct forecast *f, struct forecast_view *out)
{
    const struct model *m = &f->model[f->speaker];

    *out = (struct forecast_view){ 0 };
    if (!may_speak(m))
        return;
    out->ready  = true;
    out->period = m->period;
    out->now    = fmax(m->level + season_at(f, m, m->period > 0 ? m->period - 1 : 0), 0);
    out->trend  = m->trend;
    out->error  = mean_of(&m->size) > 0 ? mean_of(&m->miss) / mean_of(&m->size) : 0;
    out->within = m->within.weight > 0 ? mean_of(&m->within) : 1;
    out->judged = m->judged;
    for (unsigned k = 1; k <= f->horizon; k++) {
        struct forecast_point p = point_at(f, m, k);

        if (k == 1 || p.value > out->peak.value) {
            out->peak    = p;
            out->peak_in = k;
        }
    }
}

/* The slope as it is now, not damped: what keeps growing renews it with each step. */
unsigned
forecast_reach(const struct forecast *f, double limit, unsigned max)
{
    const struct model *m = &f->model[f->speaker];
    double              slope, steps;

    if (!may_speak(m) || m->level >= limit)
        return 0;
    slope = m->trend * m->rates->damping;
    if (slope <= 0)
        return 0;
    steps = ceil((limit - m->level) / slope);
    return steps <= max ? (unsigned)steps : 0;
}
