/* parallel.c - see parallel.h. */
#include "ctl/provision/parallel.h"

#include <pthread.h>

#include "core/base/base.h"

enum { AT_ONCE = 64 };

struct one {
    pthread_t thread;
    void    (*each)(void *item);
    void     *item;
    bool      started;
};

static void *
run(void *context)
{
    struct one *o = context;

    o->each(o->item);
    return NULL;
}

static void
run_some(char *items, size_t n, size_t size, void (*each)(void *item))
{
    struct one some[AT_ONCE];

    for (size_t i = 0; i < n; i++) {
        some[i] = (struct one){ .each = each, .item = items + i * size };
        some[i].started = n > 1 && pthread_create(&some[i].thread, NULL, run, &some[i]) == 0;
        if (!some[i].started)
            run(&some[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (some[i].started)
            pthread_join(some[i].thread, NULL);
}

void
parallel_each(void *items, size_t n, size_t size, void (*each)(void *item))
{
    for (size_t i = 0; i < n; i += AT_ONCE)
        run_some((char *)items + i * size, n - i < AT_ONCE ? n - i : AT_ONCE, size, each);
}
