/* admin_user.c - users: the account on every shard first, then the catalog, so that whoever
 * shardd lets in finds a server that does too. */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/admin.h"
#include "ctl/provision/schema.h"

enum { CANNOT_USER = 1396 };

static bool
on_all(struct cluster *c, const json_t *user, struct sql_error *error)
{
    json_t       *shards    = catalog_all(c->catalog, CATALOG_SHARD);
    json_t       *databases = catalog_all(c->catalog, CATALOG_DATABASE);
    struct server servers[ROUTES_SHARDS_MAX];
    size_t        n  = 0;
    bool          ok = admin_open_all(shards, servers, &n, error);

    /* What an earlier account of the name may have left has no rights here. */
    for (size_t i = 0; ok && i < n; i++)
        ok = account_drop(&servers[i], model_text(user, "name"), error) &&
             account_ensure(&servers[i], user, databases, error);
    admin_close_all(servers, n);
    json_decref(shards);
    json_decref(databases);
    return ok;
}

bool
admin_user_put(struct cluster *c, const char *who, const char *name, json_t *user,
               int64_t expected, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);
    struct err             ignored;

    if (user)
        catalog_put(change, CATALOG_USER, name, user, expected);
    else
        catalog_remove(change, CATALOG_USER, name, expected);
    cluster_bump(c, change, "users_generation");
    if (!job_commit(change, error))
        return false;
    cluster_publish(c, &ignored);
    return true;
}

bool
admin_user_add(struct cluster *c, const char *who, const char *name, enum auth_plugin plugin,
               const char *verifier, enum admin_user_kind kind, const json_t *limits,
               struct sql_error *error)
{
    struct job job;
    struct err err = { 0 };
    json_t    *user, *there;
    bool       ok;

