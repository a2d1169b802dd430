/* load.c - see load.h. A minute is made from its raw measurements when one of the next
 * arrives, an hour from its minutes; averages are weighed by what they are averages over. */
#include "ctl/scale/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"

const struct load_field_info load_fields[LOAD_FIELDS_N] = {
#define LOAD_ROW(name, how, unit, help) [LOAD_##name] = { #name, unit, help, LOAD_##how },
    LOAD_FIELDS(LOAD_ROW)
#undef LOAD_ROW
};

/* A measurement without the name, in half the room: there may be a thousand shards. */
struct point {
    int64_t at_ms;
    float   seconds, value[LOAD_FIELDS_N];
};

/* The last ones, in a circle that grows up to its bound. */
struct ring {
    struct point *point;
    size_t        room, max, n, next;
};

/* What a minute or an hour under way has so far. */
struct sum {
    int64_t at_ms; /* of the last */
    double  seconds, value[LOAD_FIELDS_N], weight[LOAD_FIELDS_N];
};

struct shard {
    uint32_t             id;
    char                 name[64];
    struct ring          ring[LOAD_GRAINS_N];
    struct sum           sum[LOAD_GRAINS_N]; /* [LOAD_RAW] is not used */
    struct table_load   *tables;
    size_t               n_tables;
    struct replica_load *replicas;
    size_t               n_replicas;
};

struct load {
    pthread_mutex_t lock;
    struct shard   *shards; /* by id */
    size_t          n;
    float           heat[LOAD_PARTS];
    bool            has_heat;
    struct load_key keys[LOAD_KEYS_MAX];
    size_t          n_keys;
};

static const size_t  grain_max[LOAD_GRAINS_N] = { LOAD_RAW_MAX, LOAD_MINUTES_MAX,
                                                  LOAD_HOURS_MAX };
static const int64_t grain_ms[LOAD_GRAINS_N]  = { 1, 60000, 3600000 };

void
shard_load_init(struct shard_load *out, uint32_t id, const char *name)
{
    memset(out, 0, sizeof(*out));
    out->id = id;
    snprintf(out->name, sizeof(out->name), "%s", name);
    for (int i = 0; i < LOAD_FIELDS_N; i++)
        out->value[i] = NAN;
}

/* --- rings ------------------------------------------------------------------ */

static void
ring_add(struct ring *r, const struct shard_load *m)
{
    if (r->n == r->room && r->room < r->max) {
        size_t room = r->room ? r->room * 2 : 8;

        r->room  = room < r->max ? room : r->max;
        r->point = mem_resize(r->point, r->room * sizeof(*r->point));
        r->next  = r->n;
    }

    struct point *p = &r->point[r->next];
    p->at_ms   = m->at_ms;
    p->seconds = (float)m->seconds;
    for (int i = 0; i < LOAD_FIELDS_N; i++)
        p->value[i] = (float)m->value[i];
    r->next = (r->next + 1) % r->max;
    r->n += r->n < r->room;
}

/* The i-th, oldest first. */
static const struct point *
ring_at(const struct ring *r, size_t i)
{
    return &r->point[r->n < r->max ? i : (r->next + i) % r->max];
}

static void
unpack(const struct shard *s, const struct point *p, struct shard_load *out)
{
    shard_load_init(out, s->id, s->name);
    out->at_ms   = p->at_ms;
    out->seconds = (double)p->seconds;
    for (int i = 0; i < LOAD_FIELDS_N; i++)
        out->value[i] = (double)p->value[i];
}

/* --- sums --------------------------------------------------------------------- */

static void
sum_add(struct sum *s, const struct shard_load *m)
{
    s->at_ms = m->at_ms;
    s->seconds += m->seconds;
    for (int i = 0; i < LOAD_FIELDS_N; i++) {
        double value = m->value[i], weight = m->seconds > 0 ? m->seconds : 1;

        if (isnan(value))
            continue;
        if (load_fields[i].how == LOAD_MEAN)
            s->value[i] += value * weight;
        else if (load_fields[i].how == LOAD_LAST || !(s->weight[i] > 0) || value > s->value[i])
            s->value[i] = value;
        s->weight[i] += weight;
    }
}

static void
sum_take(const struct shard *of, struct sum *s, enum load_grain grain, struct shard_load *out)
{
    shard_load_init(out, of->id, of->name);
    out->at_ms   = ((s->at_ms - 1) / grain_ms[grain] + 1) * grain_ms[grain];
    out->seconds = s->seconds;
    for (int i = 0; i < LOAD_FIELDS_N; i++)
        if (s->weight[i] > 0)
            out->value[i] = load_fields[i].how == LOAD_MEAN ? s->value[i] / s->weight[i]
                                                            : s->value[i];
    memset(s, 0, sizeof(*s));
}

