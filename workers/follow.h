/* follow.h - a worker's copy of the routes follows the controller's.
 *
 *   segment --edition changed--> copy, check, decode --> context.routes
 *                                      |bad                  |
 *                                      v                     v
 *                           keep the old, count       acknowledge; clear plans
 *                                                     when the generation changed
 *
 * Statements under way keep the routes they began with; when the last of an
 * older generation has ended, the worker says so ("drained").
 */
#ifndef WORKERS_FOLLOW_H
#define WORKERS_FOLLOW_H

#include "core/base/buf.h"
#include "shm/routes_segment.h"
#include "workers/backend/context.h"

enum { FOLLOW_OLD_MAX = 64 };

struct follow {
    struct context       *ctx;
    struct routes_segment segment;
    bool                  open;
    uint64_t              edition;  /* the last one looked at, good or bad */
    struct buf            blob;     /* scratch */
    struct routes_ref    *old[FOLLOW_OLD_MAX]; /* replaced ones that may be in use: a reference
                                                  of ours each, oldest first */
    unsigned              n_old;
    uint64_t              drained;  /* as last published */
};

void follow_init(struct follow *f, struct context *ctx);

/* At each turn: one load when nothing is new. */
void follow_look(struct follow *f);

/* Some times a second: open the segment when it is there at last or has been
 * replaced; publish what is drained. */
void follow_tick(struct follow *f);

#endif
