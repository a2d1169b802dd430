/* pace.h - how fast a copy may be: what people set, and less while the source is busy.
 *
 * A look twice a second: when the source runs more statements than it has reason to (ours not
 * counted), the copy gets a part of the rate that it had when nobody was in its way; when that is
 * over it gets more, step by step.
 */
#ifndef CTL_MOVE_PACE_H
#define CTL_MOVE_PACE_H

#include "ctl/move/copy.h"
#include "ctl/provision/ticker.h"

struct pace {
    struct ticker      ticker;
    const struct move *move;
    uint32_t           source;
    bool               started;
    pthread_mutex_t    lock;   /* around the rest */
    struct copy       *copy;   /* borrowed; NULL: there is none now */
    uint64_t           wanted; /* rows per second; 0: no limit */
    bool               paused;
    uint64_t           allowed; /* 0: no limit */
};

bool pace_start(struct pace *p, const struct move *m, uint32_t source) must_check;
void pace_stop(struct pace *p); /* fine when it was never started */

/* From any thread. `copy` NULL: the one before goes. */
void pace_set(struct pace *p, struct copy *copy, uint64_t rows_per_s, bool paused);

#endif
