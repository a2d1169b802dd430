/* heat.h - where in the key space a worker's statements go, and with which keys.
 *
 *   hash of a key --its 16 highest bits--> part[65536]: how often
 *   one key in HEAT_SAMPLE -------------> key[64]: those that come most often
 *
 * Parts are counted all, and wrap at 2^32: who reads takes differences. The keys are found by
 * space-saving (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k
 * elements in data streams"): a key that is not among them takes the place of the rarest one,
 * with its count as the error. So a key's true count is between count - error and count, and
 * no key that comes more often than 1/64 of all is missed. All counts are halved every
 * HEAT_HALF_MS, so that they tell of the last seconds.
 *
 * One writer, any reader. What is said about one key has a seqlock.
 */
#ifndef SHM_HEAT_H
#define SHM_HEAT_H

#include "shm/seqlock.h"

enum {
    HEAT_PARTS     = 65536,
    HEAT_PART_BITS = 16,
    HEAT_KEYS      = 64,
    HEAT_SAMPLE    = 16,
    HEAT_HALF_MS   = 10000,
    HEAT_TABLE_MAX = 72, /* bytes kept of "database.table", and of a key */
    HEAT_KEY_MAX   = 48,
};

/* Texts are NUL-terminated where they are shorter. */
struct heat_key {
    uint64_t hash;
    uint64_t count, error; /* count 0: nothing is here */
    uint64_t key_len;      /* before it was cut */
    char     table[HEAT_TABLE_MAX];
    char     key[HEAT_KEY_MAX];
};

enum { HEAT_WORDS = sizeof(struct heat_key) / 8 };

struct heat_row {
    struct seqlock   lock;
    _Atomic uint64_t word[HEAT_WORDS]; /* a struct heat_key */
} __attribute__((aligned(64)));

struct slot_heat {
    _Atomic uint64_t samples; /* halved as well: the sum of all counts */
    struct heat_row  key[HEAT_KEYS];
    _Atomic uint32_t part[HEAT_PARTS];
};

static inline uint32_t
heat_part(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - HEAT_PART_BITS));
}

static inline void
heat_count(struct slot_heat *heat, uint64_t hash)
{
    _Atomic uint32_t *part = &heat->part[heat_part(hash)];

    atomic_store_explicit(part, atomic_load_explicit(part, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What the writer keeps for itself, so that looking for a key is one pass over 512 bytes. All
 * zeroes is empty. */
struct heat_sketch {
    uint64_t hash[HEAT_KEYS];
    uint32_t count[HEAT_KEYS], error[HEAT_KEYS];
    uint64_t samples, halved_ms;
};

/* The writer: begins anew; of a slot that was taken over nothing but the parts is kept. */
void heat_begin(struct heat_sketch *s, struct slot_heat *heat, uint64_t now_ms);

/* One more of this key. True: it is new here, and heat_name() has to tell what it is. */
bool heat_add(struct heat_sketch *s, struct slot_heat *heat, uint64_t hash, uint64_t now_ms,
              uint32_t *row);

/* What the key in `row` is. */
void heat_name(struct heat_sketch *s, struct slot_heat *heat, uint32_t row,
               struct span database, struct span table, struct span key);

/* A reader: false when the row is free or was being written. Anything may be in the texts. */
bool heat_read(const struct slot_heat *heat, uint32_t row, struct heat_key *out) must_check;

#endif
