/* breaker.c - see breaker.h. */
#include "core/balance/breaker.h"

static void
enter(struct breaker *b, enum breaker_state state, uint64_t now_ms)
{
    b->state    = state;
    b->since_ms = now_ms;
    b->streak   = 0;
    b->trying   = 0;
    b->passed   = 0;
}

static uint64_t
with_jitter(uint64_t ms, uint64_t random)
{
    uint64_t half = ms / 2;

    return ms - half / 2 + (half == 0 ? 0 : random % (half + 1));
}

static void
open(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms, uint64_t random)
{
    uint64_t ms = rules->open_ms;

    for (uint32_t i = 0; i < b->failed && ms < rules->open_max_ms; i++)
        ms *= 2;
    b->failed++;
    b->round++;
    enter(b, BREAKER_OPEN, now_ms);
    b->half[0] = b->half[1] = (struct breaker_window){ 0 };
    b->until_ms = now_ms + with_jitter(ms < rules->open_max_ms ? ms : rules->open_max_ms, random);
}

static void
slide(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms)
{
    uint64_t half = rules->window_ms / 2 + 1;

    if (now_ms - b->window_ms < half)
        return;
    b->half[0]   = now_ms - b->window_ms < 2 * half ? b->half[1] : (struct breaker_window){ 0 };
    b->half[1]   = (struct breaker_window){ 0 };
    b->window_ms = now_ms;
}

void
breaker_count(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
              struct breaker_window seen)
{
    slide(b, rules, now_ms);
    b->half[1].well += seen.well;
    b->half[1].badly += seen.badly;
}

struct breaker_window
breaker_seen(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms)
{
    struct breaker copy = *b;

    slide(&copy, rules, now_ms);
    return (struct breaker_window){ copy.half[0].well + copy.half[1].well,
                                    copy.half[0].badly + copy.half[1].badly };
}

static bool
is_bad(const struct breaker *b, const struct breaker_rules *rules)
{
    uint64_t well  = (uint64_t)b->half[0].well + b->half[1].well;
    uint64_t badly = (uint64_t)b->half[0].badly + b->half[1].badly;

    if (rules->errors != 0 && b->streak >= rules->errors)
        return true;
    return rules->ratio_percent != 0 && well + badly >= rules->ratio_least &&
           badly * 100 >= rules->ratio_percent * (well + badly);
}

bool
breaker_allows(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms)
{
    switch (b->state) {
    case BREAKER_CLOSED:    return true;
    case BREAKER_OPEN:      return now_ms >= b->until_ms;
    case BREAKER_HALF_OPEN: return b->trying < rules->trials;
    }
    __builtin_unreachable();
}

breaker_ticket
breaker_began(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms)
{
    if (b->state == BREAKER_CLOSED)
        return 0;
    if (b->state == BREAKER_OPEN && now_ms < b->until_ms)
        return 0; /* it is used although it is open */
    if (b->state == BREAKER_OPEN)
        enter(b, BREAKER_HALF_OPEN, now_ms);
    if (b->trying >= rules->trials)
        return 0;
    b->trying++;
    return b->round;
}

void
breaker_dropped(struct breaker *b, breaker_ticket ticket)
{
    if (b->state == BREAKER_HALF_OPEN && ticket == b->round && b->trying > 0)
        b->trying--;
}

void
breaker_ended(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
              breaker_ticket ticket, bool well, uint64_t random)
{
    bool trial = b->state == BREAKER_HALF_OPEN && ticket != 0 && ticket == b->round;

    breaker_dropped(b, ticket);
    slide(b, rules, now_ms);
    b->half[1].well += well;
    b->half[1].badly += !well;
    if (trial && !well)
        open(b, rules, now_ms, random);
    else if (trial && ++b->passed >= rules->trials) {
        enter(b, BREAKER_CLOSED, now_ms);
        b->failed = 0;
    } else if (b->state == BREAKER_CLOSED) {
        b->streak = well ? 0 : b->streak + 1;
        if (is_bad(b, rules))
            open(b, rules, now_ms, random);
    }
}

void
breaker_trip(struct breaker *b, const struct breaker_rules *rules, uint64_t now_ms,
             uint64_t random)
{
    if (b->state != BREAKER_OPEN || now_ms >= b->until_ms)
        open(b, rules, now_ms, random);
}

void
breaker_rest(struct breaker *b, uint64_t now_ms, uint64_t until_ms, uint32_t failed)
{
    b->failed = failed;
    b->round++;
    enter(b, BREAKER_OPEN, now_ms);
    b->half[0] = b->half[1] = (struct breaker_window){ 0 };
    b->until_ms = until_ms;
}

void
breaker_hasten(struct breaker *b, uint64_t now_ms)
{
    if (b->state == BREAKER_OPEN && b->until_ms > now_ms)
        b->until_ms = now_ms;
}

const char *
breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = { "closed", "open", "half-open" };

    return names[state];
}
