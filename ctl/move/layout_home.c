/* layout_home.c - what lives at home moves with the home: global tables, views, sequences. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/move/layout_step.h"
#include "ctl/move/uses.h"

static bool
at_home(const struct planner *p, const json_t *table)
{
    return json_object_get(p->homes, model_text(table, "database")) != NULL;
}

static bool
open_shard(struct planner *p, int64_t id, struct server *s)
{
    char text[24];

    *s = (struct server){ .mysql = NULL };
    snprintf(text, sizeof(text), "%lld", (long long)id);
    return server_open(s, json_object_get(p->shards, text), p->error);
}

bool
layout_homes(struct planner *p, uint32_t from, uint32_t to)
{
    json_t       *all = catalog_all(p->c->catalog, CATALOG_DATABASE), *database;
    const char   *name;
    struct server s;
    bool          ok = open_shard(p, p->id[from], &s);

    p->homes = json_object();
    json_object_foreach(all, name, database) {
        if (!ok || model_number(database, "home") != p->id[from])
            continue;
        ok = uses_no_code(p->c, &s, name, p->error);
        json_object_set_new_nocheck(p->homes, name, json_pack("[I, I]", (json_int_t)p->id[from],
                                                              (json_int_t)p->id[to]));
    }
    server_close(&s);
    json_decref(all);
    return ok;
}

static uint32_t
index_of(const struct planner *p, int64_t id)
{
    uint32_t i = 0;

    while (i + 1 < p->n && p->id[i] != id)
        i++;
    return i;
}

/* All homes are one shard before and one after. */
static bool
put_piece(struct planner *p, json_t *pieces)
{
    const json_t *pair = json_object_iter_value(json_object_iter(p->homes));
    int64_t       from = json_integer_value(json_array_get(pair, 0));
    int64_t       to   = json_integer_value(json_array_get(pair, 1));
    double        rows = 0, bytes = 0;
    struct server s;
    json_t       *list = NULL, *row, *all = catalog_all(p->c->catalog, CATALOG_TABLE);
    size_t        i;

    if (open_shard(p, from, &s))
        list = server_rows(&s, p->error, "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS,"
                           " DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES"
                           " WHERE TABLE_TYPE = 'BASE TABLE'");
    server_close(&s);
    json_array_foreach(list, i, row) {
        char         *name  = catalog_table_name(server_cell(row, 0), server_cell(row, 1));
        const json_t *table = json_object_get(all, name);

        free(name);
        if (!table || !at_home(p, table) || strcmp(model_text(table, "kind"), "global") != 0)
            continue;
        rows += strtod(server_cell(row, 2), NULL);
        bytes += strtod(server_cell(row, 3), NULL);
    }
    json_array_append_new(pieces, layout_piece(p, index_of(p, from), index_of(p, to), rows,
                                               bytes));
    json_decref(all);
    json_decref(list);
    return list != NULL;
}

bool
layout_put_homes(struct planner *p, json_t *spec)
{
    json_t     *all = catalog_all(p->c->catalog, CATALOG_TABLE), *table, *views = json_array();
    const char *name;

    json_object_foreach(all, name, table) {
        const char *kind = model_text(table, "kind");

        if (!at_home(p, table))
            continue;
        if (strcmp(kind, "global") == 0)
            json_array_append_new(json_object_get(spec, "tables"),
                                  json_pack("{s:s, s:O}", "name", name, "before", table));
        else if (strcmp(kind, "view") == 0 &&
                 strcmp(model_text(table, "view_kind"), "global") == 0)
            json_array_append_new(views, json_string_nocheck(name));
    }
    json_object_set(spec, "homes", p->homes);
    json_object_set_new(spec, "views", views);
    json_decref(all);
    return put_piece(p, json_object_get(spec, "pieces"));
}
