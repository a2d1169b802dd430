/* scaler_look.c - the world as it is: measurements, the map, jobs, decisions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/monitor.h"
#include "ctl/scale/scaler_step.h"

enum { DAY_S = 86400 };

int64_t
scaler_now_s(void)
{
    return (int64_t)time(NULL);
}

/* --- wards ----------------------------------------------------------------------------- */

/* What was measured before: hours, then minutes, so that forecasts know the days. */
static void
learn_past(struct scaler *s, struct ward *w)
{
    static const struct { enum load_grain grain; int64_t seconds; } grains[] = {
        { LOAD_HOUR, 3600 }, { LOAD_MINUTE, 60 },
    };
    struct shard_load *all = mem_alloc(LOAD_HOURS_MAX * sizeof(*all));
    int64_t            from_ms = 0, step = (int64_t)s->s.forecast_step_s;

    if (!s->c->monitor) {
        free(all);
        return;
    }
    for (size_t g = 0; g < countof(grains); g++) {
        size_t n = load_history(monitor_load(s->c->monitor), w->id, grains[g].grain, from_ms,
                                all, LOAD_HOURS_MAX);

        for (size_t i = 0; i < n; i++) {
            int64_t end_s = all[i].at_ms / 1000, at = end_s - grains[g].seconds;

            for (; at < end_s; at += step < grains[g].seconds ? step : grains[g].seconds)
                watch_learn(&w->watch, &s->s, at, all[i].statements_per_s,
                            shard_load_disk(&all[i]));
        }
        if (n > 0)
            from_ms = all[n - 1].at_ms + 1;
    }
    free(all);
}

struct ward *
scaler_ward(struct scaler *s, uint32_t id)
{
    struct ward *w;

    for (size_t i = 0; i < s->n_wards; i++)
        if (s->ward[i].id == id)
            return &s->ward[i];
    if (s->n_wards == s->room) {
        s->room = s->room ? 2 * s->room : 16;
        s->ward = mem_resize(s->ward, s->room * sizeof(*s->ward));
    }
    w  = &s->ward[s->n_wards++];
    *w = (struct ward){ .id = id, .known = true, .share = -1 };
    shard_load_init(&w->last, id, "");
    w->last.at_ms = scaler_now_s() * 1000; /* not of before we looked */
    watch_init(&w->watch, &s->s);
    learn_past(s, w);
    return w;
}

void
scaler_forget_wards(struct scaler *s)
{
    for (size_t i = 0; i < s->n_wards; i++)
        watch_fini(&s->ward[i].watch);
    s->n_wards = 0;
}

static void
values_of(const struct shard_load *m, double value[METRICS_N])
{
    value[METRIC_STATEMENTS]  = m->statements_per_s;
    value[METRIC_CPU]         = m->cpu;
    value[METRIC_MEMORY]      = m->memory;
    value[METRIC_STORAGE]     = shard_load_disk(m);
    value[METRIC_CONNECTIONS] = isnan(m->threads_connected) ? m->connections
                                                            : m->threads_connected;
    value[METRIC_LATENCY]     = m->latency_p95_us / 1e6;
}

void
scaler_measure(struct scaler *s)
{
    struct shard_load *all;
    size_t             n;

    if (!s->c->monitor)
        return;
    all = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*all));
    n   = load_latest(monitor_load(s->c->monitor), all, ROUTES_SHARDS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct ward *w = scaler_ward(s, all[i].id);
        double       value[METRICS_N];

        if (all[i].at_ms <= w->last.at_ms)
            continue;
        w->last = all[i];
        values_of(&all[i], value);
        watch_add(&w->watch, &s->s, &s->rules, all[i].at_ms / 1000, value);
    }
    free(all);
}

/* Shards that are no more. */
static void
sweep(struct scaler *s, const json_t *shards)
{
    const char *key;
    json_t     *shard;

    for (size_t i = 0; i < s->n_wards; i++)
        s->ward[i].known = false;
    json_object_foreach((json_t *)(uintptr_t)shards, key, shard)
        scaler_ward(s, (uint32_t)model_number(shard, "id"))->known = true;
    for (size_t i = 0; i < s->n_wards;) {
        if (s->ward[i].known) {
            i++;
            continue;
        }
        watch_fini(&s->ward[i].watch);
        s->ward[i] = s->ward[--s->n_wards];
    }
}

/* --- the map --------------------------------------------------------------------------- */

static uint64_t
start_at(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(json_array_get(list, i), 0));

    return strtoull(text ? text : "", NULL, 16);
}

static uint32_t
owner_at(const json_t *list, size_t i)
{
    return (uint32_t)json_integer_value(json_array_get(json_array_get(list, i), 1));
}

static size_t
index_of(const struct policy_world *w, uint32_t id)
{
    size_t i = 0;

    while (i < w->n && w->shard[i].id != id)
        i++;
    return i;
}

