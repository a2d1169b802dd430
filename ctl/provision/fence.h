/* fence.h - statements wait while rows change their owner.
 *
 *   fence_raise():  meta/move "fenced" --publish--> workers park what meets it
 *                                                   let old transactions end
 *                        acknowledged, drained <--- and say so
 *   (the switch)    the caller's one change: new map, fence_put(change, NULL), generation
 *                   raised; published: what was parked is routed anew
 *   fence_lower():  the same without a switch: as before
 *
 * After fence_raise() has returned FENCE_UP, and until routes without the fence are published,
 * no worker sends a statement that the fence concerns, and no transaction is open that has
 * touched a fenced shard: see core/route/fence.h for what is concerned. What a server may still
 * do is: finish what a client or worker that died left there, XA COMMIT prepared branches of
 * commits in doubt, and statements on tables and ranges that are not fenced, each in a
 * transaction of its own.
 *
 * DDL and changes of shards are kept out by cluster.change_lock, which the caller holds.
 *
 * Parked statements wait for fence_wait_ms (a setting of shardd) at most, and then fail with
 * 1205: raise late, lower early. One fence at a time: a second one replaces the first.
 */
#ifndef CTL_PROVISION_FENCE_H
#define CTL_PROVISION_FENCE_H

#include "ctl/provision/cluster.h"

/* What is switched; arrays are borrowed, NULL: none of them. */
struct fence {
    const json_t *ranges; /* ["<16 hex digits>", ...]: where ranges of ranges/map start. The map
                             was cut at these before, in a generation of its own or in the
                             change that raises the fence */
    const json_t *shards; /* [id, ...]: all sources and all targets */
    const json_t *tables; /* ["<catalog_table_name()>", ...]: switched as a whole */
    bool          cut;    /* end old transactions with 1213, instead of waiting for them */
};

enum fence_end {
    FENCE_UP,     /* all live workers wait, nothing of before is under way */
    FENCE_LATE,   /* the time was over: the fence is down again */
    FENCE_FAILED, /* the catalog or the segment could not be written: it is down again, as far
                     as that could be written; fence_lower() is worth another try */
};

/* How long each part took. */
struct fence_times {
    uint64_t written_us;                  /* when it was in the catalog (clock_us()), before the
                                             first statement waited for it; 0: it never was */
    uint64_t acknowledged_us, drained_us; /* since the call; 0: it did not come to that */
};

/* Before fence_raise(): from now on each worker lets no more than `most` transactions onto these
 * shards at a time, and others wait for their turn to begin; statements outside of transactions
 * and whoever has locks elsewhere do not. A fence, or fence_lower(), ends it, and workers do so by
 * themselves after some seconds. Waits at most `wait_ms` for them to know of it. False with `err`:
 * it may be so all the same, until then. */
bool fence_ease(struct cluster *c, const struct fence *f, uint32_t most, uint64_t wait_ms,
                struct err *err) must_check;

/* Writes the fence (one change of the catalog, generation raised), publishes, and waits for
 * acknowledgement and drain: `wait_ms` for these two. It returns by then in any case, and but for
 * FENCE_UP the fence is lowered, with `err` saying why. `times` may be NULL. Logs. */
enum fence_end fence_raise(struct cluster *c, const struct fence *f, uint64_t wait_ms,
                           struct fence_times *times, struct err *err) must_check;

/* Removes whatever fence there is, publishes, and waits at most `wait_ms` for
 * acknowledgement (workers that are late follow by themselves). Nothing happens when there is
 * none. False with `err`: it still stands in the catalog, or is not published. */
bool fence_lower(struct cluster *c, uint64_t wait_ms, struct err *err) must_check;

/* Whether there is one, in the catalog; with one that is only fence_ease()'s. */
bool fence_stands(struct cluster *c);

/* As a part of the caller's own change, which raises the generation: meta/move gets this
 * fence, or (NULL) none; the rest of meta/move stays. */
void fence_put(struct catalog_change *change, const struct fence *f);

/* The same over a fence that may stand for a move that is not going on: both are up, and that one
 * alone after fence_put_back(). A controller that ends between the two leaves "under" in meta/move,
 * and the next one puts it back. */
void fence_put_over(struct catalog_change *change, const struct fence *f);
void fence_put_back(struct catalog_change *change);

/* fence_put_back() as fence_lower(). Nothing happens when nothing was put over anything. */
bool fence_back(struct cluster *c, uint64_t wait_ms, struct err *err) must_check;

#endif
