/* balance_stories.h - what happens to the fifty servers of balance_sim.h. */
#ifndef TESTS_UNIT_BALANCE_STORIES_H
#define TESTS_UNIT_BALANCE_STORIES_H

#include "tests/unit/balance_trace.h"

enum { SIM_SERVERS = 50, SIM_SECOND = 1000000 };

/* `n` servers, every `every`-th from `first`, one `apart_us` after the other: each is down so long,
 * where all fails at once, and then as recorded. What of a recording is the trouble begins a
 * second later and lasts two. */
struct sim_trouble {
    uint32_t        n, first, every;
    uint64_t        from_us, apart_us, down_us;
    enum trace_name trace;
    uint32_t        percent; /* of statements that fail meanwhile, at once */
};

struct sim_story {
    const char        *name;
    double             load;      /* of all that the servers can do */
    uint64_t           us;        /* how long */
    uint64_t           period_us; /* all comes again so often; 0: it does not */
    uint64_t           late_us;   /* ... and up to so much later, each time anew */
    struct sim_trouble trouble[8];
};

enum sim_story_name {
    STORY_WELL, STORY_TROUBLES, STORY_THROTTLED, STORY_FAILING, STORY_PARTLY, STORY_CRASH,
    STORY_DEPLOY, STORY_MANY, STORY_DAILY, STORY_LATE, STORIES
};

/* clang-format off */
static const struct sim_story sim_stories[STORIES] = {
    [STORY_WELL] = { "all are well", 0.5, SIM_SECOND, 0, 0, { { 0 } } },
    [STORY_TROUBLES] = { "six in six kinds of trouble", 0.5, 5 * SIM_SECOND / 2, 0, 0, {
        { 1,  3, 1, 0, 0, 0, TRACE_REBUILT, 0 },   { 1, 11, 1, 0, 0, 0, TRACE_REPORTED, 0 },
        { 1, 19, 1, 0, 0, 0, TRACE_LOADED, 0 },    { 1, 27, 1, 0, 0, 0, TRACE_COPIED, 0 },
        { 1, 35, 1, 0, 0, 0, TRACE_THROTTLED, 0 }, { 1, 43, 1, 0, 0, 0, TRACE_CROWDED, 0 } } },
    [STORY_THROTTLED] = { "five throttled, and back", 0.5, 5 * SIM_SECOND / 2, 0, 0, {
        { 5, 3, 10, 0, 0, 0, TRACE_THROTTLED, 0 } } },
    [STORY_FAILING] = { "one fails at once", 0.5, SIM_SECOND, 0, 0, {
        { 1, 7, 1, SIM_SECOND, 0, 0, TRACE_WELL, 100 } } },
    [STORY_PARTLY] = { "three fail a tenth", 0.5, SIM_SECOND, 0, 0, {
        { 3, 7, 9, SIM_SECOND, 0, 0, TRACE_WELL, 10 } } },
    [STORY_CRASH] = { "three stall, three crash", 0.5, 5 * SIM_SECOND / 2, 0, 0, {
        { 3, 5, 16, 0, 0, 0, TRACE_STALLED, 0 },
        { 3, 9, 16, SIM_SECOND, 0, SIM_SECOND, TRACE_COLD, 0 } } },
    [STORY_DEPLOY] = { "one zone of three is deployed", 0.5, 3 * SIM_SECOND, 0, 0, {
        { 17, 0, 3, SIM_SECOND, SIM_SECOND / 10, SIM_SECOND, TRACE_COLD, 0 } } },
    [STORY_MANY] = { "half of all are crowded", 0.3, 5 * SIM_SECOND / 2, 0, 0, {
        { 25, 0, 2, 0, 0, 0, TRACE_CROWDED, 0 } } },
    [STORY_DAILY] = { "each is copied at its hour", 0.5, 4 * SIM_SECOND, 20 * SIM_SECOND, 0, {
        { 50, 0, 1, 0, 400000, 0, TRACE_COPIED, 0 } } },
    [STORY_LATE] = { "... or a little later", 0.5, 4 * SIM_SECOND, 20 * SIM_SECOND, SIM_SECOND, {
        { 50, 0, 1, 0, 400000, 0, TRACE_COPIED, 0 } } },
};
/* clang-format on */

#endif
