/* shard_adopt.c - an existing server becomes a shard, as it is. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/admin.h"
#include "ctl/job/facts.h"
#include "ctl/job/moving.h"
#include "ctl/job/shard.h"
#include "ctl/provision/address.h"
#include "ctl/provision/schema.h"

enum { VERSION_MIN = 100600 };

struct adoption {
    struct cluster   *c;
    struct job       *job;
    bool              recorded; /* the catalog has it */
    json_t           *shard; /* owned */
    struct server     s;
    json_t           *databases, *tables, *users; /* owned: {name: object} */
    struct adopted   *out;
    const json_t     *more;     /* of the shard's object; NULL: nothing */
    struct sql_error *error;
};

static void
note(struct adoption *a, const char *fmt, const char *what)
{
    char    text[400];
    json_t *good;

    snprintf(text, sizeof(text), fmt, what);
    good = json_string(text);
    json_array_append_new(a->out->notes, good ? good : json_string("(not UTF-8)"));
}

/* What cannot work is refused before anything is added. */
static bool
check_server(struct adoption *a)
{
    char value[64], seen[256];

    if (mysql_get_server_version(a->s.mysql) < VERSION_MIN)
        return sql_error_set(a->error, SQL_NOT_SUPPORTED,
                             "shardd: the server is %.60s; MariaDB 10.6 or newer is needed",
                             mysql_get_server_info(a->s.mysql));
    if (!server_value(&a->s, value, sizeof(value), a->error,
                      "SELECT @@lower_case_table_names"))
        return false;
    if (strcmp(value, "0") != 0)
        return sql_error_set(a->error, SQL_NOT_SUPPORTED,
                             "shardd: the server has lower_case_table_names=%s, the cluster 0",
                             value);
    if (!server_value(&a->s, value, sizeof(value), a->error, "SELECT @@skip_networking"))
        return false;
    if (!server_value(&a->s, seen, sizeof(seen), a->error,
                      "SELECT SUBSTRING_INDEX(USER(), '@', -1)"))
        return false;
    model_set(a->shard, "account_host", seen);
    a->s.account_host = model_text(a->shard, "account_host");
    return true;
}

static bool
has_tables(struct cluster *c, const char *database)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_TABLE), *table;
    const char *key;
    bool        yes = false;

    json_object_foreach(all, key, table)
        yes = yes || !database || strcmp(model_text(table, "database"), database) == 0;
    json_decref(all);
    return yes;
}

static bool
read_databases(struct adoption *a)
{
    json_t *rows = server_rows(&a->s, a->error,
            "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME,"
            " (SELECT ID FROM information_schema.COLLATIONS"
            "  WHERE COLLATION_NAME = DEFAULT_COLLATION_NAME),"
            " EXISTS (SELECT * FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = SCHEMA_NAME)"
            " OR EXISTS (SELECT * FROM information_schema.TRIGGERS"
            "            WHERE TRIGGER_SCHEMA = SCHEMA_NAME)"
            " FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('mysql', 'sys',"
            " 'information_schema', 'performance_schema', 'shardd', 'shardd_probe',"
            " '" ROUTES_MOVE_SCHEMA "')"), *row;
    bool    ok   = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row) {
        const char *name  = server_cell(row, 0);
        json_t     *there = catalog_get(a->c->catalog, CATALOG_DATABASE, name, NULL);

        if (there && has_tables(a->c, name))
            ok = sql_error_set(a->error, SQL_NOT_SUPPORTED,
                               "shardd: the cluster has a database %s with tables already; "
                               "rename one of the two", name);
        json_decref(there);
        json_object_set_new_nocheck(a->databases, name,
            json_pack("{s:s, s:s, s:I, s:s, s:i, s:b}", "name", name, "policy", "global",
                      "home", (json_int_t)model_number(a->shard, "id"), "collation",
                      server_cell(row, 1), "collation_id", atoi(server_cell(row, 2)), "code",
                      atoi(server_cell(row, 3))));
    }
    json_decref(rows);
    return ok;
}

