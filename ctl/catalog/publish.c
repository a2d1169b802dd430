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

/* What routes are made from, in the order of struct model_parts. A fence changes the first two
 * only, and the map of a large cluster takes longer to read than all the rest does. */
enum { PART_CLUSTER, PART_MOVE, PART_SHARDS, PART_REPLICAS, PART_ENGINES, PART_MAP, PART_DATABASES,
       PART_TABLES, PART_USERS, PARTS };

static const struct catalog_kept parts[PARTS] = {
    [PART_CLUSTER]   = { .kind = CATALOG_META, .name = "cluster" },
    [PART_MOVE]      = { .kind = CATALOG_META, .name = "move" },
    [PART_SHARDS]    = { .kind = CATALOG_SHARD },
    [PART_REPLICAS]  = { .kind = CATALOG_REPLICA },
    [PART_ENGINES]   = { .kind = CATALOG_ENGINE },
    [PART_MAP]       = { .kind = CATALOG_RANGES, .name = "map" },
    [PART_DATABASES] = { .kind = CATALOG_DATABASE },
    [PART_TABLES]    = { .kind = CATALOG_TABLE },
    [PART_USERS]     = { .kind = CATALOG_USER },
};

struct publisher {
    struct catalog       *catalog;
    struct catalog_kept   part[PARTS]; /* under the lock */
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
    memcpy(p->part, parts, sizeof(parts));
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
    for (size_t i = 0; i < PARTS; i++)
        json_decref(p->part[i].value);
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

static bool
make_routes(struct publisher *p, struct arena *arena, struct routes *out, struct err *err)
{
    struct catalog_kept *part = p->part;

    catalog_refresh(p->catalog, part, PARTS);
    return model_routes_of(&(struct model_parts){
            .cluster = part[PART_CLUSTER].value, .move = part[PART_MOVE].value,
            .shards = part[PART_SHARDS].value, .replicas = part[PART_REPLICAS].value,
            .engines = part[PART_ENGINES].value,
            .map = part[PART_MAP].value, .databases = part[PART_DATABASES].value,
            .tables = part[PART_TABLES].value, .users = part[PART_USERS].value }, arena, out, err);
}

bool
publish_now(struct publisher *p, int wait_ms, bool *acknowledged, struct err *err)
{
    struct arena  arena = { 0 };
    struct buf    blob  = { 0 };
    struct routes routes;
    uint64_t      edition = 0;

    pthread_mutex_lock(&p->lock);
    if (make_routes(p, &arena, &routes, err) && routes_encode(&routes, &blob, err))
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
