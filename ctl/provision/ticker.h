/* ticker.h - a thread that looks at something from time to time, until it is told to stop. */
#ifndef CTL_PROVISION_TICKER_H
#define CTL_PROVISION_TICKER_H

#include <pthread.h>

#include "core/base/base.h"

struct ticker {
    pthread_t       thread;
    pthread_mutex_t lock; /* around `stop` */
    pthread_cond_t  wake;
    bool            stop;
};

/* Whether ticker_stop() was called, for work that takes long. */
bool ticker_is_stopping(struct ticker *t) must_check;

/* run(context) calls ticker_wait() between its looks. False: there is no thread for it. */
bool ticker_start(struct ticker *t, void *(*run)(void *context), void *context) must_check;

/* Sleep for so long, or until ticker_stop(). True: it is time to return. */
bool ticker_wait(struct ticker *t, unsigned ms) must_check;

/* Returns when run() has. */
void ticker_stop(struct ticker *t);

#endif
