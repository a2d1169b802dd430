/* statements.h - what one backend has prepared, found by text.
 *
 * Those unused for longest make room: the caller closes them on the server (see
 * backend_statements.c, which also counts them).
 */
#ifndef WORKERS_BACKEND_STATEMENTS_H
#define WORKERS_BACKEND_STATEMENTS_H

#include "core/base/list.h"

struct statement_table;

struct statements {
    struct statement_table *table; /* owned; NULL until the first one */
};

/* What a statement means depends on where and how it was prepared. */
struct statement_key {
    struct span text;
    struct span schema;    /* current then; empty: none */
    uint64_t    vars_hash; /* of the session's variables then */
};

/* True when it is prepared; *id is the server's name for it. */
bool statements_find(struct statements *s, const struct statement_key *key, uint32_t *id);

/* Remember it; the key is copied. */
void statements_add(struct statements *s, const struct statement_key *key, uint32_t id);

/* True while there were more than `max`: the one unused for longest is forgotten, close it. */
bool statements_evict(struct statements *s, uint32_t max, uint32_t *evicted);

uint32_t statements_count(const struct statements *s);

/* The server has forgotten them all. */
void statements_clear(struct statements *s);

#endif
