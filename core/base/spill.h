/* spill.h - byte streams that are too many for memory, in one temporary file.
 *
 *   struct spill       the file: blocks of one size, reused when they have been read
 *   struct spill_run   a stream in it: written from end to end, then read once
 *
 * The file has no name (it goes with the process, whatever becomes of that) and is made when
 * something is written for the first time. A run holds one block in memory while it is written
 * or read, and none in between.
 *
 * Reads and writes go through the kernel's page cache and are made at once: a block is what they
 * may cost. Errors are -errno; -EDQUOT: the limit given; the runs can only be dropped then.
 */
#ifndef CORE_BASE_SPILL_H
#define CORE_BASE_SPILL_H

#include "core/base/buf.h"

struct spill {
    const char *folder;   /* outlives it */
    size_t      block;    /* bytes */
    uint64_t    limit;    /* bytes of the file */
    int         fd;       /* - 1; 0: not made yet */
    uint32_t    n_blocks; /* that the file has */
    uint32_t   *unused;   /* [n_unused) of these; owned */
    uint32_t    n_unused, cap_unused;
};

struct spill_run {
    uint32_t  *blocks; /* [n_blocks), owned */
    uint32_t   n_blocks, cap_blocks;
    uint32_t   n_read;
    uint32_t   last_len; /* bytes in the last one, when it is not full */
    uint64_t   bytes;    /* not read yet */
    struct buf here;     /* written and not in the file yet; or read and not taken yet */
};

void spill_fini(struct spill *s);

/* A record: its length and its bytes. */
int spill_put(struct spill *s, struct spill_run *r, struct span record) must_check;

/* All has been put; its memory is given back. Required before the first spill_get(). */
int spill_finish(struct spill *s, struct spill_run *r) must_check;

/* 1: the next record is in `out`, instead of what was there; 0: that was all, and the run's
 * blocks can be used by others. */
int spill_get(struct spill *s, struct spill_run *r, struct buf *out) must_check;

/* Also in the middle. The run is empty then and can be written again. */
void spill_drop(struct spill *s, struct spill_run *r);

static inline bool
spill_run_is_empty(const struct spill_run *r)
{
    return r->bytes == 0;
}

/* Memory, not disk. */
static inline size_t
spill_run_memory(const struct spill_run *r)
{
    return r->here.cap + r->cap_blocks * sizeof(r->blocks[0]);
}

#endif
