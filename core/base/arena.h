/* arena.h - memory that is freed all at once; a statement's home.
 *
 * Nothing is freed alone. arena_reset() keeps the first chunk, so that a
 * connection's statements reuse it without asking malloc.
 * All zeroes is an empty arena.
 */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include "core/base/base.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* newest first; owned */
    size_t              used;  /* in the newest chunk */
    size_t              total; /* bytes asked of malloc */
};

/* Zeroed, aligned for any type, valid until reset or fini. */
void *arena_alloc(struct arena *a, size_t bytes)
    __attribute__((returns_nonnull));

/* A copy with a NUL behind it (not counted). */
struct span arena_copy(struct arena *a, struct span s);
const char *arena_cstr(struct arena *a, struct span s);

void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

#endif
