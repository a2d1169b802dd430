/* admin_rights.c - GRANT and REVOKE on all shards, and what the catalog keeps of them.
 *
 *   marked uneven --> first shard --> the others --> the list from the first shard, not uneven
 *                      refuses: nothing is changed, not uneven
 *
 * A user without a list of grants has all rights on all databases, also those to come.
 * The first REVOKE gives it a list; a user made by CREATE USER begins with an empty one.
 * The list is what the first shard says. While a user is marked the shards' rights may differ,
 * because one of them, or the controller, has failed in between: then
 * admin_rights_repair() makes the others like the first, whatever that has by then.
 */
#include <stdio.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/provision/schema.h"

enum { CANNOT_USER = 1396, NO_SUCH_TABLE = 1146 };

/* The rights the account has now, as "SELECT ON `a`.*"; without those over the whole
 * server, which are shardd's own doing, and its role. */
static json_t *
read_list(struct server *s, const char *name, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SHOW GRANTS FOR %s", account_name(s, name)), *row;
    json_t *list = rows ? json_array() : NULL;
    size_t  i;

    json_array_foreach(rows, i, row) {
        const char *text = server_cell(row, 0), *on = strstr(text, " ON "), *to = NULL;

        for (const char *p = on; p && (p = strstr(p, " TO `")) != NULL; p++)
            to = p; /* the last one: names come before */
        if (strncmp(text, "GRANT ", 6) != 0 || !on || !to || strncmp(on, " ON *.*", 7) == 0)
            continue;
        json_array_append_new(list, json_stringn_nocheck(text + 6, (size_t)(to - text - 6)));
    }
    json_decref(rows);
    return list;
}

/* Nobody who logs in is concerned: not published. */
static bool
mark(struct cluster *c, const char *who, const char *name, json_t *user, bool uneven,
     struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, who);

    if (uneven)
        json_object_set_new(user, "uneven", json_true());
    else
        json_object_del(user, "uneven");
    catalog_put(change, CATALOG_USER, name, user, CATALOG_ANY);
    return job_commit(change, error);
}

/* The list is what counts from now on. */
static bool
record(struct cluster *c, const char *who, const char *name, json_t *user, struct server *first,
       struct sql_error *error)
{
    json_t *list = read_list(first, name, error);

    if (list == NULL)
        return false;
    json_object_set_new(user, "grants", list);
    json_object_del(user, "uneven");
    return admin_user_put(c, who, name, user, CATALOG_ANY, error);
}

/* A global table is on one shard, and the list of rights is the same for all. */
static bool
is_elsewhere(const struct sql_error *why, bool grant)
{
    return grant && why->code == NO_SUCH_TABLE;
}

static bool
undo(struct cluster *c, const char *who, const char *name, json_t *user, struct server *servers,
     size_t n, const char *what, struct sql_error *error)
{
    struct sql_error ignored;
    bool             ok = true;

    for (size_t i = 0; i < n; i++)
        ok = ok && account_change(&servers[i], name, false, what, &ignored);
    ok = ok && mark(c, who, name, user, false, &ignored);
    (void)sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the table is not on all shards, because "
                        "it is global: give rights on its database instead of on the table");
    return ok;
}

/* False: `*state` says what is left behind. */
static bool
change(struct cluster *c, const char *who, const char *name, json_t *user, bool grant,
       const char *what, enum job_state *state, struct sql_error *error)
{
    json_t          *shards = catalog_all(c->catalog, CATALOG_SHARD);
    struct server    servers[ROUTES_SHARDS_MAX];
    struct sql_error why;
    size_t           n  = 0;
    bool             ok = admin_open_all(shards, servers, &n, error) &&
              mark(c, who, name, user, true, error);

    if (ok && !account_change(&servers[0], name, grant, what, error)) {
        (void)!mark(c, who, name, user, false, &why);
        ok = false;
    } else if (ok) {
        *state = JOB_STUCK;
        for (size_t i = 1; ok && i < n; i++) {
            if (account_change(&servers[i], name, grant, what, &why))
                continue;
            ok = false;
            if (is_elsewhere(&why, grant))
                *state = undo(c, who, name, user, servers, i, what, error) ? JOB_FAILED : JOB_STUCK;
            else
                (void)sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the rights of %s are "
                                    "changed on some shards only (%s); the controller changes the "
                                    "others by itself as soon as they answer", name, why.message);
        }
        ok = ok && record(c, who, name, user, &servers[0], error);
    }
    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

