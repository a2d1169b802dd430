/* statements.c - see statements.h. */
#include "workers/backend/statements.h"

#include <stdlib.h>

#include "core/base/memory.h"

enum { BUCKETS = 128 };

struct statement {
    struct list       used; /* newest first */
    struct statement *next; /* in its bucket */
    uint64_t          hash;
    uint32_t          id;
    size_t            len;
    uint8_t           text[];
};

struct statement_table {
    struct list       used;
    size_t            n;
    struct statement *bucket[BUCKETS];
};

static struct statement **
find(struct statement_table *t, uint64_t hash, struct span text)
{
    struct statement **at = &t->bucket[hash % BUCKETS];

    while (*at != NULL && !((*at)->hash == hash &&
                            span_equal((struct span){ (*at)->text, (*at)->len }, text)))
        at = &(*at)->next;
    return at;
}

bool
statements_find(struct statements *s, uint64_t hash, struct span text, uint32_t *id)
{
    if (s->table == NULL)
        return false;
    struct statement *found = *find(s->table, hash, text);

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
    struct statement **at  = find(t, old->hash, (struct span){ old->text, old->len });
    uint32_t           id  = old->id;

    *at = old->next;
    list_remove(&old->used);
    free(old);
    t->n--;
    return id;
}

bool
statements_add(struct statements *s, uint64_t hash, struct span text, uint32_t id,
               uint32_t *evicted)
{
    if (s->table == NULL) {
        s->table = mem_alloc(sizeof(*s->table));
        list_init(&s->table->used);
    }
    struct statement_table *t    = s->table;
    bool                    full = t->n == STATEMENTS_MAX;

    if (full)
        *evicted = evict_oldest(t);
    struct statement *st = mem_alloc(sizeof(*st) + text.len);
    memcpy(st->text, text.ptr, text.len);
    st->len  = text.len;
    st->hash = hash;
    st->id   = id;
    st->next = t->bucket[hash % BUCKETS];
    t->bucket[hash % BUCKETS] = st;
    list_prepend(&t->used, &st->used);
    t->n++;
    return full;
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
