/* repair.c - see repair.h. */
#include "ctl/job/repair.h"

#include <stdlib.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/job/admin.h"
#include "ctl/job/globals.h"

struct repair {
    struct cluster *cluster;
    pthread_t       thread;
    pthread_mutex_t lock; /* around `stop` */
    pthread_cond_t  wake;
    bool            stop;
};

static bool
sleep_or_stop(struct repair *r)
{
    struct timespec until;
    bool            stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&r->lock);
    while (!r->stop && pthread_cond_timedwait(&r->wake, &r->lock, &until) == 0)
        ;
    stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

static void *
run(void *context)
{
    struct repair        *r = context;
    struct globals_watch *w = globals_watch_new(r->cluster);

    while (!sleep_or_stop(r)) {
        admin_rights_repair(r->cluster);
        globals_watch_look(w);
    }
    globals_watch_free(w);
    return NULL;
}

struct repair *
repair_start(struct cluster *c)
{
    struct repair     *r = mem_alloc(sizeof(*r));
    pthread_condattr_t monotonic;

    r->cluster = c;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    log_error("what is unfinished on a shard stays so: there is no thread for it");
    free(r);
    return NULL;
}

void
repair_stop(struct repair *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
