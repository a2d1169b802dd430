/* share.h - quick reads of several clients on one backend, back to back.
 *
 *   pool.idle --first sharer--> pool.shared --the last one's answer--> pool.idle
 *
 *   backend.fifo:   [ answering | waiting | waiting ... ]    at most conf.pipeline
 *
 * A sharer is a statement that needs nothing of its connection but the session settings
 * it fits, changes nothing, and has been quick so far. It goes to the shared backend
 * with the least work before it; a further backend is taken while few are shared or
 * when that work is more than a moment's. Nobody holds a shared backend: it is not
 * paused, reset or asked anything else.
 *
 * A sharer that leaves (its client is gone, it must move) cannot be taken back from the
 * server: an orphan stays in its place on the FIFO and swallows the answer. Who waits
 * longer than conf.pipeline_wait_ms behind others is moved so, and the backend
 * takes no more until it has answered all. When only orphans are left on it
 * and they take as long, it is closed, and the server told.
 */
#ifndef WORKERS_BACKEND_SHARE_H
#define WORKERS_BACKEND_SHARE_H

#include "core/base/base.h"

struct backend;
struct exchange;
struct pool;
struct pool_waiter;

struct sharing {
    bool     on;          /* the backend is on pool.shared */
    bool     stalled;     /* takes no more */
    uint32_t n;           /* exchanges on the FIFO */
    uint32_t n_live;      /* ... that are no orphans */
    uint32_t cost_us;     /* what they are expected to take together */
    uint32_t in_turn;     /* answers in the last turn that had some */
    uint64_t answered_us; /* the last one */
};

/* A backend that `w` joins, or NULL: it should have one for itself, or wait. The caller
 * sends its command at once and says share_joined(). */
struct backend *share_pick(struct pool *pool, const struct pool_waiter *w);

/* Whether what `w` has prepared is prepared on `b`. */
bool share_knows(struct backend *b, const struct pool_waiter *w);

/* The exchange has been put on the FIFO; `cost_us` is what it is expected to take. */
void share_joined(struct backend *b, struct exchange *x, uint32_t cost_us);

/* Its answer is complete. The time it took, or 0: not known. The backend may belong to
 * others afterwards. */
uint32_t share_answered(struct backend *b, struct exchange *x);

/* Nobody waits for the exchange any more; it is off the FIFO. */
void share_leave(struct backend *b, struct exchange *x);

#endif
