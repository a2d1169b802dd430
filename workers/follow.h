/* follow.h - a worker's copy of the routes follows the controller's.
 *
 *   segment --edition changed--> copy, check, decode --> context.routes
 *                                      |bad                  |
 *                                      v                     v
 *                           keep the old, count       acknowledge; clear plans
 *                                                     when the generation changed
 *
 * Statements under way keep the routes they began with; when the last of an
 * older generation has ended, the worker says so ("drained"). Where the newest
 * routes have a fence it says that only when, besides, the fence is closed, no
 * session is old (workers/query/park.h) and no sequence's row is being changed
 * on a fenced shard: then nothing of before is left there, and as nothing new
 * comes there while these routes are in use, that stays so. It looks every
 * millisecond until then, less often when the look takes long. Parked statements
 * hold no routes; cursors over several shards hold theirs until they are closed.
 */
#ifndef WORKERS_FOLLOW_H
#define WORKERS_FOLLOW_H

#include "core/base/buf.h"
#include "shm/routes_segment.h"
#include "workers/backend/context.h"

struct follow {
    struct context       *ctx;
    struct routes_segment segment;
    bool                  open;
    uint64_t              edition;  /* the last one looked at, good or bad */
    struct buf            blob;     /* scratch */
    struct routes_ref   **old;      /* owned: replaced ones that may be in use, a reference of
                                       ours each, oldest first */
    unsigned              n_old, old_cap;
    uint64_t              drained;  /* as last published */
    struct timer          timer;    /* while a fence waits for what is old */
    struct timer          ease_timer; /* while transactions begin a few at a time; since when: */
    uint64_t              eased_us;
};

void follow_init(struct follow *f, struct context *ctx);

/* At each turn, before the statements that have come are looked at: whoever was told that a table
 * is there now uses it. One load when nothing is new. */
void follow_look(struct follow *f);

/* Some times a second: open the segment when it is there at last or has been
 * replaced; publish what is drained. */
void follow_tick(struct follow *f);

#endif
