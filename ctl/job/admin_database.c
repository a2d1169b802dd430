/* admin_database.c - databases exist on every shard; their global tables on their home. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/job/lookup.h"
#include "ctl/job/moving.h"
#include "ctl/provision/schema.h"

enum { DB_CREATE_EXISTS = 1007, DB_DROP_EXISTS = 1008, WRONG_DB_NAME = 1102 };

static const char *const own_names[] = { "mysql", "information_schema", "performance_schema",
                                         "sys", "shardd", "shardd_probe",
                                         ROUTES_MOVE_SCHEMA, ROUTES_LOOKUP_SCHEMA };

bool
admin_open_all(const json_t *shards, struct server *out, size_t *n, struct sql_error *error)
{
    const char *id;
    json_t     *shard;

    *n = 0;
    json_object_foreach((json_t *)(uintptr_t)shards, id, shard) {
        out[*n] = (struct server){ .mysql = NULL };
        if (!server_open(&out[*n], shard, error)) {
            admin_close_all(out, *n);
            return false;
        }
        ++*n;
    }
    return *n > 0 || sql_error_set(error, SQL_UNKNOWN_ERROR,
                                   "shardd: there is no shard yet; add one with "
                                   "'shardctl shard add'");
}

void
admin_close_all(struct server *servers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        server_close(&servers[i]);
}

/* The shard id of the home: the named one, or the one with the fewest databases. */
static bool
choose_home(struct cluster *c, const char *name, const json_t *shards, int64_t *home,
            struct sql_error *error)
{
    json_t     *databases = catalog_all(c->catalog, CATALOG_DATABASE), *shard, *database;
    const char *id, *key;
    size_t      fewest = SIZE_MAX;

    *home = 0;
    json_object_foreach((json_t *)(uintptr_t)shards, id, shard) {
        size_t n = 0;

        json_object_foreach(databases, key, database)
            n += model_number(database, "home") == model_number(shard, "id");
        if (name ? strcmp(name, model_text(shard, "name")) == 0 : n < fewest) {
            fewest = n;
            *home  = model_number(shard, "id");
        }
    }
    json_decref(databases);
    return *home != 0 || sql_error_set(error, SQL_UNKNOWN_ERROR,
                                       "shardd: there is no shard named %s; see "
                                       "'shardctl shard list'", name ? name : "");
}

static bool
name_ok(const char *name, struct sql_error *error)
{
    for (size_t i = 0; i < countof(own_names); i++)
        if (strcasecmp(name, own_names[i]) == 0)
            return sql_error_set(error, DB_CREATE_EXISTS,
                                 "Can't create database '%s'; database exists", name);
    if (name[0] == '\0' || name[strlen(name) - 1] == ' ' || strlen(name) > 256)
        return sql_error_set(error, WRONG_DB_NAME, "Incorrect database name '%.64s'", name);
    return true;
}

static bool
grant_all(struct server *s, const json_t *users, const char *name, struct sql_error *error)
{
    const char *user;
    json_t     *object;

    json_object_foreach((json_t *)(uintptr_t)users, user, object)
        if (!json_object_get(object, "grants") && !account_grant(s, user, name, error))
            return false;
    return true;
}

/* CREATE and ALTER DATABASE. */
static bool
say_options(struct server *s, const char *verb, const char *name,
            const struct database_options *o, struct sql_error *error)
{
    if (o->words)
        return server_run(s, error, "%s DATABASE %s %s", verb, server_name(name), o->words);
    return server_run(s, error, "%s DATABASE %s%s%s%s%s", verb, server_name(name),
                      o->charset ? " CHARACTER SET " : "",
                      o->charset ? server_text(o->charset) : "",
                      o->collation ? " COLLATE " : "",
                      o->collation ? server_text(o->collation) : "");
}

static bool
create_on(struct server *s, const char *name, const struct database_options *o,
          const json_t *users, struct sql_error *error)
{
    return say_options(s, "CREATE", name, o, error) && grant_all(s, users, name, error);
}

static json_t *
describe(struct server *s, const char *name, const char *policy, int64_t home,
         struct sql_error *error)
{
    char collation[128], id[16];

