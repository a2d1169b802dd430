/* schema.c - the statements that make a server a shard. */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/schema.h"

static const char *const statements[] = {
    "CREATE DATABASE IF NOT EXISTS shardd CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS shardd.decision ("
    " xid VARBINARY(64) NOT NULL PRIMARY KEY,"
    " state ENUM('commit', 'abort') NOT NULL,"
    " ts TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),"
    " KEY (ts)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS shardd.sequence ("
    " id BIGINT UNSIGNED NOT NULL PRIMARY KEY,"
    " next_value BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB",
    /* Nothing is decided for a transaction that the server has ended by itself. */
    "CREATE OR REPLACE DEFINER='" SCHEMA_SERVICE_USER "'@'%' PROCEDURE"
    " shardd.decide(gtrid VARBINARY(64)) MODIFIES SQL DATA SQL SECURITY DEFINER BEGIN"
    " IF @@in_transaction = 0 AND @@autocommit = 1 THEN"
    "  SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT ="
    "   'shardd: a server has ended its part of the transaction; start it again';"
    " END IF;"
    " INSERT INTO shardd.decision (xid, state) VALUES (gtrid, 'commit'); END",
    "CREATE OR REPLACE DEFINER='" SCHEMA_SERVICE_USER "'@'%' PROCEDURE"
    " shardd.abort(gtrid VARBINARY(64)) MODIFIES SQL DATA SQL SECURITY DEFINER BEGIN"
    " INSERT IGNORE INTO shardd.decision (xid, state) VALUES (gtrid, 'abort');"
    " IF (SELECT state FROM shardd.decision WHERE xid = gtrid LOCK IN SHARE MODE) = 'commit'"
    " THEN SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062,"
    "  MESSAGE_TEXT = 'it is committed'; END IF; END",
    /* Whoever reads it inside a branch has a view from then on: see workers/query/snapshot.c. */
    "CREATE TABLE IF NOT EXISTS shardd.nothing (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB",
    "CREATE DEFINER='" SCHEMA_SERVICE_USER "'@'%' PROCEDURE IF NOT EXISTS"
    " shardd.open_view() READS SQL DATA SQL SECURITY DEFINER"
    " BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM shardd.nothing; END",
    /* Through a role that is not on by default: a right of their own would show
     * applications our schema. */
    "CREATE ROLE IF NOT EXISTS shardd_committer",
    "GRANT EXECUTE ON PROCEDURE shardd.decide TO shardd_committer",
    "GRANT ALL PRIVILEGES ON shardd.* TO '" SCHEMA_SERVICE_USER "'@'%'",
    /* REFERENCES: SHOW CREATE TABLE is for those who have some right on a table. */
    "GRANT PROCESS, BINLOG MONITOR, CONNECTION ADMIN, REFERENCES ON *.* TO"
    " '" SCHEMA_SERVICE_USER "'@'%'",
    "GRANT EXECUTE ON PROCEDURE shardd.open_view TO shardd_committer",
    "GRANT EXECUTE ON PROCEDURE shardd.abort TO shardd_committer", /* the last: see below */
};

/* What moves keep. Of a later version than what is above: looked for by itself. */
static const char *const move_statements[] = {
    "CREATE DATABASE IF NOT EXISTS " ROUTES_MOVE_SCHEMA
    " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    /* Workers read which rows must not be seen: see workers/query/leg.c. */
    "GRANT SELECT ON `shardd\\_move`.* TO shardd_committer",
};

/* Likewise: workers keep lookups in the clients' transactions, which have no right to them. */
static const char *const lookup_statements[] = {
    "GRANT SELECT, INSERT, DELETE ON `shardd\\_lookup`.* TO shardd_committer",
};

/* 'user'@'host', as one of the server_text() buffers would be. */
static const char *
account(const char *user, const char *host)
{
    static _Thread_local char text[2100];

    snprintf(text, sizeof(text), "%s@%s", server_text(user), server_text(host));
    return text;
}

