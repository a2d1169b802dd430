/* release.c - see release.h: everything global, and accounts for applications. */
#include "ctl/job/release.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/lookup.h"
#include "ctl/job/moving.h"
#include "ctl/provision/fence.h"
#include "ctl/provision/schema.h"

enum { FENCE_MS = 5000, DRAIN_MS = 5000, LOCK_S = 3 };

/* --- may it go ------------------------------------------------------------------- */

static bool
without_lookups(struct cluster *c, struct sql_error *error)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_TABLE), *table;
    const char *name;
    bool        ok = true;

    json_object_foreach(all, name, table)
        ok = ok && !lookup_forbids(table, "a server that applications use by themselves", error);
    json_decref(all);
    return ok;
}

/* The shard, to be owned; NULL: it is not the last one, or ours. */
static json_t *
last_one(struct cluster *c, const char *name, struct sql_error *error)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_SHARD), *one;
    json_t     *shard = cluster_need_shard(c, name, error);
    const char *id, *other = NULL;
    bool        ok = shard != NULL;

    json_object_foreach(all, id, one)
        if (!other && strcmp(model_text(one, "name"), name) != 0)
            other = model_text(one, "name");
    if (ok && other)
        ok = sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: a server that is released must have "
                           "everything, and there is the shard %s as well: 'shardctl shard drain "
                           "%s --to %s --no-reverse --wait' first", other, other, name);
    else if (ok && strcmp(model_text(shard, "provisioner"), "static") != 0)
        ok = sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: %s is a server of shardd's own, "
                           "which would end with it; adopt a server of yours ('shardctl shard "
                           "add --adopt HOST:PORT'), and drain %s to it", name, name);
    json_decref(all);
    if (!ok) {
        json_decref(shard);
        return NULL;
    }
    if (!without_lookups(c, error)) {
        json_decref(shard);
        return NULL;
    }
    return shard;
}

/* --- everything is global --------------------------------------------------------- */

static bool
is_spread(const json_t *table)
{
    const char *kind = model_text(table, "kind");

    return strcmp(kind, "global") != 0 &&
           (strcmp(kind, "view") != 0 || strcmp(model_text(table, "view_kind"), "global") != 0);
}

static void
put_global(struct catalog_change *change, const char *name, json_t *table)
{
    if (strcmp(model_text(table, "kind"), "view") == 0) {
        model_set(table, "view_kind", "global");
        json_object_del(table, "expands");
    } else
        model_set(table, "kind", "global");
    model_set(table, "key", NULL);
    model_set(table, "reason", "its server was released");
    model_set(table, "remedy", NULL);
    json_object_del(table, "sequence");
    catalog_put(change, CATALOG_TABLE, name, table, CATALOG_ANY);
}

/* New tables are global as well, from now on. */
static bool
record_global(struct cluster *c, json_t *tables, json_t *shard, struct sql_error *error)
{
    json_t                *all    = catalog_all(c->catalog, CATALOG_DATABASE), *object;
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    const char            *name;
    char                   id[24];

    json_object_foreach(tables, name, object)
        if (is_spread(object))
            put_global(change, name, object);
    json_object_foreach(all, name, object) {
        model_set(object, "policy", "global");
        catalog_put(change, CATALOG_DATABASE, name, object, CATALOG_ANY);
    }
    json_object_set_new(shard, "released", json_true());
    snprintf(id, sizeof(id), "%lld", (long long)model_number(shard, "id"));
    catalog_put(change, CATALOG_SHARD, id, shard, CATALOG_ANY);
    fence_put(change, NULL);
    cluster_bump(c, change, "generation");
    json_decref(all);
    return job_commit(change, error);
}

