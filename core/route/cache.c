/* cache.c - see cache.h.
 *
 * Open addressing with linear probing over slots of {hash, entry}; a table of
 * at least twice max_entries, so that probes stay short. Deleting shifts the
 * following slots back: there are no tombstones.
 */
#include "core/route/cache.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/memory.h"

struct entry {
    struct cache_key key; /* spans point into `bytes` */
    uint64_t         mixed;
    struct plan_ref *plan;
    size_t           size;
    bool             used; /* since the hand passed */
    uint8_t          bytes[];
};

struct slot {
    uint64_t      mixed;
    struct entry *entry; /* NULL: free */
};

struct cache {
    struct slot       *slots; /* owned, with their entries */
    uint32_t           mask, hand;
    uint32_t           max_entries;
    size_t             max_bytes;
    struct cache_stats stats;
};

struct plan_ref *
plan_ref_new(void)
{
    struct plan_ref *p = mem_alloc(sizeof(*p));
    p->references      = 1;
    return p;
}

void
plan_ref_release(struct plan_ref *p)
{
    if (p == NULL)
        return;
    assert(p->references > 0);
    if (--p->references > 0)
        return;
    arena_fini(&p->arena);
    free(p);
}

struct cache *
cache_new(uint32_t max_entries, size_t max_bytes)
{
    struct cache *c = mem_alloc(sizeof(*c));
    uint32_t      n = 16;
    while (n < 2 * (uint64_t)max_entries && n < 1u << 30)
        n *= 2;
    c->slots       = mem_alloc(n * sizeof(c->slots[0]));
    c->mask        = n - 1;
    c->max_entries = max_entries > 0 ? max_entries : 1;
    c->max_bytes   = max_bytes;
    return c;
}

static void
entry_free(struct entry *e)
{
    plan_ref_release(e->plan);
    free(e);
}

void
cache_clear(struct cache *c)
{
    for (uint32_t i = 0; i <= c->mask; i++) {
        if (c->slots[i].entry == NULL)
            continue;
        entry_free(c->slots[i].entry);
        c->slots[i] = (struct slot){ 0 };
    }
    c->stats.entries = 0;
    c->stats.bytes   = 0;
}

void
cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    cache_clear(c);
    free(c->slots);
    free(c);
}

/* The small parts of the key spread over the hash. */
static uint64_t
mix(const struct cache_key *k)
{
    uint64_t rest = k->generation ^ (uint64_t)k->sql_mode << 32 ^ (uint64_t)k->collation << 16 ^
                    k->flags ^ (uint64_t)k->schema.len << 48;
    return k->hash ^ rest * 0x9e3779b97f4a7c15u;
}

static bool
key_equal(const struct cache_key *a, const struct cache_key *b)
{
    return a->generation == b->generation && a->sql_mode == b->sql_mode &&
           a->collation == b->collation && a->flags == b->flags && a->hash == b->hash &&
           span_equal(a->schema, b->schema) && span_equal(a->text, b->text);
}

static uint32_t
find_slot(const struct cache *c, const struct cache_key *key, uint64_t mixed)
{
    uint32_t at = (uint32_t)mixed & c->mask;
    while (c->slots[at].entry != NULL &&
           (c->slots[at].mixed != mixed || !key_equal(&c->slots[at].entry->key, key)))
        at = (at + 1) & c->mask;
    return at;
}

struct plan_ref *
cache_find(struct cache *c, const struct cache_key *key)
{
    struct entry *e = c->slots[find_slot(c, key, mix(key))].entry;
    if (e == NULL) {
        c->stats.misses++;
        return NULL;
    }
    c->stats.hits++;
    e->used = true;
    e->plan->uses++;
    return plan_ref_acquire(e->plan);
}

static void
remove_at(struct cache *c, uint32_t at)
{
    c->stats.entries--;
    c->stats.bytes -= c->slots[at].entry->size;
    entry_free(c->slots[at].entry);
    /* Close the gap: whatever probed past it moves back. */
    for (uint32_t next = (at + 1) & c->mask; c->slots[next].entry != NULL;
         next          = (next + 1) & c->mask) {
        uint32_t want = (uint32_t)c->slots[next].mixed & c->mask;
        if (((next - want) & c->mask) < ((next - at) & c->mask))
            continue;
        c->slots[at] = c->slots[next];
        at           = next;
    }
    c->slots[at] = (struct slot){ 0 };
}

/* One entry that was not used since the hand last passed goes. */
static void
evict(struct cache *c)
{
    for (;;) {
        uint32_t at = c->hand;
        if (c->slots[at].entry != NULL) {
            if (!c->slots[at].entry->used) {
                remove_at(c, at);
                c->stats.evictions++;
                return;
            }
            c->slots[at].entry->used = false;
        }
        c->hand = (c->hand + 1) & c->mask;
    }
}

void
cache_insert(struct cache *c, const struct cache_key *key, struct plan_ref *plan)
{
    size_t size = sizeof(struct entry) + sizeof(struct plan_ref) + key->text.len +
                  key->schema.len + plan->arena.total;
    if (size > c->max_bytes / 16)
        return;

    uint64_t mixed = mix(key);
    uint32_t at    = find_slot(c, key, mixed);
    if (c->slots[at].entry != NULL)
        remove_at(c, at);
    while (c->stats.entries > 0 &&
           (c->stats.entries >= c->max_entries || c->stats.bytes + size > c->max_bytes))
        evict(c);

    struct entry *e = mem_alloc(sizeof(*e) + key->text.len + key->schema.len);
    e->key          = *key;
    e->mixed        = mixed;
    e->plan         = plan_ref_acquire(plan);
    e->size         = size;
    if (key->text.len > 0)
        memcpy(e->bytes, key->text.ptr, key->text.len);
    if (key->schema.len > 0)
        memcpy(e->bytes + key->text.len, key->schema.ptr, key->schema.len);
    e->key.text.ptr   = e->bytes;
    e->key.schema.ptr = e->bytes + key->text.len;

    at           = find_slot(c, key, mixed);
    c->slots[at] = (struct slot){ mixed, e };
    c->stats.entries++;
    c->stats.bytes += size;
}

void
cache_stats(const struct cache *c, struct cache_stats *out)
{
    *out = c->stats;
}

void
cache_each(const struct cache *c,
           void (*each)(void *ctx, const struct cache_key *key, const struct plan_ref *plan),
           void *ctx)
{
    for (uint32_t i = 0; i <= c->mask; i++)
        if (c->slots[i].entry != NULL)
            each(ctx, &c->slots[i].entry->key, c->slots[i].entry->plan);
}
