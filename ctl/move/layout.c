/* layout.c - see layout.h. Shards are indexes here, as in core/route/ranges.h. */
#include "ctl/move/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/move/layout_step.h"

const char *
layout_text(const json_t *request, const char *key, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(request, key), i));

    return text ? text : "";
}

static size_t
part_count(const json_t *request, const char *key)
{
    return json_array_size(json_object_get(request, key));
}

/* --- what there is ------------------------------------------------------------- */

static struct ranges
room(void)
{
    return (struct ranges){ .range = mem_alloc(RANGES_MAX * sizeof(struct route_range)) };
}

bool
layout_refuse(struct planner *p, const char *fmt, ...)
{
    char    text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return sql_error_set(p->error, SQL_UNKNOWN_ERROR, "shardd: %s", text);
}

static bool
index_of(const struct planner *p, int64_t id, uint32_t *out)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->id[i] == id) {
            *out = i;
            return true;
        }
    return false;
}

static bool
find(struct planner *p, const char *name, uint32_t *out)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (strcmp(p->name[i], name) == 0) {
            *out = i;
            return true;
        }
    return layout_refuse(p, "there is no shard '%s'; see 'shardctl shard list'", name);
}

/* The i-th of the shards under `key`, different from all before it. */
static bool
find_each(struct planner *p, const char *key, uint32_t *out, size_t *n)
{
    *n = part_count(p->request, key);
    if (*n > ROUTES_SHARDS_MAX)
        return layout_refuse(p, "these are more shards than can be");
    for (size_t i = 0; i < *n; i++) {
        if (!find(p, layout_text(p->request, key, i), &out[i]))
            return false;
        for (size_t k = 0; k < i; k++)
            if (out[k] == out[i])
                return layout_refuse(p, "shard %s is named twice", p->name[out[i]]);
    }
    return true;
}

static void
add_shard(struct planner *p, int64_t id, const char *name, bool up)
{
    p->id[p->n] = id;
    p->up[p->n] = up;
    snprintf(p->name[p->n++], sizeof(p->name[0]), "%s", name);
}

static bool
read_map(struct planner *p)
{
    json_t *map  = catalog_get(p->c->catalog, CATALOG_RANGES, "map", NULL);
    json_t *list = json_object_get(map, "ranges"), *pair;
    bool    ok   = json_array_size(list) > 0 && json_array_size(list) <= RANGES_MAX;
    size_t  i;

    json_array_foreach(list, i, pair) {
        const char *start = json_string_value(json_array_get(pair, 0));
        uint32_t    shard = 0;

        ok = ok && start && index_of(p, json_integer_value(json_array_get(pair, 1)), &shard);
        if (!ok)
            break;
        p->before.range[p->before.n++] =
            (struct route_range){ .start = strtoull(start, NULL, 16), .shard = shard };
    }
    json_decref(map);
    return ok || layout_refuse(p, "the catalog has no ranges yet; make a shard first: 'shardctl "
                               "shard add'");
}

static bool
planner_init(struct planner *p)
{
    const char *key;
    json_t     *shard;

    p->shards = catalog_all(p->c->catalog, CATALOG_SHARD);
    json_object_foreach(p->shards, key, shard)
        if (p->n < ROUTES_SHARDS_MAX)
            add_shard(p, model_number(shard, "id"), model_text(shard, "name"),
                      strcmp(model_text(shard, "state"), "draining") != 0);
    p->before     = room();
    p->after      = room();
    p->cut_before = room();
    p->cut_after  = room();
    if (!read_map(p))
        return false;
    ranges_shares(&p->before, NULL, p->n, p->share);
    return true;
}

static void
planner_fini(struct planner *p)
{
    json_decref(p->shards);
    free(p->before.range);
    free(p->after.range);
    free(p->cut_before.range);
    free(p->cut_after.range);
    free(p->weight);
    json_decref(p->homes);
}

/* --- how much there is ---------------------------------------------------------- */

