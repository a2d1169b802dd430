/* ticker.c - see ticker.h. */
#include "ctl/provision/ticker.h"

#include "core/base/wake.h"

static void
ticker_fini(struct ticker *t)
{
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
}

bool
ticker_start(struct ticker *t, void *(*run)(void *context), void *context)
{
    t->stop = false;
    pthread_mutex_init(&t->lock, NULL);
    wake_init(&t->wake);
    if (pthread_create(&t->thread, NULL, run, context) == 0)
        return true;
    ticker_fini(t);
    return false;
}

bool
ticker_wait(struct ticker *t, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);
    bool            stop;

    pthread_mutex_lock(&t->lock);
    while (!t->stop && pthread_cond_timedwait(&t->wake, &t->lock, &until) == 0)
        ;
    stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

bool
ticker_is_stopping(struct ticker *t)
{
    bool stop;

    pthread_mutex_lock(&t->lock);
    stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

void
ticker_stop(struct ticker *t)
{
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    ticker_fini(t);
}
