/* wake.h - conditions that are waited for with a limit, by CLOCK_MONOTONIC. */
#ifndef CORE_BASE_WAKE_H
#define CORE_BASE_WAKE_H

#include <pthread.h>

#include "core/base/base.h"

/* Its pthread_cond_timedwait() takes times of the functions below. pthread_cond_destroy() it. */
void wake_init(pthread_cond_t *cond);

/* The moment `us` of clock_us(); the one `ms` from now. */
struct timespec wake_at_us(uint64_t us);
struct timespec wake_after_ms(unsigned ms);

#endif
