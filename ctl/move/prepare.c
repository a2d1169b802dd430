/* prepare.c - see prepare.h. What is checked, and why:
 *
 *   primary key         a row of the binlog is found by it
 *   InnoDB              snapshots and transactions
 *   cascades            rows that a foreign key changes are not in the binlog
 *   triggers            copied rows would fire them once more, and removed ones too; those of
 *                       sharded tables, on every shard, meet no row of the mover: it writes row
 *                       images, for which the servers must run none
 *   system versioning   history has no place in a copy
 *   ROW, FULL images    the binlog has whole rows
 *   same definition     an image of a row fits into the target's table
 *   disk                a full target stops after hours of copying
 *   nothing there       a table that comes to a server must not be there already
 */
#include "ctl/move/prepare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/move/image.h"
#include "ctl/move/layout.h"
#include "ctl/move/place.h"
#include "ctl/move/sets.h"

struct check {
    struct cluster   *c;
    const json_t     *spec;
    struct sql_error *error;
    struct server     s;
    json_t           *tables; /* owned: {catalog name: its definition on the first server} */
    char              first[80];
    int64_t           id;     /* of the shard that is looked at */
    bool              moves;  /* rows come to it or leave it */
};

static bool
refuse(struct check *k, const char *fmt, ...) printf_like(2, 3);

static bool
refuse(struct check *k, const char *fmt, ...)
{
    char    text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return sql_error_set(k->error, SQL_NOT_SUPPORTED, "shardd: %s", text);
}

/* --- the server ------------------------------------------------------------------ */

static const struct {
    const char *variable, *wanted, *remedy;
} settings[] = {
    { "log_bin", "1", "start it with --log-bin" },
    { "binlog_format", "ROW", "SET GLOBAL binlog_format = 'ROW' there, and put it into my.cnf" },
    { "binlog_row_image", "FULL",
      "SET GLOBAL binlog_row_image = 'FULL' there, and put it into my.cnf" },
};

static bool
check_settings(struct check *k)
{
    char    value[64];
    json_t *rows;
    bool    replica;

    for (size_t i = 0; i < countof(settings); i++) {
        if (!server_value(&k->s, value, sizeof(value), k->error, "SELECT @@GLOBAL.%s",
                          settings[i].variable))
            return false;
        if (strcasecmp(value, settings[i].wanted) != 0)
            return refuse(k, "%s has %s = %s, and rows move by the binlog, which needs %s: %s",
                          k->s.name, settings[i].variable, value, settings[i].wanted,
                          settings[i].remedy);
    }
    if (!server_value(&k->s, value, sizeof(value), k->error, "SELECT @@GLOBAL.log_slave_updates"))
        return false;
    rows    = server_rows(&k->s, k->error, "SHOW ALL SLAVES STATUS");
    replica = json_array_size(rows) > 0;
    json_decref(rows);
    if (!rows)
        return false;
    return !replica || strcmp(value, "1") == 0 ||
           refuse(k, "%s is a replica with log_slave_updates = OFF, so its binlog lacks rows; "
                  "start it with --log-slave-updates", k->s.name);
}

static double
bytes_to_come(const struct check *k)
{
    double  sum = 0;
    json_t *piece;
    size_t  i;

    json_array_foreach(json_object_get(k->spec, "pieces"), i, piece)
        if (model_number(piece, "to") == k->id)
            sum += (double)model_number(piece, "bytes");
    return sum;
}

/* LOAD DATA holds AUTO-INC there, on which INSERTs wait; and page splits turn the locks of their
 * transactions on rows into locks on gaps, on which LOAD DATA waits. */
static bool
check_inserts(struct check *k)
{
    char mode[16];

    if (bytes_to_come(k) == 0)
        return true;
    if (!server_value(&k->s, mode, sizeof(mode), k->error, "SELECT @@innodb_autoinc_lock_mode"))
        return false;
    if (strcmp(mode, "2") != 0)
        log_warn("%s has innodb_autoinc_lock_mode = %s: where applications insert into tables with "
                 "AUTO_INCREMENT while rows are copied to it they wait, or get error 1213; start "
                 "it with --innodb-autoinc-lock-mode=2", k->s.name, mode);
    return true;
}

