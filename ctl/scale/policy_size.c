/* policy_size.c - servers that are larger than what they do. */
#include <math.h>

#include "ctl/scale/policy_step.h"

/* Half of the limit is left for what comes. */
#define FILL 0.5

/* Less is not worth a sentence. */
#define GAIN 0.5

static bool
is_decided(const struct policy *p, size_t shard)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->out[i].shard == shard || p->out[i].other == shard)
            return true;
    return false;
}

/* The CPUs that would do; NAN: that cannot be said. A server without limits of its own shares a
 * machine, whose size is no matter of one shard. */
static double
needed(const struct policy *p, const struct policy_shard *s)
{
    double limit = p->rules.limit[METRIC_CPU];

    if (!s->cold || s->ranges == 0 || s->moving || s->hot != 0 || s->cpus <= 0 || limit <= 0)
        return NAN;
    return s->cpus * s->mean[METRIC_CPU] / (limit * FILL);
}

void
policy_sizes(struct policy *p)
{
    for (size_t i = 0; i < p->w->n; i++) {
        const struct policy_shard *s    = &p->w->shard[i];
        double                     cpus = needed(p, s);
        struct decision           *d;
        char                       has[64];

        if (isnan(cpus) || cpus > GAIN * s->cpus || is_decided(p, i))
            continue;
        d         = policy_add(p, POLICY_HINT, WHY_SIZE, i);
        d->metric = METRIC_CPU;
        d->value  = s->mean[METRIC_CPU];
        d->limit  = p->rules.limit[METRIC_CPU];
        policy_text(d, "%s has been below %.0f%% of all limits in %u of %u measurements, and no "
                    "other shard fits beside it; it uses %s of %.3g: %.2g would do, with as much "
                    "again to spare", s->name, p->s->cold, p->rules.cold_n, p->rules.cold_of,
                    policy_value(METRIC_CPU, d->value, has), s->cpus, fmax(cpus, 0.1));
    }
}
