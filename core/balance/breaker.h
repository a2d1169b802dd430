/* breaker.h - whether a server is to be left alone for a while.
 *
 *              errors in a row, or too many of a window's
 *   CLOSED ------------------------------------------------> OPEN <------.
 *      ^                                                       |          |
 *      |  so many trials went well                   its time  |          | a trial failed:
 *      |                                             is over   v          | twice as long
 *      '------------------------------------------------- HALF_OPEN ------'
 *
 * While it is half open a few statements at a time are let through. How long it stays open
 * doubles with each time that a trial fails, up to a limit, and is up to a quarter longer or
 * shorter by chance, so that many workers do not come back at one moment.
 *
 * Pure: times in milliseconds and random numbers are the caller's.
 */
#ifndef CORE_BALANCE_BREAKER_H
#define CORE_BALANCE_BREAKER_H

#include "core/base/base.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker_rules {
    uint32_t errors;        /* in a row that open it; 0: they do not */
    uint32_t ratio_percent; /* of a window's statements; 0: likewise */
    uint32_t ratio_least;   /* ... that are so many at least */
    uint32_t window_ms;
    uint32_t open_ms, open_max_ms;
    uint32_t trials; /* that have to go well, and at most so many at a time */
};

struct breaker_window {
    uint32_t well, badly;
};

/* All zeroes: closed. */
struct breaker {
    enum breaker_state    state;
    uint32_t              streak;  /* errors in a row */
    uint32_t              failed;  /* times it was opened since it was closed */
    uint32_t              trying;  /* trials under way */
    uint32_t              passed;  /* trials that went well */
    uint32_t              round;   /* of openings: a trial of an older one says nothing */
    uint64_t              until_ms; /* OPEN */
    uint64_t              since_ms; /* in this state */
    uint64_t              window_ms; /* when half[1] began */
    struct breaker_window half[2];  /* the half window before, and this one */
};

/* What breaker_began() gives out, and breaker_ended() takes back: 0 for what is no trial. */
typedef uint32_t breaker_ticket;

/* May one more statement be sent there? */
bool breaker_allows(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms);

/* One is; and its end. Each beginning has exactly one end. */
breaker_ticket breaker_began(struct breaker *b, const struct breaker_rules *rules,
                             uint64_t now_ms);
void breaker_ended(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
                   breaker_ticket ticket, bool well, uint64_t random);

/* One that says nothing about the server: it was given up for other reasons. */
void breaker_dropped(struct breaker *b, breaker_ticket ticket);

/* It is left alone until then, whatever was seen here: another worker has opened its own (which had
 * failed so often before), or somebody wants it to rest. Trials come next, as always. */
void breaker_rest(struct breaker *b, uint64_t now_ms, uint64_t until_ms, uint32_t failed);

/* Another worker's trials went well: ours begin. Nothing when it is not open. */
void breaker_hasten(struct breaker *b, uint64_t now_ms);

/* It is known to be down. */
void breaker_trip(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
                  uint64_t random);

/* So many of which only the outcome is known: they count for what is seen, and decide nothing. */
void breaker_count(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
                   struct breaker_window seen);

/* Statements of the last window, and the errors among them. */
struct breaker_window breaker_seen(const struct breaker *b, const struct breaker_rules *rules,
                                   uint64_t now_ms);

const char *breaker_state_name(enum breaker_state state);

#endif
