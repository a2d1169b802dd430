/* api_objects.c - databases, tables and users as REST objects. */
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl.h"

static json_t *
shard_name_of(struct cluster *c, int64_t id)
{
    json_t *shard = cluster_shard_by_id(c, id);
    json_t *name  = shard ? json_incref(json_object_get(shard, "name")) : json_null();

    json_decref(shard);
    return name;
}

/* A database with names in place of ids, and how many tables of which kind. */
static json_t *
show_database(struct cluster *c, json_t *database, json_t *tables)
{
    json_t     *out = json_copy(database), *table;
    int         counts[TABLE_VIEW + 1] = { 0 };
    const char *key;

    json_object_foreach(tables, key, table)
        if (strcmp(model_text(table, "database"), model_text(database, "name")) == 0)
            counts[model_kind(model_text(table, "kind"), TABLE_GLOBAL)]++;
    json_object_set_new(out, "home", shard_name_of(c, model_number(database, "home")));
    for (int kind = TABLE_GLOBAL; kind <= TABLE_VIEW; kind++)
        json_object_set_new(out, model_kind_name((enum table_kind)kind),
                            json_integer(counts[kind]));
    json_object_del(out, "collation_id");
    return out;
}

unsigned
api_database_list(struct request *r)
{
    json_t     *all    = catalog_all(r->cluster->catalog, CATALOG_DATABASE), *database;
    json_t     *tables = catalog_all(r->cluster->catalog, CATALOG_TABLE);
    json_t     *list   = json_array();
    const char *name;

    json_object_foreach(all, name, database)
        json_array_append_new(list, show_database(r->cluster, database, tables));
    json_decref(all);
    json_decref(tables);
    r->answer = json_pack("{s:o}", "databases", list);
    return 200;
}

/* A table without what only the routing code needs. */
static json_t *
show_table(struct cluster *c, json_t *table, bool columns)
{
    json_t *out = json_copy(table);
    json_t *database;

    if (!columns)
        json_object_del(out, "columns");
    database = catalog_get(c->catalog, CATALOG_DATABASE, model_text(table, "database"), NULL);
    json_object_set_new(out, "home", shard_name_of(c, model_number(database, "home")));
    json_decref(database);
    return out;
}

/* Of one database, or with NULL of all. */
static json_t *
show_tables(struct cluster *c, const json_t *tables, const char *wanted)
{
    json_t     *list = json_array(), *table;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)tables, key, table)
        if (!wanted || strcmp(wanted, model_text(table, "database")) == 0)
            json_array_append_new(list, show_table(c, table, false));
    return list;
}

unsigned
api_database_show(struct request *r)
{
    json_t *database = catalog_get(r->cluster->catalog, CATALOG_DATABASE, r->part[1], NULL);
    json_t *tables;

    if (!database)
        return request_no_such(r, "database", r->part[1]);
    tables    = catalog_all(r->cluster->catalog, CATALOG_TABLE);
    r->answer = show_database(r->cluster, database, tables);
    json_object_set_new(r->answer, "tables", show_tables(r->cluster, tables, r->part[1]));
    json_decref(database);
    json_decref(tables);
    return 200;
}

unsigned
api_database_create(struct request *r)
{
    struct database_options options = {
        .policy = request_text(r, "policy"), .home = request_text(r, "home"),
        .collation = request_text(r, "collation"), .charset = request_text(r, "charset"),
    };
    const char      *name = request_text(r, "name");
    struct sql_error error;

    if (!name)
        return request_refuse(r, 400, "the body lacks \"name\"");
    return request_done(
        r, admin_database_create(r->cluster, r->who, name, &options, NULL, &error), &error);
}

unsigned
api_database_set(struct request *r)
{
    struct sql_error error;

    return request_done(r, admin_database_consistency(r->cluster, r->who, r->part[1],
                                                      request_text(r, "consistency"), &error),
                        &error);
}

unsigned
api_database_drop(struct request *r)
{
    struct sql_error error;

    return request_done(
        r, admin_database_drop(r->cluster, r->who, r->part[1], false, NULL, &error), &error);
}

unsigned
api_table_list(struct request *r)
{
    json_t     *all    = catalog_all(r->cluster->catalog, CATALOG_TABLE);
    const char *wanted = json_string_value(json_object_get(r->query, "database"));
    unsigned    status = 200;

    if (wanted && !request_knows_database(r, wanted))
        status = request_no_such(r, "database", wanted);
    else
        r->answer = json_pack("{s:o}", "tables", show_tables(r->cluster, all, wanted));
    json_decref(all);
    return status;
}

unsigned
api_table_show(struct request *r)
{
    char   *name  = catalog_table_name(r->part[1], r->part[2]);
    json_t *table = catalog_get(r->cluster->catalog, CATALOG_TABLE, name, NULL);

    free(name);
    if (!table)
        return request_no_such(r, "table", r->part[2]);
    r->answer = show_table(r->cluster, table, true);
    json_decref(table);
    return 200;
}

/* Nothing that could be used to log in. */
static void
show_user(json_t *user)
{
    struct buf limits = { 0 };

    user_limits_text(user, &limits);
    json_object_del(user, "secret");
    json_object_set_new(user, "plugin", json_string(auth_plugin_name(model_plugin(user))));
    json_object_set_new(user, "old_password",
                        json_boolean(model_text(user, "old_verifier")[0] != 0));
    json_object_del(user, "verifier");
    json_object_del(user, "old_verifier");
    json_object_set_new(user, "token", json_boolean(model_text(user, "token")[0] != 0));
    json_object_set_new(user, "locked", json_boolean(model_flag(user, "locked")));
    json_object_del(user, "uneven");
    for (size_t i = 0; i < LIMITS_N; i++)
        json_object_set_new(user, user_limits[i].key,
                            json_integer(model_number(user, user_limits[i].key)));
    json_object_set_new(user, "limits",
                        buf_len(&limits) ? json_string(buf_cstr(&limits)) : json_null());
    buf_fini(&limits);
}

