/* pace_rule.c - see pace_rule.h. */
#include "ctl/move/pace_rule.h"

#include <stdio.h>

enum {
    FIRST_MS  = 100,
    DRAIN_MS  = 200,   /* what is on its way to targets when the copy begins to rest */
    QUIET_MS  = 300,
    LOOK_MS   = 500,
    AGAIN_US  = 30000000, /* from one rest to the next */
    ENOUGH    = 20,    /* statements that make an average */
    SLACK_US  = 100,   /* differences that nobody notices */
    STEP_UP   = 125,
    STEP_DOWN = 70,
    FASTER    = 125,   /* percent of the rate before: it is still getting faster */
    FULL_LEAST = 3, FULL_MOST = 4, /* looks that see rows */
};

/* What a statement took since the last look; 0: there were too few. */
static double
average_us(const struct pace_server *s, const struct pace_seen *before)
{
    uint64_t n = s->statements - before->statements;

    return n >= ENOUGH && s->ns >= before->ns ? (double)(s->ns - before->ns) / 1e3 / (double)n : 0;
}

static bool
is_used(const struct pace_state *p, const struct pace_server *servers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (servers[i].statements > p->seen[i].statements)
            return true;
    return false;
}

/* How much worse than allowed it is, 1: not; and why. */
static double
pressure(struct pace_state *p, const struct throttle *how, const struct pace_server *servers,
         unsigned n)
{
    double worst = 1;

    p->reason[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        const struct pace_server *s     = &servers[i];
        double                    took  = average_us(s, &p->seen[i]);
        double                    base  = p->seen[i].base_us;
        double                    limit = base * how->slower / 100 + SLACK_US;

        if (s->running > how->running && worst < 10) {
            worst = 10;
            snprintf(p->reason, sizeof(p->reason), "%s runs %u statements of applications at once "
                     "(running=%u)", s->name, s->running, how->running);
        }
        if (base > 0 && took > limit && took / limit > worst) {
            worst = took / limit;
            snprintf(p->reason, sizeof(p->reason), "statements take %.1f ms on %s, %.1f ms "
                     "without the copy (slower=%u)", took / 1e3, s->name, base / 1e3, how->slower);
        }
    }
    return worst;
}

/* Down at once, up by steps. */
static void
adjust(struct pace_state *p, const struct throttle *how, double worst, uint64_t rate)
{
    uint64_t floor = p->best * how->floor / 100 + 1;

    if (worst <= 1) {
        p->allowed = p->allowed * STEP_UP / 100 + (p->allowed > 0);
        if (p->allowed > p->best)
            p->allowed = 0;
        if (p->allowed > 0)
            snprintf(p->reason, sizeof(p->reason), "faster again, step by step");
        return;
    }
    if (p->best == 0)
        return;
    if (p->allowed == 0 || rate < p->allowed)
        p->allowed = rate;
    p->allowed = worst >= 2 ? floor : p->allowed * STEP_DOWN / 100;
    if (p->allowed < floor)
        p->allowed = floor;
}

static void
remember(struct pace_state *p, const struct pace_server *servers, unsigned n, bool base)
{
    for (unsigned i = 0; i < n; i++) {
        double took = average_us(&servers[i], &p->seen[i]);

        if (base && took > 0)
            p->seen[i].base_us = took;
        p->seen[i].statements = servers[i].statements;
        p->seen[i].ns         = servers[i].ns;
    }
}

static uint64_t
rate_of(const struct pace_state *p, uint64_t rows, uint64_t now_us)
{
    return rows > p->rows && now_us > p->at_us
               ? (rows - p->rows) * 1000000 / (now_us - p->at_us) : 0;
}

/* Its floor is a part of the best rate: limited before that is known, a copy beside a busy
 * application would stay at a part of its first rows' rate for good. What it reads first waits in
 * buffers, faster than targets take rows: the best rate is that of the looks behind. */
static bool
is_learning(struct pace_state *p, uint64_t rows, uint64_t now_us)
{
    uint64_t rate = rate_of(p, rows, now_us), before = p->best;

    if (rate == 0)
        return true;
    if (p->full++ == 0) {
        p->full_rows = rows;
        p->full_us   = now_us;
        p->best      = rate;
        return true;
    }
    p->best = (rows - p->full_rows) * 1000000 / (now_us - p->full_us);
    return p->full < FULL_LEAST || (rate * 100 > before * FASTER && p->full < FULL_MOST);
}

/* As it changes, but not by one look alone. */
static void
relearn(struct pace_state *p, uint64_t rate)
{
    if (p->allowed == 0 && rate > 0)
        p->best = (3 * p->best + rate) / 4;
}

static unsigned
going(struct pace_state *p, const struct throttle *how, const struct pace_server *servers,
      unsigned n, uint64_t rows, uint64_t now_us)
{
    uint64_t rate = rate_of(p, rows, now_us);

    if (p->phase == PACE_FULL) {
        if (is_learning(p, rows, now_us))
            return LOOK_MS;
    } else {
        relearn(p, rate);
    }
    p->phase = PACE_GOING;
    adjust(p, how, pressure(p, how, servers, n), rate);
    if (now_us - p->quiet_us < AGAIN_US || !is_used(p, servers, n))
        return LOOK_MS;
    p->phase = PACE_QUIET_BEGINS;
    p->hold  = true;
    return DRAIN_MS;
}

static unsigned
quiet_ends(struct pace_state *p, uint64_t now_us)
{
    p->quiet_us = now_us;
    p->phase    = p->best > 0 ? PACE_GOING : PACE_FULL;
    p->hold     = false;
    return LOOK_MS;
}

static unsigned
step(struct pace_state *p, const struct throttle *how, const struct pace_server *servers,
     unsigned n, uint64_t rows, uint64_t now_us)
{
    switch (p->phase) {
    case PACE_FIRST:
        p->phase = PACE_QUIET_BEGINS;
        p->hold  = true;
        return FIRST_MS;
    case PACE_QUIET_BEGINS:
        p->phase = PACE_QUIET;
        if (is_used(p, servers, n))
            return QUIET_MS;
        return quiet_ends(p, now_us);
    case PACE_QUIET:
        return quiet_ends(p, now_us);
    case PACE_FULL:
    case PACE_GOING:
        return going(p, how, servers, n, rows, now_us);
    }
    return LOOK_MS;
}

unsigned
pace_look(struct pace_state *p, const struct throttle *how, const struct pace_server *servers,
          unsigned n, uint64_t rows, uint64_t now_us)
{
    bool     quiet = p->phase == PACE_QUIET;
    unsigned ms    = LOOK_MS;

    if (how->automatic) {
        ms = step(p, how, servers, n, rows, now_us);
    } else {
        p->phase     = PACE_GOING;
        p->hold      = false;
        p->allowed   = 0;
        p->reason[0] = '\0';
    }
    remember(p, servers, n, quiet);
    p->rows  = rows;
    p->at_us = now_us;
    return ms;
}
