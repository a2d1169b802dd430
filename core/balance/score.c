/* score.c - see score.h. */
#include "core/balance/score.h"

enum { ERRORS_MAX = 60, LATENCY_MAX = 40, HALF_OPEN_MAX = 50,
       ALL_BAD_PERCENT = 50, /* of statements: costs all that errors can */
       SLOW_FREE = 2, SLOW_ALL = 10 /* times the best one's latency: costs nothing, all */ };

static uint8_t
error_points(const struct breaker_window *seen)
{
    uint64_t all    = (uint64_t)seen->well + seen->badly;
    uint64_t points = all == 0 ? 0
                               : (uint64_t)seen->badly * 100 * ERRORS_MAX / all / ALL_BAD_PERCENT;

    if (points == 0 && seen->badly != 0)
        points = 1;
    return (uint8_t)(points < ERRORS_MAX ? points : ERRORS_MAX);
}

static uint8_t
latency_points(double us, double best_us)
{
    double times = us > 0 && best_us > 0 ? us / best_us : 1;

    if (times <= SLOW_FREE)
        return 0;
    if (times >= SLOW_ALL)
        return LATENCY_MAX;
    return (uint8_t)((times - SLOW_FREE) * LATENCY_MAX / (SLOW_ALL - SLOW_FREE));
}

struct score
score_of(const struct score_facts *f)
{
    struct score s = { .errors  = error_points(&f->seen),
                       .latency = latency_points(f->us, f->best_us) };

    s.value = (uint8_t)(100 - s.errors - s.latency);
    if (f->breaker == BREAKER_OPEN)
        s.value = 0;
    else if (f->breaker == BREAKER_HALF_OPEN && s.value > HALF_OPEN_MAX)
        s.value = HALF_OPEN_MAX;
    return s;
}
