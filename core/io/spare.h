/* spare.h - memory for stream buffers, kept between uses.
 *
 * So that idle streams own none and busy ones do not ask malloc: a stream that
 * has something to keep is lent a buffer, and gives it back when it is empty.
 * At most SPARE_COUNT of them and SPARE_BYTES together are kept.
 */
#ifndef CORE_IO_SPARE_H
#define CORE_IO_SPARE_H

#include "core/base/base.h"
#include "core/base/buf.h"

enum { SPARE_COUNT = 64, SPARE_BYTES = 4 << 20 };

/* All zeroes is an empty store. */
struct spares {
    struct buf spare[SPARE_COUNT]; /* owned */
    unsigned   count;
    size_t     bytes; /* of all of them */
    struct buf scrap;
};

/* Memory for `b` when it has none; a buf that has keeps it. */
void spare_lend(struct spares *spares, struct buf *b);

/* Takes the memory of `b`, which is all zeroes then. Its bytes are gone. */
void spare_give_back(struct spares *spares, struct buf *b);

/* Where bytes go that nobody wants: emptied at each call. */
struct buf *spare_scrap(struct spares *spares);

void spare_fini(struct spares *spares);

#endif
