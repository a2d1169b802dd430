/* gate.h - the commit gate: what makes a snapshot one snapshot over several shards.
 *
 *   commits:    gate_enter() --> commit point, branches --> gate_leave()
 *                  |  ^
 *                  v  | the gate opens
 *                 parked
 *   snapshots:  gate_close() --> closed(): no commit is between its commit point and
 *               its last branch, on any worker --> snapshots open --> gate_open()
 *
 * A commit looks at a word of its own worker and at nothing shared. An ask goes to all
 * workers (shm/gate.c); each parks newcomers, waits for those inside, and answers. All
 * asks of a worker that come while it waits are one. A commit is parked for one ask, or
 * for those that were answered before it came: between two asks the parked ones go
 * through. Of two workers' asks the older one is answered even where commits are parked
 * for the younger one, so neither waits for the other for ever.
 *
 * Nothing stays closed: an ask counts until snapshot_wait_ms have passed or its process
 * is gone. Whoever asked learns by gate_open() whether it counted until then.
 */
#ifndef WORKERS_QUERY_GATE_H
#define WORKERS_QUERY_GATE_H

#include "core/base/list.h"
#include "workers/backend/context.h"

struct gate;

/* A commit; owned by it, all zeroes before. */
struct gate_passage {
    struct list node; /* of the parked */
    void      (*opened)(struct gate_passage *p); /* it was parked and is inside now */
    uint64_t    since_us; /* it is parked */
    uint64_t    held_us;  /* it was, for so long */
    uint32_t    said; /* 1 + where our slot says that it is undecided; 0: nowhere */
    bool        parked, inside;
};

/* A snapshot; owned by it, all zeroes before. */
struct gate_ask {
    struct list node;
    /* The gate is closed, perhaps from inside gate_close(). */
    void (*closed)(struct gate_ask *ask);
    /* It is too late, before or after that, and the ask is over. */
    void (*expired)(struct gate_ask *ask, bool was_closed);
    bool   waits;
};

struct gate *gate_new(struct context *ctx);

/* Its branches are going to be prepared: others may find them and should know that they
 * are not decided. */
void gate_prepare(struct gate *g, struct gate_passage *p, const char *gtrid);

/* True: inside, go on. False: parked, p->opened() comes. */
bool gate_enter(struct gate *g, struct gate_passage *p);

/* The commit is over, or does not want to pass any more. Harmless when it is neither. */
void gate_leave(struct gate *g, struct gate_passage *p);

/* Before gate_leave(): something of it was left to the resolver. */
void gate_doubt(struct gate *g);

void gate_close(struct gate *g, struct gate_ask *ask);

/* The snapshots are open, or not wanted any more. True when the gate was closed all the
 * time from closed() on. Harmless when it does not wait. */
bool gate_open(struct gate *g, struct gate_ask *ask);

/* While the gate is closed: no commit can be half done, because a look at all shards found
 * none (gate_found_clean(), with the gate_mark() and the time from before it) and nothing has
 * happened since that could have left one. `login_us`: since when the youngest of the asker's
 * connections stands. A server that was killed may have a branch again whose commit it had
 * confirmed, and one that took its place may be about to commit it: both have new connections. */
bool gate_is_clean(const struct gate *g, uint64_t login_us);
void gate_found_clean(struct gate *g, uint64_t mark, uint64_t looked_us);

/* What other workers ask and answer: after a poke, and now and then. */
void gate_look(struct gate *g);

#endif
