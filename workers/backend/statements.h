/* statements.h - what one backend has prepared, found by text.
 *
 * Least recently used ones make room: the caller closes them on the server.
 */
#ifndef WORKERS_BACKEND_STATEMENTS_H
#define WORKERS_BACKEND_STATEMENTS_H

#include "core/base/list.h"

enum { STATEMENTS_MAX = 512 };

struct statement_table;

struct statements {
    struct statement_table *table; /* owned; NULL until the first one */
};

/* True when `text` is prepared; *id is the server's name for it. `hash` is
 * XXH3-64 of the text. */
bool statements_find(struct statements *s, uint64_t hash, struct span text, uint32_t *id);

/* Remember it; the text is copied. True when another had to go: close *evicted. */
bool statements_add(struct statements *s, uint64_t hash, struct span text, uint32_t id,
                    uint32_t *evicted);

/* The server has forgotten them all. */
void statements_clear(struct statements *s);

#endif