unsigned
api_user_show(struct request *r)
{
    json_t *user = catalog_get(r->cluster->catalog, CATALOG_USER, r->part[1], NULL);

    if (!user)
        return request_no_such(r, "user", r->part[1]);
    show_user(user);
    r->answer = user;
    return 200;
}

unsigned
api_user_list(struct request *r)
{
    json_t     *all = catalog_all(r->cluster->catalog, CATALOG_USER), *user;
    json_t     *list = json_array();
    const char *name;

    json_object_foreach(all, name, user) {
        show_user(user);
        json_array_append(list, user);
    }
    json_decref(all);
    r->answer = json_pack("{s:o}", "users", list);
    return 200;
}

/* False when the body names a plugin that there is not. */
static bool
plugin_of(const struct request *r, enum auth_plugin *out)
{
    const char *name = request_text(r, "plugin");

    *out = AUTH_NATIVE;
    return !name || auth_plugin_find(span_of(name), out);
}

static const char unknown_plugin[] = "\"plugin\" is one of mysql_native_password, "
                                     "caching_sha2_password, client_ed25519";

/* "SELECT, INSERT ON db.*", as behind GRANT. */
static bool
grant(struct request *r, const char *name, const char *what, struct sql_error *error)
{
    struct buf        sql    = { 0 };
    struct ddl_answer answer = { 0 };

    buf_printf(&sql, "GRANT %s TO ", what);
    server_quote_name(&sql, name);
    struct ddl_request request = { .database = "", .sql = buf_unread(&sql) };
    bool               ok      = ddl_run(r->cluster, &request, &answer, error);
    json_decref(answer.notes);
    buf_fini(&sql);
    return ok;
}

/* All of them, or there is no such user. */
static bool
grant_all(struct request *r, const char *name, struct sql_error *error)
{
    json_t          *list = json_object_get(r->body, "grants"), *one;
    struct sql_error ignored;
    size_t           i;

    json_array_foreach(list, i, one)
        if (!json_is_string(one) || !grant(r, name, json_string_value(one), error)) {
            if (!admin_user_remove(r->cluster, r->who, name, &ignored))
                log_warn("user %s stays, with a part of its rights: %s", name, ignored.message);
            return !json_is_string(one) &&
                   sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: \"grants\" has texts such as "
                                 "\"SELECT, INSERT ON db.*\"");
        }
    return true;
}

unsigned
api_user_add(struct request *r)
{
    const char      *name = request_text(r, "name"), *password = request_text(r, "password");
    char             verifier[USER_VERIFIER_LEN + 1];
    bool             some = password && password[0];
    bool             grants = json_array_size(json_object_get(r->body, "grants")) > 0;
    enum auth_plugin plugin;
    struct sql_error error;

    if (!name)
        return request_refuse(r, 400, "the body lacks \"name\"");
    if (!plugin_of(r, &plugin))
        return request_refuse(r, 400, unknown_plugin);
    if (some)
        user_verifier(plugin, password, verifier);
    enum admin_user_kind kind = model_flag(r->body, "admin")       ? ADMIN_USER_ADMIN
                                : model_flag(r->body, "no_rights") || grants
                                    ? ADMIN_USER_NO_RIGHTS : ADMIN_USER_ALL;
    return request_done(r, admin_user_add(r->cluster, r->who, name, plugin, some ? verifier : NULL,
                                          kind, r->body, &error) &&
                               grant_all(r, name, &error), &error);
}

unsigned
api_user_change(struct request *r)
{
    enum auth_plugin       plugin = AUTH_NATIVE;
    struct password_change change = {
        .password = request_text(r, "password"),
        .plugin   = request_text(r, "plugin") ? &plugin : NULL,
        .retain   = model_flag(r->body, "retain"),
        .discard  = model_flag(r->body, "discard_old"),
    };
    struct sql_error error;
    const json_t      *lock = json_object_get(r->body, "locked");
    struct user_change set  = {
        .commit = request_text(r, "commit"),
        .consistency = request_text(r, "consistency"),
        .limits = r->body,
        .locked = lock ? json_is_true(lock) : -1,
    };

    if (set.commit || set.consistency || lock || user_has_limits(r->body))
        return request_done(r, admin_user_set(r->cluster, r->who, r->part[1], &set, &error),
                            &error);
    if (!plugin_of(r, &plugin))
        return request_refuse(r, 400, unknown_plugin);
    if (change.discard && (change.password || change.plugin || change.retain))
        return request_refuse(r, 400, "\"discard_old\" goes with nothing else");
    return request_done(r, admin_user_password(r->cluster, r->who, r->part[1], &change, &error),
                        &error);
}

unsigned
api_user_token(struct request *r)
{
    char             token[USER_TOKEN_LEN + 1];
    struct sql_error error;

    if (!admin_user_token(r->cluster, r->who, r->part[1], token, &error))
        return request_done(r, false, &error);
    r->answer = json_pack("{s:s}", "token", token);
    return 200;
}

unsigned
api_user_token_revoke(struct request *r)
{
    struct sql_error error;

    return request_done(r, admin_user_token(r->cluster, r->who, r->part[1], NULL, &error), &error);
}

unsigned
api_user_remove(struct request *r)
{
    struct sql_error error;

    return request_done(r, admin_user_remove(r->cluster, r->who, r->part[1], &error), &error);
}
