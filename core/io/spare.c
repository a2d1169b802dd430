/* spare.c - see spare.h. */
#include "core/io/spare.h"

enum { FIRST_BYTES = 4096, SCRAP_BYTES = 64 * 1024 };

void
spare_lend(struct spares *spares, struct buf *b)
{
    if (b->bytes != NULL)
        return;
    if (spares->count == 0) {
        buf_reserve(b, FIRST_BYTES);
        return;
    }
    *b = spares->spare[--spares->count];
    spares->bytes -= b->cap;
}

void
spare_give_back(struct spares *spares, struct buf *b)
{
    if (b->bytes == NULL)
        return;
    if (spares->count == SPARE_COUNT || b->cap > SPARE_BYTES / 4 ||
        b->cap > SPARE_BYTES - spares->bytes) {
        buf_fini(b);
        return;
    }
    buf_clear(b);
    spares->bytes += b->cap;
    spares->spare[spares->count++] = *b;
    *b = (struct buf){ 0 };
}

struct buf *
spare_scrap(struct spares *spares)
{
    if (spares->scrap.cap > SCRAP_BYTES)
        buf_fini(&spares->scrap);
    buf_clear(&spares->scrap);
    return &spares->scrap;
}

void
spare_fini(struct spares *spares)
{
    while (spares->count > 0)
        buf_fini(&spares->spare[--spares->count]);
    buf_fini(&spares->scrap);
}