/* A point of the finer grain arrives; `out` is filled when it belongs to the next. */
static bool
sum_step(struct shard *s, enum load_grain grain, const struct shard_load *m,
         struct shard_load *out)
{
    struct sum *sum  = &s->sum[grain];
    bool        full = sum->at_ms != 0 &&
                (m->at_ms - 1) / grain_ms[grain] != (sum->at_ms - 1) / grain_ms[grain];

    if (full) {
        sum_take(s, sum, grain, out);
        ring_add(&s->ring[grain], out);
    }
    sum_add(sum, m);
    return full;
}

/* --- shards ------------------------------------------------------------------- */

/* Where it is, or is to be put. */
static size_t
place(const struct load *l, uint32_t id)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->shards[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct shard *
find(const struct load *l, uint32_t id)
{
    size_t at = place(l, id);

    return at < l->n && l->shards[at].id == id ? &l->shards[at] : NULL;
}

static struct shard *
find_or_add(struct load *l, uint32_t id, const char *name)
{
    size_t        at = place(l, id);
    struct shard *s;

    if (at == l->n || l->shards[at].id != id) {
        l->shards = mem_resize(l->shards, (l->n + 1) * sizeof(*l->shards));
        memmove(&l->shards[at + 1], &l->shards[at], (l->n - at) * sizeof(*l->shards));
        l->n++;
        l->shards[at] = (struct shard){ .id = id };
        for (int grain = 0; grain < LOAD_GRAINS_N; grain++)
            l->shards[at].ring[grain].max = grain_max[grain];
    }
    s = &l->shards[at];
    if (name[0])
        snprintf(s->name, sizeof(s->name), "%s", name);
    return s;
}

static void
drop(struct shard *s)
{
    for (int grain = 0; grain < LOAD_GRAINS_N; grain++)
        free(s->ring[grain].point);
    free(s->tables);
    free(s->replicas);
}

struct load *
load_new(void)
{
    struct load *l = mem_alloc(sizeof(*l));

    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void
load_free(struct load *l)
{
    for (size_t i = 0; i < l->n; i++)
        drop(&l->shards[i]);
    free(l->shards);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static int64_t
last_at(const struct ring *r)
{
    return r->n ? ring_at(r, r->n - 1)->at_ms : 0;
}

unsigned
load_put(struct load *l, const struct shard_load *m, struct shard_load *minute,
         struct shard_load *hour)
{
    struct shard_load made[LOAD_GRAINS_N];
    unsigned          full = 0;

    pthread_mutex_lock(&l->lock);
    struct shard *s = find_or_add(l, m->id, m->name);
    if (m->at_ms > last_at(&s->ring[LOAD_RAW])) {
        ring_add(&s->ring[LOAD_RAW], m);
        if (sum_step(s, LOAD_MINUTE, m, &made[LOAD_MINUTE]))
            full |= 1u << LOAD_MINUTE;
        if (full && sum_step(s, LOAD_HOUR, &made[LOAD_MINUTE], &made[LOAD_HOUR]))
            full |= 1u << LOAD_HOUR;
    }
    pthread_mutex_unlock(&l->lock);
    if (minute && (full & 1u << LOAD_MINUTE))
        *minute = made[LOAD_MINUTE];
    if (hour && (full & 1u << LOAD_HOUR))
        *hour = made[LOAD_HOUR];
    return full;
}

void
load_restore(struct load *l, enum load_grain grain, const struct shard_load *m)
{
    pthread_mutex_lock(&l->lock);
    struct shard *s = find_or_add(l, m->id, m->name);
    if (m->at_ms > last_at(&s->ring[grain]))
        ring_add(&s->ring[grain], m);
    pthread_mutex_unlock(&l->lock);
}

void
load_keep(struct load *l, const uint32_t *ids, size_t n)
{
    size_t kept = 0, k = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n; i++) {
        while (k < n && ids[k] < l->shards[i].id)
            k++;
        if (k < n && ids[k] == l->shards[i].id)
            l->shards[kept++] = l->shards[i];
        else
            drop(&l->shards[i]);
    }
    l->n = kept;
    pthread_mutex_unlock(&l->lock);
}

/* --- reading ------------------------------------------------------------------ */

static bool
latest(const struct shard *s, struct shard_load *out)
{
    const struct ring *r = &s->ring[LOAD_RAW];

    if (r->n == 0)
        return false;
    unpack(s, ring_at(r, r->n - 1), out);
    return true;
}

size_t
load_latest(struct load *l, struct shard_load *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n && l->shards[i].id < ROUTES_REPLICA_ID && n < max; i++)
        n += latest(&l->shards[i], &out[n]);
    pthread_mutex_unlock(&l->lock);
    return n;
}

bool
load_latest_of(struct load *l, uint32_t id, struct shard_load *out)
{
    pthread_mutex_lock(&l->lock);
    struct shard *s     = find(l, id);
    bool          found = s && latest(s, out);
    pthread_mutex_unlock(&l->lock);
    return found;
}

size_t
load_history(struct load *l, uint32_t id, enum load_grain grain, int64_t since_ms,
             struct shard_load *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    struct shard *s     = find(l, id);
    size_t        all   = s ? s->ring[grain].n : 0, first = all;
    while (first > 0 && all - first < max &&
           ring_at(&s->ring[grain], first - 1)->at_ms >= since_ms)
        first--;
    for (size_t i = first; i < all; i++)
        unpack(s, ring_at(&s->ring[grain], i), &out[n++]);
    pthread_mutex_unlock(&l->lock);
    return n;
}

size_t
load_tables(struct load *l, uint32_t id, struct table_load *out, size_t max)
{
    pthread_mutex_lock(&l->lock);
    struct shard *s = find(l, id);
    size_t        n = s ? s->n_tables : 0;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = s->tables[i];
    pthread_mutex_unlock(&l->lock);
    return n;
}

static int
by_bytes(const void *a, const void *b)
{
    const struct table_load *x = a, *y = b;

    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : strcmp(x->name, y->name);
}

void
load_put_tables(struct load *l, uint32_t id, const struct table_load *t, size_t n)
{
    struct table_load *copy = mem_alloc((n ? n : 1) * sizeof(*copy));

    if (n)
        memcpy(copy, t, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), by_bytes);
    pthread_mutex_lock(&l->lock);
    struct shard *s = find_or_add(l, id, "");
    free(s->tables);
    s->tables   = copy;
    s->n_tables = n;
    pthread_mutex_unlock(&l->lock);
}

