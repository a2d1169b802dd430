/* move_schema.c - what a move keeps on the shards, and the sessions that write it. */
#include "ctl/catalog/model.h"
#include "ctl/move/sets.h"
#include "ctl/provision/claim.h"

#define SCHEMA "`" ROUTES_MOVE_SCHEMA "`"

static const char *const bookkeeping[] = {
    "CREATE DATABASE IF NOT EXISTS " SCHEMA " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS " SCHEMA ".stream ("
        "job BIGINT NOT NULL, source INT UNSIGNED NOT NULL, target INT UNSIGNED NOT NULL, "
        "position VARBINARY(4096) NOT NULL, PRIMARY KEY (job, source, target)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS " SCHEMA ".copied ("
        "job BIGINT NOT NULL, source INT UNSIGNED NOT NULL, target INT UNSIGNED NOT NULL, "
        "tbl INT UNSIGNED NOT NULL, last LONGBLOB, done BOOL NOT NULL, "
        "n_rows BIGINT UNSIGNED NOT NULL, "
        "PRIMARY KEY (job, source, target, tbl)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS " SCHEMA ".stash ("
        "job BIGINT NOT NULL, source INT UNSIGNED NOT NULL, target INT UNSIGNED NOT NULL, "
        "xid VARBINARY(300) NOT NULL, seq INT UNSIGNED NOT NULL, events LONGBLOB NOT NULL, "
        "PRIMARY KEY (job, source, target, xid, seq)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS " SCHEMA ".journal ("
        "job BIGINT NOT NULL, what VARCHAR(64) NOT NULL, "
        "ts TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), "
        "PRIMARY KEY (job, what)) ENGINE=InnoDB",
};

static const char *const tables[] = { "stream", "copied", "stash", "journal" };

/* What a server's own settings say about applications is not for the rows of a move: they are
 * right already. */
#define MODES "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"

bool
move_session(struct server *s, const struct move *m, uint32_t shard, unsigned lock_s,
             struct sql_error *error)
{
    const json_t *object = move_shard(m, shard);

    if (!object)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: job %lld names shard %u, which "
                             "is not in the catalog", (long long)m->job, (unsigned)shard);
    return move_session_on(s, m, object, lock_s, error);
}

bool
move_session_on(struct server *s, const struct move *m, const json_t *object, unsigned lock_s,
                struct sql_error *error)
{
    s->compress = m->compress;
    if (!server_open(s, object, error))
        return false;
    if (server_run(s, error,
            "SET SESSION server_id = %lld, gtid_domain_id = %d, foreign_key_checks = 0, "
            "check_constraint_checks = 0, unique_checks = 1, binlog_annotate_row_events = OFF, "
            "time_zone = '+00:00', sql_mode = '" MODES "', character_set_results = NULL, "
            "autocommit = 1, tx_isolation = 'REPEATABLE-READ', tx_read_only = 0, "
            "completion_type = 'NO_CHAIN', sql_safe_updates = 0, sql_big_selects = 1, "
            "sql_select_limit = DEFAULT, max_statement_time = 0, max_error_count = 65535, "
            "idle_transaction_timeout = 0, idle_write_transaction_timeout = 0, "
            "idle_readonly_transaction_timeout = 0, net_read_timeout = 600, "
            "net_write_timeout = 600, wait_timeout = 28800, "
            "lock_wait_timeout = %u, innodb_lock_wait_timeout = %u",
            (long long)MOVE_SERVER_ID + m->job % 65536, MOVE_GTID_DOMAIN, lock_s, lock_s) &&
        (model_is_replica(object) || claim_session(s, m->c, error))) /* those are read */
        return true;
    server_close(s);
    return false;
}

bool
move_schema(struct server *s, struct sql_error *error)
{
    for (size_t i = 0; i < countof(bookkeeping); i++)
        if (!server_run(s, error, "%s", bookkeeping[i]))
            return false;
    return true;
}