/* The server numbers rows behind all that the sequences gave out. */
static bool
count_on(struct server *s, const json_t *table, struct sql_error *error)
{
    char next[32] = "";

    if (model_number(table, "sequence") == 0)
        return true;
    return server_value(s, next, sizeof(next), error,
                        "SELECT next_value FROM shardd.sequence WHERE id = %lld",
                        (long long)model_number(table, "sequence")) &&
           (!next[0] || server_run(s, error, "ALTER TABLE %s.%s AUTO_INCREMENT = %s",
                                   server_name(model_text(table, "database")),
                                   server_name(model_text(table, "name")), next));
}

static bool
change_fenced(struct cluster *c, struct server *s, json_t *tables, json_t *shard,
              struct sql_error *error)
{
    const char *name;
    json_t     *table;

    json_object_foreach(tables, name, table)
        if (is_spread(table) && !count_on(s, table, error))
            return false;
    return record_global(c, tables, shard, error);
}

/* Statements on these tables wait meanwhile; `*n` gets how many there are. */
static bool
all_global(struct cluster *c, struct server *s, json_t *shard, unsigned *n,
           struct sql_error *error)
{
    json_t      *tables = catalog_all(c->catalog, CATALOG_TABLE), *table, *names = json_array();
    json_t      *ids = json_pack("[O]", json_object_get(shard, "id"));
    const char  *name;
    struct fence fence = { .tables = names, .shards = ids };
    struct err   err;
    bool         ok = true;

    json_object_foreach(tables, name, table)
        if (is_spread(table))
            json_array_append_new(names, json_string_nocheck(name));
    *n = (unsigned)json_array_size(names);
    if (*n > 0 && fence_raise(c, &fence, FENCE_MS, NULL, &err) != FENCE_UP)
        ok = job_fail(error, &err);
    if (ok) {
        ok = change_fenced(c, s, tables, shard, error);
        if (!ok && !fence_lower(c, 0, &err))
            log_error("release: %s", err.text);
        ok = ok && (cluster_publish(c, &err) || job_fail(error, &err));
    }
    json_decref(ids);
    json_decref(names);
    json_decref(tables);
    return ok;
}

/* --- accounts --------------------------------------------------------------------- */

static void
note(json_t *notes, const char *fmt, const char *what)
{
    char text[400];

    snprintf(text, sizeof(text), fmt, what);
    json_array_append_new(notes, json_string_nocheck(text));
}

/* 'name'@'%' with the user's own password and rights, where the server has none. */
static bool
give_account(struct server *s, const json_t *user, const json_t *databases, json_t *notes,
             struct sql_error *error)
{
    const char *name = model_text(user, "name");
    char        there[8], way[160];
    json_t     *fresh;
    bool        ok;

    if (!server_value(s, there, sizeof(there), error, "SELECT COUNT(*) FROM mysql.global_priv"
                      " WHERE User = %s AND Host = '%%'", server_text(name)))
        return false;
    if (strcmp(there, "0") != 0)
        return true;
    user_identified(user, way);
    if (!way[0]) {
        note(notes, "the user %s cannot log in there with its password: make an account for it "
                    "with CREATE USER", name);
        return true;
    }
    fresh = json_deep_copy(user);
    json_object_set_new(fresh, "admin", json_false());
    ok = account_ensure(s, fresh, databases, error) &&
         server_run(s, error, "ALTER USER %s IDENTIFIED VIA %s", account_name(s, name), way) &&
         server_run(s, error, "REVOKE shardd_committer FROM %s", account_name(s, name));
    json_decref(fresh);
    return ok;
}

static bool
give_accounts(struct cluster *c, const json_t *shard, json_t *notes, struct sql_error *error)
{
    json_t       *users     = catalog_all(c->catalog, CATALOG_USER), *user;
    json_t       *databases = catalog_all(c->catalog, CATALOG_DATABASE);
    struct server s  = { .mysql = NULL };
    const char   *name;
    bool          ok = server_open(&s, shard, error);

    s.account_host = "%";
    json_object_foreach(users, name, user)
        ok = ok && give_account(&s, user, databases, notes, error);
    server_close(&s);
    json_decref(users);
    json_decref(databases);
    return ok;
}

/* --- all of it -------------------------------------------------------------------- */

