/* uses.c - see uses.h. */
#include "ctl/move/uses.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/model_routine.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/lookup.h"

static const char code_sql[] =
    "SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_DEFINITION, '' AS of_table"
    " FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN " CODE_OTHERS
    " UNION ALL SELECT 'TRIGGER', TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_STATEMENT,"
    " EVENT_OBJECT_TABLE"
    " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN " CODE_OTHERS
    " UNION ALL SELECT 'EVENT', EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION, ''"
    " FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN " CODE_OTHERS;

static bool
refuse(struct sql_error *error, const char *database, const char *table, const json_t *row)
{
    return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the %s %s.%s uses %s.%s, and means the "
                         "table as it is spread now; drop it first, and make it again afterwards",
                         strcasecmp(server_cell(row, 0), "VIEW") == 0 ? "view"
                             : server_cell(row, 0), server_cell(row, 1), server_cell(row, 2),
                         database, table);
}

/* The server writes views with `database`.`table` wherever they use one. */
static bool
no_view(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    struct buf full = { 0 };
    json_t    *rows;
    bool       ok;

    server_quote_name(&full, database);
    buf_append_byte(&full, '.');
    server_quote_name(&full, table);
    rows = server_rows(s, error, "SELECT 'VIEW', TABLE_SCHEMA, TABLE_NAME FROM"
                       " information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN " CODE_OTHERS
                       " AND INSTR(VIEW_DEFINITION, %s) > 0", server_text(buf_cstr(&full)));
    ok = rows && (json_array_size(rows) == 0 ||
                  refuse(error, database, table, json_array_get(rows, 0)));
    buf_fini(&full);
    json_decref(rows);
    return ok;
}

static bool
no_code(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    json_t *rows  = server_rows(s, error, "%s", code_sql), *row;
    json_t *words = code_words(table);
    bool    ok    = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row)
        if (ok && code_names(server_cell(row, 3), words))
            ok = refuse(error, database, table, row);
    json_decref(words);
    json_decref(rows);
    return ok;
}

bool
uses_none(struct cluster *c, const char *database, const char *table, struct sql_error *error)
{
    json_t     *shards = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char *id;
    bool        ok = true;

    json_object_foreach(shards, id, shard) {
        struct server s = { .mysql = NULL };

        ok = ok && server_open(&s, shard, error) && no_view(&s, database, table, error) &&
             no_code(&s, database, table, error);
        server_close(&s);
    }
    json_decref(shards);
    return ok;
}

/* Those of sharded tables are: what prepare.c says of them is another matter. */
static bool
trigger_everywhere(struct cluster *c, const char *database, const json_t *row)
{
    char   *name  = catalog_table_name(database, server_cell(row, 4));
    json_t *table = catalog_get(c->catalog, CATALOG_TABLE, name, NULL);
    bool    is    = strcmp(model_text(table, "kind"), "sharded") == 0 &&
              (model_triggers(table) == TRIGGERS_OWN_ROW ||
               lookup_is_trigger(server_cell(row, 2)));

    json_decref(table);
    free(name);
    return is;
}

/* It has come, or comes, to every shard. */
static bool
routine_everywhere(const json_t *database, const json_t *row)
{
    bool        procedure = strcasecmp(server_cell(row, 0), "PROCEDURE") == 0;
    bool        function  = strcasecmp(server_cell(row, 0), "FUNCTION") == 0;
    const char *name;
    json_t     *one;

    json_object_foreach(json_object_get(database, procedure ? "procedures" : "functions"), name,
                        one)
        if ((procedure || function) && strcasecmp(server_cell(row, 2), name) == 0)
            return model_routine_everywhere(one);
    return false;
}

bool
uses_no_code(struct cluster *c, struct server *home, const char *database,
             struct sql_error *error)
{
    json_t *object = catalog_get(c->catalog, CATALOG_DATABASE, database, NULL), *row;
    json_t *rows   = server_rows(home, error, "SELECT * FROM (%s) x WHERE x.ROUTINE_SCHEMA = %s",
                                 code_sql, server_text(database));
    bool    ok     = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row)
        if (ok && !routine_everywhere(object, row) &&
            !(strcmp(server_cell(row, 0), "TRIGGER") == 0 &&
              trigger_everywhere(c, database, row)))
            ok = sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the %s %s.%s lives on shard %s, "
                               "the home of its database, and does not move with it; drop it "
                               "first, and make it again afterwards", server_cell(row, 0),
                               server_cell(row, 1), server_cell(row, 2), home->name);
    json_decref(rows);
    json_decref(object);
    return ok;
}
