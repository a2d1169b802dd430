/* ranges.c - see ranges.h. */
#include "core/route/ranges.h"

/* What is left over by rounding is not worth a cut: of a share. */
static const double sliver = 1e-9;

uint64_t
ranges_width(const struct ranges *r, uint32_t i)
{
    uint64_t end = i + 1 < r->n ? r->range[i + 1].start : UINT64_MAX;

    return end - r->range[i].start;
}

static double
weight_of(const struct ranges *r, const double *weight, uint32_t i)
{
    return weight ? weight[i] : (double)ranges_width(r, i);
}

static double
total_of(const struct ranges *r, const double *weight)
{
    double total = 0;

    for (uint32_t i = 0; i < r->n; i++)
        total += weight_of(r, weight, i);
    return total > 0 ? total : 1;
}

void
ranges_shares(const struct ranges *r, const double *weight, uint32_t n_shards, double *share)
{
    double total = total_of(r, weight);

    memset(share, 0, n_shards * sizeof(*share));
    for (uint32_t i = 0; i < r->n; i++)
        share[r->range[i].shard] += weight_of(r, weight, i) / total;
}

static bool
add(struct ranges *out, uint64_t start, uint32_t shard)
{
    if (out->n == RANGES_MAX)
        return false;
    out->range[out->n++] = (struct route_range){ .start = start, .shard = shard };
    return true;
}

/* Where a range is cut so that `part` of it lies in front: never at its ends. */
static uint64_t
cut_of(const struct ranges *r, uint32_t i, uint64_t from, double part)
{
    uint64_t end  = r->range[i].start + ranges_width(r, i);
    uint64_t wide = end - from;
    double   at   = (double)wide * part;
    uint64_t step = at >= (double)wide ? wide : (uint64_t)at;

    return step == 0 ? from + 1 : step >= wide ? end - 1 : from + step;
}

/* The next shard that still wants something; n: none. */
static uint32_t
wanting(const double *want, uint32_t n, uint32_t at)
{
    while (at < n && want[at] <= sliver)
        at++;
    return at;
}

/* Hands out what is over: `over` and `want` in shares of everything, both used up. A range goes
 * whole to one that wants at least as much; else it is cut. */
static bool
hand_out(const struct ranges *r, const double *weight, uint32_t n_shards, double *over,
         double *want, struct ranges *out)
{
    double   total = total_of(r, weight);
    uint32_t to    = wanting(want, n_shards, 0);

    out->n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t owner = r->range[i].shard;
        uint64_t from  = r->range[i].start;
        double   left  = weight_of(r, weight, i) / total;

        while (to < n_shards && over[owner] > sliver && left > 0) {
            double give = left < over[owner] ? left : over[owner];
            bool   all;

            give = give < want[to] ? give : want[to];
            all  = give >= left - sliver || ranges_width(r, i) - (from - r->range[i].start) < 2;
            if (!add(out, from, to))
                return false;
            over[owner] -= give;
            want[to] -= give;
            from = all ? from : cut_of(r, i, from, give / left);
            left = all ? 0 : left - give;
            to   = wanting(want, n_shards, to);
            if (all)
                break;
        }
        if ((left > 0 || from == r->range[i].start) &&
            !(out->n > 0 && out->range[out->n - 1].start == from) && !add(out, from, owner))
            return false;
    }
    ranges_join(out);
    return true;
}

bool
ranges_rebalance(const struct ranges *r, const double *weight, uint32_t n_shards,
                 const double *want, struct ranges *out)
{
    double share[ROUTES_SHARDS_MAX], over[ROUTES_SHARDS_MAX], lack[ROUTES_SHARDS_MAX];

    ranges_shares(r, weight, n_shards, share);
    for (uint32_t i = 0; i < n_shards; i++) {
        over[i] = share[i] > want[i] ? share[i] - want[i] : 0;
        lack[i] = want[i] > share[i] ? want[i] - share[i] : 0;
    }
    return hand_out(r, weight, n_shards, over, lack, out);
}

/* How high the takers' shares must be filled so that `more` is used up: those above stay. */
static double
fill_level(const double *share, const bool *take, uint32_t n_shards, double more)
{
    double low = 0, high = 2;

    for (int round = 0; round < 200; round++) {
        double level = (low + high) / 2, used = 0;

        for (uint32_t i = 0; i < n_shards; i++)
            used += take[i] && share[i] < level ? level - share[i] : 0;
        if (used < more)
            low = level;
        else
            high = level;
    }
    return high;
}

