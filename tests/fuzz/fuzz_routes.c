/* fuzz_routes.c - no blob may make routes_decode() read past it, or give routes
 * that cannot be used or encoded again.
 *
 * The checksum would stop every guess, so it is made right first.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "shm/routes.h"
#include "shm/routes_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(const struct routes *r)
{
    struct buf blob = { 0 };
    struct err err;

    if (r->n_ranges > 0 && (routes_owner(r, 0) >= r->n_shards ||
                            routes_owner(r, UINT64_MAX) >= r->n_shards))
        __builtin_trap();
    for (uint32_t i = 0; i < r->n_tables; i++) {
        const struct route_table *t = &r->tables[i];
        if (routes_table(r, t->database, t->name) != i ||
            routes_database(r, r->databases[t->database].name) != t->database)
            __builtin_trap();
    }
    if (!routes_encode(r, &blob, &err))
        __builtin_trap();
    buf_fini(&blob);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       *copy = malloc(size + 1);
    struct routes *r;
    struct err     err;

    if (size > 0)
        memcpy(copy, data, size);
    if (size >= sizeof(struct blob_header)) {
        struct blob_header *h = (struct blob_header *)copy;
        h->magic    = BLOB_MAGIC;
        h->version  = ROUTES_BLOB_VERSION;
        h->len      = size;
        h->checksum = XXH3_64bits(copy + BLOB_CHECKED_FROM, size - BLOB_CHECKED_FROM);
    }
    if (routes_decode((struct span){ copy, size }, &r, &err)) {
        use(r);
        routes_free(r);
    }
    free(copy);
    return 0;
}
