/* layout_spec.c - a plan as JSON, and maps in the catalog. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/shard.h"
#include "ctl/move/layout.h"
#include "ctl/move/layout_step.h"

static json_t *
map_of(const struct planner *p, const struct ranges *r)
{
    json_t *list = json_array();
    char    hex[17];

    for (uint32_t i = 0; i < r->n; i++) {
        snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)r->range[i].start);
        json_array_append_new(list, json_pack("[s, I]", hex,
                                              (json_int_t)p->id[r->range[i].shard]));
    }
    return json_pack("{s:o}", "ranges", list);
}

static json_t *
piece_of(const struct planner *p, uint32_t i, uint64_t last)
{
    const struct route_range *from = &p->cut_before.range[i], *to = &p->cut_after.range[i];
    double part = ((double)(last - from->start) + 1) / 18446744073709551616.0;
    double all  = p->share[from->shard] > 0 ? part / p->share[from->shard] : 0;
    char   hex[2][17];

    snprintf(hex[0], sizeof(hex[0]), "%016llx", (unsigned long long)from->start);
    snprintf(hex[1], sizeof(hex[1]), "%016llx", (unsigned long long)last);
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I}", "start", hex[0], "last", hex[1],
                     "from", (json_int_t)p->id[from->shard], "to",
                     (json_int_t)p->id[to->shard], "from_name", p->name[from->shard], "to_name",
                     p->name[to->shard], "rows", (json_int_t)(all * p->rows[from->shard]),
                     "bytes", (json_int_t)(all * p->bytes[from->shard]));
}

static json_t *
pieces_of(const struct planner *p)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < p->cut_before.n; i++) {
        uint64_t last = i + 1 < p->cut_before.n ? p->cut_before.range[i + 1].start - 1
                                                : UINT64_MAX;

        if (p->cut_before.range[i].shard != p->cut_after.range[i].shard)
            json_array_append_new(list, piece_of(p, i, last));
    }
    return list;
}

static json_t *
tables_of(struct cluster *c)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_TABLE), *table, *list = json_array();
    const char *name;

    json_object_foreach(all, name, table)
        if (strcmp(model_text(table, "kind"), "sharded") == 0) {
            json_t *one = json_object();

            model_set(one, "name", name);
            json_object_set(one, "before", table);
            json_array_append_new(list, one);
        }
    json_decref(all);
    return list;
}

/* What is removed at the end of a drain: as it is now, for people. */
static json_t *
goes(struct cluster *c, const json_t *shard)
{
    json_t *servers = shard_servers(c, shard), *one, *notes;
    char    text[1024];
    size_t  len = 0, i;

    json_array_foreach(servers, i, one)
        if (len < sizeof(text) - 1)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %.80s (%s, %s)",
                                    i ? ", " : "", model_text(one, "role"),
                                    model_text(one, "server"), model_text(one, "provisioner"),
                                    model_text(one, "then"));
    notes = json_pack("[o]", json_sprintf("then shard %s goes, with its servers: %s",
                                          model_text(shard, "name"), text));
    json_decref(servers);
    return notes;
}

json_t *
layout_spec(struct planner *p)
{
    json_t *pieces = pieces_of(p), *spec;

    if (json_array_size(pieces) == 0 && json_object_size(p->homes) == 0) {
        json_decref(pieces);
        layout_refuse(p, "nothing would move: all is where it is to be");
        return NULL;
    }
    spec = json_pack("{s:s, s:o, s:o, s:o, s:o, s:i}", "verb", model_text(p->request, "verb"),
                     "ranges", map_of(p, &p->cut_after), "ranges_before",
                     map_of(p, &p->cut_before), "tables", tables_of(p->c), "pieces", pieces,
                     "new_shards", (int)p->n_new);
    if (strcmp(model_text(p->request, "verb"), "drain") == 0) {
        json_t *shard = cluster_shard(p->c, layout_text(p->request, "shards", 0));

        json_object_set(spec, "remove", json_object_get(shard, "id"));
        json_object_set_new(spec, "notes", goes(p->c, shard));
        json_decref(shard);
    }
    if (json_object_size(p->homes) > 0 && !layout_put_homes(p, spec)) {
        json_decref(spec);
        return NULL;
    }
    return spec;
}

void
layout_put_map(struct catalog_change *change, const json_t *spec, bool after)
{
    json_t *map = json_object_get(spec, after ? "ranges" : "ranges_before");

    if (map)
        catalog_put(change, CATALOG_RANGES, "map", map, CATALOG_ANY);
}

void
layout_join_map(struct catalog_change *change)
{
    json_t *map    = catalog_read(change, CATALOG_RANGES, "map", NULL);
    json_t *list   = json_object_get(map, "ranges"), *pair, *joined = json_array();
    json_int_t owner = -1;
    size_t  i;

    json_array_foreach(list, i, pair) {
        json_int_t id = json_integer_value(json_array_get(pair, 1));

        if (id != owner)
            json_array_append(joined, pair);
        owner = id;
    }
    json_object_set_new(map, "ranges", joined);
    catalog_put(change, CATALOG_RANGES, "map", map, CATALOG_ANY);
    json_decref(map);
}