/* Ranges, shares of the key space, and who has most borders with whom. */
static void
read_map(const json_t *map, struct policy_world *w, double *share)
{
    const json_t *list    = json_object_get(map, "ranges");
    size_t        n       = json_array_size(list);
    unsigned     *borders = mem_alloc(w->n * w->n * sizeof(*borders) + 1), *most;
    size_t        before  = w->n;

    most = mem_alloc(w->n * sizeof(*most) + 1);
    for (size_t i = 0; i < n; i++) {
        size_t   k   = index_of(w, owner_at(list, i));
        uint64_t end = i + 1 < n ? start_at(list, i + 1) : UINT64_MAX;

        if (k == w->n)
            continue;
        w->shard[k].ranges++;
        share[k] += (double)(end - start_at(list, i)) / 18446744073709551616.0;
        if (before < w->n && before != k)
            borders[k * w->n + before] = ++borders[before * w->n + k];
        before = k;
    }
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->n; k++)
            if (borders[i * w->n + k] > most[i]) {
                most[i]            = borders[i * w->n + k];
                w->shard[i].beside = w->shard[k].id;
            }
    free(borders);
    free(most);
}

/* Of a split that is under way: the shard that gives; 0: there is none. */
static uint32_t
giver(struct scaler *s, const struct scaler_look *look)
{
    const json_t *d;
    size_t        i;

    json_array_foreach(look->decisions, i, d)
        if (model_number(d, "number") == s->current &&
            strcmp(model_text(d, "action"), "split") == 0)
            for (size_t k = 0; k < look->world.n; k++)
                if (strcmp(look->world.shard[k].name, model_text(d, "shard")) == 0)
                    return look->world.shard[k].id;
    return 0;
}

/* What a shard was about has changed with its share of the keys. */
static void
notice_moves(struct scaler *s, const struct scaler_look *look, const double *share)
{
    const struct policy_world *w    = &look->world;
    uint32_t                   from = giver(s, look);
    double                     part = 1 / s->s.into;

    for (size_t i = 0; i < w->n; i++) {
        struct ward *ward = scaler_ward(s, w->shard[i].id);

        if (ward->share < 0 || ward->share >= share[i] - 1e-12)
            continue;
        if (from > 0 && ward->share <= 0)
            watch_split(&ward->watch, &scaler_ward(s, from)->watch, &s->s, part);
        else
            watch_moved(&ward->watch, &s->s, 0);
    }
    for (size_t i = 0; i < w->n; i++) {
        struct ward *ward = scaler_ward(s, w->shard[i].id);

        if (ward->share > share[i] + 1e-12)
            watch_moved(&ward->watch, &s->s,
                        ward->id == from ? part : share[i] / ward->share);
        ward->share = share[i];
    }
}

/* --- jobs and decisions ---------------------------------------------------------------- */

static int64_t
seconds_of(const json_t *object, const char *key)
{
    return (int64_t)json_number_value(json_object_get(object, key));
}

static void
mark(struct policy_world *w, const json_t *id, bool open, int64_t ended_s)
{
    size_t i = index_of(w, (uint32_t)json_integer_value(id));

    if (i == w->n)
        return;
    w->shard[i].moving = w->shard[i].moving || open;
    if (ended_s > w->shard[i].moved_s)
        w->shard[i].moved_s = ended_s;
}

/* Who takes part in a move, or did. Failed ones count as well: the next try is to rest too. */
static void
read_jobs(struct scaler_look *look)
{
    struct policy_world *w = &look->world;
    json_t              *job, *piece;
    size_t               i, k;

    json_array_foreach(look->jobs, i, job) {
        bool open = job_is_open(job);

        if (strcmp(model_text(job, "state"), "stuck") == 0)
            for (k = 0; k < w->n; k++)
                snprintf(w->shard[k].sick, sizeof(w->shard[k].sick), "job %lld is stuck: see "
                         "'shardctl job show %lld'", (long long)model_number(job, "number"),
                         (long long)model_number(job, "number"));
        if (strcmp(model_text(job, "kind"), "move") != 0)
            continue;
        if (open) {
            w->moves++;
            look->open_move = model_number(job, "number");
            snprintf(w->moving, sizeof(w->moving), "job %lld (%.60s)",
                     (long long)look->open_move, model_text(job, "what"));
        }
        json_array_foreach(json_object_get(json_object_get(job, "move"), "pieces"), k, piece) {
            mark(w, json_object_get(piece, "from"), open, open ? 0 : seconds_of(job, "ended"));
            mark(w, json_object_get(piece, "to"), open, open ? 0 : seconds_of(job, "ended"));
        }
    }
}

/* What failed rests like what has moved. */
static void
rest(struct policy_world *w, const json_t *decision)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->shard[i].name, model_text(decision, "shard")) == 0 &&
            model_number(decision, "ended_s") > w->shard[i].moved_s)
            w->shard[i].moved_s = model_number(decision, "ended_s");
}

