/* reports.c - what workers write for one another when they are asked; see slots.h.
 *
 *   slot's end - reports_bytes():  | head, text of REPORT_POOLS | head, text of the next | ...
 *
 * A text has as many bytes as its head says, under the head's seqlock; the memory behind them was
 * perhaps never used, and is not looked at.
 */
#include <sys/mman.h>

#include "core/base/clock.h"
#include "shm/slots.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { PAGE = 4096, TRIES = 8 };

struct head {
    struct seqlock   lock;
    _Atomic uint64_t written_us; /* 0: never */
    _Atomic uint64_t bytes;
    _Atomic uint64_t word[];
};

static const size_t sizes[REPORTS_N] = {
    [REPORT_POOLS]   = 128 << 10,
    [REPORT_DIGESTS] = 1 << 20,
    [REPORT_STATEMENTS] = 256 << 10, /* TALLY_ROWS whole rows */
};

size_t
report_room(enum report which)
{
    return sizes[which] - sizeof(struct head);
}

size_t
reports_bytes(void)
{
    size_t all = 0;

    for (int i = 0; i < REPORTS_N; i++)
        all += sizes[i];
    return all;
}

static struct head *
head_of(const struct slots *s, const struct slot *slot, enum report which)
{
    size_t at = s->stride - reports_bytes();

    for (int i = 0; i < (int)which; i++)
        at += sizes[i];
    return (struct head *)((uintptr_t)slot + at);
}

static void
put(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

void
report_write(const struct slots *s, struct slot *own, enum report which, struct span text)
{
    struct head *h   = head_of(s, own, which);
    size_t       len = text.len < report_room(which) ? text.len : report_room(which);
    size_t       all = (sizeof(*h) + len + PAGE - 1) / PAGE * PAGE;

    if (madvise(h, all, MADV_POPULATE_WRITE) != 0) {
        if (madvise(h, PAGE, MADV_POPULATE_WRITE) != 0)
            return;
        len = 0;
    }
    uint64_t count = atomic_load_explicit(&h->lock.count, memory_order_relaxed) | 1;
    atomic_store_explicit(&h->lock.count, count, memory_order_relaxed);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t value = 0;
        memcpy(&value, text.ptr + i, len - i < 8 ? len - i : 8);
        put(&h->word[i / 8], value);
    }
    put(&h->bytes, len);
    put(&h->written_us, clock_us());
    put(&h->lock.count, count + 1);
}

static bool
copy(const struct head *h, enum report which, uint64_t since_us, struct buf *out)
{
    uint64_t before = atomic_load_explicit(&h->lock.count, memory_order_acquire);
    uint64_t when   = atomic_load_explicit(&h->written_us, memory_order_acquire);
    uint64_t len    = atomic_load_explicit(&h->bytes, memory_order_acquire);

    if (before % 2 != 0 || when == 0 || when < since_us || len > report_room(which))
        return false;
    uint8_t *at = buf_reserve(out, len + 8);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t value = atomic_load_explicit(&h->word[i / 8], memory_order_acquire);
        memcpy(at + i, &value, sizeof(value));
    }
    if (before != atomic_load_explicit(&h->lock.count, memory_order_relaxed))
        return false;
    buf_commit(out, len);
    return true;
}

bool
report_read(const struct slots *s, uint32_t worker, enum report which, uint64_t since_us,
            struct buf *out)
{
    const struct head *h = head_of(s, slots_at(s, worker), which);

    for (int i = 0; i < TRIES; i++)
        if (copy(h, which, since_us, out))
            return true;
    return false;
}