/* --- tables ----------------------------------------------------------------------- */

/* {catalog name: rest of the row} of a query whose first columns are database and table. */
static json_t *
by_table(struct check *k, const char *sql)
{
    json_t *rows = server_rows(&k->s, k->error, "%s", sql), *row, *out = rows ? json_object()
                                                                              : NULL;
    size_t  i;

    json_array_foreach(rows, i, row) {
        char *name = catalog_table_name(server_cell(row, 0), server_cell(row, 1));

        json_object_set_nocheck(out, name, row);
        free(name);
    }
    json_decref(rows);
    return out;
}

static const char tables_sql[] =
    "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_TYPE FROM information_schema.TABLES";
static const char keys_sql[] =
    "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS"
    " WHERE INDEX_NAME = 'PRIMARY'";
static const char cascades_sql[] =
    "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE"
    " FROM information_schema.REFERENTIAL_CONSTRAINTS"
    " WHERE UPDATE_RULE NOT IN ('RESTRICT', 'NO ACTION')"
    " OR DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION')";
static const char triggers_sql[] =
    "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME"
    " FROM information_schema.TRIGGERS"
    " WHERE TRIGGER_NAME NOT LIKE 'shardd lookup %'"; /* do nothing unasked: lookup.h */

struct seen {
    json_t *tables, *keys, *cascades, *triggers;
};

/* Images can be made of its rows, and servers fire nothing for these. */
static bool
check_images(struct check *k, const char *database, const char *table)
{
    struct image i  = { 0 };
    bool         ok = image_fires_none(&k->s, k->error) &&
              image_init(&i, &k->s, database, table, NULL, 0, k->error);

    image_fini(&i);
    return ok;
}

/* The rows of a sharded table that stays what it is; `bad` is one of its triggers. */
static bool
check_triggers(struct check *k, const json_t *object, const json_t *bad)
{
    const char *db = model_text(object, "database"), *table = model_text(object, "name");

    if (model_triggers(object) != TRIGGERS_OWN_ROW ||
        strcmp(model_text(k->spec, "verb"), "table") == 0)
        return refuse(k, "%s.%s has the trigger %s, which copied rows would fire again; keep its "
                      "text (SHOW CREATE TRIGGER), drop it for the time of the move, and create "
                      "it again afterwards", db, table, server_cell(bad, 2));
    return check_images(k, db, table);
}

static bool
check_table(struct check *k, const struct seen *seen, const char *name, const json_t *object)
{
    const json_t *there = json_object_get(seen->tables, name), *bad;
    const char   *db = model_text(object, "database"), *table = model_text(object, "name");

    if (!there)
        return refuse(k, "the table %s.%s is not on %s; 'shardctl fsck' says what is wrong", db,
                      table, k->s.name);
    if (strcmp(server_cell(there, 3), "SYSTEM VERSIONED") == 0)
        return refuse(k, "%s.%s has system versioning, whose history cannot move; ALTER TABLE "
                      "... DROP SYSTEM VERSIONING first", db, table);
    if (strcasecmp(server_cell(there, 2), "InnoDB") != 0)
        return refuse(k, "%s.%s has the engine %s on %s, and only InnoDB tables can move; ALTER "
                      "TABLE ... ENGINE = InnoDB first", db, table, server_cell(there, 2),
                      k->s.name);
    if (!json_object_get(seen->keys, name))
        return refuse(k, "%s.%s has no primary key, by which its rows would be found; ALTER "
                      "TABLE ... ADD PRIMARY KEY first", db, table);
    if ((bad = json_object_get(seen->cascades, name)))
        return refuse(k, "the foreign key %s of %s.%s changes rows by itself (ON UPDATE %s ON "
                      "DELETE %s), which the binlog does not have; use RESTRICT",
                      server_cell(bad, 2), db, table, server_cell(bad, 3), server_cell(bad, 4));
    bad = json_object_get(seen->triggers, name);
    return !bad || check_triggers(k, object, bad);
}