/* Copies that differed are no accident: somebody must look, before anything else moves. */
static bool
differed(struct scaler *s, const json_t *decision)
{
    json_t       *job = job_find(s->c, model_number(decision, "job"));
    const json_t *v   = json_object_get(job, "verified");
    bool is = model_number(v, "missing") > 0 || model_number(v, "extra") > 0 ||
              model_number(v, "different") > 0;

    json_decref(job);
    return is;
}

static void
read_decisions(struct scaler *s, struct scaler_look *look)
{
    struct policy_world *w = &look->world;
    unsigned             failures = 0;
    bool                 counting = true;
    json_t              *d;
    size_t               i;

    json_array_foreach(look->decisions, i, d) { /* newest first */
        const char *state = model_text(d, "state");

        if (model_number(d, "job") > 0 && model_number(d, "at_s") > w->now_s - DAY_S) {
            w->moves_today++;
            w->merges_today += strcmp(model_text(d, "action"), "merge") == 0;
        }
        if (strcmp(state, "failed") == 0)
            rest(w, d);
        if (model_number(d, "at_s") <= s->resumed_s || strcmp(state, "done") == 0)
            counting = false;
        if (!counting || strcmp(state, "failed") != 0)
            continue;
        failures++;
        if (failures >= (unsigned)s->s.max_failures && !w->stopped[0])
            snprintf(w->stopped, sizeof(w->stopped), "%u failures in a row, the last one: %.140s",
                     failures, model_text(d, "error"));
        if (differed(s, d))
            snprintf(w->stopped, sizeof(w->stopped), "the copies of job %lld differed from their "
                     "sources: see 'shardctl job show %lld'", (long long)model_number(d, "job"),
                     (long long)model_number(d, "job"));
    }
}

/* --- shards ---------------------------------------------------------------------------- */

static void
read_shard(struct scaler *s, const json_t *shard, struct policy_shard *p)
{
    struct ward    *w = scaler_ward(s, (uint32_t)model_number(shard, "id"));
    struct load_key key;

    *p = (struct policy_shard){ .id = w->id, .beside = w->id, .bytes = w->last.bytes,
                                .disk_used = w->last.disk_used, .disk_free = w->last.disk_free,
                                .cpus = (double)model_number(shard, "milli_cpus") / 1000 };
    snprintf(p->name, sizeof(p->name), "%s", model_text(shard, "name"));
    watch_fill(&w->watch, &s->s, &s->rules, p);
    scaler_health(s, shard, &w->last, p);
    if (s->c->monitor && load_keys(monitor_load(s->c->monitor), w->id, &key, 1) > 0) {
        snprintf(p->key, sizeof(p->key), "%.126s %.66s", key.table, key.key);
        p->key_share = key.share;
    }
}

static void
read_homes(struct scaler *s, struct policy_world *w)
{
    json_t     *all = catalog_all(s->c->catalog, CATALOG_DATABASE), *database;
    const char *name;

    json_object_foreach(all, name, database) {
        size_t i = index_of(w, (uint32_t)model_number(database, "home"));

        if (i < w->n)
            w->shard[i].home = true;
    }
    json_decref(all);
}

static int
minute_of_day(int64_t now_s)
{
    time_t    t = (time_t)now_s;
    struct tm tm;

    localtime_r(&t, &tm);
    return 60 * tm.tm_hour + tm.tm_min;
}

void
scaler_look(struct scaler *s, struct scaler_look *out)
{
    struct policy_world *w = &out->world;
    const char          *key;
    json_t              *shard;
    double              *share;

    *out = (struct scaler_look){ .shards = catalog_all(s->c->catalog, CATALOG_SHARD),
                                 .map = catalog_get(s->c->catalog, CATALOG_RANGES, "map", NULL),
                                 .jobs = job_list(s->c, 0, false),
                                 .decisions = scaler_decisions(s->c, 0, 0) };
    w->now_s    = scaler_now_s();
    w->minute   = minute_of_day(w->now_s);
    w->n_shards = (unsigned)json_object_size(out->shards);
    w->shard    = mem_alloc((w->n_shards + 1) * sizeof(*w->shard));
    share       = mem_alloc((w->n_shards + 1) * sizeof(*share));
    sweep(s, out->shards);
    json_object_foreach(out->shards, key, shard)
        read_shard(s, shard, &w->shard[w->n++]);
    read_map(out->map, w, share);
    read_homes(s, w);
    notice_moves(s, out, share);
    read_jobs(out);
    read_decisions(s, out);
    for (size_t i = 0; i < w->n; i++)
        w->n_spare += w->shard[i].ranges == 0 && !w->shard[i].sick[0] && !w->shard[i].moving &&
                      !w->shard[i].home;
    free(share);
}

void
scaler_look_fini(struct scaler_look *look)
{
    json_decref(look->shards);
    json_decref(look->map);
    json_decref(look->jobs);
    json_decref(look->decisions);
    free(look->world.shard);
}
