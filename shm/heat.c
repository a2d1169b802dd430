/* heat.c - see heat.h. */
#include "shm/heat.h"

enum { WORD_COUNT = 1 }; /* of a struct heat_key: count, error */

static void
put(struct slot_heat *heat, uint32_t row, const struct heat_key *k)
{
    uint64_t words[HEAT_WORDS];

    memcpy(words, k, sizeof(words));
    seqlock_write(&heat->key[row].lock, heat->key[row].word, words, HEAT_WORDS);
}

static void
put_count(const struct heat_sketch *s, struct slot_heat *heat, uint32_t row)
{
    const uint64_t words[] = { s->count[row], s->error[row] };

    seqlock_write(&heat->key[row].lock, heat->key[row].word + WORD_COUNT, words, countof(words));
    atomic_store_explicit(&heat->samples, s->samples, memory_order_relaxed);
}

void
heat_begin(struct heat_sketch *s, struct slot_heat *heat, uint64_t now_ms)
{
    static const struct heat_key none;

    *s = (struct heat_sketch){ .halved_ms = now_ms };
    for (uint32_t row = 0; row < HEAT_KEYS; row++) {
        /* Who was killed may have left it odd. */
        _Atomic uint64_t *count = &heat->key[row].lock.count;
        uint64_t          was   = atomic_load_explicit(count, memory_order_relaxed);

        atomic_store_explicit(count, (was | 1) + 1, memory_order_release);
        put(heat, row, &none);
    }
    atomic_store_explicit(&heat->samples, 0, memory_order_relaxed);
}

static void
halve(struct heat_sketch *s, struct slot_heat *heat, uint64_t now_ms)
{
    s->samples /= 2;
    for (uint32_t row = 0; row < HEAT_KEYS; row++) {
        s->count[row] /= 2;
        s->error[row] /= 2;
        put_count(s, heat, row);
    }
    s->halved_ms = now_ms;
}

static uint32_t
rarest(const struct heat_sketch *s)
{
    uint32_t row = 0;

    for (uint32_t i = 1; i < HEAT_KEYS; i++)
        if (s->count[i] < s->count[row])
            row = i;
    return row;
}

static uint32_t
find(const struct heat_sketch *s, uint64_t hash)
{
    for (uint32_t i = 0; i < HEAT_KEYS; i++)
        if (s->hash[i] == hash && s->count[i] != 0)
            return i;
    return HEAT_KEYS;
}

bool
heat_add(struct heat_sketch *s, struct slot_heat *heat, uint64_t hash, uint64_t now_ms,
         uint32_t *row)
{
    if (now_ms - s->halved_ms >= HEAT_HALF_MS)
        halve(s, heat, now_ms);
    s->samples++;

    uint32_t at   = find(s, hash);
    bool     is_new = at == HEAT_KEYS;
    if (is_new) {
        at           = rarest(s);
        s->hash[at]  = hash;
        s->error[at] = s->count[at];
    }
    s->count[at]++;
    if (!is_new)
        put_count(s, heat, at);
    *row = at;
    return is_new;
}

/* At a character of UTF-8 where it has to be cut. */
static void
cut(char *to, size_t room, struct span text)
{
    size_t n = text.len < room ? text.len : room;

    while (n < text.len && n > 0 && (text.ptr[n] & 0xc0) == 0x80)
        n--;
    memcpy(to, text.ptr, n);
}

void
heat_name(struct heat_sketch *s, struct slot_heat *heat, uint32_t row, struct span database,
          struct span table, struct span key)
{
    struct heat_key k = { .hash = s->hash[row], .count = s->count[row], .error = s->error[row],
                          .key_len = key.len };
    size_t          n = database.len < HEAT_TABLE_MAX / 2 ? database.len : HEAT_TABLE_MAX / 2;

    cut(k.table, n, database);
    k.table[n] = '.';
    cut(k.table + n + 1, HEAT_TABLE_MAX - n - 1, table);
    cut(k.key, HEAT_KEY_MAX, key);
    put(heat, row, &k);
    atomic_store_explicit(&heat->samples, s->samples, memory_order_relaxed);
}

bool
heat_read(const struct slot_heat *heat, uint32_t row, struct heat_key *out)
{
    uint64_t words[HEAT_WORDS];

    for (int tries = 0; tries < 3; tries++) {
        if (!seqlock_read(&heat->key[row].lock, heat->key[row].word, words, HEAT_WORDS))
            continue;
        memcpy(out, words, sizeof(*out));
        return out->count != 0;
    }
    return false;
}