/* A definition without the number that AUTO_INCREMENT is at, which differs. */
static char *
definition(struct check *k, const json_t *object)
{
    json_t *rows = server_rows(&k->s, k->error, "SHOW CREATE TABLE %s.%s",
                               server_name(model_text(object, "database")),
                               server_name(model_text(object, "name")));
    char   *text = rows ? strdup(server_cell(json_array_get(rows, 0), 1)) : NULL, *at;

    json_decref(rows);
    at = text ? strrchr(text, '\n') : NULL; /* the options are on the last line */
    at = at ? strstr(at, " AUTO_INCREMENT=") : NULL;
    if (at) {
        char *end = at + strlen(" AUTO_INCREMENT=");

        end += strspn(end, "0123456789");
        memmove(at, end, strlen(end) + 1);
    }
    return text;
}

static bool
check_definition(struct check *k, const char *name, const json_t *object)
{
    const char *known = json_string_value(json_object_get(k->tables, name));
    char       *text  = definition(k, object);
    bool        ok    = text != NULL;

    if (ok && !known)
        json_object_set_new_nocheck(k->tables, name, json_string_nocheck(text));
    else if (ok && strcmp(known, text) != 0)
        ok = refuse(k, "the definitions of %s.%s on %s and on %s differ; make them equal (SHOW "
                    "CREATE TABLE there)", model_text(object, "database"),
                    model_text(object, "name"), k->first, k->s.name);
    free(text);
    return ok;
}

/* Has this shard the table before anything moves? */
static bool
belongs(const struct check *k, const json_t *object)
{
    const char *name     = model_text(object, "database");
    json_t     *database = catalog_get(k->c->catalog, CATALOG_DATABASE, name, NULL);
    int64_t     home     = model_number(database, "home");

    json_decref(database);
    return strcmp(model_text(object, "kind"), "global") != 0 || home == k->id;
}

static bool
check_absent(struct check *k, const struct seen *seen, const char *name, const json_t *object)
{
    return !json_object_get(seen->tables, name) ||
           refuse(k, "there is a table %s.%s on %s already, where one is to be made; see what it "
                  "is, and drop it there", model_text(object, "database"),
                  model_text(object, "name"), k->s.name);
}

static bool
check_tables(struct check *k)
{
    struct seen seen = { by_table(k, tables_sql), by_table(k, keys_sql),
                         by_table(k, cascades_sql), by_table(k, triggers_sql) };
    json_t     *one;
    size_t      i;
    bool        ok = seen.tables && seen.keys && seen.cascades && seen.triggers;

    json_array_foreach(json_object_get(k->spec, "tables"), i, one) {
        const char   *name   = model_text(one, "name");
        const json_t *object = json_object_get(one, "before");

        if (!belongs(k, object)) {
            ok = ok && check_absent(k, &seen, name, object);
            continue;
        }
        ok = ok && check_table(k, &seen, name, object) && check_definition(k, name, object);
        if (ok && strcmp(model_text(object, "state"), "stuck") == 0)
            ok = refuse(k, "the table %s.%s is stuck since a statement failed half-way; see "
                        "'shardctl status'", model_text(object, "database"),
                        model_text(object, "name"));
    }
    json_decref(seen.tables);
    json_decref(seen.keys);
    json_decref(seen.cascades);
    json_decref(seen.triggers);
    return ok;
}

/* --- disk ------------------------------------------------------------------------- */

/* Of servers on this machine: a copy and its binlog. */
static bool
check_disk(struct check *k, const json_t *shard)
{
    const char    *directory = model_text(shard, "directory");
    struct statvfs disk;
    double         need = 2 * bytes_to_come(k), room;

    if (need == 0 || !directory[0] || statvfs(directory, &disk) != 0)
        return true;
    room = (double)disk.f_bavail * (double)disk.f_frsize;
    return need < room || refuse(k, "about %.1f GB would come to %s with its binlog, and its disk "
                                 "has room for %.1f GB", need / 1e9, k->s.name, room / 1e9);
}

