/* publish.c - one mutex around the segment, so that editions follow the catalog's order. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/publish.h"
#include "shm/routes.h"
#include "shm/routes_segment.h"
#include "shm/slots.h"

struct publisher {
    struct catalog       *catalog;
    char                 *instance, *control; /* owned */
    struct routes_segment segment;
    uint64_t              generation; /* last published */
    pthread_mutex_t       lock;
    pthread_mutex_t       slots_lock;
    struct slots          slots;
    bool                  has_slots;
};

struct publisher *
publisher_open(struct catalog *c, const char *instance, const char *control, struct err *err)
{
    struct publisher *p = mem_alloc(sizeof(*p));

    if (!routes_segment_create(&p->segment, instance, err)) {
        free(p);
        return NULL;
    }
    p->catalog  = c;
    p->instance = mem_strdup(instance);
    p->control  = mem_strdup(control);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->slots_lock, NULL);
    return p;
}

void
publisher_close(struct publisher *p)
{
    if (!p)
        return;
    routes_segment_close(&p->segment);
    if (p->has_slots)
        slots_close(&p->slots);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->slots_lock);
    free(p->instance);
    free(p->control);
    free(p);
}

const struct slots *
publish_slots(struct publisher *p)
{
    struct err ignored;

    pthread_mutex_lock(&p->slots_lock);
    if (p->has_slots && slots_master_gone(&p->slots, p->instance)) {
        slots_close(&p->slots);
        p->has_slots = false;
    }
    if (!p->has_slots)
        p->has_slots = slots_open(&p->slots, p->instance, &ignored);
    return p->has_slots ? &p->slots : NULL;
}

void
publish_slots_done(struct publisher *p)
{
    pthread_mutex_unlock(&p->slots_lock);
}

/* The master pokes the workers; when it is not there, they look by themselves
 * every 100 ms. */
static void
poke(const struct publisher *p)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int                fd   = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ssize_t            sent;

    if (fd < 0)
        return;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p->control);
    sent = sendto(fd, "R", 1, MSG_NOSIGNAL, (const struct sockaddr *)&addr, sizeof(addr));
    (void)sent; /* the backstop above */
    close(fd);
}

static bool
wait_for(struct publisher *p, int wait_ms, bool (*done)(const struct slots *, uint64_t),
         uint64_t number)
{
    uint64_t deadline = slots_now_ms() + (uint64_t)wait_ms;

    for (uint64_t pause_us = 50;; pause_us = pause_us < 2000 ? pause_us * 2 : 2000) {
        const struct slots *slots = publish_slots(p);
        bool                is    = !slots || done(slots, number);

        publish_slots_done(p);
        if (is)
            return true;
        if (slots_now_ms() >= deadline)
            return false;
        usleep((useconds_t)pause_us);
    }
}

bool
publish_now(struct publisher *p, int wait_ms, bool *acknowledged, struct err *err)
{
    struct arena  arena = { 0 };
    struct buf    blob  = { 0 };
    struct routes routes;
    uint64_t      edition = 0;

    pthread_mutex_lock(&p->lock);
    if (model_routes(p->catalog, &arena, &routes, err) && routes_encode(&routes, &blob, err))
        edition = routes_segment_publish(&p->segment, buf_unread(&blob), err);
    if (edition > 0)
        p->generation = routes.generation;
    pthread_mutex_unlock(&p->lock);
    arena_fini(&arena);
    buf_fini(&blob);
    if (edition == 0)
        return false;

    poke(p);
    bool all = wait_for(p, wait_ms, slots_acknowledged, edition);
    if (acknowledged)
        *acknowledged = all;
    return true;
}

bool
publish_drained(struct publisher *p, int wait_ms)
{
    uint64_t generation;

    pthread_mutex_lock(&p->lock);
    generation = p->generation;
    pthread_mutex_unlock(&p->lock);
    return wait_for(p, wait_ms, slots_drained, generation);
}
