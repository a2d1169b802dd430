/* wake.c - see wake.h. */
#include "core/base/wake.h"

#include "core/base/clock.h"

void
wake_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct timespec
wake_at_us(uint64_t us)
{
    return (struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
}

struct timespec
wake_after_ms(unsigned ms)
{
    return wake_at_us(clock_us() + (uint64_t)ms * 1000);
}
