/* watch.h - one shard as the scaler sees it: is it hot, and what will it be.
 *
 *   values of a measurement --> detector
 *                           --> mean of each step --> forecasts of statements and storage
 *
 * The same for measurements of servers (scaler.c) and of a trace (simulate.c). Pure but for
 * the memory of forecasts.
 */
#ifndef CTL_SCALE_WATCH_H
#define CTL_SCALE_WATCH_H

#include "ctl/scale/forecast.h"
#include "ctl/scale/policy.h"

/* The mean of the values of a step. */
struct watch_step {
    double sum;
    unsigned n;
};

struct watch {
    struct detector   detector;
    struct forecast  *statements, *storage; /* owned; NULL: none are wanted */
    struct watch_step now[2];
    int64_t           step; /* number of the step under way since 1970; 0: none yet */
};

void watch_init(struct watch *w, const struct scale_settings *s);
void watch_fini(struct watch *w);

/* A measurement that ended at `at_s`, Unix time or any other that goes up. */
void watch_add(struct watch *w, const struct scale_settings *s, const struct detector_rules *r,
               int64_t at_s, const double value[METRICS_N]);

/* Only for forecasts: what was measured before the scaler ran. */
void watch_learn(struct watch *w, const struct scale_settings *s, int64_t at_s,
                 double statements, double storage);

/* Its rows have changed: the detector begins anew. `part`: it has this part of the load now;
 * 0: it has other load, and forecasts begin anew as well. */
void watch_moved(struct watch *w, const struct scale_settings *s, double part);

/* `to` is new and has got the part `part` of what `from` was about. */
void watch_split(struct watch *to, const struct watch *from, const struct scale_settings *s,
                 double part);

/* What policy.h wants of it. */
void watch_fill(const struct watch *w, const struct scale_settings *s,
                const struct detector_rules *r, struct policy_shard *out);

#endif
