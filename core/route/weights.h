/* weights.h - collation weights as a MariaDB server has them; see weights.py.
 *
 *   code point --high bits--> page --low 8 bits--> entry
 *
 * An entry is a weight; or WEIGHTS_MANY + where in `many` a count and so many
 * weights lie (a count of 0: ignorable); or WEIGHTS_IMPLICIT: follow the rule
 * for characters that have no entry. 16-bit entries lie four to a word, the
 * first lowest, so that the tables are short to write down.
 */
#ifndef CORE_ROUTE_WEIGHTS_H
#define CORE_ROUTE_WEIGHTS_H

#include "core/base/base.h"

enum {
    WEIGHTS_MANY       = 0x8000,
    WEIGHTS_IMPLICIT   = 0xffff,
    WEIGHTS_PART_PAGES = 40, /* in each part but the last */
};

struct weights {
    uint32_t              n_high;  /* code points >> 8 beyond have no page */
    const uint8_t        *page_of; /* [n_high]: page number + 1, or 0: no page */
    const uint64_t *const *part;
    const uint64_t       *many;
};

extern const struct weights weights_unicode, weights_unicode_520;

/* utf8mb4_general_ci: entries are weights; no page: the code point itself. */
extern const struct weights weights_general;

/* latin1_swedish_ci by byte, and the characters of bytes 0x80 to 0x9f. */
extern const uint8_t  weights_latin1[256];
extern const uint16_t weights_latin1_high[32];

static inline uint16_t
weights_entry(const uint64_t *words, uint32_t i)
{
    return (uint16_t)(words[i / 4] >> i % 4 * 16);
}

#endif
