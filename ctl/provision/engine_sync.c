/* engine_sync.c - see engine_sync.h. */
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/engine_sync.h"
#include "ctl/provision/schema.h"

#define ROLE    ENGINE_ROLE
#define COMMENT "shardd"

json_t *
engine_wanted(struct cluster *c)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_DATABASE), *object;
    json_t     *databases = json_object(), *users = json_object();
    const char *name;

    json_object_foreach(all, name, object)
        json_object_set_new_nocheck(databases, name,
                                    json_string_nocheck(model_text(object, "collation")));
    json_decref(all);
    all = catalog_all(c->catalog, CATALOG_USER);
    json_object_foreach(all, name, object)
        json_object_set_new_nocheck(users, name,
                                    json_string_nocheck(model_text(object, "secret")));
    json_decref(all);
    all = json_pack("{s:o, s:o, s:s}", "databases", databases, "users", users, "service",
                    c->service_secret);
    engine_wanted_functions(c, all);
    return all;
}

uint64_t
engine_wanted_hash(const json_t *wanted)
{
    char    *text = json_dumps(wanted, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t hash = text ? XXH3_64bits(text, strlen(text)) : 0;

    free(text);
    return hash != 0 ? hash : 1;
}

void
engine_part(bool done, bool *ok, const struct sql_error *why, struct sql_error *error)
{
    if (!done && *ok)
        *error = *why;
    *ok = *ok && done;
}

/* --- databases ------------------------------------------------------------- */

static bool
sync_database(struct server *s, const char *name, const char *collation, const char *has,
              struct sql_error *error)
{
    bool say = collation[0] != 0;

    if (!has)
        return server_run(s, error, "CREATE DATABASE IF NOT EXISTS %s %s%s COMMENT '" COMMENT "'",
                          server_name(name), say ? "COLLATE " : "", collation);
    return !say || strcmp(collation, has) == 0 ||
           server_run(s, error, "ALTER DATABASE %s COLLATE %s", server_name(name), collation);
}

static bool
is_system(const char *name)
{
    static const char *const names[] = { "mysql", "information_schema", "performance_schema",
                                         "sys" };

    for (size_t i = 0; i < countof(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool
sync_databases(struct server *s, const json_t *wanted, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME,"
                               " SCHEMA_COMMENT FROM information_schema.SCHEMATA"), *row;
    json_t          *have = json_object(), *collation;
    const char      *name;
    struct sql_error why;
    bool             ok = rows != NULL;
    size_t           i;

    json_array_foreach(rows, i, row) {
        const char *there = server_cell(row, 0);
        bool        ours  = strcmp(server_cell(row, 2), COMMENT) == 0 && !is_system(there);

        json_object_set_new_nocheck(have, there, json_string_nocheck(server_cell(row, 1)));
        if (ours && !json_object_get(wanted, there))
            engine_part(server_run(s, &why, "DROP DATABASE IF EXISTS %s", server_name(there)), &ok,
                       &why, error);
    }
    json_object_foreach((json_t *)(uintptr_t)wanted, name, collation)
        if (rows)
            engine_part(sync_database(s, name, json_string_value(collation),
                                     json_string_value(json_object_get(have, name)), &why),
                       &ok, &why, error);
    json_decref(rows);
    json_decref(have);
    return ok;
}

/* --- accounts --------------------------------------------------------------- */

/* {first column: second}; takes over `rows`. */
static json_t *
names_of(json_t *rows)
{
    json_t *set = rows ? json_object() : NULL, *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        json_object_set_new_nocheck(set, server_cell(row, 0),
                                    json_string_nocheck(server_cell(row, 1)));
    json_decref(rows);
    return set;
}

/* Is `stored`, "*HEX" of mysql_native_password, made of this secret? */
static bool
same_secret(const char *stored, const char *secret)
{
    char verifier[USER_VERIFIER_LEN + 1];

    user_verifier(AUTH_NATIVE, secret, verifier);
    return stored[0] == '*' && strcasecmp(stored + 1, verifier) == 0;
}

/* The role comes last: an account without it is not finished, or not ours. */
static bool
finish_account(struct server *s, const char *name, struct sql_error *error)
{
    return server_run(s, error, "GRANT CREATE TEMPORARY TABLES ON *.* TO %s",
                      account_name(s, name)) &&
           server_run(s, error, "GRANT " ROLE " TO %s", account_name(s, name));
}

static bool
sync_account(struct server *s, const char *name, const char *secret, const char *stored,
             bool ours, bool runs_all, struct sql_error *error)
{
    /* With its rights from the first moment: a connection has those of its login for good. */
    if (!stored)
        return server_run(s, error, "GRANT CREATE TEMPORARY TABLES%s ON *.* TO %s IDENTIFIED BY %s",
                          runs_all ? ", EXECUTE" : "", account_name(s, name),
                          server_text(secret)) &&
               finish_account(s, name, error);
    if (!same_secret(stored, secret))
        return ours ? server_run(s, error, "ALTER USER %s IDENTIFIED BY %s",
                                 account_name(s, name), server_text(secret))
                    : sql_error_set(error, SQL_UNKNOWN_ERROR,
                                    "the account %s there is somebody else's; remove it",
                                    account_name(s, name));
    return ours || finish_account(s, name, error);
}

static bool
sync_accounts(struct server *s, const json_t *all, struct sql_error *error)
{
    const json_t *wanted = json_object_get(all, "users");
    const json_t *rights = json_object_get(all, "execute");
    json_t *have = names_of(server_rows(s, error,
            "SELECT User, IFNULL(JSON_VALUE(Priv, '$.authentication_string'), '')"
            " FROM mysql.global_priv WHERE Host = %s", server_text(s->account_host)));
    json_t *ours = !have ? NULL : names_of(server_rows(s, error,
            "SELECT User, '' FROM mysql.roles_mapping WHERE Host = %s AND Role = '" ROLE "'"
            " AND Admin_option = 'N'", server_text(s->account_host)));
    json_t          *value;
    const char      *name;
    struct sql_error why;
    bool             ok = ours != NULL;

    json_object_foreach(ours, name, value)
        if (!json_object_get(wanted, name))
            engine_part(account_drop(s, name, &why), &ok, &why, error);
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
        if (ours)
            engine_part(sync_account(s, name, json_string_value(value),
                                    json_string_value(json_object_get(have, name)),
                                    json_object_get(ours, name) != NULL,
                                    json_object_get(json_object_get(rights, name), "*") != NULL,
                                    &why), &ok, &why, error);
    json_decref(have);
    json_decref(ours);
    return ok;
}

/* By the role everybody may read in databases of ours, as far as there is anything: tables such as
 * seq_1_to_9, which the server makes up. */
static bool
sync_role(struct server *s, struct sql_error *error)
{
    static const char ours[] =
        "(SELECT REPLACE(REPLACE(SCHEMA_NAME, '_', '\\\\_'), '%', '\\\\%') AS Db"
        " FROM information_schema.SCHEMATA WHERE SCHEMA_COMMENT = '" COMMENT "')";
    static const char has[] = "(SELECT Db FROM mysql.db WHERE User = '" ROLE "' AND Host = '')";
    json_t           *rows  = server_rows(s, error,
            "SELECT CONCAT('GRANT SELECT ON `', REPLACE(Db, '`', '``'), '`.* TO " ROLE "')"
            " FROM %s x WHERE Db NOT IN %s UNION ALL SELECT CONCAT('REVOKE SELECT ON `',"
            " REPLACE(Db, '`', '``'), '`.* FROM " ROLE "') FROM %s y WHERE Db NOT IN %s",
            ours, has, has, ours);
    json_t           *users = !rows ? NULL : server_rows(s, error,
            "SELECT m.User FROM mysql.roles_mapping m JOIN mysql.global_priv g USING (User, Host)"
            " WHERE m.Host = %s AND m.Role = '" ROLE "' AND m.Admin_option = 'N' AND"
            " COALESCE(JSON_VALUE(g.Priv, '$.default_role'), '') <> '" ROLE "'",
            server_text(s->account_host));
    json_t           *row;
    bool              ok = users != NULL;
    size_t            i;

    json_array_foreach(rows, i, row)
        ok = ok && server_run_text(s, span_of(server_cell(row, 0)), error);
    json_array_foreach(users, i, row)
        ok = ok && server_run(s, error, "SET DEFAULT ROLE " ROLE " FOR %s",
                              account_name(s, server_cell(row, 0)));
    json_decref(rows);
    json_decref(users);
    return ok;
}

/* --- shardd's own ------------------------------------------------------------ */

static bool
sync_service(struct server *s, const char *secret, struct sql_error *error)
{
    char has[8], stored[256];

    if (!server_value(s, has, sizeof(has), error, "SELECT COUNT(*) FROM mysql.global_priv"
                      " WHERE User = '" ROLE "' AND Host = ''") ||
        !server_value(s, stored, sizeof(stored), error, "SELECT IF(JSON_VALUE(Priv, '$.access')"
                      " > 0, JSON_VALUE(Priv, '$.authentication_string'), '')"
                      " FROM mysql.global_priv WHERE User = '" SCHEMA_SERVICE_USER "'"
                      " AND Host = '%%'"))
        return false;
    if (strcmp(has, "0") == 0 && !server_run(s, error, "CREATE ROLE IF NOT EXISTS " ROLE))
        return false;
    return same_secret(stored, secret) ||
           (server_run(s, error, "CREATE OR REPLACE USER " SCHEMA_SERVICE_USER
                       "@'%%' IDENTIFIED BY %s", server_text(secret)) &&
            server_run(s, error, "GRANT PROCESS, CONNECTION ADMIN ON *.* TO "
                       SCHEMA_SERVICE_USER "@'%%'"));
}

bool
engine_sync(struct server *s, const json_t *wanted, struct sql_error *error)
{
    const char      *secret = model_text(wanted, "service");
    struct sql_error why;
    bool             ok = sync_service(s, secret, error);

    if (!ok)
        return false;
    engine_part(sync_databases(s, json_object_get(wanted, "databases"), &why), &ok, &why, error);
    engine_part(sync_accounts(s, wanted, &why), &ok, &why, error);
    engine_part(sync_role(s, &why), &ok, &why, error);
    engine_part(engine_sync_functions(s, wanted, &why), &ok, &why, error);
    return ok;
}

bool
engine_clear(struct server *s, struct sql_error *error)
{
    json_t *nothing = json_object();
    bool    ok      = sync_databases(s, nothing, error) && sync_accounts(s, nothing, error) &&
              server_run(s, error, "DROP USER IF EXISTS " SCHEMA_SERVICE_USER "@'%%'") &&
              server_run(s, error, "DROP ROLE IF EXISTS " ROLE) &&
              server_run(s, error, "DROP USER IF EXISTS %s", account_name(s, "shardd_admin"));

    json_decref(nothing);
    return ok;
}
