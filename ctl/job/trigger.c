/* trigger.c - see trigger.h. */
#include "ctl/job/trigger.h"

#include "ctl/catalog/model.h"

enum { SHOWN_CELLS = 6 };

static json_t *
names_of(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    return server_rows(s, error, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
                       " WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s"
                       " AND " TRIGGER_IS("EVENT_OBJECT_SCHEMA")
                       " AND " TRIGGER_IS("EVENT_OBJECT_TABLE")
                       " AND TRIGGER_NAME NOT LIKE 'shardd lookup %%'"
                       " ORDER BY EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER",
                       server_text(database), server_text(table), server_text(database),
                       server_text(table));
}

static bool
read_one(struct server *s, const char *database, const char *name, json_t *out,
         struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SHOW CREATE TRIGGER %s.%s", server_name(database),
                               server_name(name));
    json_t *row  = json_array_get(rows, 0), *one = json_array();

    for (size_t i = 0; row && i < SHOWN_CELLS; i++)
        json_array_append(one, json_array_get(row, i)); /* behind them: when it was made */
    json_array_append_new(out, one);
    json_decref(rows);
    return row != NULL;
}

json_t *
trigger_read(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    json_t *names = names_of(s, database, table, error), *name, *out = json_array();
    bool    ok    = names != NULL;
    size_t  i;

    json_array_foreach(names, i, name)
        ok = ok && read_one(s, database, server_cell(name, 0), out, error);
    json_decref(names);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

static bool
make(struct server *s, const char *database, const json_t *one, struct sql_error *error)
{
    return server_run(s, error, "USE %s", server_name(database)) &&
           server_run(s, error, "SET SESSION sql_mode = %s", server_text(server_cell(one, 1))) &&
           server_run(s, error, "SET NAMES %s", server_text(server_cell(one, 3))) &&
           server_run(s, error, "SET collation_connection = %s",
                      server_text(server_cell(one, 4))) &&
           server_run_text(s, span_of(server_cell(one, 2)), error) &&
           server_run(s, error, "SET SESSION sql_mode = DEFAULT, NAMES utf8mb4");
}

static bool
replace(struct server *s, const char *database, const json_t *there, const json_t *wanted,
        struct sql_error *error)
{
    json_t *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)there, i, one)
        if (!server_run(s, error, "DROP TRIGGER %s.%s", server_name(database),
                        server_name(server_cell(one, 0))))
            return false;
    json_array_foreach((json_t *)(uintptr_t)wanted, i, one)
        if (!make(s, database, one, error))
            return false;
    return true;
}

bool
trigger_put(struct server *s, const char *database, const char *table, const json_t *wanted,
            struct sql_error *error)
{
    json_t *there = NULL;
    bool    ok    = server_run(s, error, "SET NAMES utf8mb4");

    if (ok)
        there = trigger_read(s, database, table, error);
    ok = there && (json_equal(there, wanted) || replace(s, database, there, wanted, error));
    json_decref(there);
    return ok;
}

bool
trigger_copy(struct server *from, struct server *to, const json_t *table, struct sql_error *error)
{
    const char *database = model_text(table, "database"), *name = model_text(table, "name");
    json_t     *all;
    bool        ok;

    if (model_triggers(table) == TRIGGERS_NONE)
        return true;
    all = server_run(from, error, "SET NAMES utf8mb4") ? trigger_read(from, database, name, error)
                                                       : NULL;
    ok  = all && trigger_put(to, database, name, all, error);
    json_decref(all);
    return ok;
}

bool
trigger_forbids(const json_t *table, const char *what, struct sql_error *error)
{
    if (model_triggers(table) == TRIGGERS_NONE)
        return false;
    return !sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: %s.%s has triggers, which do not go "
                          "with %s: drop them first, and make them again afterwards",
                          model_text(table, "database"), model_text(table, "name"), what);
}
