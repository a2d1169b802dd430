/* patience.c - see patience.h. */
#include "ctl/provision/patience.h"

#include <unistd.h>

#include "ctl/provision/spawn.h"

struct patience
patience_of(struct cluster *c, unsigned for_ms, unsigned pause_ms)
{
    return (struct patience){ c, spawn_now_ms() + for_ms, pause_ms };
}

bool
patience_wait(struct patience *p)
{
    int64_t left = p->until_ms - spawn_now_ms();

    if (left <= 0 || (p->cluster && atomic_load(&p->cluster->stopping)))
        return false;
    usleep(1000 * (useconds_t)(left < p->pause_ms ? left : p->pause_ms));
    return true;
}
