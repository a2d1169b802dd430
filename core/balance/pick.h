/* pick.h - which of several servers gets the next statement.
 *
 *   usable --local ones first--> two by chance --the one with less before it--> it
 *
 * "Before it" is how long an answer takes times the statements that wait for one there, divided
 * by the server's weight (the power of two choices: almost as good as looking at all, and
 * nobody runs all together to the one that looks best). A server that is new or has recovered
 * takes part now and then at first, and always when its ramp is over.
 */
#ifndef CORE_BALANCE_PICK_H
#define CORE_BALANCE_PICK_H

#include "core/balance/ewma.h"

enum { PICK_MAX = 32, PICK_RAMP_LEAST = 100, PICK_RAMP_ALL = 1000, PICK_LEAST_US = 10 };

struct pick_server {
    struct ewma latency;
    uint32_t    outstanding; /* statements that wait for an answer */
    uint32_t    weight;      /* from 1 */
    uint64_t    since_us;    /* when it was new or well again */
};

/* Those that may be chosen. All zeroes: nobody yet. Once there is a local one, no others. */
struct pick_list {
    uint32_t                  n;
    bool                      local;
    const struct pick_server *at[PICK_MAX];
};

static inline void
pick_add(struct pick_list *list, const struct pick_server *s, bool local)
{
    if (local && !list->local) {
        list->local = true;
        list->n     = 0;
    }
    if (local == list->local && list->n < PICK_MAX)
        list->at[list->n++] = s;
}

/* How often, of 1000 times, a server takes part. */
static inline uint32_t
pick_ramp(uint64_t since_us, uint64_t now_us, uint64_t ramp_us)
{
    if (ramp_us == 0 || now_us >= since_us + ramp_us)
        return PICK_RAMP_ALL;
    if (now_us <= since_us)
        return PICK_RAMP_LEAST;
    return (uint32_t)(PICK_RAMP_LEAST +
                      (now_us - since_us) * (PICK_RAMP_ALL - PICK_RAMP_LEAST) / ramp_us);
}

/* What is before the next statement there, not yet divided by the weight. */
static inline double
pick_cost(const struct pick_server *s, uint64_t now_us)
{
    return (ewma_value(&s->latency, now_us) + PICK_LEAST_US) * (s->outstanding + 1);
}

/* xorshift64*; *state is not 0. */
static inline uint64_t
pick_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* So few of `total` servers look well that it is rather us who are ill: then all are used. */
static inline bool
pick_panics(uint32_t well, uint32_t total, uint32_t percent)
{
    return well * 100 < total * percent;
}

/* One of them; NULL: there is none. The list is used up. */
const struct pick_server *pick(struct pick_list *list, uint64_t now_us, uint64_t ramp_us,
                               uint64_t *random);

#endif
