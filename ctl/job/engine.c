/* engine.c - see engine.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/engine.h"
#include "ctl/provision/address.h"
#include "ctl/provision/engine_sync.h"
#include "ctl/provision/engines.h"
#include "ctl/provision/schema.h"

enum { VERSION_MIN = 100600 };

bool
engine_add(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job job;
    struct err err;
    bool       ok;

    if (!job_begin(&job, c, "engine", who, "add an engine", "", "", error))
        return false;
    ok = engines_make(c, who, name, &err) || job_fail(error, &err);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* --- a server that exists ------------------------------------------------------ */

/* `sql` is a question whose answer must be `must`. */
static bool
check(struct server *s, const char *sql, const char *must, const char *else_say,
      struct sql_error *error)
{
    char value[64];

    if (!server_value(s, value, sizeof(value), error, "%s", sql))
        return false;
    return strcmp(value, must) == 0 ||
           sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server %s", else_say);
}

#define NOT_SYSTEM " NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

static bool
check_server(struct server *s, struct sql_error *error)
{
    if (mysql_get_server_version(s->mysql) < VERSION_MIN)
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: the server is %.60s; MariaDB 10.6 or newer is needed",
                             mysql_get_server_info(s->mysql));
    return check(s, "SELECT COUNT(*) FROM information_schema.SCHEMATA"
                 " WHERE SCHEMA_NAME = 'shardd'", "0", "is a shard, and cannot be an engine as "
                 "well", error) &&
           check(s, "SELECT COUNT(*) FROM mysql.global_priv WHERE User = '" ENGINE_ROLE "'", "0",
                 "is an engine already, of this cluster or of another one; if it is none any more, "
                 "DROP ROLE " ENGINE_ROLE " there", error) &&
           check(s, "SELECT @@lower_case_table_names", "0",
                 "has lower_case_table_names set, the cluster has not", error) &&
           check(s, "SELECT @@local_infile", "1", "has local_infile=OFF, and rows come to an "
                 "engine by LOAD DATA LOCAL; set it in its settings", error) &&
           check(s, "SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA"
                 NOT_SYSTEM ") + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE"
                 " ROUTINE_SCHEMA" NOT_SYSTEM ")", "0",
                 "has tables or routines of its own; an engine must have none", error);
}

static bool
set_address(json_t *engine, const char *address, struct sql_error *error)
{
    if (address[0] != '/')
        return server_address(engine, address, error);
    model_set(engine, "socket", address);
    model_set(engine, "host", address);
    json_object_set_new(engine, "port", json_integer(0));
    return true;
}

/* From here on we come as ourselves: the account that was lent is not kept. */
static bool
own_account(struct server *s, json_t *engine, struct sql_error *error)
{
    char        secret[USER_SECRET_LEN + 1], host[256];
    const char *quoted;

    if (!server_value(s, host, sizeof(host), error, "SELECT SUBSTRING_INDEX(USER(), '@', -1)"))
        return false;
    model_set(engine, "account_host", host);
    user_secret(secret);
    quoted = server_text(host);
    if (!server_run(s, error, "CREATE OR REPLACE USER shardd_admin@%s IDENTIFIED BY %s", quoted,
                    server_text(secret)) ||
        !server_run(s, error, "GRANT ALL PRIVILEGES ON *.* TO shardd_admin@%s WITH GRANT OPTION",
                    quoted))
        return false;
    model_set(engine, "user", "shardd_admin");
    model_set(engine, "secret", secret);
    return true;
}

/* What was made there goes. It may be gone for good: that is no reason to keep it. */
static void
clear(const json_t *engine)
{
    struct server    s = { .mysql = NULL, .answer_s = 5 };
    struct sql_error error;

    if (!server_open(&s, engine, &error) || !engine_clear(&s, &error))
        log_warn("engine %s: what was made there stays: %s", model_text(engine, "name"),
                 error.message);
    server_close(&s);
}

static bool
adopt(struct cluster *c, const char *who, json_t *engine, const struct engine_login *login,
      struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    struct err    err;
    bool          ok;

    model_set(engine, "provisioner", "static");
    model_set(engine, "user", login->user);
    model_set(engine, "secret", login->password);
    json_object_set_new(engine, "tls", json_boolean(login->tls_ca != NULL));
    model_set(engine, "tls_ca", login->tls_ca ? login->tls_ca : "");
    ok = set_address(engine, login->address, error) && server_open(&s, engine, error) &&
         check_server(&s, error) && own_account(&s, engine, error);
    server_close(&s);
    if (!ok)
        return false;
    ok = engines_sync_new(c, engine, error) &&
         (engines_put(c, who, engine, &err) || job_fail(error, &err));
    if (!ok)
        clear(engine);
    return ok;
}

bool
engine_adopt(struct cluster *c, const char *who, const char *name,
             const struct engine_login *login, struct sql_error *error)
{
    struct job job;
    struct err err;
    json_t    *engine;
    bool       ok;

    if (!job_begin(&job, c, "engine", who, "use a server as an engine", "", "", error))
        return false;
    engine = engines_new(c, name, &err);
    ok     = engine ? adopt(c, who, engine, login, error) : job_fail(error, &err);
    json_decref(engine);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* --- the end --------------------------------------------------------------------- */

static bool
remove_engine(struct cluster *c, const char *who, const json_t *engine, struct sql_error *error)
{
    struct catalog_change *change;
    struct err             err;
    char                   id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(engine, "id"));
    change = catalog_begin(c->catalog, who);
    catalog_remove(change, CATALOG_ENGINE, id, CATALOG_ANY);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return false;
    if (!cluster_publish(c, &err))
        return job_fail(error, &err);
    publish_drained(c->publisher, PUBLISH_WAIT_MS);
    if (strcmp(model_text(engine, "provisioner"), "local") == 0)
        return cluster_remove_local(c, engine, &err) || job_fail(error, &err);
    clear(engine);
    return true;
}

bool
engine_remove(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job job;
    json_t    *engine;
    bool       ok;

    if (!job_begin(&job, c, "engine", who, "remove an engine", "", "", error))
        return false;
    engine = cluster_engine(c, name);
    ok     = engine ? remove_engine(c, who, engine, error)
                    : sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: there is no engine %s; "
                                    "see 'shardctl engine list'", name);
    json_decref(engine);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