static json_t *
answer_of(const json_t *shard, unsigned n_tables, json_t *notes)
{
    char address[300];

    snprintf(address, sizeof(address), "%.250s:%lld", model_text(shard, "host"),
             (long long)model_number(shard, "port"));
    return json_pack("{s:s, s:i, s:O}", "address", address, "tables", (int)n_tables, "notes",
                     notes);
}

static bool
release(struct job *job, const char *name, json_t **answer, struct sql_error *error)
{
    struct cluster *c     = job->cluster;
    json_t         *shard = last_one(c, name, error), *notes = json_array();
    struct server   s     = { .mysql = NULL };
    unsigned        n     = 0;
    bool            ok;

    ok = shard && moving_allows_shards(c, "a server is released", error) &&
         server_open(&s, shard, error) &&
         server_run(&s, error, "SET SESSION lock_wait_timeout = %d", LOCK_S) &&
         all_global(c, &s, shard, &n, error) && give_accounts(c, shard, notes, error);
    server_close(&s);
    if (ok)
        *answer = answer_of(shard, n, notes);
    json_decref(notes);
    json_decref(shard);
    return ok;
}

json_t *
release_shard(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job job;
    json_t    *answer = NULL;
    bool       ok;

    if (!job_begin(&job, c, "release", who, "release a server", "", "", error))
        return NULL;
    ok = release(&job, name, &answer, error);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return answer;
}

/* --- forgetting ------------------------------------------------------------------- */

/* Was the account there before shardd came, or does a view or routine run by it? */
static bool
is_needed(struct server *s, const json_t *shard, const char *name, bool *yes,
          struct sql_error *error)
{
    json_t *own = json_object_get(shard, "own_users"), *one;
    char    definer[400], n[24];
    size_t  i;

    *yes = own == NULL; /* adopted when nobody took notes */
    json_array_foreach(own, i, one)
        *yes = *yes || strcmp(json_string_value(one), name) == 0;
    if (*yes)
        return true;
    snprintf(definer, sizeof(definer), "%.150s@%.200s", name, s->account_host);
    if (!server_value(s, n, sizeof(n), error, "SELECT"
                      " (SELECT COUNT(*) FROM information_schema.VIEWS WHERE DEFINER = %s)"
                      " + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE DEFINER = %s)"
                      " + (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE DEFINER = %s)"
                      " + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE DEFINER = %s)",
                      server_text(definer), server_text(definer), server_text(definer),
                      server_text(definer)))
        return false;
    *yes = strcmp(n, "0") != 0;
    return true;
}

/* Ours would stand before the server's own account of that name. */
static bool
forget_account(struct server *s, const json_t *shard, const json_t *user,
               struct sql_error *error)
{
    const char *name = model_text(user, "name");
    char        there[8], way[160];
    bool        needed;

    if (!server_value(s, there, sizeof(there), error, "SELECT COUNT(*) FROM mysql.global_priv"
                      " WHERE User = %s AND Host = %s", server_text(name),
                      server_text(s->account_host)))
        return false;
    if (strcmp(there, "0") == 0)
        return true;
    user_identified(user, way);
    if (!is_needed(s, shard, name, &needed, error))
        return false;
    return needed && way[0] ? server_run(s, error, "ALTER USER %s IDENTIFIED VIA %s",
                                         account_name(s, name), way)
                            : server_run(s, error, "DROP USER %s", account_name(s, name));
}

/* What shardd made there; the account that we come by is the last. May be repeated as long as
 * that is there. */