/* Rows and bytes of all sharded tables on one shard, as its server estimates them. */
static bool
measure(struct planner *p, uint32_t i, const json_t *tables)
{
    struct server s = { .mysql = NULL };
    char          id[24];
    json_t       *rows = NULL, *row;
    size_t        k;

    snprintf(id, sizeof(id), "%lld", (long long)p->id[i]);
    if (server_open(&s, json_object_get(p->shards, id), p->error))
        rows = server_rows(&s, p->error, "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS,"
                           " DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES"
                           " WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql',"
                           " 'sys', 'information_schema', 'performance_schema', 'shardd',"
                           " 'shardd_move')");
    server_close(&s);
    json_array_foreach(rows, k, row) {
        char         *name  = catalog_table_name(server_cell(row, 0), server_cell(row, 1));
        const json_t *table = json_object_get(tables, name);

        free(name);
        if (!table || strcmp(model_text(table, "kind"), "sharded") != 0)
            continue;
        p->rows[i] += strtod(server_cell(row, 2), NULL);
        p->bytes[i] += strtod(server_cell(row, 3), NULL);
    }
    json_decref(rows);
    return rows != NULL;
}

/* All of them, or only those that lose ranges: there may be a thousand others. */
static bool
measure_all(struct planner *p, bool only_sources)
{
    json_t *tables = catalog_all(p->c->catalog, CATALOG_TABLE);
    bool    wanted[ROUTES_SHARDS_MAX] = { false }, ok = true;

    for (uint32_t i = 0; i < p->cut_before.n; i++)
        if (p->cut_before.range[i].shard != p->cut_after.range[i].shard)
            wanted[p->cut_before.range[i].shard] = true;
    for (uint32_t i = 0; ok && i < p->n; i++)
        if ((!only_sources || wanted[i]) && i + p->n_new < p->n)
            ok = measure(p, i, tables);
    json_decref(tables);
    return ok;
}

/* Whether ranges weigh what is on them: then all shards are asked before anything is planned. */
static bool
is_weighed(const struct planner *p)
{
    const char *by = model_text(p->request, "by");

    return by[0] && strcmp(by, "keys") != 0;
}

/* Ranges without load are worth a little by their width, so that they are dealt out as well. */
static bool
weigh_by_load(struct planner *p)
{
    const json_t *weights = json_object_get(p->request, "weights");
    double        all     = 0;

    p->weight = mem_alloc(RANGES_MAX * sizeof(*p->weight));
    for (uint32_t i = 0; i < p->before.n; i++) {
        char start[17];

        snprintf(start, sizeof(start), "%016llx", (unsigned long long)p->before.range[i].start);
        p->weight[i] = json_number_value(json_object_get(weights, start));
        all += p->weight[i];
    }
    for (uint32_t i = 0; i < p->before.n; i++)
        p->weight[i] += all / 1000 * (double)ranges_width(&p->before, i) /
                        18446744073709551616.0;
    return all > 0 || layout_refuse(p, "no statement with a key of a sharded table has come "
                                    "lately; say another thing to even out by");
}

/* Rows lie evenly in what a shard owns: its range's part of them goes by width. */
static bool
weigh(struct planner *p)
{
    const char   *by  = model_text(p->request, "by");
    const double *all = strcmp(by, "rows") == 0 ? p->rows : p->bytes;

    if (!is_weighed(p))
        return true;
    if (strcmp(by, "load") == 0)
        return weigh_by_load(p);
    if (strcmp(by, "rows") != 0 && strcmp(by, "bytes") != 0)
        return layout_refuse(p, "'%s' is nothing to even out by: it is one of keys, rows, bytes, "
                             "load", by);
    p->weight = mem_alloc(RANGES_MAX * sizeof(*p->weight));
    for (uint32_t i = 0; i < p->before.n; i++) {
        uint32_t owner = p->before.range[i].shard;
        double   part  = (double)ranges_width(&p->before, i) / 18446744073709551616.0;

        /* What has no rows yet is worth a little, so that it is dealt out as well. */
        p->weight[i] = (all[owner] + 1) * part / (p->share[owner] > 0 ? p->share[owner] : 1);
    }
    return true;
}