bool
admin_user_rights(struct cluster *c, const char *who, const char *name, bool grant,
                  const char *what, struct sql_error *error)
{
    struct job     job;
    json_t        *user;
    enum job_state state = JOB_FAILED;
    bool           ok;

    if (!job_begin(&job, c, "user", who, grant ? "grant rights" : "revoke rights", "", name,
                   error))
        return false;
    user = catalog_get(c->catalog, CATALOG_USER, name, NULL);
    if (user == NULL)
        ok = sql_error_set(error, CANNOT_USER, "shardd: there is no user %s; see 'shardctl user "
                           "list'", name);
    else if (grant && !json_object_get(user, "grants"))
        ok = true; /* it has all there is */
    else
        ok = change(c, who, name, user, grant, what, &state, error);
    json_decref(user);
    job_end(&job, ok ? JOB_DONE : state, error);
    return ok;
}

/* --- repair --------------------------------------------------------------- */

/* The " ON ..." of "SELECT ON `a`.*": a column's name may hold such words, but not with
 * a blank before and behind outside of quotes. */
static const char *
object_of(const char *grant)
{
    bool quoted = false;

    for (; *grant; grant++) {
        quoted ^= *grant == '`';
        if (!quoted && strncmp(grant, " ON ", 4) == 0)
            return grant;
    }
    return "";
}

static bool
has_text(const json_t *list, const char *text)
{
    const json_t *one;
    size_t        i;

    json_array_foreach(list, i, one)
        if (strcmp(json_string_value(one), text) == 0)
            return true;
    return false;
}

/* What has changed of an object's rights is given anew. */
static bool
match(struct server *s, const char *name, const json_t *want, struct sql_error *error)
{
    json_t *have = read_list(s, name, error), *one;
    bool    ok   = have != NULL;
    size_t  i;

    json_array_foreach(have, i, one) {
        struct buf what = { 0 };

        if (has_text(want, json_string_value(one)))
            continue;
        buf_printf(&what, "ALL PRIVILEGES%s", object_of(json_string_value(one)));
        ok = ok && account_change(s, name, false, buf_cstr(&what), error);
        buf_fini(&what);
    }
    json_array_foreach(want, i, one)
        if (!has_text(have, json_string_value(one)))
            ok = ok && account_change(s, name, true, json_string_value(one), error);
    json_decref(have);
    return ok;
}

static bool
repair(struct cluster *c, const char *name, json_t *user, struct sql_error *error)
{
    json_t       *shards = catalog_all(c->catalog, CATALOG_SHARD), *want;
    struct server servers[ROUTES_SHARDS_MAX];
    size_t        n  = 0;
    bool          ok = admin_open_all(shards, servers, &n, error);

    want = ok ? read_list(&servers[0], name, error) : NULL;
    ok   = ok && want != NULL;
    for (size_t i = 1; ok && i < n; i++)
        ok = match(&servers[i], name, want, error);
    json_decref(want);
    ok = ok && record(c, "controller", name, user, &servers[0], error);
    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

static void
repair_one(struct cluster *c, const char *name)
{
    struct sql_error error;
    struct job       job;
    json_t          *user;

    if (!job_begin(&job, c, "user", "controller", "repair rights", "", name, &error))
        return;
    user    = catalog_get(c->catalog, CATALOG_USER, name, NULL);
    bool uneven = user != NULL && model_flag(user, "uneven");
    bool ok     = !uneven || repair(c, name, user, &error);
    json_decref(user);
    if (ok && uneven)
        log_info("the rights of %s are the same on all shards again", name);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, &error);
}

/* A job for each try would push the others out of the list: only when all answer. */
static bool
all_answer(struct cluster *c)
{
    json_t          *shards = catalog_all(c->catalog, CATALOG_SHARD);
    struct server    servers[ROUTES_SHARDS_MAX];
    struct sql_error ignored;
    size_t           n  = 0;
    bool             ok = admin_open_all(shards, servers, &n, &ignored);

    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

void
admin_rights_repair(struct cluster *c)
{
    json_t     *users = catalog_all(c->catalog, CATALOG_USER), *user;
    const char *name;

    json_object_foreach(users, name, user)
        if (model_flag(user, "uneven") && all_answer(c))
            repair_one(c, name);
    json_decref(users);
}
