/* forecast.h - what a load will be, from what it was.
 *
 *   value of each step --> models, each with and without a season --> errors of what each
 *   (NAN: not measured)    foretold a horizon ago --> the one that erred least speaks
 *
 * Each model smooths exponentially (Holt and Winters: a level, a damped trend, and added to them
 * a season that repeats every so many steps), written as corrections by the last error. They
 * differ in how fast they learn and in the season's length: a day, a week, or none. All run at
 * once and are judged by what counts: how far off they were `horizon` steps ahead, lately. So
 * nothing is fitted, a step costs the same always, and the error shown is that of forecasts that
 * were really made before their time came.
 *
 * Source of the models: Hyndman, Koehler, Ord, Snyder: Forecasting with Exponential Smoothing.
 *
 * Pure; memory is taken by forecast_new() only. Not for several threads at a time.
 */
#ifndef CTL_SCALE_FORECAST_H
#define CTL_SCALE_FORECAST_H

#include "core/base/base.h"

enum { FORECAST_HORIZON_MAX = 64, FORECAST_PERIOD_MAX = 4096, FORECAST_PERIODS_MAX = 2 };

struct forecast;

/* `horizon` in [1, FORECAST_HORIZON_MAX] steps; periods in [2, FORECAST_PERIOD_MAX] steps each,
 * at most FORECAST_PERIODS_MAX of them. */
struct forecast *forecast_new(unsigned horizon, const unsigned *periods, unsigned n_periods);
void             forecast_free(struct forecast *f);

/* The value of the next step, not negative; NAN, or anything not finite: it was not measured. */
void forecast_add(struct forecast *f, double value);

/* From now on it is about the part `of` of what it was about (a split), as if always so. */
void forecast_scale(struct forecast *f, double of);

/* The same once more; forecast_free(). */
struct forecast *forecast_copy(const struct forecast *f);

struct forecast_point {
    double value, low, high; /* nine of ten are between low and high; none is below 0 */
};

/* What it will be `ahead` steps from the last one, in [1, horizon]. False: too little was
 * seen yet. */
bool forecast_at(const struct forecast *f, unsigned ahead, struct forecast_point *out) must_check;

struct forecast_view {
    bool     ready;    /* else all below is 0 */
    unsigned period;   /* of the model that speaks; 0: it knows no season */
    double   now;      /* where it takes the load to be, noise left out */
    double   trend;    /* per step, without the season */
    struct forecast_point peak; /* the highest within the horizon */
    unsigned peak_in;  /* steps until then */
    double   error;    /* mean of how far off it was a horizon ahead, as a part of the mean value */
    double   within;   /* how many of the values were between low and high: 0 to 1 */
    uint64_t judged;   /* of how many forecasts that is */
};

void forecast_view(const struct forecast *f, struct forecast_view *out);

/* In how many steps the trend reaches `limit`, at most `max`; 0: it does not, or is there, or
 * too little was seen. For what only grows: storage. */
unsigned forecast_reach(const struct forecast *f, double limit, unsigned max);

#endif
