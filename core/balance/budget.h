/* budget.h - how many failed statements may be sent a second time.
 *
 * Each first attempt earns a part of a retry, each retry spends one: when everything fails the
 * servers get a fifth more to do (say), not twice as much. A few are free, so that a quiet
 * worker can retry as well.
 */
#ifndef CORE_BALANCE_BUDGET_H
#define CORE_BALANCE_BUDGET_H

#include "core/base/base.h"

enum { BUDGET_FREE = 10, /* retries per second, and to begin with */
       BUDGET_MOST = 1000, BUDGET_WHOLE = 100 };

struct budget {
    uint32_t hundredths;
    uint64_t second; /* when the free ones were given last */
};

static inline void
budget_earn(struct budget *b, uint32_t percent)
{
    if (b->hundredths < BUDGET_MOST * BUDGET_WHOLE)
        b->hundredths += percent;
}

/* False: there is nothing left to spend. */
static inline bool
budget_spend(struct budget *b, uint64_t now_ms)
{
    if (now_ms / 1000 + 1 != b->second && b->hundredths < BUDGET_FREE * BUDGET_WHOLE)
        b->hundredths = BUDGET_FREE * BUDGET_WHOLE;
    b->second = now_ms / 1000 + 1;
    if (b->hundredths < BUDGET_WHOLE)
        return false;
    b->hundredths -= BUDGET_WHOLE;
    return true;
}

#endif
