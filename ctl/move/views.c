/* views.c - see views.h. */
#include "ctl/move/views.h"

/* By connection and beginning: a server's own clock says when that was, and numbers of
 * transactions that only read are used again. Branches that are prepared read no more. */
static json_t *
open_there(const json_t *shard, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    json_t       *set = NULL, *rows, *row;
    size_t        i;

    if (!server_open(&s, shard, error))
        return NULL;
    rows = server_rows(&s, error, "SELECT CONCAT(trx_mysql_thread_id, ' ', trx_started)"
                       " FROM information_schema.INNODB_TRX"
                       " WHERE trx_mysql_thread_id NOT IN (0, CONNECTION_ID())");
    server_close(&s);
    if (rows == NULL)
        return NULL;
    set = json_object();
    json_array_foreach(rows, i, row)
        json_object_set_new_nocheck(set, server_cell(row, 0), json_true());
    json_decref(rows);
    return set;
}

json_t *
views_note(const struct move *m, struct sql_error *error)
{
    json_t     *noted = json_object(), *shard;
    const char *id;

    json_object_foreach(m->shards, id, shard) {
        json_t *set = open_there(shard, error);

        if (set == NULL) {
            json_decref(noted);
            return NULL;
        }
        json_object_set_new_nocheck(noted, id, set);
    }
    return noted;
}

bool
views_left(const struct move *m, const json_t *noted, size_t *left, struct sql_error *error)
{
    json_t     *now = views_note(m, error), *ignored, *set;
    const char *id, *view;

    if (now == NULL)
        return false;
    *left = 0;
    json_object_foreach((json_t *)(uintptr_t)noted, id, set)
        json_object_foreach(set, view, ignored)
            *left += json_object_get(json_object_get(now, id), view) != NULL;
    json_decref(now);
    return true;
}
