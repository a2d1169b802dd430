/* run_table.c - a table that changes its kind: at once when it is empty, else by a move. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/ddl.h"
#include "ctl/job/lookup.h"
#include "ctl/move/layout.h"
#include "ctl/move/run.h"
#include "ctl/move/uses.h"

/* Has any copy a row? A shard that lacks the table has none. */
static bool
has_rows(struct cluster *c, const json_t *table, bool *yes, struct sql_error *error)
{
    enum { NO_SUCH_TABLE = 1146 };
    json_t     *shards = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char *id;
    bool        ok = true;

    *yes = false;
    json_object_foreach(shards, id, shard) {
        struct server s = { .mysql = NULL };
        char          found[8] = "";

        if (!ok || *yes)
            break;
        ok   = server_open(&s, shard, error) &&
             (server_value(&s, found, sizeof(found), error, "SELECT 1 FROM %s.%s LIMIT 1",
                           server_name(model_text(table, "database")),
                           server_name(model_text(table, "name"))) ||
              error->code == NO_SUCH_TABLE);
        *yes = ok && found[0];
        server_close(&s);
    }
    json_decref(shards);
    return ok;
}

static bool
set_empty(struct cluster *c, const char *who, const json_t *request, struct sql_error *error)
{
    const char *database = model_text(request, "database"), *table = model_text(request, "table");

    return uses_none(c, database, table, error) &&
           ddl_set_kind(c, who, database, table, model_kind(model_text(request, "kind"),
                                                            TABLE_VIEW),
                        model_text(request, "key"), error);
}

/* What is not in the catalog, or a view, or that already, is told by who knows best. */
static bool
is_for_ddl(const json_t *object, const json_t *request)
{
    const char *kind = model_text(object, "kind");

    return !object || strcmp(kind, "view") == 0 ||
           (strcmp(kind, model_text(request, "kind")) == 0 &&
            strcasecmp(model_text(object, "key"), model_text(request, "key")) == 0);
}

json_t *
moves_table(struct cluster *c, const char *who, json_t *request, struct sql_error *error)
{
    char   *name   = catalog_table_name(model_text(request, "database"),
                                        model_text(request, "table"));
    json_t *object = catalog_get(c->catalog, CATALOG_TABLE, name, NULL), *answer = NULL;
    bool    rows = false, ok;

    rows = json_array_size(json_object_get(request, "with")) > 0; /* or as if there were some */
    ok   = (!rows && is_for_ddl(object, request)) ||
         (!lookup_forbids(object, "another kind or key", error) &&
          (rows || has_rows(c, object, &rows, error)));
    if (ok && (rows || model_flag(request, "dry_run")))
        answer = moves_begin(c, who, request, error);
    else if (ok && (is_for_ddl(object, request)
                        ? ddl_set_kind(c, who, model_text(request, "database"),
                                       model_text(request, "table"),
                                       model_kind(model_text(request, "kind"), TABLE_VIEW),
                                       model_text(request, "key"), error)
                        : set_empty(c, who, request, error)))
        answer = json_pack("{s:i}", "job", 0);
    json_decref(object);
    free(name);
    return answer;
}
