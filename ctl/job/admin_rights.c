/* admin_rights.c - GRANT and REVOKE on all shards, and what the catalog keeps of them.
 *
 * A user without a list of grants has all rights on all databases, also those to come.
 * The first REVOKE gives it a list; a user made by CREATE USER begins with an empty one.
 * The list is what the first shard says afterwards.
 */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/provision/schema.h"

enum { CANNOT_USER = 1396 };

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

static bool
change_all(struct server *servers, size_t n, const char *name, bool grant, const char *what,
           struct sql_error *error)
{
    struct sql_error why;

    for (size_t i = 0; i < n; i++) {
        if (account_change(&servers[i], name, grant, what, &why))
            continue;
        if (i == 0) {
            *error = why;
            return false;
        }
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the rights of %s were changed on "
                             "some shards only (%s): repeat the statement", name, why.message);
    }
    return true;
}

static bool
change(struct cluster *c, const char *who, const char *name, json_t *user, int64_t version,
       bool grant, const char *what, struct sql_error *error)
{
    json_t       *shards = catalog_all(c->catalog, CATALOG_SHARD);
    struct server servers[ROUTES_SHARDS_MAX];
    size_t        n    = 0;
    json_t       *list = NULL;
    bool          ok   = admin_open_all(shards, servers, &n, error) &&
              change_all(servers, n, name, grant, what, error);

    if (ok)
        list = read_list(&servers[0], name, error);
    ok = ok && list != NULL;
    if (ok) {
        json_object_set(user, "grants", list);
        ok = admin_user_put(c, who, name, user, version, error);
    }
    json_decref(list);
    admin_close_all(servers, n);
    json_decref(shards);
    return ok;
}

bool
admin_user_rights(struct cluster *c, const char *who, const char *name, bool grant,
                  const char *what, struct sql_error *error)
{
    struct job job;
    int64_t    version;
    json_t    *user;
    bool       ok;

    if (!job_begin(&job, c, "user", who, grant ? "grant rights" : "revoke rights", "", name,
                   error))
        return false;
    user = catalog_get(c->catalog, CATALOG_USER, name, &version);
    if (user == NULL)
        ok = sql_error_set(error, CANNOT_USER, "shardd: there is no user %s; see 'shardctl user "
                           "list'", name);
    else if (grant && !json_object_get(user, "grants"))
        ok = true; /* it has all there is */
    else
        ok = change(c, who, name, user, version, grant, what, error);
    json_decref(user);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