static bool
read_table(struct adoption *a, const char *database, const char *name)
{
    json_t *facts = facts_read(&a->s, database, name, NULL, a->error), *object;
    char   *key;

    if (!facts)
        return false;
    object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:O}", "database", database, "name",
                       name, "kind", model_flag(facts, "is_view") ? "view" : "global",
                       "view_kind", "global", "reason", "it came with an adopted server",
                       "state", "ok", "columns", json_object_get(facts, "columns"), "foreign",
                       json_object_get(facts, "foreign"));
    if (object && model_flag(facts, "is_view"))
        facts_view(facts, object);
    json_decref(facts);
    if (!object)
        return sql_error_set(a->error, SQL_NOT_SUPPORTED,
                             "shardd: a table's name is not UTF-8");
    key = catalog_table_name(database, name);
    json_object_set_new_nocheck(a->tables, key, object);
    free(key);
    return true;
}

static bool
read_tables(struct adoption *a)
{
    json_t *rows = server_rows(&a->s, a->error,
                               "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES"
                               " WHERE TABLE_TYPE IN ('BASE TABLE', 'VIEW')"), *row;
    bool    ok   = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row)
        if (ok && json_object_get(a->databases, server_cell(row, 0)))
            ok = read_table(a, server_cell(row, 0), server_cell(row, 1));
    json_decref(rows);
    return ok;
}

/* "SELECT ON `a`.*" of "GRANT SELECT ON `a`.* TO `u`@`h` ..."; rights over the
 * whole server become rights over each of its databases. */
static void
keep_grant(struct adoption *a, json_t *grants, const char *text)
{
    const char *to = strstr(text, " TO `");
    char        grant[1024];
    const char *name;
    json_t     *ignored;

    if (!to)
        to = strstr(text, " TO '");
    if (strncmp(text, "GRANT ", 6) != 0 || !to || to - text > 1000 ||
        strncmp(text, "GRANT USAGE ON *.*", 18) == 0 || strncmp(text, "GRANT PROXY", 11) == 0)
        return;
    snprintf(grant, sizeof(grant), "%.*s", (int)(to - text - 6), text + 6);
    if (strncmp(grant, "ALL PRIVILEGES ON *.*", 21) != 0) {
        json_array_append_new(grants, json_string_nocheck(grant));
        return;
    }
    json_object_foreach(a->databases, name, ignored) {
        struct buf line = { 0 };

        buf_append_text(&line, "ALL PRIVILEGES ON ");
        server_quote_name(&line, name);
        buf_append_text(&line, ".*");
        json_array_append_new(grants, json_string_nocheck(buf_cstr(&line)));
        buf_fini(&line);
    }
}

static bool
read_grants(struct adoption *a, const char *user, const char *host, json_t *grants)
{
    json_t *rows = server_rows(&a->s, a->error, "SHOW GRANTS FOR %s@%s", server_text(user),
                               server_text(host)), *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        keep_grant(a, grants, server_cell(row, 0));
    json_decref(rows);
    return rows != NULL;
}

/* Another account of a user that is taken over already. Returns true. */
static bool
same_user(struct adoption *a, const json_t *row)
{
    const char *name = server_cell(row, 0), *hash = server_cell(row, 2);
    const char *kept = model_text(json_object_get(a->users, name), "verifier");
    char        account[300], verifier[USER_VERIFIER_LEN + 1];
    enum auth_plugin plugin;

    snprintf(account, sizeof(account), "%.128s@%.128s", name, server_cell(row, 1));
    if (!user_verifier_of(server_cell(row, 3), hash, &plugin, verifier) ||
        strcmp(hash[0] ? verifier : "", kept) != 0)
        note(a, "the account %s has a password of its own and is left out: shardd knows users "
                "by their name alone", account);
    return true;
}

/* An account as a user with the same password. One name at several hosts: the
 * first, and '%' comes first. */
