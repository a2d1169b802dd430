/* failover_rule.h - whether a primary that does not answer is to be replaced: a pure rule.
 *
 *   who looks          what counts
 *   the controller     it asks the primary twice a second: no answer for RULE_CONFIRM_MS
 *   the workers        none of them had an answer from it for as long
 *   the replicas       none of them that answers hears it (a heartbeat comes every second)
 *
 * All have to agree: one who hears it knows that it lives, and then it is us who are cut off.
 *
 * A shard whose primary was just replaced is left alone for a while, and for longer each time: a
 * fault that goes along with the role would otherwise wear out one server after another.
 */
#ifndef CTL_FAILOVER_FAILOVER_RULE_H
#define CTL_FAILOVER_FAILOVER_RULE_H

#include "core/base/base.h"

enum {
    RULE_CONFIRM_MS = 2000,
    RULE_REST_MS    = 10000,  /* after one; twice as long after each further one */
    RULE_REST_MAX_MS = 60000,
    RULE_WINDOW_S   = 600,    /* as long as they are counted */
};

struct rule_facts {
    bool     wanted;         /* it may be replaced by itself: semi_sync, a replica, "auto" */
    int64_t  silent_ms;      /* since when the controller gets no answer; 0: it does */
    int64_t  workers_ms;     /* since when no worker had an answer from it; -1: none ever asks */
    unsigned replicas_hear;  /* of those that answer us */
    unsigned recent;         /* times that it was replaced within RULE_WINDOW_S */
    int64_t  last_ms;        /* since the last of these */
};

enum rule_verdict {
    RULE_WELL,      /* it answers */
    RULE_WAITS,     /* not for long enough yet */
    RULE_UNASKED,   /* it is not wanted */
    RULE_WORKERS,   /* workers have answers from it */
    RULE_REPLICAS,  /* replicas hear it */
    RULE_RESTS,     /* it was replaced a moment ago */
    RULE_REPLACE,
};

enum rule_verdict rule_decide(const struct rule_facts *f);

/* How long the shard is left alone after that many. */
int64_t rule_rest_ms(unsigned recent);

/* "it does not answer, ..." in words for people. */
const char *rule_words(enum rule_verdict v);

#endif
