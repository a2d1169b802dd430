/* globals.c - see globals.h. */
#include "ctl/job/globals.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "ctl/catalog/model.h"
#include "ctl/job/account_words.h"

enum { ACCESS_DENIED = 1227, NAME_MAX_BYTES = 64 };

static const char own_writes[]   = "shardd's own bookkeeping is written on every shard";
static const char how_read[]     = "shardd reads statements as sessions begin on its servers: set "
                                   "it for the session";
static const char connections[]  = "the connections to servers are shardd's: see client_idle_s, "
                                   "pool_max and max_clients in shardd.conf(5)";
static const char binary_log[]   = "a server's binary log is its own: set it in the server's "
                                   "settings file";
static const char replication[]  = "replication is between servers: set it on the server";
static const char half_commits[] = "a transaction over several shards would be half lost when one "
                                   "of them crashes: set it in the servers' settings files, if you "
                                   "accept that";
static const char numbers[]      = "numbers of sharded tables come from shardd";
static const char accounts[]     = "the accounts on the servers are shardd's: see 'shardctl user'";
static const char engines[]      = "the tables of all shards must be of one engine with "
                                   "transactions: write ENGINE in CREATE TABLE";

/* By name, or with a star by how it begins. */
static const struct {
    const char *name, *why;
} obstacles[] = {
    { "read_only", own_writes },
    { "super_read_only", own_writes },
    { "innodb_read_only_compressed", own_writes },
    { "offline_mode", connections },
    { "wait_timeout", connections },
    { "interactive_timeout", connections },
    { "idle_*", connections },
    { "max_user_connections", accounts },
    { "require_secure_transport", connections },
    { "skip_networking", connections },
    { "thread_handling", connections },
    { "sql_mode", how_read },
    { "old_mode", how_read },
    { "autocommit", how_read },
    { "completion_type", how_read },
    { "character_set_*", how_read },
    { "collation_*", how_read },
    { "sql_select_limit", how_read },
    { "sql_auto_is_null", how_read },
    { "sql_big_selects", how_read },
    { "tx_*", how_read },
    { "transaction_*", how_read },
    { "isolation level", how_read },
    { "access mode", how_read },
    { "foreign_key_checks", how_read },
    { "unique_checks", how_read },
    { "time_zone", how_read },
    { "init_connect", how_read },
    { "init_slave", replication },
    { "local_infile", "rows are copied between shards with LOAD DATA LOCAL INFILE" },
    { "max_statement_time", "it would end shardd's own statements in the middle of a commit: set "
                            "it for the session, or query_timeout_ms in shardd.conf(5)" },
    { "log_bin*", binary_log },
    { "binlog_*", binary_log },
    { "sql_log_bin", binary_log },
    { "expire_logs_days", binary_log },
    { "max_binlog_*", binary_log },
    { "gtid_*", replication },
    { "server_id", replication },
    { "slave_*", replication },
    { "replica*", replication },
    { "relay_*", replication },
    { "rpl_*", replication },
    { "wsrep_*", replication },
    { "sync_binlog", half_commits },
    { "innodb_flush_log_at_trx_commit", half_commits },
    { "innodb_support_xa", half_commits },
    { "innodb_force_recovery", half_commits },
    { "auto_increment_*", numbers },
    { "innodb_autoinc_lock_mode", numbers },
    { "default_storage_engine", engines },
    { "enforce_storage_engine", engines },
    { "storage_engine", engines },
    { "old_passwords", accounts },
    { "default_password_lifetime", accounts },
    { "disconnect_on_expired_password", accounts },
    { "max_password_errors", accounts },
    { "secure_*", accounts },
    { "strict_password_validation", accounts },
    { "simple_password_check_*", accounts },
    { "cracklib_*", accounts },
    { "debug*", "it is for a server that is being debugged" },
};

