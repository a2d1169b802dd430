/* repair.c - see repair.h. */
#include "ctl/job/repair.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl.h"
#include "ctl/job/globals.h"
#include "ctl/provision/ticker.h"

enum { PERIOD_MS = 1000, MADE_EVERY = 5 };

struct repair {
    struct cluster *cluster;
    struct ticker   ticker;
};

static void *
run(void *context)
{
    struct repair        *r = context;
    struct globals_watch *w = globals_watch_new(r->cluster);

    for (unsigned n = 1; !ticker_wait(&r->ticker, PERIOD_MS); n++) {
        admin_rights_repair(r->cluster);
        globals_watch_look(w);
        if (n % MADE_EVERY == 0)
            ddl_drop_made(r->cluster);
    }
    globals_watch_free(w);
    return NULL;
}

struct repair *
repair_start(struct cluster *c)
{
    struct repair *r = mem_alloc(sizeof(*r));

    r->cluster = c;
    if (ticker_start(&r->ticker, run, r))
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
    ticker_stop(&r->ticker);
    free(r);
}
