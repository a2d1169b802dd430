/* api_hide.c - rows that must not be seen, by hand: for tests. Moves say it themselves. */
#include "ctl/api/request.h"

enum { WAIT_MS = 5000 };

static bool
names_only(const json_t *hide)
{
    const char *table;
    json_t     *set;

    if (!json_is_object(hide))
        return false;
    json_object_foreach((json_t *)(uintptr_t)hide, table, set)
        if (!json_is_string(set))
            return false;
    return true;
}

/* The rest of meta/move stays. */
static bool
put(struct cluster *c, json_t *hide, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "shardctl");
    json_t                *move   = catalog_read(change, CATALOG_META, "move", NULL);

    if (!move)
        move = json_object();
    if (json_object_size(hide) > 0)
        json_object_set(move, "hide", hide);
    else
        json_object_del(move, "hide");
    json_object_del(move, "hiding"); /* any shard may */
    catalog_put(change, CATALOG_META, "move", move, CATALOG_ANY);
    json_decref(move);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0;
}

/* Answered when no statement routed without it is under way. */
unsigned
api_move_hide(struct request *r)
{
    struct cluster *c    = r->cluster;
    json_t         *hide = json_object_get(r->body, "hide");
    struct err      err;
    bool            all = false;

    if (!names_only(hide))
        return request_refuse(r, 400, "\"hide\" is {\"DATABASE.TABLE\": \"SET\", ...}");
    pthread_mutex_lock(&c->change_lock);
    bool ok = put(c, hide, &err) && publish_now(c->publisher, WAIT_MS, &all, &err);
    pthread_mutex_unlock(&c->change_lock);
    if (!ok)
        return request_refuse(r, 503, "%s", err.text);
    if (!all || !publish_drained(c->publisher, WAIT_MS))
        return request_refuse(r, 503, "not every worker has taken it over yet");
    return 200;
}
