/* replica_adopt.c - a server that replicates a shard already: what it must be like, and the proof.
 *
 * That it names our primary says little: another server may have that address by now. So a row
 * is written on the primary, and must arrive.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/address.h"
#include "ctl/provision/replication.h"
#include "ctl/provision/spawn.h"

enum { VERSION_MIN = 100600, ARRIVE_S = 30, STEP_S = 1, LOOK_US = 20000, TELL_MS = 10000 };

static bool
refuse(struct sql_error *error, const char *what)
{
    return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server %s", what);
}

static bool
check_facts(const struct replication_facts *f, const struct replication_facts *primary,
            struct sql_error *error)
{
    if (f->server_id == primary->server_id)
        return refuse(error, "has the server_id of its primary: is it the same server? Each needs "
                             "one of its own");
    if (!f->binlog || !f->chained)
        return refuse(error, "lacks log_bin or log_slave_updates; with them it can take its "
                             "primary's place");
    if (!f->row || !f->full)
        return refuse(error, "needs binlog_format=ROW and binlog_row_image=FULL");
    if (f->lower_case)
        return refuse(error, "has lower_case_table_names set, the cluster has not");
    return f->read_only || refuse(error, "can be written to; SET GLOBAL read_only=ON there, and in "
                                         "its settings");
}

static bool
check_status(const struct replication_status *status, const struct replication_facts *primary,
             const json_t *shard, struct sql_error *error)
{
    if (!status->configured)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server replicates nothing; "
                             "make it a replica of %s:%d (CHANGE MASTER TO ..., "
                             "MASTER_USE_GTID=slave_pos) first", model_text(shard, "host"),
                             (int)model_number(shard, "port"));
    if (!status->gtid)
        return refuse(error, "replicates without GTIDs; STOP SLAVE; CHANGE MASTER TO "
                             "MASTER_USE_GTID=slave_pos; START SLAVE");
    if (!status->io || !status->sql)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server does not replicate at "
                             "the moment: %.255s", status->problem[0] ? status->problem
                                                                      : "its threads are stopped");
    if (status->source_id != primary->server_id)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: the server replicates from "
                             "%.100s:%d (server_id %lld), not from shard %.64s (server_id %lld)",
                             status->host, status->port, (long long)status->source_id,
                             model_text(shard, "name"), (long long)primary->server_id);
    return true;
}

/* Whoever waits for long says for what. */
static void
tell(const struct server *s, const struct replication_status *status, int64_t since,
     int64_t *told)
{
    int64_t now = spawn_now_ms();

    if (now - *told < TELL_MS)
        return;
    *told = now;
    log_info("%s is waited for since %lld s: it is to have what its primary had then; %s, %lld s "
             "behind", s->name, (long long)((now - since) / 1000),
             status->io ? "it gets events" : "it gets no events", (long long)status->behind_s);
}

bool
replica_catch_up(struct server *s, const char *position, int wait_s, struct sql_error *error)
{
    struct replication_status status;
    int64_t                   since = spawn_now_ms(), told = since;

    while (spawn_now_ms() < since + wait_s * 1000) {
        bool has = replication_wait(s, position, STEP_S, error);

        if (!replication_status(s, &status, error))
            return false;
        tell(s, &status, since, &told);
        if (has && status.io && status.sql)
            return true;
        if (has)
            usleep(LOOK_US); /* it has all that there is, and is about to connect */
        if (!status.sql)
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %s has stopped replicating: "
                                 "%.255s", s->name, status.problem);
    }
    return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %s has not caught up within %d s",
                         s->name, wait_s);
}