size_t
load_replicas(struct load *l, uint32_t id, struct replica_load *out, size_t max)
{
    pthread_mutex_lock(&l->lock);
    struct shard *s = find(l, id);
    size_t        n = s ? s->n_replicas : 0;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = s->replicas[i];
    pthread_mutex_unlock(&l->lock);
    return n;
}

static int
by_replica_id(const void *a, const void *b)
{
    const struct replica_load *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

void
load_put_replicas(struct load *l, uint32_t id, const struct replica_load *r, size_t n)
{
    struct replica_load *copy = mem_alloc((n ? n : 1) * sizeof(*copy));

    if (n)
        memcpy(copy, r, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), by_replica_id);
    pthread_mutex_lock(&l->lock);
    struct shard *s = find_or_add(l, id, "");
    free(s->replicas);
    s->replicas   = copy;
    s->n_replicas = n;
    pthread_mutex_unlock(&l->lock);
}

bool
load_heat(struct load *l, float out[LOAD_PARTS])
{
    pthread_mutex_lock(&l->lock);
    bool has = l->has_heat;
    if (has)
        memcpy(out, l->heat, sizeof(l->heat));
    pthread_mutex_unlock(&l->lock);
    return has;
}

void
load_put_heat(struct load *l, const float heat[LOAD_PARTS])
{
    pthread_mutex_lock(&l->lock);
    memcpy(l->heat, heat, sizeof(l->heat));
    l->has_heat = true;
    pthread_mutex_unlock(&l->lock);
}

size_t
load_keys(struct load *l, uint32_t id, struct load_key *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_keys && n < max; i++)
        if (id == ROUTES_NONE || l->keys[i].shard == id)
            out[n++] = l->keys[i];
    pthread_mutex_unlock(&l->lock);
    return n;
}

static int
by_rate(const void *a, const void *b)
{
    const struct load_key *x = a, *y = b;

    return x->per_s < y->per_s ? 1 : x->per_s > y->per_s ? -1 : x->hash < y->hash ? -1
                                                                : x->hash > y->hash;
}

void
load_put_keys(struct load *l, const struct load_key *keys, size_t n)
{
    struct load_key *copy = mem_alloc((n ? n : 1) * sizeof(*copy));

    if (n)
        memcpy(copy, keys, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), by_rate);
    pthread_mutex_lock(&l->lock);
    l->n_keys = n < LOAD_KEYS_MAX ? n : LOAD_KEYS_MAX;
    memcpy(l->keys, copy, l->n_keys * sizeof(*copy));
    pthread_mutex_unlock(&l->lock);
    free(copy);
}
