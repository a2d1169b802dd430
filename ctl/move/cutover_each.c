/* cutover_each.c - one step on several servers at once: a pause is as long as the slowest of them
 * takes, and not as all together.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/move/cutover_step.h"

struct each {
    struct cutover_run    *r;
    struct cutover_server *server;
    cutover_fn             fn;
    pthread_t              thread;
    bool                   started, ok;
    struct sql_error       error;
};

static void *
one(void *arg)
{
    struct each *e = arg;

    e->ok = e->fn(e->r, e->server, &e->error);
    return NULL;
}

bool
cutover_each(struct cutover_run *r, cutover_which which, cutover_fn fn)
{
    struct each *all = mem_alloc((r->n_servers + 1) * sizeof(*all));
    size_t       n   = 0;
    bool         ok  = true;

    for (size_t i = 0; i < r->n_servers; i++)
        if (which(&r->server[i]))
            all[n++] = (struct each){ .r = r, .server = &r->server[i], .fn = fn };
    for (size_t i = 1; i < n; i++)
        all[i].started = pthread_create(&all[i].thread, NULL, one, &all[i]) == 0;
    for (size_t i = 0; i < n; i++)
        if (!all[i].started)
            one(&all[i]);
    for (size_t i = 0; i < n; i++) {
        if (all[i].started)
            pthread_join(all[i].thread, NULL);
        if (ok && !all[i].ok)
            *r->error = all[i].error;
        ok = ok && all[i].ok;
    }
    free(all);
    return ok;
}

bool
cutover_is_source(const struct cutover_server *s)
{
    return s->source;
}

bool
cutover_is_mixed(const struct cutover_server *s)
{
    return s->source && s->target;
}

bool
cutover_takes_part(const struct cutover_server *s)
{
    return s->source || s->target;
}
