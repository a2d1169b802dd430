/* replication.c - see replication.h. */
#include "ctl/provision/replication.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"

enum {
    NO_SUCH_THREAD   = 1094,
    SILENCE_S        = 3,  /* then a replica says that its primary does not answer */
    SEMI_SYNC_WAIT_S = 7 * 24 * 3600, /* a commit waits for ever, in practice */
};

/* --- SHOW SLAVE STATUS -------------------------------------------------------- */

static const char *
column(const json_t *columns, const json_t *row, const char *name)
{
    json_t *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)columns, i, one)
        if (strcmp(json_string_value(json_array_get(one, 0)), name) == 0)
            return server_cell(row, i);
    return "";
}

static bool
is_yes(const json_t *columns, const json_t *row, const char *name)
{
    return strcmp(column(columns, row, name), "Yes") == 0;
}

static void
fill(struct replication_status *out, const json_t *columns, const json_t *row)
{
    const char *behind = column(columns, row, "Seconds_Behind_Master");
    const char *sql    = column(columns, row, "Last_SQL_Error");
    const char *io     = column(columns, row, "Last_IO_Error");

    out->configured = true;
    out->io         = is_yes(columns, row, "Slave_IO_Running");
    out->io_stopped = strcmp(column(columns, row, "Slave_IO_Running"), "No") == 0;
    out->sql        = is_yes(columns, row, "Slave_SQL_Running");
    out->gtid       = strcmp(column(columns, row, "Using_Gtid"), "No") != 0;
    out->port       = atoi(column(columns, row, "Master_Port"));
    out->source_id  = strtoll(column(columns, row, "Master_Server_Id"), NULL, 10);
    out->behind_s   = behind[0] ? strtoll(behind, NULL, 10) : -1;
    out->error      = (unsigned)atoi(column(columns, row, "Last_SQL_Errno"));
    snprintf(out->host, sizeof(out->host), "%s", column(columns, row, "Master_Host"));
    snprintf(out->problem, sizeof(out->problem), "%.255s", sql[0] ? sql : io);
}

bool
replication_status(struct server *s, struct replication_status *out, struct sql_error *error)
{
    json_t *columns, *rows;

    *out = (struct replication_status){ .behind_s = -1 };
    if (!server_table(s, SPAN("SHOW SLAVE STATUS"), &columns, &rows, error))
        return false;
    if (json_array_size(rows) > 0)
        fill(out, columns, json_array_get(rows, 0));
    json_decref(columns);
    json_decref(rows);
    return true;
}

bool
replication_all(struct server *s, struct gtid_set *out, struct sql_error *error)
{
    char            own[GTID_TEXT_MAX], got[GTID_TEXT_MAX];
    struct gtid_set other;

    if (!server_value(s, own, sizeof(own), error, "SELECT @@global.gtid_binlog_pos") ||
        !server_value(s, got, sizeof(got), error, "SELECT @@global.gtid_slave_pos"))
        return false;
    return (gtid_parse(out, own) && gtid_parse(&other, got) && gtid_join(out, &other)) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the position of %s cannot be read: "
                         "%.200s, %.200s", s->name, own, got);
}

bool
replication_got(struct server *s, char *out, size_t room, struct sql_error *error)
{
    json_t *columns, *rows;

    if (!server_table(s, SPAN("SHOW SLAVE STATUS"), &columns, &rows, error))
        return false;
    snprintf(out, room, "%s", column(columns, json_array_get(rows, 0), "Gtid_IO_Pos"));
    json_decref(columns);
    json_decref(rows);
    return true;
}

/* --- accounts and facts ------------------------------------------------------- */

bool
replication_account(struct server *primary, const char *secret, struct sql_error *error)
{
    char same[8];

    if (!server_value(primary, same, sizeof(same), error,
                      "SELECT LOCATE(PASSWORD(%s), Priv) > 0 FROM mysql.global_priv"
                      " WHERE User = '" REPLICATION_USER "' AND Host = '%%'",
                      server_text(secret)))
        return false;
    return strcmp(same, "1") == 0 ||
           server_run(primary, error, "GRANT REPLICATION SLAVE, REPLICATION SLAVE ADMIN ON *.* TO "
                      "'" REPLICATION_USER "'@'%%' IDENTIFIED BY %s", server_text(secret));
}

