/* score.h - a server's health as a number from 0 to 100, for people and metrics.
 *
 *   100 - errors (up to 60) - latency (up to 40); at most 50 while it is half open, 0 while open
 *
 * Nothing is decided by it: the choice of a server (pick.h) looks at what it is made of.
 */
#ifndef CORE_BALANCE_SCORE_H
#define CORE_BALANCE_SCORE_H

#include "core/balance/breaker.h"

struct score_facts {
    enum breaker_state    breaker;
    struct breaker_window seen;    /* statements of the last window */
    double                us;      /* its latency; 0: not known */
    double                best_us; /* of its group's; 0: not known */
};

struct score {
    uint8_t value;
    uint8_t errors, latency; /* points that these cost */
};

struct score score_of(const struct score_facts *f);

#endif
