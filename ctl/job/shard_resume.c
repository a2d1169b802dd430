/* shard_resume.c - shards that were coming or going when their controller was killed.
 *
 *   "undo" in the record -> servers get what they need -> catalog -> ranges, routes -> "announced"
 *
 * Before the catalog has the shard all of it is taken back: a server of ours goes, an adopted
 * one and the other shards lose what "undo" says was not there before. Afterwards it is
 * completed: as long as workers did not know the shard, the reference tables have changed
 * without it, so these are copied once more.
 *
 *   undo   {"id", "made": what provision_trace() kept}, of one that goes as shard_remove.c has it,
 *          or for an adopted server {"id",
 *          "server": its object, "schema": ours was not there, "their_databases",
 *          "their_users": of the cluster, made there; "databases", "users": of the server,
 *          made on the others}
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/job/resolver.h"
#include "ctl/job/shard.h"
#include "ctl/provision/schema.h"

static const char announced[] = "announced";

/* --- forward ------------------------------------------------------------------ */

bool
shard_announce(struct job *job, struct sql_error *error)
{
    struct cluster *c   = job->cluster;
    json_t         *map = catalog_get(c->catalog, CATALOG_RANGES, "map", NULL);
    struct err      err;
    bool            ok  = (map || cluster_cut_ranges(c, &err)) && cluster_publish(c, &err);

    json_decref(map);
    if (!ok)
        return job_fail(error, &err);
    resolver_take(c->resolver);
    json_object_set_new(job->record, announced, json_true());
    return job_write(job, error);
}

static enum job_state
complete(struct cluster *c, json_t *record, const json_t *shard, struct sql_error *error)
{
    struct job         job  = { .cluster = c, .record = record };
    struct shard_fill *fill = mem_alloc(sizeof(*fill));
    bool               ok   = model_flag(record, announced) ||
              (cluster_ensure_shard(c, shard, error) && shard_fill_again(c, shard, fill, error) &&
               shard_announce(&job, error));

    shard_fill_done(fill);
    free(fill);
    return ok ? JOB_DONE : JOB_STUCK;
}

/* --- back ----------------------------------------------------------------------- */

/* Has it tables that the catalog knows nothing of? `of`: the database's. */
static bool
has_others(struct server *s, struct cluster *c, const char *database, bool *yes,
           struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT TABLE_NAME FROM information_schema.TABLES"
                               " WHERE TABLE_SCHEMA = %s", server_text(database)), *row;
    size_t  i;

    *yes = false;
    json_array_foreach(rows, i, row) {
        char   *name  = catalog_table_name(database, server_cell(row, 0));
        json_t *known = catalog_get(c->catalog, CATALOG_TABLE, name, NULL);

        *yes = *yes || !known;
        json_decref(known);
        free(name);
    }
    json_decref(rows);
    return rows != NULL;
}

/* Databases that were made on this server; one that somebody uses by now stays. */
static bool
drop_databases(struct server *s, struct cluster *c, const json_t *names, struct sql_error *error)
{
    json_t *name;
    size_t  i;
    bool    others;

    json_array_foreach((json_t *)(uintptr_t)names, i, name) {
        const char *text = json_string_value(name);

        if (!has_others(s, c, text, &others, error))
            return false;
        if (!others && (!server_run(s, error, "SET SESSION foreign_key_checks = 0") ||
                        !server_run(s, error, "DROP DATABASE IF EXISTS %s", server_name(text))))
            return false;
    }
    return true;
}

static bool
drop_accounts(struct server *s, const json_t *names, struct sql_error *error)
{
    json_t *name;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)names, i, name)
        if (!account_drop(s, json_string_value(name), error))
            return false;
    return true;
}

static bool
drop_schema(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "DROP DATABASE IF EXISTS shardd") &&
           server_run(s, error, "DROP DATABASE IF EXISTS " ROUTES_MOVE_SCHEMA) &&
           server_run(s, error, "DROP ROLE IF EXISTS shardd_committer") &&
           server_run(s, error, "DROP USER IF EXISTS " SCHEMA_SERVICE_USER "@'%%'");
}

static bool
undo_there(struct cluster *c, const json_t *undo, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    bool          ok;

    if (!server_open(&s, json_object_get(undo, "server"), error))
        return error->code == 1045; /* ours is the first thing that is made: there is nothing */
    ok = drop_databases(&s, c, json_object_get(undo, "their_databases"), error) &&
         drop_accounts(&s, json_object_get(undo, "their_users"), error) &&
         (!model_flag(undo, "schema") || drop_schema(&s, error)) &&
         account_drop(&s, "shardd_admin", error);
    server_close(&s);
    return ok;
}

static bool
undo_here(struct cluster *c, const json_t *undo, struct sql_error *error)
{
    json_t        *shards  = catalog_all(c->catalog, CATALOG_SHARD);
    struct server *servers = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*servers));
    size_t         n       = 0;
    bool           ok      = json_object_size(shards) == 0 ||
              admin_open_all(shards, servers, &n, error);

    for (size_t i = 0; ok && i < n; i++)
        ok = drop_databases(&servers[i], c, json_object_get(undo, "databases"), error) &&
             drop_accounts(&servers[i], json_object_get(undo, "users"), error);
    admin_close_all(servers, n);
    free(servers);
    json_decref(shards);
    return ok;
}

/* Records of releases before this one have the directory of a process of ours alone. */
static bool
undo_made(struct cluster *c, const json_t *undo, bool kept, struct sql_error *error)
{
    json_t    *made      = json_object_get(undo, "made");
    const char *directory = model_text(undo, "directory");
    struct err err;

    if (made)
        return cluster_remove_server(c, made, kept, &err) || job_fail(error, &err);
    return !directory[0] || local_remove_left(directory, &err) || job_fail(error, &err);
}

bool
shard_undo(struct cluster *c, const json_t *undo, struct sql_error *error)
{
    if (json_object_get(undo, "server"))
        return undo_here(c, undo, error) && undo_there(c, undo, error);
    return undo_made(c, undo, false, error);
}

static bool
go_on(struct cluster *c, const json_t *undo, struct sql_error *error)
{
    return json_object_get(undo, "made") ? shard_remove_servers(c, undo, error)
                                         : undo_made(c, undo, true, error);
}

enum job_state
shard_resume(struct cluster *c, json_t *record, struct sql_error *error)
{
    const json_t *undo   = json_object_get(record, "undo");
    bool          remove = strcmp(model_text(record, "what"), SHARD_REMOVE) == 0;
    json_t       *shard  = undo ? cluster_shard_by_id(c, model_number(undo, "id")) : NULL;
    enum job_state end   = JOB_FAILED;

    if (shard && !remove)
        end = complete(c, record, shard, error);
    else if (undo && !shard)
        end = !(remove ? go_on(c, undo, error) : shard_undo(c, undo, error))
                  ? JOB_STUCK : remove ? JOB_DONE : JOB_FAILED;
    json_decref(shard);
    return end;
}