static bool
read_user(struct adoption *a, const json_t *row)
{
    const char *name = server_cell(row, 0), *hash = server_cell(row, 2);
    const char *plugin = server_cell(row, 3);
    json_t     *there = catalog_get(a->c->catalog, CATALOG_USER, name, NULL), *user, *grants;
    bool        taken = there && has_tables(a->c, NULL);
    struct err  err;
    char        verifier[USER_VERIFIER_LEN + 1];
    enum auth_plugin chosen;

    json_decref(there);
    if (!user_name_ok(name, &err))
        return true;
    if (json_object_get(a->users, name))
        return same_user(a, row);
    if (taken || !user_verifier_of(plugin, hash, &chosen, verifier)) {
        note(a, taken ? "the user %s exists in the cluster; it keeps that password"
                      : "the account %s logs in neither with mysql_native_password nor with "
                        "ed25519; add it with 'shardctl user add'", name);
        return true;
    }
    user   = user_new(name, chosen, hash[0] ? verifier : NULL, false);
    grants = json_array();
    json_object_set_new(user, "grants", grants);
    json_object_set_new_nocheck(a->users, name, user);
    return read_grants(a, name, server_cell(row, 1), grants);
}

static bool
read_users(struct adoption *a)
{
    json_t *rows = server_rows(&a->s, a->error,
            "SELECT User, Host, JSON_VALUE(Priv, '$.authentication_string'),"
            " JSON_VALUE(Priv, '$.plugin') FROM mysql.global_priv"
            " WHERE IFNULL(JSON_VALUE(Priv, '$.is_role'), 0) = 0 ORDER BY User, Host <> '%%'"),
           *row;
    bool    ok   = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row)
        ok = ok && read_user(a, row);
    json_decref(rows);
    return ok;
}

/* Empty databases on the other shards, accounts on all. */
static bool
spread(struct adoption *a)
{
    json_t       *shards = catalog_all(a->c->catalog, CATALOG_SHARD), *database, *user;
    struct server others[ROUTES_SHARDS_MAX];
    size_t        n  = 0;
    const char   *name;
    bool          ok = json_object_size(shards) == 0 ||
              admin_open_all(shards, others, &n, a->error);

    for (size_t i = 0; i < n && ok; i++) {
        json_object_foreach(a->databases, name, database)
            ok = ok && server_run(&others[i], a->error,
                                  "CREATE DATABASE IF NOT EXISTS %s COLLATE %s",
                                  server_name(name), model_text(database, "collation"));
        json_object_foreach(a->users, name, user)
            ok = ok && account_ensure(&others[i], user, a->databases, a->error);
    }
    admin_close_all(others, n);
    json_decref(shards);
    return ok && cluster_ensure_shard(a->c, a->shard, a->error);
}

static bool
record(struct adoption *a, const char *who)
{
    struct catalog_change *change;
    const char            *name;
    json_t                *object;
    char                   id[24];

    change = catalog_begin(a->c->catalog, who);
    snprintf(id, sizeof(id), "%lld", (long long)model_number(a->shard, "id"));
    catalog_put(change, CATALOG_SHARD, id, a->shard, CATALOG_NEW);
    json_object_foreach(a->databases, name, object)
        catalog_put(change, CATALOG_DATABASE, name, object, CATALOG_ANY);
    json_object_foreach(a->tables, name, object)
        catalog_put(change, CATALOG_TABLE, name, object, CATALOG_NEW);
    json_object_foreach(a->users, name, object)
        catalog_put(change, CATALOG_USER, name, object, CATALOG_ANY);
    cluster_bump(a->c, change, "generation");
    cluster_bump(a->c, change, "users_generation");
    a->recorded = job_commit(change, a->error);
    /* Users of the adopted server are made on it too; those of the cluster are by now. */
    return a->recorded && cluster_ensure_shard(a->c, a->shard, a->error) &&
           shard_announce(a->job, a->error);
}

/* {name: true} of the first column; takes over `rows`. */
static json_t *
set_of(json_t *rows)
{
    json_t *set = rows ? json_object() : NULL, *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        json_object_set_new_nocheck(set, server_cell(row, 0), json_true());
    json_decref(rows);
    return set;
}

/* Appends the names in `all` that `have` lacks. */
static void
append_missing(json_t *list, const json_t *all, const json_t *have)
{
    const char *name;
    json_t     *ignored;

    json_object_foreach((json_t *)(uintptr_t)all, name, ignored)
        if (!json_object_get(have, name))
            json_array_append_new(list, json_string_nocheck(name));
}