static bool
clean_server(const json_t *shard, const json_t *users, struct sql_error *error)
{
    static const char *const statements[] = {
        "DROP DATABASE IF EXISTS " ROUTES_MOVE_SCHEMA, "DROP DATABASE IF EXISTS shardd_probe",
        "DROP DATABASE IF EXISTS shardd", "DROP ROLE IF EXISTS shardd_committer",
        "DROP USER IF EXISTS '" SCHEMA_SERVICE_USER "'@'%'",
    };
    struct server s = { .mysql = NULL };
    const char   *name;
    json_t       *user;
    bool          ok = server_open(&s, shard, error);

    json_object_foreach((json_t *)(uintptr_t)users, name, user)
        ok = ok && forget_account(&s, shard, user, error);
    for (size_t i = 0; ok && i < countof(statements); i++)
        ok = server_run(&s, error, "%s", statements[i]);
    ok = ok && server_run(&s, error, "DROP USER IF EXISTS %s",
                          account_name(&s, model_text(shard, "user")));
    server_close(&s);
    return ok;
}

static const enum catalog_kind forgotten[] = { CATALOG_TABLE, CATALOG_DATABASE, CATALOG_SHARD,
                                               CATALOG_RANGES };

static bool
forget_catalog(struct cluster *c, const char *who, struct sql_error *error)
{
    json_t                *all[countof(forgotten)], *object;
    struct catalog_change *change;
    const char            *name;
    struct err             err;

    for (size_t i = 0; i < countof(forgotten); i++) /* not while a change is being made */
        all[i] = catalog_all(c->catalog, forgotten[i]);
    change = catalog_begin(c->catalog, who);
    for (size_t i = 0; i < countof(forgotten); i++) {
        json_object_foreach(all[i], name, object)
            catalog_remove(change, forgotten[i], name, CATALOG_ANY);
        json_decref(all[i]);
    }
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return false;
    if (!cluster_publish(c, &err))
        return job_fail(error, &err);
    publish_drained(c->publisher, DRAIN_MS);
    return true;
}

/* The record keeps what a later controller needs to clean up. */
static bool
forget(struct job *job, const char *who, const char *name, json_t **answer,
       struct sql_error *error)
{
    struct cluster *c     = job->cluster;
    json_t         *shard = last_one(c, name, error), *users, *none = json_array();
    bool            ok    = shard != NULL;

    if (ok && !model_flag(shard, "released"))
        ok = sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: %s serves applications through "
                           "shardd only; 'shardctl shard release %s' first", name, name);
    users = catalog_all(c->catalog, CATALOG_USER);
    if (ok) {
        json_object_set_new(job->record, "undo", json_pack("{s:O}", "server", shard));
        ok = job_write(job, error) && forget_catalog(c, who, error) &&
             clean_server(shard, users, error);
    }
    if (ok) {
        *answer = answer_of(shard, 0, none);
        json_object_del(job->record, "undo");
    }
    json_decref(none);
    json_decref(users);
    json_decref(shard);
    return ok;
}

json_t *
release_forget(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job job;
    json_t    *answer = NULL;
    bool       ok, begun;

    if (!job_begin(&job, c, "release", who, RELEASE_FORGET, "", "", error))
        return NULL;
    ok    = forget(&job, who, name, &answer, error);
    begun = json_object_get(job.record, "undo") != NULL;
    job_end(&job, ok ? JOB_DONE : begun ? JOB_STUCK : JOB_FAILED, error);
    return answer;
}

enum job_state
release_resume(struct cluster *c, const json_t *record, struct sql_error *error)
{
    const json_t *shard = json_object_get(json_object_get(record, "undo"), "server");
    json_t       *users, *still;
    bool          ok;

    if (strcmp(model_text(record, "what"), RELEASE_FORGET) != 0 || !shard) {
        struct err err;

        /* Between the fence and the change: nothing has changed, and nothing may wait. */
        return fence_lower(c, 0, &err) ? JOB_FAILED : JOB_STUCK;
    }
    still = cluster_shard(c, model_text(shard, "name"));
    if (still) { /* the catalog had not forgotten it: nothing has changed */
        json_decref(still);
        return JOB_FAILED;
    }
    users = catalog_all(c->catalog, CATALOG_USER);
    ok    = clean_server(shard, users, error);
    json_decref(users);
    return ok ? JOB_DONE : JOB_STUCK;
}