const char *
globals_obstacle(struct span name)
{
    for (size_t i = 0; i < countof(obstacles); i++) {
        size_t len  = strcspn(obstacles[i].name, "*");
        bool   star = obstacles[i].name[len] == '*';

        if ((star ? name.len >= len : name.len == len) &&
            strncasecmp((const char *)name.ptr, obstacles[i].name, len) == 0)
            return obstacles[i].why;
    }
    return NULL;
}

bool
globals_is_set(const struct stmt *s)
{
    if (s->kind != STMT_SET || s->set->statement != NULL)
        return false;
    for (const struct set_item *item = s->set->items; item; item = item->next)
        if (item->scope != KW_GLOBAL ||
            (item->kind != SET_SYSTEM && item->kind != SET_TRANSACTION))
            return false;
    return s->set->items != NULL;
}

/* --- what may be said ----------------------------------------------------- */

static bool
check_item(struct ddl *d, const struct set_item *item)
{
    struct span name = item->kind == SET_TRANSACTION ? SPAN("isolation level") : item->name;
    const char *why  = globals_obstacle(name);

    if (why != NULL)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: the global variable %.*s is not "
                             "set through shardd: %s", (int)(name.len < 64 ? name.len : 64),
                             (const char *)name.ptr, why);
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum(name.ptr[i]) && name.ptr[i] != '_' && name.ptr[i] != '.')
            return sql_error_set(d->error, 1193, "Unknown system variable '%.*s'",
                                 (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    /* The controller's account, which says it there, may read more than the client. */
    return (item->value != NULL && expr_is_constant(item->value)) ||
           sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: SET GLOBAL takes a literal, which "
                         "is given to every shard: compute the value before");
}

/* SET GLOBAL a = 1, GLOBAL b = 2; and the names. False with the error set. */
static bool
read_items(struct ddl *d, struct buf *sql, json_t *names)
{
    for (const struct set_item *item = d->stmt->set->items; item; item = item->next) {
        if (!check_item(d, item))
            return false;
        buf_printf(sql, "%s GLOBAL %.*s = ", buf_len(sql) == 0 ? "SET" : ",",
                   (int)item->name.len, (const char *)item->name.ptr);
        buf_append(sql, d->request->sql.ptr + item->value->start,
                   item->value->end - item->value->start);
        json_array_append_new(names, json_stringn((const char *)item->name.ptr, item->name.len));
    }
    return true;
}

/* --- what is recorded ----------------------------------------------------- */

static json_t *
recorded(struct cluster *c)
{
    json_t *all = catalog_get(c->catalog, CATALOG_META, "globals", NULL);

    return all ? all : json_pack("{s:I, s:{}}", "version", (json_int_t)0, "values");
}

/* The server's value as a literal that SET takes; "" when it cannot be read. */
static bool
read_value(struct server *s, const char *name, struct buf *out, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT @@GLOBAL.%s, (SELECT VARIABLE_TYPE FROM"
                               " information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = %s)",
                               name, server_text(name));
    json_t     *row    = json_array_get(rows, 0);
    const char *value  = json_string_value(json_array_get(row, 0));
    const char *type   = server_cell(row, 1);
    bool        number = strncmp(type, "INT", 3) == 0 || strncmp(type, "BIGINT", 6) == 0 ||
                  strcmp(type, "DOUBLE") == 0 || strcmp(type, "BOOLEAN") == 0;

    if (rows && !value)
        buf_append_text(out, "NULL");
    else if (rows && number && strspn(value, "0123456789.-") == strlen(value))
        buf_append_text(out, value);
    else if (rows)
        server_quote_text(out, value);
    json_decref(rows);
    return rows != NULL;
}

/* What the variables are on this server is what all shall have, from now on. */
static bool
record(struct cluster *c, const char *who, const json_t *names, struct server *s,
       struct sql_error *error)
{
    json_t                *all    = recorded(c), *values = json_object_get(all, "values"), *name;
    struct catalog_change *change = NULL;
    struct err             ignored;
    size_t                 i;
    bool                   ok = true;