/* Before anything is made: what is going to be, there and on the other shards, into the job's
 * record, see shard_resume.c. */
static bool
keep_undo(struct adoption *a)
{
    json_t *databases = catalog_all(a->c->catalog, CATALOG_DATABASE);
    json_t *users     = catalog_all(a->c->catalog, CATALOG_USER);
    json_t *has       = set_of(server_rows(&a->s, a->error, "SELECT User FROM mysql.global_priv"
                                           " WHERE Host = %s", server_text(a->s.account_host)));
    json_t *new_databases = json_array(), *new_users = json_array();
    json_t *their_databases = json_array(), *their_users = json_array();
    char    schema[8];
    bool    ok = has && server_value(&a->s, schema, sizeof(schema), a->error,
                                     "SELECT COUNT(*) FROM information_schema.SCHEMATA"
                                     " WHERE SCHEMA_NAME = 'shardd'");

    /* For the way out (release.c): these accounts are not ours to drop. */
    json_object_set_new(a->shard, "own_users", json_array());
    append_missing(json_object_get(a->shard, "own_users"), has, NULL);
    append_missing(new_databases, a->databases, databases);
    append_missing(new_users, a->users, users);
    append_missing(their_databases, databases, a->databases);
    append_missing(their_users, users, has);
    append_missing(their_users, a->users, has);
    json_object_set_new(a->job->record, "undo", json_pack("{s:I, s:O, s:b, s:o, s:o, s:o, s:o}",
        "id", (json_int_t)model_number(a->shard, "id"), "server", a->shard, "schema",
        ok && strcmp(schema, "0") == 0, "databases", new_databases, "users", new_users,
        "their_databases", their_databases, "their_users", their_users));
    json_decref(databases);
    json_decref(users);
    json_decref(has);
    return ok && job_write(a->job, a->error);
}

/* From here on we come as ourselves: the account that was lent is not kept, and a
 * user of the same name would stand before it. In one statement, so that it is never there
 * without its rights. */
static bool
own_account(struct adoption *a)
{
    char secret[USER_SECRET_LEN + 1];

    user_secret(secret);
    model_set(a->shard, "user", "shardd_admin");
    model_set(a->shard, "secret", secret);
    if (!keep_undo(a) ||
        !server_run(&a->s, a->error, "GRANT ALL PRIVILEGES ON *.* TO shardd_admin@%s"
                    " IDENTIFIED BY %s WITH GRANT OPTION", server_text(a->s.account_host),
                    server_text(secret)))
        return false;
    server_close(&a->s);
    return server_open(&a->s, a->shard, a->error);
}

static bool
fill_and_enter(struct adoption *a, const char *who)
{
    struct shard_fill *fill = calloc(1, sizeof(*fill));
    bool               ok   = fill && own_account(a) &&
              schema_ensure(&a->s, a->c->service_secret, a->error) && spread(a) &&
              shard_fill(a->c, a->shard, fill, a->error) && record(a, who);

    if (fill)
        shard_fill_done(fill);
    free(fill);
    return ok;
}

/* Whether what was made could be taken back. */
static bool
take_back(struct adoption *a)
{
    const json_t    *undo = json_object_get(a->job->record, "undo");
    struct sql_error ignored;

    server_close(&a->s);
    return !undo || shard_undo(a->c, undo, &ignored);
}

#define NOT_SYSTEM " NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema'," \
                   " 'shardd', '" ROUTES_MOVE_SCHEMA "')"

/* For a server that is to be as one of ours: it brings nothing along. */
static bool
has_nothing(struct adoption *a)
{
    char n[24];

    if (!server_value(&a->s, n, sizeof(n), a->error,
                      "SELECT (SELECT COUNT(*) FROM information_schema.TABLES"
                      " WHERE TABLE_SCHEMA" NOT_SYSTEM ")"
                      " + (SELECT COUNT(*) FROM information_schema.ROUTINES"
                      " WHERE ROUTINE_SCHEMA" NOT_SYSTEM ")"))
        return false;
    return strcmp(n, "0") == 0 ||
           sql_error_set(a->error, SQL_NOT_SUPPORTED, "shardd: the server has tables or routines "
                         "of its own; take it over as it is with 'shardctl shard add --adopt'");
}