/* Makes the account, or gives it the secret that the workers know. On an
 * adopted server the password that applications use (`also`) stays good
 * beside it: they may still connect directly. */
static bool
ensure_login(struct server *s, const char *user, const char *host, const char *secret,
             const char *also, struct sql_error *error)
{
    const char *verb;
    char        same[8];

    if (!server_value(s, same, sizeof(same), error,
                      "SELECT LOCATE(PASSWORD(%s), Priv) > 0"
                      " FROM mysql.global_priv WHERE User = %s AND Host = %s",
                      server_text(secret), server_text(user), server_text(host)))
        return false;
    if (strcmp(same, "1") == 0)
        return true;
    verb = same[0] ? "ALTER" : "CREATE";
    if (strcmp(host, "%") == 0 || !also[0])
        return server_run(s, error, "%s USER %s IDENTIFIED BY %s", verb, account(user, host),
                          server_text(secret));
    return server_run(s, error, "%s USER %s IDENTIFIED VIA %s"
                      " OR mysql_native_password USING PASSWORD(%s)", verb,
                      account(user, host), also, server_text(secret));
}

static bool
run_unless(struct server *s, bool made, const char *const *list, size_t n,
           struct sql_error *error)
{
    for (size_t i = 0; !made && i < n; i++)
        if (!server_run(s, error, "%s", list[i]))
            return false;
    return true;
}

bool
schema_ensure(struct server *s, const char *service_secret, struct sql_error *error)
{
    char made[8], moves[8], lookups[8];

    /* The last of each list is there: all are. */
    return ensure_login(s, SCHEMA_SERVICE_USER, "%", service_secret, "", error) &&
           server_value(s, made, sizeof(made), error,
                        "SELECT COUNT(*) FROM mysql.procs_priv WHERE Db = 'shardd'"
                        " AND Routine_name = 'abort'") &&
           server_value(s, moves, sizeof(moves), error,
                        "SELECT COUNT(*) FROM mysql.db WHERE User = 'shardd_committer'"
                        " AND Db LIKE 'shardd%%move' AND EXISTS (SELECT * FROM"
                        " information_schema.SCHEMATA WHERE SCHEMA_NAME = '" ROUTES_MOVE_SCHEMA
                        "')") &&
           server_value(s, lookups, sizeof(lookups), error,
                        "SELECT COUNT(*) FROM mysql.db WHERE User = 'shardd_committer'"
                        " AND Db LIKE 'shardd%%lookup'") &&
           run_unless(s, strcmp(made, "1") == 0, statements, countof(statements), error) &&
           run_unless(s, strcmp(moves, "1") == 0, move_statements, countof(move_statements),
                      error) &&
           run_unless(s, strcmp(lookups, "1") == 0, lookup_statements,
                      countof(lookup_statements), error);
}

/* In GRANT, _ and % of a database's name would be wildcards. */
static void
grant_pattern(struct buf *out, const char *database)
{
    buf_append_byte(out, '`');
    for (; *database; database++) {
        if (*database == '`')
            buf_append_byte(out, '`');
        if (*database == '_' || *database == '%' || *database == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*database);
    }
    buf_append_byte(out, '`');
}

