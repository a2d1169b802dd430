/* parcel.h - the rows of one transaction on their way to one target, in memory of bounded size.
 *
 *   +------+--------+-------+-------+--------+-------+
 *   | what | number | len 1 | len 2 | part 1 | part 2|   one record; and so on
 *   +------+--------+-------+-------+--------+-------+
 *     'T'   a table's TABLE_MAP, before the first record of the table
 *     'I'   a row to insert (part 2), 'D' delete (part 1), 'U' update (both): row images
 *     'x'   a row that is to go from a server: the cells of a text row that name it (part 1)
 *     'k'   a key that the target must hide, 'o' one that the source will: a literal
 *
 * What is more than PARCEL_MEMORY goes into a file without a name. A parcel says all that is needed
 * to apply it, on another day and by another controller: so it may lie in `stash`.
 */
#ifndef CTL_MOVE_PARCEL_H
#define CTL_MOVE_PARCEL_H

#include "core/base/buf.h"

enum {
    PARCEL_MEMORY = 1 << 20,
    PARCEL_HEADER = 16,
};

/* Its first `spilled` bytes are in the file. */
struct parcel {
    struct buf bytes;   /* the others */
    int        file;    /* when spilled > 0; owned, unless: */
    bool       lent;    /* it is a part of somebody's file, from `base` on: only to be read */
    uint64_t   base;
    uint64_t   spilled;
    uint64_t   rows;
    const char *folder; /* for the file; borrowed */
};

struct parcel_record {
    char        what;
    uint32_t    number; /* of the table in the job */
    struct span first, second;
};

void parcel_fini(struct parcel *p);

/* 0, or -errno of the file. */
int parcel_put(struct parcel *p, const struct parcel_record *r) must_check;

/* All of it into its file. */
int parcel_spill(struct parcel *p) must_check;

/* Bytes as they came from a parcel, in any pieces. */
int parcel_put_bytes(struct parcel *p, struct span bytes) must_check;

static inline uint64_t
parcel_size(const struct parcel *p)
{
    return p->spilled + buf_len(&p->bytes);
}

/* Back to a size that it had, at the end of a record, and as many rows as then. */
int parcel_cut(struct parcel *p, uint64_t size, uint64_t rows) must_check;

/* Reading from the start. */
struct parcel_reader {
    const struct parcel *parcel;
    uint64_t             at;   /* of what comes into `room` next */
    struct buf           room; /* from the file */
    size_t               past; /* bytes of `room` or of the parcel's memory behind us */
};

void parcel_read(struct parcel_reader *r, const struct parcel *p);
void parcel_read_end(struct parcel_reader *r);

/* 1: *out, good until the next call; 0: the end; -errno; -EBADMSG: not a parcel's bytes. */
int parcel_next(struct parcel_reader *r, struct parcel_record *out) must_check;

/* At most `max` bytes as they are, whatever the records; 0: the end. */
int parcel_piece(struct parcel_reader *r, size_t max, struct span *out) must_check;

#endif