    if (!server_value(s, collation, sizeof(collation), error,
                      "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
                      " WHERE SCHEMA_NAME = %s", server_text(name)) ||
        !server_value(s, id, sizeof(id), error, "SELECT ID FROM information_schema.COLLATIONS"
                      " WHERE COLLATION_NAME = %s", server_text(collation)))
        return NULL;
    return json_pack("{s:s, s:s, s:I, s:s, s:i}", "name", name, "policy", policy, "home",
                     (json_int_t)home, "collation", collation, "collation_id", atoi(id));
}

static bool
record(struct cluster *c, const char *who, const char *name, json_t *object,
       struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);

    catalog_put(change, CATALOG_DATABASE, name, object, CATALOG_NEW);
    cluster_bump(c, change, "generation");
    return job_commit(change, error);
}

/* Everything but the job around it. */
static bool
create(struct job *job, const char *who, const char *name, const struct database_options *o,
       struct sql_error *error)
{
    struct cluster *c      = job->cluster;
    json_t         *shards = catalog_all(c->catalog, CATALOG_SHARD);
    json_t         *users  = catalog_all(c->catalog, CATALOG_USER), *object = NULL;
    struct server   servers[ROUTES_SHARDS_MAX];
    struct sql_error ignored;
    size_t          n = 0, made = 0;
    int64_t         home;
    bool            ok = choose_home(c, o->home, shards, &home, error) &&
              admin_open_all(shards, servers, &n, error);

    for (; ok && made < n; made += ok) {
        ok = create_on(&servers[made], name, o, users, error);
        if (ok)
            job_note(job, "created on %s", servers[made].name);
    }
    if (ok)
        object = describe(&servers[0], name, o->policy ? o->policy : "auto", home, error);
    ok = object && record(c, who, name, object, error);
    for (size_t i = 0; !ok && i < made; i++)
        if (server_run(&servers[i], &ignored, "DROP DATABASE IF EXISTS %s", server_name(name)))
            job_note(job, "undone on %s", servers[i].name);
    admin_close_all(servers, n);
    json_decref(object);
    json_decref(shards);
    json_decref(users);
    return ok;
}

bool
admin_database_create(struct cluster *c, const char *who, const char *name,
                      const struct database_options *options, unsigned *warnings,
                      struct sql_error *error)
{
    struct job job;
    json_t    *there;
    struct err ignored;
    bool       ok;