    if (!user_name_ok(name, &err))
        return job_fail(error, &err);
    user = user_new(name, plugin, verifier, kind == ADMIN_USER_ADMIN);
    if (!user_set_limits(user, limits, &err) ||
        !job_begin(&job, c, "user", who, "add a user", "", name, error)) {
        json_decref(user);
        return err.text[0] != '\0' ? job_fail(error, &err) : false;
    }
    there = catalog_get(c->catalog, CATALOG_USER, name, NULL);
    if (kind == ADMIN_USER_NO_RIGHTS)
        json_object_set_new(user, "grants", json_array());
    if (there)
        ok = sql_error_set(error, CANNOT_USER,
                           "shardd: there is a user %s already; 'shardctl user passwd' changes "
                           "the password", name);
    else
        ok = on_all(c, user, error) && admin_user_put(c, who, name, user, CATALOG_NEW, error);
    json_decref(there);
    json_decref(user);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

static bool
no_user(const char *name, struct sql_error *error)
{
    return sql_error_set(error, CANNOT_USER,
                         "shardd: there is no user %s; see 'shardctl user list'", name);
}

static bool
set_password(json_t *user, const void *wish, struct sql_error *error)
{
    const struct password_change *change = wish;

    enum auth_plugin before = model_plugin(user);
    enum auth_plugin plugin = change->plugin ? *change->plugin : before;
    const char      *given  = change->verifier ? change->verifier : change->password;
    bool             empty  = !given || !given[0];
    char             verifier[USER_VERIFIER_LEN + 1] = "";

    if (change->discard) {
        model_set(user, "old_verifier", "");
        return true;
    }
    if (change->retain && (empty || plugin != before || !model_flag(user, "has_password")))
        return sql_error_set(error, CANNOT_USER,
                             "shardd: the password before can be kept only beside another one "
                             "of the same plugin, and neither may be empty");
    if (change->verifier)
        snprintf(verifier, sizeof(verifier), "%s", change->verifier);
    else if (!empty)
        user_verifier(plugin, change->password, verifier);
    json_object_set_new(user, "old_verifier",
                        change->retain ? json_string(model_text(user, "verifier"))
                                       : json_string(""));
    model_set(user, "plugin", auth_plugin_name(plugin));
    model_set(user, "verifier", verifier);
    json_object_set_new(user, "has_password", json_boolean(!empty));
    return true;
}

/* What only the catalog and the routes know: nothing on the shards changes. */
static bool
change_user(struct cluster *c, const char *who, const char *name, const char *what,
            bool (*set)(json_t *user, const void *wish, struct sql_error *error),
            const void *wish, struct sql_error *error)
{
    struct job job;
    int64_t    version;
    json_t    *user;
    bool       ok;

    if (!job_begin(&job, c, "user", who, what, "", name, error))
        return false;
    user = catalog_get(c->catalog, CATALOG_USER, name, &version);
    ok   = user ? set(user, wish, error) && admin_user_put(c, who, name, user, version, error)
                : no_user(name, error);
    json_decref(user);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

bool
admin_user_password(struct cluster *c, const char *who, const char *name,
                    const struct password_change *change, struct sql_error *error)
{
    return change_user(c, who, name, "change a password", set_password, change, error);
}

static bool
set_user(json_t *user, const void *wish, struct sql_error *error)
{
    const struct user_change *change = wish;
    struct err                err;

    if (change->commit)
        model_set(user, "commit", change->commit);
    if (change->consistency)
        model_set(user, "consistency", strcmp(change->consistency, "default") == 0
                                           ? "" : change->consistency);
    if (change->locked >= 0)
        json_object_set_new(user, "locked", json_boolean(change->locked));
    return !change->limits || user_set_limits(user, change->limits, &err) ||
           job_fail(error, &err);
}

bool
admin_user_set(struct cluster *c, const char *who, const char *name,
               const struct user_change *change, struct sql_error *error)
{
    if (change->commit && user_commit(change->commit) < 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: commit is atomic, best_effort, "
                             "single or default, not '%.40s'", change->commit);
    if (change->consistency && !admin_consistency_ok(change->consistency, error))
        return false;
    return change_user(c, who, name, "change a user", set_user, change, error);
}

/* The accounts of the new name are there before anybody is sent to them, and those of the old
 * one go when nobody is any more. */
static bool
rename_user(struct cluster *c, const char *who, const char *from, const char *to, json_t *user,
            struct sql_error *error)
{
    json_t                *shards = catalog_all(c->catalog, CATALOG_SHARD);
    struct server          servers[ROUTES_SHARDS_MAX];
    struct catalog_change *change;
    struct err             ignored;
    size_t                 n = 0;

    model_set(user, "name", to);
    bool ok = admin_open_all(shards, servers, &n, error) && on_all(c, user, error);
    if (ok) {
        change = catalog_begin(c->catalog, who);
        catalog_remove(change, CATALOG_USER, from, CATALOG_ANY);
        catalog_put(change, CATALOG_USER, to, user, CATALOG_NEW);
        cluster_bump(c, change, "users_generation");
        ok = job_commit(change, error);
    }
    if (ok)
        cluster_publish(c, &ignored);
    for (size_t i = 0; ok && i < n; i++)
        ok = account_drop(&servers[i], from, error);
    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

bool
admin_user_rename(struct cluster *c, const char *who, const char *from, const char *to,
                  struct sql_error *error)
{
    struct job job;
    struct err err;
    json_t    *user, *there;
    bool       ok;

    if (!user_name_ok(to, &err))
        return job_fail(error, &err);
    if (!job_begin(&job, c, "user", who, "rename a user", "", from, error))
        return false;
    user  = catalog_get(c->catalog, CATALOG_USER, from, NULL);
    there = catalog_get(c->catalog, CATALOG_USER, to, NULL);
    if (there)
        ok = sql_error_set(error, CANNOT_USER, "shardd: there is a user %s already", to);
    else
        ok = user ? rename_user(c, who, from, to, user, error) : no_user(from, error);
    json_decref(user);
    json_decref(there);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

static bool
set_token(json_t *user, const void *hash, struct sql_error *error)
{
    (void)error;
    model_set(user, "token", hash);
    return true;
}

bool
admin_user_token(struct cluster *c, const char *who, const char *name,
                 char token[USER_TOKEN_LEN + 1], struct sql_error *error)
{
    char hash[USER_TOKEN_HASH_LEN + 1] = "";

    if (token)
        user_token(token, hash);
    return change_user(c, who, name, "change a token", set_token, hash, error);
}

/* Out of the routes first: the accounts on the shards are of no use to anybody then. */
static bool
remove_user(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    json_t       *shards = catalog_all(c->catalog, CATALOG_SHARD);
    struct server servers[ROUTES_SHARDS_MAX];
    size_t        n  = 0;
    bool          ok = admin_open_all(shards, servers, &n, error) &&
              admin_user_put(c, who, name, NULL, CATALOG_ANY, error);

    for (size_t i = 0; ok && i < n; i++)
        ok = account_drop(&servers[i], name, error);
    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

bool
admin_user_remove(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job job;
    json_t    *user;
    bool       ok;

    if (!job_begin(&job, c, "user", who, "remove a user", "", name, error))
        return false;
    user = catalog_get(c->catalog, CATALOG_USER, name, NULL);
    ok   = user ? remove_user(c, who, name, error) : no_user(name, error);
    json_decref(user);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
