/* users.c - how many connections each user has, on all workers together; see slots.h.
 *
 *   own slot:    connections + 1, fresh + 1  --full fence-->  read all slots, add up
 *
 * Whoever counts first and looks afterwards never lets more in than the limit: of two
 * that take the last place at once one sees the other (perhaps both do, and then
 * neither gets it). A user lies at one of PROBES places behind the hash of its name;
 * a place is given away when the one that has it has no connections and was not
 * here for two seconds. What a dead worker counted goes with its slot; the seconds
 * stay, so that a crash does not lift a rate.
 */
#include <xxhash.h>

#include "shm/slots.h"

enum { PROBES = 32 };

#define NOW(word)        atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

uint64_t
user_key(struct span name)
{
    uint64_t hash = XXH3_64bits(name.ptr, name.len);

    return hash != 0 ? hash : 1;
}

static const struct slot_user *
find(const struct slot *slot, uint64_t key)
{
    for (uint64_t i = 0; i < PROBES; i++) {
        const struct slot_user *u = &slot->user[(key + i) % SLOT_USERS];
        if (NOW(u->key) == key)
            return u;
    }
    return NULL;
}

static struct slot_user *
find_own(struct slot *own, uint64_t key)
{
    return (struct slot_user *)(uintptr_t)find(own, key);
}

static struct slot_user *
take_place(struct slot *own, uint64_t key, uint64_t second)
{
    for (uint64_t i = 0; i < PROBES; i++) {
        struct slot_user *u = &own->user[(key + i) % SLOT_USERS];
        if (NOW(u->key) != 0 && (NOW(u->connections) != 0 || NOW(u->second) + 2 > second))
            continue;
        PUT(u->key, 0);
        PUT(u->connections, 0);
        PUT(u->second, 0);
        PUT(u->fresh[0], 0);
        PUT(u->fresh[1], 0);
        atomic_store_explicit(&u->key, key, memory_order_release);
        return u;
    }
    return NULL;
}

/* The last second, as if what came in the one before had come evenly. */
static uint64_t
per_second(const struct slot_user *u, uint64_t now_ms)
{
    uint64_t second = NOW(u->second), now = now_ms / 1000, rest = 1000 - now_ms % 1000;

    if (second == now)
        return NOW(u->fresh[0]) + NOW(u->fresh[1]) * rest / 1000;
    return second + 1 == now ? NOW(u->fresh[0]) * rest / 1000 : 0;
}

static void
note_fresh(struct slot_user *u, uint64_t second)
{
    uint64_t last = NOW(u->second);

    if (last != second) {
        PUT(u->fresh[1], last + 1 == second ? NOW(u->fresh[0]) : 0);
        PUT(u->fresh[0], 0);
        PUT(u->second, second);
    }
    PUT(u->fresh[0], NOW(u->fresh[0]) + 1);
}

bool
slot_user_enter(const struct slots *s, struct slot *own, uint64_t key, uint64_t now_ms,
                struct user_count *out)
{
    struct slot_user *mine = find_own(own, key);

    if (mine == NULL)
        mine = take_place(own, key, now_ms / 1000);
    if (mine == NULL)
        return false;
    note_fresh(mine, now_ms / 1000);
    PUT(mine->connections, NOW(mine->connections) + 1);
    atomic_thread_fence(memory_order_seq_cst);

    *out = (struct user_count){ 0 };
    for (uint32_t w = 0; w < s->n_workers; w++) {
        const struct slot_user *u = find(slots_at(s, w), key);
        if (u == NULL)
            continue;
        out->connections += NOW(u->connections);
        out->per_second += per_second(u, now_ms);
    }
    return true;
}

void
slot_user_leave(struct slot *own, uint64_t key, bool refused)
{
    struct slot_user *mine = find_own(own, key);

    if (mine == NULL)
        return;
    PUT(mine->connections, NOW(mine->connections) - 1);
    if (refused)
        PUT(mine->fresh[0], NOW(mine->fresh[0]) - 1);
}