/* A decision about no transaction: a table that is on every shard. */
static bool
prove(struct server *primary, struct server *s, struct sql_error *error)
{
    char secret[USER_SECRET_LEN + 1], position[GTID_TEXT_MAX], n[8];
    bool ok;

    user_secret(secret);
    ok = server_run(primary, error, "INSERT INTO shardd.decision (xid, state) VALUES "
                    "('replica-%s', 'abort')", secret) &&
         server_value(primary, position, sizeof(position), error, "SELECT @@gtid_binlog_pos") &&
         replica_catch_up(s, position, ARRIVE_S, error) &&
         server_value(s, n, sizeof(n), error, "SELECT COUNT(*) FROM shardd.decision WHERE xid = "
                      "'replica-%s'", secret);
    if (ok && strcmp(n, "1") != 0)
        ok = refuse(error, "lacks what was just written on the shard: it replicates another "
                           "server, or leaves schemas out");
    return server_run(primary, ok ? error : &(struct sql_error){ 0 },
                      "DELETE FROM shardd.decision WHERE xid = 'replica-%s'", secret) && ok;
}

/* From here on we come as ourselves, by an account that is there only. */
static bool
own_account(struct server *s, json_t *replica, struct sql_error *error)
{
    char secret[USER_SECRET_LEN + 1], host[256];

    if (!server_value(s, host, sizeof(host), error, "SELECT SUBSTRING_INDEX(USER(), '@', -1)"))
        return false;
    user_secret(secret);
    if (!server_run(s, error, "SET SESSION sql_log_bin = 0") ||
        !server_run(s, error, "GRANT ALL PRIVILEGES ON *.* TO shardd_admin@%s IDENTIFIED BY %s"
                    " WITH GRANT OPTION", server_text(host), server_text(secret)))
        return false;
    model_set(replica, "user", "shardd_admin");
    model_set(replica, "secret", secret);
    return true;
}

static bool
is_same_place(const json_t *a, const json_t *b)
{
    return strcmp(model_text(a, "host"), model_text(b, "host")) == 0 &&
           model_number(a, "port") == model_number(b, "port");
}

/* One server in two places would be counted twice, and could become its own primary. */
static bool
is_new(struct cluster *c, const json_t *replica, struct sql_error *error)
{
    json_t     *shards = catalog_all(c->catalog, CATALOG_SHARD), *other;
    json_t     *all    = catalog_all(c->catalog, CATALOG_REPLICA);
    const char *key, *name = NULL;

    json_object_foreach(shards, key, other)
        if (is_same_place(other, replica))
            name = model_text(other, "name");
    json_object_foreach(all, key, other)
        if (is_same_place(other, replica))
            name = model_text(other, "name");
    if (name)
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: this server is %.64s already", name);
    json_decref(shards);
    json_decref(all);
    return !name;
}

static bool
set_server(json_t *replica, const json_t *shard, const struct replica_wish *wish,
           struct sql_error *error)
{
    model_set(replica, "provisioner", "static");
    model_set(replica, "user", wish->user);
    model_set(replica, "secret", wish->password);
    json_object_set_new(replica, "tls", json_boolean(wish->tls_ca != NULL));
    model_set(replica, "tls_ca", wish->tls_ca ? wish->tls_ca : "");
    if (model_text(shard, "account_host")[0])
        model_set(replica, "account_host", model_text(shard, "account_host"));
    return server_address(replica, wish->address, error);
}

static bool
check(struct server *primary, struct server *s, const json_t *shard, struct sql_error *error)
{
    struct replication_facts  facts, source;
    struct replication_status status;

    if (mysql_get_server_version(s->mysql) < VERSION_MIN)
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: the server is %.60s; MariaDB 10.6 or newer is needed",
                             mysql_get_server_info(s->mysql));
    return replication_facts(primary, &source, error) && replication_facts(s, &facts, error) &&
           check_facts(&facts, &source, error) && replication_status(s, &status, error) &&
           check_status(&status, &source, shard, error);
}

bool
replica_adopt(struct cluster *c, const json_t *shard, json_t *replica,
              const struct replica_wish *wish, struct sql_error *error)
{
    struct server s = { .mysql = NULL }, primary = { .mysql = NULL };
    bool ok = set_server(replica, shard, wish, error) && is_new(c, replica, error) &&
              server_open(&primary, shard, error) && server_open(&s, replica, error) &&
              check(&primary, &s, shard, error) && prove(&primary, &s, error) &&
              own_account(&s, replica, error);

    server_close(&s);
    server_close(&primary);
    return ok;
}
