/* care.h - keeping the backends of a pool in good health.
 *
 *   warm     so many are open before anybody waits (pool_min_idle)
 *   young    each is replaced some time (pool_max_age_s), not all at once
 *   alive    who was idle for long is asked before it is used (pool_check_s):
 *
 *            IDLE --waiter comes--> BUSY, COM_PING --answer--> IDLE --> the waiter's
 *                                            \--no answer--> closed; the next one
 */
#ifndef WORKERS_BACKEND_CARE_H
#define WORKERS_BACKEND_CARE_H

#include "workers/backend/backend.h"

/* When a backend that is opened now is old. */
uint64_t care_old_ms(const struct context *ctx);

bool care_is_old(const struct backend *b);

/* Must it be asked before it is used? */
bool care_must_check(const struct backend *b);

/* Ask it. pool_checked() tells how that went. */
void care_check(struct backend *b);

/* It is idle now: how long it may be. */
void care_idle(struct backend *b);

/* A client of this kind has come: the pool opens what it should have at least. */
void care_warm(struct pool *pool, struct span schema);

#endif
