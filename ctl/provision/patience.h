/* patience.h - waiting for something that a server or a worker does: looks with pauses, until a
 * deadline, or until the controller is to end.
 *
 *     struct patience p = patience_of(c, IDLE_MS, LOOK_MS);
 *
 *     while (!is_idle(s) && patience_wait(&p))
 *         ;
 */
#ifndef CTL_PROVISION_PATIENCE_H
#define CTL_PROVISION_PATIENCE_H

#include "ctl/provision/cluster.h"

struct patience {
    struct cluster *cluster; /* NULL: no end of a controller is waited for */
    int64_t         until_ms;
    unsigned        pause_ms;
};

struct patience patience_of(struct cluster *c, unsigned for_ms, unsigned pause_ms);

/* After a pause. False, without one: there is no time left, or the controller is to end. */
bool patience_wait(struct patience *p) must_check;

#endif