static bool
read_all(struct adoption *a)
{
    return read_databases(a) && read_tables(a) && read_users(a);
}

/* Neither name nor server may be a shard's already: one server as two shards would own its rows
 * twice. */
static bool
is_new(struct adoption *a)
{
    json_t     *all = catalog_all(a->c->catalog, CATALOG_SHARD), *shard;
    const char *key, *name = model_text(a->shard, "name");
    bool        ok = true;

    json_object_foreach(all, key, shard) {
        if (ok && strcmp(model_text(shard, "name"), name) == 0)
            ok = sql_error_set(a->error, SQL_UNKNOWN_ERROR, "shardd: there is a shard named %s "
                               "already; choose another name", name);
        if (ok && strcmp(model_text(shard, "host"), model_text(a->shard, "host")) == 0 &&
            model_number(shard, "port") == model_number(a->shard, "port"))
            ok = sql_error_set(a->error, SQL_UNKNOWN_ERROR, "shardd: this server is the shard %s "
                               "already", model_text(shard, "name"));
    }
    json_decref(all);
    return ok;
}

static bool
adopt(struct adoption *a, const char *who, const char *address)
{
    return server_address(a->shard, address, a->error) && is_new(a) &&
           server_open(&a->s, a->shard, a->error) && check_server(a) &&
           (a->out ? read_all(a) : has_nothing(a)) && fill_and_enter(a, who);
}

static bool
run(struct adoption *a, struct cluster *c, const char *who, const char *name,
    const char *address, const char *user, const char *password, const char *tls_ca,
    struct sql_error *error)
{
    int64_t        id;
    char           own_name[32];
    enum job_state end;
    bool           ok;

    a->c     = c;
    a->error = error;
    if (!job_begin(a->job, c, "shard", who, SHARD_ADOPT, "", "", error))
        return false;
    if (!moving_allows_shards(c, "a server is adopted", error)) {
        job_end(a->job, JOB_FAILED, error);
        return false;
    }
    id = cluster_number(c, "next_shard");
    snprintf(own_name, sizeof(own_name), "shard-%lld", (long long)id);
    a->shard = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)id, "name",
                         name[0] ? name : own_name, "state", "up", "provisioner", "static",
                         "user", user, "secret", password);
    json_object_set_new(a->shard, "tls", json_boolean(tls_ca != NULL));
    model_set(a->shard, "tls_ca", tls_ca ? tls_ca : "");
    if (a->more)
        json_object_update(a->shard, (json_t *)(uintptr_t)a->more);
    a->databases = json_object();
    a->tables    = json_object();
    a->users     = json_object();
    ok           = adopt(a, who, address);
    if (a->out) {
        a->out->databases = (unsigned)json_object_size(a->databases);
        a->out->tables    = (unsigned)json_object_size(a->tables);
        a->out->users     = (unsigned)json_object_size(a->users);
    }
    end = ok ? JOB_DONE : a->recorded || !take_back(a) ? JOB_STUCK : JOB_FAILED;
    server_close(&a->s);
    json_decref(a->shard);
    json_decref(a->databases);
    json_decref(a->tables);
    json_decref(a->users);
    job_end(a->job, end, error);
    return ok;
}

bool
shard_join(struct cluster *c, const char *who, const char *name, const char *address,
           const char *user, const char *password, const char *tls_ca, const json_t *more,
           struct sql_error *error)
{
    struct job      job;
    struct adoption a = { .job = &job, .more = more };

    return run(&a, c, who, name, address, user, password, tls_ca, error);
}

bool
shard_adopt(struct cluster *c, const char *who, const char *name, const char *address,
            const char *user, const char *password, const char *tls_ca,
            struct adopted *out, struct sql_error *error)
{
    struct job      job;
    struct adoption a = { .job = &job, .out = out };

    *out = (struct adopted){ .notes = json_array() };
    return run(&a, c, who, name, address, user, password, tls_ca, error);
}
