/* memory.h - allocation that does not fail: without memory a process stops.
 *
 * A worker that aborts is replaced by the master within 100 ms and loses only
 * its own clients; a half-handled NULL would risk their answers instead.
 * What a peer can make large is limited before it is allocated.
 */
#ifndef CORE_BASE_MEMORY_H
#define CORE_BASE_MEMORY_H

#include "core/base/base.h"

/* Zeroed. Free with free(). */
void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));

/* As realloc(); new bytes are not zeroed. `bytes` > 0. */
void *mem_resize(void *p, size_t bytes) must_check;

/* A NUL-terminated copy. Free with free(). */
char *mem_strndup(const void *text, size_t len) must_check;
char *mem_strdup(const char *text) must_check;

enum { MEM_SLACK = 32 << 20 };

/* Zeroed at first; when the process has begun, once before it has done anything. */
struct mem_rest {
    uint64_t least;      /* bytes in memory, ever */
    unsigned skip, wait; /* looks without a try, as those before were of no use */
};

/* What large statements leave in the allocator between pieces that live on goes back to the system
 * (malloc_trim(3)) while the process has MEM_SLACK bytes more than it once had; else nothing is
 * done. Takes 0.05 ms per MiB of what was freed in pieces of a few KiB: for every few seconds, not
 * for every turn of a loop. */
void mem_give_back(struct mem_rest *r);

#endif
