/* table.c - see table.h. */
#include "core/route/table.h"

#include <assert.h>

#include "core/route/collation.h"

enum {
    INDEX_BITS_MIN = 1,
    INDEX_BITS_MAX = 24,
    NAME_MAX_BYTES = 64 * 4, /* the servers': 64 characters */
};

static inline const struct route_range *
range_of(const struct routes *r, uint64_t hash)
{
    uint64_t        slice = hash >> (64 - r->index_bits);
    uint32_t        low   = r->index[slice];
    uint32_t        n     = r->index[slice + 1] - low;
    const struct route_range *range = &r->ranges[low];

    /* The last of range[0..n] that starts at or below the hash. With evenly
     * cut ranges n is 0 or 1; the halving has no branch that depends on data. */
    while (n > 0) {
        uint32_t half = n - n / 2;
        range += range[half].start <= hash ? half : 0;
        n -= half;
    }
    return range;
}

uint32_t
routes_owner(const struct routes *r, uint64_t hash)
{
    return range_of(r, hash)->shard;
}

uint32_t
routes_range(const struct routes *r, uint64_t hash)
{
    return (uint32_t)(range_of(r, hash) - r->ranges);
}

uint8_t
routes_index_bits(uint32_t n_ranges)
{
    uint8_t bits = INDEX_BITS_MIN;

    while (bits < INDEX_BITS_MAX && 1u << bits < n_ranges)
        bits++;
    return bits;
}

void
routes_index(const struct route_range *ranges, uint32_t n_ranges, uint8_t bits,
             uint32_t *index)
{
    uint32_t slices = 1u << bits;
    uint32_t range  = 0;

    assert(bits >= INDEX_BITS_MIN && bits <= INDEX_BITS_MAX);
    assert(n_ranges > 0 && ranges[0].start == 0);
    for (uint32_t slice = 0; slice < slices; slice++) {
        uint64_t first = (uint64_t)slice << (64 - bits);
        while (range + 1 < n_ranges && ranges[range + 1].start <= first)
            range++;
        index[slice] = range;
    }
    index[slices] = n_ranges - 1;
}

/* floor(2^64 * i / n) for i < n. */
static uint64_t
cut_at(uint64_t i, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;

    return (uint64_t)(((wide)i << 64) / n);
}

void
routes_cut(uint32_t n_shards, uint32_t per_shard, struct route_range *out)
{
    uint32_t n = n_shards * per_shard;

    for (uint32_t i = 0; i < n; i++) {
        out[i].start = cut_at(i, n);
        out[i].shard = i % n_shards;
    }
}

/* Keys in range i. The whole space is one too many for 64 bits: one key less
 * does not matter for a share. */
static uint64_t
width(const struct route_range *ranges, uint32_t i, uint32_t n)
{
    uint64_t end = i + 1 < n ? ranges[i + 1].start : UINT64_MAX;

    return end - ranges[i].start;
}

uint32_t
routes_grow(const struct route_range *ranges, uint32_t n, uint32_t n_shards,
            uint32_t added, struct route_range *out)
{
    uint64_t want[ROUTES_SHARDS_MAX] = { 0 }; /* still to be taken from a shard */
    uint32_t made = 0;

    assert(n_shards <= ROUTES_SHARDS_MAX);
    /* Each shard gives what it has over an equal share of n_shards + 1, so that
     * all end equal when they began equal. */
    for (uint32_t i = 0; i < n; i++)
        want[ranges[i].shard] += width(ranges, i, n);
    for (uint32_t shard = 0; shard < n_shards; shard++)
        want[shard] /= n_shards + 1;

    for (uint32_t i = 0; i < n; i++) {
        struct route_range at    = ranges[i];
        uint64_t           wide  = width(ranges, i, n);
        uint64_t          *share = &want[at.shard];

        if (*share >= wide) {
            *share -= wide;
            at.shard = added;
        } else if (*share > 0) {
            out[made++] = (struct route_range){ .start = at.start, .shard = added };
            at.start += *share;
            *share = 0;
        }
        out[made++] = at;
    }
    return made;
}

