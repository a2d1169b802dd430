/* ddl_restore.c - tables whose copies were on the move when something went wrong.
 *
 *   definition kept in the record -> copies dropped -> catalog changed -> copies made
 *
 * Wherever that ends, the catalog says where copies belong and the record how they look: what
 * lacks is made, what is too much is dropped as long as it is empty. Rows that applications
 * have written since to copies that are where they belong stay.
 */
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"

static const char definitions[] = "definitions";

bool
ddl_keep(struct ddl *d, const struct ddl_table *t, const char *text)
{
    json_t *kept = json_object_get(d->job.record, definitions);
    char   *name = catalog_table_name(t->database, t->name);

    if (!kept) {
        kept = json_object();
        json_object_set_new(d->job.record, definitions, kept);
    }
    json_object_set_new_nocheck(kept, name, json_string_nocheck(text));
    free(name);
    return job_write(&d->job, d->error);
}

static bool
drop_empty(struct ddl *d, size_t shard, const struct ddl_table *t)
{
    struct server *s = ddl_us(d, shard);
    bool           rows;

    if (!s || !ddl_has_rows(d, s, t, true, &rows))
        return false;
    if (rows)
        return sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: the copy of %s.%s on shard %s "
                             "does not belong there and has rows", t->database, t->name, s->name);
    return server_run(s, d->error, "SET SESSION foreign_key_checks = 0") &&
           server_run(s, d->error, "DROP TABLE %s.%s", server_name(t->database),
                      server_name(t->name));
}

static bool
restore_one(struct ddl *d, const struct ddl_table *t, const char *text)
{
    int64_t where = ddl_where(t);

    for (size_t i = 0; i < d->n_shards; i++) {
        bool belongs = where == DDL_ALL || i == ddl_index(d, where), is;

        if (!ddl_there(d, i, t->database, t->name, &is))
            return false;
        if (belongs && !is && !ddl_create_copy(d, i, t, text))
            return false;
        if (!belongs && is && !drop_empty(d, i, t))
            return false;
    }
    return true;
}

bool
ddl_restore_older(struct ddl *d, const char *database, const char *table)
{
    json_t *list = job_list(d->c, 0, true), *record, *kept;
    size_t  i;
    bool    ok;

    json_array_foreach(list, i, record)
        if (strcmp(model_text(record, "state"), "stuck") == 0 &&
            strcmp(model_text(record, "database"), database) == 0 &&
            strcmp(model_text(record, "table"), table) == 0 &&
            (kept = json_object_get(record, definitions)) != NULL)
            json_object_set(d->job.record, definitions, kept);
    ok = !json_object_get(d->job.record, definitions) || ddl_restore(d);
    json_decref(list);
    return ok;
}

bool
ddl_restore(struct ddl *d)
{
    json_t          *kept = json_object_get(d->job.record, definitions), *text;
    json_t          *before = d->tables; /* others have borrowed from it */
    struct ddl_table t;
    const char      *name;
    bool             ok = true;

    d->tables = catalog_all(d->c->catalog, CATALOG_TABLE);
    json_object_foreach(kept, name, text)
        if (json_object_get(d->tables, name)) /* else it has been dropped since */
            ok = ddl_find_named(d, name, &t) && restore_one(d, &t, json_string_value(text)) && ok;
    ddl_unlock(d);
    json_decref(d->tables);
    d->tables = before;
    return ok;
}
