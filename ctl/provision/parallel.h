/* parallel.h - the same question to many servers at once: what one of them takes, the others do
 * not wait for. */
#ifndef CTL_PROVISION_PARALLEL_H
#define CTL_PROVISION_PARALLEL_H

#include <stddef.h>

/* Calls each(item) for all `n` items of `size` bytes, in threads of their own, and returns when
 * all have returned. Where a thread cannot be had it is done here. */
void parallel_each(void *items, size_t n, size_t size, void (*each)(void *item));

#endif