static int
compare_bytes(struct span a, struct span b)
{
    size_t len   = a.len < b.len ? a.len : b.len;
    int    order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The span at `i` of an array of structs that begin with a name. */
static struct span
name_at(const void *array, size_t size, uint32_t i)
{
    struct span name;

    memcpy(&name, (const uint8_t *)array + size * i, sizeof(name));
    return name;
}

/* In [low, high) of an array sorted by the bytes of its names. Where case does
 * not count the names in the array are in lower case (table.h), and so must be
 * the one sought; no name is longer than NAME_MAX_BYTES. */
static uint32_t
find(const void *array, size_t size, uint32_t low, uint32_t high,
     struct span name, bool fold)
{
    uint8_t lower[NAME_MAX_BYTES];

    if (fold && name.len > sizeof(lower))
        return ROUTES_NONE;
    for (size_t i = 0; fold && i < name.len; i++) {
        bool capital = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z';
        lower[i] = (uint8_t)(name.ptr[i] | (capital ? 0x20 : 0));
    }
    if (fold)
        name.ptr = lower;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int      order  = compare_bytes(name_at(array, size, middle), name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return ROUTES_NONE;
}

_Static_assert(offsetof(struct route_database, name) == 0, "see name_at()");
_Static_assert(offsetof(struct route_table, name) == 0, "see name_at()");
_Static_assert(offsetof(struct route_user, name) == 0, "see name_at()");
_Static_assert(offsetof(struct route_column, name) == 0, "see name_at()");

/* The first in [low, high) that is the same name but for the case of letters beyond ASCII, which
 * find() does not know. */
static uint32_t
find_alike(const void *array, size_t size, uint32_t low, uint32_t high, struct span name)
{
    for (uint32_t i = low; i < high && !span_is_ascii(name); i++)
        if (names_alike(name_at(array, size, i), name))
            return i;
    return ROUTES_NONE;
}

uint32_t
routes_database(const struct routes *r, struct span name)
{
    uint32_t at = find(r->databases, sizeof(*r->databases), 0, r->n_databases, name,
                       r->lower_case);

    return at != ROUTES_NONE || !r->lower_case
               ? at : find_alike(r->databases, sizeof(*r->databases), 0, r->n_databases, name);
}

/* The first table of `database` or a later one. */
static uint32_t
first_table(const struct routes *r, uint32_t database)
{
    uint32_t low = 0, high = r->n_tables;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->tables[middle].database < database)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t
find_own(const struct routes *r, uint32_t database, struct span name)
{
    for (uint32_t i = r->n_tables; i < r->n_tables + r->n_own; i++) {
        const struct route_table *t = &r->tables[i];
        if (t->database == database && (r->lower_case ? span_equal_nocase(t->name, name)
                                                      : span_equal(t->name, name)))
            return i;
    }
    return ROUTES_NONE;
}

uint32_t
routes_table(const struct routes *r, uint32_t database, struct span name)
{
    uint32_t low = first_table(r, database), high = first_table(r, database + 1);
    uint32_t at  = find(r->tables, sizeof(*r->tables), low, high, name, r->lower_case);

    if (at == ROUTES_NONE && r->lower_case)
        at = find_alike(r->tables, sizeof(*r->tables), low, high, name);
    return at != ROUTES_NONE || r->n_own == 0 ? at : find_own(r, database, name);
}

uint32_t
routes_user(const struct routes *r, struct span name)
{
    return find(r->users, sizeof(*r->users), 0, r->n_users, name, false);
}

const struct route_shard *
routes_server(const struct routes *r, uint32_t id)
{
    const struct route_shard *all = routes_is_engine(id) ? r->engines : r->shards;
    uint32_t                  n   = routes_is_engine(id) ? r->n_engines : r->n_shards;

    for (uint32_t i = 0; i < n; i++)
        if (all[i].id == id)
            return &all[i];
    return NULL;
}

const struct route_replica *
routes_replica(const struct routes *r, uint32_t id)
{
    for (uint32_t i = 0; i < r->n_replicas; i++)
        if (r->replicas[i].id == id)
            return &r->replicas[i];
    return NULL;
}

uint32_t
routes_engine(const struct routes *r, uint64_t number)
{
    for (uint32_t i = 0; i < r->n_engines; i++) {
        uint32_t at = (uint32_t)((number + i) % r->n_engines);
        if (r->engines[at].state == SHARD_UP)
            return at;
    }
    return ROUTES_NONE;
}

uint32_t
routes_column(const struct route_table *t, struct span name)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (span_equal_nocase(t->columns[i].name, name))
            return i;
    return find_alike(t->columns, sizeof(*t->columns), 0, t->n_columns, name);
}

uint32_t
routes_count_visible(const struct route_table *t)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_columns; i++)
        n += !t->columns[i].invisible;
    return n;
}

uint32_t
routes_visible(const struct route_table *t, uint32_t column)
{
    uint32_t at = 0;

    if (t->columns[column].invisible)
        return ROUTES_NONE;
    for (uint32_t i = 0; i < column; i++)
        at += !t->columns[i].invisible;
    return at;
}
