/* pick.h - which of several servers gets the next statement.
 *
 *   usable --local ones first--> two by chance --the one with less before it--> it
 *                                                       '--unless a third is far better
 *
 * "Before it" is how long an answer takes times the statements that wait for one there, divided
 * by the server's weight; more where statements fail: errors are quick, and a server that has
 * nothing else to give would look best. Two by chance are almost as good as looking at all, and
 * nobody runs all together to the one that looks best (the power of two choices). But of fifty with
 * five in trouble one pair in a hundred is in trouble both, and that is what clients see as their
 * slowest statements: so a third is looked at, and taken when it is far better than both.
 * In the simulator (tests/unit/balance_sim.h, bench/balance.svg) the slowest of a thousand take
 * 2.1 ms with it and 200 ms without while five of fifty are throttled; 3.4 and 20 ms while a
 * tenth of all is copied. It has to be far better: among three replicas those that are only a bit
 * slower would else get nothing at little load, and nothing new would be learned of them.
 *
 * A server that is new or has recovered takes part now and then at first, and always when its ramp
 * is over.
 */
#ifndef CORE_BALANCE_PICK_H
#define CORE_BALANCE_PICK_H

#include "core/balance/ewma.h"

enum { PICK_MAX = 32, PICK_RAMP_LEAST = 100, PICK_RAMP_ALL = 1000, PICK_LEAST_US = 10,
       PICK_MORE = 1, PICK_FAR = 2, /* so many more, and so many times better */
       PICK_SILENT_TIMES = 16, /* silence counts for at most so many answers */
       PICK_BAD_TIMES = 20, /* so much dearer where all fails */
       PICK_BAD_PART = 16 /* each outcome is such a part of what is known */ };

struct pick_server {
    struct ewma latency;
    uint64_t    silent_us;   /* since when those that wait have had none; see pick_us() */
    uint32_t    outstanding; /* statements that wait for an answer */
    uint32_t    weight;      /* from 1 */
    float       bad;         /* the part of its statements that failed lately, 0 to 1 */
    uint64_t    since_us;    /* when it was new or well again */
};

/* One more waits there. */
static inline void
pick_began(struct pick_server *s, uint64_t now_us)
{
    if (s->outstanding++ == 0)
        s->silent_us = now_us;
}

/* It does not any more; `heard`: because of something that the server said. */
static inline void
pick_ended(struct pick_server *s, uint64_t now_us, bool heard)
{
    s->outstanding--;
    if (heard)
        s->silent_us = now_us;
}

static inline void
pick_note(struct pick_server *s, bool well)
{
    s->bad += ((well ? 0 : 1) - s->bad) / PICK_BAD_PART;
}

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

/* How long an answer takes. One that is awaited says something before it is there: when a server
 * stops answering those behind it are sent elsewhere at once. Not without limit: a single long
 * statement where nobody else asks looks the same, and then one more answer tells. */
static inline double
pick_us(const struct pick_server *s, uint64_t now_us)
{
    double us = ewma_value(&s->latency, now_us) + PICK_LEAST_US;

    if (s->outstanding == 0 || now_us <= s->silent_us)
        return us;
    double silent = (double)(now_us - s->silent_us);
    if (silent <= us)
        return us;
    return silent < us * PICK_SILENT_TIMES ? silent : us * PICK_SILENT_TIMES;
}

/* What is before the next statement there, not yet divided by the weight. */
static inline double
pick_cost(const struct pick_server *s, uint64_t now_us)
{
    return pick_us(s, now_us) * (s->outstanding + 1) * (1 + PICK_BAD_TIMES * (double)s->bad);
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
