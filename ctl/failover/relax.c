/* relax.c - see relax.h. */
#include "ctl/failover/relax.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/job.h"
#include "ctl/provision/failpoint.h"

enum { ANSWER_S = 3 };

static const char object[] = "relaxed"; /* {"<server's id>": {"order": true, "disk": true}} */

static const struct {
    const char *name, *relaxed, *strict, *settle; /* NULL: nothing more */
    const char *failpoint;
} kinds[RELAX_KINDS] = {
    [RELAX_ORDER] = { "order", "gtid_strict_mode = OFF", "gtid_strict_mode = ON", NULL,
                      "relaxed-order" },
    [RELAX_DISK]  = { "disk", "sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 2",
                      "sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1",
                      "FLUSH LOCAL BINARY LOGS, ENGINE LOGS", "relaxed-disk" },
};

/* --- the note --------------------------------------------------------------------- */

static bool
note(struct cluster *c, const char *id, enum relax kind, bool on, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *all = catalog_read(change, CATALOG_META, object, NULL), *mine;

    all  = all ? all : json_object();
    mine = json_object_get(all, id) ? json_incref(json_object_get(all, id)) : json_object();
    if (on)
        json_object_set_new(mine, kinds[kind].name, json_true());
    else
        json_object_del(mine, kinds[kind].name);
    if (json_object_size(mine) > 0)
        json_object_set(all, id, mine);
    else
        json_object_del(all, id);
    if (json_object_size(all) > 0)
        catalog_put(change, CATALOG_META, object, all, CATALOG_ANY);
    else
        catalog_remove(change, CATALOG_META, object, CATALOG_ANY);
    json_decref(mine);
    json_decref(all);
    return job_commit(change, error);
}

/* --- the server --------------------------------------------------------------------- */

static bool
restrain(struct server *s, enum relax kind, struct sql_error *error)
{
    return server_run(s, error, "SET GLOBAL %s", kinds[kind].strict) &&
           (!kinds[kind].settle || server_run(s, error, "%s", kinds[kind].settle));
}

bool
relax_begin(struct cluster *c, struct server *s, enum relax kind, struct sql_error *error)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)s->id);
    if (!note(c, id, kind, true, error) ||
        !server_run(s, error, "SET GLOBAL %s", kinds[kind].relaxed))
        return false;
    failpoint(kinds[kind].failpoint);
    return true;
}

bool
relax_end(struct cluster *c, struct server *s, enum relax kind, struct sql_error *error)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)s->id);
    return restrain(s, kind, error) && note(c, id, kind, false, error);
}

/* --- what was left -------------------------------------------------------------------- */

/* To be owned; NULL: it has left the cluster. */
static json_t *
server_by_id(struct cluster *c, int64_t id)
{
    json_t     *all, *shard, *found = cluster_replica_by_id(c, id);
    const char *name;

    if (found)
        return found;
    all = catalog_all(c->catalog, CATALOG_SHARD);
    json_object_foreach(all, name, shard)
        if (!found && model_server_id(shard) == id)
            found = json_incref(shard);
    json_decref(all);
    return found;
}

static void
end_one(struct cluster *c, const char *id, const json_t *mine)
{
    json_t          *server = server_by_id(c, strtoll(id, NULL, 10));
    struct server    s      = { .answer_s = ANSWER_S };
    struct sql_error error;
    bool             open = server && server_open(&s, server, &error);

    for (enum relax k = 0; k < RELAX_KINDS; k++) {
        if (!json_object_get(mine, kinds[k].name) || (server && !open))
            continue;
        if ((server && !restrain(&s, k, &error)) || !note(c, id, k, false, &error))
            log_warn("%s: cannot SET GLOBAL %s again: %s", model_text(server, "name"),
                     kinds[k].strict, error.message);
        else if (server)
            log_info("%s: SET GLOBAL %s again, as before its applier was helped",
                     model_text(server, "name"), kinds[k].strict);
    }
    server_close(&s);
    json_decref(server);
}

void
relax_end_all(struct cluster *c)
{
    json_t     *all = catalog_get(c->catalog, CATALOG_META, object, NULL), *mine;
    const char *id;

    json_object_foreach(all, id, mine)
        end_one(c, id, mine);
    json_decref(all);
}
