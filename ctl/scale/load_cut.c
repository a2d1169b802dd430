/* load_cut.c - where in the key space the heat is, and where to cut it. */
#include "ctl/scale/load.h"

/* The last hash of a part. */
static uint64_t
part_last(uint64_t part)
{
    return part << (64 - LOAD_PART_BITS) | (UINT64_MAX >> LOAD_PART_BITS);
}

static uint64_t
part_of(uint64_t hash)
{
    return hash >> (64 - LOAD_PART_BITS);
}

/* The heat of hot keys in [first, last]. */
static double
hot_in(const struct load_key *hot, size_t n_hot, uint64_t first, uint64_t last)
{
    double sum = 0;

    for (size_t i = 0; i < n_hot; i++)
        if (hot[i].hash >= first && hot[i].hash <= last)
            sum += hot[i].per_s;
    return sum;
}

/* [first, last] lies in one part: its hot keys count where they lie, the rest is even. */
static double
heat_inside(const float heat[LOAD_PARTS], const struct load_key *hot, size_t n_hot,
            uint64_t first, uint64_t last)
{
    uint64_t part  = part_of(first);
    double   all   = heat[part];
    double   hot_all = hot_in(hot, n_hot, part << (64 - LOAD_PART_BITS), part_last(part));
    double   scale = hot_all > all ? all / hot_all : 1; /* measured at other moments */
    double   width = ((double)(last - first) + 1) / ((double)(UINT64_MAX >> LOAD_PART_BITS) + 1);

    return hot_in(hot, n_hot, first, last) * scale + (all - hot_all * scale) * width;
}

double
load_heat_of(const float heat[LOAD_PARTS], const struct load_key *hot, size_t n_hot,
             uint64_t first, uint64_t last)
{
    uint64_t from = part_of(first), to = part_of(last);
    double   sum  = 0;

    if (!hot)
        n_hot = 0;
    if (from == to)
        return heat_inside(heat, hot, n_hot, first, last);
    for (uint64_t part = from + 1; part < to; part++)
        sum += heat[part];
    return sum + heat_inside(heat, hot, n_hot, first, part_last(from)) +
           heat_inside(heat, hot, n_hot, to << (64 - LOAD_PART_BITS), last);
}

static uint64_t
range_last(const struct route_range *ranges, uint32_t n, uint32_t i)
{
    return i + 1 < n ? ranges[i + 1].start - 1 : UINT64_MAX;
}

struct heat {
    const float           *parts;
    const struct load_key *hot;
    size_t                 n_hot;
};

static double
heat_between(const struct heat *h, uint64_t first, uint64_t last)
{
    return load_heat_of(h->parts, h->hot, h->n_hot, first, last);
}

/* The smallest hash of [first, last] up to which there is as much as `want`. */
static uint64_t
reach(const struct heat *h, uint64_t first, uint64_t last, double want)
{
    uint64_t low = first, high = last;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (heat_between(h, first, middle) >= want)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The heat of the shard below `at`. */
static double
heat_below(const struct heat *h, const struct route_range *ranges, uint32_t n, uint32_t shard,
           uint64_t at)
{
    double sum = 0;

    for (uint32_t i = 0; i < n && ranges[i].start < at; i++) {
        uint64_t last = range_last(ranges, n, i);

        if (ranges[i].shard == shard)
            sum += heat_between(h, ranges[i].start, last < at ? last : at - 1);
    }
    return sum;
}

/* Whether a cut there leaves keys of the shard on both sides. */
static bool
cuts(const struct route_range *ranges, uint32_t n, uint32_t shard, uint64_t at)
{
    bool before = false, after = false;

    for (uint32_t i = 0; i < n; i++) {
        if (ranges[i].shard != shard)
            continue;
        before = before || ranges[i].start < at;
        after  = after || range_last(ranges, n, i) >= at;
    }
    return before && after;
}

/* The range of the shard in which the heat passes `want`, and how much of that is left in it. */
static uint32_t
find(const struct heat *h, const struct route_range *ranges, uint32_t n, uint32_t shard,
     double *want)
{
    uint32_t last = n;

    for (uint32_t i = 0; i < n; i++) {
        if (ranges[i].shard != shard)
            continue;
        double has = heat_between(h, ranges[i].start, range_last(ranges, n, i));
        last = i;
        if (has > 0 && has >= *want)
            return i;
        *want -= has;
    }
    return last;
}

bool
load_cut(const float heat[LOAD_PARTS], const struct load_key *hot, size_t n_hot,
         const struct route_range *ranges, uint32_t n_ranges, uint32_t shard, double share,
         uint64_t *at, double *got)
{
    const struct heat h     = { heat, hot, n_hot };
    double            total = 0, want, best = INFINITY;
    bool              found = false;

    for (uint32_t i = 0; i < n_ranges; i++)
        if (ranges[i].shard == shard)
            total += heat_between(&h, ranges[i].start, range_last(ranges, n_ranges, i));
    if (!(total > 0))
        return false;

    want = share * total;
    uint32_t i = find(&h, ranges, n_ranges, shard, &want);
    uint64_t x = reach(&h, ranges[i].start, range_last(ranges, n_ranges, i), want);

    /* Before the key that passes it, or behind. */
    for (uint64_t side = 0; side <= 1 && x <= UINT64_MAX - side; side++) {
        if (!cuts(ranges, n_ranges, shard, x + side))
            continue;
        double has = heat_below(&h, ranges, n_ranges, shard, x + side) / total;
        if (fabs(has - share) >= best)
            continue;
        best  = fabs(has - share);
        found = true;
        *at   = x + side;
        *got  = has;
    }
    return found;
}