static bool
check_server(struct check *k, const char *id, const json_t *shard)
{
    bool ok;

    k->id = strtoll(id, NULL, 10);
    ok    = server_open(&k->s, shard, k->error) && (!k->moves || check_settings(k)) &&
         check_inserts(k) && check_tables(k) && check_disk(k, shard);
    if (!k->first[0])
        snprintf(k->first, sizeof(k->first), "%s", model_text(shard, "name"));
    server_close(&k->s);
    return ok;
}

bool
prepare_check(struct cluster *c, const json_t *spec, struct sql_error *error)
{
    struct check k    = { .c = c, .spec = spec, .error = error, .tables = json_object() };
    json_t      *want = json_object(), *all = catalog_all(c->catalog, CATALOG_SHARD), *piece,
           *shard;
    const char *id;
    size_t      i;
    bool        ok = true;

    json_array_foreach(json_object_get(spec, "pieces"), i, piece) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)model_number(piece, "from"));
        json_object_set_new(want, text, json_true());
        snprintf(text, sizeof(text), "%lld", (long long)model_number(piece, "to"));
        json_object_set_new(want, text, json_true());
    }
    /* A table that becomes another kind is made or looked at on all. */
    json_object_foreach(all, id, shard) {
        k.moves = json_object_get(want, id) != NULL;
        if (ok && (k.moves || strcmp(model_text(spec, "verb"), "table") == 0))
            ok = check_server(&k, id, shard);
    }
    json_decref(k.tables);
    json_decref(want);
    json_decref(all);
    return ok;
}

/* --- what is made ------------------------------------------------------------------ */

bool
prepare_servers(const struct move *m, struct sql_error *error)
{
    const char *id;
    json_t     *shard;
    bool        ok = true;

    json_object_foreach(m->shards, id, shard) {
        struct server s = { .mysql = NULL };

        ok = ok && server_open(&s, shard, error) && move_schema(&s, error);
        server_close(&s);
    }
    return ok && place_make(m, error) && move_sets_create(m, error);
}

static json_t *
hidden(const struct move *m)
{
    json_t *hide = json_object(), *one;
    char    name[64];
    size_t  i;

    json_array_foreach(json_object_get(m->spec, "tables"), i, one) {
        sets_name(m, &m->tables[i], true, name);
        json_object_set_new_nocheck(hide, model_text(one, "name"), json_string(name));
    }
    return json_pack("{s:I, s:o, s:o}", "job", (json_int_t)m->job, "hide", hide,
                     "hiding", move_hiding(m, true));
}

static bool
change_routes(struct move *m, bool hide, struct sql_error *error)
{
    struct cluster        *c      = m->c;
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *state  = hide ? hidden(m) : NULL;
    struct err             err;

    if (hide) {
        catalog_put(change, CATALOG_META, "move", state, CATALOG_ANY);
        layout_put_map(change, m->spec, false);
    } else {
        catalog_remove(change, CATALOG_META, "move", CATALOG_ANY);
        layout_join_map(change);
    }
    json_decref(state);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, error))
        return false;
    return cluster_publish(c, &err) || job_fail(error, &err);
}

bool
prepare_hide(struct move *m, struct sql_error *error)
{
    bool ok;

    pthread_mutex_lock(&m->c->change_lock);
    ok = change_routes(m, true, error);
    pthread_mutex_unlock(&m->c->change_lock);
    return ok;
}

bool
prepare_unhide(struct move *m, struct sql_error *error)
{
    bool ok;

    pthread_mutex_lock(&m->c->change_lock);
    ok = change_routes(m, false, error);
    pthread_mutex_unlock(&m->c->change_lock);
    return ok;
}