bool
replication_facts(struct server *s, struct replication_facts *out, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT @@server_id, @@log_bin, @@binlog_format = 'ROW',"
                               " @@binlog_row_image = 'FULL', @@log_slave_updates, @@read_only,"
                               " @@lower_case_table_names <> 0, @@gtid_binlog_pos");
    json_t *row  = json_array_get(rows, 0);

    if (!rows)
        return false;
    *out = (struct replication_facts){
        .server_id = strtoll(server_cell(row, 0), NULL, 10),
        .binlog    = strcmp(server_cell(row, 1), "1") == 0,
        .row       = strcmp(server_cell(row, 2), "1") == 0,
        .full      = strcmp(server_cell(row, 3), "1") == 0,
        .chained   = strcmp(server_cell(row, 4), "1") == 0,
        .read_only = strcmp(server_cell(row, 5), "1") == 0,
        .lower_case = strcmp(server_cell(row, 6), "1") == 0,
    };
    snprintf(out->position, sizeof(out->position), "%s", server_cell(row, 7));
    json_decref(rows);
    return true;
}

/* --- telling it ------------------------------------------------------------------ */

static bool
stop(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "STOP SLAVE") || error->code == NO_SUCH_THREAD;
}

bool
replication_follow(struct server *replica, const json_t *primary, const char *secret,
                   const char *position, struct sql_error *error)
{
    return stop(replica, error) &&
           (!position || server_run(replica, error, "SET GLOBAL gtid_slave_pos = %s",
                                    server_text(position))) &&
           server_run(replica, error, "SET GLOBAL slave_net_timeout = %d", SILENCE_S) &&
           server_run(replica, error, "CHANGE MASTER TO MASTER_HOST = %s, MASTER_PORT = %d,"
                      " MASTER_USER = '" REPLICATION_USER "', MASTER_PASSWORD = %s,"
                      " MASTER_SSL = %d, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1,"
                      " MASTER_USE_GTID = slave_pos", server_text(model_text(primary, "host")),
                      (int)model_number(primary, "port"), server_text(secret),
                      model_flag(primary, "tls")) &&
           server_run(replica, error, "START SLAVE");
}

bool
replication_wait(struct server *replica, const char *position, double wait_s,
                 struct sql_error *error)
{
    char done[16];

    if (!server_value(replica, done, sizeof(done), error, "SELECT MASTER_GTID_WAIT(%s, %.3f)",
                      server_text(position), wait_s))
        return false;
    return strcmp(done, "0") == 0 ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %s has not caught up within %.1f s",
                         replica->name, wait_s);
}

bool
replication_stop(struct server *s, struct sql_error *error)
{
    return stop(s, error);
}

bool
replication_promote(struct server *s, struct sql_error *error)
{
    return stop(s, error) && server_run(s, error, "RESET SLAVE ALL") &&
           server_run(s, error, "SET GLOBAL read_only = OFF");
}

bool
replication_freeze(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "SET GLOBAL read_only = ON");
}

void
replication_cut_off(struct server *s, const char *user)
{
    struct sql_error error;
    json_t *rows = server_rows(s, &error, "SELECT ID FROM information_schema.PROCESSLIST"
                               " WHERE ID <> CONNECTION_ID() AND COMMAND NOT LIKE 'Binlog Dump%%'"
                               " AND USER NOT IN ('system user', 'event_scheduler', %s)",
                               server_text(user)), *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        if (!server_run(s, &error, "KILL CONNECTION %s", server_cell(row, 0)))
            continue; /* it has gone */
    json_decref(rows);
}

bool
replication_semi_sync(struct server *s, bool primary, bool on, struct sql_error *error)
{
    if (!primary)
        return server_run(s, error, "SET GLOBAL rpl_semi_sync_slave_enabled = %d", on);
    return server_run(s, error, "SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'") &&
           server_run(s, error, "SET GLOBAL rpl_semi_sync_master_timeout = %lld",
                      SEMI_SYNC_WAIT_S * 1000ll) &&
           server_run(s, error, "SET GLOBAL rpl_semi_sync_master_enabled = %d", on);
}
