/* hot.c - see hot.h. A worker's keys tell shares of what it did lately (their counts are
 * halved all the time); how much that was is counted by the parts. */
#include "ctl/scale/hot.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"

#define NOW(word) atomic_load_explicit(&(word), memory_order_relaxed)

static_assert((int)LOAD_PARTS == (int)HEAT_PARTS &&
              (int)LOAD_PART_BITS == (int)HEAT_PART_BITS, "one key space");
static_assert((int)LOAD_KEY_MAX >= (int)HEAT_KEY_MAX, "a key's beginning");

/* A moving average forgets with this time. Keys seen less often are noise. */
enum { AVERAGE_S = 30, SEEN_MIN = 4 };

struct found {
    struct heat_key key;
    double          per_s, error;
};

struct hot {
    uint64_t      at_ms;                    /* of the last look; 0: there was none */
    uint64_t      total[SLOTS_WORKERS_MAX]; /* counted by each worker until then */
    uint32_t      part[HEAT_PARTS];         /* by all */
    float         heat[LOAD_PARTS];
    double        weight; /* of the average: near 1 once it has seen enough; 0: nothing yet */
    struct found *found;
    size_t        n_found;
};

struct hot *
hot_new(void)
{
    return mem_alloc(sizeof(struct hot));
}

void
hot_free(struct hot *h)
{
    free(h->found);
    free(h);
}

/* Adds a worker's parts to `sum`; returns how many statements they are. */
static uint64_t
add_parts(const struct slot_heat *heat, uint32_t sum[HEAT_PARTS])
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < HEAT_PARTS; i++) {
        uint32_t n = NOW(heat->part[i]);
        sum[i] += n;
        total += n;
    }
    return total;
}

/* Keys of several workers are one. */
static void
add_key(struct hot *h, const struct heat_key *key, double per_s, double error)
{
    for (size_t i = 0; i < h->n_found; i++)
        if (h->found[i].key.hash == key->hash) {
            h->found[i].per_s += per_s;
            h->found[i].error += error;
            return;
        }
    if (h->n_found % 64 == 0)
        h->found = mem_resize(h->found, (h->n_found + 64) * sizeof(*h->found));
    h->found[h->n_found++] = (struct found){ *key, per_s, error };
}

static void
add_keys(struct hot *h, const struct slot_heat *heat, double per_s)
{
    double samples = (double)NOW(heat->samples);

    for (uint32_t row = 0; row < HEAT_KEYS; row++) {
        struct heat_key key;

        if (!heat_read(heat, row, &key) || key.error > key.count ||
            key.count - key.error < SEEN_MIN || !(samples > 0))
            continue;
        add_key(h, &key, (double)(key.count - key.error) / samples * per_s,
                (double)key.error / samples * per_s);
    }
}

/* What the parts say of the time since the look before. */
static void
average(struct hot *h, const uint32_t now[HEAT_PARTS], double seconds)
{
    double keep = exp(-seconds / AVERAGE_S);

    for (uint32_t i = 0; i < HEAT_PARTS; i++) {
        double rate = (double)(uint32_t)(now[i] - h->part[i]) / seconds;
        h->heat[i]  = (float)((double)h->heat[i] * keep + rate * (1 - keep));
    }
    h->weight = h->weight * keep + (1 - keep);
}

/* Whether the counters are those of the last look, further on. */
static bool
goes_on(const struct hot *h, const uint64_t total[SLOTS_WORKERS_MAX])
{
    for (int i = 0; i < SLOTS_WORKERS_MAX; i++)
        if (total[i] < h->total[i])
            return false;
    return h->at_ms != 0;
}

void
hot_look(struct hot *h, const struct slots *slots)
{
    uint32_t *now = mem_alloc(HEAT_PARTS * sizeof(*now));
    uint64_t  total[SLOTS_WORKERS_MAX] = { 0 }, now_ms = slots_now_ms();
    double    seconds = (double)(now_ms - h->at_ms) / 1000;

    for (uint32_t i = 0; slots && i < slots->n_workers; i++)
        total[i] = add_parts(&slots_at(slots, i)->heat, now);
    if (slots && goes_on(h, total) && seconds > 0) {
        h->n_found = 0;
        for (uint32_t i = 0; i < slots->n_workers; i++)
            if (total[i] > h->total[i])
                add_keys(h, &slots_at(slots, i)->heat,
                         (double)(total[i] - h->total[i]) / seconds);
        average(h, now, seconds);
    }
    memcpy(h->part, now, sizeof(h->part));
    memcpy(h->total, total, sizeof(total));
    h->at_ms = slots ? now_ms : 0;
    free(now);
}