/* --- the verbs ------------------------------------------------------------------ */

#define TOO_MANY "that needs more than 65536 ranges; merge or rebalance first"

/* Targets of a split that are not there yet. */
static bool
make_new(struct planner *p, size_t n, uint32_t *to, size_t *n_to)
{
    json_t *meta = catalog_get(p->c->catalog, CATALOG_META, "cluster", NULL);
    int64_t next = model_number(meta, "next_shard");

    json_decref(meta);
    if (p->n + n > ROUTES_SHARDS_MAX)
        return layout_refuse(p, "there can be 1024 shards, no more");
    for (size_t i = 0; i < n; i++, next++) {
        char name[32];

        snprintf(name, sizeof(name), "shard-%lld", (long long)next);
        to[(*n_to)++] = p->n;
        add_shard(p, next, name, true);
        p->n_new++;
    }
    return true;
}

/* "4000000000000000"; "0x" in front is fine. */
static bool
read_key(const char *text, size_t len, uint64_t *out)
{
    char  digits[24], *end;

    if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        len -= 2;
    }
    if (len == 0 || len > 16 || strspn(text, "0123456789abcdefABCDEF") < len)
        return false;
    snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
    *out = strtoull(digits, &end, 16);
    return *end == '\0';
}

static bool
read_cuts(struct planner *p, uint64_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = layout_text(p->request, "at", i);

        if (!read_key(text, strlen(text), &at[i]))
            return layout_refuse(p, "'%s' is no position in the key space: up to 16 hexadecimal "
                                 "digits, as 'shardctl range list' has them", text);
        if (i > 0 && at[i] <= at[i - 1])
            return layout_refuse(p, "the positions to cut at must ascend, %s does not", text);
    }
    return true;
}

static bool
plan_split(struct planner *p)
{
    uint32_t one[ROUTES_SHARDS_MAX], to[ROUTES_SHARDS_MAX];
    uint64_t at[ROUTES_SHARDS_MAX];
    size_t   n = 0, n_to = 0, n_at = part_count(p->request, "at");
    int64_t  into = model_number(p->request, "into");

    if (!find_each(p, "shards", one, &n) || !find_each(p, "to", to, &n_to))
        return false;
    if (n != 1)
        return layout_refuse(p, "say which one shard to split");
    if (into == 0)
        into = (int64_t)(n_to > 0 ? n_to + 1 : n_at > 0 ? n_at + 1 : 2);
    if (into < 2 || into > ROUTES_SHARDS_MAX)
        return layout_refuse(p, "a shard is split into 2 to 1024 parts");
    if (n_at > 0 && n_at != (size_t)into - 1)
        return layout_refuse(p, "there is one position to cut at less than there are parts");
    if (n_to > (size_t)into - 1)
        return layout_refuse(p, "more shards are named than parts are made; the first part stays "
                      "where it is");
    for (size_t i = 0; i < n_to; i++)
        if (to[i] == one[0])
            return layout_refuse(p, "%s cannot be split into itself", p->name[one[0]]);
    if (!read_cuts(p, at, n_at) || !make_new(p, (size_t)into - 1 - n_to, to, &n_to))
        return false;
    if (n_at > 0)
        return ranges_split_at(&p->before, one[0], at, to, (uint32_t)n_to, &p->after) ||
               layout_refuse(p, TOO_MANY);
    return ranges_split(&p->before, p->weight, one[0], to, (uint32_t)n_to, &p->after) ||
           layout_refuse(p, TOO_MANY);
}

