/* routes_segment.c - see routes_segment.h. */
#include "shm/routes_segment.h"

#include <assert.h>
#include <stdatomic.h>
#include <xxhash.h>

enum { TRIES = 1000 };

/* One of the two places for a blob. `count` is a seqlock's: odd while the
 * writer fills it. */
struct copy {
    _Atomic uint64_t count;
    _Atomic uint64_t len;      /* bytes */
    _Atomic uint64_t checksum; /* XXH3-64 of them */
};

/* Behind the segment's header, in its first page. */
struct control {
    _Atomic uint64_t edition;
    uint64_t         padding[7]; /* readers of the edition share its cache line with nothing */
    struct copy      copy[2];
};

enum {
    CONTROL_AT = SEGMENT_HEADER / 2,
    BLOB_AT    = SEGMENT_HEADER,
    SIZE       = BLOB_AT + 2 * ROUTES_BLOB_MAX,
};

_Static_assert(CONTROL_AT + sizeof(struct control) <= BLOB_AT, "one page");

static struct control *
control_of(const struct routes_segment *s)
{
    return (struct control *)(s->seg.base + CONTROL_AT);
}

static _Atomic uint64_t *
blob_of(const struct routes_segment *s, uint64_t which)
{
    return (_Atomic uint64_t *)(s->seg.base + BLOB_AT + which * ROUTES_BLOB_MAX);
}

bool
routes_segment_create(struct routes_segment *s, const char *instance,
                      struct err *err)
{
    if (!segment_create(&s->seg, SEGMENT_ROUTES, instance, SIZE, NULL, err))
        return false;

    /* What a killed writer may have left: an odd count on the idle copy. */
    struct control *c = control_of(s);
    for (int i = 0; i < 2; i++) {
        uint64_t count = atomic_load_explicit(&c->copy[i].count,
                                              memory_order_relaxed);
        if (count % 2 != 0)
            atomic_store_explicit(&c->copy[i].count, count + 1,
                                  memory_order_release);
    }
    return true;
}

bool
routes_segment_open(struct routes_segment *s, const char *instance,
                    struct err *err)
{
    if (!segment_open(&s->seg, SEGMENT_ROUTES, instance, err))
        return false;
    if (s->seg.size == SIZE)
        return true;
    segment_close(&s->seg);
    return err_set(err, "the routes segment has another size than this "
                   "program's: restart shardd and shardctl");
}

void
routes_segment_close(struct routes_segment *s)
{
    segment_close(&s->seg);
}

/* Word by word, because readers may look while we write. Whoever sees a new
 * word also sees the odd count that was stored before it. */
static void
copy_in(_Atomic uint64_t *to, struct span blob)
{
    uint64_t word;
    size_t   words = blob.len / sizeof(word);

    for (size_t i = 0; i < words; i++) {
        memcpy(&word, blob.ptr + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&to[i], word, memory_order_release);
    }
    if (blob.len % sizeof(word) == 0)
        return;
    word = 0;
    memcpy(&word, blob.ptr + words * sizeof(word), blob.len % sizeof(word));
    atomic_store_explicit(&to[words], word, memory_order_release);
}

uint64_t
routes_segment_publish(struct routes_segment *s, struct span blob,
                       struct err *err)
{
    struct control *c       = control_of(s);
    uint64_t        edition = atomic_load_explicit(&c->edition, memory_order_relaxed) + 1;
    uint64_t        which   = edition % 2;
    struct copy    *idle    = &c->copy[which];

    assert(s->seg.writer);
    if (blob.len == 0 || blob.len > ROUTES_BLOB_MAX) {
        err_set(err, "routes of %zu bytes do not fit into the segment (%d)",
                blob.len, ROUTES_BLOB_MAX);
        return 0;
    }
    int failed = segment_back(&s->seg, BLOB_AT + which * ROUTES_BLOB_MAX, blob.len);
    if (failed != 0) {
        err_set(err, "no room for %zu bytes of routes in /dev/shm: %s", blob.len,
                strerror(-failed));
        return 0;
    }

    uint64_t count = atomic_load_explicit(&idle->count, memory_order_relaxed);
    /* Released, so that who sees it also sees that the edition has moved on. */
    atomic_store_explicit(&idle->count, count + 1, memory_order_release);
    atomic_store_explicit(&idle->len, blob.len, memory_order_release);
    atomic_store_explicit(&idle->checksum, XXH3_64bits(blob.ptr, blob.len),
                          memory_order_release);
    copy_in(blob_of(s, which), blob);
    atomic_store_explicit(&idle->count, count + 2, memory_order_release);
    atomic_store_explicit(&c->edition, edition, memory_order_release);
    return edition;
}

uint64_t
routes_segment_edition(const struct routes_segment *s)
{
    return atomic_load_explicit(&control_of(s)->edition, memory_order_acquire);
}

static void
copy_out(struct buf *out, const _Atomic uint64_t *from, size_t len)
{
    size_t   words = (len + 7) / 8;
    uint8_t *to    = buf_reserve(out, words * 8);

    for (size_t i = 0; i < words; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_acquire);
        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
    buf_commit(out, len);
}

/* One attempt on the copy of `edition`. False: the writer was at it meanwhile;
 * the rest is junk then. A length is used for nothing before it is bounded. */
static bool
try_read(const struct routes_segment *s, uint64_t edition, struct buf *out,
         uint64_t *len, uint64_t *checksum)
{
    const struct copy *copy = &control_of(s)->copy[edition % 2];
    uint64_t before = atomic_load_explicit(&copy->count, memory_order_acquire);

    *len      = atomic_load_explicit(&copy->len, memory_order_acquire);
    *checksum = atomic_load_explicit(&copy->checksum, memory_order_acquire);
    buf_clear(out);
    if (*len <= ROUTES_BLOB_MAX)
        copy_out(out, blob_of(s, edition % 2), *len);
    return before % 2 == 0 &&
           before == atomic_load_explicit(&copy->count, memory_order_acquire);
}

enum routes_read
routes_segment_read(const struct routes_segment *s, struct buf *out,
                    uint64_t *edition, struct err *err)
{
    uint64_t len, checksum;

    for (int i = 0; i < TRIES; i++) {
        uint64_t current = routes_segment_edition(s);
        if (current == 0)
            return ROUTES_READ_NONE;
        if (!try_read(s, current, out, &len, &checksum)) {
            /* Nobody is at work on the copy that is current, so the writer has
             * moved on, or the count is damaged. */
            if (routes_segment_edition(s) != current)
                continue;
            err_set(err, "the routes segment is damaged: its current copy is "
                    "marked as being written");
            return ROUTES_READ_BAD;
        }
        if (len == 0 || len > ROUTES_BLOB_MAX ||
            XXH3_64bits(buf_unread(out).ptr, len) != checksum) {
            err_set(err, "the routes segment is damaged: edition %llu, %llu "
                    "bytes, wrong checksum", (unsigned long long)current,
                    (unsigned long long)len);
            return ROUTES_READ_BAD;
        }
        *edition = current;
        return ROUTES_READ_OK;
    }
    return ROUTES_READ_BUSY;
}
