/* spill.c - see spill.h. */
#include "core/base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"

static int
make_file(struct spill *s)
{
    int fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    s->fd = fd + 1;
    return 0;
}

void
spill_fini(struct spill *s)
{
    if (s->fd != 0)
        close(s->fd - 1);
    free(s->unused);
    s->fd = 0;
    s->unused   = NULL;
    s->n_unused = s->cap_unused = s->n_blocks = 0;
}

static void
append(uint32_t **list, uint32_t *n, uint32_t *cap, uint32_t block)
{
    if (*n == *cap) {
        *cap  = *cap == 0 ? 16 : 2 * *cap;
        *list = mem_resize(*list, *cap * sizeof(**list));
    }
    (*list)[(*n)++] = block;
}

static int
take_block(struct spill *s, uint32_t *block)
{
    if (s->n_unused > 0) {
        *block = s->unused[--s->n_unused];
        return 0;
    }
    if (s->n_blocks == UINT32_MAX || ((uint64_t)s->n_blocks + 1) * s->block > s->limit)
        return -EDQUOT;
    *block = s->n_blocks++;
    return 0;
}

static void
give_back(struct spill *s, uint32_t block)
{
    append(&s->unused, &s->n_unused, &s->cap_unused, block);
}

/* The first `len` bytes of r->here, as a block. */
static int
write_block(struct spill *s, struct spill_run *r, size_t len)
{
    uint32_t block  = 0;
    int      failed = s->fd == 0 ? make_file(s) : 0;
    if (failed == 0)
        failed = take_block(s, &block);
    if (failed != 0)
        return failed;
    const uint8_t *from = buf_unread(&r->here).ptr;
    off_t          at   = (off_t)((uint64_t)block * s->block);
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(s->fd - 1, from + done, len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            failed = n < 0 ? -errno : -ENOSPC;
            give_back(s, block);
            return failed;
        }
        done += (size_t)n;
    }
    append(&r->blocks, &r->n_blocks, &r->cap_blocks, block);
    r->last_len = (uint32_t)len;
    buf_consume(&r->here, len);
    return 0;
}

int
spill_put(struct spill *s, struct spill_run *r, struct span record)
{
    uint32_t len    = (uint32_t)record.len;
    int      failed = 0;
    buf_append(&r->here, &len, sizeof(len));
    buf_append_span(&r->here, record);
    r->bytes += sizeof(len) + record.len;
    while (failed == 0 && buf_len(&r->here) >= s->block)
        failed = write_block(s, r, s->block);
    return failed;
}

int
spill_finish(struct spill *s, struct spill_run *r)
{
    int failed = buf_len(&r->here) == 0 ? 0 : write_block(s, r, buf_len(&r->here));
    buf_fini(&r->here);
    return failed;
}

/* One block more into r->here. */
static int
read_block(struct spill *s, struct spill_run *r)
{
    if (r->n_read == r->n_blocks)
        return -EIO;
    size_t   len  = r->n_read + 1 == r->n_blocks ? r->last_len : s->block;
    uint32_t from = r->blocks[r->n_read];
    uint8_t *room = buf_reserve(&r->here, len);
    off_t    at   = (off_t)((uint64_t)from * s->block);
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(s->fd - 1, room + done, len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    buf_commit(&r->here, len);
    give_back(s, from);
    r->n_read++;
    return 0;
}

static int
read_bytes(struct spill *s, struct spill_run *r, size_t len)
{
    int failed = 0;
    while (failed == 0 && buf_len(&r->here) < len)
        failed = read_block(s, r);
    return failed;
}

int
spill_get(struct spill *s, struct spill_run *r, struct buf *out)
{
    uint32_t len;
    if (r->bytes == 0) {
        spill_drop(s, r);
        return 0;
    }
    int failed = read_bytes(s, r, sizeof(len));
    if (failed != 0)
        return failed;
    memcpy(&len, buf_unread(&r->here).ptr, sizeof(len));
    failed = read_bytes(s, r, sizeof(len) + (size_t)len);
    if (failed != 0)
        return failed;
    buf_clear(out);
    buf_append(out, buf_unread(&r->here).ptr + sizeof(len), len);
    buf_consume(&r->here, sizeof(len) + (size_t)len);
    r->bytes -= sizeof(len) + (uint64_t)len;
    return 1;
}

void
spill_drop(struct spill *s, struct spill_run *r)
{
    for (uint32_t i = r->n_read; i < r->n_blocks; i++)
        give_back(s, r->blocks[i]);
    free(r->blocks);
    buf_fini(&r->here);
    *r = (struct spill_run){ 0 };
}
