/* statements.c - see statements.h. */
#include "workers/backend/statements.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"

enum { BUCKETS = 128 };

struct statement {
    struct list          used; /* newest first */
    struct statement    *next; /* in its bucket */
    uint64_t             hash;
    uint32_t             id;
    struct statement_key key;  /* spans into `bytes` */
    uint8_t              bytes[];
};

struct statement_table {
    struct list       used;
    uint32_t          n;
    struct statement *bucket[BUCKETS];
};

static uint64_t
hash_of(const struct statement_key *key)
{
    uint64_t seed = XXH3_64bits_withSeed(key->schema.ptr, key->schema.len, key->vars_hash);

    return XXH3_64bits_withSeed(key->text.ptr, key->text.len, seed);
}

static struct statement **
find(struct statement_table *t, uint64_t hash, const struct statement_key *key)
{
    struct statement **at = &t->bucket[hash % BUCKETS];

    while (*at != NULL &&
           !((*at)->hash == hash && (*at)->key.vars_hash == key->vars_hash &&
             span_equal((*at)->key.text, key->text) &&
             span_equal((*at)->key.schema, key->schema)))
        at = &(*at)->next;
    return at;
}

bool
statements_find(struct statements *s, const struct statement_key *key, uint32_t *id)
{
    if (s->table == NULL)
        return false;
    struct statement *found = *find(s->table, hash_of(key), key);

    if (found == NULL)
        return false;
    list_remove(&found->used);
    list_prepend(&s->table->used, &found->used);
    *id = found->id;
    return true;
}

static uint32_t
evict_oldest(struct statement_table *t)
{
    struct statement  *old = container_of(t->used.prev, struct statement, used);
    struct statement **at  = find(t, old->hash, &old->key);
    uint32_t           id  = old->id;

    *at = old->next;
    list_remove(&old->used);
    free(old);
    t->n--;
    return id;
}

static struct span
put(uint8_t *at, struct span s)
{
    if (s.len != 0)
        memcpy(at, s.ptr, s.len);
    return (struct span){ at, s.len };
}

void
statements_add(struct statements *s, const struct statement_key *key, uint32_t id)
{
    if (s->table == NULL) {
        s->table = mem_alloc(sizeof(*s->table));
        list_init(&s->table->used);
    }
    struct statement_table *t  = s->table;
    struct statement       *st = mem_alloc(sizeof(*st) + key->text.len + key->schema.len);
    st->key.text      = put(st->bytes, key->text);
    st->key.schema    = put(st->bytes + key->text.len, key->schema);
    st->key.vars_hash = key->vars_hash;
    st->hash          = hash_of(key);
    st->id            = id;
    st->next          = t->bucket[st->hash % BUCKETS];
    t->bucket[st->hash % BUCKETS] = st;
    list_prepend(&t->used, &st->used);
    t->n++;
}

uint32_t
statements_count(const struct statements *s)
{
    return s->table != NULL ? s->table->n : 0;
}

bool
statements_evict(struct statements *s, uint32_t max, uint32_t *evicted)
{
    if (statements_count(s) <= max)
        return false;
    *evicted = evict_oldest(s->table);
    return true;
}

void
statements_clear(struct statements *s)
{
    if (s->table == NULL)
        return;
    while (s->table->n > 0)
        (void)evict_oldest(s->table);
    free(s->table);
    s->table = NULL;
}
