/* routes_header.c - the outside of a blob, trusting nothing; see routes_blob.h. */
#include <xxhash.h>

#include "shm/routes.h"
#include "shm/routes_blob.h"

bool
blob_parts(const struct blob_header *h, struct span blob, const uint8_t *out[BLOB_PARTS],
           struct err *err)
{
    uint64_t at = sizeof(*h);

    for (int part = 0; part < BLOB_PARTS; part++) {
        uint64_t size = (uint64_t)h->count[part] * blob_record[part];
        if (size > blob.len - at)
            return err_set(err, "routes blob: part %d is longer than the blob of %zu bytes", part,
                           blob.len);
        out[part] = blob.ptr + at;
        at += size;
    }
    if (at != blob.len)
        return err_set(err, "routes blob: %llu bytes of %zu accounted for",
                       (unsigned long long)at, blob.len);
    return true;
}

bool
blob_header_check(const struct blob_header *h, struct span blob, struct err *err)
{
    if (h->magic != BLOB_MAGIC)
        return err_set(err, "routes blob: not one");
    if (h->version != ROUTES_BLOB_VERSION)
        return err_set(err, "routes blob: version %u, this program knows %d: "
                       "shardd and shardctl are of different releases",
                       h->version, ROUTES_BLOB_VERSION);
    if (h->len != blob.len)
        return err_set(err, "routes blob: %zu bytes instead of %llu", blob.len,
                       (unsigned long long)h->len);
    if (h->checksum != XXH3_64bits(blob.ptr + BLOB_CHECKED_FROM,
                                   blob.len - BLOB_CHECKED_FROM))
        return err_set(err, "routes blob: wrong checksum");
    if (h->lower_case > 1 || h->cut > 1)
        return err_set(err, "routes blob: lower_case is %u", h->lower_case);
    if (h->count[BLOB_SHARDS] > ROUTES_SHARDS_MAX)
        return err_set(err, "routes: %u shards, at most %d are possible",
                       h->count[BLOB_SHARDS], ROUTES_SHARDS_MAX);
    if (h->count[BLOB_ENGINES] > ROUTES_ENGINES_MAX)
        return err_set(err, "routes: %u engines, at most %d are possible",
                       h->count[BLOB_ENGINES], ROUTES_ENGINES_MAX);
    if (h->count[BLOB_REPLICAS] > ROUTES_REPLICAS_MAX)
        return err_set(err, "routes: %u replicas, at most %d are possible",
                       h->count[BLOB_REPLICAS], ROUTES_REPLICAS_MAX);
    if ((h->count[BLOB_SHARDS] == 0) != (h->count[BLOB_RANGES] == 0))
        return err_set(err, "routes: %u shards with %u ranges",
                       h->count[BLOB_SHARDS], h->count[BLOB_RANGES]);
    return true;
}