    json_array_foreach((json_t *)(uintptr_t)names, i, name) {
        struct buf text = { 0 };

        ok = ok && read_value(s, json_string_value(name), &text, error);
        json_object_set_new(values, json_string_value(name), json_string(buf_cstr(&text)));
        buf_fini(&text);
    }
    if (ok) {
        json_object_set_new(all, "version", json_integer(model_number(all, "version") + 1));
        change = catalog_begin(c->catalog, who);
        catalog_put(change, CATALOG_META, "globals", all, CATALOG_ANY);
        cluster_bump(c, change, "users_generation"); /* sessions begin anew on the servers */
        ok = job_commit(change, error);
    }
    if (ok)
        cluster_publish(c, &ignored);
    json_decref(all);
    return ok;
}

/* An engine computes what shards cannot, with the same variables. What it does not have now it
 * gets from the watcher. */
static void
on_engines(struct ddl *d, struct span sql)
{
    json_t     *all = catalog_all(d->c->catalog, CATALOG_ENGINE), *engine;
    const char *id;

    json_object_foreach(all, id, engine) {
        struct server    s = { .mysql = NULL, .answer_s = 2 };
        struct sql_error ignored;

        if (!server_open(&s, engine, &ignored) || !server_run_text(&s, sql, &ignored))
            job_note(&d->job, "not yet on %s", model_text(engine, "name"));
        server_close(&s);
    }
    json_decref(all);
}

static bool
on_all(struct ddl *d, struct span sql, const json_t *names, enum job_state *state)
{
    struct server *first = ddl_us(d, 0);

    for (size_t i = 0; i < d->n_shards; i++)
        if (!ddl_us(d, i))
            return false;
    if (!first || !server_run_text(first, sql, d->error))
        return false;
    d->answer->warnings = first->warnings;
    ddl_take_warnings(d, first);
    *state = JOB_STUCK;
    if (!record(d->c, account_who(d), names, first, d->error))
        return false;
    for (size_t i = 1; i < d->n_shards; i++)
        if (!server_run_text(ddl_us(d, i), sql, d->error))
            return sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: it is set on some shards "
                                 "only; the controller sets it on the others by itself as soon as "
                                 "they answer");
    on_engines(d, sql);
    return true;
}

bool
globals_set(struct ddl *d)
{
    struct buf     sql     = { 0 };
    json_t        *names   = json_array();
    json_t        *session = json_pack("{s:O}", "names", names);
    enum job_state state   = JOB_FAILED;
    bool           ok;

    ok = account_is_admin(d) ||
         sql_error_set(d->error, ACCESS_DENIED, "Access denied; you need (at least one of) the "
                       "SUPER privilege(s) for this operation (shardd: global variables are set by "
                       "its administrators: shardctl user add --admin)");
    ok = ok && read_items(d, &sql, names);
    json_object_set(session, "names", names);
    ok = ok && job_begin_in(&d->job, d->c, "global", account_who(d), buf_cstr(&sql), "", "",
                            session, d->error);
    if (ok) {
        ok = on_all(d, buf_unread(&sql), names, &state);
        job_end(&d->job, ok ? JOB_DONE : state, d->error);
    }
    json_decref(names);
    json_decref(session);
    buf_fini(&sql);
    return ok;
}

enum job_state
globals_resume(struct cluster *c, const json_t *job, struct sql_error *error)
{
    json_t       *names  = json_object_get(json_object_get(job, "session"), "names");
    json_t       *shards = catalog_all(c->catalog, CATALOG_SHARD);
    json_t       *first  = json_object_iter_value(json_object_iter(shards));
    struct server s      = { .mysql = NULL };
    bool          ok     = first && server_open(&s, first, error) &&
              record(c, "controller", names, &s, error);

    server_close(&s);
    json_decref(shards);
    return ok ? JOB_DONE : JOB_STUCK;
}
