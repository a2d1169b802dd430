/* pace.h - how fast a copy may be: what people set, and less while servers are busy.
 *
 * A thread looks at the source and the targets: how many statements of applications they run at
 * once, and how long workers wait for their answers (shm/slots.h). What follows from that is in
 * pace_rule.h.
 */
#ifndef CTL_MOVE_PACE_H
#define CTL_MOVE_PACE_H

#include "ctl/move/copy.h"
#include "ctl/move/pace_rule.h"
#include "ctl/provision/ticker.h"

struct pace {
    struct ticker      ticker;
    const struct move *move;
    uint32_t           source;
    bool               started;
    pthread_mutex_t    lock;   /* around the rest */
    struct copy       *copy;   /* borrowed; NULL: there is none now */
    struct throttle    wanted;
    bool               paused;
    struct pace_state  state;
};

bool pace_start(struct pace *p, const struct move *m, uint32_t source) must_check;
void pace_stop(struct pace *p); /* fine when it was never started */

/* From any thread. */
void pace_throttle(struct pace *p, const struct throttle *wanted, bool paused);
void pace_copy(struct pace *p, struct copy *copy); /* NULL: the one before goes */

/* Why the copy is not as fast as it could be; "": it is. */
void pace_reason(struct pace *p, char out[PACE_REASON_MAX]);

#endif
