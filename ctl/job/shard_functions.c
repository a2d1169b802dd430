/* shard_functions.c - a new shard gets the stored functions that every shard has. */
#include "ctl/catalog/model.h"
#include "ctl/job/shard.h"

/* As SHOW CREATE FUNCTION tells it: name, sql_mode, text, character_set_client,
 * collation_connection. */
static bool
copy(struct server *from, struct server *to, const char *database, const char *name,
     struct sql_error *error)
{
    json_t *rows = server_rows(from, error, "SHOW CREATE FUNCTION %s.%s", server_name(database),
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
    struct server from = { .mysql = NULL };
    const char   *name;
    json_t       *function;
    bool          ok = true;

    json_object_foreach(json_object_get(database, "functions"), name, function)
        if (model_function_class(function) == FUNCTION_PLAIN)
            ok = ok && (from.mysql || server_open(&from, home, error)) &&
                 copy(&from, to, model_text(database, "name"), name, error);
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
