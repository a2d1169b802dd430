/* arena.c - see arena.h. */
#include "core/base/arena.h"

#include <stdlib.h>

#include "core/base/memory.h"

enum { CHUNK_BYTES = 4096, ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t              bytes;
    _Alignas(ALIGN) uint8_t data[];
};

static void
add_chunk(struct arena *a, size_t at_least)
{
    size_t bytes = CHUNK_BYTES - sizeof(struct arena_chunk);

    /* Doubling keeps the number of chunks of a huge statement small. */
    if (a->total > bytes)
        bytes = a->total;
    if (bytes < at_least)
        bytes = at_least;

    struct arena_chunk *chunk = mem_resize(NULL, sizeof(*chunk) + bytes);
    chunk->older = a->chunk;
    chunk->bytes = bytes;
    a->chunk     = chunk;
    a->used      = 0;
    a->total += bytes;
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (a->chunk == NULL || a->chunk->bytes - a->used < bytes)
        add_chunk(a, bytes);

    void *p = a->chunk->data + a->used;
    a->used += bytes;
    return memset(p, 0, bytes);
}

struct span
arena_copy(struct arena *a, struct span s)
{
    uint8_t *p = arena_alloc(a, s.len + 1);

    if (s.len != 0)
        memcpy(p, s.ptr, s.len);
    return (struct span){ p, s.len };
}

const char *
arena_cstr(struct arena *a, struct span s)
{
    return (const char *)arena_copy(a, s).ptr;
}

static void
free_down_to(struct arena *a, struct arena_chunk *keep)
{
    while (a->chunk != keep) {
        struct arena_chunk *older = a->chunk->older;
        a->total -= a->chunk->bytes;
        free(a->chunk);
        a->chunk = older;
    }
    a->used = 0;
}

void
arena_reset(struct arena *a)
{
    struct arena_chunk *first = a->chunk;

    if (first == NULL)
        return;
    while (first->older != NULL)
        first = first->older;
    free_down_to(a, first);
}

void
arena_fini(struct arena *a)
{
    free_down_to(a, NULL);
}
