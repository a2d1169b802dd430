/* pace.c - see pace.h. */
#include "ctl/move/pace.h"

static void
tell(struct pace *p)
{
    uint64_t rate = p->wanted;

    if (p->allowed != 0 && (rate == 0 || p->allowed < rate))
        rate = p->allowed;
    if (p->copy)
        copy_throttle(p->copy, rate, p->paused);
}

bool
pace_start(struct pace *p, const struct move *m, uint32_t source)
{
    p->move   = m;
    p->source = source;
    pthread_mutex_init(&p->lock, NULL);
    p->started = true;
    return true;
}

void
pace_stop(struct pace *p)
{
    if (!p->started)
        return;
    pthread_mutex_destroy(&p->lock);
    p->started = false;
}

void
pace_set(struct pace *p, struct copy *copy, uint64_t rows_per_s, bool paused)
{
    pthread_mutex_lock(&p->lock);
    p->copy   = copy;
    p->wanted = rows_per_s;
    p->paused = paused;
    tell(p);
    pthread_mutex_unlock(&p->lock);
}