static bool
plan_merge(struct planner *p)
{
    uint32_t named[ROUTES_SHARDS_MAX], to[ROUTES_SHARDS_MAX];
    bool     leave[ROUTES_SHARDS_MAX] = { false }, take[ROUTES_SHARDS_MAX] = { false };
    size_t   n = 0, n_to = 0;

    if (!find_each(p, "shards", named, &n) || !find_each(p, "to", to, &n_to))
        return false;
    if (n_to > 1 || n + n_to < 2)
        return layout_refuse(p, "say two shards or more; the rows of all go to the first, or to "
                      "the one that --to names");
    for (size_t i = 0; i < n; i++)
        leave[named[i]] = true;
    uint32_t stays = n_to > 0 ? to[0] : named[0];
    leave[stays]   = false;
    take[stays]    = true;
    return ranges_empty(&p->before, p->weight, p->n, leave, take, &p->after) ||
           layout_refuse(p, TOO_MANY);
}

/* "START-LAST", or the START of a range that there is. */
static bool
read_range(struct planner *p, const char *text, uint64_t *first, uint64_t *last)
{
    const char *dash = strchr(text, '-');

    if (dash)
        return (read_key(text, (size_t)(dash - text), first) &&
                read_key(dash + 1, strlen(dash + 1), last) && *first <= *last) ||
               layout_refuse(p, "'%s' is no range: it is FIRST-LAST, hexadecimal digits as "
                             "'shardctl range list' has them", text);
    if (!read_key(text, strlen(text), first))
        return layout_refuse(p, "'%s' is no range: see 'shardctl range list'", text);
    for (uint32_t i = 0; i < p->before.n; i++)
        if (p->before.range[i].start == *first) {
            *last = i + 1 < p->before.n ? p->before.range[i + 1].start - 1 : UINT64_MAX;
            return true;
        }
    return layout_refuse(p, "no range begins at %s; see 'shardctl range list', or say FIRST-LAST",
                         text);
}

static bool
plan_move(struct planner *p)
{
    struct ranges at = room(), next = room(), swap;
    uint32_t      to[ROUTES_SHARDS_MAX];
    size_t        n = part_count(p->request, "ranges"), n_to = 0;
    bool          ok = find_each(p, "to", to, &n_to) &&
              ((n_to == 1 && n > 0) ||
               layout_refuse(p, "say which ranges, and with --to one shard for them"));

    memcpy(at.range, p->before.range, p->before.n * sizeof(*at.range));
    at.n = p->before.n;
    for (size_t i = 0; ok && i < n; i++) {
        uint64_t first = 0, last = 0;

        ok = read_range(p, layout_text(p->request, "ranges", i), &first, &last) &&
             (ranges_give(&at, first, last, to[0], &next) || layout_refuse(p, TOO_MANY));
        swap = at;
        at   = next;
        next = swap;
    }
    free(p->after.range);
    p->after = at;
    free(next.range);
    return ok;
}

static bool
plan_rebalance(struct planner *p)
{
    uint32_t named[ROUTES_SHARDS_MAX];
    double   want[ROUTES_SHARDS_MAX] = { 0 }, have[ROUTES_SHARDS_MAX], all = 0;
    size_t   n = 0;
    uint32_t taking = 0;

    if (!find_each(p, "shards", named, &n))
        return false;
    ranges_shares(&p->before, p->weight, p->n, have);
    for (uint32_t i = 0; i < p->n; i++) {
        bool takes = n == 0 && p->up[i];

        for (size_t k = 0; k < n; k++)
            takes = takes || named[k] == i;
        want[i] = takes ? -1 : n > 0 ? have[i] : 0;
        all += takes || n == 0 ? have[i] : 0;
        taking += takes;
    }
    if (taking == 0)
        return layout_refuse(p, "no shard is up that could take anything");
    for (uint32_t i = 0; i < p->n; i++)
        want[i] = want[i] < 0 ? all / taking : want[i];
    return ranges_rebalance(&p->before, p->weight, p->n, want, &p->after) ||
           layout_refuse(p, TOO_MANY);
}

/* One for all databases, so that what is joined stays together. */
static uint32_t
new_home(const bool *take, uint32_t first)
{
    while (!take[first])
        first++;
    return first;
}