bool
ranges_empty(const struct ranges *r, const double *weight, uint32_t n_shards, const bool *leave,
             const bool *take, struct ranges *out)
{
    double   share[ROUTES_SHARDS_MAX], want[ROUTES_SHARDS_MAX], total = 0, more = 0, level;
    uint32_t to = 0;

    total = total_of(r, weight);
    ranges_shares(r, weight, n_shards, share);
    for (uint32_t i = 0; i < n_shards; i++)
        more += leave[i] ? share[i] : 0;
    level = fill_level(share, take, n_shards, more);
    for (uint32_t i = 0; i < n_shards; i++)
        want[i] = take[i] && share[i] < level ? level - share[i] : 0;
    out->n = 0;
    while (to < n_shards && !take[to])
        to++;
    /* The last one that takes also takes what rounding left. */
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t owner = r->range[i].shard;
        uint64_t from  = r->range[i].start;
        double   left  = weight_of(r, weight, i) / total;

        if (!leave[owner]) {
            if (!add(out, from, owner))
                return false;
            continue;
        }
        for (;;) {
            uint32_t next = wanting(want, n_shards, to);
            bool     last = next == n_shards;
            uint64_t end  = r->range[i].start + ranges_width(r, i);

            to = last ? to : next;
            if (!add(out, from, to))
                return false;
            if (last || want[to] >= left - sliver || end - from < 2) {
                want[to] -= left;
                break;
            }
            from = cut_of(r, i, from, want[to] / left);
            left -= want[to];
            want[to] = 0;
        }
    }
    ranges_join(out);
    return true;
}

bool
ranges_split(const struct ranges *r, const double *weight, uint32_t shard, const uint32_t *to,
             uint32_t n_to, struct ranges *out)
{
    double   all = 0, before = 0;
    uint32_t part = 0;

    for (uint32_t i = 0; i < r->n; i++)
        all += r->range[i].shard == shard ? weight_of(r, weight, i) : 0;
    out->n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t owner = r->range[i].shard;
        uint64_t from  = r->range[i].start;
        double   wide  = weight_of(r, weight, i), begin = before;

        if (!add(out, from, owner == shard && part > 0 ? to[part - 1] : owner))
            return false;
        if (owner != shard)
            continue;
        before += wide;
        while (part < n_to && all > 0) {
            double   edge = all * (part + 1) / (n_to + 1);
            uint64_t at;

            if (edge >= before - all * sliver || ranges_width(r, i) < 2) {
                part += edge <= before + all * sliver;
                break;
            }
            at = cut_of(r, i, r->range[i].start, (edge - begin) / wide);
            part++;
            if (at <= from) /* the part's edge is the range's own */
                out->range[out->n - 1].shard = to[part - 1];
            else if (!add(out, at, to[part - 1]))
                return false;
            from = at;
        }
    }
    ranges_join(out);
    return true;
}

bool
ranges_split_at(const struct ranges *r, uint32_t shard, const uint64_t *at, const uint32_t *to,
                uint32_t n_to, struct ranges *out)
{
    out->n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        uint64_t start = r->range[i].start, last = start + ranges_width(r, i);
        uint32_t owner = r->range[i].shard, part = 0;

        if (i + 1 < r->n)
            last--;
        while (part < n_to && at[part] <= start)
            part++;
        if (!add(out, start, owner == shard && part > 0 ? to[part - 1] : owner))
            return false;
        for (; owner == shard && part < n_to && at[part] <= last; part++)
            if (!add(out, at[part], to[part]))
                return false;
    }
    ranges_join(out);
    return true;
}

bool
ranges_give(const struct ranges *r, uint64_t first, uint64_t last, uint32_t to,
            struct ranges *out)
{
    out->n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        uint64_t start = r->range[i].start;
        uint64_t end   = i + 1 < r->n ? r->range[i + 1].start - 1 : UINT64_MAX;
        uint32_t owner = r->range[i].shard;

        if (end < first || start > last) {
            if (!add(out, start, owner))
                return false;
            continue;
        }
        if ((start < first && !add(out, start, owner)) ||
            !add(out, start < first ? first : start, to) ||
            (end > last && !add(out, last + 1, owner)))
            return false;
    }
    ranges_join(out);
    return true;
}

void
ranges_join(struct ranges *r)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < r->n; i++)
        if (kept == 0 || r->range[kept - 1].shard != r->range[i].shard)
            r->range[kept++] = r->range[i];
    r->n = kept;
}

bool
ranges_cut_like(const struct ranges *r, const struct ranges *other, struct ranges *out)
{
    uint32_t i = 0, k = 0;

    out->n = 0;
    while (i < r->n || k < other->n) {
        uint64_t mine   = i < r->n ? r->range[i].start : UINT64_MAX;
        uint64_t theirs = k < other->n ? other->range[k].start : UINT64_MAX;
        uint64_t start  = i == r->n ? theirs : k == other->n || mine <= theirs ? mine : theirs;

        i += i < r->n && mine == start;
        k += k < other->n && theirs == start;
        if (!add(out, start, r->range[i - 1].shard))
            return false;
    }
    return true;
}
