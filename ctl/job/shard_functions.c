/* shard_functions.c - a new shard gets the stored functions, procedures and triggers
 * that every shard has.
 */
#include "ctl/catalog/model.h"
#include "ctl/catalog/model_routine.h"
#include "ctl/job/shard.h"
#include "ctl/job/trigger.h"

/* As SHOW CREATE FUNCTION tells it: name, sql_mode, text, character_set_client,
 * collation_connection. */
bool
shard_copy_routine(struct server *from, struct server *to, const char *word, const char *database,
                   const char *name, struct sql_error *error)
{
    json_t *rows = server_rows(from, error, "SHOW CREATE %s %s.%s", word, server_name(database),
                               server_name(name)), *row;
    bool    ok;

    if (!rows)
        return false;
    row = json_array_get(rows, 0);
    ok  = server_run(to, error, "USE %s", server_name(database)) &&
         server_run(to, error, "SET SESSION sql_mode = %s", server_text(server_cell(row, 1))) &&
         server_run(to, error, "SET NAMES %s", server_text(server_cell(row, 3))) &&
         server_run(to, error, "SET collation_connection = %s",
                    server_text(server_cell(row, 4))) &&
         server_run_text(to, span_of(server_cell(row, 2)), error) &&
         server_run(to, error, "SET SESSION sql_mode = DEFAULT, NAMES utf8mb4");
    json_decref(rows);
    return ok;
}

static bool
copy_all(const json_t *database, const json_t *home, struct server *to, struct sql_error *error)
{
    static const char *const lists[][2] = { { "functions", "FUNCTION" },
                                            { "procedures", "PROCEDURE" } };
    struct server from = { .mysql = NULL };
    const char   *name;
    json_t       *routine;
    bool          ok = true;

    for (size_t i = 0; i < countof(lists); i++)
        json_object_foreach(json_object_get(database, lists[i][0]), name, routine)
            if (model_routine_everywhere(routine))
                ok = ok && (from.mysql || server_open(&from, home, error)) &&
                     shard_copy_routine(&from, to, lists[i][1], model_text(database, "name"),
                                        name, error);
    server_close(&from);
    return ok;
}

bool
shard_fill_functions(struct cluster *c, const json_t *shard, json_t *shards,
                     struct sql_error *error)
{
    json_t       *databases = catalog_all(c->catalog, CATALOG_DATABASE), *database, *home;
    struct server to        = { .mysql = NULL };
    const char   *name, *id;
    bool          ok = server_open(&to, shard, error);

    json_object_foreach(databases, name, database)
        json_object_foreach(shards, id, home)
            if (model_number(home, "id") == model_number(database, "home"))
                ok = ok && copy_all(database, home, &to, error);
    server_close(&to);
    json_decref(databases);
    return ok;
}

static const json_t *
home_of(json_t *shards, const json_t *table, struct cluster *c, int64_t *id)
{
    json_t     *database = catalog_get(c->catalog, CATALOG_DATABASE,
                                       model_text(table, "database"), NULL), *shard;
    const char *key;

    *id = model_number(database, "home");
    json_decref(database);
    json_object_foreach(shards, key, shard)
        if (model_number(shard, "id") == *id)
            return shard;
    return NULL;
}

bool
shard_fill_triggers(struct cluster *c, const json_t *shard, json_t *shards, json_t *tables,
                    struct sql_error *error)
{
    const char *name;
    json_t     *table;
    bool        ok = true;

    json_object_foreach(tables, name, table) {
        struct server from = { .mysql = NULL }, to = { .mysql = NULL };
        int64_t       id;
        const json_t *home;

        if (!ok || model_triggers(table) == TRIGGERS_NONE)
            continue;
        home = home_of(shards, table, c, &id);
        ok   = (home || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is no shard %lld",
                                      (long long)id)) &&
               server_open(&from, home, error) && server_open(&to, shard, error) &&
               trigger_copy(&from, &to, table, error);
        server_close(&from);
        server_close(&to);
    }
    return ok;
}