    if (warnings)
        *warnings = 0;
    if (options->policy && strcmp(options->policy, "auto") != 0 &&
        strcmp(options->policy, "global") != 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: a database's policy is auto or global");
    if (!name_ok(name, error) ||
        !job_begin(&job, c, "database", who, "CREATE DATABASE", name, "", error))
        return false;
    there = catalog_get(c->catalog, CATALOG_DATABASE, name, NULL);
    if (there) {
        json_decref(there);
        ok = options->if_not_exists;
        if (ok && warnings)
            *warnings = 1;
        if (!ok)
            sql_error_set(error, DB_CREATE_EXISTS,
                          "Can't create database '%s'; database exists", name);
    } else {
        ok = create(&job, who, name, options, error);
        if (ok)
            cluster_publish(c, &ignored);
    }
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* They are known by their words alone: no engine has them with the collation that they keep. */
static void
keep_procedures(json_t *fresh, json_t *procedures)
{
    json_t     *all = json_deep_copy(procedures), *one;
    const char *name;

    json_object_foreach(all, name, one) {
        json_object_del(one, "reads");
        json_object_del(one, "text");
        json_object_del(one, "body");
    }
    if (all)
        json_object_set_new(fresh, "procedures", all);
}

static bool
alter(struct job *job, const char *who, json_t *object, const struct database_options *o,
      struct sql_error *error)
{
    struct cluster        *c      = job->cluster;
    const char            *name   = model_text(object, "name");
    json_t                *shards = catalog_all(c->catalog, CATALOG_SHARD), *fresh = NULL;
    struct server          servers[ROUTES_SHARDS_MAX];
    struct catalog_change *change;
    size_t                 n  = 0;
    bool                   ok = admin_open_all(shards, servers, &n, error);

    for (size_t i = 0; ok && i < n; i++)
        ok = say_options(&servers[i], "ALTER", name, o, error);
    if (ok)
        fresh = describe(&servers[0], name, model_text(object, "policy"),
                         model_number(object, "home"), error);
    if (fresh) {
        /* Functions with texts keep the collation they were made with, which no engine would know:
         * they are of a class that is not known, until they are made again. */
        json_object_set(fresh, "code", json_object_get(object, "code"));
        json_object_set(fresh, "consistency", json_object_get(object, "consistency"));
        keep_procedures(fresh, json_object_get(object, "procedures"));
        if (json_object_size(json_object_get(object, "functions")) > 0)
            json_object_set_new(fresh, "code", json_true());
        change = catalog_begin(c->catalog, who);
        catalog_put(change, CATALOG_DATABASE, name, fresh, CATALOG_ANY);
        cluster_bump(c, change, "generation");
        ok = job_commit(change, error);
    }
    admin_close_all(servers, n);
    json_decref(shards);
    json_decref(fresh);
    return ok && fresh;
}

bool
admin_database_alter(struct cluster *c, const char *who, const char *name,
                     const struct database_options *options, struct sql_error *error)
{
    struct job job;
    struct err ignored;
    json_t    *object;
    bool       ok;

    if (!options->charset && !options->collation && !options->words)
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: ALTER DATABASE changes CHARACTER SET and COLLATE only");
    if (!job_begin(&job, c, "database", who, "ALTER DATABASE", name, "", error))
        return false;
    object = catalog_get(c->catalog, CATALOG_DATABASE, name, NULL);
    ok     = object ? alter(&job, who, object, options, error)
                    : sql_error_set(error, 1049, "Unknown database '%s'", name);
    if (ok)
        cluster_publish(c, &ignored);
    json_decref(object);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* Last: until then the job can be repeated. */
static bool
forget(struct cluster *c, const char *who, const char *name, const json_t *tables,
       struct sql_error *error)
{
    struct catalog_change *change  = catalog_begin(c->catalog, who);
    json_t                *lookups = json_object(), *table;
    const char            *key;

    json_object_foreach((json_t *)(uintptr_t)tables, key, table)
        if (strcmp(model_text(table, "database"), name) == 0) {
            catalog_remove(change, CATALOG_TABLE, key, CATALOG_ANY);
            lookup_forget(table, lookups);
        }
    json_object_foreach(lookups, key, table)
        catalog_remove(change, CATALOG_TABLE, key, CATALOG_ANY);
    catalog_remove(change, CATALOG_DATABASE, name, CATALOG_ANY);
    cluster_bump(c, change, "generation");
    json_decref(lookups);
    return job_commit(change, error);
}

/* A table that stays is only one too many, which fsck tells. */
static void
drop_lookups(struct job *job, struct server *servers, size_t n, const char *database,
             const json_t *tables)
{
    struct sql_error ignored;
    const char      *key;
    json_t          *table;

    json_object_foreach((json_t *)(uintptr_t)tables, key, table)
        for (size_t i = 0; i < n; i++)
            if (strcmp(model_text(table, "database"), database) == 0 &&
                !lookup_drop_tables(&servers[i], table, &ignored))
                job_note(job, "a lookup's table stays on %s", servers[i].name);
}

static enum job_state
drop(struct job *job, const char *who, const char *name, struct sql_error *error)
{
    struct cluster *c      = job->cluster;
    json_t         *shards = catalog_all(c->catalog, CATALOG_SHARD);
    json_t         *tables = catalog_all(c->catalog, CATALOG_TABLE);
    struct server   servers[ROUTES_SHARDS_MAX];
    size_t          n     = 0, done = 0;
    enum job_state  state = JOB_FAILED;
    struct err      ignored;

    if (admin_open_all(shards, servers, &n, error)) {
        for (; done < n; done++) {
            if (!server_run(&servers[done], error, "SET foreign_key_checks = 0") ||
                !server_run(&servers[done], error, "DROP DATABASE IF EXISTS %s",
                            server_name(name)))
                break;
            job_note(job, "dropped on %s", servers[done].name);
        }
        state = done == 0 ? JOB_FAILED : JOB_STUCK;
        if (done == n && forget(c, who, name, tables, error)) {
            cluster_publish(c, &ignored);
            drop_lookups(job, servers, n, name, tables);
            state = JOB_DONE;
        }
        admin_close_all(servers, n);
    }
    json_decref(shards);
    json_decref(tables);
    return state;
}

bool
admin_database_drop(struct cluster *c, const char *who, const char *name, bool if_exists,
                    unsigned *warnings, struct sql_error *error)
{
    struct job     job;
    json_t        *there;
    enum job_state state = JOB_DONE;

    if (warnings)
        *warnings = 0;
    if (!job_begin(&job, c, "database", who, "DROP DATABASE", name, "", error))
        return false;
    there = catalog_get(c->catalog, CATALOG_DATABASE, name, NULL);
    if (there) {
        json_decref(there);
        state = moving_allows(c, name, NULL, error) ? drop(&job, who, name, error) : JOB_FAILED;
    } else if (if_exists) {
        if (warnings)
            *warnings = 1;
    } else {
        state = JOB_FAILED;
        sql_error_set(error, DB_DROP_EXISTS,
                      "Can't drop database '%s'; database doesn't exist", name);
    }
    job_end(&job, state, error);
    return state == JOB_DONE;
}

/* On how many shards it is, and how many tables are in it there. */
static bool
count_database(struct server *servers, size_t n, const char *name, size_t *shards, size_t *tables,
               struct sql_error *error)
{
    char text[24];

    *shards = *tables = 0;
    for (size_t i = 0; i < n; i++) {
        if (!server_value(&servers[i], text, sizeof(text), error,
                          "SELECT COUNT(*) FROM information_schema.SCHEMATA"
                          " WHERE SCHEMA_NAME = %s", server_text(name)))
            return false;
        *shards += strcmp(text, "0") != 0;
        if (!server_value(&servers[i], text, sizeof(text), error,
                          "SELECT COUNT(*) FROM information_schema.TABLES"
                          " WHERE TABLE_SCHEMA = %s", server_text(name)))
            return false;
        *tables += strcmp(text, "0") != 0;
    }
    return true;
}

enum job_state
admin_database_resume(struct cluster *c, const char *what, const char *name,
                      struct sql_error *error)
{
    json_t        *known  = catalog_get(c->catalog, CATALOG_DATABASE, name, NULL);
    json_t        *shards = catalog_all(c->catalog, CATALOG_SHARD), *tables_of;
    struct server  servers[ROUTES_SHARDS_MAX];
    size_t         n = 0, on, tables;
    bool           create = strcmp(what, "CREATE DATABASE") == 0, ok;
    bool           drop   = strcmp(what, "DROP DATABASE") == 0;
    enum job_state end    = JOB_FAILED;

    ok = admin_open_all(shards, servers, &n, error) &&
         count_database(servers, n, name, &on, &tables, error);
    if (!ok || (!create && !drop) || (create && !known && tables > 0)) {
        end = JOB_STUCK;
    } else if ((create && !known) || (drop && known && on < n)) {
        /* Never promised to anybody, or given up: what is left of it goes. */
        for (size_t i = 0; ok && i < n; i++)
            ok = server_run(&servers[i], error, "SET foreign_key_checks = 0") &&
                 server_run(&servers[i], error, "DROP DATABASE IF EXISTS %s", server_name(name));
        tables_of = catalog_all(c->catalog, CATALOG_TABLE);
        ok        = ok && (!drop || forget(c, "controller", name, tables_of, error));
        json_decref(tables_of);
        end = !ok ? JOB_STUCK : drop ? JOB_DONE : JOB_FAILED;
    }
    admin_close_all(servers, n);
    json_decref(shards);
    json_decref(known);
    return end;
}

bool
admin_consistency_ok(const char *word, struct sql_error *error)
{
    enum consistency c = model_consistency(word);

    return strcmp(word, "default") == 0 || (c != CONSISTENCY_UNSET && c < CONSISTENCIES) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: consistency is strong, causal, "
                         "eventual or default, not '%.40s'", word);
}

static bool
put_consistency(struct cluster *c, const char *who, const char *name, json_t *database,
                const char *word, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);
    struct err             err;

    model_set(database, "consistency", strcmp(word, "default") == 0 ? "" : word);
    catalog_put(change, CATALOG_DATABASE, name, database, CATALOG_ANY);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return false;
    return cluster_publish(c, &err) || job_fail(error, &err);
}

bool
admin_database_consistency(struct cluster *c, const char *who, const char *name,
                           const char *consistency, struct sql_error *error)
{
    struct job job;
    json_t    *database;
    bool       ok;

    if (!admin_consistency_ok(consistency, error) ||
        !job_begin(&job, c, "database", who, DATABASE_CHANGE, name, "", error))
        return false;
    database = catalog_get(c->catalog, CATALOG_DATABASE, name, NULL);
    ok       = database ? put_consistency(c, who, name, database, consistency, error)
                        : sql_error_set(error, 1049, "Unknown database '%s'", name);
    json_decref(database);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
