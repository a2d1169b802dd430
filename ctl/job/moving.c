/* moving.c - see moving.h. */
#include "ctl/job/moving.h"

#include <stdlib.h>

#include "ctl/catalog/model.h"

json_t *
moving_record(struct cluster *c)
{
    json_t *list = job_list(c, 0, true), *record, *found = NULL;
    size_t  i;

    json_array_foreach(list, i, record)
        if (!found && strcmp(model_text(record, "kind"), "move") == 0)
            found = json_incref(record);
    json_decref(list);
    return found;
}

/* What ends the move, by how far it is. */
static const char *
way_out(const json_t *record)
{
    const char *phase = model_text(record, "phase");

    if (strcmp(phase, "reverse") == 0)
        return "'shardctl reshard complete' ends it";
    if (strcmp(phase, "complete") == 0 || strcmp(phase, "cancel") == 0)
        return "it is removing old rows, and ends by itself";
    return "wait for its end, or give it up with 'shardctl job cancel'";
}

static bool
takes_part(const json_t *record, const char *database, const char *table)
{
    json_t *list = json_object_get(json_object_get(record, "move"), "tables"), *one;
    char   *name = catalog_table_name(database, table ? table : "");
    size_t  len  = strlen(name), i;
    bool    is   = false;

    json_array_foreach(list, i, one) {
        const char *have = model_text(one, "name");

        is = is || (table ? strcmp(have, name) == 0 : strncmp(have, name, len) == 0);
    }
    free(name);
    return is;
}

bool
moving_allows(struct cluster *c, const char *database, const char *table,
              struct sql_error *error)
{
    json_t *record = moving_record(c);
    bool    ok     = !record || !takes_part(record, database, table);

    if (!ok)
        sql_error_set(error, SQL_NOT_SUPPORTED,
                      "shardd: %s %s%s%s changes only when job %lld (%s), which moves its rows, "
                      "has ended: %s", table ? "the table" : "the database", database,
                      table ? "." : "", table ? table : "",
                      (long long)model_number(record, "number"), model_text(record, "what"),
                      way_out(record));
    json_decref(record);
    return ok;
}

bool
moving_allows_shards(struct cluster *c, const char *what, struct sql_error *error)
{
    json_t *record = moving_record(c);

    if (record && strcmp(model_text(record, "phase"), "remove") == 0) {
        json_decref(record); /* its rows have moved, and it removes a shard itself */
        return true;
    }
    if (record)
        sql_error_set(error, SQL_NOT_SUPPORTED,
                      "shardd: %s only when job %lld (%s) has ended: %s", what,
                      (long long)model_number(record, "number"), model_text(record, "what"),
                      way_out(record));
    json_decref(record);
    return !record;
}

bool
moving_allows_use(struct cluster *c, const char *database, const char *table,
                  struct sql_error *error)
{
    json_t *record = moving_record(c), *move = json_object_get(record, "move");
    bool    is = json_object_get(json_object_get(move, "homes"), database) != NULL ||
              (table && strcmp(model_text(move, "verb"), "table") == 0 &&
               takes_part(record, database, table));

    if (is)
        sql_error_set(error, SQL_NOT_SUPPORTED,
                      "shardd: nothing new may use %s%s%s until job %lld (%s) has ended: %s",
                      database, table ? "." : "", table ? table : "",
                      (long long)model_number(record, "number"), model_text(record, "what"),
                      way_out(record));
    json_decref(record);
    return !is;
}

bool
moving_allows_foreign(struct cluster *c, const json_t *foreign, struct sql_error *error)
{
    json_t *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)foreign, i, one)
        if (!moving_allows_use(c, model_text(one, "database"), model_text(one, "table"), error))
            return false;
    return true;
}