bool
account_grant(struct server *s, const char *user, const char *database, struct sql_error *error)
{
    struct buf sql = { 0 };
    bool       ok;

    buf_append_text(&sql, "GRANT ALL PRIVILEGES ON ");
    grant_pattern(&sql, database);
    buf_printf(&sql, ".* TO %s", account(user, s->account_host));
    ok = server_run_text(s, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

const char *
account_name(const struct server *s, const char *user)
{
    return account(user, s->account_host);
}

bool
account_change(struct server *s, const char *user, bool grant, const char *what,
               struct sql_error *error)
{
    struct buf sql = { 0 };
    bool       ok;

    buf_printf(&sql, "%s %s %s %s", grant ? "GRANT" : "REVOKE", what, grant ? "TO" : "FROM",
               account(user, s->account_host));
    ok = server_run_text(s, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

/* The databases the account has rights on, as {pattern: true}. */
static json_t *
granted(struct server *s, const char *user, struct sql_error *error)
{
    json_t *rows = server_rows(s, error,
                               "SELECT Db FROM mysql.db WHERE User = %s AND Host = %s",
                               server_text(user), server_text(s->account_host));
    json_t *set = rows ? json_object() : NULL;
    json_t *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        json_object_set_new_nocheck(set, server_cell(row, 0), json_true());
    json_decref(rows);
    return set;
}

static bool
grant_databases(struct server *s, const char *user, const json_t *databases,
                struct sql_error *error)
{
    json_t     *have = granted(s, user, error), *ignored;
    const char *name;
    bool        ok = have != NULL;

    json_object_foreach((json_t *)(uintptr_t)databases, name, ignored) {
        struct buf  pattern = { 0 };
        const char *text;

        if (strcmp(name, ROUTES_LOOKUP_SCHEMA) == 0)
            continue; /* nobody's: by the role */
        grant_pattern(&pattern, name);
        /* mysql.db has the pattern without the quotes; a doubled one inside is rare
         * enough to be granted again. */
        pattern.end--;
        text = buf_cstr(&pattern) + 1;
        if (ok && !json_object_get(have, text))
            ok = account_grant(s, user, name, error);
        buf_fini(&pattern);
    }
    json_decref(have);
    return ok;
}

/* The rights an adopted account had, as far as they can be given here: a
 * table of another shard cannot be granted on. */
static bool
grant_adopted(struct server *s, const char *user, const json_t *grants)
{
    json_t          *list = (json_t *)(uintptr_t)grants, *grant;
    struct sql_error ignored;
    size_t           i;

    json_array_foreach(list, i, grant)
        if (!server_run(s, &ignored, "GRANT %s TO %s", json_string_value(grant),
                        account(user, s->account_host)))
            continue;
    return true;
}

/* Another server may have another user's plugins. */
static bool
has_ed25519(struct server *s, struct sql_error *error)
{
    char n[8];

    return server_value(s, n, sizeof(n), error, "SELECT COUNT(*) FROM information_schema.plugins"
                        " WHERE plugin_name = 'ed25519' AND plugin_status = 'ACTIVE'") &&
           strcmp(n, "1") == 0;
}

bool
account_ensure(struct server *s, const json_t *user, const json_t *databases,
               struct sql_error *error)
{
    const char   *name   = model_text(user, "name");
    const json_t *grants = json_object_get(user, "grants");
    char          may[8], also[160];

    user_identified(user, also);
    if (model_plugin(user) == AUTH_ED25519 && !has_ed25519(s, error))
        also[0] = 0;
    if (!ensure_login(s, name, s->account_host, model_text(user, "secret"), also, error) ||
        !server_value(s, may, sizeof(may), error,
                      "SELECT COUNT(*) FROM mysql.roles_mapping WHERE User = %s AND Host = %s"
                      " AND Role = 'shardd_committer'", server_text(name),
                      server_text(s->account_host)))
        return false;
    if (strcmp(may, "0") == 0 &&
        !server_run(s, error, "GRANT shardd_committer TO %s",
                    account(name, s->account_host)))
        return false;
    if (model_flag(user, "admin") &&
        !server_run(s, error,
                    "GRANT PROCESS, RELOAD, BINLOG MONITOR ON *.* TO %s",
                    account(name, s->account_host)))
        return false;
    return grants ? grant_adopted(s, name, grants) : grant_databases(s, name, databases, error);
}

bool
account_drop(struct server *s, const char *name, struct sql_error *error)
{
    /* An adopted server keeps the account its own applications use. */
    return server_run(s, error, "DROP USER IF EXISTS %s", account(name, s->account_host));
}
