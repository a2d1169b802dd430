/* watch.c - see watch.h. */
#include "ctl/scale/watch.h"

#include <math.h>

enum { REACH_MAX_S = 30 * 86400, GAP_MAX = 100000 /* steps; longer: begin anew */ };

static struct forecast *
forecast_for(const struct scale_settings *s)
{
    unsigned periods[2], n = settings_periods(s, periods);

    return forecast_new((unsigned)s->forecast_steps, periods, n);
}

static void
begin_forecasts(struct watch *w, const struct scale_settings *s)
{
    w->statements = forecast_for(s);
    w->storage    = forecast_new((unsigned)s->forecast_steps, NULL, 0);
    w->now[0] = w->now[1] = (struct watch_step){ 0 };
    w->step   = 0;
}

void
watch_init(struct watch *w, const struct scale_settings *s)
{
    *w = (struct watch){ 0 };
    begin_forecasts(w, s);
}

void
watch_fini(struct watch *w)
{
    forecast_free(w->statements);
    forecast_free(w->storage);
    w->statements = w->storage = NULL;
}

static double
mean_of(const struct watch_step *step)
{
    return step->n > 0 ? step->sum / step->n : (double)NAN;
}

static void
gather(struct watch_step *step, double value)
{
    if (isnan(value))
        return;
    step->sum += value;
    step->n++;
}

/* The step under way is over when a later one begins; those between were not measured. */
static void
end_steps(struct watch *w, const struct scale_settings *s, int64_t step)
{
    if (w->step > 0 && step - w->step > GAP_MAX) {
        watch_fini(w);
        begin_forecasts(w, s);
    }
    for (; w->step > 0 && w->step < step; w->step++) {
        forecast_add(w->statements, mean_of(&w->now[0]));
        forecast_add(w->storage, mean_of(&w->now[1]));
        w->now[0] = w->now[1] = (struct watch_step){ 0 };
    }
    w->step = step;
}

void
watch_learn(struct watch *w, const struct scale_settings *s, int64_t at_s, double statements,
            double storage)
{
    int64_t step = at_s / (int64_t)s->forecast_step_s + 1;

    if (step < w->step)
        return;
    end_steps(w, s, step);
    gather(&w->now[0], statements);
    gather(&w->now[1], storage);
}

void
watch_add(struct watch *w, const struct scale_settings *s, const struct detector_rules *r,
          int64_t at_s, const double value[METRICS_N])
{
    detector_add(&w->detector, r, value);
    watch_learn(w, s, at_s, value[METRIC_STATEMENTS], value[METRIC_STORAGE]);
}

void
watch_moved(struct watch *w, const struct scale_settings *s, double part)
{
    detector_reset(&w->detector);
    if (part > 0) {
        forecast_scale(w->statements, part);
        forecast_scale(w->storage, part);
        w->now[0] = w->now[1] = (struct watch_step){ 0 };
        return;
    }
    watch_fini(w);
    begin_forecasts(w, s);
}

void
watch_split(struct watch *to, const struct watch *from, const struct scale_settings *s,
            double part)
{
    watch_fini(to);
    *to            = *from;
    to->statements = forecast_copy(from->statements);
    to->storage    = forecast_copy(from->storage);
    watch_moved(to, s, part);
}

static struct policy_forecast
view(const struct forecast *f, const struct scale_settings *s, double limit)
{
    struct forecast_view v;
    int64_t              step = (int64_t)s->forecast_step_s;

    forecast_view(f, &v);
    return (struct policy_forecast){
        .ready = v.ready, .peak = v.peak.value, .low = v.peak.low, .high = v.peak.high,
        .error = v.error, .in_s = (int64_t)v.peak_in * step, .period_s = (int64_t)v.period * step,
        .reach_s = limit > 0 ? step * forecast_reach(f, limit, (unsigned)(REACH_MAX_S / step)) : 0,
    };
}

void
watch_fill(const struct watch *w, const struct scale_settings *s, const struct detector_rules *r,
           struct policy_shard *out)
{
    out->hot  = w->detector.hot;
    out->cold = detector_is_cold(&w->detector, r);
    for (int m = 0; m < METRICS_N; m++) {
        out->mean[m]  = w->detector.seen > 0 ? w->detector.mean[m] : (double)NAN;
        out->above[m] = (uint8_t)detector_above(&w->detector, r, (enum metric)m);
    }
    out->statements = view(w->statements, s, 0);
    out->storage    = view(w->storage, s, r->limit[METRIC_STORAGE]);
}