/* --- what of that is told ------------------------------------------------------ */

struct route_range *
hot_ranges(const json_t *map, uint32_t *n)
{
    json_t             *list = json_object_get(map, "ranges"), *pair;
    struct route_range *out  = mem_alloc((json_array_size(list) + 1) * sizeof(*out));
    size_t              i;

    *n = 0;
    json_array_foreach(list, i, pair) {
        const char *start = json_string_value(json_array_get(pair, 0));

        out[(*n)++] = (struct route_range){
            .start = start ? strtoull(start, NULL, 16) : 0,
            .shard = (uint32_t)json_integer_value(json_array_get(pair, 1)),
        };
    }
    return out;
}

static uint32_t
owner(const struct route_range *ranges, uint32_t n, uint64_t hash)
{
    uint32_t low = 0, high = n;

    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ranges[middle].start <= hash)
            low = middle;
        else
            high = middle;
    }
    return n ? ranges[low].shard : ROUTES_NONE;
}

/* Bytes that are no plain characters are shown in hexadecimal digits, all of them. */
static void
print_key(const struct heat_key *k, char *out, size_t room)
{
    size_t len   = strnlen(k->key, HEAT_KEY_MAX), at = 0;
    bool   plain = k->key_len == 0 || len > 0;

    if (k->key_len < HEAT_KEY_MAX)
        len = (size_t)k->key_len; /* it may have zeroes in it */
    for (size_t i = 0; i < len; i++)
        plain = plain && (unsigned char)k->key[i] >= ' ' && k->key[i] != 0x7f;
    size_t shown = plain ? len : len < 16 ? len : 16;
    for (size_t i = 0; i < shown; i++)
        at += (size_t)snprintf(out + at, room - at, plain ? "%c" : "%02x",
                               (unsigned char)k->key[i]);
    snprintf(out + at, room - at, "%s", shown < k->key_len ? "..." : "");
}

static double
shard_heat(const float *heat, const struct route_range *ranges, uint32_t n, uint32_t shard)
{
    double sum = 0;

    for (uint32_t i = 0; i < n; i++)
        if (ranges[i].shard == shard)
            sum += load_heat_of(heat, NULL, 0, ranges[i].start,
                                i + 1 < n ? ranges[i + 1].start - 1 : UINT64_MAX);
    return sum;
}

static void
tell_keys(struct hot *h, const float *heat, const struct route_range *ranges, uint32_t n,
          struct load *l)
{
    struct load_key *keys = mem_alloc((h->n_found + 1) * sizeof(*keys));
    double          *heats = mem_alloc((h->n_found + 1) * sizeof(*heats)); /* of their shards */

    for (size_t i = 0; i < h->n_found; i++) {
        const struct found *f = &h->found[i];
        struct load_key    *k = &keys[i];

        k->hash  = f->key.hash;
        k->shard = owner(ranges, n, k->hash);
        k->per_s = f->per_s;
        k->error = f->error;
        size_t same = 0;
        while (same < i && keys[same].shard != k->shard)
            same++;
        heats[i] = same < i ? heats[same] : shard_heat(heat, ranges, n, k->shard);
        k->share = fmin(1, k->per_s / fmax(heats[i], k->per_s));
        snprintf(k->table, sizeof(k->table), "%.*s",
                 (int)strnlen(f->key.table, HEAT_TABLE_MAX), f->key.table);
        print_key(&f->key, k->key, sizeof(k->key));
    }
    load_put_keys(l, keys, h->n_found);
    free(heats);
    free(keys);
}

void
hot_put(struct hot *h, const json_t *map, struct load *l)
{
    uint32_t            n;
    float              *heat;
    struct route_range *ranges;

    if (!(h->weight > 0))
        return;
    heat   = mem_alloc(LOAD_PARTS * sizeof(*heat));
    ranges = hot_ranges(map, &n);
    for (uint32_t i = 0; i < LOAD_PARTS; i++)
        heat[i] = (float)((double)h->heat[i] / h->weight);
    load_put_heat(l, heat);
    tell_keys(h, heat, ranges, n, l);
    free(ranges);
    free(heat);
}