static bool
plan_drain(struct planner *p)
{
    uint32_t one[ROUTES_SHARDS_MAX], to[ROUTES_SHARDS_MAX];
    bool     leave[ROUTES_SHARDS_MAX] = { false }, take[ROUTES_SHARDS_MAX] = { false };
    size_t   n = 0, n_to = 0;
    bool     any = false;

    if (!find_each(p, "shards", one, &n) || !find_each(p, "to", to, &n_to))
        return false;
    if (n != 1)
        return layout_refuse(p, "say which one shard to drain");
    for (uint32_t i = 0; i < p->n; i++)
        take[i] = n_to == 0 && p->up[i] && i != one[0];
    for (size_t i = 0; i < n_to; i++)
        take[to[i]] = to[i] != one[0];
    for (uint32_t i = 0; i < p->n; i++)
        any = any || take[i];
    leave[one[0]] = true;
    if (!any)
        return layout_refuse(p, "there is no other shard that could take what %s has",
                      p->name[one[0]]);
    return layout_homes(p, one[0], new_home(take, n_to > 0 ? to[0] : 0)) &&
           (ranges_empty(&p->before, p->weight, p->n, leave, take, &p->after) ||
            layout_refuse(p, TOO_MANY));
}

static const struct {
    const char *verb;
    bool (*plan)(struct planner *p);
} verbs[] = {
    { "split", plan_split },         { "merge", plan_merge }, { "move", plan_move },
    { "rebalance", plan_rebalance }, { "drain", plan_drain },
};

static bool
plan_verb(struct planner *p)
{
    const char *verb = model_text(p->request, "verb");

    for (size_t i = 0; i < countof(verbs); i++)
        if (strcmp(verbs[i].verb, verb) == 0)
            return verbs[i].plan(p);
    return layout_refuse(p, "'%s' is no way to move rows: it is one of split, merge, move, "
                         "rebalance, drain", verb);
}

/* --- all of it ------------------------------------------------------------------ */

json_t *
layout_make(struct cluster *c, const json_t *request, struct sql_error *error)
{
    struct planner *p    = mem_alloc(sizeof(*p));
    json_t         *spec = NULL;

    p->c       = c;
    p->request = request;
    p->error   = error;
    if (strcmp(model_text(request, "verb"), "table") == 0) {
        spec = planner_init(p) ? layout_table(p) : NULL;
    } else if (planner_init(p) && (!is_weighed(p) || measure_all(p, false)) && weigh(p) &&
               plan_verb(p)) {
        if (!ranges_cut_like(&p->before, &p->after, &p->cut_before) ||
            !ranges_cut_like(&p->after, &p->before, &p->cut_after))
            layout_refuse(p, TOO_MANY);
        else if (is_weighed(p) || measure_all(p, true))
            spec = layout_spec(p);
    }
    planner_fini(p);
    free(p);
    return spec;
}

const char *
layout_title(const json_t *request)
{
    static _Thread_local char text[200];
    const char *verb = model_text(request, "verb");
    size_t      n = part_count(request, "shards"), m = part_count(request, "ranges"), len;

    if (strcmp(verb, "table") == 0) {
        const char *key = model_text(request, "key");

        len = (size_t)snprintf(text, sizeof(text), "table %.60s.%.60s %s%s%.40s",
                               model_text(request, "database"), model_text(request, "table"),
                               model_text(request, "kind"), key[0] ? " by " : "", key);
        if (part_count(request, "with") > 0 && len < sizeof(text))
            snprintf(text + len, sizeof(text) - len, " and %zu more",
                     part_count(request, "with"));
        return text;
    }
    len = (size_t)snprintf(text, sizeof(text), "%s", verb);
    for (size_t i = 0; i < n + m && len < sizeof(text) - 80; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %.64s",
                                i < n ? layout_text(request, "shards", i)
                                      : layout_text(request, "ranges", i - n));
    for (size_t i = 0; i < part_count(request, "to") && len < sizeof(text) - 80; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %.64s", i ? "" : " to",
                                layout_text(request, "to", i));
    return text;
}
