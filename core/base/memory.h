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

#endif
