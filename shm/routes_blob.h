/* routes_blob.h - the layout of the routes blob; only for routes_*.c.
 *
 * Records lie one behind the other in the order of enum blob_part, each kind
 * packed; all sizes are multiples of 8. A change of anything here is a new
 * ROUTES_BLOB_VERSION.
 */
#ifndef SHM_ROUTES_BLOB_H
#define SHM_ROUTES_BLOB_H

#include "core/base/base.h"
#include "core/route/table.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the blob is little-endian");

#define BLOB_MAGIC UINT32_C(0x72646873) /* "shdr" */

/* Bytes in the last part. */
struct blob_ref {
    uint32_t offset, len;
};

enum blob_part {
    BLOB_SHARDS, BLOB_RANGES, BLOB_DATABASES, BLOB_TABLES, BLOB_COLUMNS,
    BLOB_USERS, BLOB_ENGINES, BLOB_REPLICAS, BLOB_BYTES, BLOB_PARTS,
};

struct blob_header {
    uint32_t        magic, version;
    uint64_t        len;      /* of the whole blob */
    uint64_t        checksum; /* XXH3-64 of everything behind this word */
    uint64_t        generation, users_generation;
    struct blob_ref service_user, service_secret;
    uint32_t        count[BLOB_PARTS];
    uint32_t        lower_case, cut, eases;
};

enum { BLOB_CHECKED_FROM = offsetof(struct blob_header, generation) };

enum { BLOB_FENCED = 1 << 0, BLOB_EASED = 1 << 1 };

/* Also an engine. */
struct blob_shard {
    uint32_t        id;
    uint16_t        port;
    uint8_t         state, waits; /* BLOB_FENCED, BLOB_EASED */
    struct blob_ref name, host;
    uint64_t        epoch;
    uint32_t        server; /* an engine has none of these */
    uint16_t        lost, hides;
};

struct blob_replica {
    uint32_t        id, shard;
    uint16_t        port;
    uint8_t         weight, state;
    uint32_t        zero;
    struct blob_ref name, host, zone;
};

struct blob_range {
    uint64_t start;
    uint32_t shard, fenced;
};

struct blob_database {
    struct blob_ref name;
    uint32_t        home;
    uint16_t        collation;
    uint8_t         has_code, consistency;
    struct blob_ref functions, procedures; /* function_list_ok() */
};

struct blob_table {
    struct blob_ref name;
    uint32_t        database, kind, key, auto_increment;
    uint64_t        sequence;
    uint32_t        view_kind, n_columns, first_column, fenced;
    struct blob_ref hide, view_text;
    uint32_t        view_collation;
    uint16_t        view_expands, view_unchecked;
    uint32_t        triggers, view_materialized;
    struct blob_ref lookups; /* "COLUMN FILLING TABLE\n" each; FILLING: 0 or 1 */
};

enum {
    BLOB_UNSIGNED       = 1 << 0,
    BLOB_NULLABLE       = 1 << 1,
    BLOB_AUTO_INCREMENT = 1 << 2,
    BLOB_GENERATED      = 1 << 3,
    BLOB_HAS_DEFAULT    = 1 << 4,
    BLOB_INVISIBLE      = 1 << 5,
    BLOB_COLUMN_FLAGS   = (1 << 6) - 1,
};

struct blob_column {
    struct blob_ref name;
    uint16_t        type, collation;
    uint32_t        length;
    uint16_t        scale, flags;
    uint32_t        primary;
};

/* Two bits each for route_user.commit and .consistency. */
enum {
    BLOB_ADMIN = 1 << 1, BLOB_COMMIT_SHIFT = 2, BLOB_LOCKED = 1 << 4,
    BLOB_CONSISTENCY_SHIFT = 5, BLOB_USER_FLAGS = 126,
};

struct blob_user {
    struct blob_ref name, secret, verifier, old_verifier, token;
    uint32_t        flags, plugin;
    uint64_t        limit[LIMITS_N];
};

static const size_t blob_record[BLOB_PARTS] = {
    [BLOB_SHARDS]    = sizeof(struct blob_shard),
    [BLOB_RANGES]    = sizeof(struct blob_range),
    [BLOB_DATABASES] = sizeof(struct blob_database),
    [BLOB_TABLES]    = sizeof(struct blob_table),
    [BLOB_COLUMNS]   = sizeof(struct blob_column),
    [BLOB_USERS]     = sizeof(struct blob_user),
    [BLOB_ENGINES]   = sizeof(struct blob_shard),
    [BLOB_REPLICAS]  = sizeof(struct blob_replica),
    [BLOB_BYTES]     = 1,
};

struct arena;

/* routes_header.c: is it of this release, whole, and of a size that is possible? */
bool blob_header_check(const struct blob_header *h, struct span blob,
                       struct err *err) must_check;

/* Where in `blob` each part begins. The counts of the header must add up to exactly its length. */
bool blob_parts(const struct blob_header *h, struct span blob, const uint8_t *out[BLOB_PARTS],
                struct err *err) must_check;

/* routes_lookups.c: blob_table.lookups, into the table `t`, which will have
 * `n_columns`. False and `err`: these are none. */
bool blob_lookups(struct arena *arena, struct span text, uint32_t n_columns,
                  struct route_table *t, struct err *err) must_check;

_Static_assert(sizeof(struct blob_header) == 104 && sizeof(struct blob_shard) == 40 &&
               sizeof(struct blob_range) == 16 && sizeof(struct blob_database) == 32 &&
               sizeof(struct blob_table) == 88 && sizeof(struct blob_column) == 24 &&
               sizeof(struct blob_replica) == 40 &&
               sizeof(struct blob_user) == 48 + 8 * LIMITS_N, "no padding");

#endif
