/* failover_rule.c - see failover_rule.h. */
#include "ctl/failover/failover_rule.h"

int64_t
rule_rest_ms(unsigned recent)
{
    int64_t rest = RULE_REST_MS;

    if (recent == 0)
        return 0;
    for (unsigned i = 1; i < recent && rest < RULE_REST_MAX_MS; i++)
        rest *= 2;
    return rest < RULE_REST_MAX_MS ? rest : RULE_REST_MAX_MS;
}

enum rule_verdict
rule_decide(const struct rule_facts *f)
{
    if (f->silent_ms <= 0)
        return RULE_WELL;
    if (f->silent_ms < RULE_CONFIRM_MS)
        return RULE_WAITS;
    if (!f->wanted)
        return RULE_UNASKED;
    if (f->workers_ms >= 0 && f->workers_ms < RULE_CONFIRM_MS)
        return RULE_WORKERS;
    if (f->replicas_hear > 0)
        return RULE_REPLICAS;
    if (f->recent > 0 && f->last_ms < rule_rest_ms(f->recent))
        return RULE_RESTS;
    return RULE_REPLACE;
}

const char *
rule_words(enum rule_verdict v)
{
    static const char *const words[] = {
        [RULE_WELL]     = "it answers",
        [RULE_WAITS]    = "it does not answer",
        [RULE_UNASKED]  = "it does not answer, and is not replaced without being asked",
        [RULE_WORKERS]  = "it does not answer the controller, but workers",
        [RULE_REPLICAS] = "it does not answer the controller, but replicas hear it",
        [RULE_RESTS]    = "it does not answer, and was replaced a moment ago",
        [RULE_REPLACE]  = "it does not answer, and is replaced",
    };

    return words[v];
}
