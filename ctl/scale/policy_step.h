/* policy_step.h - a look at the world under way; private to policy*.c. */
#ifndef CTL_SCALE_POLICY_STEP_H
#define CTL_SCALE_POLICY_STEP_H

#include "ctl/scale/policy.h"

struct policy {
    const struct scale_settings *s;
    const struct policy_world   *w;
    struct detector_rules        rules;
    struct decision             *out;
    size_t                       n, max;
};

struct decision *policy_add(struct policy *p, enum policy_action action, enum policy_why why,
                            size_t shard);

/* Appends to the sentence. */
void policy_text(struct decision *d, const char *fmt, ...) printf_like(2, 3);

/* The pair of cold shards that fits best, if any. */
void policy_merges(struct policy *p);

/* Hints to servers that are larger than they need and have no part in any decision. */
void policy_sizes(struct policy *p);

/* What may not be done now is held, with the reason in its sentence. */
void policy_hold(struct policy *p);

#endif