/* Rows come to the shard (`in`), or leave it: only there keys are put into such a set. */
static bool
gets_keys(const struct move *m, uint32_t shard, bool in)
{
    uint32_t sources[ROUTES_SHARDS_MAX], targets[ROUTES_SHARDS_MAX];
    size_t   n = move_sources(m, sources);

    for (size_t i = 0; i < n; i++) {
        size_t n_targets = in ? move_targets_of(m, sources[i], targets) : 0;

        if (!in && sources[i] == shard)
            return true;
        for (size_t k = 0; k < n_targets; k++)
            if (targets[k] == shard)
                return true;
    }
    return false;
}

json_t *
move_hiding(const struct move *m, bool in)
{
    json_t     *list = json_array(), *shard;
    const char *id;

    json_object_foreach(m->shards, id, shard)
        if (gets_keys(m, (uint32_t)model_number(shard, "id"), in))
            json_array_append_new(list, json_integer((json_int_t)model_number(shard, "id")));
    return list;
}

/* A table whose definition follows from the key column alone; its default goes, for it may name
 * what only the table has. Every statement that is not fixed by a key asks it for each row: where
 * it stays empty it is of an engine that knows that, and the server leaves the question out. */
static bool
create_set(struct server *s, const struct move *m, uint32_t shard, const struct move_table *t,
           bool in, struct sql_error *error)
{
    const struct route_column *column = sets_column(t, in);
    char                       set[64];
    struct buf                 name = { 0 };
    bool                       ok;

    if (!column)
        return true;
    sets_name(m, t, in, set);
    buf_append_span(&name, column->name);
    ok = server_run(s, error, "CREATE TABLE IF NOT EXISTS " SCHEMA ".%s (UNIQUE KEY (k)) "
                    "ENGINE=%s AS SELECT %s AS k FROM %s.%s LIMIT 0", server_name(set),
                    gets_keys(m, shard, in) ? "InnoDB" : "MyISAM", server_name(buf_cstr(&name)),
                    server_name(t->database), server_name(t->name)) &&
         server_run(s, error, "ALTER TABLE " SCHEMA ".%s ALTER COLUMN k DROP DEFAULT",
                    server_name(set));
    buf_fini(&name);
    return ok;
}

static bool
create_sets(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    for (unsigned i = 0; i < m->n_tables; i++)
        if (!create_set(s, m, shard, &m->tables[i], true, error) ||
            !create_set(s, m, shard, &m->tables[i], false, error))
            return false;
    return true;
}

static bool
drop_all(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    char set[64];

    (void)shard;
    for (unsigned i = 0; i < 2 * m->n_tables; i++) {
        sets_name(m, &m->tables[i / 2], i % 2, set);
        if (!server_run(s, error, "DROP TABLE IF EXISTS " SCHEMA ".%s", server_name(set)))
            return false;
    }
    for (size_t i = 0; i < countof(tables); i++)
        if (!server_run(s, error, "DELETE FROM " SCHEMA ".%s WHERE job = %lld", tables[i],
                        (long long)m->job))
            return false;
    return true;
}

typedef bool (*each_shard_fn)(struct server *s, const struct move *m, uint32_t shard,
                              struct sql_error *error);

static bool
on_each_shard(const struct move *m, each_shard_fn fn, struct sql_error *error)
{
    const char *id;
    json_t     *shard;

    json_object_foreach(m->shards, id, shard) {
        struct server s      = { .answer_s = 60 };
        uint32_t      number = (uint32_t)model_number(shard, "id");
        bool          ok;

        if (!move_session(&s, m, number, 30, error))
            return false;
        ok = move_schema(&s, error) && fn(&s, m, number, error);
        server_close(&s);
        if (!ok)
            return false;
    }
    return true;
}

bool
move_sets_create(const struct move *m, struct sql_error *error)
{
    return on_each_shard(m, create_sets, error);
}

bool
move_bookkeeping_drop(const struct move *m, struct sql_error *error)
{
    return on_each_shard(m, drop_all, error);
}
