/* definitions.h - how tables look, as their shards tell it: a worker's own memory of them.
 *
 *   definition_find() --miss--> definition_ask() --> SHOW CREATE TABLE --> ready()
 *
 * A table has one place in it, which another table may take; those of another generation
 * of the routes are not found. The service account asks: what a user may read of
 * a table is the fetch's to find out.
 */
#ifndef WORKERS_QUERY_DEFINITIONS_H
#define WORKERS_QUERY_DEFINITIONS_H

#include "core/base/arena.h"
#include "core/route/gather_define.h"
#include "workers/backend/context.h"

struct definition {
    struct gather_definition d; /* with the routes' columns, in their order */
    uint64_t                 generation;
    uint32_t                 table;
    uint32_t                 references;
    bool                     referenced; /* by foreign keys, or it cannot be told */
    struct arena             arena;
};

struct definition_asking;

struct definition_request {
    struct definition_asking *asking; /* NULL: nobody is asked */
    /* A reference for the caller, or NULL and why. Never from inside definition_ask(). */
    void (*ready)(struct definition_request *r, struct definition *d,
                  const struct sql_error *why);
};

/* A reference, or NULL. */
struct definition *definition_find(struct context *ctx, const struct routes *r, uint32_t table);

/* Ask a shard (its id). The caller sets ready. */
void definition_ask(struct context *ctx, struct routes_ref *routes, uint32_t table,
                    uint32_t shard_id, struct definition_request *request);

/* ready() will not be called. Harmless when nobody is asked. */
void definition_forget(struct definition_request *request);

void definition_release(struct definition *d); /* NULL is fine */

#endif
