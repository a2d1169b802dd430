/* pace_rule.h - how fast a copy may be, from what servers and applications show: no I/O.
 *
 *   QUIET   the copy rests for a moment: what do statements take without it?
 *     |
 *     v
 *   FULL    at first only: how fast is it without a limit? Until it gets no faster, or 2 s;
 *     |     the first half second, which only fills buffers, does not count
 *     |
 *     v     a look twice a second
 *   GOING   a server is busy, or statements are slower than in QUIET: at once less, down to a
 *     |     floor; else more, step by step, until nothing limits it
 *     +---> QUIET again from time to time, while there are applications at all
 */
#ifndef CTL_MOVE_PACE_RULE_H
#define CTL_MOVE_PACE_RULE_H

#include "ctl/move/throttle.h"

/* What is seen of one server; counts go on and on. */
struct pace_server {
    const char *name;
    unsigned    running;    /* statements of applications there now; 0: also when unknown */
    uint64_t    statements; /* of applications, ever answered */
    uint64_t    ns;         /* that they waited for these answers */
};

struct pace_seen { /* of one server, before */
    uint64_t statements, ns;
    double   base_us; /* a statement without us; 0: not known */
};

enum pace_phase { PACE_FIRST, PACE_QUIET_BEGINS, PACE_QUIET, PACE_FULL, PACE_GOING };

enum { PACE_REASON_MAX = 200 };

struct pace_state {
    enum pace_phase   phase;
    struct pace_seen *seen;    /* by server; the caller's, zeroed at first */
    uint64_t          rows, at_us;
    uint64_t          quiet_us; /* when it last was */
    uint64_t          best;     /* rows per second without a limit */
    unsigned          full;     /* looks in FULL that saw rows */
    uint64_t          full_rows, full_us; /* at the first of them */
    uint64_t          allowed;  /* 0: no limit */
    bool              hold;     /* not even one row for now */
    char              reason[PACE_REASON_MAX]; /* why it is limited; "": it is not */
};

/* A look: `rows` that the copy has read ever. Returns in how many ms to look again. */
unsigned pace_look(struct pace_state *p, const struct throttle *how,
                   const struct pace_server *servers, unsigned n, uint64_t rows, uint64_t now_us);

#endif
