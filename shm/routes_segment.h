/* routes_segment.h - how a routes blob reaches the workers.
 *
 *   +--------+------------------------------+-----------------+-----------------+
 *   | header | edition, copy[0], copy[1]    | blob of even    | blob of odd     |
 *   |        | (seqlock, lengths, checksum) | editions        | editions        |
 *   +--------+------------------------------+-----------------+-----------------+
 *
 * An edition is one publication, numbered from 1; its lowest bit says in which
 * of the two copies it lies ("left-right"). The writer makes the idle copy's
 * count odd, fills it, makes the count even, and only then stores the new
 * edition: one word. So the copy that the edition names is always complete,
 * wherever a writer is killed, and no reader ever waits for a dead one: a
 * reader repeats only when the writer published twice while it copied.
 *
 * A killed writer leaves at worst an odd count on the idle copy; the next
 * writer makes it even when it opens the segment.
 *
 * `generation` counts changes of everything but users, `users_generation`
 * those of users (core/route/table.h); an edition is published for either.
 */
#ifndef SHM_ROUTES_SEGMENT_H
#define SHM_ROUTES_SEGMENT_H

#include "core/base/buf.h"
#include "core/route/table.h"
#include "shm/segment.h"

enum { ROUTES_BLOB_MAX = 64 << 20 };

struct routes_segment {
    struct segment seg;
};

/* The controller's side: the only writer. */
bool routes_segment_create(struct routes_segment *s, const char *instance,
                           struct err *err) must_check;

/* Everybody else's: read-only. */
bool routes_segment_open(struct routes_segment *s, const char *instance,
                         struct err *err) must_check;

void routes_segment_close(struct routes_segment *s);

/* Publish a blob of routes_encode(), at most ROUTES_BLOB_MAX bytes. Returns its
 * edition, or 0 with `err` filled (too large, /dev/shm full); then the last
 * edition stands. */
uint64_t routes_segment_publish(struct routes_segment *s, struct span blob,
                                struct err *err) must_check;

/* The current edition; 0: nothing published yet. One load: cheap enough to ask
 * at every statement. */
uint64_t routes_segment_edition(const struct routes_segment *s);

enum routes_read {
    ROUTES_READ_OK,
    ROUTES_READ_NONE, /* nothing published yet */
    ROUTES_READ_BUSY, /* the writer publishes faster than we copy; try again later */
    ROUTES_READ_BAD,  /* the segment is damaged; `err` says how */
};

/* Copy the current blob into `out` (cleared first) and say which edition it
 * is. Its checksum was compared; its content is for routes_decode(). */
enum routes_read routes_segment_read(const struct routes_segment *s,
                                     struct buf *out, uint64_t *edition,
                                     struct err *err);

#endif
